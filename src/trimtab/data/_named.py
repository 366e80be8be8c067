"""The named sets, and where each is looked for."""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trimtab.data._files import home_expanded, shorten
from trimtab.data._open import NoKnownKindError, open_source
from trimtab.data._source import Source, array_source
from trimtab.errors import DataError, DataNotFoundError

__all__ = ["NAMED_SETS", "named_set", "set_name"]

_FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_NUMERALS = tuple("0123456789")

# Debian's data set packages; a test puts another folder here.
SYSTEM_DATASETS = Path("/usr/share/datasets")


@dataclass(frozen=True)
class NamedSet:
    """One set that a user can ask for by name.

    Args:
        name: as it is asked for, and as its module in ``keras.datasets`` is called.
        class_names: in the order of the published labels.
        title: as it is called in prose.
    """

    name: str
    class_names: tuple[str, ...]
    title: str

    @property
    def spellings(self) -> tuple[str, ...]:
        """The folder and file names by which it is found."""
        plain = {"cifar10": ("cifar10", "cifar-10"), "fashion_mnist": ("fashion-mnist", "fashion_mnist")}
        return plain.get(self.name, (self.name,))


NAMED_SETS: Mapping[str, NamedSet] = {
    named.name: named
    for named in (
        NamedSet("digits", _NUMERALS, "scikit-learn's digits"),
        NamedSet("mnist", _NUMERALS, "MNIST"),
        NamedSet("fashion_mnist", _FASHION, "Fashion-MNIST"),
        NamedSet("cifar10", _CIFAR, "CIFAR-10"),
    )
}


def set_name(source: str) -> str | None:
    """Returns the name of the set that is meant, or None: ``"Fashion-MNIST"`` means fashion_mnist."""
    wanted = source.lower().replace("-", "").replace("_", "")
    return next((name for name in NAMED_SETS if name.replace("_", "") == wanted), None)


def named_set(name: str, data_dir: Path | None, download: bool) -> Source:
    """Finds a named set in the first place that has it, or lets Keras download it.

    The places: `data_dir`, else the folder in TRIMTAB_DATA; Keras' cache; Debian's data set packages. In
    each, a folder or file of the set's name (``fashion-mnist/``, ``mnist.npz``, ``cifar10.zip``).

    Raises:
        DataNotFoundError: no place has it and it cannot be downloaded.
        DataError: a place has it, but damaged.
    """
    wanted = NAMED_SETS[name]
    if name == "digits":
        return _digits()
    looked: list[str] = []
    for label, folder, patient in _places(data_dir):
        for candidate in _candidates(folder, wanted):
            try:
                return _checked(open_source(candidate, wanted.class_names), wanted)
            except NoKnownKindError:
                looked.append(f"{candidate} (holds no IDX files, .npz or images)")
            except DataError as error:
                if not patient:
                    raise
                looked.append(f"{candidate} ({shorten(error)})")  # Keras completes its own cache
        looked.append(f"{folder} ({label})")
    if not download:
        raise _not_found(wanted, looked, "downloading is switched off")
    try:
        arrays = download_with_keras(name)
    except Exception as error:  # whatever Keras and the network raise, it means: not to be had
        raise _not_found(wanted, looked, f"the download failed: {shorten(error)}") from error
    return _from_keras(arrays, wanted)


def download_with_keras(name: str) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Returns ``((x_train, y_train), (x_test, y_test))`` from ``keras.datasets``, which caches the download.

    CIFAR-10's published files are pickles. They are decoded only here, by Keras' own loader, which checks the
    archive's SHA-256 against the published one before it reads a byte.
    """
    import keras

    load: Callable[[], tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]]
    load = getattr(keras.datasets, name).load_data
    with contextlib.redirect_stdout(sys.stderr):  # Keras reports on stdout, which may be somebody's JSON
        return load()


def _places(data_dir: Path | None) -> Iterator[tuple[str, Path, bool]]:
    """Yields each place to look in: what it is, where it is, and whether damage there is passed over."""
    from_environment = os.environ.get("TRIMTAB_DATA")
    if data_dir is not None:
        yield "the data folder asked for", data_dir, False
    elif from_environment:
        yield "TRIMTAB_DATA", Path(from_environment), False
    home = os.environ.get("KERAS_HOME")
    with contextlib.suppress(DataError):  # no home, no cache
        yield "Keras' cache", (Path(home) if home else home_expanded("~/.keras")) / "datasets", True
    yield "system data sets", SYSTEM_DATASETS, False


def _candidates(folder: Path, wanted: NamedSet) -> Iterator[Path]:
    """Yields what exists under one of the set's names."""
    for spelling in wanted.spellings:
        for ending in ("", ".npz", ".zip"):
            candidate = folder / f"{spelling}{ending}"
            try:
                candidate.stat()
            except (FileNotFoundError, NotADirectoryError, ValueError):
                continue
            except OSError:  # opening it will say what is wrong
                pass
            yield candidate


def _checked(source: Source, wanted: NamedSet) -> Source:
    """Returns the source if its classes are those of the set that its name promises."""
    if source.class_names != wanted.class_names:
        raise DataError(
            f"{source.origin} has the classes {', '.join(source.class_names[:12])}; {wanted.title} has "
            f"{', '.join(wanted.class_names)}. Give your own data by its path instead of this name."
        )
    return source


def _not_found(wanted: NamedSet, looked: list[str], reason: str) -> DataNotFoundError:
    """Returns the error that lists the places and says what to do."""
    folder = wanted.spellings[0]
    content = (
        "test/ and train/ with a folder of images per class" if wanted.name == "cifar10" else "IDX files"
    )
    return DataNotFoundError(
        f"{wanted.title} was not found. Looked in: {'; '.join(looked)}; then {reason}. Put its {content} "
        "into "
        f"a folder {folder}/, or its arrays into {folder}.npz, and give the folder around it with --data-dir "
        "(data_dir=) or TRIMTAB_DATA; or run once where the network can be reached."
    )


def _from_keras(
    arrays: tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]], wanted: NamedSet
) -> Source:
    """Returns Keras' arrays as a source."""
    (x_train, y_train), (x_test, y_test) = arrays
    origin = f"keras.datasets.{wanted.name}"
    where = {"train": f"{origin} (training)", "test": f"{origin} (test)"}
    images = {"train": x_train, "test": x_test}
    return array_source(images, {"train": y_train, "test": y_test}, where, origin, wanted.class_names)


def _digits() -> Source:
    """Returns the 1,797 digits of 8x8 pixels, 0..16, that scikit-learn carries."""
    table = _digits_table()
    pixels = np.rint(table[:, :64].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    origin = "scikit-learn (UCI optical recognition of handwritten digits)"
    return array_source(
        {"train": pixels}, {"train": table[:, 64].astype(np.int64)}, {"train": origin}, origin, _NUMERALS
    )


def _digits_table() -> np.ndarray:
    """Returns (1797, 65): 64 pixels and the label.

    The file is read without importing scikit-learn, which takes a second or two; where the file is not where
    it has always been, scikit-learn is asked.
    """
    spec = importlib.util.find_spec("sklearn")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            with gzip.open(path, "rt") as file:
                return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    digits = load_digits()
    return np.column_stack([digits.data, digits.target])

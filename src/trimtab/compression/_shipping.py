"""The last link of a chain: from a trained model to a proved file, quantize-aware where that is worth it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab._compression import gzipped
from trimtab._quiet import import_backend
from trimtab.compression._candidate import Candidate
from trimtab.compression._travelling_data import arrived
from trimtab.compression._trial import FILE, MODEL, accuracy_of, file_accuracy
from trimtab.errors import ConversionError

if TYPE_CHECKING:
    from trimtab.data import ImageData
    from trimtab.workers import Context

__all__ = ["Link", "ship"]

_TOLERANCE = 0.002  # accuracy that int8 may cost before training goes on with it
_AWARE_RATE = 2e-4


@dataclass(frozen=True)
class Link:
    """One technique of a chain and what it changed.

    Args:
        technique: such as ``"int8"``.
        what: in a few words, what was done.
        val_accuracy: of what came out, on the validation images.
        bytes: of the file, where this link made one.
        gzip_bytes: of that file, compressed.
        seconds: that it took.
        taken: whether what came out was kept.
    """

    technique: str
    what: str
    val_accuracy: float
    bytes: int | None = None
    gzip_bytes: int | None = None
    seconds: float = 0.0
    taken: bool = True


def ship(arguments: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Makes the file of a trained candidate: zeros and shared values where asked for, int8, a proof.

    Where the int8 file loses more than 0.2 points of validation accuracy, the model is trained quantize-aware
    for some epochs, and the better file is kept.

    Args:
        arguments: ``candidate``, ``data``, ``batch_size``, ``seed``, ``aware_epochs`` (0: none),
            ``extra_epochs`` (for zeros and shared values).
        context: a file ``model``.

    Returns:
        ``links``, ``val_accuracy`` (of the file), ``float_accuracy``, ``facts``. The file lies in
        ``out/model.tflite`` with its record, the model in ``out/model.keras``.
    """
    import_backend()
    from trimtab import models
    from trimtab.compression._facts import facts_of

    candidate = Candidate.of_plain(arguments["candidate"])
    data, _ = arrived(arguments["data"], context.shared)
    model = models.load_model(context.files["model"])
    plain = accuracy_of(model, data)
    links: list[Link] = []
    work = _Workplace(context.folder, candidate, data, arguments)
    model = work.thinned(model, links)
    path, accuracy, shipped = work.best(model, links)
    models.save_model(shipped, context.out / MODEL)
    record = Path(f"{path}.json").read_bytes()
    (context.out / FILE).write_bytes(path.read_bytes())
    (context.out / f"{FILE}.json").write_bytes(record)
    if arguments.get("float_too"):
        work.export(model, context.out / "float32.tflite", "float32")
    return {
        "links": [asdict(link) for link in links],
        "val_accuracy": accuracy,
        "float_accuracy": plain,
        "facts": facts_of(model, path.read_bytes()).to_plain(),
        "images": len(data.validation),
    }


class _Workplace:
    """Where files of one model are made and compared.

    Args:
        folder: for what is made on the way.
        candidate: whose scheme it is.
        data: the images.
        arguments: of the job.
    """

    def __init__(
        self, folder: Path, candidate: Candidate, data: ImageData, arguments: Mapping[str, Any]
    ) -> None:
        self._folder, self._candidate, self._data, self._arguments = folder, candidate, data, arguments

    def thinned(self, model: Any, links: list[Link]) -> Any:
        """Makes weights zero or alike, where the candidate says so: for the download."""
        from trimtab.clustering import cluster
        from trimtab.pruning import prune

        candidate, began = self._candidate, time.perf_counter()
        options: dict[str, Any] = {
            "epochs": max(int(self._arguments["extra_epochs"]), 1),
            "batch_size": int(self._arguments["batch_size"]),
        }
        if candidate.sparsity:
            model = prune(model, self._data, sparsity=candidate.sparsity, **options).model
            told = f"{candidate.sparsity:.0%} of the weights are zero"
            links.append(self._weighed("prune", told, model, began))
        if candidate.clusters:
            began = time.perf_counter()
            model = cluster(model, self._data, clusters=candidate.clusters, **options).model
            told = f"{candidate.clusters} different values in each layer"
            links.append(self._weighed("cluster", told, model, began))
        return model

    def _weighed(self, technique: str, told: str, model: Any, began: float) -> Link:
        """Returns the link that led to a model, with what its file weighs already at this point."""
        took, path = time.perf_counter() - began, self._folder / f"{technique}.tflite"
        accuracy = accuracy_of(model, self._data)
        try:
            self.export(model, path, self._candidate.scheme)
        except ConversionError:  # the last link tells, and may yet train it into shape
            return Link(technique, told, accuracy, seconds=took)
        return Link(technique, told, accuracy, *_weights_of(path), took)

    def best(self, model: Any, links: list[Link]) -> tuple[Path, float, Any]:
        """Returns the better of the two files that a model has, its accuracy, and the model behind it."""
        scheme, epochs = self._candidate.scheme, int(self._arguments["aware_epochs"])
        target, failure, accuracy = accuracy_of(model, self._data), None, 0.0
        path = self._folder / "after-training.tflite"
        began = time.perf_counter()
        try:
            accuracy = self._exported(model, path)
            told = "converted after training, ranges from 200 training images"
            links.append(Link(scheme, told, accuracy, *_weights_of(path), time.perf_counter() - began))
        except ConversionError as error:
            failure = error
        if failure is None and (accuracy >= target - _TOLERANCE or not epochs):
            return path, accuracy, model
        if not epochs and failure is not None:
            raise failure
        aware_path, began = self._folder / "aware.tflite", time.perf_counter()
        aware = self._aware(model, epochs)
        aware_accuracy = self._exported(aware, aware_path)
        better = failure is not None or aware_accuracy > accuracy
        told = f"trained quantize-aware for {epochs} epochs"
        took = time.perf_counter() - began
        links.append(Link("quantize-aware", told, aware_accuracy, *_weights_of(aware_path), took, better))
        return (aware_path, aware_accuracy, aware) if better else (path, accuracy, model)

    def export(self, model: Any, path: Path, scheme: str) -> None:
        """Exports a model with its proof."""
        from trimtab.exporting import export

        seed = int(self._arguments["seed"])
        export(model, path, scheme=scheme, data=self._data, softmax="strip", seed=seed)

    def _exported(self, model: Any, path: Path) -> float:
        """Exports a model in the candidate's scheme, and returns the validation accuracy of the file."""
        self.export(model, path, self._candidate.scheme)
        return file_accuracy(path.read_bytes(), self._data)

    def _aware(self, model: Any, epochs: int) -> Any:
        """Trains a copy with fake-quantizers, taught by the model itself."""
        from trimtab.quantization import quantize_aware

        return quantize_aware(
            model,
            self._data,
            weights_bits=4 if self._candidate.scheme == "int4" else 8,
            teacher="itself",
            epochs=epochs,
            batch_size=int(self._arguments["batch_size"]),
            learning_rate=_AWARE_RATE,
            seed=int(self._arguments["seed"]),
        ).model


def _weights_of(path: Path) -> tuple[int, int]:
    """Returns the bytes of a file, and those of the file compressed."""
    content = path.read_bytes()
    return len(content), len(gzipped(content))

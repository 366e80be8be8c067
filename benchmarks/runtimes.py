"""The same weights in LiteRT, ONNX Runtime and OpenVINO: speed, size and accuracy, float and int8.

    python benchmarks/runtimes.py

The networks are trained once and kept in ``runs/runtimes``. The peers are Trimtab's extras ``onnx`` and
``openvino``, in this environment: all sides run in one process, on one core.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from _harness import ROOT, Session, say
from _points import digest
from _results import Row, Target, measured_row
from _runtime_sides import PACKAGES, RUNTIMES, Side, missing, onnx_int8, openvino_int8

if TYPE_CHECKING:
    from trimtab.data import ImageData

_OURS = "LiteRT"
_READS_OURS = "OpenVINO, LiteRT's file"
_FASTEST = Target(1.0, "at least", "ratio")
_CHUNK = 256
_ALSO = ("nncf",)


@dataclass(frozen=True)
class _Net:
    """A network and how it is trained.

    Args:
        title: what it is called.
        source: its images, by name.
        size: (height, width) to resize them to; None leaves them as they are.
        limit: at most so many images to train and validate, and as many to test.
        epochs: passes over the training images.
        family: a function of `trimtab.zoo`.
        options: of that function.
    """

    title: str
    source: str
    size: tuple[int, int] | None
    limit: int | None
    epochs: int
    family: str
    options: tuple[tuple[str, Any], ...] = ()

    def data(self) -> ImageData:
        """Loads the images."""
        from trimtab import load_data

        return load_data(self.source, size=self.size, limit=self.limit)

    def build(self, data: ImageData) -> Any:
        """Makes the network, untrained."""
        from trimtab import zoo

        make: Callable[..., Any] = getattr(zoo, self.family)
        return make(data.image_shape, data.classes, **dict(self.options))


_NETS = (
    _Net("small CNN, 28x28x1", "fashion_mnist", None, None, 5, "cnn"),
    _Net("ResNet-8, 32x32x3", "cifar10", None, None, 8, "resnet", (("depth", 8),)),
    _Net(
        "MobileNetV2 with half the channels, 96x96x3",
        "cifar10",
        (96, 96),
        8000,
        5,
        "mobilenet_v2",
        (("alpha", 0.5),),
    ),
)
_QUICK = (
    _Net("small CNN, 8x8x1", "digits", None, 300, 1, "cnn", (("filters", (4, 8)), ("dense", 16))),
)  # fmt: skip


def main() -> None:
    """Measures every net in every runtime."""
    session = Session(
        "runtimes",
        "The same weights in three runtimes",
        "How fast, how large and how accurate is a network in LiteRT, ONNX Runtime and OpenVINO, in float "
        "and in int8, on one core?",
    )
    runtimes = [name for name in PACKAGES if _wanted(name, session)]
    rows: list[Row] = []
    lines: list[list[str]] = []
    for net in _QUICK if session.quick else _NETS:
        data = net.data()
        model = _trained(net, data, session)
        with tempfile.TemporaryDirectory() as scratch:
            files = _files(model, data, Path(scratch), runtimes)
            found, table = _measure(net, model, data, files, session)
        rows += found
        lines += table
    session.peers["packages"] = _versions(runtimes)
    table_of_all = {"title": "Speed, size and accuracy", "headings": _HEADINGS, "rows": lines}
    session.finish(rows, _METHOD, tables=[table_of_all])


_METHOD = (
    "One process, pinned to one core after training and conversion; each runtime computes on one thread, one "
    "image at a time, its input in place (ONNX Runtime by I/O binding, OpenVINO by its request's tensor), "
    "the batch fixed to 1. In turns of about 15 ms whose order is shuffled each round; a ratio is the "
    "median of ratios taken round by round, over LiteRT's file of the same number type: above 1 the peer is "
    "slower.",
    "All files come from the same trained Keras model. Float: `trimtab.export` to .tflite, .onnx and .xml, "
    "which proves each against the model. OpenVINO is told to compute in float32: on some processors it "
    "would take bfloat16.",
    "int8, all calibrated with the same 200 images: LiteRT by `trimtab.export`; ONNX Runtime by its own "
    "static quantizer (QDQ, unsigned activations, kernels per channel); OpenVINO by NNCF with its defaults, "
    "where that is installed, and by reading the int8 .tflite file itself, so that weights and ranges are "
    "LiteRT's to the bit and only kernels differ. LiteRT's files take and give int8, the peers' own float.",
    "Accuracy is that of the test images, one by one through each file. Same answer: the share of them that "
    "get the class that the Keras model gives. Bytes: of the file; OpenVINO's float format is two.",
)
_HEADINGS = [
    "net", "numbers", "runtime", "ms/image", "bytes", "test accuracy (%)", "same answer as Keras (%)",
]  # fmt: skip


def _wanted(runtime: str, session: Session) -> bool:
    """True for a runtime that is to be measured, and can be."""
    if runtime == _OURS:
        return True
    if session.options.no_peers:
        session.note(f"Without {runtime}: --no-peers was given.")
        return False
    lacking = missing(runtime)
    if lacking:
        session.note(f"Without {runtime}: {', '.join(lacking)} is not installed.")
    return not lacking


def _versions(runtimes: Sequence[str]) -> dict[str, str | None]:
    """Lists the versions of what runs the files."""
    from trimtab._versions import version_of

    return {name: version_of(name) for runtime in runtimes for name in (*PACKAGES[runtime], *_ALSO)}


def _trained(net: _Net, data: ImageData, session: Session) -> Any:
    """Trains a network, or loads it where an earlier run has."""
    from trimtab import load_model, save_model, train

    kept = ROOT / "runs" / "runtimes" / f"{digest(net)}.keras"
    if kept.is_file() and not session.quick:
        return load_model(kept)
    say(f"{net.title}: training")
    model = net.build(data)
    train(model, data, epochs=net.epochs, batch_size=64)
    if not session.quick:
        save_model(model, kept)
    return model


def _files(
    model: Any, data: ImageData, folder: Path, runtimes: Sequence[str]
) -> dict[tuple[str, str], tuple[Path, ...]]:
    """Makes the files of each number type and runtime; the first of each is the one to run."""
    from trimtab import export, litert
    from trimtab.exporting._images import calibration_images

    made: dict[tuple[str, str], tuple[Path, ...]] = {}
    images, _, _ = calibration_images(data, 200, seed=0)  # those that `export` takes
    for scheme, numbers in (("float32", "float"), ("int8", "int8")):
        path = folder / f"{numbers}.tflite"
        export(model, path, scheme, data)
        made[numbers, _OURS] = (path,)
    if "ONNX Runtime" in runtimes:
        path, small = folder / "float.onnx", folder / "int8.onnx"
        export(model, path, data=data)
        onnx_int8(path, small, images)
        made["float", "ONNX Runtime"], made["int8", "ONNX Runtime"] = (path,), (small,)
    if "OpenVINO" in runtimes:
        path, small = folder / "float.xml", folder / "int8.xml"
        export(model, path, data=data)
        made["float", "OpenVINO"] = (path, path.with_suffix(".bin"))
        if importlib.util.find_spec("nncf") is not None:
            openvino_int8(path, small, images)
            made["int8", "OpenVINO"] = (small, small.with_suffix(".bin"))
        named = folder / "named.tflite"  # OpenVINO reads no tensors without names, which `export` drops
        named.write_bytes(litert.convert(model, "int8", images))
        made["int8", _READS_OURS] = (named,)
    return made


def _measure(
    net: _Net,
    model: Any,
    data: ImageData,
    files: Mapping[tuple[str, str], tuple[Path, ...]],
    session: Session,
) -> tuple[list[Row], list[list[str]]]:
    """Times the files against each other and counts their right answers; gives rows and the table's lines."""
    from trimtab.benchmarking import time_interleaved

    with _one_core():
        image = data.test.inputs(0, 1)
        sides = {key: RUNTIMES[key[1].split(",")[0]](paths[0], image) for key, paths in files.items()}
        say(f"{net.title}: timing {len(sides)} files")
        names = {" in ".join(key): key for key in sides}
        timings = time_interleaved(
            {name: sides[key].call for name, key in names.items()},
            rounds=session.rounds(full=100, quick=5),
            seconds=0.02 if session.quick else 3.0,
        )
        taken = {key: timings[name].rounds.tolist() for name, key in names.items()}
        answers = _answers(model, data, sides)
    return _rows(net, taken), _lines(net, taken, files, answers)


def _answers(
    model: Any, data: ImageData, sides: Mapping[tuple[str, str], Side]
) -> dict[tuple[str, str], tuple[float, float]]:
    """Returns the accuracy of each side, and the share of images that get the Keras model's class."""
    from trimtab.litert._signature import predict

    right, same = dict.fromkeys(sides, 0), dict.fromkeys(sides, 0)
    for at in range(0, len(data.test), _CHUNK):
        images, labels = data.test.inputs(at, at + _CHUNK), data.test.labels[at : at + _CHUNK]
        wanted = predict(model, images).argmax(-1)
        for key, side in sides.items():
            scores = [side.answer(images[one : one + 1]) for one in range(len(images))]
            classes = np.concatenate(scores).argmax(-1)
            right[key] += int((classes == labels).sum())
            same[key] += int((classes == wanted).sum())
    return {key: (right[key] / len(data.test), same[key] / len(data.test)) for key in sides}


def _rows(net: _Net, taken: Mapping[tuple[str, str], Sequence[float]]) -> list[Row]:
    """Makes the rows of one net: a group of float files and one of int8 files."""
    return [
        measured_row(
            runtime,
            samples,
            "ms",
            group=f"{net.title}, {numbers}",
            versus=None if runtime == _OURS else (_OURS, taken[numbers, _OURS]),
            target=_FASTEST if numbers == "int8" and runtime != _OURS else None,
        )
        for (numbers, runtime), samples in sorted(taken.items(), key=lambda item: item[0][0])
    ]


def _lines(
    net: _Net,
    taken: Mapping[tuple[str, str], Sequence[float]],
    files: Mapping[tuple[str, str], tuple[Path, ...]],
    answers: Mapping[tuple[str, str], tuple[float, float]],
) -> list[list[str]]:
    """Makes the lines of one net in the table of everything."""
    return [
        [
            net.title,
            numbers,
            runtime,
            f"{float(np.median(samples)):.4g}",
            f"{sum(path.stat().st_size for path in files[numbers, runtime]):,}",
            f"{100 * answers[numbers, runtime][0]:.2f}",
            f"{100 * answers[numbers, runtime][1]:.2f}",
        ]
        for (numbers, runtime), samples in sorted(taken.items(), key=lambda item: item[0][0])
    ]


@contextlib.contextmanager
def _one_core() -> Iterator[None]:
    """Keeps this thread, and those that it starts meanwhile, on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


if __name__ == "__main__":
    main()

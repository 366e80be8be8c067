"""Which route makes the better quantized file: size, accuracy and speed of every scheme by every route.

    python benchmarks/ptq_routes.py

The nets are trained once; then nothing is trained any more. The factors that Trimtab warns with
(`trimtab.litert.Scheme.cautions`) are the ratios of this table.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from _harness import Session, say
from _results import Row, measured_row

if TYPE_CHECKING:
    import keras

    from trimtab.data import ImageData

__all__ = ["Candidate"]

_EPOCHS, _CALIBRATION, _INT8 = 6, 200, "int8: converter"
Make = Callable[["keras.Model", bytes, np.ndarray], bytes]
"""Makes a file of a model, its float file, and images to calibrate with."""


@dataclass(frozen=True)
class _Net:
    """An architecture and what it is trained on."""

    title: str
    data: str
    build: Callable[[tuple[int, int, int], int], Any]


@dataclass(frozen=True)
class Candidate:
    """One file.

    Args:
        name: scheme and route.
        bytes: of the file, without its diet.
        agreement: share of the test images that get the float model's class.
    """

    name: str
    bytes: int
    agreement: float


def main() -> None:
    """Measures every net."""
    session = Session(
        "ptq_routes",
        "Post-training quantization: schemes and routes",
        "Which size, accuracy and speed has each scheme of a LiteRT file, by TensorFlow's converter, by a "
        "model with fake-quantizers, and by ai-edge-quantizer?",
    )
    rows: list[Row] = []
    lines: list[list[str]] = []
    record: dict[str, list[Candidate]] = {}
    for net in _nets(session.quick):
        made, result = _measure(net, session)
        record[net.title] = made
        rows += _rows(net, made, result)
        lines += _lines(net, made, result)
    table = {"title": "Size, accuracy, agreement and speed", "headings": _HEADINGS, "rows": lines}
    session.finish(rows, _METHOD, tables=[table], nets=record)


_METHOD = (
    f"Each net is trained for {_EPOCHS} epochs; all its files have the same weights. Static files are "
    f"calibrated with {_CALIBRATION} training images, the same share of every class.",
    '"converter" is TensorFlow\'s, with the images; "fake-quantized" the same converter on a model with '
    'calibrated fake-quantizers (`trimtab.quantization.calibrated`); "edge-quantizer" is ai-edge-quantizer '
    "on the converter's float file, once with its own calibration (a moving average) and once with the true "
    "smallest and largest numbers, as `trimtab.litert.quantize_file` gives it.",
    "Agreement is the share of the test images that get the float Keras model's class; accuracy is that of "
    "the test images, with its interval. A gain or loss of accuracy within the interval is none.",
    "All files of a net are timed by `trimtab.benchmark` in one process, one thread, one image at a time, "
    "in turns whose order is shuffled each round. Ratios are medians of ratios taken round by round, against "
    "the int8 file of the converter.",
)
_HEADINGS = [
    "net", "scheme: route", "bytes", "of float", "accuracy [95 %]", "agreement", "ms an image",
    "time, of int8's", "time, of float's",
]  # fmt: skip


def _nets(quick: bool) -> list[_Net]:
    """Lists what is measured."""
    from trimtab import zoo

    if quick:
        return [_Net("depthwise CNN", "digits", lambda s, c: zoo.ds_cnn(s, c, filters=(8, 16), depth=1))]
    return [
        _Net("small CNN", "fashion_mnist", lambda s, c: zoo.cnn(s, c, batch_norm=True)),
        _Net("depthwise CNN", "fashion_mnist", lambda s, c: zoo.ds_cnn(s, c)),
        _Net("ResNet-8", "cifar10", lambda s, c: zoo.resnet(s, c, depth=8)),
    ]


def _routes(session: Session) -> dict[str, Make]:
    """Lists what is made of each net, by scheme and route."""
    from trimtab import litert

    def plain(scheme: str) -> Make:
        return lambda model, whole, images: litert.convert(model, scheme, images)  # noqa: ARG005

    converted = ["float32", "float16", "dynamic-int8", "int8", "int8-float-io", "int16x8"]
    routes: dict[str, Make] = {f"{scheme}: converter": plain(scheme) for scheme in converted}
    for method in ("mse",) if session.quick else ("minmax", "percentile", "mse"):
        routes[f"int8: fake-quantized, {method}"] = _fake_quantized("int8", 8, method)
        routes[f"int4: fake-quantized, {method}"] = _fake_quantized("int4", 4, method)
    if session.options.no_peers or importlib.util.find_spec("ai_edge_quantizer") is None:
        session.note("ai-edge-quantizer is not installed, or left out: its routes are missing.")
        return routes

    def edge(scheme: str) -> Make:
        return lambda model, whole, images: litert.quantize_file(  # noqa: ARG005
            whole, scheme, images if litert.scheme(scheme).static else None
        )

    for scheme in ("dynamic-int8", "int8", "int16x8", "dynamic-int4", "dynamic-int4-block32"):
        routes[f"{scheme}: edge-quantizer"] = edge(scheme)
    routes["int8: edge-quantizer, its own calibration"] = _own_calibration
    return routes


def _fake_quantized(scheme: str, bits: int, method: str) -> Make:
    """Makes a file of a model with calibrated fake-quantizers."""
    from trimtab import litert, quantization

    def make(model: keras.Model, whole: bytes, images: np.ndarray) -> bytes:  # noqa: ARG001
        aware = quantization.calibrated(model, images, weights_bits=bits, method=method)
        return litert.convert(aware, scheme)

    return make


def _own_calibration(model: keras.Model, whole: bytes, images: np.ndarray) -> bytes:  # noqa: ARG001
    """Makes an int8 file as the documentation of ai-edge-quantizer does."""
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe

    from trimtab.litert._edge_quantizer import _silence

    (key, signature), *_ = Interpreter(model_content=whole).get_signature_list().items()
    (name,) = signature["inputs"]
    with _silence():
        worker = quantizer.Quantizer(bytearray(whole), recipe.static_wi8_ai8())
        ranges = worker.calibrate({key: [{name: images[at : at + 1]} for at in range(len(images))]})
        return bytes(worker.quantize(ranges).quantized_model)


def _measure(net: _Net, session: Session) -> tuple[list[Candidate], Any]:
    """Trains a net, makes its files, and measures them against each other."""
    from trimtab import benchmark

    data = _data(net)
    model = _trained(net, data, session.quick)
    with tempfile.TemporaryDirectory() as scratch:
        made, files = _made(net, model, data, Path(scratch), session)
        say(f"{net.title}: measuring {len(files)} files")
        result = benchmark(
            files,
            data,
            baseline=_INT8,
            rounds=session.rounds(full=100, quick=5),
            seconds=0.02 if session.quick else 2.0,
            memory=False,
        )
    return made, result


def _data(net: _Net) -> ImageData:
    from trimtab.data import load_data
    from trimtab.errors import TrimtabError

    try:
        return load_data(net.data)
    except TrimtabError as error:
        raise SystemExit(f"{error}") from None


def _trained(net: _Net, data: ImageData, quick: bool) -> keras.Model:
    """Returns the net, trained."""
    from trimtab import train

    model = net.build(data.image_shape, data.classes)
    say(f"{net.title}: training")
    train(model, data, epochs=2 if quick else _EPOCHS, batch_size=32 if quick else 128)
    return model


def _made(
    net: _Net, model: keras.Model, data: ImageData, folder: Path, session: Session
) -> tuple[list[Candidate], dict[str, Path]]:
    """Makes a file by every route that takes the net."""
    from trimtab import litert
    from trimtab.errors import TrimtabError
    from trimtab.exporting._images import calibration_images
    from trimtab.litert._signature import predict

    images, _, _ = calibration_images(data, _CALIBRATION, 0)
    tests = data.test.inputs()
    classes = predict(model, tests).argmax(-1)
    whole = litert.convert(model, image_shape=data.image_shape)
    made: list[Candidate] = []
    files: dict[str, Path] = {}
    for name, make in _routes(session).items():
        say(f"{net.title}: {name}")
        try:
            content = make(model, whole, images)
            agreement = float((litert.LiteRTModel(content)(tests).argmax(-1) == classes).mean())
        except TrimtabError as error:
            session.note(f"{net.title}, {name}: {error}")
            continue
        files[name] = folder / f"{len(files)}.tflite"
        files[name].write_bytes(content)
        made.append(Candidate(name, len(content), agreement))
    return made, files


def _rows(net: _Net, made: list[Candidate], result: Any) -> list[Row]:
    """Makes the rows of one net: the time of each file, beside that of the int8 file."""
    taken = {one.name: result[one.name].samples["latency_ms"] for one in made}
    return [
        measured_row(
            name, samples, "ms", group=net.title, versus=None if name == _INT8 else (_INT8, taken[_INT8])
        )
        for name, samples in taken.items()
    ]


def _lines(net: _Net, made: list[Candidate], result: Any) -> list[list[str]]:
    """Makes the lines of one net in the table of everything."""
    sizes: Mapping[str, int] = {one.name: one.bytes for one in made}
    times = {one.name: np.asarray(result[one.name].samples["latency_ms"]) for one in made}
    whole, lines = "float32: converter", []
    for one in made:
        accuracy = result[one.name].measurements["accuracy"]
        ratios = [float(np.median(times[one.name] / times[other])) for other in (_INT8, whole)]
        lines.append(
            [
                net.title,
                one.name,
                f"{one.bytes:,}",
                f"{one.bytes / sizes[whole]:.2f}",
                f"{accuracy.value:.2%} [{accuracy.low:.2%}, {accuracy.high:.2%}]",
                f"{one.agreement:.2%}",
                f"{float(np.median(times[one.name])):.4g}",
                *(f"{ratio:.2f}x" for ratio in ratios),
            ]
        )
    return lines


if __name__ == "__main__":
    main()

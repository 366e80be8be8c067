"""What LiteRT files weigh beside their weights, and how much of it goes when they are rewritten."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from _harness import Session, say
from _results import Row, Target, count_row

_SCHEMES = ("float32", "float16", "dynamic-int8", "int8")
_IMAGES = 16
_PROMISED = Target(20, sense="at least")
_SMALL = "ResNet-8, widths 6 to 24"
"""The net whose int8 file of about 23 kB the promise was made for."""
_HEADINGS = (
    "net",
    "parameters",
    "scheme",
    "constants",
    "file before",
    "after",
    "saved",
    "gzip before",
    "after, gzip",
    "saved, gzip",
)
_METHOD = (
    "Nets of the zoo with random weights; biases and batch normalisation are made unequal, since equal "
    "vectors would be written once. Sizes do not depend on the weights but for gzip's: random float numbers "
    "hardly compress.",
    "int8 is calibrated with random images.",
    "Constants: bytes of weights, biases and shapes, each stored once; what no rewriting can take away.",
    f"Outputs are compared bit by bit on {_IMAGES} random images, in LiteRT with its default delegate "
    "(XNNPACK) and in its plain kernels.",
    "gzip is of level 9. Before is the file as TensorFlow's converter writes it.",
)


@dataclass(frozen=True)
class _Net:
    """A net, and the shape of its images."""

    name: str
    shape: tuple[int, int, int]
    build: Callable[..., Any]


@dataclass(frozen=True)
class _Found:
    """One file before and after."""

    net: str
    scheme: str
    parameters: int
    constants: int
    before: int
    after: int
    zipped_before: int
    zipped_after: int
    differing: int

    @property
    def saved(self) -> float:
        """Share of the file that is gone, in percent."""
        return 100 * (1 - self.after / self.before)

    @property
    def cells(self) -> tuple[str, ...]:
        """Its line of the table."""
        zipped = 100 * (1 - self.zipped_after / self.zipped_before)
        return (
            self.net,
            f"{self.parameters:,}",
            self.scheme,
            f"{self.constants:,}",
            f"{self.before:,}",
            f"{self.after:,}",
            f"{self.saved:.1f} %",
            f"{self.zipped_before:,}",
            f"{self.zipped_after:,}",
            f"{zipped:.1f} %",
        )


def main() -> None:
    """Converts nets in every scheme and rewrites the files."""
    session = Session(
        "file_diet",
        "The file's own weight",
        "How much smaller do LiteRT files of 10 kB to 4 MB get when they are rewritten without names, "
        "repeated zeros, ranges, metadata and padding, and do they still give the same outputs?",
    )
    found = []
    for net in _nets(session.quick):
        say(f"{net.name}: building")
        found += _measure(net, ("int8",) if session.quick else _SCHEMES)
    tables = [{"title": "File by file", "headings": _HEADINGS, "rows": [one.cells for one in found]}]
    session.finish(_rows(found), _METHOD, tables=tables, files=found)


def _nets(quick: bool) -> Sequence[_Net]:
    """Lists the nets, small ones first."""
    from trimtab import zoo

    small = _Net(_SMALL, (28, 28, 1), lambda *shape: zoo.resnet(*shape, width=6))
    if quick:
        return [small]
    return [
        _Net("CNN of 8 and 16 filters", (28, 28, 1), lambda *s: zoo.cnn(*s, filters=(8, 16), dense=8)),
        small,
        _Net("DS-CNN of 32 to 128 filters", (32, 32, 3), zoo.ds_cnn),
        _Net("ResNet-8", (32, 32, 3), zoo.resnet),
        _Net("ResNet-20", (32, 32, 3), lambda *s: zoo.resnet(*s, depth=20)),
        _Net("MobileNetV2, 0.35", (96, 96, 3), lambda *s: zoo.mobilenet_v2(*s, alpha=0.35)),
        _Net("MobileNetV3 small", (96, 96, 3), zoo.mobilenet_v3),
        _Net("EfficientNet-B0", (96, 96, 3), zoo.efficientnet),
    ]


def _measure(net: _Net, schemes: Sequence[str]) -> list[_Found]:
    """Converts one net in each scheme, and rewrites the files."""
    import keras

    from trimtab import litert
    from trimtab._compression import gzipped

    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    model = net.build(net.shape, 10)
    _make_unequal(model)
    images = np.random.default_rng(0).random((64, *net.shape), np.float32)
    found = []
    for scheme in schemes:
        before = litert.convert(model, scheme, images)
        after = litert.diet(before)
        say(f"{net.name}, {scheme}: {len(before):,} to {len(after):,} bytes")
        found.append(
            _Found(
                *(net.name, scheme, model.count_params(), litert.inspect(after).weight_bytes),
                *(len(before), len(after), len(gzipped(before)), len(gzipped(after))),
                differing=sum(_differing(before, after, delegate) for delegate in (True, False)),
            )
        )
    return found


def _make_unequal(model: Any) -> None:
    """Gives biases and batch normalisation numbers as training leaves them: no two the same."""
    random = np.random.default_rng(0)
    for variable in model.weights:
        if len(variable.shape) == 1:
            noise = random.uniform(0.8, 1.2, variable.shape)
            centre = 1.0 if variable.name in ("gamma", "moving_variance") else 0.0
            variable.assign(noise if centre else noise - 1)


def _differing(before: bytes, after: bytes, delegate: bool) -> int:
    """Counts the images for which two files give other bits."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.BUILTIN if delegate else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    answers = []
    for content in (before, after):
        runner = Interpreter(model_content=content, experimental_op_resolver_type=kind, num_threads=1)
        runner.allocate_tensors()
        given, made = runner.get_input_details()[0], runner.get_output_details()[0]
        random, rows = np.random.default_rng(1), []
        for _ in range(_IMAGES):
            image = random.random(given["shape"], np.float32)
            if given["dtype"] == np.int8:
                image = np.rint(255 * image - 128)
            runner.set_tensor(given["index"], image.astype(given["dtype"]))
            runner.invoke()
            rows.append(runner.get_tensor(made["index"]).tobytes())
        answers.append(rows)
    return sum(one != other for one, other in zip(*answers, strict=True))


def _rows(found: Sequence[_Found]) -> list[Row]:
    """Holds the files against what was promised."""
    small = next(one for one in found if (one.net, one.scheme) == (_SMALL, "int8"))
    rows = [
        count_row(
            f"saved of the int8 file of {_SMALL}",
            small.saved,
            unit="%",
            target=_PROMISED,
            note=f"{small.before:,} to {small.after:,} bytes, of which {small.constants:,} are constants.",
        ),
        count_row("images whose outputs differ", sum(one.differing for one in found), target=Target(0)),
        count_row("files that grew", sum(one.after > one.before for one in found), target=Target(0)),
    ]
    for scheme in dict.fromkeys(one.scheme for one in found):
        of_scheme = [one for one in found if one.scheme == scheme]
        rows += [
            count_row(f"{name} saved, {scheme}", one.saved, unit="%", note=f"{one.net}.")
            for name, one in (
                ("most", max(of_scheme, key=lambda one: one.saved)),
                ("least", min(of_scheme, key=lambda one: one.saved)),
            )
        ]
    return rows


if __name__ == "__main__":
    main()

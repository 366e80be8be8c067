"""What fewer channels are worth: size and speed of LiteRT files at 75, 50 and 25 % of the MACs.

    python benchmarks/channel_pruning.py

Nothing is trained: how large and how fast a file is depends on its architecture alone.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from _harness import Session, say
from _results import Row, Target, measured_row

if TYPE_CHECKING:
    from trimtab.benchmarking import BenchmarkResult
    from trimtab.data import ImageData

__all__ = ["Candidate"]

_ASKED = tuple((share, multiple) for multiple in (8, 16) for share in (0.75, 0.5, 0.25))
_QUICK = ((0.5, 8),)
_PROMISED = {0.5: Target(1.7, "at least")}
_SCHEMES = {"float32": "float", "int8": "int8"}
_WHOLE = "whole"
_CLASSES, _CALIBRATION = 10, 16


@dataclass(frozen=True)
class _Net:
    """An architecture.

    Args:
        title: what it is called.
        shape: (height, width, channels) of its images.
        build: makes it, with first weights, for images of this shape and so many classes.
    """

    title: str
    shape: tuple[int, int, int]
    build: Callable[[tuple[int, int, int], int], Any]


@dataclass(frozen=True)
class Candidate:
    """One size of a net.

    Args:
        name: "whole", or what was asked for: "50 % of the MACs by 8".
        asked: share of the MACs that was asked for.
        multiple: what counts of channels were rounded to multiples of.
        macs: multiply-accumulates of one image.
        parameters: of the Keras model.
        widths: the channels of each group that was changed, before and after.
        bytes: of each scheme's file.
    """

    name: str
    asked: float
    multiple: int
    macs: int
    parameters: int
    widths: tuple[tuple[str, int, int], ...]
    bytes: Mapping[str, int]


def main() -> None:
    """Measures every net."""
    session = Session(
        "channel_pruning",
        "What fewer channels are worth",
        "How much smaller and faster is a LiteRT file when a share of a network's channels is removed, and "
        "how much of what the multiply-accumulates promise does one get?",
    )
    rows: list[Row] = []
    tables: list[list[str]] = []
    record: dict[str, list[Candidate]] = {}
    for net in _nets(session.quick):
        made, result = _measure(net, session)
        record[net.title] = made
        rows += _rows(net, made, result)
        tables += _table_rows(net, made, result)
    table = {"title": "Size and speed", "headings": _HEADINGS, "rows": tables}
    session.finish(rows, _METHOD, tables=[table], nets=record)


_METHOD = (
    "`trimtab.prune_channels` with a target of MACs, every group of channels losing the same share (ranking "
    '"group", L2 norm of first weights), counts rounded to multiples of 8 (its default) or 16, then '
    "`trimtab.litert.convert`. Rounding makes the reached share differ from the one asked for; ratios use "
    "the reached one. What cannot be reached so is not there.",
    "All files of a net, float and int8, are timed by `trimtab.benchmark` in one process, one thread, one "
    "image at a time: in turns of about 15 ms whose order is shuffled each round. A speed-up is the median "
    "of ratios taken round by round, against the whole net's file of the same number type.",
    '"Of what they promise" is the speed-up times the share of the MACs that is left: 1 where a file is '
    "faster by as much as it computes less. Kernels compute channels in tiles, of 16 where a processor has "
    "AVX-512: there 8 cost about as much as 16, and 24 as 32.",
    "Weights are random, and so are the images that calibrate and that are timed; neither changes what a "
    "file costs. ResNet-8, ResNet-20 and the VGG-like CNN (VGG-11 of half width with batch normalisation) "
    "take 32x32x3, MobileNetV2 (alpha 1.0, the published stem) 96x96x3; ten classes.",
)

_HEADINGS = [
    "net", "MACs asked", "multiples of", "MACs (million)", "MACs left", "parameters", "left", "int8 bytes",
    "left", "float (ms)", "int8 (ms)", "float speed-up [95 %]", "int8 speed-up [95 %]",
    "of what the MACs promise, float", "of what the MACs promise, int8",
]  # fmt: skip


def _nets(quick: bool) -> list[_Net]:
    """Lists what is measured."""
    from trimtab import zoo

    resnet_8 = _Net("ResNet-8", (32, 32, 3), lambda shape, classes: zoo.resnet(shape, classes, depth=8))
    if quick:
        return [resnet_8]
    return [
        resnet_8,
        _Net("ResNet-20", (32, 32, 3), lambda shape, classes: zoo.resnet(shape, classes, depth=20)),
        _Net("MobileNetV2", (96, 96, 3), lambda shape, classes: zoo.mobilenet_v2(shape, classes)),
        _Net("VGG-like CNN", (32, 32, 3), lambda shape, classes: zoo.vgg(shape, classes, depth=11, width=32)),
    ]


def _measure(net: _Net, session: Session) -> tuple[list[Candidate], BenchmarkResult]:
    """Makes a net in all sizes and number types, and times the files against each other."""
    from trimtab import benchmark

    with tempfile.TemporaryDirectory() as scratch:
        made = _candidates(net, Path(scratch), session)
        files = {
            f"{one.name}, {kind}": _file(Path(scratch), one.name, scheme)
            for scheme, kind in _SCHEMES.items()
            for one in made
        }
        say(f"{net.title}: timing {len(files)} files")
        result = benchmark(
            files,
            _images(net.shape),
            rounds=session.rounds(full=100, quick=5),
            seconds=0.02 if session.quick else 3.0,
            memory=False,
        )
    return made, result


def _candidates(net: _Net, folder: Path, session: Session) -> list[Candidate]:
    """Makes the files of the whole net and of each share that can be reached."""
    from trimtab import prune_channels
    from trimtab.errors import ConfigError

    whole = net.build(net.shape, _CLASSES)
    made = [_converted(whole, Candidate(_WHOLE, 1.0, 1, *_counted(whole), (), {}), net, folder)]
    for share, multiple in _QUICK if session.quick else _ASKED:
        name = f"{100 * share:.0f} % of the MACs by {multiple}"
        say(f"{net.title}: {name}")
        try:
            done = prune_channels(
                whole, None, macs=f"{share:.0%}", ranking="group", round_to=multiple, epochs=0
            )
        except ConfigError as error:
            session.note(f"{net.title}, {name}: {str(error).split(': ')[0]}.")
            continue
        widths = tuple(
            (group.name, group.before, group.after) for group in done.groups if group.after < group.before
        )
        candidate = Candidate(name, share, multiple, *_counted(done.model), widths, {})
        made.append(_converted(done.model, candidate, net, folder))
    return made


def _counted(model: Any) -> tuple[int, int]:
    """Returns multiply-accumulates and parameters."""
    from trimtab.models import macs

    return macs(model) or 0, model.count_params()


def _converted(model: Any, candidate: Candidate, net: _Net, folder: Path) -> Candidate:
    """Converts a model to each number type; returns what it is, with the files' sizes."""
    from trimtab.litert import convert

    images = np.random.default_rng(0).random((_CALIBRATION, *net.shape), dtype=np.float32)
    sizes = {}
    for scheme in _SCHEMES:
        content = convert(model, scheme, images)
        _file(folder, candidate.name, scheme).write_bytes(content)
        sizes[scheme] = len(content)
    return dataclasses.replace(candidate, bytes=sizes)


def _file(folder: Path, name: str, scheme: str) -> Path:
    return folder / f"{name.replace('%', 'percent').replace(' ', '-')}-{scheme}.tflite"


def _images(shape: tuple[int, int, int]) -> ImageData:
    """Makes random images to time with, a few of each class."""
    from trimtab.data import from_arrays

    count = 4 * _CLASSES
    pixels = np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
    return from_arrays((pixels, np.arange(count) % _CLASSES), name="random", test_share=0.25)


def _speed_ups(one: Candidate, kind: str, result: BenchmarkResult) -> list[float]:
    """Returns the speed-up of each round."""
    whole, own = (np.asarray(result[f"{name}, {kind}"].samples["latency_ms"]) for name in (_WHOLE, one.name))
    ratios: list[float] = (whole / own).tolist()
    return ratios


def _rows(net: _Net, made: Sequence[Candidate], result: BenchmarkResult) -> list[Row]:
    """Makes the rows of one net: latencies, speed-ups, and what they are of what the MACs promise."""
    rows = []
    for kind in _SCHEMES.values():
        group = f"{net.title}, {kind}"
        taken = {one.name: result[f"{one.name}, {kind}"].samples["latency_ms"] for one in made}
        rows += [
            measured_row(
                name, samples, "ms", group=group, versus=None if name == _WHOLE else (_WHOLE, taken[_WHOLE])
            )
            for name, samples in taken.items()
        ]
        for one in made[1:]:
            ratios = _speed_ups(one, kind, result)
            rows.append(
                measured_row(
                    f"speed-up at {one.name}", ratios, "x", group=group, target=_PROMISED.get(one.asked)
                )
            )
            left = one.macs / made[0].macs
            share = [ratio * left for ratio in ratios]
            rows.append(measured_row(f"of what they promise, at {one.name}", share, "x", group=group))
    return rows


def _table_rows(net: _Net, made: Sequence[Candidate], result: BenchmarkResult) -> list[list[str]]:
    """Makes the lines of one net in the table of everything."""
    from trimtab.benchmarking import bootstrap_median

    whole, lines = made[0], []
    for one in made:
        latencies = [
            float(np.median(result[f"{one.name}, {kind}"].samples["latency_ms"]))
            for kind in _SCHEMES.values()
        ]
        gained = [bootstrap_median(_speed_ups(one, kind, result)) for kind in _SCHEMES.values()]
        is_whole = one is whole
        lines.append(
            [
                net.title,
                _WHOLE if is_whole else f"{one.asked:.0%}",
                "" if is_whole else f"{one.multiple}",
                f"{one.macs / 1e6:.2f}",
                f"{one.macs / whole.macs:.1%}",
                f"{one.parameters:,}",
                f"{one.parameters / whole.parameters:.1%}",
                f"{one.bytes['int8']:,}",
                f"{one.bytes['int8'] / whole.bytes['int8']:.1%}",
                *(f"{latency:.4g}" for latency in latencies),
                *("" if is_whole else f"{g.value:.2f} [{g.low:.2f}, {g.high:.2f}]" for g in gained),
                *("" if is_whole else f"{g.value * one.macs / whole.macs:.2f}" for g in gained),
            ]
        )
    return lines


if __name__ == "__main__":
    main()

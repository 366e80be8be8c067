"""Whether channels of zeros can be removed from every family of keras.applications without a trace."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from _families import FAMILIES, QUICK, Family
from _harness import Session, say
from _results import Row, Target, count_row, measured_row
from trimtab.errors import TrimtabError

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from trimtab.testing import ChannelsCheck

_SHARE = 0.4
_EQUAL = Target(1e-5)
_ANALYSIS = Target(1.0)
_HEADINGS = (
    "family",
    "difference",
    "groups",
    "channels removed",
    "parameters",
    "left",
    "analysis",
    "removal",
    "loads and trains",
    "int8 file",
    "mean error of int8",
)


def main() -> None:
    """Takes every family through analysis, removal, saving, training and conversion."""
    session = Session(
        "channel_families",
        "Removing channels from keras.applications",
        "Do models of every family of keras.applications give the same outputs once channels that hold zeros "
        "are removed, and are they still ordinary models that save, load, train and convert to int8?",
        more=_options,
    )
    chosen = [
        family
        for family in (QUICK if session.quick else FAMILIES)
        if session.options.only is None or family.name in session.options.only.split(",")
    ]
    found: list[_Found] = []
    cells: list[tuple[str, ...]] = []
    for family in chosen:
        say(f"{family.name}: building")
        try:
            found.append(_measure(family, session.rounds(full=5)))
        except (AssertionError, TrimtabError) as error:
            session.note(f"{family.name} fails: {error}")
            cells.append((family.name, "fails", *[""] * (len(_HEADINGS) - 2)))
            continue
        cells.append(found[-1].cells)
    tables = [{"title": "Family by family", "headings": _HEADINGS, "rows": cells}]
    session.finish(_rows(found, len(chosen)), _METHOD, tables=tables)


def _rows(found: list[_Found], families: int) -> list[Row]:
    """Holds the worst of all families against what was promised."""
    rows = [count_row("families that fail", families - len(found), target=Target(0))]
    if found:
        worst = max(found, key=lambda one: one.difference)
        slowest = max(found, key=lambda one: np.median(one.analysis))
        rows += [
            count_row(
                "largest difference of an output", worst.difference, target=_EQUAL, note=worst.cells[0]
            ),
            measured_row("slowest analysis", slowest.analysis, "s", target=_ANALYSIS, note=slowest.cells[0]),
        ]
    return rows


_METHOD = (
    "Each family is built with random weights, small images and ten logits. Fresh biases and the like are "
    "made unequal, since equal numbers would hide a channel that was mixed up with another, and batch "
    "normalisation is given the statistics of the images, so that their signal reaches the output.",
    "40 % of the units of each group that may be pruned are set to zero wherever they stand, then removed. "
    "Groups that a layer normalisation counts are left whole here: removing zeros from them changes the "
    "outputs. They are removed afterwards, in a second model, whose sizes alone are checked.",
    "The difference is the largest of any output on eight images (patches of colour), as a share of the "
    "largest output.",
    "Loads and trains: the file of the smaller model is loaded by Keras alone, gives the same outputs, and "
    "trains a step. Parameters and multiply-accumulates are those that were foretold without building it.",
    "Analysis is the time of find_groups, removal that of remove; the first call is counted too.",
    "The int8 file is calibrated with such images. Its mean error is a share of the spread of the outputs; "
    "of untrained weights it says that the file computes this model, not how well int8 suits it.",
)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--only", metavar="NAMES", help="these families only, such as VGG16,ResNet50")


@dataclass(frozen=True)
class _Found:
    """What was measured of one family."""

    difference: float
    analysis: tuple[float, ...]
    cells: tuple[str, ...]


def _measure(family: Family, rounds: int) -> _Found:
    """Takes one family through everything."""
    import keras

    from trimtab.channels import find_groups
    from trimtab.testing import check_channels

    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    model = family.build()
    analysis = [_seconds(lambda: find_groups(model))[0] for _ in range(rounds)]
    images = family.images(24)
    say(f"{family.name}: removing channels")
    check = check_channels(model, share=_SHARE, images=images[:8])
    removal, kept = _removal(check)
    say(f"{family.name}: differs by {check.difference:.1e}; converting")
    size, error = _converted(check.smaller, images)
    cells = (
        family.name,
        f"{check.difference:.1e}",
        f"{check.groups}, {kept} locked",
        f"{check.removed} of {check.units}",
        f"{check.parameters[0] / 1e6:.2f} M",
        f"{check.parameters[1] / check.parameters[0]:.1%}",
        f"{float(np.median(analysis)):.2f} s",
        f"{removal:.1f} s",
        "yes",
        f"{size / 1000:.0f} kB",
        f"{error:.1%}",
    )
    return _Found(check.difference, tuple(analysis), cells)


def _removal(check: ChannelsCheck) -> tuple[float, int]:
    """Times the removal, and counts the locked groups."""
    from trimtab.channels import find_groups, remove

    graph = find_groups(check.stirred)
    open_groups = [group for group in graph.groups if group.locked is None]
    keep = {group.name: range(max(1, round(group.size * (1 - _SHARE)))) for group in open_groups}
    seconds, _ = _seconds(lambda: remove(graph, keep))
    return seconds, len(graph.groups) - len(open_groups)


def _converted(model: Any, images: np.ndarray) -> tuple[int, float]:
    """Converts a model to int8; gives the bytes and the mean error as a share of the spread."""
    import keras

    from trimtab.litert import LiteRTModel, convert

    content = convert(model, "int8", images[:16])
    wanted = np.asarray(keras.ops.convert_to_numpy(model(images[16:], training=False)))
    got = LiteRTModel(content)(images[16:])
    return len(content), float(np.abs(got - wanted).mean() / wanted.std())


def _seconds(work: Any) -> tuple[float, Any]:
    """Says how long something took, and gives its result."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


if __name__ == "__main__":
    main()

"""How soon the search finds a good front, beside random search and a fixed recipe with the same time.

python benchmarks/search_efficiency.py
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from _harness import ROOT, Session, say
from _results import Row, Target, measured_row
from trimtab.compression import Budget, hypervolume
from trimtab.compression._plan import Plan, Rung

if TYPE_CHECKING:
    from trimtab.compression._proposals import Proposals
    from trimtab.data import ImageData

_SEARCH, _RANDOM, _FIXED = "Trimtab's search", "random search", "fixed recipe"
_WORST_ERROR = 0.25
_LIMIT = 50_000  # bytes


@dataclass(frozen=True)
class OneLength(Plan):
    """A plan without rounds: each candidate is trained once, for so many epochs, until the time is up.

    Args:
        epochs: of each candidate.
    """

    epochs: int = 10

    @property
    def finals_begin(self) -> float:
        """Never before the end."""
        return self.training_ends

    @property
    def full_epochs(self) -> int:
        """More than there is ever time for: there are no finals."""
        return 1_000_000

    def first_rung(self, epoch_seconds: float, explored: float, overhead: float) -> Rung:  # noqa: ARG002
        """All candidates are trained alike."""
        return Rung(0, self.epochs)

    def next_rung(self, rung: Rung) -> Rung | None:  # noqa: ARG002
        """Nobody goes on."""
        return None

    def final_epochs(self, epoch_seconds: float, left: float, overhead: float) -> float:  # noqa: ARG002
        """Nobody is trained again."""
        return 0.0


def main() -> None:
    """Runs each way of searching with each seed, and compares their fronts as they grew."""
    session = Session(
        "search_efficiency",
        "How soon a good front is found",
        "How long does the search take to find a front as good as the one that random search ends "
        "with, and how "
        "good is a fixed recipe with the same time?",
        more=_arguments,
    )
    options, quick = session.options, session.quick
    seeds = (0,) if quick else tuple(options.seeds)
    data = _data(quick)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) if quick else ROOT / "runs" / session.name
        model = _baseline(data, place, options.baseline_epochs if not quick else 2)
        grown = {
            (name, seed): _grown(name, data, model, seed, place, options, quick)
            for seed in seeds
            for name in (_SEARCH, _RANDOM, _FIXED)
        }
    rows = _rows(grown, seeds, options.minutes)
    curves = [
        {"name": name, "seed": seed, "seconds": [at for at, _ in curve], "hypervolume": [v for _, v in curve]}
        for (name, seed), curve in grown.items()
    ]
    session.finish(rows, _method(options, data, seeds), curves=curves)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=20.0, help="of each search")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=10, help="of each candidate of the other two")
    parser.add_argument("--baseline-epochs", type=int, default=15)


def _data(quick: bool) -> ImageData:
    from trimtab.data import load_data
    from trimtab.errors import TrimtabError

    try:
        return load_data("digits" if quick else "fashion_mnist")
    except TrimtabError as error:
        raise SystemExit(f"{error}") from None


def _baseline(data: ImageData, place: Path, epochs: int) -> Path:
    """Trains the teacher of all searches once; its time counts for none of them."""
    from trimtab.models import save_model
    from trimtab.training import train
    from trimtab.zoo import resnet

    path = place / "baseline.keras"
    if not path.is_file():
        say("training the baseline")
        model = resnet(data.image_shape, data.classes, width=16)
        train(model, data, epochs=epochs, learning_rate=3e-3)
        save_model(model, path)
    return path


def _grown(
    name: str, data: ImageData, model: Path, seed: int, place: Path, options: argparse.Namespace, quick: bool
) -> list[tuple[float, float]]:
    """Runs one way of searching; gives the hypervolume of its front as it grew, by the seconds."""
    from trimtab.compression._compress import asked_of
    from trimtab.compression._run_folder import CompressionFolder
    from trimtab.compression._stages import Stages
    from trimtab.models import load_model
    from trimtab.progress import for_terminal

    say(f"{name}, seed {seed}")
    seconds, jobs = (10.0, 1) if quick else (60 * options.minutes, options.jobs)
    usual = Plan(seconds, len(data.train), jobs, False)
    alike = OneLength(seconds, len(data.train), jobs, False, 2 if quick else options.epochs)
    folder = CompressionFolder(place / f"{name.split()[0].lower()}-{seed}")
    budget, network = Budget(max_size=_LIMIT), load_model(model)
    ways: dict[str, tuple[Plan, dict[str, Any]]] = {
        _SEARCH: (usual, {}),
        _RANDOM: (alike, {"first": lambda _: (), "sampler": "random"}),
        _FIXED: (alike, {"first": _fixed, "sampler": "random"}),
    }
    plan, more = ways[name]
    most = 3 if quick else (len(list(_shares())) if name == _FIXED else None)
    record = folder.begin(asked_of(network, data, budget, plan, jobs, None, seed, None))
    stages = Stages(folder, record, network, data, budget, plan, seed, for_terminal(), most, **more)
    stages.run(jobs, None)
    return curve(folder.path)


def _shares() -> Iterable[float]:
    """The sizes of the fixed recipe, as shares of the limit."""
    return (1.0, 0.7, 0.5, 0.35, 0.25)


def _fixed(proposals: Proposals) -> Iterable[Mapping[str, Any]]:
    """What somebody would do without a search: one residual network, in some widths, with usual settings."""
    families = proposals.space.dimensions["family"].options  # type: ignore[attr-defined]
    family = "resnet-8" if "resnet-8" in families else families[0]
    return [{**proposals.space.defaults(), "family": family, "share": share} for share in _shares()]


def curve(folder: Path) -> list[tuple[float, float]]:
    """Reads how the front of a search grew: after each training, the hypervolume of error and bytes.

    Both count from 0 to 1: up to an error of 25 %, and up to the limit.
    """
    events = []
    for path in (folder / "trials").glob("*/result.json"):
        trial = json.loads(path.read_text("utf-8"))
        for rung in trial["rungs"]:
            point = ((1 - rung["val_accuracy"]) / _WORST_ERROR, trial["facts"]["bytes"] / _LIMIT)
            events.append((float(rung["at"]), point))
    points, grown = [], []
    for at, point in sorted(events):
        points.append(point)
        grown.append((at, hypervolume(points, (1.0, 1.0))))
    return grown


def time_to(grown: list[tuple[float, float]], volume: float) -> float | None:
    """Returns when a search had a front of this volume; None: never."""
    return next((at for at, value in grown if value >= volume), None)


def _rows(
    grown: Mapping[tuple[str, int], list[tuple[float, float]]], seeds: tuple[int, ...], minutes: float
) -> list[Row]:
    """Compares the volumes at the end, and the times to random search's."""
    rows, least = [], 1e-6
    for name in (_SEARCH, _RANDOM, _FIXED):
        volumes = [max(grown[name, seed][-1][1] if grown[name, seed] else 0.0, least) for seed in seeds]
        rows.append(measured_row(name, volumes, unit="", group="Hypervolume of the front at the end"))
    ends = {seed: (grown[_RANDOM, seed] or [(60 * minutes, 0.0)])[-1] for seed in seeds}
    times: dict[str, Callable[[int], float]] = {
        _RANDOM: lambda seed: time_to(grown[_RANDOM, seed], ends[seed][1]) or ends[seed][0],
        _SEARCH: lambda seed: time_to(grown[_SEARCH, seed], ends[seed][1]) or 60 * minutes,
    }
    gained = [max(times[_RANDOM](seed) / max(times[_SEARCH](seed), least), least) for seed in seeds]
    group = "Times less to random search's final front"
    rows.append(measured_row(_SEARCH, gained, unit="x", group=group, target=Target(1.5, "at least")))
    return rows


def _method(options: argparse.Namespace, data: ImageData, seeds: tuple[int, ...]) -> list[str]:
    """Says how it was measured."""
    return [
        f"Each way has {options.minutes:g} minutes and {options.jobs} trainings at a time on "
        f"{data.name}, the same "
        f"baseline (a residual network, {options.baseline_epochs} epochs, not counted) as the teacher, "
        "and a limit "
        f"of {_LIMIT // 1000} kB. {len(seeds)} seeds.",
        f"Random search draws settings of the same space and trains each for {options.epochs} epochs. "
        "The fixed "
        f"recipe trains one residual network in five widths, {options.epochs} epochs each, with usual "
        "settings.",
        "The front is that of float validation accuracy and bytes of the int8 file, over everything "
        "trained so far. "
        f"Its hypervolume counts errors up to {_WORST_ERROR:.0%} and bytes up to the limit, each from "
        "0 to 1.",
    ]


if __name__ == "__main__":
    main()

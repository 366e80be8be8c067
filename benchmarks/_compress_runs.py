"""Compressions to several sizes with several seeds, and the table of what each reached."""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from _harness import ROOT, Session, say
from _results import Row, Target, measured_row

if TYPE_CHECKING:
    from trimtab.compression import CompressionResult
    from trimtab.data import ImageData

__all__ = ["Plan", "run_all"]


@dataclass(frozen=True)
class Plan:
    """What is compressed, and what is promised.

    Args:
        name: of the script.
        data: name of the data set.
        title: of the page.
        targets: accuracy that is promised, by the kilobytes of the budget.
        limit: of the images; None: all.
    """

    name: str
    data: str
    title: str
    targets: dict[int, float]
    limit: int | None = None


_SIZES = (20, 50, 100, 250)
_SEEDS = (0, 1, 2)
_HEADINGS = (
    "budget",
    "seed",
    "chosen",
    "file",
    "validation",
    "test (95 %)",
    "ms/image",
    "baseline",
    "minutes",
    "trained",
)


def run_all(plan: Plan) -> None:
    """Compresses to each size with each seed, each in a folder of its own that goes on where it stopped."""
    session = Session(
        plan.name,
        plan.title,
        f"How accurate is the best model of {plan.data} under 20, 50, 100 and 250 kB that one search "
        "of a fixed time finds, from nothing but the images?",
        more=_arguments,
    )
    options = session.options
    sizes, seeds = ((6,), (0,)) if session.quick else (tuple(options.sizes), tuple(options.seeds))
    data = _data(plan, session.quick)
    found: dict[int, list[CompressionResult]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for size in sizes:
            for seed in seeds:
                place = Path(scratch) if session.quick else ROOT / "runs" / plan.name
                say(f"{size} kB, seed {seed}")
                folder = place / f"{size}kB-{seed}"
                found.setdefault(size, []).append(
                    _compressed(data, size, seed, folder, options, session.quick)
                )
    table = {"title": "Each search", "headings": _HEADINGS, "rows": _cells(found, seeds)}
    session.finish(_rows(plan, data, found), _method(options, data, seeds), tables=[table])


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=30.0, help="of each search")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at the same time")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(_SIZES), help="budgets in kilobytes")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(_SEEDS))


def _data(plan: Plan, quick: bool) -> ImageData:
    from trimtab.data import load_data
    from trimtab.errors import TrimtabError

    try:
        return load_data("digits") if quick else load_data(plan.data, limit=plan.limit)
    except TrimtabError as error:
        raise SystemExit(f"{error}") from None


def _compressed(
    data: ImageData, size: int, seed: int, folder: Path, options: argparse.Namespace, quick: bool
) -> CompressionResult:
    """Runs one search, or reads it back where it is done."""
    from trimtab.compression import Budget, compress
    from trimtab.progress import for_terminal

    return compress(
        None,
        data,
        Budget(max_size=f"{size}kB"),
        out=folder,
        minutes="8s" if quick else options.minutes,
        jobs=1 if quick else options.jobs,
        candidates=2 if quick else None,
        resume=(folder / "run.json").is_file(),
        seed=seed,
        progress=for_terminal(),
    )


def _accuracy(result: CompressionResult) -> float:
    """Returns the test accuracy of the chosen file; 0 where nothing keeps the budget."""
    if result.best is None:
        return 0.0
    return float(result.benchmark[result.best.name].value("accuracy") or 0.0)


def _rows(plan: Plan, data: ImageData, found: dict[int, list[CompressionResult]]) -> list[Row]:
    """Returns a row a size: its test accuracies over the seeds."""
    group = f"{data.name}, test accuracy of the chosen int8 file"
    rows = []
    for size, results in found.items():
        limit = plan.targets.get(size)
        target = None if limit is None else Target(100 * limit, "at least")
        values = [max(100 * _accuracy(result), 1e-3) for result in results]
        rows.append(measured_row(f"in {size} kB", values, unit="%", group=group, target=target))
    return rows


def _cells(found: dict[int, list[CompressionResult]], seeds: tuple[int, ...]) -> list[tuple[str, ...]]:
    """Returns a line a search."""
    lines = []
    for size, results in found.items():
        for seed, result in zip(seeds, results, strict=True):
            looked_at, trained = result.trials
            best = result.best
            told: list[Any] = ["none", "-", "-", "-", "-"]
            if best is not None:
                row = result.benchmark[best.name].measurements["accuracy"]
                told = [
                    best.what, f"{best.bytes:,}", f"{best.val_accuracy:.2%}",
                    f"{row.value:.2%} ({row.low or 0:.2%} to {row.high or 1:.2%})", f"{best.latency_ms:.4f}",
                ]  # fmt: skip
            baseline = result.benchmark["baseline-int8"].value("accuracy")
            ends = (f"{baseline:.2%}", f"{result.seconds / 60:.1f}", f"{trained} of {looked_at}")
            lines.append((f"{size} kB", str(seed), *map(str, told), *ends))
    return lines


def _method(options: argparse.Namespace, data: ImageData, seeds: tuple[int, ...]) -> list[str]:
    """Says how it was measured."""
    return [
        f"`trimtab compress --data {data.name} --max-size SIZE --minutes {options.minutes:g} --jobs "
        f"{options.jobs}`, without a model: the baseline is trained within the time. {len(seeds)} seeds.",
        f"The search chooses by the {len(data.validation):,} validation images. The accuracy is that "
        f"of the int8 file on the {len(data.test):,} test images, which are looked at once, after it chose.",
    ]

"""Which criterion to choose channels by: accuracy after equal fine-tuning, random choice beside them.

    python benchmarks/criteria.py

Each finished point is kept in ``runs/criteria``, so that a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import _criteria
from _criteria import TITLES, Plan, Point
from _harness import ROOT, Session
from _points import WORKERS, Trainer, digest
from _results import Row, Target, count_row

__all__ = ["finished", "told"]

_RANKINGS = {"group": "each group by itself", "global": "all groups together"}


def main() -> None:
    """Trains what is not there yet, and compares what was found."""
    session = Session(
        "criteria",
        "Which channels to remove",
        "How accurate is a small residual network after half of its multiply-accumulates are removed and "
        "the rest is fine-tuned, by the criterion that chose the channels? Is any worth more than chance?",
    )
    plan = _criteria.QUICK if session.quick else _criteria.FULL
    with tempfile.TemporaryDirectory() as scratch:
        kept = Path(scratch) if session.quick else ROOT / "runs" / "criteria"
        workers = 1 if session.quick else WORKERS
        found = finished(plan, session.rounds(full=3, quick=1), kept / digest(plan.settings), workers)
    summaries = _criteria.summaries(found)
    for sentence in told(summaries):
        session.note(sentence)
    commits = sorted({f"{point['commit']}"[:12] for point in found})
    minutes = sum(point["seconds"] for point in found) / 60
    session.note(
        f"The points were trained at commit {', '.join(commits)}, in {minutes:.0f} minutes of work by "
        f"{workers} process{'es side by side' if workers > 1 else ''}."
    )
    session.finish(
        _rows(summaries),
        _method(plan),
        middle="mean",
        tables=_tables(summaries),
        plan=plan,
        summaries=summaries,
        points=found,
    )


def finished(plan: Plan, seeds: int, folder: Path, workers: int) -> list[dict[str, Any]]:
    """Trains every point that `folder` does not hold yet; gives all of them.

    Args:
        plan: what is compared.
        seeds: how many seeds.
        folder: where each finished point is kept.
        workers: processes that train side by side.
    """
    starts = [Point(seed, "before") for seed in range(seeds)]
    trainer = Trainer("criterion", plan.settings, folder, _criteria.path_of, _point_told, workers)
    return trainer.finished(starts, _criteria.points_of(plan, seeds))[1]


def _point_told(point: Point) -> str:
    ranking = f", {_RANKINGS[point.ranking]}" if point.ranking else ""
    return f"seed {point.seed}, {TITLES.get(point.criterion, point.criterion)}{ranking}"


def _method(plan: Plan) -> list[str]:
    """Says how the points came about."""
    settings = plan.settings
    images = "all" if settings.images is None else f"{settings.images:,}"
    return [
        f"`trimtab.zoo.resnet` of depth {settings.depth} and width {settings.width} learns {images} training "
        f"images of {settings.data} for {settings.before} epochs; `trimtab.prune_channels` then leaves "
        f"{settings.macs} of its MACs, without rounding of the counts so that all come to the same; "
        f"batch normalisation's averages are estimated anew, and {settings.epochs} epochs follow. Adam at "
        "1e-3 with a cosine to zero, both times. Each seed has its own images, first weights and order.",
        "The control is the whole model after the same further epochs. The validation images choose the "
        "epoch; all test images are read once, for the accuracy that is shown.",
        "Values are means over the seeds. Intervals are 95 % intervals (Student's t) of the difference from "
        "random choice of the same seed and ranking. With so few seeds they are wide.",
        '"Before" is the accuracy on the validation images after removal, before any fine-tuning.',
        "The images of CIFAR-10 may be a JPEG copy of the published ones; compare only what stands here.",
    ]


def told(summaries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Says in a sentence for each ranking whether random choice loses."""
    sentences = []
    for ranking in dict.fromkeys(one["ranking"] for one in summaries if one["ranking"]):
        others = _others(summaries, ranking)
        behind = [TITLES[one["criterion"]] for one in others if one["from_random"]["value"] <= 0]
        sure = [one for one in others if (one["from_random"]["low"] or 0) > 0]
        verdict = (
            f"random does not lose to {', '.join(behind)}" if behind else "random loses to every criterion"
        )
        sentences.append(
            f"Ranked {_RANKINGS[ranking]}, {verdict}; the interval of the difference lies above zero for "
            f"{len(sure)} of {len(others)}."
        )
    return sentences


def _others(summaries: Sequence[Mapping[str, Any]], ranking: str) -> list[Mapping[str, Any]]:
    return [one for one in summaries if one["ranking"] == ranking and one["from_random"] is not None]


def _rows(summaries: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Makes a row of each criterion, and one of what random choice is worth."""
    rows = []
    for ranking in dict.fromkeys(one["ranking"] for one in summaries if one["ranking"]):
        group = f"Test accuracy, channels ranked {_RANKINGS[ranking]}"
        rows += [_row(one, group) for one in summaries if one["ranking"] in ("", ranking)]
        others = _others(summaries, ranking)
        ahead = sum(one["from_random"]["value"] > 0 for one in others)
        rows.append(
            count_row(
                f"criteria ahead of random, of {len(others)}",
                ahead,
                group=group,
                target=Target(len(others), "at least"),
            )
        )
    return rows


def _row(one: Mapping[str, Any], group: str) -> Row:
    low = high = None
    if one["from_random"] is not None and one["from_random"]["low"] is not None:
        low, high = (
            one["accuracy"] + one["from_random"][side] - one["from_random"]["value"]
            for side in ("low", "high")
        )
    samples = tuple(one["accuracies"])
    return Row(TITLES[one["criterion"]], group, "%", one["accuracy"], low, high, samples)


def _tables(summaries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Makes the table of everything."""
    rows = [
        [
            TITLES[one["criterion"]],
            _RANKINGS.get(one["ranking"], ""),
            f"{one['macs'] / 1e6:.2f}",
            f"{one['parameters']:,.0f}",
            f"{one['raw']:.2f}",
            f"{one['accuracy']:.2f}",
            ", ".join(f"{value:.2f}" for value in one["accuracies"]),
            _points(one["from_random"]),
            _points(one["from_control"]) if one["ranking"] else "",
        ]
        for one in summaries
    ]
    headings = [
        "criterion", "ranked", "MACs (million)", "parameters", "before (%)", "accuracy (%)", "of each seed",
        "points from random [95 %]", "points from not pruned [95 %]",
    ]  # fmt: skip
    return [{"title": "Every criterion", "headings": headings, "rows": rows}]


def _points(difference: Mapping[str, Any] | None) -> str:
    if difference is None:
        return ""
    if difference["low"] is None:
        return f"{difference['value']:+.2f}"
    return f"{difference['value']:+.2f} [{difference['low']:+.2f}, {difference['high']:+.2f}]"


if __name__ == "__main__":
    main()

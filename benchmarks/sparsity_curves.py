"""Accuracy against sparsity, from 0 to 98 %: for what goes together, against whom it is ranked, and by what.

    python benchmarks/sparsity_curves.py

Each finished point is kept in ``runs/sparsity-curves``, so that a run that was killed goes on where it
stopped. ``--draw`` draws the pictures and the page again from the JSON file, and trains nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import _curve_pictures
import _curves
import _results
from _curves import Plan, Point
from _harness import RESULTS, ROOT, Session, say
from _points import WORKERS, Trainer, digest
from _results import Row
from trimtab._atomic import write_text

__all__ = ["finished"]


def main() -> None:
    """Trains what is not there yet, and draws what was found."""
    session = Session(
        "sparsity_curves",
        "Accuracy against sparsity",
        "How much accuracy does a small CNN keep at each sparsity, with single weights, blocks or N:M, with "
        "weights ranked in each layer or in all together, by magnitude, by Taylor scores or at random?",
        more=_more,
    )
    if session.options.draw:
        _draw_again(session.options.out or RESULTS)
        return
    plan = _curves.QUICK if session.quick else _curves.FULL
    with tempfile.TemporaryDirectory() as scratch:
        kept = Path(scratch) if session.quick else ROOT / "runs" / "sparsity-curves"
        found = finished(plan, session.rounds(full=3), kept / digest(plan.settings))
    curves = _curves.curves(found)
    commits = sorted({f"{point['commit']}"[:12] for point in found})
    minutes = sum(point["seconds"] for point in found) / 60
    session.note(
        f"The points were trained at commit {', '.join(commits)}, in {minutes:.0f} minutes of work by "
        f"{WORKERS} processes side by side."
    )
    record = session.finish(
        _rows(curves),
        _method(plan),
        middle="mean",
        pictures=_curve_pictures.listed(plan.data),
        tables=_tables(curves),
        plan=plan,
        curves=curves,
        points=found,
    )
    folder = session.options.out or (None if session.quick else RESULTS)
    if folder is not None:
        _draw(record, folder)


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--draw", action="store_true", help="draw again from the JSON file that is there; train nothing"
    )


def finished(plan: Plan, seeds: int, folder: Path) -> list[dict[str, Any]]:
    """Trains every point that `folder` does not hold yet; gives all of them.

    Args:
        plan: what is trained.
        seeds: how many seeds.
        folder: where each finished point is kept.
    """
    points = _curves.points_of(plan, seeds)
    starts = [Point(data, seed, "before") for seed in range(seeds) for data in plan.data]
    trainer = Trainer("curve", plan.settings, folder, _curves.path_of, _told)
    return trainer.finished(starts, points)[1]


def _told(point: Point) -> str:
    how = point.granularity if point.sparsity is None else f"{point.sparsity:g}"
    return f"{point.data}, seed {point.seed}, {point.series}, {how}"


def _method(plan: Plan) -> list[str]:
    """Says how the points came about."""
    settings = plan.settings
    images = "all" if settings.images is None else f"{settings.images:,}"
    filters = " and ".join(map(str, settings.filters))
    return [
        f"`trimtab.zoo.cnn` with {filters} filters and {settings.dense} hidden units learns {images} "
        f"training images for {settings.before} epochs; each point then goes on from there with "
        f"`trimtab.prune`, {settings.epochs} epochs, its default schedule; Adam at 1e-3, which holds while "
        "the sparsity climbs and then falls to zero. Each seed has its own images, first "
        "weights and order of images.",
        "The control (0 %) is that model after the same further epochs without pruning. The validation "
        "images choose the epoch; all test images are read once, for the accuracy that is shown.",
        "Values are means over the seeds. Intervals are 95 % intervals (Student's t) of the difference from "
        "the control of the same seed, drawn around the controls' mean. With so few seeds they are wide.",
        "Sparsity is the share of zeros in all kernels together. The first kernel, a thousandth of the "
        "weights, is left alone in every point, since it has one input channel, too few for blocks and N:M. "
        "N:M has one point for each pattern, at which ranking makes no difference.",
        "Drawn again from the JSON file by `python benchmarks/sparsity_curves.py --draw`.",
    ]


def _rows(curves: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Makes one row of each line: its accuracy nearest to nine zeros of ten weights."""
    rows: list[Row] = []
    for curve in curves:
        group = f"{_curve_pictures.TITLES[curve['data']]}: accuracy near 90 % sparsity"
        start = curve["points"][0]
        if all(row.group != group for row in rows):
            rows.append(_row("not pruned", group, start))
        point = min(curve["points"][1:], key=lambda one: abs(one["sparsity"] - 0.9))
        what = f"{curve['label']} {point['name']}".rstrip()
        rows.append(_row(f"{what}, {100 * point['sparsity']:.1f} % zeros", group, point))
    return rows


def _row(name: str, group: str, point: Mapping[str, Any]) -> Row:
    # The control has no interval: it is what the others are compared with, seed by seed.
    known = point["low"] is not None and point["low"] < point["high"]
    low, high = (100 * point[key] if known else None for key in ("low", "high"))
    samples = tuple(100 * accuracy for accuracy in point["accuracies"])
    return Row(name, group, "%", 100 * point["accuracy"], low, high, samples)


def _tables(curves: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Makes a table of every point for each data set."""
    tables = []
    for data in dict.fromkeys(str(curve["data"]) for curve in curves):
        rows = [
            [
                f"{curve['label']} {point['name']}".rstrip() if at else "not pruned",
                f"{100 * point['sparsity']:.1f}",
                _results.value_text({**_plain(point), "unit": "%"}),
                f"{100 * point['gap']:+.2f}" if at else "",
            ]
            for turn, curve in enumerate(one for one in curves if one["data"] == data)
            for at, point in enumerate(curve["points"])
            if at or not turn
        ]
        headings = ["what", "sparsity (%)", "mean accuracy [95 % interval]", "points from the control"]
        tables.append(
            {"title": f"{_curve_pictures.TITLES[data]}: every point", "headings": headings, "rows": rows}
        )
    return tables


def _plain(point: Mapping[str, Any]) -> dict[str, Any]:
    row = _row("", "", point)
    return {"value": row.value, "low": row.low, "high": row.high}


def _draw_again(folder: Path) -> None:
    """Draws the page and the pictures of a folder from its JSON file."""
    source = folder / "sparsity_curves.json"
    if not source.is_file():
        raise SystemExit(f"There is no {source.name} to draw from: run this without --draw first.")
    record = json.loads(source.read_text("utf-8"))
    write_text(source.with_suffix(".md"), _results.markdown(record))
    _draw(record, folder)


def _draw(record: Mapping[str, Any], folder: Path) -> None:
    """Draws the pictures beside the folder of results."""
    for path in _curve_pictures.draw(record, folder.parent / "pictures" / "sparsity-curves"):
        say(f"Wrote {path.name}.")


if __name__ == "__main__":
    main()

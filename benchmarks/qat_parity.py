"""Whether an int8 or int4 file is the quantize-aware model that it was made of, on whole test sets.

    python benchmarks/qat_parity.py

Each net is kept in ``runs/qat_parity`` once it is compared, so that a run that was killed goes on where it
stopped. The exit code is 1 where a promise is not kept.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import _qat_parity_point
from _harness import ROOT, Session
from _points import Trainer, digest
from _qat_parity_point import Net, Point, Settings
from _results import Row, Target, count_row
from trimtab.benchmarking import wilson_interval

__all__ = ["rows_of"]


def main() -> int:
    """Trains what is not there yet, and compares; gives the exit code."""
    session = Session(
        "qat_parity",
        "Is the file the model?",
        "On how many test images do the file and the quantize-aware Keras model that it was made of name the "
        "same class, and by how many integers do their scores differ?",
    )
    settings = _qat_parity_point.QUICK if session.quick else _qat_parity_point.FULL
    points = [Point(net) for net in settings.nets]
    with tempfile.TemporaryDirectory() as scratch:
        kept = Path(scratch) if session.quick else ROOT / "runs" / "qat_parity" / digest(settings)
        trainer = Trainer(
            "qat_parity", settings, kept, _qat_parity_point.path_of, lambda point: point.net, workers=1
        )
        found = trainer.finished(points)[0]
    rows = [row for one in found for row in rows_of(settings.nets[one["net"]], one["found"])]
    commits = sorted({f"{point['commit']}"[:12] for point in found})
    session.note(f"The nets were trained at commit {', '.join(commits)}.")
    session.finish(rows, _method(settings), tables=[_table(settings, found)], settings=settings, points=found)
    kept_promises = [row.value >= row.target.limit for row in rows if row.target and row.unit == "%"]
    floats = [row.value <= 0 for row in rows if row.target and row.unit != "%"]
    return 0 if all(kept_promises + floats) else 1


def _method(settings: Settings) -> list[str]:
    """Says how it was measured."""
    images = "all" if settings.images is None else f"{settings.images:,}"
    return [
        f"Each net of `trimtab.zoo` learns {images} training images for {settings.epochs} epochs, and goes "
        f"on with `trimtab.quantize_aware` for {settings.aware} more, once with 8-bit and once with 4-bit "
        "kernels. The aware model, in Keras at inference, and its file, in LiteRT with XNNPACK, then answer "
        "all test images.",
        "Short trainings leave many images near the border of two classes, which makes agreement no easier. "
        "Intervals of shares are 95 % Wilson intervals. A step is one integer of the file's output.",
        "No tensor of a file may be float.",
    ]


def rows_of(net: Net, found: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Makes the rows of one net.

    Args:
        net: the net.
        found: what was found, by the bits of the weights.
    """
    group = f"{net.title}, {net.data}"
    rows = []
    for bits, one in found.items():
        share = wilson_interval(one["same"], one["images"])
        low, high = (None if limit is None else 100 * limit for limit in (share.low, share.high))
        value = 100 * one["same"] / one["images"]
        target = Target(100 * net.least, "at least")
        name = f"same class, {bits}-bit weights"
        note = f"{one['images'] - one['same']} of {one['images']:,} images differ"
        rows.append(Row(name, group, "%", value, low, high, (value,), None, target, note))
        rows += [
            count_row(f"largest difference, {bits}-bit weights", one["largest"], unit="steps", group=group),
            count_row(
                f"float tensors, {bits}-bit weights", one["float_tensors"], group=group, target=Target(0)
            ),
        ]
    return rows


def _table(settings: Settings, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Makes the table of everything."""
    rows = [
        [
            settings.nets[point["net"]].title,
            bits,
            f"{point['parameters']:,}",
            f"{one['bytes']:,}",
            f"{100 * one['model_accuracy']:.2f}",
            f"{100 * one['file_accuracy']:.2f}",
            f"{100 * one['share']:.3f}",
        ]
        for point in found
        for bits, one in point["found"].items()
    ]
    headings = [
        "net", "bits", "parameters", "bytes", "accuracy of the model (%)", "of the file (%)",
        "scores that differ (%)",
    ]  # fmt: skip
    return {"title": "Accuracy, and scores that differ", "headings": headings, "rows": rows}


if __name__ == "__main__":
    sys.exit(main())

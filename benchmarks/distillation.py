"""What a teacher costs a student's training, and what it gives.

    python benchmarks/distillation.py

The cost is timed on random images. For the accuracy models are trained, each of which is kept in
``runs/distillation``, so that a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import _distillation_point
from _distillation_point import TITLES, Point, Settings
from _distillation_sides import TITLES as PAIRS
from _harness import ROOT, Session, interleaved, say
from _points import WORKERS, Trainer, digest
from _results import Row, Target, half_width, measured_row
from _workers import Worker

_LIMIT = Target(1.05, "at most", "ratio")
_ALONE, _MOVED, _KERAS = (
    "student alone, trimtab.train",
    "student alone, augmented, trimtab.train",
    "student alone, plain Keras",
)
_CACHED, _VIEWS = "cached logits, trimtab.distill", "stored views, augmented, trimtab.distill"
# name: side of the worker, its options, what it is compared with.
_SIDES: dict[str, tuple[str, dict[str, Any], str | None]] = {
    _ALONE: ("student", {}, None),
    _CACHED: ("distilled", {"cache": "logits"}, _ALONE),
    "live teacher, trimtab.distill": ("distilled", {"cache": "off"}, _ALONE),
    _MOVED: ("student", {"augmented": True}, None),
    _VIEWS: ("distilled", {"cache": "views", "augmented": True}, _MOVED),
    _KERAS: ("keras_student", {}, None),
    "keras.distillation.Distiller": ("keras_distiller", {}, _KERAS),
}
_TEACHER = "the teacher's pass over the images, once"
# Steps in an epoch; what an epoch costs besides them should weigh no more than in a real training.
_STEPS = {"cnn": 40, "resnet8": 20}


def main() -> None:
    """Times every pair, and trains the students."""
    session = Session(
        "distillation",
        "What a teacher costs, and what it gives",
        "How much longer is an epoch of a student that learns from a teacher than one of the student alone, "
        "and how much more accurate does the student become?",
    )
    rows: list[Row] = []
    with Worker(cores=min(2, os.cpu_count() or 1)) as worker:
        for net in ("cnn",) if session.quick else PAIRS:
            rows += _costs(worker, net, session)
    settings = _distillation_point.QUICK if session.quick else _distillation_point.FULL
    with tempfile.TemporaryDirectory() as scratch:
        kept = Path(scratch) if session.quick else ROOT / "runs" / "distillation"
        seeds = min(session.rounds(full=3, quick=1), 3)
        workers = 1 if session.quick else WORKERS
        found = _students(settings, seeds, kept / digest(settings), workers)
    commits = sorted({f"{point['commit']}"[:12] for point in found})
    minutes = sum(point["seconds"] for point in found) / 60
    session.note(
        f"Teachers and students were trained at commit {', '.join(commits)}, in {minutes:.0f} minutes."
    )
    session.finish(rows, _method(settings), tables=[_table(found)], settings=settings, points=found)


def _method(settings: Settings) -> list[str]:
    """Says how it was measured."""
    images = "all" if settings.images is None else f"{settings.images:,}"
    return [
        "Cost: everything in one process. Epochs alternate between all of them, the order rotates, and each "
        "ratio is the median of ratios taken round by round; the first epoch of each (tracing, and the "
        "teacher's pass for the cache) is not counted. Batches of 128 random images, Adam, T = 4, at most "
        "two cores; an epoch is timed from its first batch to its last, without validation.",
        "The rows of Trimtab are `trimtab.train` and `trimtab.distill` themselves, held between two epochs. "
        "The rows of Keras are given ready float32 batches in order and tf.data without autotune, which is "
        "kind to them; `Distiller` gets `loss=KLDivergence()`, since its default is no distillation loss.",
        f"Accuracy: residual networks of depth 8, width {settings.teacher} (teacher) and {settings.student} "
        f"(student), learn {images} training images of {settings.data} for {settings.epochs} epochs, Adam "
        "at 1e-3 with a cosine to zero. The student learns alone or by `trimtab.distill` with its defaults, "
        "from the same first weights, on the same images in the same order. The validation images choose "
        "the epoch; the test images are read once. The interval is that of the mean difference over the "
        "seeds (Student's t).",
        "The images of CIFAR-10 may be a JPEG copy of the published ones; compare only what stands here.",
    ]


def _costs(worker: Worker, net: str, session: Session) -> list[Row]:
    """Times one pair of student and teacher in every way."""
    batch, steps, scale = (8, 2, 0.25) if session.quick else (128, _STEPS[net], 1.0)
    group = f"Cost of a step: {PAIRS[net]}"
    sides: dict[str, Callable[[], float]] = {}
    for name, (side, options, _) in {**_SIDES, _TEACHER: ("teacher", {}, None)}.items():
        say(f"{group}: building {name}")
        spec = {"batch": batch, "steps": steps, "scale": scale, "augmented": False, **options}
        worker.build(f"{net}/{name}", side, net, **spec)
        sides[name] = worker.side(f"{net}/{name}", steps)
    samples = interleaved(sides, session.rounds(full=12), label=group)
    per_step = {name: [1000 * seconds / steps for seconds in taken] for name, taken in samples.items()}
    rows = [
        measured_row(
            name,
            per_step[name],
            "ms/step",
            group=group,
            versus=None if other is None else (other, per_step[other]),
            target=_LIMIT if name in (_CACHED, _VIEWS) else None,
        )
        for name, (_, _, other) in _SIDES.items()
    ]
    return [*rows, measured_row(_TEACHER, samples[_TEACHER], "s", group=group)]


def _students(settings: Settings, seeds: int, folder: Path, workers: int) -> list[dict[str, Any]]:
    """Trains teachers and students that are not there yet; gives all of them."""
    teachers = [Point(seed, "teacher") for seed in range(seeds)]
    students = [Point(seed, role) for seed in range(seeds) for role in ("alone", "taught")]
    trainer = Trainer(
        "distillation",
        settings,
        folder,
        _distillation_point.path_of,
        lambda point: f"seed {point.seed}, {TITLES[point.role]}",
        workers,
    )
    return [point for stage in trainer.finished(teachers, students) for point in stage]


def _table(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Makes the table of accuracies."""
    taken = {
        role: sorted((one for one in found if one["role"] == role), key=lambda one: int(one["seed"]))
        for role in TITLES
    }
    percent = {role: [100 * float(one["accuracy"]) for one in points] for role, points in taken.items()}
    gains = np.subtract(percent["taught"], percent["alone"])
    half = half_width(gains)
    limits = "" if half is None else f" [{gains.mean() - half:+.2f}, {gains.mean() + half:+.2f}]"
    rows = [
        [
            TITLES[role],
            f"{taken[role][0]['parameters']:,}",
            f"{np.mean(values):.2f}",
            ", ".join(f"{value:.2f}" for value in values),
            f"{gains.mean():+.2f}{limits}" if role == "taught" else "",
        ]
        for role, values in percent.items()
    ]
    headings = [
        "what", "parameters", "mean test accuracy (%)", "of each seed", "points gained [95 % interval]"
    ]  # fmt: skip
    return {"title": "What the student gains", "headings": headings, "rows": rows}


if __name__ == "__main__":
    main()

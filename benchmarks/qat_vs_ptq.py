"""What training with integers in mind is worth, beside no training, more float training, and TFMOT's.

    python benchmarks/qat_vs_ptq.py
    python benchmarks/qat_vs_ptq.py --part accuracy
    python benchmarks/qat_vs_ptq.py --part steps

Each finished training is kept in ``runs/qat_vs_ptq``, so that a run that was killed goes on where it stopped.
One part alone takes the other from the page that is there.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import _qat_plan
import _qat_results
from _environments import peer_python
from _harness import RESULTS, ROOT, Session, commit, interleaved, say
from _nets import NETS
from _points import WORKERS, Trainer, digest
from _qat_plan import Point, Settings
from _results import Row, Target, measured_row
from _workers import Worker
from trimtab._records import to_plain

__all__ = ["chosen"]

_ACCURACY, _STEPS = "accuracy", "steps"
_SEEDS = 3
_TRAININGS = ("control", "aware8", "aware4", "tfmot")
# Steps in an epoch; what an epoch costs besides them should weigh no more than in a real training.
_TIMED = {"cnn_bn": 40, "ds_cnn": 20, "resnet8": 20}
_PLAIN = "trimtab.train, float"
_AWARE, _FOUR = "quantize_aware, 8 bits, folded", "quantize_aware, 4 bits, folded"
_LIVE = "quantize_aware, 8 bits, not folded yet"
_TF_KERAS, _TFMOT = "tf_keras, float", "TFMOT, 8 bits"
_LIMIT = Target(1.0, "at most", "ratio")


def main() -> None:
    """Measures what is asked for, and takes the rest from the page."""
    session = Session(
        "qat_vs_ptq",
        "Training with integers in mind",
        "How accurate is an int8 or int4 file after quantization-aware training, beside the same model "
        "without it, with as many float epochs more, and beside TFMOT's; and what does a step cost?",
        more=_more,
    )
    peer = peer_python(session, "tf-keras")
    measured: dict[str, Callable[[Session, Path | None], dict[str, Any]]] = {
        _ACCURACY: _accuracy,
        _STEPS: _steps,
    }
    parts = _previous(session)
    for name, measure in measured.items():
        if session.options.part in (None, name):
            parts[name] = to_plain({**measure(session, peer), **commit(), "peers": session.peers})
    taken = [parts[name] for name in measured if name in parts]
    for part in taken:
        session.peers.update(part["peers"])
    if len({part["commit"] for part in taken}) > 1:
        session.note("The two parts were measured at " + " and ".join(p["commit"][:12] for p in taken) + ".")
    session.finish(
        [row for part in taken for row in part["rows"]],
        [sentence for part in taken for sentence in part["method"]],
        middle="mean (of times: median)",
        tables=[table for part in taken for table in part.get("tables", [])],
        parts=parts,
    )


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--part", choices=(_ACCURACY, _STEPS), help="measure this alone; the rest stays as the page has it"
    )


def _previous(session: Session) -> dict[str, Any]:
    """Returns the parts of the page that is there, of which one is to be measured anew."""
    page = (session.options.out or RESULTS) / f"{session.name}.json"
    if session.options.part is None or not page.is_file():
        return {}
    parts: dict[str, Any] = json.loads(page.read_text("utf-8")).get("parts", {})
    return parts


def _accuracy(session: Session, peer: Path | None) -> dict[str, Any]:
    """Trains what is not there yet, and compares the files."""
    settings = _qat_plan.QUICK if session.quick else _qat_plan.FULL
    seeds = session.rounds(full=_SEEDS, quick=1)
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = (scratch if session.quick else ROOT / "runs" / "qat_vs_ptq") / digest(settings)
        workers = 1 if session.quick else WORKERS
        found, rates = _trained(settings, seeds, folder, peer, workers)
        points = [Point(**{f.name: one[f.name] for f in dataclasses.fields(Point)}) for one in found]
        wanted = [p for p in points if p.role == "float" or rates[_first(p)] == p.rate]
        correct = _qat_results.judged(wanted, settings, folder)
    notes = _qat_results.told(correct, settings)
    minutes = sum(one["seconds"] for one in found) / 60
    notes.append(f"All {len(found)} trainings, with their files, took {minutes:.0f} minutes of one core.")
    for sentence in notes:
        say(sentence)
    if peer is not None:
        with Worker(peer) as worker:
            session.peers["tf-keras"] = worker.versions()
    return {
        "rows": _qat_results.accuracy_rows(correct, settings),
        "tables": [_qat_results.seed_table(found, rates)],
        "method": [*_method(settings, seeds), *notes],
        "settings": settings,
        "points": found,
    }


def _first(point: Point) -> Point:
    """Returns what chooses the rate of a training: the same of the first seed."""
    return dataclasses.replace(point, seed=0, rate=0.0)


def _trained(
    settings: Settings, seeds: int, folder: Path, peer: Path | None, workers: int
) -> tuple[list[dict[str, Any]], dict[Point, float]]:
    """Trains every point; gives them, and the rate that was chosen for each training."""
    ours = Trainer("qat", settings, folder, _qat_plan.path_of, _told, workers)
    theirs = dataclasses.replace(ours, kind="qat_tfmot", python=peer)

    def finished(points: Sequence[Point]) -> list[dict[str, Any]]:
        found = ours.finished([one for one in points if one.role != "tfmot"])[0]
        return [*found, *theirs.finished([one for one in points if one.role == "tfmot"])[0]]

    starts = [
        Point(net, data, seed, "float")
        for seed in range(seeds)
        for net in settings.nets
        for data in settings.data
    ]
    begun = finished(starts)
    kinds = [
        dataclasses.replace(start, role=role)
        for start in starts
        if start.seed == 0
        for role in (_TRAININGS if peer is not None else _TRAININGS[:-1])
    ]
    tried = finished([dataclasses.replace(kind, rate=rate) for kind in kinds for rate in settings.rates])
    rates = {kind: chosen(kind, tried) for kind in kinds}
    rest = [
        dataclasses.replace(kind, seed=seed, rate=rate)
        for seed in range(1, seeds)
        for kind, rate in rates.items()
    ]
    return [*begun, *tried, *finished(rest)], rates


def chosen(kind: Point, tried: Sequence[Mapping[str, Any]]) -> float:
    """Returns the rate with which a training validates best; between equals the smaller.

    Args:
        kind: the training, of the first seed.
        tried: finished points.
    """
    same = [
        one
        for one in tried
        if (one["net"], one["data"], one["seed"], one["role"]) == (kind.net, kind.data, kind.seed, kind.role)
    ]
    return float(max(same, key=lambda one: (one["validation"], -one["rate"]))["rate"])


def _told(point: Point) -> str:
    rate = f" at {point.rate:g}" if point.rate else ""
    return f"{point.net}, {point.data}, seed {point.seed}, {point.role}{rate}"


def _method(settings: Settings, seeds: int) -> list[str]:
    """Says how the accuracies came about."""
    images = "all" if settings.images is None else f"{settings.images:,}"
    rates = " and ".join(f"{rate:g}" for rate in settings.rates)
    return [
        f"Accuracy: each net learns {images} training images for {settings.epochs} epochs (Adam at "
        f"{settings.rate:g}, cosine to zero, no augmentation). Everything else goes on from there for "
        f"{settings.more} epochs, on the same images in the same order: float as before, "
        "`trimtab.quantize_aware` with its defaults, TFMOT's `quantize_model` on the same net and weights in "
        f"tf_keras. {seeds} seeds, each with its own images, first weights and order.",
        f"Of the rates {rates} each training has the one that validates better with the first seed. The "
        "validation images choose the epoch too. The test images choose nothing.",
        "What is judged is the file, in LiteRT, on all test images. Values are means over the seeds, and "
        "differences are taken seed by seed; intervals are 95 % intervals of the mean (Student's t), wide "
        "for so few seeds. The interval over all nets takes each difference of each seed for one sample.",
        "Without training means `trimtab.export` of the float model, with 200 calibration images, which "
        "corrects the biases of an int4 file where that helps; not corrected: `correct_bias=False`.",
        "The images of CIFAR-10 may be a JPEG copy of the published ones; compare only what stands here.",
    ]


def _steps(session: Session, peer: Path | None) -> dict[str, Any]:
    """Times steps on random images, all sides in turns."""
    batch, scale = (8, 0.25) if session.quick else (128, 1.0)
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(Worker())
        theirs = stack.enter_context(Worker(peer)) if peer is not None else None
        if theirs is not None:
            session.peers["tf-keras"] = theirs.versions()
        for net in ("cnn_bn",) if session.quick else _TIMED:
            steps = 2 if session.quick else _TIMED[net]
            group = f"Cost of a step: {NETS[net][0]}"
            held = {
                _PLAIN: (ours, "trimtab", {}),
                _AWARE: (ours, "aware", {"bits": 8, "live": False}),
                _FOUR: (ours, "aware", {"bits": 4, "live": False}),
                _LIVE: (ours, "aware", {"bits": 8, "live": True}),
                _TF_KERAS: (theirs, "tf_keras", {}),
                _TFMOT: (theirs, "tfmot_aware", {}),
            }
            sides: dict[str, Callable[[], float]] = {}
            for name, (worker, side, more) in held.items():
                if worker is not None:
                    say(f"{group}: building {name}")
                    worker.build(name, side, net, batch=batch, scale=scale, steps=steps, **more)
                    sides[name] = worker.side(name, steps)
            samples = interleaved(sides, session.rounds(full=12), label=group)
            rows += _timed_rows(group, {n: [1000 * s / steps for s in t] for n, t in samples.items()})
    return {"rows": rows, "method": _STEPS_METHOD}


_STEPS_METHOD = (
    "Cost of a step: one process holds Trimtab's sides, `trimtab.train` (whose batch normalisation goes "
    "through TensorFlow's fused kernel) and `trimtab.quantize_aware` (in the first part of a training, in "
    "which batch normalisation sees each batch, and in the last, in which it is folded), held between two "
    "epochs; "
    "another holds tf_keras and TFMOT on the same net, on batches made ready before. Only one works at a "
    "time, on one core; epochs alternate, the order rotates, each ratio is the median of ratios taken round "
    "by round. Batches of 128 random images, Adam.",
)


def _timed_rows(group: str, per_step: Mapping[str, Sequence[float]]) -> list[Row]:
    """Makes the rows of one net: each training beside the float training of its own library."""
    versus = {_AWARE: _PLAIN, _FOUR: _PLAIN, _LIVE: _PLAIN, _TFMOT: _TF_KERAS}
    rows = []
    for name, taken in per_step.items():
        other = versus.get(name)
        rows.append(
            measured_row(
                name,
                taken,
                "ms/step",
                group=group,
                versus=None if other is None else (other, per_step[other]),
                target=_LIMIT if name in (_AWARE, _FOUR) else None,
            )
        )
    return rows


if __name__ == "__main__":
    main()

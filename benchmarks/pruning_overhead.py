"""What pruning adds to a training step, beside what TFMOT adds to a step of tf_keras.

Plain training and pruned training run in one process, and both processes take turns. Choosing masks is
timed by itself too, for 25 million weights.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from _environments import peer_python
from _harness import Session, interleaved, say
from _nets import NETS
from _results import Row, Target, measured_row
from _workers import Worker

_LIMIT = Target(1.03, "at most", "ratio")
_AHEAD = Target(1.0)
_UPDATE = Target(0.4)
_TITLES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}


@dataclass(frozen=True)
class _Plan:
    """What is measured of one net on one backend.

    Args:
        net: a key of `NETS`.
        batch: images in a step.
        frequencies: steps between two updates of the masks; a sample holds whole periods of each.
        steps: in a block; `blocks` of them, interleaved, make a sample.
    """

    net: str
    batch: int
    frequencies: tuple[int, ...]
    steps: int
    blocks: int
    rounds: int


def main() -> None:
    """Measures every backend that is installed, and the peer."""
    session = Session(
        "pruning_overhead",
        "What pruning adds to a training step",
        "How long is a training step under Trimtab's PruningOptimizer, against the same step of plain Keras, "
        "and how long does it take to choose masks?",
        more=_more,
    )
    backends = session.options.backends.split(",")
    rows: list[Row] = []
    for backend in backends:
        if importlib.util.find_spec(backend) is None:
            session.note(f"Without the backend {backend}: it is not installed.")
            continue
        peer = peer_python(session, "tf-keras") if backend == "tensorflow" else None
        rows += _measure(session, backend, peer)
    session.finish(rows, _METHOD)


_METHOD = (
    "One process holds plain Keras and Trimtab, another plain tf_keras and TFMOT; only one works at a time. "
    "Blocks of steps alternate between all of them, the order rotates, and each ratio is the median of "
    "ratios taken round by round.",
    "A round holds whole periods of the updates of the masks: 100 steps on TensorFlow, 20 on JAX and torch.",
    "Constant sparsity 0.8 on every kernel, Adam, random images; the first call of each (tracing, first "
    "masks) is not counted. A step is timed inside `fit`, TFMOT's callback included.",
    "The small CNN trains with batches of 128 images, ResNet-8 of 32 and MobileNetV2 of 16, which makes the "
    "share of the masks larger; at most two cores. Trimtab prunes MobileNetV2's depthwise kernels too, which "
    "TFMOT leaves alone.",
    "\"Trimtab's ratio over TFMOT's\" is taken round by round as well: (Trimtab / plain Keras) / (TFMOT / "
    "plain tf_keras).",
    "Choosing masks: of random float32 weights at sparsity 0.8, in one compiled function (torch runs as it "
    "does in training, uncompiled); the first call is not counted. N:M and blocks leave out ResNet-50's "
    "first kernel, which has three inputs.",
)


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backends",
        default="tensorflow,jax,torch",
        help="Keras backends, with commas; those not installed are left out",
    )


def _plans(session: Session, backend: str) -> list[_Plan]:
    """Lists what is measured: less on backends that CPUs are slow with."""
    if session.quick:
        rounds = session.rounds(full=2)
        nets = ("cnn", "resnet8", "mobilenet_v2") if backend == "tensorflow" else ("cnn",)
        return [_Plan(net, 8, (4,), 2, 2, rounds) for net in nets]
    if backend == "tensorflow":
        return [
            _Plan("cnn", 128, (100, 10), 20, 5, session.rounds(full=10)),
            _Plan("resnet8", 32, (100, 10), 20, 5, session.rounds(full=6)),
            _Plan("mobilenet_v2", 16, (100, 10), 20, 5, session.rounds(full=6)),
        ]
    return [_Plan("cnn", 128, (10,), 10, 2, session.rounds(full=6))]


def _measure(session: Session, backend: str, peer: Path | None) -> list[Row]:
    """Measures every net on one backend."""
    cores = min(2, os.cpu_count() or 1)
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(cores=cores, backend=backend))]
        if peer is not None:
            workers.append(stack.enter_context(Worker(peer, cores=cores)))
            session.peers["tf-keras"] = workers[1].versions()
        elif backend != "tensorflow":
            session.peers[f"Keras on {_TITLES.get(backend, backend)}"] = workers[0].versions()
        for plan in _plans(session, backend):
            rows += _measure_net(workers, plan, backend, 0.25 if session.quick else 1.0)
        rows += _measure_masks(workers, session, backend)
    return rows


def _measure_net(workers: Sequence[Worker], plan: _Plan, backend: str, scale: float) -> list[Row]:
    """Measures one net: plain and pruned, ours and the peer's."""
    group = f"{NETS[plan.net][0]}, {_TITLES.get(backend, backend)}, batch {plan.batch}"
    sides: dict[str, Callable[[], float]] = {}
    plain_of: dict[str, str | None] = {}
    for worker, plain, plain_side, pruned, pruned_side in zip(
        workers, ("plain Keras", "plain tf_keras"), ("keras", "tf_keras"), ("Trimtab", "TFMOT"),
        ("pruning", "tfmot"), strict=False,
    ):  # fmt: skip
        say(f"{group}: building {plain} and {pruned}")
        made = {plain: (plain_side, 0)}
        made |= {f"{pruned}, update every {steps} steps": (pruned_side, steps) for steps in plan.frequencies}
        for title, (side, frequency) in made.items():
            name = f"{plan.net}/{title}"
            worker.build(name, side, plan.net, batch=plan.batch, scale=scale, frequency=frequency)
            sides[title] = worker.side(name, plan.steps)
            plain_of[title] = None if title == plain else plain
    samples = interleaved(sides, plan.rounds, blocks=plan.blocks, label=group)
    total = plan.steps * plan.blocks
    per_step = {title: [1000 * seconds / total for seconds in taken] for title, taken in samples.items()}
    rows = [_row(title, per_step, plain_of[title], group) for title in per_step]
    if len(workers) > 1:
        rows += [_ahead(per_step, frequency, group) for frequency in plan.frequencies]
    return rows


def _row(title: str, per_step: dict[str, list[float]], plain: str | None, group: str) -> Row:
    """Makes a row, compared with plain training in the same process."""
    return measured_row(
        title,
        per_step[title],
        "ms/step",
        group=group,
        versus=None if plain is None else (plain, per_step[plain]),
        target=_LIMIT if title.startswith("Trimtab") else None,
    )


def _ahead(per_step: Mapping[str, Sequence[float]], frequency: int, group: str) -> Row:
    """Makes a row of what pruning costs here over what it costs there, taken round by round."""
    every = f"update every {frequency} steps"
    rounds = zip(
        per_step[f"Trimtab, {every}"], per_step["plain Keras"],
        per_step[f"TFMOT, {every}"], per_step["plain tf_keras"], strict=True,
    )  # fmt: skip
    samples = [(ours / plain) / (theirs / their_plain) for ours, plain, theirs, their_plain in rounds]
    return measured_row(f"Trimtab's ratio over TFMOT's, {every}", samples, "x", group=group, target=_AHEAD)


def _measure_masks(workers: Sequence[Worker], session: Session, backend: str) -> list[Row]:
    """Measures how long it takes to choose masks, and nothing else."""
    scale, rows = 0.1 if session.quick else 1.0, []
    for layout, title in (("one", "in one tensor"), ("resnet50", "in ResNet-50's kernels")):
        group = f"Choosing masks of 25 million weights {title}, {_TITLES.get(backend, backend)}"
        criteria = [("unstructured", "layer")]
        if layout == "resnet50":
            criteria += [("unstructured", "global"), ("4x1", "layer"), ("2:4", "layer")]
        sides = {}
        for granularity, ranking in criteria:
            name = f"Trimtab, {granularity}, {'all together' if ranking == 'global' else 'each layer'}"
            say(f"{group}: building {name}")
            workers[0].build(
                f"{layout}/{name}", "masks", layout, granularity=granularity, ranking=ranking, scale=scale
            )
            sides[name] = workers[0].side(f"{layout}/{name}", 1)
        if len(workers) > 1:
            workers[1].build(f"{layout}/TFMOT", "tfmot_masks", layout, scale=scale)
            sides["TFMOT, unstructured, each layer"] = workers[1].side(f"{layout}/TFMOT", 1)
        samples = interleaved(sides, session.rounds(full=7), label=group)
        for name, taken in samples.items():
            target = _UPDATE if name.startswith("Trimtab, unstructured") else None
            rows.append(measured_row(name, taken, "s", group=group, target=target))
    return rows


if __name__ == "__main__":
    main()

"""How fast `trimtab.train` trains on a CPU, beside plain Keras 3 and tf_keras."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from _environments import peer_python
from _harness import Session, interleaved, say
from _nets import NETS
from _results import Row, Target, measured_row
from _workers import Worker

_LIMIT = Target(1.0, "at least", "ratio")
# Steps in a block. An epoch of Trimtab is one block, and what an epoch costs besides its steps should weigh
# no more than in a real training, whose epochs are longer still.
_STEPS = {"cnn": 40, "cnn_bn": 40, "resnet8": 20}
_QUICK_NETS = {1: ("cnn_bn", "resnet8"), 2: ("cnn",)}  # by cores
_TRIMTAB, _KERAS, _TF_KERAS = "trimtab.train", "plain Keras 3", "tf_keras"


def main() -> None:
    """Measures every net on one core and on two."""
    session = Session(
        "training_speed",
        "How fast training is on a CPU",
        "How many images a second does trimtab.train learn from, against plain Keras 3 and tf_keras?",
    )
    peer = peer_python(session, "tf-keras")
    rows: list[Row] = []
    for cores in range(1, min(2, os.cpu_count() or 1) + 1):
        rows += _measure(session, cores, peer)
    session.finish(rows, _METHOD)


_METHOD = (
    "One process holds Keras 3 and Trimtab, another tf_keras; only one works at a time. Blocks of steps "
    "alternate between all of them, the order rotates, and each ratio is the median of ratios taken round "
    "by round.",
    "The row of Trimtab is `trimtab.train` itself, held between two epochs: with its bookkeeping, and with "
    "its batches shuffled and scaled from 8-bit pixels. The others are given ready float32 batches in order, "
    "and tf.data without autotune, which is kind to them.",
    "Batches of 128 random images, Adam. The first call (tracing) is not counted; a step is timed inside "
    "`fit`, from the first batch to the last.",
)


def _measure(session: Session, cores: int, peer: Path | None) -> list[Row]:
    """Measures every net on so many cores."""
    batch, scale = (8, 0.25) if session.quick else (128, 1.0)
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(Worker(cores=cores))
        held = [(ours, _KERAS, "keras"), (ours, _TRIMTAB, "trimtab")]
        if peer is not None:
            theirs = stack.enter_context(Worker(peer, cores=cores))
            session.peers["tf-keras"] = theirs.versions()
            held.append((theirs, _TF_KERAS, "tf_keras"))
        for net in _QUICK_NETS[cores] if session.quick else _STEPS:
            title = NETS[net][0]
            steps = 4 if session.quick else _STEPS[net]
            group = f"{title}, {cores} core{'s' if cores > 1 else ''}"
            say(f"{group}: building")
            sides: dict[str, Callable[[], float]] = {}
            for worker, name, side in held:
                worker.build(f"{net}/{name}", side, net, batch=batch, scale=scale, steps=steps)
                sides[name] = worker.side(f"{net}/{name}", steps)
            samples = interleaved(sides, session.rounds(full=8), label=group)
            rates = {name: [batch * steps / seconds for seconds in taken] for name, taken in samples.items()}
            rows += [_row(name, taken, rates, group) for name, taken in rates.items()]
    return rows


def _row(name: str, taken: Sequence[float], rates: dict[str, list[float]], group: str) -> Row:
    """Makes a row, compared with tf_keras if that is here, else with plain Keras."""
    other = _TF_KERAS if _TF_KERAS in rates else _KERAS
    return measured_row(
        name,
        taken,
        "images/s",
        group=group,
        versus=None if name == other else (other, rates[other]),
        target=_LIMIT if name == _TRIMTAB else None,
    )


if __name__ == "__main__":
    main()

"""Whether Trimtab prunes as TFMOT does: the same masks, the same schedules, the same weights after training.

TFMOT runs in an environment of its own, on the same tensors, the same batches and the same weights to
begin with. The exit code is 1 where a mask or a schedule differs, or where a pruned training differs more
than plain training in the two generations of Keras does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import _nets
import _parity
from _environments import peer_python
from _harness import Session, say
from _results import Row, Target, count_row

__all__ = ["compare"]

Cases = dict[str, list[dict[str, Any]]]
Found = Mapping[str, np.ndarray]

_PROGRAM = Path(__file__).with_name("_parity_side.py")
_TITLES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}
_BESSEL = 1 / (_parity.BATCH * 8 * 8 - 1)
"""What moving statistics may differ by, beside their size.

tf_keras keeps the fused kernel's variance, which is n / (n - 1) times that of the batch, and Keras 3 does
not; the smallest n here is that of ResNet-8's last maps, 8 by 8.
"""

_LAST_BIT = 2.0**-23
"""What float32 shares of zeros may differ by where powers are computed by other code: two last bits."""


def main() -> int:
    """Runs both sides and compares them; gives the exit code."""
    session = Session(
        "tfmot_parity",
        "Trimtab beside TFMOT: masks, schedules, trained weights",
        "Does Trimtab choose the same masks as TFMOT, follow the same schedules, and end a pruned training "
        "with the same weights?",
        more=_more,
    )
    cases: Cases = {
        "masks": _parity.mask_cases(session.quick),
        "schedules": _parity.schedule_cases(session.quick),
        "trainings": _parity.training_cases(session.quick),
    }
    peer = peer_python(session, "tf-keras")
    other = "TFMOT" if peer is not None else "Trimtab, a second time"
    if peer is None:
        session.note("What follows compares Trimtab with itself, to try the mechanics: no result.")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _prepare(folder, cases)
        ours = _run(folder, "trimtab", "tensorflow", Path(sys.executable))
        theirs = _run(folder, "tfmot" if peer else "trimtab", "peer", peer or Path(sys.executable))
        session.peers["tf-keras" if peer else "itself"] = _versions(folder, "peer")
        rows += compare(cases, ours, theirs, other)
        session.note(_half(ours["half"], theirs["half"], other))
        # Trainings differ from backend to backend by themselves, masks and schedules must not.
        (folder / "cases.json").write_text(json.dumps({**cases, "trainings": []}), "utf-8")
        for backend in session.options.backends.split(","):
            if backend != "tensorflow":
                found = _run(folder, "trimtab", backend, Path(sys.executable))
                rows += compare({**cases, "trainings": []}, found, theirs, other, _TITLES[backend])
                session.peers[f"Keras on {_TITLES[backend]}"] = _versions(folder, backend)
    session.finish(rows, _METHOD, cases=cases)
    return 1 if any(row.target is not None and row.value > row.target.limit for row in rows) else 0


_METHOD = (
    "Masks: chosen in a compiled function (torch: as in training, uncompiled) from random tensors, most of "
    "them full of ties, in float16, float32 and, but on JAX, float64 for single weights "
    'and float32 for blocks (on shapes that they divide) and N:M. TFMOT\'s "m zeros of n" is `NM(n - m, n)`.',
    "Schedules: asked step by step, 200 steps each, inside a compiled function: whether the step has an "
    "update, and the float32 sparsity. On TensorFlow it must be the same bit for bit; JAX and torch compute "
    "powers with code of their own, and may differ in the last bit. Where the end is no whole number of "
    "periods after the beginning, TFMOT misses the final sparsity and Trimtab does not; such schedules are "
    "left out.",
    "Weights: `prune_low_magnitude` and `UpdatePruningStep` on tf_keras against PruningOptimizer on Keras 3, "
    "by `fit` on the same batches of 32 digits in the same order, 100 steps in 4 epochs, one thread. "
    "None has an update at the first step of an epoch, where TFMOT's callback has just masked the weights so "
    "that no pruned weight can come back, or at the step after the last, where Trimtab's would act at once. "
    "TFMOT makes N:M masks at step 1 only, so Trimtab has a one-shot schedule there.",
    "Nets with batch normalisation train through TensorFlow's fused kernel on both sides, as in tf_keras and "
    "in `trimtab.train`. Their moving variances differ even in plain training: tf_keras keeps the kernel's "
    "n / (n - 1) times that of the batch, Keras 3 does not. The control of each training is plain training "
    "on both sides.",
    "A training may differ from its counterpart by no more than its control does; moving statistics by no "
    f"more than {_BESSEL:.1g} of their size, where that is more.",
)


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backends",
        default="tensorflow,jax,torch",
        help="Keras backends whose masks and schedules are compared, with commas; TensorFlow always is",
    )


def _prepare(folder: Path, cases: Cases) -> None:
    """Writes what both sides read: the cases, and real digits in the size of each net."""
    from trimtab.data import load_data

    (folder / "cases.json").write_text(json.dumps(cases), "utf-8")
    for net in {case["net"] for case in cases["trainings"]}:
        height, width, channels = _nets.NETS[net][1]
        data = load_data("digits", size=(height, width), channels=channels)
        np.savez(folder / f"images-{net}.npz", pixels=data.train.inputs(), labels=data.train.labels)


def _run(folder: Path, side: str, name: str, python: Path) -> Found:
    """Runs one side in a process of its own; gives what it found."""
    say(f"{side} on {name}")
    backend = name if name in _TITLES else "tensorflow"
    environment = {
        **os.environ, "KERAS_BACKEND": backend, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3",
    }  # fmt: skip
    command = [str(python), str(_PROGRAM), side, str(folder), name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = " | ".join(done.stderr.strip().splitlines()[-5:])
        raise SystemExit(f"The side {side} on {name} failed: {last}")
    with np.load(folder / f"{name}.npz") as found:
        return {key: found[key] for key in found.files}


def _versions(folder: Path, name: str) -> dict[str, str]:
    versions: dict[str, str] = json.loads((folder / f"{name}.json").read_text("utf-8"))
    return versions


def compare(cases: Cases, ours: Found, theirs: Found, other: str, backend: str = "TensorFlow") -> list[Row]:
    """Counts what differs between two sides.

    Args:
        cases: what both were asked.
        ours: what Trimtab's side found.
        theirs: what the other side found.
        other: what the other side is called.
        backend: that Trimtab ran on.
    """
    beside = f"Trimtab on {backend} beside {other}"
    return [
        _masks(cases["masks"], ours, theirs, f"Masks and schedules, {beside}"),
        *_schedules(
            cases["schedules"],
            ours,
            theirs,
            f"Masks and schedules, {beside}",
            exact=backend == "TensorFlow",
        ),
        *_trainings(cases["trainings"], ours, theirs, f"Weights after training, {beside}"),
    ]


def _half(ours: np.ndarray, theirs: np.ndarray, other: str) -> str:
    """Says what each side does where exactly half a weight more or less would stay."""
    return (
        f"At step {_parity.HALF['step']} of a schedule of {_parity.HALF['end']} steps to 80 %, exactly 139.5 "
        f"of 576 weights would stay. {other} keeps {theirs[0]} where it is run eagerly and {theirs[1]} in a "
        f"compiled step, Trimtab {ours[0]} and {ours[1]}. The trainings here keep away from such steps."
    )


def _masks(cases: Sequence[Mapping[str, Any]], ours: Found, theirs: Found, group: str) -> Row:
    """Counts the masks that differ, and says of which kind they are."""
    differ: dict[str, list[int]] = {}
    for index, case in enumerate(cases):
        if f"mask/{index}" not in ours:
            continue
        if ours[f"digest/{index}"] != theirs[f"digest/{index}"]:
            raise SystemExit(f"The two sides made different tensors of the case {case}.")
        same = np.array_equal(ours[f"mask/{index}"], theirs[f"mask/{index}"])
        differ.setdefault(case["group"], []).append(int(not same))
        if not same:
            say(f"{group}: another mask for {case}")
    total, count = sum(map(sum, differ.values())), sum(map(len, differ.values()))
    kinds = "; ".join(f"{kind}: {sum(found)} of {len(found):,}" for kind, found in differ.items())
    return count_row(f"masks that differ, of {count:,}", total, group=group, target=Target(0), note=kinds)


def _schedules(
    cases: Sequence[Mapping[str, Any]], ours: Found, theirs: Found, group: str, exact: bool
) -> list[Row]:
    """Counts the steps at which only one side has an update, and says how far the sparsities are apart."""
    places = range(len(cases))
    steps = sum(case["steps"] for case in cases)
    differ = sum(int(np.sum(ours[f"due/{at}"] != theirs[f"due/{at}"])) for at in places)
    apart = max(float(np.max(np.abs(ours[f"sparsity/{at}"] - theirs[f"sparsity/{at}"]))) for at in places)
    limit = Target(0 if exact else _LAST_BIT)
    return [
        count_row(
            f"steps of {len(cases)} schedules with an update on one side only, of {steps:,}",
            differ,
            group=group,
            target=Target(0),
        ),
        count_row("largest difference between their sparsities", apart, group=group, target=limit),
    ]


def _trainings(cases: Sequence[Mapping[str, Any]], ours: Found, theirs: Found, group: str) -> list[Row]:
    """Says how far the weights of each training are apart, beside its control, and counts those too far."""
    rows: list[Row] = []
    controls: dict[tuple[str, str], tuple[float, float]] = {}
    beyond, pruned = 0, 0
    for index, case in enumerate(cases):
        key = (case["net"], case["optimizer"])
        trained, _ = _distance(index, "trained", ours, theirs)
        moving, relative = _distance(index, "moving", ours, theirs)
        if case["pruning"] is None:
            controls[key] = (trained, relative)
        else:
            pruned += 1
            apart = trained > controls[key][0] or relative > max(controls[key][1], _BESSEL)
            beyond += int(apart)
            if apart:
                say(f"{group}: further apart than without pruning: {case}")
        note = f"moving statistics differ by {moving:.2g}, {relative:.2g} of their size" if moving else ""
        rows.append(count_row(_name(case), trained, group=group, unit=_same(trained), note=note))
    if pruned:
        name = f"trainings further apart than without pruning, of {pruned}"
        rows.insert(0, count_row(name, beyond, group=group, target=Target(0)))
    return rows


def _distance(index: int, kind: str, ours: Found, theirs: Found) -> tuple[float, float]:
    """Returns the largest difference between the weights of two trainings, and that beside their size."""
    keys = [key for key in ours if key.startswith(f"{kind}/{index}/")]
    if keys != [key for key in theirs if key.startswith(f"{kind}/{index}/")]:
        raise SystemExit(f"The two sides have other weights in training {index}.")
    absolute = [float(np.max(np.abs(ours[key] - theirs[key]), initial=0.0)) for key in keys]
    sizes = [float(np.max(np.abs(theirs[key]), initial=0.0)) for key in keys]
    relative = [gap / size for gap, size in zip(absolute, sizes, strict=True) if gap]
    return max(absolute, default=0.0), max(relative, default=0.0)


def _same(distance: float) -> str:
    return "(bit for bit the same)" if distance == 0 else "at most apart"


def _name(case: Mapping[str, Any]) -> str:
    """Names a training."""
    net = _nets.NETS[case["net"]][0].split(",")[0]
    pruning = case["pruning"]
    if pruning is None:
        return f"{net}, {case['optimizer']}: control, not pruned"
    schedule = pruning["schedule"]
    kinds = {
        "polynomial": "{initial:.0%} to {final:.0%} from step {begin} to {end}, every {frequency}",
        "constant": "{sparsity:.0%} from step {begin}, every {frequency}",
        "once": "",
    }
    what = kinds[schedule["kind"]].format(**schedule)
    if pruning.get("block"):
        what += f", {pruning['pooling']} of {pruning['block'][0]}x{pruning['block'][1]} blocks"
    if pruning.get("zeros"):
        what += f"{pruning['zeros'][0]} zeros of {pruning['zeros'][1]}, at step 1"
    return f"{net}, {case['optimizer']}: {what}"


if __name__ == "__main__":
    sys.exit(main())

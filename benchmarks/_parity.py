"""What the comparison with TFMOT compares, as plain data that two environments can read.

Tensors to mask, schedules to ask, trainings to repeat. Each side makes the tensors itself from the case,
with NumPy's generator, and sends their digest back.
"""

from __future__ import annotations

import itertools
import zlib
from typing import Any

import numpy as np

__all__ = ["BATCH", "HALF", "digest", "mask_cases", "schedule_cases", "training_cases", "values"]

BATCH = 32

Case = dict[str, Any]

HALF: Case = {
    "shape": [3, 3, 8, 8], "dtype": "float32", "values": "normal", "seed": 0, "step": 50,
    "kind": "polynomial", "initial": 0.0, "final": 0.8, "begin": 0, "end": 80, "power": 3, "frequency": 10,
}  # fmt: skip
"""A step at which exactly half a weight more or less would stay (139.5 of 576).

TFMOT contradicts itself there: in a compiled step TensorFlow merges the sum that gives the sparsity with the
"1 - sparsity" that follows, which rounds the other way. Trainings here keep away from such steps.
"""

_VALUES = ("normal", "grid", "signs", "half zeros", "equal")
_SPARSITIES = (0.0, 0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.995)
_SHAPES = ((1,), (7,), (5, 3), (64, 32), (3, 3, 1, 8), (3, 3, 16, 24), (3, 1, 1, 7), (784, 30))
_BLOCKS = ((4, 1), (1, 4), (2, 2), (16, 1), (1, 16), (8, 4))
_BLOCK_SHAPES = ((32, 32), (64, 48), (144, 96))
"""With more than one block in each direction: TFMOT fails where there is one only."""
_PATTERNS = ((2, 4), (1, 2), (1, 4), (3, 4), (4, 8), (7, 8), (2, 3))
_PATTERN_SHAPES = ((8, 5), (64, 10), (67, 10), (3, 3, 16, 4), (3, 3, 18, 5), (1, 1, 24, 7))


def mask_cases(quick: bool) -> list[Case]:
    """Lists the tensors to mask, and how: by single weights, by blocks, by N:M."""
    cases = [
        _mask("single weights", shape, dtype, kind, sparsity=sparsity)
        for shape, dtype, kind, sparsity in itertools.product(
            _SHAPES, ("float32", "float16", "float64"), _VALUES, _SPARSITIES
        )
    ]
    cases += [
        _mask(f"blocks, {pooling}", shape, "float32", kind, block=block, pooling=pooling, sparsity=sparsity)
        for pooling, shape, block, kind, sparsity in itertools.product(
            ("average", "max"), _BLOCK_SHAPES, _BLOCKS, _VALUES, (0.25, 0.5, 0.8, 0.95)
        )
    ]
    cases += [
        _mask("N:M", shape, "float32", kind, zeros=zeros, sparsity=zeros[0] / zeros[1])
        for shape, kind, zeros in itertools.product(_PATTERN_SHAPES, _VALUES, _PATTERNS)
    ]
    for seed, case in enumerate(cases):
        case["seed"] = seed
    return cases[::41] if quick else cases


def _mask(group: str, shape: tuple[int, ...], dtype: str, kind: str, **more: Any) -> Case:
    return {"group": group, "shape": list(shape), "dtype": dtype, "values": kind, **more}


def values(case: Case) -> np.ndarray:
    """Makes the tensor of a case; most kinds are full of ties."""
    generator = np.random.default_rng(case["seed"])
    normal = generator.standard_normal(case["shape"])
    made = {
        "normal": normal,
        "grid": np.round(4 * normal) / 4,
        "signs": np.sign(np.round(normal)),
        "half zeros": normal * (generator.random(case["shape"]) < 0.5),
        "equal": 0.5 * np.sign(normal),
    }[case["values"]]
    return np.asarray(made.astype(case["dtype"]))


def digest(array: np.ndarray) -> int:
    """Returns a number that shows whether two sides had the same tensor."""
    return zlib.crc32(np.ascontiguousarray(array).tobytes())


def schedule_cases(quick: bool) -> list[Case]:
    """Lists schedules, and how many steps to ask each for.

    Where the end is not a whole number of periods after the beginning, TFMOT misses the final sparsity and
    Trimtab does not: there is nothing to compare.
    """
    constant = [
        {"kind": "constant", "sparsity": sparsity, "begin": begin, "end": end, "frequency": frequency}
        for sparsity, (begin, end, frequency) in itertools.product(
            (0.5, 0.8, 0.975), ((0, -1, 100), (0, -1, 7), (1, -1, 10), (3, 63, 12), (20, 120, 1))
        )
    ]
    polynomial = [
        {"kind": "polynomial", "initial": initial, "final": final, "begin": begin, "end": end,
         "power": power, "frequency": frequency}
        for (initial, final), (begin, end, frequency), power in itertools.product(
            ((0.0, 0.8), (0.25, 0.9), (0.5, 0.98)), ((0, 100, 10), (0, 150, 1), (7, 127, 8), (50, 173, 3)),
            (3, 1, 2.5),
        )
    ]  # fmt: skip
    cases: list[Case] = [*constant, *polynomial]
    return [{**case, "steps": 200} for case in (cases[::9] if quick else cases)]


def training_cases(quick: bool) -> list[Case]:
    """Lists trainings; none has an update at the first step of an epoch, or at the step after the last.

    TFMOT's callback masks the weights when an epoch ends, so an update at the next step cannot bring a pruned
    weight back; Trimtab's masks do not depend on where epochs end. And Trimtab's update for the step after
    the last acts at once.

    `pruning` is None in the controls, one for each net and optimizer. Names of the settings are Trimtab's;
    `zeros` is (zeros, of so many) as TFMOT has it.
    """
    climb = {
        "kind": "polynomial",
        "initial": 0.0,
        "final": 0.8,
        "begin": 0,
        "end": 80,
        "power": 3,
        "frequency": 10,
    }
    late = {**climb, "initial": 0.5, "final": 0.95, "begin": 20, "end": 70, "frequency": 5}
    steady = {"kind": "constant", "sparsity": 0.5, "begin": 0, "end": -1, "frequency": 9}
    each = {"kind": "constant", "sparsity": 0.7, "begin": 1, "end": 61, "frequency": 4}
    once = {"kind": "once"}
    asked: list[tuple[str, str, list[Case]]] = [
        ("mlp", "sgd", [_pruned(steady), _pruned(late, block=[2, 2], pooling="max")]),
        ("mlp", "momentum", [_pruned(climb)]),
        ("mlp", "adam", [_pruned(late), _pruned({**climb, "final": 0.83}, block=[4, 1], pooling="average")]),
        ("cnn", "sgd", [_pruned(climb)]),
        ("cnn", "momentum", [_pruned(each), _pruned(once, zeros=[2, 4])]),
        ("cnn", "adam", [_pruned(climb), _pruned(steady), _pruned(once, zeros=[3, 4])]),
        ("cnn_bn", "sgd", [_pruned(late)]),
        ("cnn_bn", "momentum", [_pruned(steady)]),
        ("cnn_bn", "adam", [_pruned(climb), _pruned(once, zeros=[2, 4])]),
        ("resnet8", "adam", [_pruned({**climb, "final": 0.77})]),
    ]
    if quick:
        asked = [("mlp", "adam", [_pruned(climb)]), ("cnn_bn", "momentum", [_pruned(steady)])]
    return [
        {"net": net, "optimizer": optimizer, "steps": 25, "epochs": 4, "pruning": pruning}
        for net, optimizer, prunings in asked
        for pruning in (None, *prunings)
    ]


def _pruned(schedule: Case, **more: Any) -> Case:
    return {"schedule": schedule, **more}

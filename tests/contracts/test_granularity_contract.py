"""What every granularity must do, whoever wrote it: add yours to `GRANULARITIES`."""

from __future__ import annotations

import dataclasses
import math

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.pruning import NM, Blocks, Granularity, Unstructured
from trimtab.testing import check_granularity

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras on torch
]


@keras.saving.register_keras_serializable(package="granularity_contract")
@dataclasses.dataclass(frozen=True)
class Columns(Granularity):
    """A third party's granularity: all weights of one output go together."""

    @property
    def name(self):
        return "columns"

    def refuses(self, shape, axis):
        return "it has one output only" if shape[-1] == 1 else None

    def units(self, shape, axis):
        return shape[-1]

    def pool(self, scores, axis):
        return ops.mean(scores, axis=tuple(range(len(scores.shape) - 1)))

    def spread(self, kept, shape, axis):
        return ops.broadcast_to(kept, shape)

    def unit_sizes(self, shape, axis):
        return {math.prod(shape[:-1]): shape[-1]}


GRANULARITIES = [
    Unstructured(),
    Blocks(4, 1),
    Blocks(1, 4),
    Blocks(2, 3),
    Blocks(2, 2, "max"),
    NM(2, 4),
    NM(1, 4),
    NM(3, 5),
    NM(1, 2),
    Columns(),
]


@pytest.mark.parametrize("granularity", GRANULARITIES, ids=lambda part: part.name)
def test_the_contract_holds(granularity):
    check_granularity(granularity)


def broken(kind, /, **members):
    """A registered granularity like `Columns`, with members that break the contract."""
    made = dataclasses.dataclass(frozen=True)(type(kind, (Columns,), members))
    return keras.saving.register_keras_serializable(package="granularity_contract")(made)()


@dataclasses.dataclass(frozen=True)
class Unregistered(Columns):
    pass


def arbitrary(self, scores, axis):
    """Breaks ties by place."""
    pooled = Columns.pool(self, scores, axis)
    return pooled + 1e-3 * ops.arange(pooled.shape[-1], dtype=pooled.dtype)


BROKEN = [
    (Unregistered(), "cannot be saved"),
    (broken("Silent", refuses=lambda self, shape, axis: ""), "must say why"),
    (broken("Refuses", refuses=lambda self, shape, axis: "no"), "refuses all of"),
    (broken("Miscounts", units=lambda self, shape, axis: shape[-1] + 1), "but pool"),
    (
        broken(
            "Numbers", spread=lambda self, kept, shape, axis: ops.cast(ops.broadcast_to(kept, shape), "int32")
        ),
        "not true and false",
    ),
    (
        broken("Everything", spread=lambda self, kept, shape, axis: ops.ones(shape, "bool")),
        "a weight lies in two units",
    ),
    (
        broken("Nothing", spread=lambda self, kept, shape, axis: ops.zeros(shape, "bool")),
        "holds no weight",
    ),
    (broken("Boasts", unit_sizes=lambda self, shape, axis: {1: math.prod(shape)}), "more than"),
    (broken("Unequal", pool=arbitrary), "all weights are equal"),
    (broken("Negative", pool=lambda self, scores, axis: -Columns.pool(self, scores, axis)), "below 0"),
    (broken("Generous", zeros=lambda self, shape, axis, sparsity: 10**6), r"zeros\(\) says"),
]


@pytest.mark.parametrize(("granularity", "complaint"), BROKEN, ids=lambda part: type(part).__name__)
def test_a_broken_granularity_is_told_what_is_wrong(granularity, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_granularity(granularity)


def test_one_that_ranks_otherwise_each_time_is_caught():
    calls = []

    def pool(self, scores, axis):
        calls.append(1)  # a unit that went comes back, since each call ranks otherwise
        shift = np.random.default_rng(len(calls)).permutation(scores.shape[-1]).astype("float32")
        return ops.where(
            ops.all(ops.equal(scores, 1)), ops.ones(scores.shape[-1]), ops.convert_to_tensor(shift)
        )

    with pytest.raises(AssertionError, match=r"another mask|comes back"):
        check_granularity(broken("Moody", pool=pool))


def test_what_is_no_granularity_is_refused():
    with pytest.raises(AssertionError, match="no Granularity"):
        check_granularity("2:4")

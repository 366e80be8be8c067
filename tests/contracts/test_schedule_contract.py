"""What every sparsity schedule must do, whoever wrote it: add yours to `SCHEDULES`."""

from __future__ import annotations

import dataclasses

import keras
import pytest
from keras import ops

from trimtab.errors import ConfigError
from trimtab.pruning import (
    ConstantSparsity,
    IterativeSparsity,
    KeepZeros,
    OneShotSparsity,
    PolynomialSparsity,
    Schedule,
    TabulatedSparsity,
)
from trimtab.testing import check_schedule

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras on torch
]


@keras.saving.register_keras_serializable(package="schedule_contract")
@dataclasses.dataclass(frozen=True)
class Logarithmic(Schedule):
    """A third party's schedule."""

    final: float = 0.9
    end: int = 60

    def updates(self, step):
        return ops.logical_or(
            ops.equal(step, self.end), ops.logical_and(step < self.end, ops.equal(step % 7, 0))
        )

    def at(self, step):
        share = ops.log1p(ops.cast(step, "float32")) / ops.log1p(ops.cast(self.end, "float32"))
        return ops.minimum(share * self.final, ops.cast(self.final, "float32"))

    @property
    def target(self):
        return self.final

    @property
    def reached_at(self):
        return self.end


SCHEDULES = [
    ConstantSparsity(0.5),
    ConstantSparsity(0.75, begin=3, end=40, frequency=7),
    ConstantSparsity(0.0, begin=1, end=2, frequency=1),
    PolynomialSparsity(0.0, 0.8, begin=0, end=100, frequency=10),
    PolynomialSparsity(0.3, 0.95, begin=5, end=64, power=1, frequency=7),
    PolynomialSparsity(0.2, 0.2, begin=0, end=1, frequency=100),
    PolynomialSparsity(0.1, 0.9, begin=2, end=33, power=2.5, frequency=3),
    KeepZeros(),
    OneShotSparsity(0.7),
    OneShotSparsity(0.9, step=12),
    IterativeSparsity(0.8, rounds=4, begin=1, every=10),
    IterativeSparsity(0.97, rounds=1, begin=20, every=5),
    TabulatedSparsity((0.1, 0.4, 0.4, 0.85), begin=3, frequency=5),
    TabulatedSparsity.from_function(lambda step: 0.6 * min(step, 50) / 50, end=60, frequency=9),
    Logarithmic(),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_the_contract_holds(schedule):
    check_schedule(schedule)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_an_unknown_setting_is_refused_by_name(schedule):
    with pytest.raises(ConfigError, match="frequenzy"):
        type(schedule).from_config({**schedule.get_config(), "frequenzy": 3})


@dataclasses.dataclass(frozen=True)
class Unregistered(Logarithmic):
    pass


def broken(kind, /, **members):
    """A registered schedule like `Logarithmic`, with members that break the contract."""
    made = dataclasses.dataclass(frozen=True)(type(kind, (Logarithmic,), members))
    return keras.saving.register_keras_serializable(package="schedule_contract")(made)()


BROKEN = [
    (Unregistered(), "cannot be saved"),
    (
        broken("Falls", at=lambda self, step: ops.cast(0.5, "float32") / ops.cast(step, "float32")),
        "falls from",
    ),
    (broken("Whole", at=lambda self, step: ops.cast(1.0, "float32")), "below 1"),
    (broken("Wide", at=lambda self, step: ops.cast([0.5, 0.5], "float32")), "must be a float32 scalar"),
    (broken("Misses", at=lambda self, step: ops.cast(0.5, "float32")), "has the target 0.9"),
    (broken("Never", updates=lambda self, step: ops.equal(step, -1)), "makes no update"),
    (broken("Zeroth", reached_at=property(lambda self: 0)), "counted from 1"),
    (broken("Loose", from_config=classmethod(lambda cls, config: cls())), "without a word"),
    (broken("Few", masks=lambda self, weights, step, choose=None: []), "0 masks for 2 weights"),
]


@pytest.mark.parametrize(("schedule", "complaint"), BROKEN, ids=lambda part: type(part).__name__)
def test_a_broken_schedule_is_told_what_is_wrong(schedule, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_schedule(schedule)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="torch steps are not compiled")
def test_a_schedule_that_looks_at_the_value_of_a_step_fails_in_a_compiled_step():
    def at(self, step):
        return ops.cast(0.9 if isinstance(step, int) else 0.5, "float32")

    with pytest.raises(AssertionError, match="in a compiled step"):
        check_schedule(broken("Looks", at=at))


def test_what_is_no_schedule_is_refused():
    with pytest.raises(AssertionError, match="no Schedule"):
        check_schedule(0.5)

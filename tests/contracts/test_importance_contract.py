"""What every importance must do, whoever wrote it: add yours to `IMPORTANCES`."""

from __future__ import annotations

import dataclasses
import itertools

import keras
import pytest
from keras import ops

from trimtab.pruning import FunctionImportance, Importance, Magnitude, Random, Taylor
from trimtab.testing import check_importance

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras on torch
]


@keras.saving.register_keras_serializable(package="importance_contract")
def squared(weight):
    return ops.square(weight)


@keras.saving.register_keras_serializable(package="importance_contract")
@dataclasses.dataclass(frozen=True)
class PerColumn(Importance):
    """A third party's importance: the magnitude, as a share of the largest in its column."""

    floor: float = 1e-6

    @property
    def name(self):
        return "per-column"

    def score(self, weight, index=0, memory=None):
        size = ops.abs(weight)
        return size / (ops.max(size, axis=-1, keepdims=True) + self.floor)


@keras.saving.register_keras_serializable(package="importance_contract")
@dataclasses.dataclass(frozen=True)
class Fisher(Importance):
    """A third party's importance with a memory: the mean square of the gradients."""

    remembers = True

    @property
    def name(self):
        return "fisher"

    def score(self, weight, index=0, memory=None):
        return memory * ops.square(weight)

    def observe(self, memory, weight, gradient):
        return memory + ops.square(gradient)


IMPORTANCES = [
    Magnitude(),
    Random(),
    Random(seed=7),
    Taylor(),
    Taylor(decay=0),
    FunctionImportance(squared),
    PerColumn(),
    Fisher(),
]


@pytest.mark.parametrize("importance", IMPORTANCES, ids=lambda part: part.name)
def test_the_contract_holds(importance):
    check_importance(importance)


def test_a_function_that_is_not_registered_is_given_to_the_check():
    importance = FunctionImportance(lambda weight: ops.abs(weight))
    check_importance(importance, custom_objects={"<lambda>": importance.function})
    with pytest.raises(AssertionError, match="custom_objects"):
        check_importance(importance)


def broken(kind, /, **members):
    """A registered importance like `PerColumn`, with members that break the contract."""
    made = dataclasses.dataclass(frozen=True)(type(kind, (PerColumn,), members))
    return keras.saving.register_keras_serializable(package="importance_contract")(made)()


@dataclasses.dataclass(frozen=True)
class Unregistered(PerColumn):
    pass


COUNT = itertools.count()

BROKEN = [
    (Unregistered(), "cannot be saved"),
    (broken("Summed", score=lambda self, weight, index=0, memory=None: ops.sum(ops.abs(weight))), "of shape"),
    (broken("Signed", score=lambda self, weight, index=0, memory=None: weight), "is 0 or more"),
    (
        broken("Moody", score=lambda self, weight, index=0, memory=None: ops.ones_like(weight) * next(COUNT)),
        "other scores for the same weight",
    ),
    (broken("Nameless", name=""), "must be a short text"),
    (broken("Unsure", remembers=None), "not a bool"),
    (
        broken("Forgetful", remembers=True, observe=lambda self, memory, weight, gradient: ops.sum(gradient)),
        "observe gives",
    ),
]


@pytest.mark.parametrize(("importance", "complaint"), BROKEN, ids=lambda part: type(part).__name__)
def test_a_broken_importance_is_told_what_is_wrong(importance, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_importance(importance)


def test_one_that_is_not_frozen_is_refused():
    class Loose(PerColumn):
        pass

    with pytest.raises(AssertionError, match="frozen"):
        check_importance(Loose())


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="only torch's tensors can be changed")
def test_one_that_changes_the_weight_is_caught():
    with pytest.raises(AssertionError, match="changes the weight"):
        check_importance(broken("Destroys", score=lambda self, weight, index=0, memory=None: weight.abs_()))


def test_what_is_no_importance_is_refused():
    with pytest.raises(AssertionError, match="no Importance"):
        check_importance("magnitude")

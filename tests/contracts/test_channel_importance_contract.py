"""What every importance of channels must do, whoever wrote it: add yours to `IMPORTANCES`."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from trimtab.channel_pruning import (
    FPGM,
    L1,
    L2,
    BNScale,
    ChannelFunction,
    ChannelImportance,
    ChannelRandom,
    ChannelTaylor,
    check_channel_importance,
)

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras on torch
]


@dataclasses.dataclass(frozen=True)
class FirstWeights(ChannelImportance):
    """A third party's importance: how large the weights of the first layer are."""

    power: int = 2

    @property
    def name(self):
        return "first-weights"

    def score(self, group, memory=None):
        first = group.members[0]
        weight = np.moveaxis(np.asarray(first.variable), first.axis, 0)
        sums = (np.abs(weight) ** self.power).reshape(len(weight), -1).sum(axis=1)
        return np.bincount(first.units, weights=sums, minlength=group.size)


IMPORTANCES = [
    L1(),
    L2(),
    BNScale(),
    FPGM(),
    ChannelTaylor(),
    ChannelRandom(),
    ChannelRandom(seed=7),
    ChannelFunction(lambda group, weights: np.arange(group.size)),
    FirstWeights(),
]


@pytest.mark.parametrize("importance", IMPORTANCES, ids=lambda part: f"{type(part).__name__}-{part.name}")
def test_the_contract_holds(importance):
    check_channel_importance(importance)


def broken(kind, /, **members):
    """An importance like `FirstWeights`, with members that break the contract."""
    return dataclasses.dataclass(frozen=True)(type(kind, (FirstWeights,), members))()


COUNT = itertools.count()


def spoil(self, group, memory=None):
    variable = group.members[0].variable
    variable.assign(variable * 2)
    return np.ones(group.size)


BROKEN = [
    (broken("Summed", score=lambda self, group, memory=None: np.float64(1.0)), "must give a NumPy array of"),
    (broken("Signed", score=lambda self, group, memory=None: -np.ones(group.size)), "is 0 or more"),
    (broken("Nan", score=lambda self, group, memory=None: np.full(group.size, np.nan)), "NaN or infinity"),
    (
        broken("Moody", score=lambda self, group, memory=None: np.ones(group.size) * next(COUNT)),
        "other scores for the same group",
    ),
    (broken("Spoils", score=spoil), "changes the weights"),
    (broken("Nameless", name=""), "must be a short text"),
    (broken("Unsure", remembers=None), "not a bool"),
    (broken("Forgetful", remembers=True), "observe forgets"),
    (broken("Mute", refuses=lambda self, group: True), "None, or the reason in words"),
    (broken("Picky", refuses=lambda self, group: "not today"), "refuses every group"),
]


@pytest.mark.parametrize(("importance", "complaint"), BROKEN, ids=lambda part: type(part).__name__)
def test_a_broken_importance_is_told_what_is_wrong(importance, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_channel_importance(importance)


def test_one_that_is_not_frozen_is_refused():
    class Loose(FirstWeights):
        pass

    with pytest.raises(AssertionError, match="frozen"):
        check_channel_importance(Loose())


def test_what_is_no_importance_is_refused():
    with pytest.raises(AssertionError, match="no ChannelImportance"):
        check_channel_importance("l2")

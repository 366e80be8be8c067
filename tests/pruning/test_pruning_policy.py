from __future__ import annotations

import keras
import pytest

from trimtab.errors import ConfigError
from trimtab.pruning import Policy, PolicyChoice, sparsity_table
from trimtab.pruning.where._where import choose_weights

pytestmark = pytest.mark.backend


class Largest(Policy):
    """A policy of one's own."""

    def choose(self, model):
        largest = max(sparsity_table(model), key=lambda row: row.size)
        return PolicyChoice((largest.name,), (("a", "it is small"),))


class Wrong(Policy):
    def __init__(self, gives):
        self.gives = gives

    def choose(self, model):
        return self.gives


def model():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="a")], name="inner")
    dense = keras.layers.Dense
    return keras.Sequential([keras.Input((4,)), dense(4, name="a"), inner, dense(9, name="c")], name="m")


def test_a_policy_of_ones_own_chooses_and_gives_the_reasons():
    weights, skipped = choose_weights(model(), Largest())
    assert [weight.layer for weight in weights] == ["c"]
    assert skipped == [("a", "it is small"), ("inner/a", "Largest does not choose it")]


def test_its_notes_say_where_a_sparsity_gains_nothing():
    choice = PolicyChoice(("a",), useful_above=0.7, notes=("on ARM",))
    assert choice.told(0.71) == ("on ARM",)
    assert choice.told(0.7) == (
        "on ARM",
        "a sparsity of 0.7 gains nothing there: more than 0.7 is needed",
    )
    assert PolicyChoice(("a",)).told(0.0) == ()


def test_a_policy_names_layers_by_their_whole_path():
    weights, _ = choose_weights(model(), Wrong(PolicyChoice(("a",))))
    assert [weight.layer for weight in weights] == ["a"]


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        (("c",), "Wrong.choose must return a PolicyChoice, but gave tuple"),
        (PolicyChoice(("innner/a",)), "has no prunable layer of that name. Did you mean 'inner/a'"),
        (PolicyChoice(()), "Nothing is left to prune"),
        (PolicyChoice(("a",), notes="one"), "must give notes as a tuple of sentences, but gave 'one'"),
    ],
)
def test_a_policy_that_chooses_nonsense_is_refused(gives, message):
    with pytest.raises(ConfigError, match=message):
        choose_weights(model(), Wrong(gives))

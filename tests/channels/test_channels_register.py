"""Rules for layers of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import pytest
from keras import layers

from trimtab.channels import NewSizes, Site, _register, find_groups, register


class Factor(layers.Layer):
    """A factor for each channel, and one for all."""

    def build(self, shape: Any) -> None:
        self.factor = self.add_weight(name="factor", shape=(shape[-1],), initializer="ones")
        self.common = self.add_weight(name="common", shape=(), initializer="ones")

    def call(self, x: Any) -> Any:
        return x * self.factor * self.common


class Child(Factor):
    """Computes as its parent does."""


class Stranger(Factor):
    """Computes something else."""

    def call(self, x: Any) -> Any:
        return super().call(x) + 1


@pytest.fixture(autouse=True)
def _rules_as_before() -> Iterator[None]:
    before = dict(_register._FOLLOWS), dict(_register._RESIZES)
    yield
    for table, kept in zip((_register._FOLLOWS, _register._RESIZES), before, strict=True):
        table.clear()
        table.update(kept)


def group_of(layer: layers.Layer) -> Any:
    inputs = keras.Input((8, 8, 3))
    x = layer(layers.Conv2D(4, 1, name="first")(inputs))
    return find_groups(keras.Model(inputs, layers.Conv2D(2, 1, name="last")(x))).group("first")


def follow(layer: Any, site: Site) -> Any:
    site.scale(layer.factor, 0, site.input.along(-1))
    site.leave(layer.common)
    return site.input


def test_a_layer_of_ones_own_is_followed_once_it_has_a_rule() -> None:
    assert group_of(Factor(name="mine")).locked == "Factor 'mine' is not understood"
    register(Factor, follow)
    group = group_of(Factor(name="mine"))
    assert group.locked is None
    assert [(m.weight, m.role) for m in group.members if m.layer == "mine"] == [("factor", "scale")]


def test_a_subclass_inherits_the_rule_unless_it_computes_in_its_own_way() -> None:
    register(Factor, follow)
    assert group_of(Child(name="child")).locked is None
    assert group_of(Stranger(name="odd")).locked == "Stranger 'odd' computes in its own way, unlike Factor"
    register(Stranger, follow)
    assert group_of(Stranger(name="odd")).locked is None


def test_a_forgotten_weight_locks() -> None:
    def forgetful(layer: Any, site: Site) -> Any:
        site.scale(layer.factor, 0, site.input.along(-1))
        return site.input

    register(Factor, forgetful)
    assert (
        group_of(Factor(name="mine")).locked == "Factor 'mine' has a weight 'common' that is not understood"
    )


def test_a_rule_that_cannot_tell_locks() -> None:
    register(Factor, lambda layer, site: None)
    assert group_of(Factor(name="mine")).locked == "Factor 'mine' is not understood"


def test_a_rule_that_gives_another_size_locks() -> None:
    def doubled(layer: Any, site: Site) -> Any:
        follow(layer, site)
        ids = site.input.along(-1)
        return site.give({-1: [*ids, *ids]})

    register(Factor, doubled)
    assert "gives something" in str(group_of(Factor(name="mine")).locked)


def test_a_rule_can_say_what_changes_in_the_config() -> None:
    def resize(layer: Any, new: NewSizes) -> dict[str, Any]:
        return {"size": new.weights["factor"][0]}

    register(Factor, follow, resize=resize)
    assert _register.resize_of(Child()) is resize
    assert _register.resize_of(layers.ReLU()) is None


def test_a_subclass_of_a_known_layer_is_known() -> None:
    class Mine(layers.Conv2D):
        pass

    class Standardized(layers.Conv2D):
        def call(self, x: Any) -> Any:
            return super().call(x) / keras.ops.std(self.kernel)

    assert group_of(Mine(5, 1, name="mine")).locked is None
    assert "computes in its own way, unlike Conv2D" in str(group_of(Standardized(5, 1)).locked)

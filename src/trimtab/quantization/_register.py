"""The rules of layers: which range their output has, and what takes their place in an aware model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from trimtab.errors import ConfigError, nearest
from trimtab.models._kinds import computes_like, nearest_kind

__all__ = ["Rule", "keeps_range", "register", "rule_of"]

_OUTPUTS = ("own", "same", "activation", "fixed")


@dataclass(frozen=True)
class Rule:
    """How a layer is quantized.

    Args:
        output: which range its output has. ``"own"``: one of its own. ``"same"``: that of what goes in (of
            all that goes in, where there are several), since it only moves numbers about, as max pooling
            does. ``"activation"``: one of its own, and where it comes right after a layer that `fuses`, that
            layer's output has none: the file computes both as one. ``"fixed"``: one that LiteRT prescribes.
        fixed: that range, (low, high).
        fuses: whether an activation right after it becomes part of it.
        aware: makes the layer that takes its place, with the same name; None: a copy of the layer does.
        pooled: makes it instead of `aware`, where an ``"activation"`` comes right after max pooling, which
            LiteRT computes with it, and then changes the range of what comes out.
        alone: makes it instead of `aware`, where an ``"activation"`` is an operator of its own.
        weights: gives the new layer its weights, from (old, new), once both are built; None: they have the
            same ones in the same order.

    Raises:
        ConfigError: the arguments contradict each other.
    """

    output: str = "own"
    fixed: tuple[float, float] | None = None
    fuses: bool = False
    aware: Callable[[Any], Any] | None = None
    pooled: Callable[[Any], Any] | None = None
    alone: Callable[[Any], Any] | None = None
    weights: Callable[[Any, Any], None] | None = None

    def __post_init__(self) -> None:
        if self.output not in _OUTPUTS:
            raise ConfigError(
                f"A rule's output is one of {', '.join(_OUTPUTS)}. Received: output={self.output!r}."
                f"{nearest(str(self.output), _OUTPUTS)}"
            )
        if (self.output == "fixed") != (self.fixed is not None):
            raise ConfigError(
                f"A rule has a fixed range, (low, high), where its output is 'fixed', and only there. "
                f"Received: output={self.output!r}, fixed={self.fixed!r}."
            )


Tell = Callable[[Any], Rule | str]
"""Returns the rule of a layer, or why there is none, in plain words: "it computes over a sequence"."""

_RULES: dict[type, Tell] = {}


def register(kind: type, rule: Rule | Tell) -> None:
    """Teaches `trimtab.quantize_aware` a layer class.

    Subclasses inherit the rule, unless they have a `call` of their own. A later rule replaces an earlier one.
    A layer that has no rule stays float, which is always right and never fast.

    A rule is right where LiteRT has an integer kernel for each operation that the layer makes of its inputs:
    where the layer makes several, it needs a layer in its place (`Rule.aware`) that rounds in between, with a
    `FakeQuantizer` after each.

    Args:
        kind: the layer class.
        rule: its `Rule`, or a function from a layer to its rule, or to why it has none.

    Raises:
        ConfigError: `kind` is no layer class, or `rule` no rule.

    Example:
        A layer that turns images round moves numbers about, no more::

            trimtab.quantization.register(Flip, Rule(output="same"))
    """
    if not (isinstance(kind, type) and issubclass(kind, keras.Layer)):
        raise ConfigError(f"register() takes a class of Keras layers. Received: {kind!r}.")
    if not isinstance(rule, Rule) and not callable(rule):
        raise ConfigError(f"register() takes a Rule, or a function that returns one. Received: {rule!r}.")
    if isinstance(rule, Rule):
        same = rule
        _RULES[kind] = lambda layer: same  # noqa: ARG005
    else:
        _RULES[kind] = rule


def rule_of(operation: Any) -> Rule | str:
    """Returns the rule of a layer or operator, or why there is none, in plain words."""
    kind = type(operation)
    if not isinstance(operation, keras.Layer):
        return f"the operator {kind.__name__} has no rule"
    known = nearest_kind(kind, _RULES)
    if known is None:
        return f"{kind.__name__} has no rule"
    if not computes_like(kind, known):
        return f"{kind.__name__} computes in its own way, unlike {known.__name__}"
    return _RULES[known](operation)


def keeps_range(operation: Any) -> bool:
    """Says whether what comes out of a layer has the range, and lies on the grid, of what goes in."""
    rule = rule_of(operation)
    return isinstance(rule, Rule) and rule.output == "same"

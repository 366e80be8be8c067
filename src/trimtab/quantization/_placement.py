"""Where quantizers stand in a model: one for each tensor of the file that has a range of its own.

A file's integers mean something only through a range, so each tensor needs exactly one, and where the file
computes several layers in one operator, the tensors inside it none. So there is a quantizer

- on the model's input, and on its outputs;
- on what each layer gives, but not between a convolution, dense layer, sum or product and the ReLU right
  after it, which the file computes as one;
- not after layers that only move numbers about (pooling, padding, reshaping, dropout): their output has the
  range of their input. Where several tensors go in, as in a Concatenate, all of them share one range;
- with the range that LiteRT prescribes after sigmoid, tanh and softmax.

A layer without rule, or one that the user wants float, computes in float, and so do layers without weights
after it, up to the next layer that computes in integers, before which its output is quantized.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from trimtab.quantization._register import Rule, rule_of
from trimtab.quantization._steps import Step, Steps, Tensor
from trimtab.quantization.layers import QuantizedReLU

__all__ = ["Placement", "Quantizer", "place"]


@dataclass(eq=False)
class Quantizer:
    """A quantizer to be made.

    Attributes:
        name: what it is called.
        tensors: those that it rounds, one for each slot.
        fixed: its range, where LiteRT prescribes one.
    """

    name: str
    tensors: list[Tensor] = field(default_factory=list)
    fixed: tuple[float, float] | None = None


@dataclass(eq=False)
class Placement:
    """What is done with each call and each tensor.

    Attributes:
        rules: the rule of each call that computes in integers; others stay as they are.
        kept_float: layers that compute in float, each with the reason; without those that only follow them.
        quantizers: the quantizers of each tensor, in the order in which they round it.
        inside: tensors inside an operator of the file, which have none.
    """

    rules: dict[Step, Rule] = field(default_factory=dict)
    kept_float: dict[str, str] = field(default_factory=dict)
    quantizers: dict[Tensor, list[Quantizer]] = field(default_factory=dict)
    inside: set[Tensor] = field(default_factory=set)

    def all_quantizers(self) -> list[Quantizer]:
        """Lists the quantizers, each once."""
        return list(dict.fromkeys(one for several in self.quantizers.values() for one in several))


def place(steps: Steps, asked: Callable[[Any], str | None]) -> Placement:
    """Decides where quantizers stand.

    Args:
        steps: the model's calls.
        asked: says of a layer why the user wants it float; None where nobody does.
    """
    refused: dict[Any, str] = {}

    def why(layer: Any) -> str | None:
        return refused.get(layer) or asked(layer)

    while True:
        placement = Placement()
        floating = _settle_rules(steps, placement, why)
        placement.inside = _inside_operators(placement)
        rounded = [
            tensor
            for tensor in steps.tensors
            if tensor not in placement.inside
            and _is_quantized(tensor, floating)
            and not _keeps(tensor, placement)
        ]
        classes = _members(rounded, _classes(steps, placement))
        torn = _torn(classes, placement)
        if not torn:
            break
        refused.update((step.operation, "LiteRT prescribes its range, and it shares one") for step in torn)
    _share(classes, placement)
    return placement


def _settle_rules(steps: Steps, placement: Placement, asked: Callable[[Any], str | None]) -> set[Step]:
    """Gives each call its rule, and returns those that compute in float."""
    floating: set[Step] = set()
    for step in steps.steps:
        weighty = bool(getattr(step.operation, "weights", ()))
        why = asked(step.operation)
        rule = rule_of(step.operation)
        if why is None and isinstance(rule, str):
            why = rule
        if why is not None:
            floating.add(step)
            placement.kept_float[step.name] = why
        elif not weighty and step.inputs and all(tensor.maker in floating for tensor in step.inputs):
            floating.add(step)
        elif isinstance(rule, Rule):
            placement.rules[step] = _pooled(step, rule)
    return floating


def _pooled(step: Step, rule: Rule) -> Rule:
    """Returns a layer's rule, where average pooling comes before it.

    LiteRT computes a ReLU with the pooling right before it, and its average pooling cannot change the range.
    """
    before = step.inputs[0].maker if step.inputs else None
    pooled = before is not None and isinstance(before.operation, keras.layers.AveragePooling2D)
    if rule.output == "activation" and pooled and len(step.inputs[0].readers) == 1:
        most = getattr(step.operation, "max_value", None)
        return Rule(
            output="same", aware=lambda layer: QuantizedReLU(most, name=layer.name, dtype=layer.dtype)
        )
    return rule


def _inside_operators(placement: Placement) -> set[Tensor]:
    """Returns the tensors between a layer and the activation that is computed with it."""
    inside: set[Tensor] = set()
    for step, rule in placement.rules.items():
        if rule.output != "activation":
            continue
        (tensor,) = step.inputs
        before = placement.rules.get(tensor.maker) if tensor.maker is not None else None
        if before is not None and before.fuses and len(tensor.readers) == 1 and not tensor.leaves:
            inside.add(tensor)
    return inside


def _is_quantized(tensor: Tensor, floating: set[Step]) -> bool:
    """Says whether a tensor has integers in the file; one between float layers has not."""
    return (
        tensor.maker not in floating or tensor.leaves or any(step not in floating for step in tensor.readers)
    )


def _keeps(tensor: Tensor, placement: Placement) -> bool:
    """Says whether a tensor has the range of what its maker was given, and lies on its grid."""
    if tensor.maker is None:
        return False
    rule = placement.rules.get(tensor.maker)
    return rule is not None and rule.output == "same"


def _classes(steps: Steps, placement: Placement) -> Callable[[Tensor], Tensor]:
    """Returns a function from a tensor to the one that stands for all that must have its range."""
    parents: dict[Tensor, Tensor] = {}

    def root(tensor: Tensor) -> Tensor:
        while tensor in parents:
            tensor = parents[tensor]
        return tensor

    for step in steps.steps:
        if step in placement.rules and placement.rules[step].output == "same":
            first, *others = [*step.inputs, *step.outputs]
            for other in others:
                one, two = root(first), root(other)
                if one is not two:
                    parents[two] = one
    return root


def _members(rounded: list[Tensor], root: Callable[[Tensor], Tensor]) -> list[list[Tensor]]:
    """Lists the tensors that are rounded, those that share a range together."""
    classes: dict[Tensor, list[Tensor]] = {}
    for tensor in rounded:
        classes.setdefault(root(tensor), []).append(tensor)
    return list(classes.values())


def _torn(classes: list[list[Tensor]], placement: Placement) -> list[Step]:
    """Returns the layers with a prescribed range around 0 that must share another.

    A range from 0 on can be followed by a ReLU, which changes the range and nothing else. There is no
    operator that does so for a signed one.
    """
    return [
        tensor.maker
        for members in classes
        for tensor in members
        if len(members) > 1 and tensor.maker is not None and (_fixed(tensor, placement) or (0.0,))[0] < 0
    ]


def _share(classes: list[list[Tensor]], placement: Placement) -> None:
    """Makes a quantizer for each class of tensors that share a range.

    A tensor whose range is prescribed has a quantizer of its own; where others share a range with it, that
    of all comes after it.
    """
    for members in classes:
        fixed: Mapping[Tensor, tuple[float, float]] = {
            tensor: range_ for tensor in members if (range_ := _fixed(tensor, placement)) is not None
        }
        for tensor, range_ in fixed.items():
            own = Quantizer(f"{tensor.name}_quantizer", [tensor], range_)
            placement.quantizers.setdefault(tensor, []).append(own)
        if len(members) == 1 and fixed:
            continue
        last = members[-1].name
        shared = Quantizer(f"{last}_quantizer" if not fixed else f"{last}_shared_quantizer", list(members))
        for tensor in members:
            placement.quantizers.setdefault(tensor, []).append(shared)


def _fixed(tensor: Tensor, placement: Placement) -> tuple[float, float] | None:
    """Returns the range that LiteRT prescribes for a tensor."""
    rule = placement.rules.get(tensor.maker) if tensor.maker is not None else None
    return None if rule is None else rule.fixed

"""From a flat model and a placement to the model with quantizers in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from trimtab.models._clone import copied_layer, remaking, settle
from trimtab.quantization._fake_quantizer import FakeQuantizer
from trimtab.quantization._placement import Placement, Quantizer
from trimtab.quantization._register import Rule
from trimtab.quantization._steps import Step, Steps, Tensor
from trimtab.quantization.layers import QuantizeAwareModel, QuantizedLoneReLU

__all__ = ["Settings", "assembled"]

_CHAINED = (keras.layers.Add, keras.layers.Multiply)
"""Layers that take any number of tensors, while LiteRT's operators take two."""


@dataclass(frozen=True)
class Settings:
    """How the layers of an aware model quantize.

    Args:
        weights_bits: 8 or 4.
        ranges: see `FakeQuantizer`.
        keep_zeros: whether weights that are 0 stay 0 in training.
    """

    weights_bits: int = 8
    ranges: str = "moving-average"
    keep_zeros: bool = True


def assembled(
    model: keras.Model,
    steps: Steps,
    placement: Placement,
    settings: Settings,
    origin: Mapping[str, tuple[str, ...]],
) -> QuantizeAwareModel:
    """Makes the model with quantizers; the ranges are still to be calibrated.

    Args:
        model: the flat model that the steps are of; it stays as it is.
        steps: its calls.
        placement: where quantizers stand.
        settings: how they quantize.
        origin: paths of the original layers, by the name of a layer of `model`.
    """
    with remaking(model):
        return _Assembly(model, steps, placement, settings, origin).model()


@dataclass
class _Assembly:
    """A model under construction."""

    flat: keras.Model
    steps: Steps
    placement: Placement
    settings: Settings
    origin: Mapping[str, tuple[str, ...]]
    layers: dict[int, Any] = field(default_factory=dict)
    quantizers: dict[Quantizer, Any] = field(default_factory=dict)
    made: dict[Tensor, Any] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def model(self) -> QuantizeAwareModel:
        """Calls all layers on each other."""
        self.names = {step.name for step in self.steps.steps} | {tensor.name for tensor in self.steps.inputs}
        inputs = []
        for tensor, old in zip(self.steps.inputs, self.flat.inputs, strict=True):
            made = keras.Input(batch_shape=old.shape, dtype=old.dtype, name=tensor.name)
            inputs.append(made)
            self.give(tensor, made)
        for step in self.steps.steps:
            given = self.called(step)
            for tensor, made in zip(step.outputs, keras.tree.flatten(given), strict=True):
                self.give(tensor, made)
        outputs = keras.tree.map_structure(lambda tensor: self.made[tensor], self.steps.outputs)
        if isinstance(outputs, list | tuple) and len(outputs) == 1:
            outputs = outputs[0]
        whole = QuantizeAwareModel(inputs[0] if len(inputs) == 1 else inputs, outputs, name=self.flat.name)
        settle(whole)
        return whole

    def give(self, tensor: Tensor, made: Any) -> None:
        """Rounds what stands for a tensor, where it is rounded."""
        for number, quantizer in enumerate(self.placement.quantizers.get(tensor, ())):
            if number:  # from a range that LiteRT prescribes to one that is shared
                made = QuantizedLoneReLU(name=self.free_name(f"{tensor.name}_rescaled"), dtype="float32")(
                    made
                )
            layer = self.quantizer(quantizer)
            slot = quantizer.tensors.index(tensor)
            made = layer(made, slot=slot) if layer.slots > 1 else layer(made)
        self.made[tensor] = made

    def quantizer(self, wanted: Quantizer) -> Any:
        """Returns the layer of a quantizer."""
        if wanted not in self.quantizers:
            names = [
                name for tensor in wanted.tensors for name in self.origin.get(tensor.name, (tensor.name,))
            ]
            self.quantizers[wanted] = self.new_quantizer(
                wanted.name, len(wanted.tensors), wanted.fixed, names
            )
        return self.quantizers[wanted]

    def new_quantizer(
        self, name: str, slots: int, fixed: tuple[float, float] | None, origin: list[str]
    ) -> FakeQuantizer:
        """Makes a quantizer with a name that no other layer has."""
        while name in self.names:
            name += "_"
        self.names.add(name)
        return FakeQuantizer(
            slots=slots,
            fixed=fixed,
            ranges=self.settings.ranges,
            origin=tuple(dict.fromkeys(origin)),
            name=name,
            dtype="float32",
        )

    def called(self, step: Step) -> Any:
        """Calls the layer of a step on what its inputs have become."""
        layer, rule = self.layer(step)
        if rule is not None and isinstance(layer, _CHAINED) and len(step.inputs) > 2:
            given = self.chained(step, layer)
        else:
            args, named = keras.tree.map_structure(
                lambda part: self.made[part] if isinstance(part, Tensor) else part, step.arguments
            )
            given = layer(*args, **named)
        self.hand_on_weights(step.operation, layer, rule)
        return given

    def layer(self, step: Step) -> tuple[Any, Rule | None]:
        """Returns the layer that takes the place of a step's, the same one at each call."""
        old, rule = step.operation, self.placement.rules.get(step)
        if id(old) not in self.layers:
            make = None if rule is None else self.maker(step, rule)
            self.layers[id(old)] = self.new_layer(old, rule, make)
        return self.layers[id(old)], rule

    def maker(self, step: Step, rule: Rule) -> Callable[[Any], Any] | None:
        """Returns what makes the layer that takes the place of a step's; None: a copy of it does."""
        if rule.output != "activation" or step.inputs[0] in self.placement.inside:
            return rule.aware
        return (rule.pooled if _after_pooling(step) else rule.alone) or rule.aware

    def new_layer(self, old: Any, rule: Rule | None, make: Callable[[Any], Any] | None) -> Any:
        """Makes the layer that takes another's place."""
        if not isinstance(old, keras.Layer):
            return old
        new = copied_layer(old) if make is None else make(old)
        new.trainable = old.trainable
        if hasattr(new, "weight_bits"):
            new.weight_bits = max(self.settings.weights_bits, new.fewest_bits)
            new.learned = self.settings.ranges == "learned"
        if hasattr(new, "origin"):
            new.origin = tuple(self.origin.get(old.name, (old.name,)))
        if rule is None and not old.weights:
            new.kept_float = True  # said to the check of the file, which finds no weights to know it by
        return new

    def hand_on_weights(self, old: Any, new: Any, rule: Rule | None) -> None:
        """Gives a new layer the weights of the one whose place it takes."""
        if new is old or not getattr(old, "weights", ()):
            return
        if rule is not None and rule.weights is not None:
            rule.weights(old, new)
        else:
            new.set_weights(old.get_weights())
        if hasattr(new, "keep_zeros"):
            kernel = np.asarray(keras.ops.convert_to_numpy(new.kernel))
            new.keep_zeros = bool(self.settings.keep_zeros and (kernel == 0).any() and (kernel != 0).any())

    def chained(self, step: Step, layer: Any) -> Any:
        """Adds (or multiplies) many tensors two at a time, and rounds in between as LiteRT does."""
        tensors = [self.made[tensor] for tensor in step.inputs]
        total, kind = tensors[0], type(layer)
        for number, tensor in enumerate(tensors[1:-1], start=1):
            part = kind(name=self.free_name(f"{step.name}_part_{number}"), dtype="float32")
            names = list(self.origin.get(step.name, (step.name,)))
            total = part([total, tensor])
            total = self.new_quantizer(f"{part.name}_quantizer", 1, None, names)(total)
        return layer([total, tensors[-1]])

    def free_name(self, name: str) -> str:
        """Returns a name that no layer has."""
        while name in self.names:
            name += "_"
        self.names.add(name)
        return name


def _after_pooling(step: Step) -> bool:
    """Says whether a layer comes right after max pooling that no other layer reads."""
    (tensor,) = step.inputs
    return (
        tensor.maker is not None
        and isinstance(tensor.maker.operation, keras.layers.MaxPooling2D)
        and len(tensor.readers) == 1
    )

"""Activations as layers of their own, each spelt in one way."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trimtab.quantization.folding._network import Network, Part, Step, Tensor

__all__ = ["activation_layer", "is_linear", "recognize_hard_swish", "spell_activations"]

_SIXTH = 1 / 6
_WITHOUT_DIVISION = 3  # calls: x + 3, relu6, and the product


def is_linear(activation: Any) -> bool:
    """Says whether a layer's activation does nothing."""
    return activation is None or activation is keras.activations.linear


def activation_layer(activation: Any, **options: Any) -> keras.Layer:
    """Returns the layer that applies an activation function: ReLU, Softmax, or Activation.

    Args:
        activation: the function; a layer that stands for one is given back.
        options: name and data type.
    """
    if isinstance(activation, keras.Layer):
        return activation
    if activation is keras.activations.relu:
        return keras.layers.ReLU(**options)
    if activation is keras.activations.relu6:
        return keras.layers.ReLU(6.0, **options)
    if activation is keras.activations.softmax:
        return keras.layers.Softmax(**options)
    return keras.layers.Activation(activation, **options)


def spell_activations(network: Network) -> None:
    """Writes `Activation` layers of ReLU and softmax as those layers, and takes out what does nothing."""
    for part in network.parts:
        layer = part.layer
        if type(layer) is keras.layers.Activation:
            if layer.activation is keras.activations.linear:
                _take_out(network, part)
            else:
                options = {"name": layer.name, "dtype": layer.dtype_policy, "trainable": layer.trainable}
                part.layer = activation_layer(layer.activation, **options)
        elif type(layer) is keras.layers.Identity:
            _take_out(network, part)


def _take_out(network: Network, part: Part) -> None:
    """Removes the calls of a layer that does nothing, unless the model would give what it takes."""
    for step in network.calls(part):
        if not (network.is_input(step.input) and network.is_output(step.output)):
            network.remove(step)


def recognize_hard_swish(network: Network) -> None:
    """Writes ``x * relu6(x + 3) / 6`` (Howard et al. 2019), spelt in operators, as one activation."""
    for step in network:
        if not isinstance(step.layer, keras.layers.Multiply) or len(step.inputs) != 2:
            continue
        for source, gate in (step.inputs, step.inputs[::-1]):
            calls = _gate(network, source, gate)
            if calls is None:
                continue
            calls = [*calls, step]
            if len(calls) == _WITHOUT_DIVISION:  # it comes last: (x * relu6(x + 3)) / 6
                after = network.only_reader(step.output)
                if after is None or not _is_affine(after, _SIXTH, 0):
                    continue
                calls.append(after)
            _become(network, calls, source)
            break


def _become(network: Network, calls: list[Step], source: Tensor) -> None:
    """Puts one activation in the place of several calls, the last of which gives the result."""
    last = calls[-1]
    layer = keras.layers.Activation("hard_silu", name=calls[-1].part.name, dtype=last.output.dtype)
    origin = dict.fromkeys(path for call in calls for path in call.part.origin)
    network.insert(Step(Part(layer, layer.name, tuple(origin)), (source,), {}, last.outputs), after=last)
    network.drop(last)
    network.sweep()


def _gate(network: Network, source: Tensor, gate: Tensor) -> list[Step] | None:
    """Finds the calls that make ``relu6(x + 3)`` of x, and perhaps divide it by six."""
    calls: list[Step] = []
    tensor = gate
    while len(calls) < _WITHOUT_DIVISION:
        step = network.producer(tensor)
        if step is None or not step.inputs or network.only_reader(tensor) is None:
            return None
        calls.insert(0, step)
        tensor = step.input
        if _is_affine(step, 1, 3):
            break
    shift, *between = calls
    if not _is_affine(shift, 1, 3) or shift.input is not source or not between or not _is_relu6(between[0]):
        return None
    if any(not _is_affine(step, _SIXTH, 0) for step in between[1:]):
        return None
    return calls


def _is_relu6(step: Step) -> bool:
    """Says whether a call clips to 0 to 6."""
    layer = step.layer
    return (
        isinstance(layer, keras.layers.ReLU)
        and layer.max_value == 6
        and not layer.negative_slope
        and not layer.threshold
    )


def _is_affine(step: Step, scale: float, offset: float) -> bool:
    """Says whether a call multiplies by one number and adds another one."""
    affine = step.affine
    return (
        affine is not None
        and affine.scalar
        and bool(np.isclose(affine.scale, scale, rtol=1e-4))
        and bool(np.isclose(affine.offset, offset, rtol=1e-6, atol=1e-7))
    )

"""`strip`: the ordinary model inside an aware one."""

from __future__ import annotations

from typing import Any

import keras

from trimtab.errors import ModelError
from trimtab.models._clone import copied_layer, remaking, settle
from trimtab.quantization._fake_quantizer import FakeQuantizer
from trimtab.quantization._steps import Step, Tensor, steps_of
from trimtab.quantization._switches import check_aware
from trimtab.quantization.layers import (
    QuantizedAdd,
    QuantizedAveragePooling2D,
    QuantizedGlobalAveragePooling2D,
    QuantizedHardSigmoid,
    QuantizedHardSwish,
    QuantizedLeakyReLU,
    QuantizedLoneReLU,
    QuantizedMultiply,
    QuantizedReLU,
    QuantizedSubtract,
    QuantizedSwish,
    QuantizedWeights,
)

__all__ = ["strip"]

_ACTIVATIONS: dict[type, str] = {
    QuantizedHardSigmoid: "hard_sigmoid",
    QuantizedHardSwish: "hard_silu",
    QuantizedSwish: "silu",
}

_PLAIN: dict[type, Any] = {
    QuantizedAdd: keras.layers.Add,
    QuantizedAveragePooling2D: keras.layers.AveragePooling2D,
    QuantizedGlobalAveragePooling2D: keras.layers.GlobalAveragePooling2D,
    QuantizedMultiply: keras.layers.Multiply,
    QuantizedSubtract: keras.layers.Subtract,
}


def strip(model: keras.Model, snap: bool = True) -> keras.Model:
    """Returns an ordinary Keras model of plain layers, without quantizers, with the trained weights.

    Activations are not rounded in it. The aware model stays as it is.

    Args:
        model: an aware model.
        snap: whether kernels and biases lie on the grid of the file's integers; if not, they are as trained.

    Raises:
        ModelError: the model has no quantizers.

    Example:
        >>> plain = trimtab.quantization.strip(result.model)
        >>> trimtab.export(plain, "model-float.tflite")
    """
    check_aware(model, "strip()")
    with remaking(model):
        plain = _without_quantizers(model, snap)
    settle(plain)
    return plain


def _without_quantizers(model: keras.Model, snap: bool) -> keras.Model:
    """Makes the layers and calls them one on the other."""
    steps = steps_of(model)
    made: dict[Tensor, Any] = {}
    layers: dict[int, Any] = {}
    inputs = [keras.Input(batch_shape=old.shape, dtype=old.dtype, name=old.name) for old in model.inputs]
    made.update(zip(steps.inputs, inputs, strict=True))
    for step in steps.steps:
        if isinstance(step.operation, FakeQuantizer):
            given = made[step.inputs[0]]
        else:
            given = _called(step, layers, made, snap)
        made.update(zip(step.outputs, keras.tree.flatten(given), strict=True))
    outputs = keras.tree.map_structure(lambda tensor: made[tensor], steps.outputs)
    if isinstance(outputs, list | tuple) and len(outputs) == 1:
        outputs = outputs[0]
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs, name=model.name)


def _called(step: Step, layers: dict[int, Any], made: dict[Tensor, Any], snap: bool) -> Any:
    """Calls the plain layer of a step."""
    old = step.operation
    args, named = keras.tree.map_structure(
        lambda part: made[part] if isinstance(part, Tensor) else part, step.arguments
    )
    new = layers.get(id(old))
    if new is not None:
        return new(*args, **named)
    new = layers[id(old)] = _plain(old)
    given = new(*args, **named)
    if isinstance(old, QuantizedWeights):
        source: Any = old
        kernel, bias = source.on_grid() if snap else (source.kernel, source.bias)
        new.kernel.assign(kernel)
        if bias is not None:
            new.bias.assign(bias)
    elif new is not old and old.weights and type(new) is type(old):
        new.set_weights(old.get_weights())
    return given


def _plain(old: Any) -> Any:
    """Makes the plain layer that an aware one stands for."""
    if not isinstance(old, keras.Layer):
        return old
    if isinstance(old, QuantizedWeights):
        kind: Any = old
        new = kind.plain.from_config(kind.plain_config())
    elif type(old) in _ACTIVATIONS:
        new = keras.layers.Activation(_ACTIVATIONS[type(old)], name=old.name, dtype=old.dtype)
    elif isinstance(old, QuantizedLeakyReLU):
        new = keras.layers.ReLU(old.most, old.slope, name=old.name, dtype=old.dtype)
    elif isinstance(old, QuantizedReLU | QuantizedLoneReLU):
        new = keras.layers.ReLU(old.most, name=old.name, dtype=old.dtype)
    elif type(old) in _PLAIN:
        new = _PLAIN[type(old)].from_config(old.get_config())
    elif getattr(old, "carries_ranges", False):
        raise ModelError(
            f"Layer {old.name!r} ({type(old).__name__}) does not say which plain layer it stands for."
        )
    else:
        new = copied_layer(old)
    new.trainable = old.trainable
    return new

"""Which layer a wrong file goes wrong at."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trimtab._quiet import quiet_native_logs
from trimtab.litert._inspect import inspect
from trimtab.litert._layer_names import owners, suffix

__all__ = ["first_diverging_layer"]

_IMAGES = 16


def first_diverging_layer(model: keras.Model, content: bytes, images: np.ndarray, limit: float) -> str | None:
    """Returns the name of the first layer whose output in the file differs from Keras'.

    The converter names a tensor after the layers it came from. So the file runs in the plain reference
    kernels with all its tensors kept, and each tensor that is the last of a layer's is compared with that
    layer's output in Keras. What the converter fused or renamed is skipped.

    Args:
        model: a Functional or Sequential model; layers inside a nested model count as that one.
        content: the file's bytes.
        images: float32 (n, height, width, channels); a few are used.
        limit: mean error, as a share of the layer's spread, from which on a layer differs.

    Returns:
        The layer's name, or the names of layers that the converter fused into one operator, joined by
        " + "; None where it cannot be told, or where no layer differs in the reference
        kernels.
    """
    images = images[:_IMAGES]
    try:
        wanted = _layer_outputs(model, images)
        tensors = _tensors_kept(content, images)
    except Exception:
        # A model that runs as a whole need not run layer by layer, and a refused file need not run in the
        # reference kernels: whatever that raises must not take the place of the error that is on its way.
        return None
    end = suffix(model.name, (name for name, _ in tensors))
    if end is None:
        return None
    layers = list(wanted)
    makers = [owners(name, layers, end) for name, _ in tensors[:-1]]
    makers.append(layers[-1:])  # the file's output has a name of its own
    for at, (_, values) in enumerate(tensors):
        last_of = [layer for layer in makers[at] if not any(layer in later for later in makers[at + 1 :])]
        errors = [_error(wanted[la], values) for la in last_of if wanted[la].shape == values.shape]
        # `not <=`, so that NaN differs too.
        if errors and not min(errors) <= limit:
            return " + ".join(last_of)
    return None


def _layer_outputs(model: keras.Model, images: np.ndarray) -> dict[str, np.ndarray]:
    """Returns what each layer gives for `images`, in the order in which they compute."""
    layers = [layer for layer in model.layers if _has_one_output(layer)]
    outputs = keras.Model(model.inputs[0], [layer.output for layer in layers])(images, training=False)
    return {
        layer.name: np.asarray(keras.ops.convert_to_numpy(output), np.float32)
        for layer, output in zip(layers, outputs, strict=True)
    }


def _has_one_output(layer: Any) -> bool:
    """True for a layer that is called once and gives one tensor; not for the input."""
    try:
        return not isinstance(layer, keras.layers.InputLayer) and hasattr(layer.output, "shape")
    except (AttributeError, ValueError):
        return False


def _tensors_kept(content: bytes, images: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Runs the file and returns its computed tensors (name, float32 (n, ...)), the output last.

    They come in the file's order, which is the order of the operators that make them.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with quiet_native_logs():
        interpreter = Interpreter(
            model_content=content,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
    given, made = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    stored = inspect(content).tensors  # the interpreter's own scratch tensors come after these
    computed = [
        details
        for details in interpreter.get_tensor_details()
        if details["index"] < len(stored)
        and not stored[details["index"]].constant
        and details["index"] not in (given["index"], made["index"])
        and stored[details["index"]].shape[:1] == (1,)
    ]
    computed.append(made)
    kept: list[list[np.ndarray]] = [[] for _ in computed]
    for image in images:
        interpreter.set_tensor(given["index"], _as_input(image[None], given))
        interpreter.invoke()
        for details, values in zip(computed, kept, strict=True):
            values.append(interpreter.get_tensor(details["index"]))
    return [
        (details["name"], _dequantized(np.concatenate(values), details))
        for details, values in zip(computed, kept, strict=True)
    ]


def _as_input(image: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Returns an image in the number type of the file's input."""
    scale, zero_point = details["quantization"]
    if not scale:
        return image.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    steps: np.ndarray = np.clip(np.rint(image / scale) + zero_point, limits.min, limits.max)
    return steps.astype(details["dtype"])


def _dequantized(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Returns a tensor's values as float32."""
    scale, zero_point = details["quantization"]
    numbers: np.ndarray = values.astype(np.float32)
    if scale:
        numbers = (numbers - np.float32(zero_point)) * np.float32(scale)
    return numbers


def _error(wanted: np.ndarray, got: np.ndarray) -> float:
    """Returns the mean error as a share of the spread."""
    spread = float(np.std(wanted)) or float(np.max(np.abs(wanted))) or 1.0
    return float(np.mean(np.abs(wanted.astype(np.float64) - got))) / spread

"""From an ordinary Keras model to the bytes of a LiteRT file."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from trimtab import _keras_internals
from trimtab._quiet import quiet_native_logs
from trimtab._temporary import temporary_folder
from trimtab.errors import ConfigError, ConversionError, ModelError, first_line
from trimtab.litert._fake_quantized import (
    carries_ranges,
    check_ranges,
    held_apart,
    refuse_float_islands,
    refuse_other_bits,
)
from trimtab.litert._plain import plain_model
from trimtab.litert._scheme import Scheme
from trimtab.litert._scheme import scheme as find_scheme
from trimtab.litert._signature import image_shape_of, predict

__all__ = ["convert", "refuse_quantized"]


def convert(
    model: keras.Model,
    scheme: str | Scheme = "float32",
    images: np.ndarray | None = None,
    *,
    image_shape: tuple[int, int, int] | None = None,
) -> bytes:
    """Converts a Keras image classifier to a LiteRT file, and returns the file's bytes.

    The model is exported as a SavedModel of fixed batch 1 into a temporary folder, and converted from
    there with LiteRT's builtin operators only: no Flex (TensorFlow) operators, which small devices
    lack. The model stays as it is, compiled state and all. On a Keras backend other than TensorFlow the
    same happens in a process of its own, which reads the model from a `.keras` file.

    A model that carries its ranges (`carries_ranges`) converts to the static scheme that it carries, with
    no images; a file of it that computes in float where the model means integers is refused.

    This function proves nothing: hand its result to `check_parity`, or use `trimtab.export`, which does.

    Args:
        model: a built classifier of one image input and one (batch, classes) output.
        scheme: a scheme or its name; see `SCHEMES`.
        images: training images to calibrate with, float32 (n, height, width, channels), scaled as the
            model takes them. Needed by the static schemes (50 to 500 do), not used by the others.
        image_shape: (height, width, channels) where the model leaves its size open and there are no
            `images`.

    Raises:
        ConfigError: the scheme is unknown, needs images that were not given, or is not the one that a model
            carries the ranges for.
        ModelError: the model cannot be used, is quantized already, or holds numbers that are not finite.
        ConversionError: the converter refused the model; says which operator it lacks, where it says so.
        MissingExtraError: the scheme needs `ai-edge-quantizer`, which is not installed.
    """
    kind = find_scheme(scheme)
    refuse_quantized(model)
    aware = carries_ranges(model)
    if aware:
        check_ranges(model, kind)
    elif kind.route == "fake-quantized":
        raise ConfigError(
            f"The scheme {kind.name!r} is made of a model that carries its ranges. Use trimtab.export, which "
            "prepares one, or trimtab.quantization.calibrated(model, images, weights_bits=4)."
        )
    calibration = _calibration(images, kind) if kind.static and not aware else None
    if images is not None:
        image_shape = tuple(int(side) for side in images.shape[1:])  # type: ignore[assignment]
    shape = image_shape_of(model, image_shape)
    if kind.route == "edge-quantizer":
        from trimtab.litert._edge_quantizer import quantize_file, required

        required()  # before the conversion, which takes a while
        return quantize_file(convert(model, "float32", image_shape=shape), kind)
    _check_finite(model, calibration)
    plain = plain_model(model)
    if keras.config.backend() != "tensorflow":
        from trimtab.litert._other_backend import convert_elsewhere

        return convert_elsewhere(plain, kind, calibration, shape)
    with temporary_folder() as folder:
        with held_apart(plain) if aware else contextlib.nullcontext():
            _save(plain, str(folder), shape)
        content = _convert_saved(str(folder), kind, calibration, model.name)
    if aware:
        refuse_other_bits(model, content, kind)
        refuse_float_islands(plain, content)
    return content


def refuse_quantized(model: keras.Model) -> None:
    """Refuses a model whose weights Keras has made integers of already."""
    for layer in _keras_internals.all_layers(model):
        mode = getattr(getattr(layer, "dtype_policy", None), "quantization_mode", None)
        if mode is not None:
            raise ModelError(
                f"Layer {layer.name!r} of model {model.name!r} is quantized already (Keras' {mode!r}): its "
                "float weights are gone, and LiteRT has no operators for it. Take the model as it was "
                "before model.quantize()."
            )


def _calibration(images: np.ndarray | None, scheme: Scheme) -> np.ndarray:
    """Returns the calibration images, checked."""
    if images is None or len(images) == 0:
        raise ConfigError(
            f"The {scheme.name} scheme needs training images to calibrate the ranges with; none were given. "
            "Give data= (or images=), or choose the scheme 'dynamic-int8'."
        )
    if images.ndim != 4 or not np.issubdtype(images.dtype, np.floating):
        raise ConfigError(
            "Calibration images are float32 (n, height, width, channels), scaled as the model takes them. "
            f"Received: {images.dtype} {images.shape}"
        )
    if not np.isfinite(images).all():
        raise ConfigError("The calibration images hold NaN or infinite pixels. Clean the data first.")
    return np.ascontiguousarray(images, np.float32)


def _check_finite(model: keras.Model, calibration: np.ndarray | None) -> None:
    """Refuses weights and outputs that are not finite: the converter's native code dies of them."""
    for variable in model.weights:
        if not np.isfinite(variable.numpy().astype(np.float64)).all():
            raise ModelError(
                f"Weight {variable.path!r} of model {model.name!r} holds NaN or infinite numbers. Train "
                "again with a smaller learning rate, or load an earlier checkpoint."
            )
    if calibration is not None and not np.isfinite(predict(model, calibration)).all():
        raise ModelError(
            f"Model {model.name!r} gives NaN or infinite outputs on the calibration images, though its "
            "weights are finite. Look for a logarithm, root or division in its layers."
        )


def _save(model: keras.Model, folder: str, shape: tuple[int, int, int]) -> None:
    """Writes `model` as a SavedModel of batch 1."""
    signature = [keras.InputSpec(shape=(1, *shape), dtype="float32")]
    try:
        with quiet_native_logs(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TensorFlow's and Keras' own, about what they call themselves
            model.export(folder, format="tf_saved_model", verbose=False, input_signature=signature)
    except OSError:
        raise  # told by `temporary_folder`
    except Exception as error:
        raise ConversionError(
            f"Model {model.name!r} cannot be traced by TensorFlow: {first_line(error)}. A custom layer must "
            "use keras.ops on its inputs only."
        ) from error


def _convert_saved(folder: str, scheme: Scheme, calibration: np.ndarray | None, name: str) -> bytes:
    """Converts the SavedModel in `folder`."""
    import tensorflow as tf

    try:
        with quiet_native_logs(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside the converter, which users cannot mend
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            _configure(converter, tf, scheme, calibration)
            return bytes(converter.convert())
    except Exception as error:
        raise ConversionError(_refusal(name, scheme, str(error))) from error


def _configure(converter: Any, tf: Any, scheme: Scheme, calibration: np.ndarray | None) -> None:
    """Sets the converter's options for `scheme`."""
    sets = tf.lite.OpsSet
    converter.target_spec.supported_ops = [sets.TFLITE_BUILTINS]
    if scheme.weights == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme.weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if scheme.static and scheme.io != "float32":
        converter.inference_input_type = tf.as_dtype(scheme.io)
        converter.inference_output_type = tf.as_dtype(scheme.io)
    if calibration is not None:  # else the ranges are in the model, or there are none
        wide = sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        integers = wide if scheme.activations == "int16" else sets.TFLITE_BUILTINS_INT8
        converter.target_spec.supported_ops = [integers]

        def representative() -> Iterator[list[np.ndarray]]:
            for at in range(len(calibration)):
                yield [calibration[at : at + 1]]

        converter.representative_dataset = representative


def _refusal(name: str, scheme: Scheme, message: str) -> str:
    """Says in one line what the converter could not do: which operators, and in which layer."""
    ops = dict.fromkeys(re.findall(r"'tf\.(\w+)' op is neither a custom op nor a flex op", message))
    if ops:
        where = list(dict.fromkeys(re.findall(r"\"([^\"@:]+)/\w+@", message)))
        place = f" (at {where[0]})" if where else ""
        return (
            f"LiteRT has no builtin operator for {', '.join(ops)}{place}, which model {name!r} uses. Replace "
            "the layer by one made of builtin operators; Trimtab does not ship files that need TensorFlow's."
        )
    return (
        f"The LiteRT converter refused model {name!r} in scheme {scheme.name!r}: {first_line(message)}. Try "
        "the scheme 'float32' to see whether quantization is what it cannot do."
    )

"""Quantizing ready-made float files with `ai-edge-quantizer`: int4, blocks, and layers kept float.

It takes the file itself, so it also serves files whose model is lost. Its own static calibration is a moving
average of each image's smallest and largest numbers, which depends on the images' order; here it is given
the true ones.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trimtab._quiet import quiet_native_logs
from trimtab.errors import ConfigError, ConversionError, MissingExtraError, ModelError, first_line
from trimtab.litert._inspect import FileSummary, inspect, read_content
from trimtab.litert._model import LiteRTModel
from trimtab.litert._operators import Operator, operators
from trimtab.litert._scheme import Scheme
from trimtab.litert._scheme import scheme as find_scheme

__all__ = ["quantize_file", "required"]


def required() -> None:
    """Makes sure that `ai-edge-quantizer` is there.

    Raises:
        MissingExtraError: it is not installed.
    """
    if importlib.util.find_spec("ai_edge_quantizer") is None:
        raise MissingExtraError(
            "ai-edge-quantizer", "edge-quantizer", "for dynamic int4 weights and to quantize .tflite files"
        )


def quantize_file(
    content: bytes,
    scheme: str | Scheme,
    images: np.ndarray | None = None,
    *,
    keep_float: Sequence[str] = (),
) -> bytes:
    """Quantizes a ready-made float LiteRT file, and returns the new file's bytes.

    For files whose Keras model is lost, and for the schemes that TensorFlow's converter does not know. Where
    there is a model, `convert` and `trimtab.export` choose the better route themselves. Nothing is proved
    here: compare the two files on your images.

    Args:
        content: bytes of a float32 file.
        scheme: dynamic or static; float32 and float16 are not made here.
        images: to calibrate a static scheme with, float32 (n, height, width, channels), scaled as the file
            takes them.
        keep_float: names of layers, as they stand in the names of the file's tensors, that stay float32.

    Raises:
        ConfigError: the scheme is no quantized one, or needs images that were not given.
        ModelError: the file is quantized already, or holds numbers that are not finite.
        ConversionError: it cannot be read, or the quantizer refused it.
        MissingExtraError: `ai-edge-quantizer` is not installed.

    Example::

        small = litert.quantize_file(pathlib.Path("float.tflite").read_bytes(), "dynamic-int4")
    """
    kind = find_scheme(scheme)
    if not kind.quantized:
        raise ConfigError(
            f"A float file is quantized to integers: 'int8', 'dynamic-int8', 'dynamic-int4', say. Received: "
            f"scheme={kind.name!r}."
        )
    content, name = read_content(content)
    summary = inspect(content)
    _refuse_quantized(summary, name)
    _check_layers(keep_float, summary)
    required()
    calibrating = _images(images, kind, content) if kind.static else None
    try:
        with _silence():
            made = _quantized(content, kind, calibrating, keep_float)
    except (ConfigError, ModelError):
        raise
    except Exception as error:
        raise ConversionError(
            f"ai-edge-quantizer refused the file in scheme {kind.name!r}: {first_line(error)}. Try the "
            "scheme 'dynamic-int8', or convert the model itself."
        ) from error
    if not any(tensor.quantized or tensor.dtype in ("int4", "int8") for tensor in inspect(made).tensors):
        raise ConversionError(
            f"Nothing in the file could be quantized in scheme {kind.name!r}: it has no kernel that LiteRT "
            f"runs so ({', '.join(summary.ops)}). Choose another scheme."
        )
    return made


def _refuse_quantized(summary: FileSummary, name: str) -> None:
    """Refuses a file that has integers for real numbers already, or float16."""
    for tensor in summary.tensors:
        if tensor.quantized or tensor.dtype in ("int4", "float16"):
            raise ModelError(
                f"{name} is quantized already: its tensor {tensor.name!r} is {tensor.dtype}. Quantize the "
                "float32 file that it was made from."
            )


def _check_layers(keep_float: Sequence[str], summary: FileSummary) -> None:
    """Refuses names that no tensor has."""
    if isinstance(keep_float, str):
        raise ConfigError(f"keep_float is a list of names. Received: {keep_float!r}. Write [{keep_float!r}].")
    for layer in keep_float:
        if not any(re.search(_pattern(layer), tensor.name) for tensor in summary.tensors):
            raise ConfigError(
                f"keep_float: no tensor of the file is named after a layer {layer!r}. inspect(file).tensors "
                "lists their names."
            )


def _images(images: np.ndarray | None, scheme: Scheme, content: bytes) -> np.ndarray:
    """Returns the calibration images, checked."""
    if images is None or len(images) == 0:
        raise ConfigError(
            f"The {scheme.name} scheme needs images to calibrate the ranges with; none were given. Give "
            "images=, or choose the scheme 'dynamic-int8'."
        )
    quantized = LiteRTModel(content).quantize(images)  # checks shape and type; a float file changes nothing
    if not np.isfinite(quantized).all():
        raise ConfigError("The calibration images hold NaN or infinite pixels. Clean the data first.")
    return quantized


def _pattern(layer: str) -> str:
    """Returns a pattern for tensors of a layer: a whole part of the name, with or without a number."""
    return rf"(^|[/;]){re.escape(layer)}(_\d+)?([/;]|$)"


def _quantized(content: bytes, scheme: Scheme, images: np.ndarray | None, keep_float: Sequence[str]) -> bytes:
    """Does the work."""
    from ai_edge_quantizer import quantizer

    worker = quantizer.Quantizer(bytearray(content))
    _configure(worker, scheme, keep_float, _indivisible(content, scheme.block))
    ranges = _ranges(content, images) if images is not None else None
    made = worker.quantize(ranges).quantized_model
    if made is None:
        raise ConversionError("ai-edge-quantizer gave no file.")
    return bytes(made)


def _indivisible(content: bytes, block: int | None) -> list[str]:
    """Names the outputs of dense layers whose inputs are no whole number of blocks."""
    return [
        operator.outputs[0].name
        for operator in operators(content)
        if block and operator.name == "FULLY_CONNECTED" and _taken(operator) % block
    ]


def _taken(operator: Operator) -> int:
    """Returns how many numbers each output of a dense layer is made of."""
    kernel = operator.inputs[1]
    return kernel.shape[-1] if kernel is not None else 0


def _configure(worker: Any, scheme: Scheme, keep_float: Sequence[str], indivisible: Sequence[str]) -> None:
    """Says what becomes of which operators; what comes later goes first."""
    from ai_edge_quantizer import algorithm_manager, qtyping

    every = qtyping.TFLOperationName.ALL_SUPPORTED

    def weights(bits: int, block: int | None = None) -> Any:
        grain = "CHANNELWISE" if block is None else f"BLOCKWISE_{block}"
        return qtyping.TensorQuantizationConfig(
            num_bits=bits, symmetric=True, granularity=qtyping.QuantGranularity[grain]
        )

    def rule(weight: Any) -> Any:
        activation = None
        if scheme.static:
            bits = 16 if scheme.activations == "int16" else 8
            activation = qtyping.TensorQuantizationConfig(num_bits=bits, symmetric=bits == 16)
        return qtyping.OpQuantizationConfig(
            activation_tensor_config=activation,
            weight_tensor_config=weight,
            compute_precision=qtyping.ComputePrecision.INTEGER,
            explicit_dequantize=False,
        )

    # Operators that the narrower rule has no kernel for keep the wider one.
    worker.update_quantization_recipe(".*", every, rule(weights(8)))
    if scheme.weights == "int4":
        for operator in ("FULLY_CONNECTED", "CONV_2D") if scheme.static else ("FULLY_CONNECTED",):
            name = qtyping.TFLOperationName[operator]
            worker.update_quantization_recipe(".*", name, rule(weights(4, scheme.block)))
        for output in indivisible:
            dense = qtyping.TFLOperationName.FULLY_CONNECTED
            worker.update_quantization_recipe(f"^{re.escape(output)}", dense, rule(weights(4)))
    none = algorithm_manager.AlgorithmName.NO_QUANTIZE
    if scheme.static and scheme.io == "float32":
        for edge in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
            worker.update_quantization_recipe(".*", edge, None, none)
    for layer in keep_float:
        worker.update_quantization_recipe(_pattern(layer), every, None, none)


def _ranges(content: bytes, images: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Returns the smallest and the largest number of each computed tensor over all images, by its name."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]
    tensors = inspect(content).tensors
    found: dict[str, tuple[float, float]] = {}
    ranks = {tensor.name: len(tensor.shape) for tensor in tensors}
    for at in range(len(images)):
        interpreter.set_tensor(given, images[at : at + 1])
        interpreter.invoke()
        for index, tensor in enumerate(tensors):
            if tensor.dtype != "float32" or tensor.constant:
                continue
            values = interpreter.get_tensor(index)
            low, high = found.get(tensor.name, (np.inf, -np.inf))
            found[tensor.name] = (min(low, float(values.min())), max(high, float(values.max())))
    for name, ends in found.items():
        if not np.isfinite(ends).all():
            raise ModelError(f"Tensor {name!r} of the file is NaN or infinite on the calibration images.")
    return {
        name: {
            "min": np.full((1,) * ranks[name], low, np.float32),
            "max": np.full((1,) * ranks[name], high, np.float32),
        }
        for name, (low, high) in found.items()
    }


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keeps the package's progress bars and remarks off the terminal."""
    import warnings

    with (
        quiet_native_logs(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield

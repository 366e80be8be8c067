"""A LiteRT file that is called like a function."""

from __future__ import annotations

import os

import numpy as np

from trimtab._quiet import quiet_native_logs
from trimtab.errors import ConfigError, ConversionError, first_line
from trimtab.litert._inspect import FileSummary, inspect, read_content

__all__ = ["LiteRTModel"]

_FLOATS = (np.float32, np.float16)
_INTEGERS = (np.int8, np.uint8, np.int16)
_CHUNK = 1024  # images quantized at once: bounds the memory that takes


class LiteRTModel:
    """Runs a LiteRT file on images, one at a time, as a device does.

    Images come and scores go as float32. Where the file takes integers, images are quantized as LiteRT's
    own kernels do it: ``round(pixel / scale) + zero_point`` in float32, halves to the even number,
    clamped to the type's range. One object serves one thread at a time.

    Args:
        source: path of a `.tflite` file, or its bytes.
        threads: threads the interpreter computes with, 1 by default.

    Raises:
        ModelError: there is no such file.
        ConversionError: it is not a LiteRT file, is truncated, needs operators that LiteRT lacks, or is
            not an image classifier of batch 1.
        ConfigError: `threads` is not a positive whole number.

    Example::

        scores = LiteRTModel("digits.tflite")(data.test.inputs())   # float32 (n, classes)
    """

    def __init__(self, source: str | os.PathLike[str] | bytes, threads: int = 1) -> None:
        if not isinstance(threads, int) or threads < 1:
            raise ConfigError(f"threads is a whole number of at least 1. Received: {threads!r}")
        from ai_edge_litert.interpreter import Interpreter

        content, self._name = read_content(source)
        try:
            with quiet_native_logs():
                self._interpreter = Interpreter(model_content=content, num_threads=threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ConversionError(
                f"{self._name} does not run in LiteRT: {first_line(error)}. Convert the model "
                "again with builtin operators only."
            ) from error
        self.threads = threads
        self._content = content
        self._summary: FileSummary | None = None
        self._read_edges()

    def _read_edges(self) -> None:
        """Reads types, shapes and quantization of input and output."""
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ConversionError(
                f"{self._name} has {len(inputs)} inputs and {len(outputs)} outputs; an image "
                "classifier has one of each."
            )
        given, made = inputs[0], outputs[0]
        shape, scores = tuple(map(int, given["shape"])), tuple(map(int, made["shape"]))
        if len(shape) != 4 or shape[0] != 1 or len(scores) != 2 or scores[0] != 1:
            raise ConversionError(
                f"{self._name} takes {shape} and gives {scores}; an image classifier of batch 1 takes "
                "(1, height, width, channels) and gives (1, classes)."
            )
        for side, details in (("input", given), ("output", made)):
            if details["dtype"] not in (*_FLOATS, *_INTEGERS):
                raise ConversionError(
                    f"{self._name} has {side} of type {np.dtype(details['dtype']).name}; float32, float16, "
                    "int8, uint8 and int16 are understood."
                )
        self.input_shape: tuple[int, int, int] = (shape[1], shape[2], shape[3])
        self.classes: int = scores[1]
        self.input_dtype, self.output_dtype = np.dtype(given["dtype"]), np.dtype(made["dtype"])
        self.input_quantization: tuple[float, int] = given["quantization"]
        self.output_quantization: tuple[float, int] = made["quantization"]
        self._input, self._output = given["index"], made["index"]

    @property
    def summary(self) -> FileSummary:
        """What the file holds; see `inspect`."""
        if self._summary is None:
            self._summary = inspect(self._content)
        return self._summary

    @property
    def ends_in_softmax(self) -> bool:
        """True where the scores are probabilities already."""
        return self.summary.ends_in_softmax

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Returns the class scores of images.

        Args:
            images: float32 (n, height, width, channels), scaled as the Keras model took them.

        Returns:
            float32 (n, classes).

        Raises:
            ConversionError: the images have another shape than the file takes.
        """
        return self.dequantize(self.run_raw(self.quantize(images)))

    def quantize(self, images: np.ndarray) -> np.ndarray:
        """Returns images in the number type of the file's input, as a device would feed them."""
        images = np.asarray(images)
        if images.ndim != 4 or images.shape[1:] != self.input_shape:
            raise ConversionError(
                f"{self._name} takes images of shape (n, {', '.join(map(str, self.input_shape))}). "
                f"Received: {images.shape}"
            )
        if not np.issubdtype(images.dtype, np.floating):
            raise ConversionError(
                f"{self._name} is called with float images, scaled as the model took them; Split.inputs() "
                f"gives them. Received: {images.dtype}. (run_raw() takes the file's own {self.input_dtype}.)"
            )
        if self.input_dtype.type in _FLOATS or not self.input_quantization[0]:
            return np.ascontiguousarray(images, self.input_dtype)
        return _quantized(images, self.input_dtype, *self.input_quantization)

    def run_raw(self, images: np.ndarray) -> np.ndarray:
        """Runs images of the file's own number type; returns outputs of its own number type.

        Args:
            images: (n, height, width, channels) of `input_dtype`.

        Returns:
            (n, classes) of `output_dtype`.
        """
        if images.shape[1:] != self.input_shape or images.dtype != self.input_dtype:
            raise ConversionError(
                f"{self._name} takes {self.input_dtype} (n, {', '.join(map(str, self.input_shape))}). "
                f"Received: {images.dtype} {images.shape}"
            )
        outputs = np.empty((len(images), self.classes), self.output_dtype)
        put, run, get = (
            self._interpreter.set_tensor,
            self._interpreter.invoke,
            self._interpreter.get_tensor,
        )
        given, made = self._input, self._output
        for at in range(len(images)):
            put(given, images[at : at + 1])
            run()
            outputs[at] = get(made)
        return outputs

    def dequantize(self, outputs: np.ndarray) -> np.ndarray:
        """Returns outputs of the file's number type as float32."""
        scale, zero_point = self.output_quantization
        if self.output_dtype.type in _FLOATS or not scale:
            return outputs.astype(np.float32)
        return (outputs.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def _quantized(images: np.ndarray, dtype: np.dtype, scale: float, zero_point: int) -> np.ndarray:
    """Quantizes images, a bounded number at a time."""
    limits = np.iinfo(dtype)
    quantized = np.empty(images.shape, dtype)
    for at in range(0, len(images), _CHUNK):
        steps = images[at : at + _CHUNK] / np.float32(scale)
        np.rint(steps, out=steps)
        steps += zero_point
        np.nan_to_num(steps, copy=False, nan=float(zero_point))
        quantized[at : at + _CHUNK] = np.clip(steps, limits.min, limits.max, out=steps)
    return quantized

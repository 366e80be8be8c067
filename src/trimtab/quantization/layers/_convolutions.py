"""Convolutions with quantized kernels: a step for each output channel."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from trimtab.quantization._grid import fake_quantized_weights
from trimtab.quantization.layers._quantized_weights import QuantizedWeights

__all__ = [
    "QuantizedConv1D",
    "QuantizedConv2D",
    "QuantizedConv2DTranspose",
    "QuantizedDepthwiseConv2D",
]


@keras.saving.register_keras_serializable("trimtab")
class QuantizedConv2D(QuantizedWeights, keras.layers.Conv2D):
    """A `keras.layers.Conv2D` that computes with an int8 (or int4) kernel; see `QuantizedWeights`."""

    channel_axes = (3,)
    unpacks_int4 = True
    plain = keras.layers.Conv2D

    def linear(self, inputs: Any, kernel: Any) -> Any:
        """Computes the convolution alone."""
        return self.convolution_op(inputs, kernel)


@keras.saving.register_keras_serializable("trimtab")
class QuantizedConv1D(QuantizedWeights, keras.layers.Conv1D):
    """A `keras.layers.Conv1D` that computes with an int8 (or int4) kernel; see `QuantizedWeights`."""

    channel_axes = (2,)
    unpacks_int4 = True
    plain = keras.layers.Conv1D

    def linear(self, inputs: Any, kernel: Any) -> Any:
        """Computes the convolution alone, as LiteRT does: as one over images of one row."""
        padding = self.padding
        if padding == "causal":
            left = self.dilation_rate[0] * (self.kernel_size[0] - 1)
            inputs, padding = ops.pad(inputs, [[0, 0], [left, 0], [0, 0]]), "valid"
        if len(kernel.shape) == 3:
            kernel = ops.expand_dims(kernel, 0)
        outputs = ops.conv(
            ops.expand_dims(inputs, 1),
            kernel,
            strides=[1, *self.strides],
            padding=padding,
            dilation_rate=(1, *self.dilation_rate),
        )
        return outputs if self.converting else ops.squeeze(outputs, 1)

    def converted_kernel(self) -> Any:
        """Returns the kernel of one row; the row comes before the rounding, or the converter fails."""
        return fake_quantized_weights(
            ops.expand_dims(self._kernel_on_grid(), 0), self._peaks(), self.weight_bits, 3
        )

    def _with_bias(self, outputs: Any, bias: Any) -> Any:
        """Adds the bias; for the converter before the row is taken away, so that it becomes one operator."""
        outputs = super()._with_bias(outputs, bias)
        return ops.squeeze(outputs, 1) if len(outputs.shape) == 4 else outputs


@keras.saving.register_keras_serializable("trimtab")
class QuantizedDepthwiseConv2D(QuantizedWeights, keras.layers.DepthwiseConv2D):
    """A `keras.layers.DepthwiseConv2D` with an int8 (or int4) kernel; see `QuantizedWeights`."""

    channel_axes = (2, 3)
    unpacks_int4 = True
    plain = keras.layers.DepthwiseConv2D

    def spread(self, channels: Any) -> Any:
        """Returns numbers of the output channels as the last two axes of the kernel."""
        layer: Any = self
        return ops.reshape(channels, layer.kernel.shape[-2:])

    def converted_kernel(self) -> Any:
        """Returns the rounded kernel with its last two axes in one, along which the steps lie."""
        kernel = self._kernel_on_grid()
        height, width, channels, multiplier = kernel.shape
        if multiplier == 1:
            return fake_quantized_weights(kernel, self._peaks(), self.weight_bits, 2)
        rows = ops.reshape(kernel, (height, width, 1, channels * multiplier))
        rows = fake_quantized_weights(rows, self._peaks(), self.weight_bits, 3)
        return ops.reshape(rows, kernel.shape)

    def linear(self, inputs: Any, kernel: Any) -> Any:
        """Computes the convolution alone."""
        return ops.depthwise_conv(
            inputs,
            kernel,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )


@keras.saving.register_keras_serializable("trimtab")
class QuantizedConv2DTranspose(QuantizedWeights, keras.layers.Conv2DTranspose):
    """A `keras.layers.Conv2DTranspose` with an int8 kernel; see `QuantizedWeights`.

    One step serves the whole kernel, and it keeps its 8 bits beside kernels of 4: with a step for each
    channel, or with 4 bits, LiteRT's converter fails.
    """

    channel_axes = ()
    fewest_bits = 8
    plain = keras.layers.Conv2DTranspose

    def spread(self, channels: Any) -> Any:
        """Returns numbers of the output channels as the last axis but one of the kernel."""
        return ops.expand_dims(channels, -1)

    def linear(self, inputs: Any, kernel: Any) -> Any:
        """Computes the transposed convolution alone."""
        return ops.conv_transpose(
            inputs,
            kernel,
            strides=list(self.strides),
            padding=self.padding,
            output_padding=self.output_padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )

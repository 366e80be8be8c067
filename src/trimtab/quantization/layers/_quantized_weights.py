"""What layers with a quantized kernel have in common; it is mixed into Keras' own classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from trimtab.errors import ConfigError
from trimtab.quantization._grid import fake_quantized_weights, rounded_if, snapped, through, weight_limit
from trimtab.quantization.layers._fixed_point import rescaled_steps
from trimtab.quantization.layers._source import Sources
from trimtab.quantization.layers._unfolding import Unfolding

__all__ = ["QuantizedWeights"]


class QuantizedWeights:
    """Rounds the kernel of a layer to integers, symmetric, with a step for each output channel.

    The step follows the largest weight of its channel at each moment. In training gradients pass through the
    rounding. At inference, where the quantizer of the input is known, the layer computes in whole numbers as
    LiteRT does: integer inputs times integer weights plus an integer bias, all exact in float32 up to 2^24,
    and only the sum is made a real number again. With that the outputs are those of the file.

    Args:
        *args: as for the Keras layer.
        weight_bits: 8, or 4.
        keep_zeros: weights that are 0 get no gradient, so that they stay 0 in any training.
        learned: whether the steps are trained (as shares of the largest weights).
        origin: the layers of the original model that it stands for.
        unfolded: how the kernel is trained apart from what it has taken in, as `Unfolding.config` says; None:
            it is trained as it is.
        **options: as for the Keras layer.

    Raises:
        ConfigError: `weight_bits` is another number.
    """

    carries_ranges = True
    converting = False
    """True while the model is written for LiteRT's converter, which wants its own operations."""

    channel_axes: tuple[int, ...] = (3,)
    """Axes of the kernel along which each place has a step of its own; none: one step for all."""
    fewest_bits = 4
    """What LiteRT's converter can make of the kernel at least."""
    unpacks_int4 = False
    """Whether LiteRT has no kernel of XNNPACK for it at 4 bits, and computes with one of its own."""
    plain: type
    """The layer of Keras that it is without quantization."""

    def __init__(
        self,
        *args: Any,
        weight_bits: int = 8,
        keep_zeros: bool = False,
        learned: bool = False,
        origin: Sequence[str] = (),
        unfolded: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        if weight_bits not in (4, 8):
            raise ConfigError(f"weight_bits is 8 or 4. Received: weight_bits={weight_bits!r}.")
        self.weight_bits, self.keep_zeros, self.learned = weight_bits, keep_zeros, learned
        self.origin = tuple(origin)
        self.unfolding = None if unfolded is None else Unfolding(**unfolded)
        self._sources, self._targets = Sources(), Sources()

    def build(self, input_shape: Any) -> None:
        """Makes kernel and bias as Keras does, then the switch and the shares."""
        super().build(input_shape)  # type: ignore[misc]
        layer: Any = self
        if self.unfolding is not None:
            self.unfolding.build(layer.compute_output_shape(input_shape))
        self.enabled = layer.add_weight(name="enabled", shape=(), initializer="ones", trainable=False)
        self.share = layer.add_weight(
            name="share", shape=self._steps_shape(), initializer="ones", trainable=self.learned
        )

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Notes, while a model's graph is built, where the input comes from."""
        self._sources.note(args[0] if args else kwargs["inputs"])
        return super().symbolic_call(*args, **kwargs)  # type: ignore[misc]

    def lead_to(self, quantizer: Any) -> None:
        """Notes, while a model's graph is built, which quantizer rounds the output."""
        self._targets.add(quantizer)

    def linear(self, inputs: Any, kernel: Any) -> Any:
        """Computes the layer without bias and activation."""
        raise NotImplementedError

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Computes with rounded weights; see the class."""
        if self.converting:
            outputs = self._with_bias(self.linear(inputs, self.converted_kernel()), self._converted_bias())
        elif training or self._sources.only is None:
            outputs = self._in_floats(inputs, training)
        else:
            outputs = self._in_whole_numbers(inputs, self._sources.only)
        layer: Any = self
        return outputs if layer.activation is None else layer.activation(outputs)

    def _in_floats(self, inputs: Any, training: bool | None) -> Any:
        """Computes with a kernel of rounded but real numbers, as a training does."""
        kernel = self._rounded_kernel(training)
        if training and self.unfolding is not None and self.unfolding.normalises:
            factors = ops.stop_gradient(self.spread(self.unfolding.factors()))
            return self.unfolding.norm(self.linear(inputs, kernel / factors), training=True)
        return self._with_bias(self.linear(inputs, kernel), self.folded_bias())

    def kernel_step(self) -> Any:
        """Returns the size of a step of the kernel, which the kernel's shape broadcasts with."""
        return self._peaks() / weight_limit(self.weight_bits)

    def _peaks(self) -> Any:
        """Returns the largest weight that is not clipped."""
        kernel = self.folded_kernel()
        axes = [axis for axis in range(len(kernel.shape)) if axis not in self.channel_axes]
        largest = ops.max(ops.abs(kernel), axis=axes, keepdims=True)
        # A channel of zeros has any step.
        largest = ops.stop_gradient(ops.where(largest > 0, largest, 1.0))
        return largest * ops.reshape(self.share, largest.shape)

    def folded_kernel(self) -> Any:
        """Returns the kernel that is rounded: with all that it has taken in."""
        layer: Any = self
        kernel = ops.convert_to_tensor(layer.kernel)
        if self.unfolding is None:
            return kernel
        kernel = kernel * self.unfolding.scale
        return kernel if self.unfolding.norm is None else kernel * self.spread(self.unfolding.factors())

    def folded_bias(self) -> Any:
        """Returns the bias of that kernel; None where there is none."""
        layer: Any = self
        if self.unfolding is None or self.unfolding.norm is None:
            return layer.bias
        return self.unfolding.offsets()

    def spread(self, channels: Any) -> Any:
        """Returns numbers of the output channels in a shape that the kernel's broadcasts with."""
        return channels

    def _rounded_kernel(self, training: bool | None) -> Any:
        """Returns the kernel on its grid, for float inputs."""
        kernel = self.folded_kernel()
        if self.keep_zeros and training:
            kernel = kernel * ops.stop_gradient(ops.cast(kernel != 0, kernel.dtype))
        limit = weight_limit(self.weight_bits)
        rounded = through(kernel, self.kernel_step(), -limit, limit)
        return rounded if training else ops.where(self.enabled > 0.5, rounded, kernel)

    def _in_whole_numbers(self, inputs: Any, source: Any) -> Any:
        """Computes as the file will, from what `source` has rounded."""
        step_in, _ = source.grid()
        step = self.kernel_step()
        limit = weight_limit(self.weight_bits)
        kernel = self.folded_kernel() / step
        on = self.enabled * source.enabled
        kernel = ops.where(self.enabled > 0.5, ops.clip(ops.round(kernel), -limit, limit), kernel)
        total = self.linear(rounded_if(inputs / step_in, source.enabled), kernel)
        size = step_in * ops.reshape(step, (-1,))
        bias = self.folded_bias()
        if bias is not None:
            total = total + rounded_if(bias / size, on)
        return self._rounded_sum(total, size, on)

    def _rounded_sum(self, total: Any, size: Any, on: Any) -> Any:
        """Returns a sum of whole numbers as real ones, rounded to the output's grid as LiteRT does."""
        target = self._targets.only
        if target is None:
            return total * size
        step, _ = target.grid()
        on = on * target.enabled
        factor = size / step
        own = self.unpacks_int4 and self.weight_bits == 4
        rounded = rescaled_steps(total, factor) if own else ops.round(total * factor)
        return ops.where(on > 0.5, rounded * step, total * size)

    def _converted_bias(self) -> Any:
        """Returns the bias on its grid, so that the converter cannot round it in another way."""
        source, bias = self._sources.only, self.folded_bias()
        if source is None or bias is None:
            return bias
        size = source.grid()[0] * ops.reshape(self.kernel_step(), (-1,))
        return ops.round(bias / size) * size

    def _with_bias(self, outputs: Any, bias: Any) -> Any:
        return outputs if bias is None else outputs + bias

    def converted_kernel(self) -> Any:
        """Returns the kernel with the operation in front of it that LiteRT's converter knows."""
        axis = self.channel_axes[0] if self.channel_axes else None
        return fake_quantized_weights(self._kernel_on_grid(), self._peaks(), self.weight_bits, axis)

    def _kernel_on_grid(self) -> Any:
        """Returns the kernel on its grid, so that the converter cannot round it in another way."""
        limit = weight_limit(self.weight_bits)
        return snapped(self.folded_kernel(), self.kernel_step(), -limit, limit)

    def _steps_shape(self) -> tuple[int, ...]:
        """Returns how many steps there are, as a shape: one row, so that nobody takes it for a kernel."""
        layer: Any = self
        return (math.prod(int(layer.kernel.shape[axis]) for axis in self.channel_axes),)

    def on_grid(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
        """Returns kernel and bias as the file holds them: whole numbers times their steps."""
        step = np.asarray(ops.convert_to_numpy(self.kernel_step()), np.float32)
        limit = weight_limit(self.weight_bits)
        kernel = np.asarray(ops.convert_to_numpy(self.folded_kernel()), np.float32)
        kernel = (np.clip(np.rint(kernel / step), -limit, limit) * step).astype(np.float32)
        folded = self.folded_bias()
        if folded is None:
            return kernel, None
        bias = np.asarray(ops.convert_to_numpy(folded), np.float32)
        if self._sources.only is not None:
            step_in = float(ops.convert_to_numpy(self._sources.only.grid()[0]))
            size = np.float32(step_in) * step.reshape(-1)
            bias = (np.rint(bias / size) * size).astype(np.float32)
        return kernel, bias

    def integers(self) -> npt.NDArray[np.int8]:
        """Returns the kernel's integers, in its shape."""
        kernel, _ = self.on_grid()
        step = np.asarray(ops.convert_to_numpy(self.kernel_step()), np.float32)
        return np.asarray(np.rint(kernel / step), np.int8)

    def _own(self) -> list[Any]:
        """Lists the variables that are saved, in order; Keras' convolutions save kernel and bias only."""
        layer: Any = self
        return [layer.kernel, *([] if layer.bias is None else [layer.bias]), self.enabled, self.share]

    def save_own_variables(self, store: Any) -> None:
        """Saves all variables."""
        for index, variable in enumerate(self._own()):
            store[str(index)] = variable

    def load_own_variables(self, store: Any) -> None:
        """Loads all variables."""
        for index, variable in enumerate(self._own()):
            variable.assign(store[str(index)])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        return {
            **super().get_config(),  # type: ignore[misc]
            "weight_bits": self.weight_bits,
            "keep_zeros": self.keep_zeros,
            "learned": self.learned,
            "origin": self.origin,
            **({} if self.unfolding is None else {"unfolded": self.unfolding.config()}),
        }

    def plain_config(self) -> dict[str, Any]:
        """Returns the config of the Keras layer without quantization."""
        config = self.get_config()
        for name in ("weight_bits", "keep_zeros", "learned", "origin", "unfolded"):
            config.pop(name, None)
        return config

    def parameters(self) -> int:
        """Returns how many numbers kernel and bias hold."""
        layer: Any = self
        return sum(math.prod(v.shape) for v in (layer.kernel, layer.bias) if v is not None)

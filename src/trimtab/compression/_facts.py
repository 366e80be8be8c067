"""What is known of a candidate before it is trained: bytes, memory, work and time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

__all__ = ["Facts", "counted", "facts_of"]

_PER_CHANNEL = 12  # bytes: an int32 bias, its scale, and the scale of the kernel


@dataclass(frozen=True)
class Facts:
    """What the file of a network costs, whatever its weights are.

    Args:
        parameters: numbers in the Keras model's weights.
        macs: multiply-accumulates for one image; None where they cannot be counted.
        bytes: of the file as it is shipped.
        gzip_bytes: of the file compressed; random weights compress no better than trained ones.
        memory_bytes: of activations that are alive at once; see `trimtab.benchmarking.arena_bytes`.
        latency_ms: for one image on this machine; None where nobody asked.
    """

    parameters: int
    macs: int | None
    bytes: int
    gzip_bytes: int
    memory_bytes: int
    latency_ms: float | None = None

    def to_plain(self) -> dict[str, Any]:
        """Returns the facts as plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def of_plain(cls, record: Mapping[str, Any]) -> Facts:
        """Returns the facts that a record tells of."""
        return cls(**{field.name: record.get(field.name) for field in dataclasses.fields(cls)})  # type: ignore[arg-type]


def counted(model: keras.Model) -> tuple[int, int]:
    """Counts what decides how large a model's int8 file is, without converting it.

    Batch normalisation becomes part of the layer before it; so a kernel takes a byte a number, each of its
    output channels 12 bytes more, and all else is the same for each width of a family.

    Returns:
        Numbers in the kernels, and output channels with a bias.
    """
    kernels = channels = 0
    for layer in model.layers:
        kernel = getattr(layer, "kernel", None)
        kernel = getattr(layer, "depthwise_kernel", None) if kernel is None else kernel
        if kernel is not None:
            shape = [int(side) for side in kernel.shape]
            depthwise = hasattr(layer, "depth_multiplier")
            kernels += _product(shape)
            channels += shape[-2] * shape[-1] if depthwise else shape[-1]
    return kernels, channels


def counted_bytes(kernels: float, channels: float) -> float:
    """Returns the bytes that a file needs for weights alone; the rest of it does not depend on the width."""
    return kernels + _PER_CHANNEL * channels


def facts_of(model: keras.Model, content: bytes) -> Facts:
    """Reads the facts of a network from its model and its converted file; the latency is not measured."""
    from trimtab import models
    from trimtab._compression import gzipped
    from trimtab.benchmarking._arena import arena_bytes
    from trimtab.benchmarking._macs_of_file import macs_of_file

    return Facts(
        parameters=models.parameters(model),
        macs=macs_of_file(content)[0],
        bytes=len(content),
        gzip_bytes=len(gzipped(content)),
        memory_bytes=arena_bytes(content),
    )


def _product(shape: list[int]) -> int:
    """Multiplies the sides of a kernel."""
    total = 1
    for side in shape:
        total *= side
    return total

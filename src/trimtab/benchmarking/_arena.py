"""The working memory that a LiteRT file needs: its activations, as far as they live at the same time."""

from __future__ import annotations

import math

from trimtab.litert._operators import Operator, operators

__all__ = ["arena_bytes"]

_ALIGNED = 16  # bytes: where interpreters for small devices let a tensor begin
_SIZES = {"float32": 4, "int32": 4, "float16": 2, "int16": 2, "int64": 8, "int8": 1, "uint8": 1, "bool": 1}


def arena_bytes(content: bytes) -> int:
    """Returns the most bytes of activations that are alive at once while a file runs one image.

    A tensor lives from the operator that gives it to the last one that takes it, the image from the start,
    the scores to the end. An interpreter that plans its memory needs this much at least, and on networks
    without many branches no more than this; buffers that its kernels take for themselves, and its own books,
    come on top. Weights are not counted: a device reads them where the file lies.

    Args:
        content: of a `.tflite` file that `trimtab.litert.inspect` reads.
    """
    steps = operators(content)
    sizes: dict[int, int] = {}
    born: dict[int, int] = {}
    dies: dict[int, int] = {}
    for at, step in enumerate(steps):
        for index, size in _activations(step, sizes):
            sizes[index] = size
            born.setdefault(index, at if index in step.given else 0)
            dies[index] = at
    if steps:
        dies.update(dict.fromkeys((index for index in steps[-1].given if index in sizes), len(steps)))
    return max(
        (
            sum(size for index, size in sizes.items() if born[index] <= at <= dies[index])
            for at in range(len(steps))
        ),
        default=0,
    )


def _activations(step: Operator, known: dict[int, int]) -> list[tuple[int, int]]:
    """Lists the tensors of an operator that are no constants, with their bytes."""
    both = [*zip(step.taken, step.inputs, strict=True), *zip(step.given, step.outputs, strict=True)]
    found = []
    for index, tensor in both:
        if tensor is not None and not tensor.constant:
            count = math.prod(tensor.shape) * _SIZES.get(tensor.dtype, 4)
            found.append((index, known.get(index) or -(-count // _ALIGNED) * _ALIGNED))
    return found

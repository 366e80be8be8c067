"""One image in, one row of scores out, and of a size that is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from trimtab.doctor._examined import Examined
from trimtab.doctor._finding import Finding
from trimtab.doctor._register import register_check

__all__ = ["image_size", "inputs_and_outputs"]


@register_check("inputs-and-outputs")
def inputs_and_outputs(examined: Examined) -> Iterator[Finding]:
    """Several inputs or outputs: all of Trimtab's files are of classifiers, which have one of each."""
    model = examined.model
    for name in ("inputs", "outputs"):
        tensors = getattr(model, name, None) or ()
        if len(tensors) > 1:
            yield Finding(
                f"several-{name}",
                "problem",
                f"The model has {len(tensors)} {name}.",
                cost="It can be pruned, but not exported, measured or trained by Trimtab.",
                remedy="Make a model of the part that classifies: keras.Model(one input, the class scores).",
            )


@register_check("image-size")
def image_size(examined: Examined) -> Iterator[Finding]:
    """An image size that is left open."""
    inputs: Sequence[Any] = getattr(examined.model, "inputs", None) or ()
    shape = tuple(inputs[0].shape[1:]) if len(inputs) == 1 else ()
    if None in shape:
        yield Finding(
            "dynamic-shape",
            "warning",
            f"The model leaves its image size open: {shape}.",
            cost="A file has one size, and without images nobody knows which.",
            remedy="Build it with keras.Input((height, width, channels)), or give data, whose size is taken.",
        )

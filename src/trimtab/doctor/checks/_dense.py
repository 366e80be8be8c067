"""A dense layer that holds most of the model."""

from __future__ import annotations

from collections.abc import Iterator

import keras

from trimtab._keras_internals import Call
from trimtab.doctor._examined import Examined
from trimtab.doctor._finding import Finding
from trimtab.doctor._register import register_check

__all__ = ["large_dense"]

_MOST, _LARGE = 0.5, 10_000
_THROUGH = (keras.layers.Dropout, keras.layers.Activation, keras.layers.ReLU, keras.layers.BatchNormalization)


@register_check("dense")
def large_dense(examined: Examined) -> Iterator[Finding]:
    """A dense layer right after Flatten with more than half of all parameters."""
    sizes = {cost.name: cost.parameters for cost in examined.costs if cost.parameters}
    total = sum(sizes.values())
    for call in examined.calls_of(keras.layers.Dense):
        path = "/".join(call.path)
        size, flatten = sizes.get(path, 0), _flatten(examined, call)
        if size <= _MOST * total or size < _LARGE or flatten is None:
            continue
        pixels = _pixels(flatten)
        fewer = f", with {pixels} times fewer weights in it" if pixels > 1 else ""
        yield Finding(
            "large-dense",
            "warning",
            f"One dense layer after Flatten holds {size / total:.0%} of all weights ({size:,} of {total:,}).",
            layers=(path,),
            cost="It makes the file that large, and overfits soon.",
            remedy=f"Train with GlobalAveragePooling2D instead of Flatten{fewer}; or prune this layer.",
        )


def _flatten(examined: Examined, call: Call) -> Call | None:
    """Returns the call of Flatten that a layer is fed by, seen through layers that change no shape."""
    while len(call.taken) == 1:
        before = examined.maker(call.taken[0])
        if before is None:
            return None
        if isinstance(before.operation, keras.layers.Flatten | keras.layers.Reshape):
            return before
        if not isinstance(before.operation, _THROUGH):
            return None
        call = before
    return None


def _pixels(flatten: Call) -> int:
    """Counts the places of the map that is flattened."""
    shape = flatten.inputs[0]
    if len(shape) != 4 or shape[1] is None or shape[2] is None:
        return 1
    return int(shape[1] * shape[2])

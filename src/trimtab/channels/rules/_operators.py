"""Operators of `keras.ops` in a graph, such as the ``x + 3`` and ``x * y`` between layers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trimtab.channels._layout import Ids, Layout, fixed
from trimtab.channels._register import register_operators
from trimtab.channels._site import Site
from trimtab.channels.rules._elementwise import same
from trimtab.channels.rules._merging import as_layout, concatenated, met, operands
from trimtab.channels.rules._normalization import as_axes
from trimtab.channels.rules._shape import moved, reshaped
from trimtab.channels.rules._spatial import over_pixels

__all__: list[str] = []


def _number_by_number(operator: Any, site: Site) -> Layout:  # noqa: ARG001
    """Follows an operator that takes the numbers of its arguments in pairs; constants always stay."""
    return met(site, operands(site))


def _clip(operator: Any, site: Site) -> Layout:
    """Limits that are arrays are constants like any other."""
    limits = [as_layout(limit) for limit in (operator.x_min, operator.x_max) if limit is not None]
    return met(site, [site.input, *limits])


def _reduction(operator: Any, site: Site) -> Layout:
    """What is left of the axes; along those that are gone, the result sees how many there were."""
    gone = as_axes(operator.axis, site.input)
    for axis in gone:
        site.inexact(site.input.along(axis))
    if getattr(operator, "keepdims", False):
        return site.give(site.input.without(*gone))
    left = [axis for axis in range(site.input.rank) if axis not in gone]
    return site.give({place: site.input.along(axis) for place, axis in enumerate(left)})


def _index_of_one(operator: Any, site: Site) -> Layout:
    """Gives the number of a place, which is another once places before it are gone."""
    for axis in as_axes(operator.axis, site.input):
        site.lock(site.input.along(axis), f"{site.path!r} counts them")
    return _reduction(operator, site)


def _over_axis(operator: Any, site: Site) -> Layout:
    """Softmax and its kin: each number depends on all along the axis."""
    for axis in as_axes(operator.axis, site.input):
        site.inexact(site.input.along(axis))
    return site.give(site.input.ids)


def _transpose(operator: Any, site: Site) -> Layout:
    """Without axes, it turns the order round."""
    axes = operator.axes if operator.axes is not None else range(site.input.rank)[::-1]
    return moved(site, site.input, as_axes(list(axes), site.input))


def _swap(operator: Any, site: Site) -> Layout:
    order = list(range(site.input.rank))
    one, other = as_axes([operator.axis1, operator.axis2], site.input)
    order[one], order[other] = other, one
    return moved(site, site.input, order)


def _move(operator: Any, site: Site) -> Layout:
    sources = as_axes(list(operator.source), site.input)
    order = [axis for axis in range(site.input.rank) if axis not in sources]
    places = as_axes(list(operator.destination), site.input)
    for place, source in sorted(zip(places, sources, strict=True)):
        order.insert(place, source)
    return moved(site, site.input, order)


def _new_shape(operator: Any, site: Site) -> Layout:
    """As the layer Reshape: the operator holds the sizes."""
    layout = reshaped(site, site.input)
    site.tie_calls(operator, layout)
    return layout


def _one_more_axis(operator: Any, site: Site) -> Layout:
    """New axes have one place each, so the others keep their order."""
    rank = len(site.outputs[0])
    axes = operator.axis if isinstance(operator.axis, list | tuple) else [operator.axis]
    new = {int(axis) % rank for axis in axes}
    old = [place for place in range(rank) if place not in new]
    return site.give({place: site.input.along(axis) for axis, place in enumerate(old)})


def _one_axis_less(operator: Any, site: Site) -> Layout:
    """Axes of one place are left out."""
    if operator.axis is None:
        gone = [axis for axis, size in enumerate(site.input.shape) if size == 1]
    else:
        gone = as_axes(operator.axis, site.input)
    for axis in gone:
        site.lock(site.input.along(axis), f"{site.path!r} needs exactly one")
    left = [axis for axis in range(site.input.rank) if axis not in gone]
    return site.give({place: site.input.along(axis) for place, axis in enumerate(left)})


def _side_by_side(operator: Any, site: Site) -> Layout:
    return concatenated(site, operands(site), operator.axis or 0)


def _stack(operator: Any, site: Site) -> Layout:
    """Tensors on top of each other: their channels go together."""
    new = int(operator.axis) % len(site.outputs[0])
    layouts = operands(site)
    ids: dict[int, Ids] = {}
    for axis in range(1, site.input.rank):
        columns = [layout.along(axis) for layout in layouts]
        for column in columns[1:]:
            site.tie(columns[0], column)
        ids[axis + (axis >= new)] = columns[0]
    return site.give(ids)


def _split(operator: Any, site: Site) -> tuple[Layout, ...]:
    """Pieces along an axis: along it nothing may go, since the places of the cuts are fixed."""
    site.lock(site.input.along(operator.axis), f"{site.path!r} cuts them at a fixed place")
    ids = site.input.without(operator.axis)
    return tuple(site.give(ids, output) for output in range(len(site.outputs)))


def _indexed(operator: Any, site: Site) -> Layout | None:  # noqa: ARG001
    """``x[:, 0]``, ``x[..., ::2, :]``: what is sliced along must stay, unless all of it is turned round."""
    key = site.arguments[0][1] if len(site.arguments[0]) > 1 else site.arguments[1].get("key")
    keys = list(key) if isinstance(key, tuple) else [key]
    if not all(part is None or part is Ellipsis or isinstance(part, slice | int) for part in keys):
        return None
    asked = sum(part is not None and part is not Ellipsis for part in keys)
    rest = [slice(None)] * (site.input.rank - asked)
    place = keys.index(Ellipsis) if Ellipsis in keys else len(keys)
    keys[place : place + 1] = rest
    ids: dict[int, Ids] = {}
    axis = new = 0
    for part in keys:
        if part is not None:
            along = site.input.along(axis)
            axis += 1
            if part in (slice(None), slice(None, None, -1)):
                ids[new] = along[part]
            else:
                site.lock(along, f"{site.path!r} picks some of them by their place")
            if isinstance(part, int):
                continue
        new += 1
    return site.give(ids)


def _flip(operator: Any, site: Site) -> Layout:
    """The same channels in the other order."""
    turned = as_axes(operator.axis, site.input)
    return site.give({axis: ids[::-1] if axis in turned else ids for axis, ids in site.input.ids.items()})


def _pad(operator: Any, site: Site) -> Layout:
    """Adds places that always stay, such as the empty channels of a parameter-free shortcut."""
    widths = list(operator.pad_width)
    widths = widths * site.input.rank if len(widths) == 1 else widths
    ids: dict[int, Ids] = {}
    for axis, along in site.input.ids.items():
        before, after = int(widths[axis][0]), int(widths[axis][-1])
        if (before or after) and operator.mode != "constant":
            site.lock(along, f"{site.path!r} repeats those at the ends")
        ids[axis] = np.concatenate([fixed(before), along, fixed(after)])
    return site.give(ids)


def _broadcast(operator: Any, site: Site) -> Layout:
    """Repeats axes of one place; the other sizes are written down in the operator."""
    layout = met(site, [site.input])
    site.tie_calls(operator, layout)
    return layout


def _pixels(operator: Any, site: Site) -> Layout:
    """Pooling and scaling as operators."""
    if getattr(operator, "data_format", None) is None and keras.config.image_data_format() != "channels_last":
        site.lock(site.input, f"{site.path!r} has no data format of its own")
    return over_pixels(operator, site)


_ALONE = """
    Abs Absolute Arccos Arccosh Arcsin Arcsinh Arctan Arctanh Cast Cbrt Ceil Celu Copy Cos Cosh Elu Erf
    Erfc Exp Exp2 Expm1 Floor Gelu HardShrink HardSigmoid HardSilu HardTanh Isfinite Isinf Isnan
    LeakyRelu Log Log10 Log1p Log2 LogSigmoid LogicalNot NanToNum Negative OnesLike Reciprocal Relu
    Relu6 Round Rsqrt SaturateCast Selu Sigmoid Sign Silu Sin Sinh SoftShrink Softplus Softsign
    SparsePlus SparseSigmoid Sqrt Square Squareplus StopGradient Tan Tanh TanhShrink Threshold Trunc
    ZerosLike
"""
_PAIRS = """
    Add Arctan2 Divide DivideNoNan Equal FloorDivide Fmax Fmin Greater GreaterEqual Hypot Less LessEqual
    Logaddexp Logaddexp2 LogicalAnd LogicalOr LogicalXor Maximum Minimum Mod Multiply NotEqual Power
    Subtract TrueDivide Where
"""
_REDUCTIONS = "All Amax Amin Any Logsumexp Max Mean Median Min Prod Std Sum Var"
register_operators(same, _ALONE)
register_operators(_number_by_number, _PAIRS)
register_operators(_reduction, _REDUCTIONS)
register_operators(_index_of_one, "Argmax Argmin")
register_operators(_over_axis, "LogSoftmax Normalize Softmax Sparsemax")
register_operators(_clip, "Clip")
register_operators(_transpose, "Transpose")
register_operators(_swap, "Swapaxes")
register_operators(_move, "Moveaxis")
register_operators(_new_shape, "Reshape")
register_operators(_one_more_axis, "ExpandDims")
register_operators(_one_axis_less, "Squeeze")
register_operators(_side_by_side, "Concatenate")
register_operators(_stack, "Stack")
register_operators(_split, "Split")
register_operators(_indexed, "GetItem")
register_operators(_flip, "Flip")
register_operators(_pad, "Pad")
register_operators(_broadcast, "BroadcastTo")
register_operators(_pixels, "AveragePool MaxPool Resize")

"""Dense layers and their kin: products with a kernel along an axis."""

from __future__ import annotations

from typing import Any

import keras

from trimtab.channels._layout import Ids, Layout
from trimtab.channels._register import register
from trimtab.channels._site import Site
from trimtab.channels.rules._activation import activated

__all__: list[str] = []


def _dense(layer: Any, site: Site) -> Layout:
    """Follows a product along the last axis; channels along the others pass through."""
    site.take(layer.kernel, 0, site.input.along(-1))
    outgoing = site.make(layer.kernel, 1)
    if layer.bias is not None:
        site.out(layer.bias, 0, outgoing)
    return activated(layer.activation, site, site.give({**site.input.without(-1), -1: outgoing}))


def _embedding(layer: Any, site: Site) -> Layout:
    """Makes a channel for each number of an entry; the entries themselves stay."""
    site.lock(site.input, f"{site.path!r} looks them up")
    return site.give({-1: site.make(layer.embeddings, 1)})


def _einsum_dense(layer: Any, site: Site) -> Layout | None:
    """Follows a product by its equation: letters that meet are channels that meet."""
    letters = _letters(layer.equation, site.input.rank)
    if letters is None:
        return None  # weights that no one mentions: locked
    taken, kernel, given = letters
    ids: dict[str, Ids] = {}
    for axis, letter in enumerate(kernel):
        if letter in taken:
            ids[letter] = site.input.along(taken.index(letter))
            (site.scale if letter in given else site.take)(layer.kernel, axis, ids[letter])
        elif letter in given:
            ids[letter] = site.make(layer.kernel, axis)
    for axis, letter in enumerate(taken):
        if letter not in kernel:
            ids[letter] = site.input.along(axis)
            if letter not in given:
                site.inexact(ids[letter])  # summed up, without a weight that would be zero
    site.leave(layer.kernel)
    layout = site.give({axis: ids[letter] for axis, letter in enumerate(given) if letter in ids})
    site.tie_calls(layer, layout)
    if layer.bias is not None:
        _bias(layer.bias, site, layout)
    return activated(layer.activation, site, layout)


def _letters(equation: str, rank: int) -> tuple[list[str], list[str], list[str]] | None:
    """Writes the three parts of an equation as one letter an axis; None where a letter stands twice.

    Axes behind an ellipsis, which pass through, get numbers for letters.
    """
    both, given = equation.replace(" ", "").split("->")
    taken, kernel = both.split(",")
    passing = [str(number) for number in range(rank - len(taken.replace(".", "")))]

    def written(part: str) -> list[str]:
        before, dots, after = part.partition("...")
        return [*before, *(passing if dots else ()), *after]

    parts = written(taken), written(kernel), written(given)
    if any(len(set(part)) < len(part) for part in parts) or len(parts[0]) != rank:
        return None
    return parts


def _bias(bias: Any, site: Site, layout: Layout) -> None:
    """Ties a bias to what it is added to, axis by axis from the back; sizes of one are for all."""
    site.leave(bias)
    for axis, size in enumerate(bias.shape):
        place = layout.rank - len(bias.shape) + axis
        if size == layout.shape[place]:
            site.out(bias, axis, layout.along(place))


register(keras.layers.Dense, _dense)
register(keras.layers.EinsumDense, _einsum_dense)
register(keras.layers.Embedding, _embedding)

"""One call of a layer, as its rule sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trimtab.channels._layout import Ids, Layout, Shape
from trimtab.channels._ties import Ties

__all__ = ["Site"]


class Site:
    """One call of a layer in the graph: what comes in, and whom to tell which weights the channels touch.

    Made by `find_groups` for each call; a rule (`register`) reads it, tells it, and returns what comes out.

    Attributes:
        path: the layer's name, after the names of the models it is nested in.
        inputs: layout of each tensor that comes in.
        outputs: shape of each tensor that comes out.
        arguments: what the layer is called with, positional and by name; a `Layout` for each tensor.
        ties: what is known so far of all channels of the model.
    """

    def __init__(
        self,
        path: str,
        arguments: tuple[tuple[Any, ...], dict[str, Any]],
        inputs: Sequence[Layout],
        outputs: Sequence[Shape],
        ties: Ties,
    ) -> None:
        self.path = path
        self.arguments = arguments
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.ties = ties

    @property
    def input(self) -> Layout:
        """Layout of the first tensor that comes in."""
        return self.inputs[0]

    def make(self, variable: Any, axis: int, *, weight: str | None = None) -> Ids:
        """Returns the channels that an axis of a weight makes: new ones, or those of an earlier call.

        Args:
            variable: the weight, such as a kernel.
            axis: the axis of its filters.
            weight: its name in the layer; the variable's own name by default.

        Returns:
            Int array (size of the axis,).
        """
        return self.ties.make(self.path, variable, axis, weight)

    def out(self, variable: Any, axis: int, ids: Ids, *, weight: str | None = None) -> None:
        """Says that an axis of a weight belongs to channels that are made here, as a bias does."""
        self.ties.attach(self.path, variable, axis, ids, "out", weight)

    def take(self, variable: Any, axis: int, ids: Ids, *, weight: str | None = None) -> None:
        """Says that an axis of a weight takes channels in, as the input axis of a kernel does."""
        self.ties.attach(self.path, variable, axis, ids, "in", weight)

    def scale(self, variable: Any, axis: int, ids: Ids, *, weight: str | None = None) -> None:
        """Says that an axis of a weight has a parameter for each channel alone, as a batch norm's gamma."""
        self.ties.attach(self.path, variable, axis, ids, "scale", weight)

    def leave(self, *variables: Any) -> None:
        """Says that weights have nothing to do with channels. None among them is passed over."""
        for variable in variables:
            if variable is not None:
                self.ties.mention(variable)

    def tie(self, one: Ids, other: Ids, why: str = "") -> None:
        """Says that channels at the same place of two axes go together.

        Where one of them always stays, so does the other.

        Args:
            one: int array of ids.
            other: as many.
            why: what one is where it always stays, to end "meets ...".
        """
        met = why or "an input, a constant or something else that always stays"
        self.ties.tie(one, other, f"meets {met} in {self.path!r}")

    def tie_calls(self, layer: Any, layout: Layout) -> None:
        """Says that a layer's config names sizes of its output, so that each call of it has to give the same.

        Args:
            layer: the layer or operator.
            layout: its output in this call.
        """
        for axis in range(1, layout.rank):
            self.ties.tie_calls(layer, 0, axis, layout.along(axis))

    def lock(self, channels: Layout | Ids, why: str) -> None:
        """Says that channels must stay, and why, in plain words: ``"passes through ..."``."""
        ids = channels.all() if isinstance(channels, Layout) else channels
        self.ties.lock(ids, why)

    def inexact(self, channels: Layout | Ids) -> None:
        """Says that something sees how many of these channels there are, zeros or not."""
        self.ties.inexact(channels.all() if isinstance(channels, Layout) else channels)

    def give(self, ids: Mapping[int, Ids], output: int = 0) -> Layout:
        """Returns the layout of an output: ids by axis (-1: the last), where there are channels."""
        shape = self.outputs[output]
        counted = {axis % len(shape): np.asarray(found) for axis, found in ids.items()}
        return Layout(shape, counted)

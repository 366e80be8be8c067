"""Ranges that stand still, so that the last epochs learn on the very grid that will be shipped."""

from __future__ import annotations

from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.quantization._fake_quantizer import FakeQuantizer

__all__ = ["FreezeRanges", "freeze_ranges"]


def freeze_ranges(model: keras.Model, frozen: bool = True) -> None:
    """Lets the ranges of an aware model stand still in training, or move again; in place.

    No function is traced anew by it.

    Args:
        model: an aware model.
        frozen: whether they stand still.
    """
    for layer in _keras_internals.all_layers(model):
        if isinstance(layer, FakeQuantizer):
            layer.observing.assign(0.0 if frozen else 1.0)


class FreezeRanges(keras.callbacks.Callback):
    """Lets the ranges move in the first epochs, and stand still from then on.

    It goes by the number of the epoch, so that a training that is continued does the same.

    Args:
        aware: the aware model.
        moving: how many epochs they move.
    """

    def __init__(self, aware: keras.Model, moving: int) -> None:
        super().__init__()
        self._aware, self._moving = aware, moving

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Sets the switches."""
        _ = self.model  # on JAX this brings the variables back from the jitted steps
        freeze_ranges(self._aware, epoch >= self._moving)

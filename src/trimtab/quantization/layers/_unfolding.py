"""A kernel trained apart from what it has taken in: its batch normalisation, and the scale of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

__all__ = ["Unfolding"]

_LEAST = 1e-6
"""A channel whose gamma is smaller is computed with this one: it would have no kernel to be trained."""


class Unfolding(keras.layers.Layer):
    """What a layer trains beside its kernel, and folds into it whenever it computes as a file does.

    While it is `live`, a training normalises with the statistics of the batch, as the float model did, and
    only the kernel is rounded: with a step for each channel its integers are the same before and after the
    folding. From then on the moving statistics stand still and are folded in training too, which costs
    less, and trains on what will be shipped (Krishnamoorthi 2018, section 3.2).

    Args:
        scale: factor of the kernel, such as 1/255 for one that takes pixels as they are: one step of an
            optimizer then changes it as much as before it had taken the factor in.
        norm: arguments of the batch normalisation; None: there is none.
        **options: as for a Keras layer.
    """

    live = False
    """Whether a training normalises each batch; a step that is compiled keeps what it was compiled with."""

    def __init__(self, scale: float = 1.0, norm: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.scale = float(scale)
        self._norm_options = None if norm is None else dict(norm)
        self.norm: Any = None
        if norm is not None:
            self.norm = keras.layers.BatchNormalization(axis=-1, dtype="float32", name="norm", **norm)

    def build(self, shape: Any) -> None:
        """Makes the variables of the batch normalisation.

        Args:
            shape: of the outputs of the layer that it belongs to.
        """
        if self.norm is not None:
            self.norm.build(shape)
        self.built = True

    @property
    def normalises(self) -> bool:
        """Whether a training normalises each batch."""
        return self.live and self.norm is not None

    def factors(self) -> Any:
        """Returns the factor of each channel."""
        norm = self.norm
        deviations = ops.sqrt(ops.convert_to_tensor(norm.moving_variance) + norm.epsilon)
        if norm.gamma is None:
            return 1.0 / deviations
        gamma = ops.convert_to_tensor(norm.gamma)
        least = ops.where(gamma < 0, -_LEAST, _LEAST)
        return ops.where(ops.abs(gamma) < _LEAST, least, gamma) / deviations

    def offsets(self) -> Any:
        """Returns what is added to each channel."""
        norm = self.norm
        offsets = -ops.convert_to_tensor(norm.moving_mean) * self.factors()
        return offsets if norm.beta is None else offsets + norm.beta

    def config(self) -> dict[str, Any]:
        """Returns the arguments."""
        return {"scale": self.scale, "norm": self._norm_options}

"""Sparsity learning: a group lasso that pulls whole channels towards zero while the model trains.

The loss becomes ``loss + strength * sum over units of sqrt(n) * norm(weights of the unit)``, with n the
number of those weights (Yuan and Lin 2006, "Model selection and estimation in regression with grouped
variables"). Over kernels this is structured sparsity learning (Wen et al. 2016) on groups of channels that
live and die together (Fang et al. 2023, "DepGraph"). Over the scales of batch normalisation, with one such
layer in a group, the norm of a single number is its absolute value: network slimming (Liu et al. 2017).

It lives in the optimizer, which adds the gradient of that sum to the gradients of the loss. So it means the
same with every optimizer, the losses of the history stay comparable, and nothing gets into the model.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import keras
import numpy as np
from keras import ops

from trimtab.channel_pruning._lasso_groups import LassoGroup, LassoPiece, lasso_groups, moved
from trimtab.channels import find_groups
from trimtab.errors import ConfigError
from trimtab.training._wrapping_optimizer import Hidden, WrappingOptimizer

if TYPE_CHECKING:
    from trimtab.channels import ChannelGroup

__all__ = ["GroupLasso"]

_LEAST_NORM = 1e-12  # no unit is divided by zero: one of zeros feels no pull


@keras.saving.register_keras_serializable(package="trimtab")
class GroupLasso(WrappingOptimizer):
    """Pulls whole channels towards zero while another optimizer trains the model.

    Before each step of the inner optimizer, ``strength * sqrt(n) * w / norm(unit)`` is added to the gradient
    of each weight w of a unit with n weights. Learning rate, `iterations`, weight decay, clipping and
    gradient accumulation are those of the inner optimizer.

    Args:
        inner_optimizer: the Keras optimizer that trains.
        groups: what is pulled; `for_model` finds it.
        strength: how strongly, 0 or more; the weight of the sum in the loss.
        name: name of the optimizer.

    Raises:
        ConfigError: the strength is not a number of 0 or more.

    Example:
        >>> optimizer = GroupLasso.for_model(model, keras.optimizers.SGD(0.01), "bn", 1e-4)
        >>> model.compile(optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer,
        groups: Sequence[LassoGroup],
        strength: float,
        name: str | None = None,
    ) -> None:
        given: Any = strength
        real = isinstance(given, numbers.Real) and not isinstance(given, bool)
        if not real or not 0 <= float(given) < math.inf:
            raise ConfigError(f"strength={strength!r} must be a number of 0 or more, such as 1e-4.")
        super().__init__(inner_optimizer, name)
        self.strength = float(strength)
        self._groups = Hidden(groups)
        self._meant = Hidden()  # the variables that the groups count by; without them, those of `build`
        self._trained = Hidden()

    @classmethod
    def for_model(
        cls,
        model: keras.Model,
        inner_optimizer: keras.optimizers.Optimizer,
        kind: str = "kernels",
        strength: float = 1e-4,
        *,
        groups: Sequence[ChannelGroup] | None = None,
    ) -> Self:
        """Makes an optimizer that pulls the channels of a model.

        Args:
            model: the built model that will be trained.
            inner_optimizer: the Keras optimizer that trains.
            kind: "kernels": all kernels that make or take in a channel; "bn": the scales of its batch
                normalisations.
            strength: how strongly.
            groups: the groups of channels to pull; None: each that may be pruned.

        Raises:
            ConfigError: a value makes no sense, or nothing is there to be pulled.
            ModelError: the model has no graph that could be followed.
        """
        if groups is None:
            groups = [group for group in find_groups(model).groups if group.locked is None]
        variables = model.trainable_variables
        optimizer = cls(inner_optimizer, lasso_groups(groups, variables, kind), strength)
        optimizer._meant = Hidden(variables)
        return optimizer

    def build(self, variables: Sequence[Any]) -> None:
        """Makes the inner optimizer's variables.

        Raises:
            ConfigError: the variables are not those that the groups were made for.
        """
        if self.built:
            return
        variables = list(variables)
        if self._meant.items:
            # A training may know more variables than the model has, or them in another order.
            self._groups = Hidden(moved(self._groups.items, self._meant.items, variables))
            self._meant = Hidden()
        for group in self._groups.items:
            for piece in group.pieces:
                shape = tuple(variables[piece.index].shape) if piece.index < len(variables) else ()
                if piece.axis >= len(shape) or shape[piece.axis] != len(piece.units):
                    raise ConfigError(
                        "The groups of this GroupLasso belong to another model: its variable "
                        f"{piece.index} has shape {shape}. Make one with GroupLasso.for_model."
                    )
        if not self.inner_optimizer.built:
            self.inner_optimizer.build(variables)
        super().build(variables)
        self._trained = Hidden(variables)

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Trains one step with the inner optimizer, with the pull among the gradients.

        Args:
            grads: gradients, in the order of the variables.
            trainable_variables: the variables; may be left out once the optimizer is built.
        """
        if len(grads) == 0:
            return
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
            if not self.built:
                self.build(trainable_variables)
        ours = self._trained.items if trainable_variables is None else trainable_variables
        pull = self._pull()
        pulled = [
            grad
            if grad is None or id(variable) not in pull
            else grad + ops.cast(pull[id(variable)], grad.dtype)
            for grad, variable in zip(grads, ours, strict=True)
        ]
        self.inner_optimizer.apply(pulled, trainable_variables)

    def _pull(self) -> dict[int, Any]:
        """Returns the gradient of the penalty for each variable, by its id."""
        # Gradients may come scaled by a fixed factor, which the inner optimizer divides out.
        strength = self.strength * (self.loss_scale_factor or 1.0)
        found: dict[int, Any] = {}
        for group in self._groups.items:
            values = [self._value(piece) for piece in group.pieces]
            squares = [
                _per_unit(ops.square(v), p, group.size) for v, p in zip(values, group.pieces, strict=True)
            ]
            norms = ops.sqrt(sum(squares[1:], squares[0]))
            counts = sum(
                _count(p, tuple(v.shape), group.size) for v, p in zip(values, group.pieces, strict=True)
            )
            roots = ops.convert_to_tensor(strength * np.sqrt(counts), "float32")
            force = roots / ops.maximum(norms, _LEAST_NORM)
            force = ops.concatenate([force, ops.zeros((1,), "float32")])  # the place of what is in no unit
            for value, piece in zip(values, group.pieces, strict=True):
                shape = [1] * len(value.shape)
                shape[piece.axis] = -1
                along = ops.reshape(ops.take(force, _ids(piece, group.size)), shape)
                key = id(self._trained.items[piece.index])
                found[key] = value * along + found.get(key, 0.0)
        return found

    def _value(self, piece: LassoPiece) -> Any:
        """Returns the numbers of a piece's variable, as float32."""
        value = ops.convert_to_tensor(self._trained.items[piece.index])
        return ops.stop_gradient(ops.cast(value, "float32"))

    def get_config(self) -> dict[str, Any]:
        """Returns the optimizer as plain data."""
        return {
            "name": self.name,
            "inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer),
            "groups": [group.to_plain() for group in self._groups.items],
            "strength": self.strength,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        """Makes the optimizer from what `get_config` gave."""
        config = dict(config)
        inner = keras.saving.deserialize_keras_object(config.pop("inner_optimizer"), custom_objects)
        return cls(inner, [LassoGroup.of_plain(group) for group in config.pop("groups")], **config)


def _ids(piece: LassoPiece, size: int) -> np.ndarray:
    """Returns the unit of each position on the axis; `size` stands for none."""
    units = np.asarray(piece.units, "int32")
    return np.where(units < 0, np.int32(size), units)


def _per_unit(values: Any, piece: LassoPiece, size: int) -> Any:
    """Adds up numbers over all that belongs to a unit: (size,)."""
    others = tuple(axis for axis in range(len(values.shape)) if axis != piece.axis)
    along = ops.sum(values, axis=others) if others else values
    ids = ops.convert_to_tensor(_ids(piece, size))
    return ops.segment_sum(along, ids, num_segments=size + 1)[:size]


def _count(piece: LassoPiece, shape: tuple[int, ...], size: int) -> np.ndarray:
    """Counts the weights of each unit in one variable: (size,)."""
    each = math.prod(length for axis, length in enumerate(shape) if axis != piece.axis)
    return np.bincount(_ids(piece, size), minlength=size + 1)[:size] * each

"""Weights that share values while another optimizer trains them: clusters stay clusters, zeros stay zeros.

Which numbers belong together are optimizer variables. They are saved and loaded with the optimizer's state,
and never enter the model: there is nothing to strip.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Self

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from trimtab import _keras_internals
from trimtab.errors import ConfigError, ModelError, nearest
from trimtab.training._shared_weight import (
    ZERO,
    SharedWeight,
    groups_of,
    looks_shared,
    shared_gradient,
    shared_value,
)
from trimtab.training._wrapping_optimizer import Hidden, WrappingOptimizer

__all__ = ["GRADIENTS", "SharingOptimizer", "found_shared"]

GRADIENTS = ("sum", "mean")


@dataclasses.dataclass(frozen=True)
class _Position:
    """The place of a held weight among the variables to train; its shape, and how many groups it has."""

    index: int
    shape: tuple[int, ...]
    groups: int


@dataclasses.dataclass(frozen=True, eq=False)
class _Row:
    """A held weight, with the variables that say which of its numbers belong together."""

    weight: Any
    position: _Position
    groups: Any
    leaders: Any
    shares: Any

    def parts(self) -> tuple[Any, Any, Any]:
        """Returns groups (flat), leaders and shares as tensors."""
        groups = ops.reshape(ops.convert_to_tensor(self.groups), (-1,))
        return (
            ops.cast(groups, "int32"),
            ops.convert_to_tensor(self.leaders),
            ops.convert_to_tensor(self.shares),
        )


@keras.saving.register_keras_serializable(package="trimtab")
class SharingOptimizer(WrappingOptimizer):
    """Trains weights that share values as one: each group has one value, before and after each step.

    Each number of a group gets the same gradient: the sum over the group, which is the derivative of the loss
    by the shared value (Han et al. 2016), or the mean. After each step of the inner optimizer the group takes
    its mean, so that all that optimizer does to single numbers (momentum that was there before, a
    decomposition of the gradient) is shared too. Zeros that are held stay zero.

    Learning rate, `iterations`, weight decay, clipping, moving averages and gradient accumulation are those
    of the inner optimizer. It works in `fit` and in loops of one's own, on TensorFlow, JAX and torch, and
    goes on with the same bits when it was saved. For mixed precision put
    `keras.optimizers.LossScaleOptimizer` around it, as `compile` does by itself.

    Args:
        inner_optimizer: the Keras optimizer that trains.
        weights: which numbers share, for each weight that is held; those that are not trained need no help,
            and are passed over. None: each weight of two or more axes that has zeros or few different
            values when the optimizer is built; equal numbers share.
        gradients: "sum" or "mean". To Adam and others whose steps do not grow with the gradient they are
            nearly the same, but means over many numbers may drown in its epsilon: "sum". For SGD, whose steps
            grow with it, "mean" is the step of plain gradient descent among the weights that share so.
        name: name of the optimizer.

    Raises:
        ConfigError: the inner optimizer cannot be wrapped, or `gradients` is not known.

    Example:
        >>> model.compile(SharingOptimizer(keras.optimizers.Adam(1e-4)), loss=...)

    References:
        S. Han, H. Mao, W. J. Dally, "Deep compression", ICLR 2016.
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer,
        weights: Sequence[SharedWeight] | None = None,
        *,
        gradients: str = "sum",
        name: str | None = None,
    ) -> None:
        _check_inner(inner_optimizer)
        if gradients not in GRADIENTS:
            raise ConfigError(
                f"gradients={gradients!r} is not known; it must be one of {', '.join(GRADIENTS)}."
                f"{nearest(str(gradients), GRADIENTS)}"
            )
        super().__init__(inner_optimizer, name)
        self.gradients = gradients
        self._given = None if weights is None else Hidden(weights)
        self._positions: tuple[_Position, ...] | None = None
        self._rows = Hidden()
        self._forgotten = Hidden()

    def build(self, variables: Sequence[Any]) -> None:
        """Notes which numbers belong together, and makes the inner optimizer's variables.

        Args:
            variables: the variables that will be trained, in the order of the gradients.

        Raises:
            ConfigError: the optimizer was saved for other variables.
        """
        if self.built:
            return
        variables = list(variables)
        if self._positions is None:
            with _outside_graphs():
                held = self._held(variables)
            self._positions = tuple(position for position, _ in held)
        else:
            held = [(position, None) for position in self._positions]
            _check_positions(self._positions, variables)
        if not self.inner_optimizer.built:
            self.inner_optimizer.build(variables)
        super().build(variables)
        rows = [self._prepared(variables[position.index], position) for position, _ in held]
        with _outside_graphs():
            for row, (_, groups) in zip(rows, held, strict=True):
                if groups is not None:
                    _fill(row, groups)
        self._rows = Hidden(rows)
        self._forgotten = Hidden(_keras_internals.forgotten(variables))
        self._given = Hidden()

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Trains one step with the inner optimizer, on shared gradients, and shares what came of it.

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
        self.inner_optimizer.apply(self._shared(grads, trainable_variables), trainable_variables)
        self._share(self.assign)
        for variable in self._forgotten.items:
            variable.value.grad = None

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        """Ends training: the inner optimizer may put its moving averages in place; they are shared too."""
        super().finalize_variable_values(var_list)
        self._share(self.assign)

    def groups(self) -> dict[str, int]:
        """Counts the values that are shared in each held weight, by the path of its variable."""
        return {
            str(row.weight.path): int(np.count_nonzero(np.asarray(ops.convert_to_numpy(row.shares))))
            for row in self._rows.items
        }

    def load_own_variables(self, store: Any) -> None:
        """Loads which numbers belong together.

        Raises:
            ModelError: the file holds another number of weights.
        """
        own = self.own_variables
        if len(store.keys()) != len(own):
            raise ModelError(
                f"The saved state of shared weights has {len(store.keys())} variables, this optimizer has "
                f"{len(own)}. Build it on the model it was saved with, with the same layers frozen."
            )
        super().load_own_variables(store)

    def get_config(self) -> dict[str, Any]:
        """Returns the optimizer as plain data.

        Raises:
            ConfigError: it was given weights and is not built, so it cannot tell where they stand.
        """
        if self._given is not None and self._positions is None:
            raise ConfigError(
                "A SharingOptimizer that was given weights can be saved once it is built: call "
                "build(model.trainable_variables)."
            )
        positions = self._positions
        return {
            "name": self.name,
            "inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer),
            "gradients": self.gradients,
            "positions": None
            if positions is None
            else [[p.index, list(p.shape), p.groups] for p in positions],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        """Makes the optimizer from what `get_config` gave; until its state is loaded it holds nothing."""
        config = dict(config)
        inner = keras.saving.deserialize_keras_object(config.pop("inner_optimizer"), custom_objects)
        positions = config.pop("positions", None)
        optimizer = cls(inner, **config)
        if positions is not None:
            optimizer._positions = tuple(
                _Position(int(index), tuple(shape), int(groups)) for index, shape, groups in positions
            )
        return optimizer

    def _held(self, variables: Sequence[Any]) -> list[tuple[_Position, npt.NDArray[np.int32] | None]]:
        """Finds the weights to hold among the variables to train, with the groups of their numbers."""
        given = found_shared(variables) if self._given is None else self._given.items
        groups = {id(weight.variable): weight.groups for weight in given}
        return [
            (_Position(index, tuple(variable.shape), int(own.max(initial=ZERO)) + 1), own)
            for index, variable in enumerate(variables)
            for own in [groups.get(id(variable))]
            if own is not None
        ]

    def _prepared(self, weight: Any, position: _Position) -> _Row:
        """Makes the variables that a held weight needs; as they are made, each number is free."""
        size, name = position.groups, weight.name
        small = "uint8" if size <= 256 else "int32"
        return _Row(
            weight,
            position,
            self.add_variable(weight.shape, dtype=small, name=f"{name}_groups"),
            self.add_variable((size,), dtype="int32", name=f"{name}_leaders"),
            self.add_variable((size,), dtype="float32", name=f"{name}_shares"),
        )

    def _shared(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None) -> list[Any]:
        """Returns the gradients, those of held weights shared."""
        grads = list(grads)
        places = None
        if trainable_variables is not None:
            places = {id(variable): place for place, variable in enumerate(trainable_variables)}
        for row in self._rows.items:
            place = row.position.index if places is None else places.get(id(row.weight))
            if place is None or grads[place] is None:
                continue
            gradient = ops.convert_to_tensor(grads[place])  # TensorFlow may give the rows of a sparse one
            groups, _, shares = row.parts()
            grads[place] = shared_gradient(gradient, groups, shares, total=self.gradients == "sum")
        return grads

    def _share(self, assign: Callable[[Any, Any], None]) -> None:
        """Gives each group its mean through `assign`."""
        for row in self._rows.items:
            assign(row.weight, shared_value(ops.convert_to_tensor(row.weight), *row.parts()))


def found_shared(
    variables: Sequence[Any], *, zeros: bool = True, clusters: bool = True
) -> tuple[SharedWeight, ...]:
    """Finds the weights whose zeros or equal numbers shall stay so.

    Args:
        variables: the variables that are looked at; integers and those of fewer than two axes (biases,
            normalisation) are passed over, and so is one that is zero as a whole: it was never trained,
            rather than pruned.
        zeros: whether zeros stay.
        clusters: whether equal numbers stay equal, in weights that have few different ones.
    """
    found = []
    for variable in variables:
        if len(variable.shape) < 2 or not keras.backend.is_float_dtype(variable.dtype):
            continue
        values = np.asarray(ops.convert_to_numpy(ops.cast(variable.value, "float32")))
        shared = clusters and looks_shared(values)
        pinned = zeros and 0 < np.count_nonzero(values) < values.size
        if shared or pinned:
            found.append(SharedWeight(variable, groups_of(values, zeros=zeros, shared=shared)))
    return tuple(found)


def _fill(row: _Row, groups: npt.NDArray[np.int32]) -> None:
    """Writes down which numbers of a weight belong together."""
    flat = groups.reshape(-1)
    counts = np.bincount(flat, minlength=row.position.groups)
    counts[: ZERO + 1] = 0  # those share no value of their own
    leaders = np.zeros(row.position.groups, np.int32)
    leaders[flat[::-1]] = np.arange(flat.size - 1, -1, -1, dtype=np.int32)  # the first member of each
    row.groups.assign(groups.astype(keras.backend.standardize_dtype(row.groups.dtype)))
    row.leaders.assign(leaders)
    row.shares.assign(np.divide(1, counts, out=np.zeros(counts.size), where=counts > 0).astype("float32"))


def _check_positions(positions: Sequence[_Position], variables: Sequence[Any]) -> None:
    """Raises `ConfigError` where other variables stand at the saved places now."""
    for position in positions:
        shape = tuple(variables[position.index].shape) if position.index < len(variables) else None
        if shape != position.shape:
            there = "none" if shape is None else f"one of shape {shape}"
            raise ConfigError(
                f"The optimizer was made to hold a weight of shape {position.shape} as variable "
                f"{position.index} to train, but there is {there}. Build it on the variables of the model it "
                "was made for, in the same order, with the same layers frozen."
            )


def _check_inner(inner: Any) -> None:
    """Raises `ConfigError` unless `inner` is a Keras 3 optimizer that can be wrapped."""
    if isinstance(inner, keras.optimizers.LossScaleOptimizer):
        raise ConfigError(
            "SharingOptimizer cannot hold a LossScaleOptimizer. Put it around instead: "
            "LossScaleOptimizer(SharingOptimizer(inner)); compile() does so by itself."
        )
    if isinstance(inner, SharingOptimizer):
        raise ConfigError("SharingOptimizer cannot hold another one: give all weights to one of them.")
    if not isinstance(inner, keras.optimizers.Optimizer):
        raise ConfigError(
            "SharingOptimizer needs a Keras 3 optimizer to train with, such as keras.optimizers.Adam(1e-4), "
            f"but got {type(inner).__name__}: {inner!r}."
        )


def _outside_graphs() -> Any:
    """Leaves the tf.function that is being traced, if any: groups are noted once, not in each step."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow

    return tensorflow.init_scope()

"""Pruning that lives in the optimizer, so that the model stays an ordinary Keras model.

The masks are optimizer variables. They are saved and loaded with the optimizer's state, follow the
backend's rules for state (jitted steps on JAX), and never enter the model: there is nothing to strip.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import keras
from keras import ops

from trimtab import _keras_internals
from trimtab.errors import ConfigError, ModelError
from trimtab.pruning._prunable import choose_weights
from trimtab.pruning._schedule import Schedule

__all__ = ["PruningOptimizer"]

_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


@dataclasses.dataclass(frozen=True)
class _Position:
    """Where a weight stands among the variables an optimizer is built on.

    Paths of variables cannot serve: Keras gives many variables another path when a model is loaded.
    """

    index: int
    shape: tuple[int, ...]


class _Pair:
    """A weight, its mask, and the moving average of the weight where the inner optimizer keeps one.

    A class of its own, since Keras takes variables in an attribute, a list or a tuple for more
    optimizer state: the file would hold them twice, and on JAX a donated buffer would be used again.
    """

    def __init__(self, weight: Any, mask: Any, average: Any) -> None:
        self.weight, self.mask, self.average = weight, mask, average


class _Pairs:
    """The pairs, hidden from Keras' tracking for the same reason."""

    def __init__(self, pairs: Sequence[_Pair]) -> None:
        self.all = tuple(pairs)


@keras.saving.register_keras_serializable(package="trimtab")
class PruningOptimizer(keras.optimizers.Optimizer):
    """Prunes a model while another optimizer trains it.

    After each step of the inner optimizer the weights are multiplied by their masks. Where the schedule
    says that the next step has an update, the masks are chosen anew first, from the weights as the inner
    optimizer left them, so that a pruned weight may come back. So each forward pass sees pruned weights,
    and each state of the model between two steps has its zeros. The weights equal those of TensorFlow
    Model Optimization's training, where the same work is done at the start of the next step.

    A step is one call of `apply`: one batch. With gradient accumulation that is one batch too, not one
    update of the weights. Learning rate, `iterations`, weight decay, clipping, moving averages (they are
    masked too) and gradient accumulation are those of the inner optimizer.

    For mixed precision put `keras.optimizers.LossScaleOptimizer` around it, as `compile` does by itself.

    Args:
        inner_optimizer: the Keras optimizer that trains.
        schedule: when, and how much, to prune.
        weights: the variables to prune. None: each variable named ``kernel``, ``depthwise_kernel`` or
            ``pointwise_kernel`` (an optimizer sees variables, not layers). `for_model` chooses by layer.
        name: name of the optimizer.

    Raises:
        ConfigError: `schedule` is not a schedule, or the inner optimizer cannot be wrapped.

    Example:
        >>> optimizer = PruningOptimizer(keras.optimizers.Adam(1e-3), PolynomialSparsity(0.0, 0.8, 0, 1000))
        >>> model.compile(optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    """

    inner_optimizer: Any = None

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer,
        schedule: Schedule,
        weights: Sequence[Any] | None = None,
        name: str | None = None,
    ) -> None:
        _check_inner(inner_optimizer)
        if not isinstance(schedule, Schedule):
            raise ConfigError(
                "PruningOptimizer needs a schedule, such as ConstantSparsity(0.8), but got "
                f"{type(schedule).__name__}: {schedule!r}."
            )
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.schedule = schedule
        self._chosen = None if weights is None else frozenset(id(weight) for weight in weights)
        self._weights = _Pairs([_Pair(weight, None, None) for weight in weights or ()])  # keeps ids alive
        self._positions: tuple[_Position, ...] | None = None
        self._pairs = _Pairs(())
        # At step 1 no optimizer has run yet; whether the schedule wants masks by then is a constant.
        self._prunes_first = bool(schedule.updates(1))

    @classmethod
    def for_model(
        cls,
        model: keras.Model,
        inner_optimizer: keras.optimizers.Optimizer,
        schedule: Schedule,
        layers: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
    ) -> Self:
        """Makes an optimizer that prunes the kernels of a model's layers.

        Args:
            model: the built model that will be trained.
            inner_optimizer: the Keras optimizer that trains.
            schedule: when, and how much, to prune.
            layers: names of the layers to prune; a nested model's name means all its layers. None: all.
            exclude: names of layers to leave alone.

        Raises:
            ConfigError: a layer name is unknown, or nothing is left to prune.
            ModelError: the model is not a built Keras 3 model, or a weight holds NaN.
        """
        chosen, _ = choose_weights(model, layers, exclude)
        optimizer = cls(inner_optimizer, schedule, weights=[weight.variable for weight in chosen])
        optimizer._positions = optimizer._locate(model.trainable_variables)
        return optimizer

    def build(self, variables: Sequence[Any]) -> None:
        """Makes the masks (and the inner optimizer's variables); prunes at once where step 1 is pruned.

        Args:
            variables: the variables that will be trained, in the order of the gradients.

        Raises:
            ConfigError: a weight to prune is not among them.
        """
        if self.built:
            return
        variables = list(variables)
        positions = self._locate(variables)
        if not self.inner_optimizer.built:
            self.inner_optimizer.build(variables)
        super().build(variables)
        averages = _keras_internals.moving_averages(self.inner_optimizer, variables)
        pairs = []
        for position in positions:
            weight = variables[position.index]
            mask = self.add_variable_from_reference(weight, name="mask", initializer="ones")
            pairs.append(_Pair(weight, mask, averages[position.index]))
        self._positions, self._pairs, self._weights = positions, _Pairs(pairs), _Pairs(())
        if self._prunes_first:
            with _outside_graphs():
                self._choose(1)
                self._mask()

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Trains one step with the inner optimizer, then prunes.

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
        step = ops.cast(self._steps, "int32")  # batches before this one
        if self._prunes_first:
            # Weights may have been loaded after build(): choose from those that this batch saw.
            self._choose_if(ops.equal(step, 0), 1)
        self.inner_optimizer.apply(grads, trainable_variables)
        upcoming = ops.add(step, 2)
        self._choose_if(self.schedule.updates(upcoming), upcoming)
        self._mask()
        self._steps.assign_add(1)

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        """Ends training: the inner optimizer may put its moving averages in place; the zeros stay."""
        self.inner_optimizer.finalize_variable_values(var_list)
        self._mask()

    def scale_loss(self, loss: Any) -> Any:
        """Scales the loss as the inner optimizer wants it."""
        return self.inner_optimizer.scale_loss(loss)

    def exclude_from_weight_decay(
        self, var_list: Sequence[Any] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        """Excludes variables from the inner optimizer's weight decay, before it is built."""
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    @property
    def variables(self) -> list[Any]:
        """The masks and counters, then the variables of the inner optimizer."""
        return [*super().variables, *self.inner_optimizer.variables]

    @property
    def iterations(self) -> Any:
        """Updates made, as the inner optimizer counts them."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the inner optimizer; may be set where that one's may."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    @property
    def loss_scale_factor(self) -> Any:
        """The fixed loss scale of the inner optimizer."""
        return None if self.inner_optimizer is None else self.inner_optimizer.loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value: Any) -> None:
        # Keras sets it before there is an inner optimizer, and LossScaleOptimizer to turn it off.
        if self.inner_optimizer is not None:
            self.inner_optimizer.loss_scale_factor = value

    def save_own_variables(self, store: Any) -> None:
        """Saves masks and counters; Keras saves the inner optimizer by itself, as a part of this one."""
        for index, variable in enumerate(super().variables):
            store[str(index)] = ops.convert_to_numpy(variable.value)

    def load_own_variables(self, store: Any) -> None:
        """Loads masks and counters.

        Raises:
            ModelError: the file holds the masks of other weights.
        """
        own = super().variables
        if len(store.keys()) != len(own):
            raise ModelError(
                f"The saved pruning state has {len(store.keys())} variables, but this optimizer has "
                f"{len(own)}. Build it on the model it was saved with, with the same layers to prune."
            )
        for index, variable in enumerate(own):
            variable.assign(store[str(index)])

    def get_config(self) -> dict[str, Any]:
        """Returns the optimizer as plain data.

        Raises:
            ConfigError: it was given variables and is not built, so it cannot tell where they stand.
        """
        if self._chosen is not None and self._positions is None:
            raise ConfigError(
                "A PruningOptimizer that was given weights can be saved once it is built: call "
                "build(model.trainable_variables), or make it with PruningOptimizer.for_model."
            )
        named = self._chosen is None
        return {
            "name": self.name,
            "inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer),
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "positions": None if named else [[p.index, list(p.shape)] for p in self._positions or ()],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        """Makes the optimizer from what `get_config` gave."""
        config = dict(config)
        inner = keras.saving.deserialize_keras_object(config.pop("inner_optimizer"), custom_objects)
        schedule = keras.saving.deserialize_keras_object(config.pop("schedule"), custom_objects)
        positions = config.pop("positions", None)
        optimizer = cls(inner, schedule, **config)
        if positions is not None:
            optimizer._chosen = frozenset()
            optimizer._positions = tuple(_Position(int(i), tuple(shape)) for i, shape in positions)
        return optimizer

    @property
    def _steps(self) -> Any:
        """Batches seen; the base class counts the same, but divides for gradient accumulation."""
        return super().iterations

    def _locate(self, variables: Sequence[Any]) -> tuple[_Position, ...]:
        """Finds the weights to prune among the variables to train."""
        if self._chosen is None:
            found = [i for i, variable in enumerate(variables) if variable.name.split(":")[0] in _KERNELS]
        else:
            found = [i for i, variable in enumerate(variables) if id(variable) in self._chosen]
            if not found and self._positions is not None:
                return _checked(self._positions, variables)
            if len(found) != len(self._chosen):
                raise ConfigError(
                    f"{len(self._chosen) - len(found)} of {len(self._chosen)} weights to prune are not among "
                    f"the {len(variables)} variables to train. Unfreeze their layers, or leave them out."
                )
        if not found:
            raise ConfigError(
                f"None of the {len(variables)} variables to train is named {', '.join(_KERNELS)}, so nothing "
                "would be pruned. Give the variables as `weights`, or use PruningOptimizer.for_model."
            )
        return tuple(_Position(index, tuple(variables[index].shape)) for index in found)

    def _choose_if(self, due: Any, step: Any) -> None:
        """Chooses the masks for `step` anew where `due` says so; works in compiled steps."""
        pairs = self._pairs.all

        def anew() -> list[Any]:
            return self.schedule.masks([ops.convert_to_tensor(pair.weight) for pair in pairs], step)

        def same() -> list[Any]:
            return [ops.convert_to_tensor(pair.mask) for pair in pairs]

        # Values go out of the branches, since JAX allows no assignment inside.
        for pair, mask in zip(pairs, ops.cond(due, anew, same), strict=True):
            pair.mask.assign(mask)

    def _choose(self, step: int) -> None:
        """Chooses the masks for `step` anew."""
        pairs = self._pairs.all
        masks = self.schedule.masks([ops.convert_to_tensor(pair.weight) for pair in pairs], step)
        for pair, mask in zip(pairs, masks, strict=True):
            pair.mask.assign(mask)

    def _mask(self) -> None:
        """Sets the pruned weights to zero."""
        for pair in self._pairs.all:
            self.assign(pair.weight, ops.multiply(pair.weight, pair.mask))
            if pair.average is not None:
                self.assign(pair.average, ops.multiply(pair.average, pair.mask))


def _checked(positions: Sequence[_Position], variables: Sequence[Any]) -> tuple[_Position, ...]:
    """Returns positions that were saved; raises `ConfigError` where other variables stand there now."""
    for position in positions:
        shape = tuple(variables[position.index].shape) if position.index < len(variables) else None
        if shape != position.shape:
            there = "none" if shape is None else f"one of shape {shape}"
            raise ConfigError(
                f"The optimizer was made to prune a weight of shape {position.shape} as variable "
                f"{position.index} to train, but there is {there}. Build it on the variables of the model it "
                "was made for, in the same order, with the same layers frozen."
            )
    return tuple(positions)


def _check_inner(inner: Any) -> None:
    """Raises `ConfigError` unless `inner` is a Keras 3 optimizer that can be wrapped."""
    if isinstance(inner, keras.optimizers.LossScaleOptimizer):
        raise ConfigError(
            "PruningOptimizer cannot hold a LossScaleOptimizer. Put it around instead: "
            "LossScaleOptimizer(PruningOptimizer(inner, schedule)); compile() does so by itself."
        )
    if isinstance(inner, PruningOptimizer):
        raise ConfigError(
            "PruningOptimizer cannot hold another one: give one schedule, and weights to prune."
        )
    if not isinstance(inner, keras.optimizers.Optimizer):
        raise ConfigError(
            "PruningOptimizer needs a Keras 3 optimizer to train with, such as keras.optimizers.Adam(1e-3), "
            f"but got {type(inner).__name__}: {inner!r}."
        )


def _outside_graphs() -> Any:
    """Leaves the tf.function that is being traced, if any: masks are first made once, not in each step."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow

    return tensorflow.init_scope()

"""An optimizer around another one: all that it does not change is the inner one's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

__all__ = ["Hidden", "WrappingOptimizer"]


class Hidden:
    """Holds things where Keras does not look: variables in a list or tuple would become optimizer state."""

    def __init__(self, items: Sequence[Any] = ()) -> None:
        self.items = tuple(items)


class WrappingOptimizer(keras.optimizers.Optimizer):
    """Trains with another optimizer, and does something of its own before or after each of its steps.

    Learning rate, `iterations`, loss scaling, weight decay, clipping, moving averages and gradient
    accumulation are those of the inner optimizer; its variables come after those of this one. A subclass
    gives `build`, `apply`, `get_config` and `from_config`.

    Args:
        inner_optimizer: the Keras optimizer that trains.
        name: name of the optimizer.
    """

    inner_optimizer: Any = None

    def __init__(self, inner_optimizer: keras.optimizers.Optimizer, name: str | None = None) -> None:
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer = inner_optimizer

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        """Ends training as the inner optimizer does."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def scale_loss(self, loss: Any) -> Any:
        """Scales the loss as the inner optimizer wants it."""
        return self.inner_optimizer.scale_loss(loss)

    def exclude_from_weight_decay(
        self, var_list: Sequence[Any] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        """Excludes variables from the inner optimizer's weight decay, before it is built."""
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    @property
    def own_variables(self) -> list[Any]:
        """The variables of this optimizer, without those of the inner one."""
        return list(super().variables)

    @property
    def variables(self) -> list[Any]:
        """The variables of this optimizer, then those of the inner one."""
        return [*super().variables, *self.inner_optimizer.variables]

    @property
    def own_iterations(self) -> Any:
        """A counter of this optimizer's own."""
        return super().iterations

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
        """Saves this optimizer's variables; Keras saves the inner optimizer as a part of it."""
        for index, variable in enumerate(self.own_variables):
            store[str(index)] = ops.convert_to_numpy(variable.value)

    def load_own_variables(self, store: Any) -> None:
        """Loads this optimizer's variables."""
        for index, variable in enumerate(self.own_variables):
            variable.assign(store[str(index)])

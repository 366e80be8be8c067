"""Pruning that lives in the optimizer, so that the model stays an ordinary Keras model.

The masks are optimizer variables. They are saved and loaded with the optimizer's state, follow the
backend's rules for state (jitted steps on JAX), and never enter the model: there is nothing to strip.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import keras
from keras import ops

from trimtab import _keras_internals
from trimtab.errors import ConfigError, ModelError
from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.criteria._granularity import Granularity
from trimtab.pruning.criteria._importance import Importance
from trimtab.pruning.optimizer._position import Position, checked, found_among, found_by_name, refuse
from trimtab.pruning.optimizer._pruned_weights import PrunedWeight, PrunedWeights, memory_dtype
from trimtab.pruning.optimizer._share import check_targets
from trimtab.pruning.optimizer._weight_state import WeightState, weight_states
from trimtab.pruning.schedules._schedule import Schedule
from trimtab.pruning.where._selection import Selected, select
from trimtab.training._wrapping_optimizer import Hidden, WrappingOptimizer

__all__ = ["PruningOptimizer"]


@keras.saving.register_keras_serializable(package="trimtab")
class PruningOptimizer(WrappingOptimizer):
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
        granularity: what goes together: "unstructured", blocks such as "4x1", or a `Granularity`. For N:M
            use `for_model`, which knows the input channels of each layer.
        importance: how much a weight matters: "magnitude", "taylor", "random", or an `Importance`. What it
            remembers is updated from the gradients of each step, and saved with the optimizer.
        ranking: whom a weight is compared with: those of its "layer", or all ("global").
        name: name of the optimizer.

    Raises:
        ConfigError: `schedule` is not a schedule, the inner optimizer cannot be wrapped, or the schedule
            does not suit the granularity.

    Example:
        >>> optimizer = PruningOptimizer(keras.optimizers.Adam(1e-3), PolynomialSparsity(0.0, 0.8, 0, 1000))
        >>> model.compile(optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer,
        schedule: Schedule,
        weights: Sequence[Any] | None = None,
        *,
        granularity: str | Granularity = "unstructured",
        importance: str | Importance | Callable[[Any], Any] = "magnitude",
        ranking: str = "layer",
        name: str | None = None,
    ) -> None:
        _check_inner(inner_optimizer)
        _check_schedule(schedule)
        super().__init__(inner_optimizer, name)
        self.schedule = schedule
        self.criterion = Criterion(granularity, importance, ranking)
        check_targets(schedule, self.criterion, ())
        self._selected: Hidden | None = None  # None: go by names
        if weights is not None:
            self._selected = Hidden([Selected(weight) for weight in weights])
        self._positions: tuple[Position, ...] | None = None
        self._pruned = PrunedWeights((), schedule, self.criterion)
        self._forgotten = Hidden()
        self._latest = (0, 0)  # a step, and the latest update up to it; for `state`
        # At step 1 no optimizer has run yet; whether the schedule wants masks by then is a constant.
        self._prunes_first = bool(schedule.updates(1))
        self._lacks_scores = self._prunes_first and self.criterion.importance.remembers
        self._restored = False

    @classmethod
    def for_model(
        cls,
        model: keras.Model,
        inner_optimizer: keras.optimizers.Optimizer,
        schedule: Schedule,
        layers: Any = None,
        exclude: Any = (),
        *,
        skip_ends: bool = False,
        granularity: str | Granularity = "unstructured",
        importance: str | Importance | Callable[[Any], Any] = "magnitude",
        ranking: str = "layer",
        targets: Mapping[str, float] | None = None,
        initial_scores: Sequence[Any] | None = None,
        name: str | None = None,
    ) -> Self:
        """Makes an optimizer that prunes the kernels of a model's layers.

        Args:
            model: the built model that will be trained.
            inner_optimizer: the Keras optimizer that trains.
            schedule: when, and how much, to prune.
            layers: the layers to prune: names (a nested model's name means all its layers), layer classes,
                a predicate, or a policy. None: all.
            exclude: layers to leave alone, in the same manner.
            skip_ends: whether to leave the first and the last of them alone.
            granularity: what goes together: "unstructured", "4x1", "2:4", or a `Granularity`. Layers that
                cannot be pruned so are left alone.
            importance: how much a weight matters: "magnitude", "taylor", "random", or an `Importance`.
            ranking: whom a weight is compared with: those of its "layer", or all ("global").
            targets: layer name -> final sparsity of that layer; others are left alone. The schedule is the
                clock then: where it has come to half of its own target, so has each layer.
            initial_scores: for an importance that remembers, what it starts from: one array for each weight
                to prune, in the order of the layers, as `taylor_scores` gives them.
            name: name of the optimizer.

        Raises:
            ConfigError: a layer name is unknown, nothing is left to prune, a target makes no sense, or the
                schedule prunes before the importance can know anything.
            ModelError: the model is not a built Keras 3 model, or a weight holds NaN.
        """
        optimizer = cls(
            inner_optimizer,
            schedule,
            granularity=granularity,
            importance=importance,
            ranking=ranking,
            name=name,
        )
        selected = select(
            model,
            layers,
            exclude,
            skip_ends=skip_ends,
            criterion=optimizer.criterion,
            targets=targets,
            initial_scores=initial_scores,
        )
        check_targets(schedule, optimizer.criterion, [weight.target for weight in selected])
        optimizer._lacks_scores &= initial_scores is None
        optimizer._check_scores()
        optimizer._selected = Hidden(selected)
        optimizer._positions = found_among(model.trainable_variables, selected)
        return optimizer

    def build(self, variables: Sequence[Any]) -> None:
        """Makes the masks (and the inner optimizer's variables); prunes at once where step 1 is pruned.

        Args:
            variables: the variables that will be trained, in the order of the gradients.

        Raises:
            ConfigError: a weight to prune is not among them, or the schedule prunes before the importance
                can know anything.
        """
        if self.built:
            return
        if not self._restored:
            self._check_scores()
        variables = list(variables)
        positions = self._locate(variables)
        if not self.inner_optimizer.built:
            self.inner_optimizer.build(variables)
        super().build(variables)
        averages = _keras_internals.moving_averages(self.inner_optimizer, variables)
        rows = [self._prepared(variables[spot.index], spot, averages[spot.index]) for spot in positions]
        self._pruned = PrunedWeights(rows, self.schedule, self.criterion)
        with _outside_graphs():
            self._remember_first_scores()
            if self._prunes_first:
                self._pruned.choose(1)
                self._pruned.mask(self.assign)
        self._positions = positions
        self._forgotten = Hidden(_keras_internals.forgotten(variables))
        if self._selected is not None:
            self._selected = Hidden()  # its scores may be large

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
        self._check_scores()
        step = ops.cast(self._steps, "int32")  # batches before this one
        if self._prunes_first:
            # Weights may have been loaded after build(): choose from those that this batch saw.
            self._pruned.choose_if(ops.equal(step, 0), 1)
        if self.criterion.importance.remembers:
            self._pruned.observe(self._gradients(grads, trainable_variables), self.loss_scale_factor)
        self.inner_optimizer.apply(grads, trainable_variables)
        upcoming = ops.add(step, 2)
        self._pruned.choose_if(self.schedule.updates(upcoming), upcoming)
        self._pruned.mask(self.assign)
        self._steps.assign_add(1)
        for variable in self._forgotten.items:
            variable.value.grad = None

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        """Ends training: the inner optimizer may put its moving averages in place; the zeros stay."""
        super().finalize_variable_values(var_list)
        self._pruned.finish(self.assign)

    @property
    def steps(self) -> int:
        """Batches seen, by which the schedule goes."""
        return int(ops.convert_to_numpy(self._steps))

    def state(self) -> tuple[WeightState, ...]:
        """Tells, for each weight that is pruned, what was asked of it and what has become of it.

        For looking at, between two steps; it takes a while. In a callback on JAX touch `self.model` first,
        which brings the variables up to date.

        Returns:
            One row for each weight, in the order of the variables; none before the optimizer is built.
        """
        return weight_states(self._pruned, self._latest_update(self.steps + 1))  # masks come a step ahead

    def load_own_variables(self, store: Any) -> None:
        """Loads masks, memories and counters.

        Raises:
            ModelError: the file holds the masks of other weights.
        """
        own = self.own_variables
        if len(store.keys()) != len(own):
            raise ModelError(
                f"The saved pruning state has {len(store.keys())} variables, but this optimizer has "
                f"{len(own)}. Build it on the model it was saved with, with the same layers to prune."
            )
        super().load_own_variables(store)
        self._lacks_scores = False

    def get_config(self) -> dict[str, Any]:
        """Returns the optimizer as plain data.

        Raises:
            ConfigError: it was given variables and is not built, so it cannot tell where they stand.
        """
        named = self._selected is None
        if not named and self._positions is None:
            raise ConfigError(
                "A PruningOptimizer that was given weights can be saved once it is built: call "
                "build(model.trainable_variables), or make it with PruningOptimizer.for_model."
            )
        return {
            "name": self.name,
            "inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer),
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "positions": None if named else [spot.get_config() for spot in self._positions or ()],
            **self.criterion.get_config(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        """Makes the optimizer from what `get_config` gave, now or in an earlier release."""
        config = dict(config)
        inner = keras.saving.deserialize_keras_object(config.pop("inner_optimizer"), custom_objects)
        schedule = keras.saving.deserialize_keras_object(config.pop("schedule"), custom_objects)
        positions = config.pop("positions", None)
        for part in {"granularity", "importance"} & config.keys():
            config[part] = keras.saving.deserialize_keras_object(config[part], custom_objects)
        optimizer = cls(inner, schedule, **config)
        if positions is not None:
            optimizer._selected = Hidden()
            optimizer._positions = tuple(Position.from_config(position) for position in positions)
        optimizer._restored = True
        return optimizer

    @property
    def _steps(self) -> Any:
        """Batches seen; the base class counts the same, but divides for gradient accumulation."""
        return self.own_iterations

    def _check_scores(self) -> None:
        """Raises `ConfigError` where masks are due before the importance can know anything."""
        if self._lacks_scores:
            raise ConfigError(
                f"The schedule prunes at step 1, but the importance {self.criterion.importance.name!r} has "
                "seen no gradients by then. Let the schedule begin later, or give initial_scores="
                "taylor_scores(model, data) to PruningOptimizer.for_model."
            )

    def _locate(self, variables: Sequence[Any]) -> tuple[Position, ...]:
        """Finds the weights to prune among the variables to train."""
        granularity = self.criterion.granularity
        if self._selected is None:
            return found_by_name(variables, granularity)
        if self._selected.items:
            positions = found_among(variables, self._selected.items)
        else:
            positions = checked(self._positions or (), variables)
        for position in positions:
            refuse(position, granularity)
        return positions

    def _prepared(self, weight: Any, position: Position, average: Any) -> PrunedWeight:
        """Makes the variables that a weight to prune needs."""
        mask = self.add_variable_from_reference(weight, name="mask", initializer="ones")
        memory = None
        if self.criterion.importance.remembers:
            memory = self.add_variable(weight.shape, dtype=memory_dtype(weight), name=f"{weight.name}_memory")
        return PrunedWeight(weight, mask, memory, average, position)

    def _remember_first_scores(self) -> None:
        """Fills the memories with the scores that were given."""
        given = () if self._selected is None else self._selected.items
        scores = {id(weight.variable): weight.scores for weight in given if weight.scores is not None}
        for row in self._pruned.rows:
            if id(row.weight) in scores:
                row.memory.assign(scores[id(row.weight)])

    def _gradients(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None) -> list[Any]:
        """Returns the gradient of each weight that is pruned; None where it has none."""
        if trainable_variables is None:
            return [grads[row.position.index] for row in self._pruned.rows]
        found = {id(weight): grad for weight, grad in zip(trainable_variables, grads, strict=True)}
        return [found.get(id(row.weight)) for row in self._pruned.rows]

    def _latest_update(self, upto: int) -> int:
        """Returns the last step up to `upto` with an update, 0 for none; remembers what it has looked at."""
        if self.schedule.target is None or upto >= self.schedule.reached_at:
            return self.schedule.reached_at
        seen, latest = self._latest if self._latest[0] <= upto else (0, 0)
        found = next((step for step in range(upto, seen, -1) if self.schedule.updates(step)), latest)
        self._latest = (upto, found)
        return found


def _check_schedule(schedule: Any) -> None:
    """Raises `ConfigError` unless `schedule` is one."""
    if isinstance(schedule, Schedule):
        return
    if callable(schedule):
        raise ConfigError(
            "PruningOptimizer needs a schedule, but got a function. Make one of it: "
            "TabulatedSparsity.from_function(function, begin=0, end=1000, frequency=100)."
        )
    raise ConfigError(
        "PruningOptimizer needs a schedule, such as ConstantSparsity(0.8), but got "
        f"{type(schedule).__name__}: {schedule!r}."
    )


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

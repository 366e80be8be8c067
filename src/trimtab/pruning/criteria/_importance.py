"""How much each weight matters: by magnitude, by gradient times weight, at random, or by your function."""

from __future__ import annotations

import abc
import dataclasses
import numbers
from collections.abc import Callable
from typing import Any, ClassVar, Self

import keras
from keras import ops

from trimtab.errors import ConfigError, nearest
from trimtab.pruning._configured import Configured

__all__ = ["FunctionImportance", "Importance", "Magnitude", "Random", "Taylor", "importance"]


@dataclasses.dataclass(frozen=True)
class Importance(Configured, abc.ABC):
    """How much each weight matters: it gives scores, and the larger stay.

    An importance is data: a frozen dataclass. Its methods are made of `keras.ops`, so that they work in
    compiled training steps. `trimtab.testing.check_importance` says whether one of your own does what
    is needed.
    """

    remembers: ClassVar[bool] = False
    """Whether it keeps a memory for each weight, brought up to date after each training step."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Short name, such as ``"magnitude"``."""

    @abc.abstractmethod
    def score(self, weight: Any, index: int = 0, memory: Any = None) -> Any:
        """Returns the score of each number of a weight.

        Args:
            weight: tensor of a floating dtype.
            index: number of the weight among those that are pruned.
            memory: what `observe` gave last, of the weight's shape; None for an importance without.

        Returns:
            Floats, 0 or more, of the shape of `weight`.
        """

    def observe(self, memory: Any, weight: Any, gradient: Any) -> Any:  # noqa: ARG002
        """Returns the new memory after a training step; called only where `remembers` is true.

        Args:
            memory: the memory before; zeros at first, of the weight's shape and dtype.
            weight: the weight that the step saw.
            gradient: gradient of the loss for the weight.
        """
        return memory


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True)
class Magnitude(Importance):
    """Large weights matter: ``|w|``. It needs no data, and is hard to beat where training goes on."""

    @property
    def name(self) -> str:
        """``"magnitude"``."""
        return "magnitude"

    def score(self, weight: Any, index: int = 0, memory: Any = None) -> Any:  # noqa: ARG002
        """Returns the magnitudes."""
        return ops.abs(weight)


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True)
class Random(Importance):
    """Weights matter at random: the control that shows what another importance is worth.

    The scores of a weight are the same at each update, so a weight that went stays away.

    Args:
        seed: whole number, 0 or more; another seed draws other scores.

    Raises:
        ConfigError: the seed is no such number.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        seed: Any = self.seed
        if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or seed < 0:
            raise ConfigError(f"Random needs a seed of 0 or more, a whole number, but got {seed!r}.")
        object.__setattr__(self, "seed", int(seed))

    @property
    def name(self) -> str:
        """``"random"``."""
        return "random"

    def score(self, weight: Any, index: int = 0, memory: Any = None) -> Any:  # noqa: ARG002
        """Returns uniform numbers from 0 to 1 that depend on the seed and on `index` only."""
        return keras.random.uniform(tuple(weight.shape), seed=(self.seed * 1_000_003 + index) % 2**31)


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True)
class Taylor(Importance):
    """Weights matter by what the loss would change without them, to first order: ``|gradient * w|``.

    The products are averaged over training steps: ``memory = decay * memory + (1 - decay) * |g * w|``.
    Where the products are zero, behind a dead input or unit or before the first step, the magnitude
    decides: else all these weights would tie, and stay together. (Molchanov et al. 2019, "Importance
    estimation for neural network pruning", equation 8; Lee et al. 2019, "SNIP".)

    Args:
        decay: weight of the past, in [0, 1); 0: the last batch alone counts.

    Raises:
        ConfigError: `decay` is out of range.
    """

    remembers: ClassVar[bool] = True
    decay: float = 0.9

    def __post_init__(self) -> None:
        decay: Any = self.decay
        if isinstance(decay, bool) or not isinstance(decay, numbers.Real) or not 0 <= float(decay) < 1:
            raise ConfigError(f"Taylor needs a decay from 0 up to, not including, 1, but got {decay!r}.")
        object.__setattr__(self, "decay", float(decay))

    @property
    def name(self) -> str:
        """``"taylor"``."""
        return "taylor"

    def score(self, weight: Any, index: int = 0, memory: Any = None) -> Any:  # noqa: ARG002
        """Returns the averaged products of gradient and weight, ties broken by magnitude.

        Raises:
            ConfigError: there is no memory.
        """
        if memory is None:
            raise ConfigError(
                "The importance 'taylor' needs gradients: give the scores that trimtab.pruning.taylor_scores "
                "returns as memories, or let PruningOptimizer observe them."
            )
        tie_break = ops.multiply(ops.abs(ops.cast(weight, memory.dtype)), 1e-30)
        return ops.abs(memory) + tie_break  # ops.add may take it for a bias, and fail (TensorFlow)

    def observe(self, memory: Any, weight: Any, gradient: Any) -> Any:
        """Returns the moving average of ``|gradient * weight|``."""
        product = ops.abs(ops.multiply(ops.cast(gradient, memory.dtype), ops.cast(weight, memory.dtype)))
        return memory * self.decay + product * (1 - self.decay)


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True)
class FunctionImportance(Importance):
    """Weights matter as your function says: weight tensor in, scores of the same shape out.

    Only the function's registered name is saved, never its code. To load what was saved, register the
    function with `keras.saving.register_keras_serializable`, or give it in `custom_objects`.

    Args:
        function: takes a weight tensor and returns scores, 0 or more (less counts as 0); made of
            `keras.ops`, so that it works in compiled training steps.

    Raises:
        ConfigError: `function` cannot be called.

    Example:
        >>> FunctionImportance(lambda weight: keras.ops.square(weight))
    """

    function: Callable[[Any], Any]

    def __post_init__(self) -> None:
        if not callable(self.function) or isinstance(self.function, type):
            raise ConfigError(
                f"FunctionImportance needs a function from a weight to scores, but got {self.function!r}."
            )

    @property
    def name(self) -> str:
        """The name that the function is registered, or else defined, by."""
        if not hasattr(self.function, "__name__"):
            return type(self.function).__name__
        return str(keras.saving.get_registered_name(self.function))

    def score(self, weight: Any, index: int = 0, memory: Any = None) -> Any:  # noqa: ARG002
        """Returns what the function says.

        Raises:
            ConfigError: the function returns another shape than the weight has, or no floats.
        """
        scores = ops.convert_to_tensor(self.function(weight))
        dtype = keras.backend.standardize_dtype(scores.dtype)
        if tuple(scores.shape) != tuple(weight.shape) or "float" not in dtype:
            raise ConfigError(
                f"The importance {self.name!r} must return floats, one for each weight, but for a weight of "
                f"shape {tuple(weight.shape)} it returned {dtype} of shape {tuple(scores.shape)}."
            )
        return ops.maximum(scores, ops.zeros_like(scores))

    def get_config(self) -> dict[str, Any]:
        """Returns the function's name, as plain data."""
        return {"function": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes the importance from what `get_config` gave, with the function of that name.

        Raises:
            ConfigError: no function of that name is known.
        """
        name = config.get("function")
        function = keras.saving.get_registered_object(name) if isinstance(name, str) else None
        if function is None:
            raise ConfigError(
                f"The importance is your function {name!r}, which is not saved. Give it when loading, as in "
                f"custom_objects={{{name!r}: function}}."
            )
        return super().from_config({**config, "function": function})


_NAMED: dict[str, Callable[[], Importance]] = {"magnitude": Magnitude, "random": Random, "taylor": Taylor}


def importance(value: str | Importance | Callable[[Any], Any]) -> Importance:
    """Returns the importance of a name: ``"magnitude"``, ``"taylor"``, ``"random"``.

    Args:
        value: a name; a function from a weight tensor to scores; or an importance, returned as it is.

    Raises:
        ConfigError: no importance has this name.
    """
    if isinstance(value, Importance):
        return value
    if isinstance(value, str) and value in _NAMED:
        return _NAMED[value]()
    if callable(value) and not isinstance(value, type):
        return FunctionImportance(value)
    hint = nearest(value, _NAMED) if isinstance(value, str) else ""
    raise ConfigError(
        f"An importance is one of {', '.join(map(repr, _NAMED))}, or a function from a weight to scores, "
        f"but got {value!r}.{hint}"
    )

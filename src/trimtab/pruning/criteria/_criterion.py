"""Which weights go: what goes together, how much each matters, and against whom it is ranked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from trimtab.errors import ConfigError, nearest
from trimtab.pruning.criteria._granularity import Granularity, fewest_zeros
from trimtab.pruning.criteria._granularity_name import granularity as make_granularity
from trimtab.pruning.criteria._importance import Importance
from trimtab.pruning.criteria._importance import importance as make_importance
from trimtab.pruning.criteria._threshold import kept, kept_of, kth_largest, kth_largest_of_all, order_bits

__all__ = ["Criterion"]

_RANKINGS = ("layer", "global")


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True, init=False)
class Criterion:
    """Says which weights go at a sparsity.

    With ranking ``"layer"`` the units of each weight are ranked among themselves, and
    ``max(round(units * (1 - sparsity)), 1)`` of them stay (float32, halves to even). With ``"global"``
    the units of all weights are ranked together: layers that matter less lose more, and at least the
    best unit of each weight stays. All units that tie with the last one to stay do stay.

    Args:
        granularity: what goes together, or its name.
        importance: how much each weight matters, its name, or a function.
        ranking: ``"layer"`` or ``"global"``.

    Raises:
        ConfigError: a name is unknown, or a value makes no sense.

    Example:
        >>> Criterion("2:4").masks([kernel], 0.5)
    """

    granularity: Granularity
    importance: Importance
    ranking: str

    def __init__(
        self,
        granularity: str | Granularity = "unstructured",
        importance: str | Importance | Callable[[Any], Any] = "magnitude",
        ranking: str = "layer",
    ) -> None:
        if ranking not in _RANKINGS:
            hint = nearest(ranking, _RANKINGS) if isinstance(ranking, str) else ""
            raise ConfigError(f"A ranking is 'layer' or 'global', but got {ranking!r}.{hint}")
        object.__setattr__(self, "granularity", make_granularity(granularity))
        object.__setattr__(self, "importance", make_importance(importance))
        object.__setattr__(self, "ranking", ranking)

    def masks(
        self,
        weights: Sequence[Any],
        sparsity: Any,
        *,
        axes: Sequence[int | None] | None = None,
        memories: Sequence[Any] | None = None,
    ) -> list[Any]:
        """Chooses which weights stay; works in compiled steps.

        Args:
            weights: tensors or variables of floating dtypes.
            sparsity: share to remove, in [0, 1): a number or a float32 scalar; with ranking ``"layer"``
                also one for each weight.
            axes: axis of the input channels of each weight, None for a weight without. None: the last
                but one of each, as in `Dense` and convolution kernels.
            memories: memory of each weight, for an importance that remembers.

        Returns:
            One mask of 0 and 1 for each weight, of its shape and dtype.

        Raises:
            ConfigError: the importance needs memories, or a weight cannot be pruned in this manner.
        """
        tensors = [ops.stop_gradient(ops.convert_to_tensor(weight)) for weight in weights]
        shapes = [tuple(tensor.shape) for tensor in tensors]
        axes = _axes(shapes) if axes is None else axes
        memories = [None] * len(tensors) if memories is None else memories
        bits = []
        for index, (tensor, axis, memory) in enumerate(zip(tensors, axes, memories, strict=True)):
            scores = ops.stop_gradient(self.importance.score(tensor, index, memory))
            bits.append(order_bits(self.granularity.pool(scores, axis)))
        choose = self._each if self.ranking == "layer" else self._together
        stays = choose(
            bits, sparsity, [self.granularity.units(*place) for place in zip(shapes, axes, strict=True)]
        )
        return [
            ops.cast(self.granularity.spread(stay, shape, axis), tensor.dtype)
            for tensor, stay, shape, axis in zip(tensors, stays, shapes, axes, strict=True)
        ]

    def zeros(
        self, shapes: Sequence[Sequence[int]], axes: Sequence[int | None], sparsity: float | Sequence[float]
    ) -> list[int] | None:
        """Returns the fewest zeros that a sparsity makes in each weight where nothing ties.

        Args:
            shapes: shape of each weight.
            axes: axis of the input channels of each, or None.
            sparsity: share to remove, one or one for each weight.

        Returns:
            A number for each weight; None with ranking ``"global"``, where only `total_zeros` is asked.
        """
        if self.ranking == "global":
            return None
        shares = [float(share) for share in np.broadcast_to(np.asarray(sparsity), (len(shapes),))]
        return [
            self.granularity.zeros(shape, axis, share)
            for shape, axis, share in zip(shapes, axes, shares, strict=True)
        ]

    def total_zeros(
        self, shapes: Sequence[Sequence[int]], axes: Sequence[int | None], sparsity: float | Sequence[float]
    ) -> int:
        """Returns the fewest zeros that a sparsity makes in all weights together where nothing ties."""
        each = self.zeros(shapes, axes, sparsity)
        if each is not None:
            return sum(each)
        share = _one_share(sparsity)
        places = list(zip(shapes, axes, strict=True))
        units = sum(self.granularity.units(*place) for place in places)
        stay = len(places) if self._complete(share) else max(kept_of(units, share), len(places))
        sizes: dict[int, int] = {}
        for place in places:
            for weights, count in self.granularity.unit_sizes(*place).items():
                sizes[weights] = sizes.get(weights, 0) + count
        return fewest_zeros(sizes, units - stay)

    def get_config(self) -> dict[str, Any]:
        """Returns the criterion as plain data."""
        return {
            "granularity": keras.saving.serialize_keras_object(self.granularity),
            "importance": keras.saving.serialize_keras_object(self.importance),
            "ranking": self.ranking,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes the criterion from what `get_config` gave.

        Raises:
            ConfigError: a key is unknown, or a value makes no sense.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        for key in config:
            if key not in names:
                raise ConfigError(
                    f"Criterion has no setting {key!r}; it has: {', '.join(names)}.{nearest(key, names)}"
                )
        return cls(**{key: keras.saving.deserialize_keras_object(value) for key, value in config.items()})

    def _each(self, bits: Sequence[Any], sparsity: Any, units: Sequence[int]) -> list[Any]:
        """Ranks the units of each weight among themselves."""
        ranks = self._unless_complete(kept(units, sparsity), sparsity, 1)
        thresholds = kth_largest(bits, ranks)
        return [ops.greater_equal(bit, limit) for bit, limit in zip(bits, thresholds, strict=True)]

    def _together(self, bits: Sequence[Any], sparsity: Any, units: Sequence[int]) -> list[Any]:
        """Ranks the units of all weights together; the best of each weight always stays."""
        widest = "int64" if any("64" in keras.backend.standardize_dtype(b.dtype) for b in bits) else "int32"
        if widest == "int64":
            raise ConfigError("Ranking 'global' needs weights of one kind of float, float32 or smaller.")
        highest = ops.convert_to_tensor(2**31 - 1, "int32")
        safe = [ops.where(ops.equal(bit, ops.max(bit)), highest, bit) for bit in bits]
        rank = ops.maximum(kept([sum(units)], _one_share(sparsity))[0], len(units))
        rank = self._unless_complete(rank, sparsity, len(units))
        limit = kth_largest_of_all(safe, rank)
        return [ops.greater_equal(bit, limit) for bit in safe]

    def _complete(self, sparsity: Any) -> Any:
        """Tells whether a pattern (of N:M) is complete at a sparsity; False where there is none."""
        start = self.granularity.pattern_from
        return False if start is None else sparsity >= start - 1e-6

    def _unless_complete(self, ranks: Any, sparsity: Any, fewest: int) -> Any:
        """Returns `ranks`, or `fewest` where the pattern is complete: each candidate goes."""
        if self.granularity.pattern_from is None:
            return ranks
        complete = self._complete(ops.cast(sparsity, "float32"))
        return ops.where(complete, ops.full_like(ranks, fewest), ranks)


def _axes(shapes: Sequence[Sequence[int]]) -> list[int | None]:
    """Returns where the input channels of ordinary kernels are."""
    return [-2 if len(shape) >= 2 else None for shape in shapes]


def _one_share(sparsity: Any) -> Any:
    """Returns the sparsity; raises `ConfigError` unless it is a single one."""
    if np.ndim(sparsity) if isinstance(sparsity, (list, tuple)) else len(getattr(sparsity, "shape", ())):
        raise ConfigError(
            "With ranking 'global' all weights share one sparsity, but got one for each. "
            "Use ranking 'layer' for targets of single layers."
        )
    return sparsity

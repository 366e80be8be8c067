"""What every importance must do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from trimtab.pruning import Criterion, Importance
from trimtab.testing._demand import compiled, demand, demand_data, demand_is, values

__all__ = ["check_importance"]

_SHAPES = ((6, 9), (3, 3, 2, 5), (7,))


def check_importance(importance: Importance, *, custom_objects: Mapping[str, Any] | None = None) -> None:
    """Checks that weights can be ranked by an importance.

    It must be a frozen dataclass that Keras saves and loads. It must give one score for each weight, a
    float of 0 or more, the same at each call and in a compiled step; the masks keep the largest. One
    that remembers must keep the shape and dtype of its memory.

    Args:
        importance: the importance to check.
        custom_objects: what Keras needs to load it, such as the function of a `FunctionImportance`.

    Raises:
        AssertionError: the importance breaks the contract; the message says how.

    Example:
        >>> check_importance(Magnitude())
    """
    demand_is(importance, Importance)
    demand_data(importance, custom_objects)
    name = type(importance).__name__
    demand(isinstance(importance.name, str) and importance.name, f"{name}.name must be a short text.")
    demand(
        isinstance(importance.remembers, bool), f"{name}.remembers is {importance.remembers!r}, not a bool."
    )
    random = np.random.default_rng(0)
    for index, shape in enumerate(_SHAPES):
        weight = ops.convert_to_tensor(random.normal(size=shape).astype("float32"))
        gradient = ops.convert_to_tensor(random.normal(size=shape).astype("float32"))
        memory = _check_memory(importance, weight, gradient) if importance.remembers else None
        scores = _check_scores(importance, weight, index, memory)
        _check_ranking(importance, weight, index, memory, scores)
    narrow = ops.cast(ops.convert_to_tensor(random.normal(size=(4, 3)).astype("float32")), "float16")
    _check_scores(importance, narrow, 0, ops.abs(narrow) if importance.remembers else None)


def _check_memory(importance: Importance, weight: Any, gradient: Any) -> Any:
    """Checks what is remembered of two training steps, and returns it."""
    name = type(importance).__name__
    memory = ops.zeros_like(weight)
    step = compiled(importance.observe)
    for _ in range(2):
        inside = values(step(memory, weight, gradient))
        memory = importance.observe(memory, weight, gradient)
        demand(
            tuple(memory.shape) == tuple(weight.shape) and memory.dtype == weight.dtype,
            f"{name}.observe gives {memory.dtype} of shape {tuple(memory.shape)} for a memory that is "
            f"{weight.dtype} of shape {tuple(weight.shape)}.",
        )
        demand(
            np.allclose(inside, values(memory), rtol=1e-5, atol=1e-7),
            f"{name}.observe gives another memory in a compiled step.",
        )
    demand(np.isfinite(values(memory)).all(), f"{name}.observe gives a memory that is not finite.")
    return memory


def _check_scores(importance: Importance, weight: Any, index: int, memory: Any) -> np.ndarray:
    """Checks the scores of one weight, and returns them."""
    name = type(importance).__name__
    before = values(weight).copy()
    scores = importance.score(weight, index, memory)
    dtype = keras.backend.standardize_dtype(scores.dtype)
    demand(
        tuple(scores.shape) == tuple(weight.shape) and "float" in dtype,
        f"{name}.score must give floats of shape {tuple(weight.shape)}, but gave {dtype} of shape "
        f"{tuple(scores.shape)}.",
    )
    found = values(scores)
    demand((found >= 0).all(), f"{name}.score gives {found.min()!r}, but a score is 0 or more.")
    again = values(importance.score(weight, index, memory))
    demand(np.array_equal(found, again), f"{name}.score gives other scores for the same weight.")
    demand(np.array_equal(before, values(weight)), f"{name}.score changes the weight.")
    step = compiled(lambda *given: importance.score(given[0], index, *given[1:]))
    inside = values(step(weight) if memory is None else step(weight, memory))
    demand(
        np.allclose(inside, found, rtol=1e-3 if dtype != "float32" else 1e-5, atol=1e-7),
        f"{name}.score gives other scores in a compiled step.",
    )
    return found


def _check_ranking(importance: Importance, weight: Any, index: int, memory: Any, scores: np.ndarray) -> None:
    """Checks that the masks keep the largest scores, exactly as many as asked for, and all ties."""
    name = type(importance).__name__
    others = [ops.ones((1,))] * index  # weights before this one
    memories = [*others, memory] if importance.remembers else None
    for share in (0.0, 0.3, 0.5, 0.9):
        mask = values(Criterion(importance=importance).masks([*others, weight], share, memories=memories)[-1])
        keep = max(int(np.round(np.float32(scores.size) * (np.float32(1) - np.float32(share)))), 1)
        least = np.sort(scores, axis=None)[::-1][keep - 1]
        demand(
            np.array_equal(mask != 0, scores >= least),
            f"{name}: at sparsity {share} the mask does not keep the {keep} largest of its scores.",
        )

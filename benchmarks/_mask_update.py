"""Choosing masks alone, as one compiled function: what is timed inside a worker."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["KERNELS", "kernels", "tfmot", "trimtab"]

Shape = tuple[int, ...]

_SPARSITY = 0.8


def _resnet50() -> list[Shape]:
    """Lists the kernels of ResNet-50 (He et al. 2016): 53 convolutions and the dense layer."""
    shapes: list[Shape] = [(7, 7, 3, 64)]
    inputs = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            if block == 0:
                shapes.append((1, 1, inputs, 4 * width))
            shapes += [(1, 1, inputs, width), (3, 3, width, width), (1, 1, width, 4 * width)]
            inputs = 4 * width
    return [*shapes, (inputs, 1000)]


KERNELS: dict[str, list[Shape]] = {"one": [(5000, 5000)], "resnet50": _resnet50()}
"""Shapes of about 25 million weights: in one tensor, and in the kernels of ResNet-50."""


def kernels(name: str, scale: float = 1.0) -> list[np.ndarray]:
    """Makes random kernels.

    Args:
        name: a key of `KERNELS`.
        scale: factor on inputs and outputs, for quick runs.
    """
    generator = np.random.default_rng(0)
    made = []
    for *positions, inputs, outputs in KERNELS[name]:
        shape = (*positions, math.ceil(inputs * scale), math.ceil(outputs * scale))
        made.append(generator.standard_normal(shape, dtype=np.float32))
    return made


def trimtab(spec: dict[str, Any]) -> Callable[[int], float]:
    """Chooses masks by Trimtab's criterion, on the backend of this process."""
    import keras

    from trimtab.pruning import Criterion

    criterion = Criterion(granularity=spec["granularity"], ranking=spec["ranking"])
    weights = [keras.ops.convert_to_tensor(array) for array in kernels(spec["net"], spec["scale"])]
    # As in a model, kernels that it cannot serve are left out.
    chosen = [w for w in weights if criterion.granularity.refuses(tuple(w.shape), -2) is None]

    def choose(tensors: list[Any]) -> list[Any]:
        masks: list[Any] = criterion.masks(tensors, _SPARSITY)
        return masks

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        choose = tf.function(choose, autograph=False)  # as Keras compiles training steps
    elif backend == "jax":
        import jax

        choose = jax.jit(choose)
    return _timed(lambda: _finished(choose(chosen)))


def tfmot(spec: dict[str, Any]) -> Callable[[int], float]:
    """Chooses masks as TFMOT's wrappers do, on the same weights."""
    import tensorflow as tf
    import tensorflow_model_optimization as tfmot
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl

    variables = [
        (tf.Variable(array), tf.Variable(np.ones_like(array)), tf.Variable(0.0))
        for array in kernels(spec["net"], spec["scale"])
    ]
    schedule = tfmot.sparsity.keras.ConstantSparsity(_SPARSITY, 1, frequency=1)
    step = tf.constant(1, tf.int64)
    pruning = pruning_impl.Pruning(lambda: step, variables, schedule, (1, 1), "AVG")
    update = tf.function(pruning.conditional_mask_update)
    return _timed(lambda: update())


def _finished(masks: list[Any]) -> None:
    """Waits until masks are there: JAX hands them out before."""
    for mask in masks:
        if hasattr(mask, "block_until_ready"):
            mask.block_until_ready()


def _timed(update: Callable[[], Any]) -> Callable[[int], float]:
    def run(updates: int) -> float:
        began = time.perf_counter()
        for _ in range(updates):
            update()
        return time.perf_counter() - began

    return run

"""Batches for backends other than TensorFlow, made in NumPy. Imports Keras: imported when it is needed."""

from __future__ import annotations

import keras
import numpy as np

from trimtab.data._batches import Plan

__all__ = ["KerasBatches"]


class KerasBatches(keras.utils.PyDataset):
    """A stream of batches that Keras asks for by number."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan

    def __len__(self) -> int:
        return self._plan.epochs * self._plan.steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        return self._plan.batch(index)

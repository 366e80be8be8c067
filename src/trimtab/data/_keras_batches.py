"""Batches for backends other than TensorFlow, made in NumPy. Imports Keras: imported when it is needed."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor

import keras
import numpy as np

from trimtab.data._batches import Plan

__all__ = ["KerasBatches"]

_MOST_AHEAD = 8  # batches that are made before they are asked for, which bounds the memory that they take

_Batch = tuple[np.ndarray, ...]


class KerasBatches(keras.utils.PyDataset):
    """A stream of batches that Keras asks for by number.

    Where images are resized, threads make the next batches while the model works on this one. Keras' own
    ``workers`` would not do: they begin at the first batch again with each epoch, and this stream holds all.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan
        self._ahead = min(os.cpu_count() or 1, _MOST_AHEAD)
        self._pool = None if plan.split.size is None else ThreadPoolExecutor(self._ahead)
        self._coming: dict[int, Future[_Batch]] = {}

    def __len__(self) -> int:
        return self._plan.epochs * self._plan.steps

    def __getitem__(self, index: int) -> _Batch:
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        if self._pool is None:
            return self._plan.batch(index)
        for number in range(index, min(index + self._ahead, len(self))):
            if number not in self._coming:
                self._coming[number] = self._pool.submit(self._plan.batch, number)
        for number in [number for number in self._coming if number < index]:
            self._coming.pop(number).cancel()  # somebody jumped ahead
        return self._coming.pop(index).result()

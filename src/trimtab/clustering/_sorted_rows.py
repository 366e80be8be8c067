"""Rows of sorted values with prefix sums: count and sum of any stretch are one subtraction."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["SortedRows"]

_Places = npt.NDArray[np.int64]


class SortedRows:
    """Rows of values, each sorted, where zeros may count as not there.

    Args:
        rows: (rows, values): finite float32 numbers; they are copied.
        skip_zeros: whether zeros count as not there. They stand together, so counting around them is easy.
    """

    def __init__(self, rows: npt.NDArray[np.float32], skip_zeros: bool = False) -> None:
        if skip_zeros and len(rows) == 1:
            rows = rows[:, rows[0] != 0]
        self.values = np.sort(rows, axis=1)
        self.rows, self.length = self.values.shape
        self.sums = np.zeros((self.rows, self.length + 1))
        np.cumsum(self.values, axis=1, dtype=np.float64, out=self.sums[:, 1:])
        self.squares = np.einsum("ij,ij->i", self.values, self.values, dtype=np.float64)
        self._below = np.count_nonzero(self.values < 0, axis=1)[:, None]
        zeros = np.count_nonzero(self.values == 0, axis=1)[:, None]
        self._zeros = zeros if skip_zeros else np.zeros_like(zeros)

    @property
    def counts(self) -> _Places:
        """How many values each row has, (rows, 1)."""
        counted: _Places = self.length - self._zeros
        return counted

    def at_ranks(self, ranks: _Places) -> npt.NDArray[np.float64]:
        """Returns the values of these ranks, counted from 0; (rows, any number). 0 where a row has none."""
        if not self.length:
            return np.zeros(ranks.shape)
        places = ranks + np.where(ranks >= self._below, self._zeros, 0)
        lines = np.arange(self.rows)[:, None]
        return self.values[lines, np.clip(places, 0, self.length - 1)].astype(np.float64)

    def ranks(self, which: _Places, borders: npt.NDArray[np.float64]) -> _Places:
        """Counts the values at or below each border, zeros included.

        Args:
            which: the rows that are meant.
            borders: (rows meant, any number).
        """
        if self.rows == 1:
            return np.searchsorted(self.values[0], self.not_above(borders[0]), side="right")[None]
        lines, last = which[:, None], max(self.length - 1, 0)
        low = np.zeros(borders.shape, np.int64)
        high = np.full(borders.shape, self.length, np.int64)
        for _ in range(self.length.bit_length()):  # all bisections at once
            middle = (low + high) // 2
            still = low < high
            right = still & (self.values[lines, np.minimum(middle, last)] <= borders)
            low, high = np.where(right, middle + 1, low), np.where(still & ~right, middle, high)
        return low

    def stretches(
        self, which: _Places, ends: _Places
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Returns count and sum of the values in each stretch, (rows meant, stretches).

        Args:
            which: the rows that are meant.
            ends: where each stretch but the last ends, as `ranks` gives it.
        """
        edge = np.zeros((len(which), 1), np.int64)
        edges = np.concatenate([edge, ends, edge + self.length], axis=1)
        there = edges - np.clip(edges - self._below[which], 0, self._zeros[which])
        sums = self.sums[which[:, None], edges]
        return np.diff(there, axis=1).astype(np.float64), np.diff(sums, axis=1)

    @staticmethod
    def not_above(borders: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Returns the largest float32 at or below each border: the same float32 values lie below both."""
        near: Any = borders.astype(np.float32)
        down: npt.NDArray[np.float32] = np.where(
            near > borders, np.nextafter(near, np.float32(-np.inf)), near
        )
        return down

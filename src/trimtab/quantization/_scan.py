"""An aware model judged with some of its quantizers on, beside itself with none: what scans are made of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from trimtab._statistics import paired_difference, wilson_interval
from trimtab.models._forward import forward
from trimtab.quantization._sensitivity_result import QuantizationPoint
from trimtab.quantization._switches import switched
from trimtab.training._judging import Judgement, judged, scores_of

if TYPE_CHECKING:
    from trimtab.data import Split

__all__ = ["Scan"]

_MOST_DB = 200.0  # nothing differs; float32 itself rounds at about 140


@dataclass(frozen=True)
class _Float:
    """The model without quantization."""

    scores: Any
    judgement: Judgement


class Scan:
    """Judges a model with some of its quantizers on; its forward pass is compiled once for all of them.

    Args:
        aware: a model with quantizers and their ranges.
        split: the images that judge.
        batch_size: images in one step.
        logits: whether the model gives logits (else probabilities).
    """

    def __init__(self, aware: keras.Model, split: Split, batch_size: int, logits: bool) -> None:
        self._aware, self._split, self._batch_size, self._logits = aware, split, batch_size, logits
        self._outputs = forward(aware)
        with switched(aware, ()):
            scores = scores_of(self._outputs, aware, split, batch_size)
        self._float = _Float(scores, judged(scores, split, logits))

    @property
    def whole(self) -> Judgement:
        """How the float model does."""
        return self._float.judgement

    def point(self, on: Collection[Any]) -> QuantizationPoint:
        """Says how the model does with just these quantizers on."""
        with switched(self._aware, on):
            scores = scores_of(self._outputs, self._aware, self._split, self._batch_size)
        found, whole = judged(scores, self._split, self._logits), self._float.judgement
        trials = len(whole.right)
        accuracy = wilson_interval(int(found.right.sum()), trials)
        gained = int(np.count_nonzero(found.right & ~whole.right))
        lost = int(np.count_nonzero(whole.right & ~found.right))
        change = paired_difference(gained, lost, trials)
        return QuantizationPoint(
            sqnr_db=_sqnr(self._float.scores, scores),
            agreement=float((scores.argmax(axis=1) == self._float.scores.argmax(axis=1)).mean()),
            accuracy=accuracy.value,
            low=float(accuracy.low or 0.0),
            high=float(accuracy.high or 0.0),
            change=change.value,
            change_low=float(change.low or 0.0),
            change_high=float(change.high or 0.0),
            loss=found.loss,
        )


def _sqnr(signal: Any, noisy: Any) -> float:
    """Returns the signal to quantization noise ratio in decibels."""
    power, noise = float(np.square(signal).mean()), float(np.square(noisy - signal).mean())
    if noise <= power * 10 ** (-_MOST_DB / 10):
        return _MOST_DB
    return 10 * float(np.log10(max(power, np.finfo(np.float64).tiny) / noise))

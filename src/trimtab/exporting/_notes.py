"""What a person should know of a file that its numbers do not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from trimtab import litert, models
from trimtab.exporting._post_training import Converted
from trimtab.litert import Parity, Scheme
from trimtab.litert._signature import predict

__all__ = ["about_calibration", "about_model", "about_rounding"]

_CLOSE = 0.98  # share of images with the same class, below which training with ranges is advised


def about_model(model: keras.Model, softmax: str, proof_from: str) -> Iterator[str]:
    """Says what became of the softmax, of zeros, and what the file was proved with."""
    if softmax == "stripped":
        yield "The softmax was taken off: the file gives logits, whose largest is the same class."
    zeros = 1 - models.non_zeros(model) / max(models.parameters(model), 1)
    if zeros > 0.3:
        yield f"{zeros:.0%} of the model's weights are 0: that shrinks the compressed file, not this one."
    if proof_from == "random":
        yield "No data was given: the file was proved with random images in 0..1."


def about_calibration(record: Mapping[str, Any] | None) -> Iterator[str]:
    """Says which classes had no image to calibrate with."""
    counts = record["per_class"] if record is not None else ()
    absent = sum(1 for count in counts if count == 0)
    if absent:
        yield f"{absent} of {len(counts)} classes have no calibration image: give more with calibration=."


def about_rounding(
    source: keras.Model, made: Converted, scheme: Scheme, parity: Parity, proof: np.ndarray
) -> Iterator[str]:
    """Says where the scheme is a trap, and how far rounding moved the scores where that is unusual.

    Args:
        source: the model that was exported, its softmax settled.
        made: how the file was made.
        scheme: of the file.
        parity: the check that it passed.
        proof: the images of the check.
    """
    summary = litert.inspect(made.content)
    for caution in scheme.cautions:
        if caution.concerns(summary):
            yield caution.text
    if parity.weights_proved:
        yield (
            f"Rounding moves the scores by {parity.mean_error / parity.spread:.0%} of their spread, more "
            "than usual; each weight was found to be the model's, rounded, so this network amplifies "
            f"rounding. The file gives {parity.top1_agreement:.1%} of the images the model's class."
        )
    if made.reference is not source:
        wanted, got = predict(source, proof), litert.LiteRTModel(made.content)(proof)
        same = float(np.mean(wanted.argmax(-1) == got.argmax(-1)))
        advice = "" if same >= _CLOSE else " Training with trimtab.quantize_aware brings it closer."
        yield (
            f"The file gives {same:.1%} of {len(proof)} images the class that the model gives before its "
            f"weights are rounded.{advice}"
        )
    yield from made.notes

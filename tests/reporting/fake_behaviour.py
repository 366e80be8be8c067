"""Adds to a fake run what was compared beside accuracy: invented answers, measured as real ones are."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from trimtab.benchmarking import (
    BehaviourResult,
    BehaviourRow,
    Predictions,
    usual_corruptions,
    write_behaviour,
)
from trimtab.benchmarking._behaviour_words import verdict
from trimtab.benchmarking._calibration import calibrations
from trimtab.benchmarking._changed_answers import changed_answers
from trimtab.benchmarking._class_accuracy import class_accuracies
from trimtab.benchmarking._robustness import robustness
from trimtab.data import Split

ROWS = {"baseline": 0.0, "best-float": 0.02, "pruned-int8": 0.12}
"""What is compared, and how much surer each row is than it is right."""
_EACH = 250
"""Images of each class."""


def add_behaviour(folder: Path, *, lost: int | None = None, gained: int | None = None) -> Path:
    """Compares rows of a fake run; the last one loses most of one class, and gains in another."""
    names = tuple(json.loads((folder / "run.json").read_text())["data"]["class_names"])
    labels = np.repeat(np.arange(len(names)), _EACH)
    random = np.random.default_rng(5)
    luck = random.random(len(labels))  # images are easy or hard for all models alike
    predictions = {}
    for name, surer in ROWS.items():
        chance = np.full(len(labels), 0.9 if name == "baseline" else 0.905)
        chance -= 0.1 * np.sin(labels)  # some classes are harder than others
        if name == "pruned-int8":
            chance[labels == lost] = 0.12
            chance[labels == gained] = 0.985
        hit = luck + random.normal(0, 0.01, len(labels)) < chance
        classes = np.where(hit, labels, (labels + 1) % len(names))
        sure = np.clip(random.beta(6, 1, len(labels)) * 0.9 + 0.1 * hit + surer, 1 / len(names), 1)
        predictions[name] = Predictions(classes, sure.astype(np.float32))
    result = _compared(predictions, labels, names, random)
    pictures = random.integers(0, 255, (len(labels), 28, 28, 1), np.uint8)
    write_behaviour(result, predictions, Split(pictures, labels), folder / "benchmark", "pruned-int8")
    return folder


def _compared(
    predictions: dict[str, Predictions],
    labels: np.ndarray,
    names: tuple[str, ...],
    random: np.random.Generator,
) -> BehaviourResult:
    """Measures them."""
    right = {name: each.classes == labels for name, each in predictions.items()}
    calibrated = calibrations(
        {name: each.confidence for name, each in predictions.items()},
        right,
        "baseline",
        bins=15,
        resamples=50,
        confidence=0.95,
        seed=0,
    )
    ways = usual_corruptions(28, 28)
    some = min(len(labels), 1000)
    luck = random.random((len(ways), some))
    strengths = np.array([abs(way.strength) / (4 if way.kind == "shift" else 1) for way in ways])
    spoilt = {
        name: right[name][:some] & (luck > (0.4 + 2 * (name == "pruned-int8") * 0.2) * strengths[:, None])
        for name in predictions
    }
    rows = []
    for name, each in predictions.items():
        theirs = None if name == "baseline" else right["baseline"]
        clean = right[name][:some], right["baseline"][:some]
        rows.append(
            BehaviourRow(
                name=name,
                classes=class_accuracies(right[name], theirs, labels, names, 0.95),
                calibration=calibrated[name],
                answers=None
                if theirs is None
                else changed_answers(each.classes, predictions["baseline"].classes, labels, 0.95),
                robustness=robustness(
                    spoilt[name],
                    clean[0],
                    None if theirs is None else (spoilt["baseline"], clean[1]),
                    ways,
                    0.95,
                ),
            )
        )
    settings = {"split": "test", "images": len(labels), "corrupted_images": some, "seed": 0}
    told = tuple(dataclasses.replace(row, verdict=verdict(row, rows[0])) for row in rows)
    return BehaviourResult(told, "baseline", names, settings)

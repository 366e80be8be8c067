"""What a run keeps of the behaviour of its models: the record, and images whose answer changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trimtab._atomic import atomic_path, write_json
from trimtab._records import to_plain
from trimtab.benchmarking._behaviour_result import BehaviourResult
from trimtab.benchmarking._measurement import Predictions

if TYPE_CHECKING:
    from trimtab.data import Split

__all__ = ["write_behaviour"]

_BROKEN, _MENDED = 16, 8
"""How many images are kept that went from right to wrong, and from wrong to right."""


def write_behaviour(
    result: BehaviourResult,
    predictions: Mapping[str, Predictions],
    images: Split,
    folder: Path,
    featured: str,
) -> dict[str, str]:
    """Writes ``behaviour.json`` and ``changed.npz`` into a folder, each whole or not at all.

    Args:
        result: what `compare_behaviour` gave back.
        predictions: by name, what each subject answers to the same images.
        images: the part of the data that it was measured on.
        folder: where to write; it must be there.
        featured: name of the row whose changed answers are kept as images; if it is the baseline, those of
            the last other row are.

    Returns:
        The names of the files, by their roles.
    """
    write_json(folder / "behaviour.json", to_plain(result))
    files = {"behaviour": "behaviour.json"}
    others = [row.name for row in result.rows if row.name != result.baseline]
    if others:
        name = featured if featured in others else others[-1]
        arrays = _changed(result, name, predictions, images)
        with atomic_path(folder / "changed.npz") as partial, partial.open("wb") as file:
            np.savez_compressed(file, row=np.array(name), **arrays)  # type: ignore[arg-type]
        files["changed"] = "changed.npz"
    return files


def _changed(
    result: BehaviourResult, name: str, predictions: Mapping[str, Predictions], images: Split
) -> dict[str, npt.NDArray[np.generic]]:
    """Returns the changed answers that a model is most sure of: first those that became wrong.

    Returns:
        ``images`` (k, height, width, channels) uint8, ``labels``, ``before``, ``after``, ``confidence`` and
        ``index`` (in the split), each (k,).
    """
    answers, own = result[name].answers, predictions[name]
    if answers is None:
        raise ValueError(f"{name} is the baseline, whose answers cannot have changed")
    chosen = np.concatenate(
        [
            _surest(np.array(places, np.int64), own.confidence, most)
            for places, most in (
                (answers.right_to_wrong_images, _BROKEN),
                (answers.wrong_to_right_images, _MENDED),
            )
        ]
    )
    pixels = images.images[chosen]
    if pixels.dtype != np.uint8:
        pixels = np.rint(pixels * 255).astype(np.uint8)
    return {
        "images": pixels,
        "labels": images.labels[chosen],
        "before": predictions[result.baseline].classes[chosen],
        "after": own.classes[chosen],
        "confidence": own.confidence[chosen],
        "index": chosen,
    }


def _surest(
    places: npt.NDArray[np.int64], confidence: npt.NDArray[np.float32], most: int
) -> npt.NDArray[np.int64]:
    """Returns the places that a model is most sure of, the surest first."""
    return places[np.argsort(-confidence[places], kind="stable")][:most]

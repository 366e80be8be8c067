"""Reading what a run recorded of behaviour: the comparison, and images whose answer changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trimtab.errors import ConfigError, RunError
from trimtab.reporting._fields import read_fields
from trimtab.reporting._predictions import check_classes, check_images, read_arrays

if TYPE_CHECKING:
    from trimtab.benchmarking import BehaviourResult, BehaviourRow

__all__ = ["ChangedImages", "read_behaviour", "read_changed", "shown_row"]


@dataclass(frozen=True, eq=False)
class ChangedImages:
    """Images whose answer changed: (k, h, w, c) uint8, class numbers (k,), confidences (k,) 0..1."""

    row: str
    images: np.ndarray
    labels: np.ndarray
    before: np.ndarray
    after: np.ndarray
    confidence: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def read_behaviour(path: Path, names: tuple[str, ...]) -> BehaviourResult | None:
    """Reads the comparison of behaviour; None where none was made.

    Args:
        path: of ``behaviour.json``.
        names: of the classes.

    Raises:
        RunError: the file is damaged.
    """
    if not path.is_file():
        return None
    from trimtab.benchmarking import BehaviourResult

    try:
        result = BehaviourResult.from_plain(read_fields(path).content)
    except ConfigError as error:
        raise RunError(f"{path}: {error}") from error
    whole = all(len(row.classes) == len(names) for row in result.rows)
    if not whole or all(row.name != result.baseline for row in result.rows):
        raise RunError(
            f"{path} is not of the {len(names)} classes of this run, or lacks its baseline. "
            "It is damaged; run the recipe again with --resume."
        )
    return result


def read_changed(path: Path, names: tuple[str, ...]) -> ChangedImages | None:
    """Reads the images whose answer changed; None where none were kept.

    Raises:
        RunError: the file is damaged.
    """
    if not path.is_file():
        return None
    arrays = read_arrays(path)
    wanted = ("row", "images", "labels", "before", "after", "confidence")
    if missing := [key for key in wanted if key not in arrays]:
        raise RunError(
            f"{path} lacks {', '.join(missing)}. It is damaged; run the recipe again with --resume."
        )
    row, images, labels, before, after, confidence = (arrays[key] for key in wanted)
    check_images(path, images, (labels, before, after, confidence))
    for numbers in (labels, before, after):
        check_classes(path, numbers, len(names))
    return ChangedImages(str(row), images, labels, before, after, confidence.astype(np.float64))


def shown_row(result: BehaviourResult, featured: str | None) -> BehaviourRow:
    """Returns the row to look at closely: the featured one, unless it is the baseline itself.

    The last other row stands in for it; where there is none, the baseline.
    """
    others = [row for row in result.rows if row.name != result.baseline]
    chosen = next((row for row in others if row.name == featured), None)
    return chosen or (others[-1] if others else result.rows[0])

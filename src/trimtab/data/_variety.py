"""Are some training images enough, and unlike enough, to calibrate the ranges of a model with?"""

from __future__ import annotations

from typing import Any

import numpy as np

from trimtab.data._image_data import ImageData
from trimtab.errors import ConfigError

__all__ = ["FEWEST_IMAGES", "check_calibration_count", "check_variety"]

FEWEST_IMAGES = 10
"""Below, ranges are those of a few pictures, and clip what the others hold."""


def check_calibration_count(count: Any) -> None:
    """Refuses a number of calibration images that makes no sense.

    Raises:
        ConfigError: it is no whole number, or below `FEWEST_IMAGES`.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < FEWEST_IMAGES:
        raise ConfigError(
            f"calibration is a number of training images, {FEWEST_IMAGES} or more; 50 to 500 do. Received: "
            f"{count!r}."
        )


def check_variety(data: ImageData, labels: np.ndarray, instead: str = "") -> None:
    """Refuses calibration images that cannot stand for the others.

    Args:
        data: where they are from.
        labels: their classes, int (n,).
        instead: what else might be done, beside loading more: ", or choose ...".

    Raises:
        ConfigError: they are too few, or all of one class where there are several.
    """
    if len(labels) < FEWEST_IMAGES:
        raise ConfigError(
            f"Data {data.name!r} has {len(labels)} training image(s) to calibrate with; at least "
            f"{FEWEST_IMAGES} are needed, 50 to 500 do. Load more{instead}."
        )
    if data.classes > 1 and len(np.unique(labels)) == 1:
        raise ConfigError(
            f"All {len(labels)} calibration images are of class {data.class_names[labels[0]]!r}, so the "
            f"ranges would not fit the other {data.classes - 1}. Load training images of every class."
        )

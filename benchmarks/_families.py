"""The families of keras.applications that channels are removed from, each as small as it can be built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["FAMILIES", "QUICK", "Family"]


@dataclass(frozen=True)
class Family:
    """One architecture.

    Args:
        name: as in keras.applications.
        pixels: height and width of its images here.
        brightest: largest value of a pixel, as the model takes them.
        options: what it is built with besides.
    """

    name: str
    pixels: int = 32
    brightest: float = 1.0
    options: tuple[tuple[str, Any], ...] = ()

    def build(self) -> Any:
        """Builds the model, without trained weights, ending in ten logits."""
        import keras

        builder: Callable[..., Any] = getattr(keras.applications, self.name)
        return builder(
            weights=None,
            input_shape=(self.pixels, self.pixels, 3),
            classes=10,
            classifier_activation=None,
            **dict(self.options),
        )

    def images(self, count: int) -> np.ndarray:
        """Draws images that differ more than noise does: patches of colour, some bright and some dark."""
        random = np.random.default_rng(1)
        patches = random.uniform(0, 1, (count, 4, 4, 3)) * random.uniform(0.1, 1, (count, 1, 1, 1))
        size = self.pixels // 4
        return np.asarray(patches.repeat(size, 1).repeat(size, 2) * self.brightest, np.float32)


FAMILIES = (
    Family("VGG16", 64, 255.0),
    Family("VGG19", 64, 255.0),
    Family("ResNet50"),
    Family("ResNet101"),
    Family("ResNet50V2"),
    Family("MobileNet"),
    Family("MobileNetV2"),
    Family("MobileNetV3Small", brightest=255.0),
    Family("MobileNetV3Large", brightest=255.0),
    Family("EfficientNetB0", brightest=255.0),
    Family("EfficientNetV2B0", brightest=255.0),
    Family("DenseNet121"),
    Family("Xception", 96),
    Family("InceptionV3", 96),
    Family("InceptionResNetV2", 96),
    Family("ConvNeXtTiny", brightest=255.0),
    Family("NASNetMobile", 64),
)

QUICK = (Family("MobileNet", options=(("alpha", 0.25),)),)
"""For a run that only tries the mechanics."""

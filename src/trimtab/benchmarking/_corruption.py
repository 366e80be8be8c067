"""What can go wrong with an image: noise, shift, brightness and contrast, each at a stated strength."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from trimtab.data._augmentation import augmented
from trimtab.errors import ConfigError

__all__ = ["Brightness", "Contrast", "Corruption", "GaussianNoise", "Shift", "usual_corruptions"]

Pixels = npt.NDArray[np.float32]


class Corruption(ABC):
    """One way to spoil images. Pixels are 0 (black) to 1 (white) before and after, whatever the model takes.

    A corruption of your own derives from this class: it names its `kind`, has a `strength`, and spoils the
    images as a function of them and of the random numbers given alone.
    """

    kind: ClassVar[str]
    """What it is, as a word or two; one curve is drawn for all corruptions of a kind."""
    unit: ClassVar[str]
    """What `strength` is counted in."""

    @property
    @abstractmethod
    def strength(self) -> float:
        """How strong it is; 0 leaves images as they are."""

    @abstractmethod
    def apply(self, images: Pixels, random: np.random.Generator) -> Pixels:
        """Returns spoilt copies of images (n, height, width, channels), float32 0..1.

        `random` gives the same numbers at each strength, so that strengths differ in nothing else.
        """


@dataclass(frozen=True)
class GaussianNoise(Corruption):
    """Independent noise on every channel of every pixel, as a sensor has in the dark.

    Args:
        deviation: standard deviation, in units of white: 0.08 is 20.4 of 255 grey levels.

    Raises:
        ConfigError: it is negative or not finite.
    """

    deviation: float
    kind: ClassVar[str] = "noise"
    unit: ClassVar[str] = "standard deviation, white = 1"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.deviation) and self.deviation >= 0):
            raise ConfigError(f"deviation must be 0 or more. Received: deviation={self.deviation!r}.")

    @property
    def strength(self) -> float:
        """The standard deviation."""
        return self.deviation

    def apply(self, images: Pixels, random: np.random.Generator) -> Pixels:
        """Adds the noise, and cuts what gets darker than black or brighter than white."""
        noise = random.standard_normal(images.shape, np.float32)
        noise *= np.float32(self.deviation)
        noise += images
        return np.clip(noise, 0, 1, out=noise)


@dataclass(frozen=True)
class Shift(Corruption):
    """Moves each image up, down, left or right, by chance; black comes in from the side.

    Args:
        pixels: how far, in pixels as the images are stored.

    Raises:
        ConfigError: it is no whole number of 0 or more.
    """

    pixels: int
    kind: ClassVar[str] = "shift"
    unit: ClassVar[str] = "pixels"

    def __post_init__(self) -> None:
        if isinstance(self.pixels, bool) or not isinstance(self.pixels, int) or self.pixels < 0:
            raise ConfigError(
                f"pixels must be a whole number of 0 or more. Received: pixels={self.pixels!r}."
            )

    @property
    def strength(self) -> float:
        """The pixels."""
        return float(self.pixels)

    def apply(self, images: Pixels, random: np.random.Generator) -> Pixels:
        """Moves the images."""
        count = len(images)
        ways = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)], np.int32)
        moves = ways[random.integers(0, 4, count)] * np.int32(self.pixels)
        nothing = np.zeros(count, np.int32)
        return augmented(images, nothing, moves, np.zeros((count, 2), np.int32), cutout=0)


@dataclass(frozen=True)
class Brightness(Corruption):
    """Makes images brighter or darker by the same amount everywhere.

    Args:
        amount: what is added to each pixel, in units of white: -0.2 darkens by 51 of 255 grey levels.

    Raises:
        ConfigError: it lies outside -1..1.
    """

    amount: float
    kind: ClassVar[str] = "brightness"
    unit: ClassVar[str] = "added, white = 1"

    def __post_init__(self) -> None:
        _check_amount(self.amount)

    @property
    def strength(self) -> float:
        """The amount."""
        return self.amount

    def apply(self, images: Pixels, random: np.random.Generator) -> Pixels:  # noqa: ARG002
        """Adds the amount, and cuts at black and white."""
        return np.asarray(np.clip(images + np.float32(self.amount), 0, 1))


@dataclass(frozen=True)
class Contrast(Corruption):
    """Brings pixels nearer to the mean of their image, or takes them further from it.

    Args:
        amount: -0.5 halves the distance to the mean, 0.5 makes it half as large again.

    Raises:
        ConfigError: it lies outside -1..1.
    """

    amount: float
    kind: ClassVar[str] = "contrast"
    unit: ClassVar[str] = "change, 0 = as it is"

    def __post_init__(self) -> None:
        _check_amount(self.amount)

    @property
    def strength(self) -> float:
        """The amount."""
        return self.amount

    def apply(self, images: Pixels, random: np.random.Generator) -> Pixels:  # noqa: ARG002
        """Scales the distances to the mean, and cuts at black and white."""
        away = images - images.mean(axis=(1, 2, 3), keepdims=True)
        return np.asarray(np.clip(images + np.float32(self.amount) * away, 0, 1))


def usual_corruptions(height: int, width: int) -> tuple[Corruption, ...]:
    """Returns what is tried unless one says otherwise, about as strong as the weaker levels of CIFAR-10-C.

    Noise of 0.04, 0.08 and 0.16; brightness and contrast up and down; a shift by 1/32, 1/16 and 1/8 of the
    shorter side, at least one pixel.

    Args:
        height: of the images as stored.
        width: of the images as stored.

    Reference: D. Hendrycks, T. Dietterich, "Benchmarking neural network robustness to common corruptions and
    perturbations", ICLR 2019.
    """
    side = min(height, width)
    pixels = sorted({max(1, round(side / part)) for part in (32, 16, 8)})
    return (
        *(GaussianNoise(deviation) for deviation in (0.04, 0.08, 0.16)),
        *(Shift(distance) for distance in pixels),
        *(Brightness(amount) for amount in (-0.2, -0.1, 0.1, 0.2)),
        *(Contrast(amount) for amount in (-0.6, -0.3, 0.3)),
    )


def _check_amount(amount: float) -> None:
    if not -1 <= amount <= 1:
        raise ConfigError(f"amount must lie between -1 and 1. Received: amount={amount!r}.")

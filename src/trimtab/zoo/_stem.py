"""How early a network makes its feature maps smaller: at once for photographs, late for small images."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.errors import ConfigError
from trimtab.zoo._arguments import check_choice

__all__ = ["small_stem", "stage_strides"]

_STEMS = ("auto", "small", "imagenet")
_LARGEST_SMALL_IMAGE = 64  # pixels


def small_stem(
    stem: str, shape: tuple[int, int, int], architecture: str, *, halvings: int, small_halvings: int
) -> bool:
    """Says whether a network gets the stem for small images, and refuses images that are too small for it.

    A network made for 224x224 pixels halves its feature maps at once; of a 32x32 image little would be left.
    With the small stem the first convolution keeps the size, and so does the first stage that would not.

    Args:
        stem: ``"small"``, ``"imagenet"`` (as published) or ``"auto"``: small where the smaller side of the
            images is at most 64 pixels.
        shape: (height, width, channels) of one image.
        architecture: its name, for the message.
        halvings: how often the published network halves height and width.
        small_halvings: how often the one for small images does.

    Raises:
        ConfigError: the stem is unknown, or the images are too small for so many halvings.
    """
    stem = check_choice("stem", stem, _STEMS)
    smallest = min(shape[:2])
    small = stem == "small" or (stem == "auto" and smallest <= _LARGEST_SMALL_IMAGE)
    times = small_halvings if small else halvings
    if smallest < 2**times:
        advice = "Give larger images (size=...)" if small else "Say stem='small', or give larger images"
        raise ConfigError(
            f"{architecture} with its {'small' if small else 'imagenet'} stem halves images {times} times, "
            f"so that they need at least {2**times}x{2**times} pixels. "
            f"Received: {shape[0]}x{shape[1]}. {advice}."
        )
    return small


def stage_strides(strides: Sequence[int], *, small: bool) -> tuple[int, ...]:
    """Returns the stride of each stage: as published, or without the first halving for small images."""
    if not small or 2 not in strides:
        return tuple(strides)
    first = list(strides).index(2)
    return (*strides[:first], 1, *strides[first + 1 :])

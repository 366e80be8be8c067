"""The built-in spaces: for each family of networks what is worth varying, and how it is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trimtab.errors import ConfigError, nearest
from trimtab.tuning._dimension import Choice, Dimension, Integer, Real
from trimtab.tuning._space import Space

__all__ = ["FAMILIES", "family_space"]


def family_space(family: str, image_shape: Sequence[int], *, epochs: int = 10) -> Space:
    """Returns the space of a family of networks, for images of one size.

    It varies what makes the network wider and deeper, its dropout, and how it is trained: learning rate,
    batch size, optimizer and augmentation. Its defaults are those of `trimtab.zoo` and `trimtab.train`, but
    that a mobilenet_v2 begins with its narrowest form.

    Args:
        family: "cnn", "resnet", "ds_cnn" or "mobilenet_v2".
        image_shape: (height, width, channels) of one image.
        epochs: of every trial.

    Raises:
        ConfigError: there is no such family.

    Example:
        >>> family_space("resnet", (32, 32, 3)).dimensions["model.width"].options
        (16, 8, 24, 32)
    """
    if family not in FAMILIES:
        raise ConfigError(
            f"there is no space for the family {family!r}.{nearest(str(family), FAMILIES)} There are: "
            f"{', '.join(FAMILIES)}; or write your own."
        )
    smallest = min(int(side) for side in image_shape[:2])
    model = {f"model.{name}": dimension for name, dimension in FAMILIES[family](smallest).items()}
    return Space(
        {**model, **_training(smallest)},
        {"model.architecture": family, "epochs": epochs},
    )


def _training(smallest: int) -> dict[str, Dimension]:
    """Returns what may vary in any training."""
    return {
        "learning_rate": Real(3e-4, 2e-2, log=True, default=1e-3),
        "batch_size": Choice((128, 64, 32)),
        "optimizer": Choice(("adam", "adamw", "sgd")),
        "weight_decay": Real(1e-4, 1e-1, log=True, default=4e-3, when={"optimizer": ("adamw",)}),
        "augmentation.flip": Choice((False, True)),
        "augmentation.shift": Integer(0, max(1, smallest // 12), default=0),
        "augmentation.cutout": Choice((0, max(1, smallest // 4))),
    }


def _cnn(smallest: int) -> dict[str, Dimension]:
    stages = _that_fit(
        [(32, 64), (16, 32), (48, 96), (16, 32, 64), (32, 64, 96), (48, 96, 128)], smallest.bit_length() - 1
    )
    return {
        "filters": Choice(stages),
        "depth": Choice((1, 2)),
        "dense": Choice((64, 32, 128, 0)),
        "batch_norm": Choice((False, True)),
        "dropout": _dropout(),
    }


def _resnet(smallest: int) -> dict[str, Dimension]:  # noqa: ARG001 - as many stages for every size
    return {"depth": Choice((8, 20)), "width": Choice((16, 8, 24, 32)), "dropout": _dropout()}


def _ds_cnn(smallest: int) -> dict[str, Dimension]:
    stages = _that_fit(
        [(32, 64, 128), (16, 32, 64), (64, 64), (48, 96, 192), (64,), (32, 64, 128, 256)],
        smallest.bit_length(),
    )
    return {"filters": Choice(stages), "depth": Choice((2, 1, 3)), "dropout": _dropout()}


def _mobilenet_v2(smallest: int) -> dict[str, Dimension]:  # noqa: ARG001 - its stem suits the size
    return {"alpha": Choice((0.35, 0.5, 0.75, 1.0)), "dropout": _dropout()}


FAMILIES: dict[str, Callable[[int], dict[str, Dimension]]] = {
    "cnn": _cnn,
    "resnet": _resnet,
    "ds_cnn": _ds_cnn,
    "mobilenet_v2": _mobilenet_v2,
}


def _dropout() -> Real:
    """From none at all, which the search begins with."""
    return Real(0.0, 0.5, default=0.0)


def _that_fit(stages: list[tuple[int, ...]], most: int) -> tuple[Any, ...]:
    """Returns the networks that halve the image no more often than it can be halved."""
    fitting = tuple(filters for filters in stages if len(filters) <= most)
    return fitting or ((stages[0][:1]), (stages[1][:1]))

"""Training with integers in mind: what is compared, and where what is finished is kept.

It needs nothing but Python: the peer's environment imports it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "FILES",
    "FULL",
    "QUICK",
    "Net",
    "Point",
    "Settings",
    "file_of",
    "handed_over",
    "path_of",
    "read_settings",
    "seed_folder",
]


@dataclass(frozen=True)
class Net:
    """One architecture of `trimtab.zoo`.

    Args:
        title: in words.
        name: of the architecture.
        options: for it.
    """

    title: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """What is trained, and how.

    Args:
        nets: the nets, by a short name.
        data: names of the data sets.
        images: training images, drawn anew for each seed; None: all.
        validation: images that choose rate and epoch; None: all.
        epochs: of the float model that all else begins from.
        rate: of its first step.
        more: epochs of everything that goes on from there.
        rates: of which the validation images of the first seed choose one for 8 bits and one for 4.
        batch: images in a step.
    """

    nets: Mapping[str, Net]
    data: tuple[str, ...] = ("fashion_mnist", "cifar10")
    images: int | None = 8_000
    validation: int | None = 5_000
    epochs: int = 8
    rate: float = 1e-3
    more: int = 3
    rates: tuple[float, ...] = (1e-3, 3e-4)
    batch: int = 32


FULL = Settings(
    {
        "cnn": Net(
            "CNN with batch normalisation", "cnn", {"filters": [16, 32], "dense": 64, "batch_norm": True}
        ),
        "depthwise": Net("depthwise separable CNN", "ds_cnn", {"filters": [24, 48, 96], "depth": 1}),
        "resnet": Net("ResNet-8", "resnet", {"depth": 8}),
    }
)
QUICK = Settings(
    {"cnn": Net("CNN with batch normalisation", "cnn", {"filters": [4], "dense": 8, "batch_norm": True})},
    ("digits",),
    None,
    None,
    epochs=4,
    rate=3e-3,
    more=1,
    rates=(1e-3,),
)

FILES = {
    "float": ("float32", "int8", "int4", "int4-plain"),
    "control": ("float32", "int8"),
    "aware8": ("int8",),
    "aware4": ("int4",),
    "tfmot": ("int8",),
}
"""What is trained, and the files that are made of it.

`float` is the model that all begin from, `control` is it after more float epochs, `aware8` and `aware4` after
as many with integers of 8 or 4 bits in mind, `tfmot` after as many in TFMOT.
"""


@dataclass(frozen=True)
class Point:
    """One training.

    Args:
        net: a key of the settings' nets.
        data: name of the data set.
        seed: of images, first weights and order.
        role: a key of `FILES`.
        rate: of the first step; 0 for the float model, which has its own.
    """

    net: str
    data: str
    seed: int
    role: str
    rate: float = 0.0


def seed_folder(folder: Path, point: Point) -> Path:
    """Returns where everything of one net, data set and seed is kept."""
    return folder / f"{point.net}-{point.data}" / f"seed-{point.seed}"


def path_of(folder: Path, point: Point) -> Path:
    """Returns where a finished point is kept."""
    rate = f"-{point.rate:g}" if point.rate else ""
    return seed_folder(folder, point) / f"{point.role}{rate}.json"


def file_of(folder: Path, point: Point, name: str) -> Path:
    """Returns where a file of a finished point is kept; `name` is one of `FILES`."""
    place = path_of(folder, point)
    return place.with_name(f"{place.stem}.{name}.tflite")


def handed_over(folder: Path, point: Point) -> Path:
    """Returns where the peer finds what it begins from: images, their order, the float model, its answers."""
    return seed_folder(folder, point) / "handed-over.npz"


def read_settings(plain: Mapping[str, Any]) -> Settings:
    """Reads settings from plain data."""
    nets = {name: Net(**net) for name, net in plain["nets"].items()}
    lists = {name: tuple(plain[name]) for name in ("data", "rates")}
    return Settings(**{**plain, **lists, "nets": nets})

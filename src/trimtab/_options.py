"""Options that several commands share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trimtab.errors import ConfigError

__all__ = [
    "BatchSize",
    "DataDir",
    "DataName",
    "Epochs",
    "Json",
    "LearningRate",
    "Limit",
    "ModelFile",
    "ModelSettings",
    "Seed",
    "Settings",
    "Size",
    "parse_size",
]

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="Where the named data sets are. Default: $TRIMTAB_DATA, then Keras' cache."
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Seed of the split, the weights and the order of images.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for machines.")]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", min=1, help="Use at most so many images to train and validate, and as many to test."
    ),
]
Size = Annotated[str | None, typer.Option("--size", help="Resize images to HEIGHTxWIDTH, such as 32x32.")]
ModelFile = Annotated[Path, typer.Argument(exists=True, help="A .keras or legacy .h5 file.")]
DataName = Annotated[
    str, typer.Option("--data", help="digits, mnist, fashion_mnist, cifar10, or a folder, .npz or .zip.")
]
Epochs = Annotated[int, typer.Option("--epochs", min=1, help="Passes over the training images.")]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, help="Images in one training step.")]
LearningRate = Annotated[float, typer.Option("--learning-rate", min=1e-12, help="Rate of the first step.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting of the recipe, such as seed=1, data.limit=1000 or steps.pruned.sparsity=0.5; "
        "may be given again.",
    ),
]
ModelSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set an option of the architecture, such as filters=[16,32], dense=64, batch_norm=true, "
        "dropout=0.3 (cnn) or depth=8, width=16 (resnet); may be given again.",
    ),
]


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Reads ``32x32`` as (height, width) in pixels.

    Raises:
        ConfigError: the text is something else.
    """
    if text is None:
        return None
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise ConfigError(f"--size needs HEIGHTxWIDTH in pixels, such as 32x32; received {text!r}.")
    return int(height), int(width)

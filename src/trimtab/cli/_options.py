"""Options that several commands share, each said once, and how their words are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab import _choices
from trimtab.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = [
    "Alpha",
    "BatchSize",
    "Calibration",
    "CalibrationMethod",
    "DataDir",
    "DataName",
    "Epochs",
    "Exclude",
    "Granularity",
    "Importance",
    "InputRange",
    "Json",
    "KeepFloat",
    "LayerNames",
    "LayerTypes",
    "LearningRate",
    "Limit",
    "ModelFile",
    "ModelSettings",
    "Percentile",
    "PolicyName",
    "Ranking",
    "Seed",
    "Settings",
    "Size",
    "SkipEnds",
    "Targets",
    "Temperature",
    "check_model_ending",
    "layer_options",
    "load_images",
    "parse_settings",
    "typed",
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
InputRange = Annotated[
    str | None,
    typer.Option(
        "--input-range",
        metavar="LOW,HIGH",
        help="What black and white become for the model, such as 0,255 or -1,1. Default: 0,1.",
    ),
]
ModelFile = Annotated[Path, typer.Argument(exists=True, help="A .keras or legacy .h5 file.")]
DataName = Annotated[
    str, typer.Option("--data", help="digits, mnist, fashion_mnist, cifar10, or a folder, .npz or .zip.")
]
Epochs = Annotated[int, typer.Option("--epochs", min=1, help="Passes over the training images.")]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, help="Images in one training step.")]
LearningRate = Annotated[float, typer.Option("--learning-rate", min=1e-12, help="Rate of the first step.")]
Temperature = Annotated[
    float | None,
    typer.Option("--temperature", help="Softens the teacher's answers; 1: as they are. Default: 4."),
]
Alpha = Annotated[
    float | None,
    typer.Option("--alpha", help="Share of the labels themselves beside the teacher. Default: 0.1."),
]
Calibration = Annotated[
    int, typer.Option("--calibration", help="How many training images calibrate the ranges, 10 or more.")
]
CalibrationMethod = Annotated[
    _choices.CalibrationMethod,
    typer.Option(
        "--calibration-method",
        help="How ranges are chosen: all numbers seen, a share of them, or the least squared error.",
    ),
]
Percentile = Annotated[
    float | None,
    typer.Option(
        "--percentile",
        help="How much of the numbers lies inside the range, with --calibration-method percentile. Default: "
        "99.99.",
    ),
]
KeepFloat = Annotated[
    list[str] | None,
    typer.Option(
        "--keep-float",
        metavar="LAYER",
        help="Leave this layer float, by its name or a pattern such as block_1*; may be given again.",
    ),
]
Granularity = Annotated[
    str,
    typer.Option(
        "--granularity",
        help="What goes together: unstructured (each weight by itself), blocks such as 4x1 (inputs x "
        "outputs), or a pattern such as 2:4 (of each four weights, two stay).",
    ),
]
Importance = Annotated[
    _choices.Importance,
    typer.Option(
        "--importance", help="What makes a weight matter: its size, its size times its gradient, or chance."
    ),
]
SkipEnds = Annotated[bool, typer.Option("--skip-ends", help="Leave the first and the last layer alone.")]
Ranking = Annotated[
    _choices.Ranking,
    typer.Option("--ranking", help="Whom a weight competes with: its own layer, or the whole model."),
]
PolicyName = Annotated[
    _choices.Policy | None,
    typer.Option("--policy", help="Only the layers that this runtime can run faster for their zeros."),
]
Targets = Annotated[
    Path | None,
    typer.Option(
        "--targets",
        exists=True,
        dir_okay=False,
        help="Share of zeros of each layer, instead of one for all: a JSON file of names and shares, or what "
        f"`trimtab sensitivity --sparsity {_choices.USUAL_SPARSITY} --json` printed.",
    ),
]
LayerNames = Annotated[
    list[str] | None, typer.Option("--layer", help="Only this layer, by its name; may be given again.")
]
LayerTypes = Annotated[
    list[str] | None,
    typer.Option("--type", help="Only layers of this class, such as Dense; may be given again."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", help="Leave this layer alone, by its name; may be given again."),
]
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
        "dropout=0.3 (cnn), depth=8, width=16 (resnet), alpha=0.5 (mobilenet_v2) or weights=none (resnet50); "
        "may be given again.",
    ),
]


def _parse_size(text: str | None) -> tuple[int, int] | None:
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


def _parse_range(text: str | None) -> tuple[float, float]:
    """Reads ``0,255`` as what black and white become.

    Raises:
        ConfigError: the text is something else.
    """
    if text is None:
        return 0.0, 1.0
    try:
        low, high = (float(end) for end in text.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(f"--input-range needs LOW,HIGH such as 0,255 or -1,1; received {text!r}.")
    return low, high


def load_images(
    source: str,
    data_dir: Path | None,
    size: str | None,
    limit: int | None,
    seed: int,
    input_range: str | None = None,
) -> ImageData:
    """Loads images as the options of a command say."""
    pixels, ends = _parse_size(size), _parse_range(input_range)
    from trimtab.data import load_data

    return load_data(source, data_dir=data_dir, size=pixels, limit=limit, seed=seed, input_range=ends)


def check_model_ending(path: Path) -> None:
    """Refuses a model file that Keras would not know by its ending, before any work is done."""
    if path.suffix != ".keras":
        raise ConfigError(f"--out needs a name that ends in .keras; received {path}.")


def layer_options(
    names: list[str] | None,
    types: list[str] | None,
    policy: str | None,
    exclude: list[str] | None,
    skip_ends: bool,
) -> dict[str, Any]:
    """Returns the options about layers as `trimtab.pipeline` calls them."""
    return {
        "layers": tuple(names) if names else None,
        "types": tuple(types or ()),
        "policy": policy,
        "exclude": tuple(exclude or ()),
        "skip_ends": skip_ends,
    }


_TYPED = {"layers": "--layer", "types": "--type", "sparsity_schedule": "--schedule"}


def typed(**others: str) -> Callable[[str], str]:
    """Returns what gives the option that is typed for a field of `trimtab.pipeline`, for messages."""
    known = {**_TYPED, **others}
    return lambda field: known.get(field) or f"--{field.replace('_', '-')}"


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Reads ``key=value`` texts; values are YAML, lists become tuples."""
    import yaml

    read: dict[str, Any] = {}
    for text in texts:
        key, equals, value_text = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set needs key=value, such as filters=[32,64]; received {text!r}.")
        try:
            value = yaml.safe_load(value_text)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise ConfigError(f"--set {key}: the value {value_text!r} is not valid YAML.") from None
        read[key] = tuple(value) if isinstance(value, list) else value
    return read

"""`trimtab train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trimtab._quiet import import_backend
from trimtab.cli._attempts import checkpoint_of, drop_checkpoints, stopped_training
from trimtab.cli._options import (
    BatchSize,
    DataDir,
    DataName,
    Epochs,
    InputRange,
    Json,
    LearningRate,
    Limit,
    ModelSettings,
    Seed,
    Size,
    check_model_ending,
    load_images,
    parse_settings,
    typed,
)
from trimtab.errors import ConfigError

__all__ = ["train"]

_ARCHITECTURES = (
    "cnn, resnet, vgg, ds_cnn, mobilenet_v2, mobilenet_v3, efficientnet, or resnet50, which starts from "
    "ImageNet weights."
)


def train(
    data: DataName,
    out: Annotated[
        Path, typer.Option("--out", dir_okay=False, help="Where the model goes; ends in .keras.")
    ] = Path("model.keras"),
    model: Annotated[
        Path | None, typer.Option("--model", exists=True, help="Train this model on, instead of a new one.")
    ] = None,
    architecture: Annotated[str, typer.Option("--architecture", help=_ARCHITECTURES)] = "cnn",
    trainable: Annotated[
        str,
        typer.Option(
            "--trainable",
            help="Which layers learn: all, head (the classifier alone), a number of layers before it too, or "
            "names with commas between them, such as conv4_*,conv5_*.",
        ),
    ] = "all",
    keep_zeros: Annotated[
        bool, typer.Option("--keep-zeros", help="Weights of --model that are zero stay zero.")
    ] = False,
    settings: ModelSettings = None,
    epochs: Epochs = 10,
    batch_size: BatchSize = 128,
    learning_rate: LearningRate = 1e-3,
    patience: Annotated[
        int | None, typer.Option("--patience", min=1, help="Stop after so many epochs without a better one.")
    ] = None,
    data_dir: DataDir = None,
    size: Size = None,
    input_range: InputRange = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train a classifier.

    Validation images choose the epoch; the test images are not touched.
    """
    import trimtab
    from trimtab.cli import _tables
    from trimtab.cli._console import interruptible
    from trimtab.pipeline import TrainableOptions, TrainingOptions
    from trimtab.progress import for_terminal

    check_model_ending(out)
    options = parse_settings(settings or ())
    if model is not None and options:
        raise ConfigError(
            "--set changes a new model's architecture; it has no use with --model. Leave one out."
        )
    if keep_zeros and model is None:
        raise ConfigError("--keep-zeros is for training a pruned model on. Name it with --model.")
    learning = TrainableOptions.checked(typed(), trainable=_layers(trainable))
    training = TrainingOptions.checked(
        typed(), epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, patience=patience
    )
    images = load_images(data, data_dir, size, limit, seed, input_range)
    import_backend()
    if model is not None:
        network = trimtab.load_model(model)
    else:
        network = trimtab.zoo.build(
            architecture, images.image_shape, images.classes, **{"seed": seed, **options}
        )
    learning.check_trainable(network)
    checkpoint = checkpoint_of(out, network, (training, learning, keep_zeros, seed, images.digest))
    with interruptible(lambda: stopped_training(checkpoint)):
        result = trimtab.train(
            network,
            images,
            wrap_optimizer=trimtab.pruning.keep_zeros(network) if keep_zeros else None,
            trainable=learning.trainable,
            **training.train_arguments(),
            seed=seed,
            checkpoint=checkpoint,
            keep_checkpoint=True,
            progress=for_terminal(),
        )
    trimtab.save_model(result.model, out)
    drop_checkpoints(out)
    _tables.show_training(result, out, as_json=json)


def _layers(text: str) -> str | int | tuple[str, ...]:
    """Reads a word, a number, or names with commas between them."""
    if text in ("all", "head"):
        return text
    if text.isdecimal():
        return int(text)
    return tuple(name.strip() for name in text.split(",") if name.strip())

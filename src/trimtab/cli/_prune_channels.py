"""`trimtab prune-channels`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab import _choices
from trimtab._quiet import import_backend
from trimtab.cli._attempts import checkpoint_of, drop_checkpoints, stopped_training
from trimtab.cli._options import (
    Alpha,
    BatchSize,
    DataDir,
    Exclude,
    InputRange,
    Json,
    LayerNames,
    LearningRate,
    Limit,
    ModelFile,
    Seed,
    Size,
    Temperature,
    check_model_ending,
    load_images,
    typed,
)
from trimtab.cli._teachers import Teacher, check_teacher_file, loaded_teacher
from trimtab.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.pipeline import ChannelOptions

__all__ = ["prune_channels"]


def prune_channels(
    model: ModelFile,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="digits, mnist, fashion_mnist, cifar10, or a folder, .npz or .zip; not needed with "
            "--epochs 0.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", dir_okay=False, help="Where the smaller model goes; ends in .keras.")
    ] = Path("pruned-channels.keras"),
    ratio: Annotated[
        float | None, typer.Option("--ratio", help="Share of the channels to remove, such as 0.5.")
    ] = None,
    parameters: Annotated[
        str | None, typer.Option("--parameters", help="Parameters at most, such as 50k or 50%.")
    ] = None,
    macs: Annotated[
        str | None,
        typer.Option("--macs", help="Multiply-accumulates for one image at most, such as 12M or 50%."),
    ] = None,
    file_size: Annotated[
        str | None, typer.Option("--file-size", help="Size of the int8 file at most, such as 50kB.")
    ] = None,
    latency: Annotated[
        str | None,
        typer.Option("--latency", help="Time for one image on this machine (int8) at most, such as 2ms."),
    ] = None,
    importance: Annotated[
        _choices.ChannelImportance,
        typer.Option("--importance", help="What makes a channel matter; random is the control."),
    ] = "l2",
    ranking: Annotated[
        _choices.ChannelRanking,
        typer.Option("--ranking", help="Whom a channel competes with: its own group, or the whole model."),
    ] = "global",
    normalization: Annotated[
        _choices.ChannelNormalization,
        typer.Option("--normalization", help="What makes groups comparable where all compete."),
    ] = "mean",
    round_to: Annotated[
        int, typer.Option("--round-to", min=1, help="Leave multiples of so many channels.")
    ] = 8,
    least: Annotated[
        int, typer.Option("--least", min=1, help="Leave each group so many channels at least.")
    ] = 8,
    max_ratio: Annotated[
        float | None,
        typer.Option("--max-ratio", help="Take at most this share of each group. Default: 0.9."),
    ] = None,
    layer: LayerNames = None,
    exclude: Exclude = None,
    schedule: Annotated[
        _choices.ChannelSchedule,
        typer.Option("--schedule", help="Remove all at once, or in rounds with training in between."),
    ] = "one-shot",
    rounds: Annotated[
        int | None,
        typer.Option(
            "--rounds", min=1, help=f"Rounds of the iterative schedule. Default: {_choices.USUAL_ROUNDS}."
        ),
    ] = None,
    sparsity_learning: Annotated[
        _choices.SparsityLearning | None,
        typer.Option(
            "--sparsity-learning",
            help="Train first so that channels fade: in the scales of batch normalisation, or in kernels.",
        ),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            "--strength",
            help="How strongly sparsity learning pulls. Default: 1e-4 in kernels, 1e-3 in scales.",
        ),
    ] = None,
    sparsity_epochs: Annotated[
        int | None, typer.Option("--sparsity-epochs", min=1, help="Epochs of sparsity learning. Default: 5.")
    ] = None,
    no_recalibrate: Annotated[
        bool,
        typer.Option("--no-recalibrate", help="Leave the statistics of batch normalisation as they were."),
    ] = False,
    teacher: Teacher = None,
    temperature: Temperature = None,
    alpha: Alpha = None,
    epochs: Annotated[
        int,
        typer.Option("--epochs", min=0, help="Passes over the training images, afterwards; 0: no training."),
    ] = 10,
    batch_size: BatchSize = 128,
    learning_rate: LearningRate = 1e-3,
    data_dir: DataDir = None,
    size: Size = None,
    input_range: InputRange = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Remove a model's least important channels.

    The result is an ordinary, smaller model, which is faster everywhere. It trains on, so that the channels
    that stay make up for those that go.
    """
    import trimtab
    from trimtab.cli import _channel_tables
    from trimtab.cli._console import interruptible
    from trimtab.pipeline import ChannelOptions
    from trimtab.progress import for_terminal

    check_model_ending(out)
    options = ChannelOptions.checked(
        typed(size="--file-size", channel_schedule="--schedule"),
        ratio=ratio,
        parameters=parameters,
        macs=macs,
        size=file_size,
        latency=latency,
        importance=importance,
        ranking=ranking,
        normalization=normalization,
        round_to=round_to,
        least=least,
        max_ratio=max_ratio,
        layers=tuple(layer) if layer else None,
        exclude=tuple(exclude or ()),
        channel_schedule=schedule,
        rounds=rounds,
        sparsity_learning=sparsity_learning,
        strength=strength,
        sparsity_epochs=sparsity_epochs,
        recalibrate=not no_recalibrate,
        temperature=temperature,
        alpha=alpha,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
    )
    _check(options, data, teacher)
    images = load_images(data, data_dir, size, limit, seed, input_range) if data is not None else None
    import_backend()
    network = trimtab.load_model(model)
    master, other = loaded_teacher(teacher)
    digest = None if images is None else images.digest
    checkpoint = checkpoint_of(out, network, (options, teacher == "itself", seed, digest), other)
    with interruptible(lambda: stopped_training(checkpoint)):
        result = trimtab.prune_channels(
            network,
            images,
            teacher=master,
            **options.channel_arguments(),
            seed=seed,
            checkpoint=checkpoint,
            keep_checkpoint=True,
            progress=for_terminal(),
        )
    trimtab.save_model(result.model, out)
    drop_checkpoints(out)
    _channel_tables.show_channel_pruning(result, out, as_json=json)


def _check(options: ChannelOptions, data: str | None, teacher: str | None) -> None:
    """Refuses what contradicts the images or the teacher, before anything is loaded."""
    options.check_teacher(teacher, typed())
    check_teacher_file(teacher)
    if data is not None:
        return
    if options.epochs:
        raise ConfigError("to train on, images are needed; add --data, or say --epochs 0 to train no more.")
    if options.importance == "taylor" or options.sparsity_learning is not None:
        what = "--importance taylor" if options.importance == "taylor" else "--sparsity-learning"
        raise ConfigError(f"{what} looks at images; add --data, or leave it out.")

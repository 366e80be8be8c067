"""`trimtab prune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trimtab import _choices
from trimtab._quiet import import_backend
from trimtab.cli._attempts import checkpoint_of, drop_checkpoints, stopped_training
from trimtab.cli._options import (
    BatchSize,
    DataDir,
    DataName,
    Epochs,
    Exclude,
    Granularity,
    Importance,
    InputRange,
    Json,
    LayerNames,
    LayerTypes,
    LearningRate,
    Limit,
    ModelFile,
    PolicyName,
    Ranking,
    Seed,
    Size,
    SkipEnds,
    Targets,
    check_model_ending,
    layer_options,
    load_images,
    typed,
)
from trimtab.cli._targets import read_targets
from trimtab.errors import ConfigError

__all__ = ["prune"]


def prune(
    model: ModelFile,
    data: DataName,
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="Where the pruned model goes.")] = Path(
        "pruned.keras"
    ),
    sparsity: Annotated[
        float | None,
        typer.Option(
            "--sparsity",
            min=0,
            max=0.9999,
            help=f"Share of zeros to reach. Default: {_choices.USUAL_SPARSITY}, or what the pattern N:M "
            "makes.",
        ),
    ] = None,
    targets: Targets = None,
    schedule: Annotated[
        _choices.SparsitySchedule,
        typer.Option(
            "--schedule",
            help="How the share of zeros grows: in many small steps, all at once (the zeros being chosen "
            "anew for a while), once before training, or in rounds of pruning and training.",
        ),
    ] = "polynomial",
    frequency: Annotated[
        int | None,
        typer.Option(
            "--frequency", min=1, help="Training steps between two updates. Default: by the length."
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            "--rounds",
            min=1,
            help=f"Rounds of the iterative schedule, each --epochs long. Default: {_choices.USUAL_ROUNDS}.",
        ),
    ] = None,
    rewind: Annotated[
        _choices.Rewind | None,
        typer.Option(
            "--rewind",
            help="What each round of the iterative schedule starts anew: the learning rate alone, or the "
            "weights that are left too. Default: rate.",
        ),
    ] = None,
    rewind_to: Annotated[
        Path | None,
        typer.Option(
            "--rewind-to", exists=True, help="Model whose weights --rewind weights puts back. Default: MODEL."
        ),
    ] = None,
    granularity: Granularity = "unstructured",
    importance: Importance = "magnitude",
    ranking: Ranking = "layer",
    layer: LayerNames = None,
    layer_type: LayerTypes = None,
    exclude: Exclude = None,
    skip_ends: SkipEnds = False,
    policy: PolicyName = None,
    epochs: Epochs = 5,
    batch_size: BatchSize = 128,
    learning_rate: LearningRate = 1e-3,
    data_dir: DataDir = None,
    size: Size = None,
    input_range: InputRange = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Set a model's least important weights to zero.

    The model trains on meanwhile, so that the weights that stay make up for those that go.
    """
    import trimtab
    from trimtab.cli import _pruning_tables
    from trimtab.cli._console import interruptible
    from trimtab.pipeline import PruningOptions
    from trimtab.progress import for_terminal

    check_model_ending(out)
    if targets is not None and sparsity is not None:
        raise ConfigError("--sparsity is for all layers and --targets for each; leave one out.")
    options = PruningOptions.checked(
        typed() if targets is None else typed(sparsity="--targets"),
        sparsity=sparsity if targets is None else read_targets(targets, granularity),
        sparsity_schedule=schedule,
        frequency=frequency,
        rounds=rounds,
        rewind=rewind,
        granularity=granularity,
        importance=importance,
        ranking=ranking,
        **layer_options(layer, layer_type, policy, exclude, skip_ends),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
    )
    if rewind_to is not None and rewind != "weights":
        raise ConfigError("--rewind-to names the weights to put back; add --rewind weights, or leave it out.")
    images = load_images(data, data_dir, size, limit, seed, input_range)
    import_backend()
    network = trimtab.load_model(model)
    arguments = options.prune_arguments(network)
    earlier = trimtab.load_model(rewind_to) if rewind_to is not None else None
    checkpoint = checkpoint_of(out, network, (options, seed, images.digest), earlier)
    with interruptible(lambda: stopped_training(checkpoint)):
        result = trimtab.prune(
            network,
            images,
            **arguments,
            rewind_to=earlier,
            seed=seed,
            checkpoint=checkpoint,
            keep_checkpoint=True,
            progress=for_terminal(),
        )
    trimtab.save_model(result.model, out)
    drop_checkpoints(out)
    _pruning_tables.show_pruning(result, out, as_json=json)

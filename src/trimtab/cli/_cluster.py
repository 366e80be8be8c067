"""`trimtab cluster`."""

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
    Exclude,
    InputRange,
    Json,
    LayerNames,
    LayerTypes,
    LearningRate,
    Limit,
    ModelFile,
    Seed,
    Size,
    SkipEnds,
    check_model_ending,
    load_images,
    typed,
)

__all__ = ["cluster"]


def cluster(
    model: ModelFile,
    data: DataName,
    out: Annotated[
        Path, typer.Option("--out", dir_okay=False, help="Where the clustered model goes; ends in .keras.")
    ] = Path("clustered.keras"),
    clusters: Annotated[
        int, typer.Option("--clusters", help="Different values in each layer, 2 to 256.")
    ] = 16,
    per: Annotated[
        _choices.ClusterPer,
        typer.Option("--per", help="What has values of its own: each layer, or each output channel."),
    ] = "layer",
    init: Annotated[
        _choices.ClusterInit,
        typer.Option(
            "--init",
            help="Where the values start: far from each other, evenly from end to end, or where most are.",
        ),
    ] = "kmeans++",
    gradients: Annotated[
        _choices.SharedGradients | None,
        typer.Option(
            "--gradients",
            help="What a value learns from: the sum or the mean of its weights' gradients. Default: sum.",
        ),
    ] = None,
    free_zeros: Annotated[
        bool, typer.Option("--free-zeros", help="Let weights that pruning set to zero join other values.")
    ] = False,
    layer: LayerNames = None,
    layer_type: LayerTypes = None,
    exclude: Exclude = None,
    skip_ends: SkipEnds = False,
    epochs: Annotated[
        int,
        typer.Option("--epochs", min=0, help="Passes over the training images, afterwards; 0: no training."),
    ] = 5,
    batch_size: BatchSize = 128,
    learning_rate: LearningRate = 1e-3,
    data_dir: DataDir = None,
    size: Size = None,
    input_range: InputRange = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Let the weights of each layer share a few values.

    The model trains on, so that the values fit. The compressed file becomes smaller, and the model no faster.
    """
    import trimtab
    from trimtab.cli import _quantization_tables
    from trimtab.cli._console import interruptible
    from trimtab.pipeline import ClusteringOptions
    from trimtab.progress import for_terminal

    check_model_ending(out)
    options = ClusteringOptions.checked(
        typed(),
        clusters=clusters,
        per=per,
        init=init,
        gradients=gradients,
        keep_zeros=not free_zeros,
        layers=tuple(layer) if layer else None,
        types=tuple(layer_type or ()),
        exclude=tuple(exclude or ()),
        skip_ends=skip_ends,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
    )
    images = load_images(data, data_dir, size, limit, seed, input_range)
    import_backend()
    network = trimtab.load_model(model)
    arguments = options.cluster_arguments(network)
    checkpoint = checkpoint_of(out, network, (options, seed, images.digest))
    with interruptible(lambda: stopped_training(checkpoint)):
        result = trimtab.cluster(
            network,
            images,
            **arguments,
            seed=seed,
            checkpoint=checkpoint,
            keep_checkpoint=True,
            progress=for_terminal(),
        )
    trimtab.save_model(result.model, out)
    drop_checkpoints(out)
    _quantization_tables.show_clustering(result, out, as_json=json)

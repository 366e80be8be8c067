"""`trimtab quantize-aware`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trimtab import _choices
from trimtab._quiet import import_backend
from trimtab.cli._attempts import checkpoint_of, drop_checkpoints, stopped_training
from trimtab.cli._options import (
    Alpha,
    BatchSize,
    Calibration,
    CalibrationMethod,
    DataDir,
    DataName,
    InputRange,
    Json,
    KeepFloat,
    LearningRate,
    Limit,
    ModelFile,
    Percentile,
    Seed,
    Size,
    Temperature,
    check_model_ending,
    load_images,
    typed,
)
from trimtab.cli._teachers import Teacher, check_teacher_file, loaded_teacher

__all__ = ["quantize_aware"]


def quantize_aware(
    model: ModelFile,
    data: DataName,
    out: Annotated[
        Path, typer.Option("--out", dir_okay=False, help="Where the new model goes; ends in .keras.")
    ] = Path("aware.keras"),
    weights_bits: Annotated[int, typer.Option("--weights-bits", help="Bits of the weights: 8 or 4.")] = 8,
    ranges: Annotated[
        _choices.Ranges,
        typer.Option(
            "--ranges", help="Ranges of the activations: averages of what is seen, or learned by gradient."
        ),
    ] = "moving-average",
    calibration: Calibration = 200,
    calibration_method: CalibrationMethod = "minmax",
    percentile: Percentile = None,
    keep_float: KeepFloat = None,
    freeze_ranges: Annotated[
        float,
        typer.Option("--freeze-ranges", help="Share of the epochs after which ranges stand still; 1: never."),
    ] = 0.8,
    freeze_batch_norm: Annotated[
        float,
        typer.Option(
            "--freeze-batch-norm",
            help="Share of the epochs after which batch normalisation stands still; 1: never.",
        ),
    ] = 0.6,
    free_zeros: Annotated[
        bool, typer.Option("--free-zeros", help="Let weights that pruning set to zero learn again.")
    ] = False,
    free_clusters: Annotated[
        bool, typer.Option("--free-clusters", help="Let weights that clustering made equal part again.")
    ] = False,
    teacher: Teacher = None,
    temperature: Temperature = None,
    alpha: Alpha = None,
    epochs: Annotated[
        int,
        typer.Option(
            "--epochs", min=0, help="Passes over the training images; 0: only prepared and calibrated."
        ),
    ] = 5,
    batch_size: BatchSize = 128,
    learning_rate: LearningRate = 1e-4,
    data_dir: DataDir = None,
    size: Size = None,
    input_range: InputRange = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train a model for the integers of its int8 or int4 file.

    The new model rounds as its file will, and learns to live with it. `trimtab export` turns it into that
    file without calibrating.
    """
    import trimtab
    from trimtab.cli import _quantization_tables
    from trimtab.cli._console import interruptible
    from trimtab.pipeline import QuantizeAwareOptions
    from trimtab.progress import for_terminal

    check_model_ending(out)
    options = QuantizeAwareOptions.checked(
        typed(),
        weights_bits=weights_bits,
        ranges=ranges,
        calibration=calibration,
        calibration_method=calibration_method,
        percentile=percentile,
        keep_float=tuple(keep_float or ()),
        freeze_ranges=freeze_ranges,
        freeze_batch_norm=freeze_batch_norm,
        keep_zeros=not free_zeros,
        keep_clusters=not free_clusters,
        temperature=temperature,
        alpha=alpha,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
    )
    options.check_teacher(teacher, typed())
    check_teacher_file(teacher)
    images = load_images(data, data_dir, size, limit, seed, input_range)
    import_backend()
    network = trimtab.load_model(model)
    master, other = loaded_teacher(teacher)
    checkpoint = checkpoint_of(out, network, (options, teacher == "itself", seed, images.digest), other)
    with interruptible(lambda: stopped_training(checkpoint)):
        result = trimtab.quantize_aware(
            network,
            images,
            teacher=master,
            **options.quantize_aware_arguments(),
            seed=seed,
            checkpoint=checkpoint,
            keep_checkpoint=True,
            progress=for_terminal(),
        )
    trimtab.save_model(result.model, out)
    drop_checkpoints(out)
    _quantization_tables.show_quantize_aware(result, out, as_json=json)

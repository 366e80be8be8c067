"""`trimtab distill`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from trimtab import _choices
from trimtab._quiet import import_backend
from trimtab.cli._attempts import checkpoint_of, drop_checkpoints, stopped_training
from trimtab.cli._options import (
    Alpha,
    BatchSize,
    DataDir,
    DataName,
    Epochs,
    InputRange,
    Json,
    LearningRate,
    Limit,
    Seed,
    Size,
    Temperature,
    check_model_ending,
    load_images,
    typed,
)
from trimtab.errors import ConfigError

__all__ = ["distill"]


def distill(
    student: Annotated[
        Path, typer.Argument(exists=True, help="The model that learns: a .keras or legacy .h5 file.")
    ],
    teacher: Annotated[
        list[Path],
        typer.Option(
            "--teacher", exists=True, help="A model that teaches; of several, the answers are averaged."
        ),
    ],
    data: DataName,
    out: Annotated[
        Path, typer.Option("--out", dir_okay=False, help="Where the taught model goes; ends in .keras.")
    ] = Path("taught.keras"),
    temperature: Temperature = None,
    alpha: Alpha = None,
    feature: Annotated[
        list[str] | None,
        typer.Option(
            "--feature",
            metavar="STUDENT=TEACHER",
            help="Layers whose outputs shall be alike; may be given again.",
        ),
    ] = None,
    attention: Annotated[
        list[str] | None,
        typer.Option(
            "--attention",
            metavar="STUDENT=TEACHER",
            help="Layers that shall look at the same places; may be given again.",
        ),
    ] = None,
    feature_weight: Annotated[
        float | None, typer.Option("--feature-weight", help="Weight of --feature in the loss. Default: 1.")
    ] = None,
    attention_weight: Annotated[
        float | None,
        typer.Option("--attention-weight", help="Weight of --attention in the loss. Default: 1000."),
    ] = None,
    cache: Annotated[
        _choices.LogitCache,
        typer.Option(
            "--cache",
            help="What is kept of the teacher: its answers to the images, or to changed copies (views) of "
            "them, or nothing.",
        ),
    ] = "auto",
    epochs: Epochs = 10,
    batch_size: BatchSize = 128,
    learning_rate: LearningRate = 1e-3,
    data_dir: DataDir = None,
    size: Size = None,
    input_range: InputRange = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Teach a small model by a large one.

    The student learns what the teacher answers, softened by a temperature, and a share of the labels.
    Validation images choose the epoch; the test images are not touched.
    """
    import trimtab
    from trimtab.cli import _channel_tables
    from trimtab.cli._console import interruptible
    from trimtab.pipeline import DistillationOptions
    from trimtab.progress import for_terminal

    check_model_ending(out)
    given = {"temperature": temperature, "alpha": alpha}
    options = DistillationOptions.checked(
        typed(features="--feature"),
        **{name: value for name, value in given.items() if value is not None},
        features=_pairs("--feature", feature or ()),
        feature_weight=feature_weight,
        attention=_pairs("--attention", attention or ()),
        attention_weight=attention_weight,
        cache=cache,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
    )
    images = load_images(data, data_dir, size, limit, seed, input_range)
    import_backend()
    network = trimtab.load_model(student)
    teachers = [trimtab.load_model(path) for path in teacher]
    checkpoint = checkpoint_of(out, network, (options, seed, images.digest), *teachers)
    with interruptible(lambda: stopped_training(checkpoint)):
        result = trimtab.distill(
            network,
            teachers,
            images,
            **options.distill_arguments(),
            cache_folder=checkpoint.with_suffix(""),  # so that the same command need not ask again
            seed=seed,
            checkpoint=checkpoint,
            keep_checkpoint=True,
            progress=for_terminal(),
        )
    trimtab.save_model(result.model, out)
    drop_checkpoints(out)
    _channel_tables.show_distillation(result, teacher, out, as_json=json)


def _pairs(option: str, texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Reads ``conv_2=stage_3_block_1_add`` as names of two layers."""
    pairs = []
    for text in texts:
        own, equals, others = text.partition("=")
        if not (equals and own.strip() and others.strip()):
            raise ConfigError(
                f"{option} needs STUDENT=TEACHER, the names of two layers, such as "
                f"conv_2=stage_2_block_3_add; received {text!r}."
            )
        pairs.append((own.strip(), others.strip()))
    return tuple(pairs)

"""`trimtab sparsity`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab._choices import USUAL_SPARSITY, Ranking
from trimtab._quiet import import_backend
from trimtab.cli._options import (
    Exclude,
    Granularity,
    Json,
    LayerNames,
    LayerTypes,
    PolicyName,
    SkipEnds,
    Targets,
    layer_options,
    typed,
)
from trimtab.cli._targets import read_targets
from trimtab.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.pipeline import SparsityOptions
    from trimtab.pruning import LayerSparsity

__all__ = ["sparsity"]


def sparsity(
    model: Annotated[Path, typer.Argument(exists=True, help="A .keras, legacy .h5 or .tflite file.")],
    target: Annotated[
        float | None,
        typer.Option(
            "--target",
            min=0,
            max=0.9999,
            help=f"Share of zeros that was asked for, such as {USUAL_SPARSITY}.",
        ),
    ] = None,
    targets: Targets = None,
    granularity: Granularity = "unstructured",
    ranking: Annotated[
        Ranking,
        typer.Option("--ranking", help="Whether each layer has to reach the target, or all together."),
    ] = "layer",
    layer: LayerNames = None,
    layer_type: LayerTypes = None,
    exclude: Exclude = None,
    skip_ends: SkipEnds = False,
    policy: PolicyName = None,
    json: Json = False,
) -> None:
    """Count the zeros of a model or file.

    With --target, --targets or a pattern N:M, it says what was reached beside what was asked for, and ends
    with exit code 1 where that was missed. Layers that the options leave out are counted, but nothing
    is asked of them. Of blocks and patterns only zeros that lie in them count.
    """
    from trimtab.cli import _pruning_tables
    from trimtab.pipeline import SparsityOptions

    if targets is not None and target is not None:
        raise ConfigError("--target is for all layers and --targets for each; leave one out.")
    options = SparsityOptions.checked(
        typed(sparsity="--target" if targets is None else "--targets"),
        sparsity=target if targets is None else read_targets(targets, granularity),
        granularity=granularity,
        ranking=ranking,
        **layer_options(layer, layer_type, policy, exclude, skip_ends),
    )
    of_file = model.suffix == ".tflite"
    if of_file and options != SparsityOptions(sparsity=target, ranking=ranking):
        raise ConfigError(
            f"{model} has tensors, but no layers to choose from. Leave out the options about layers and "
            "granularity, or give the Keras model."
        )
    import_backend()
    from trimtab.pruning import sparsity_summary

    rows = _rows_of_file(model, target) if of_file else _rows_of_model(model, options)
    summary = sparsity_summary(rows, ranking)
    if summary.asked is None and _asked(options) is not None:
        raise ConfigError(
            f"{model}: nothing was checked, since it has no weights that the options ask for zeros of. Leave "
            "the options about layers out to see what it has."
        )
    _pruning_tables.show_sparsity(summary, model, as_json=json)
    if summary.missed:
        raise typer.Exit(1)


def _asked(options: SparsityOptions) -> float | dict[str, float] | None:
    """Returns the zeros that are asked for; None where they are merely counted."""
    return options.pattern if options.sparsity is None else options.sparsity


def _rows_of_model(path: Path, options: SparsityOptions) -> tuple[LayerSparsity, ...]:
    """Counts the zeros in each weight of a Keras model."""
    from trimtab import pruning
    from trimtab.models import load_model

    network = load_model(path)
    return pruning.sparsity_table(
        network,
        _asked(options),
        **options.where(network),
        granularity=pruning.granularity(options.granularity),
    )


def _rows_of_file(path: Path, target: float | None) -> tuple[LayerSparsity, ...]:
    """Counts the zeros in each kernel of a LiteRT file: the integers that stand for zero, where quantized."""
    from trimtab.litert import inspect
    from trimtab.pruning import LayerSparsity

    kernels = {
        tensor.buffer: tensor
        for tensor in inspect(path).tensors
        # A bias has one dimension, and the shapes that operators read are of type int32.
        if tensor.constant and len(tensor.shape) > 1 and not tensor.dtype.startswith("int32")
    }
    rows = []
    for tensor in kernels.values():
        name, _, weight = tensor.name.rpartition("/")
        zeros = tensor.elements - tensor.non_zeros
        rows.append(LayerSparsity(name or weight, weight, tensor.elements, zeros, target, None, tensor.shape))
    return tuple(rows)

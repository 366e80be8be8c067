"""`trimtab sensitivity`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trimtab._quiet import import_backend
from trimtab.cli._options import (
    DataDir,
    DataName,
    Exclude,
    Granularity,
    Importance,
    Json,
    LayerNames,
    LayerTypes,
    Limit,
    ModelFile,
    PolicyName,
    Seed,
    Size,
    SkipEnds,
    layer_options,
    load_images,
    typed,
)
from trimtab.errors import ConfigError, TrimtabError

__all__ = ["sensitivity"]


def sensitivity(
    model: ModelFile,
    data: DataName,
    levels: Annotated[
        str, typer.Option("--levels", help="Shares of zeros to try, with commas between them.")
    ] = "0.25,0.5,0.75,0.9,0.95",
    sparsity: Annotated[
        float | None,
        typer.Option(
            "--sparsity",
            min=0,
            max=0.9999,
            help="Also share this total out: how far each layer should go, so that the loss suffers least.",
        ),
    ] = None,
    granularity: Granularity = "unstructured",
    importance: Importance = "magnitude",
    layer: LayerNames = None,
    layer_type: LayerTypes = None,
    exclude: Exclude = None,
    skip_ends: SkipEnds = False,
    policy: PolicyName = None,
    images: Annotated[int, typer.Option("--images", min=1, help="How many validation images judge.")] = 2000,
    out: Annotated[
        Path | None, typer.Option("--out", dir_okay=False, help="Draw a picture too; ends in .png.")
    ] = None,
    data_dir: DataDir = None,
    size: Size = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Find out which layers pruning hurts.

    Each layer alone is pruned to each level, without training, and measured on validation images.
    """
    import trimtab
    from trimtab._atomic import check_writable
    from trimtab.cli import _pruning_tables
    from trimtab.pipeline import SensitivityOptions, check_total
    from trimtab.progress import for_terminal

    options = SensitivityOptions.checked(
        typed(),
        levels=_shares(levels),
        granularity=granularity,
        importance=importance,
        images=images,
        **layer_options(layer, layer_type, policy, exclude, skip_ends),
    )
    if sparsity is not None:
        check_total(sparsity, granularity, typed())
    if out is not None:
        if out.suffix != ".png":
            raise ConfigError(f"--out needs a name that ends in .png; received {out}.")
        check_writable(out)
    data_set = load_images(data, data_dir, size, limit, seed)
    import_backend()
    network = trimtab.load_model(model)
    options.check_model(network, sparsity, typed())
    scan = trimtab.pruning.sensitivity(
        network, data_set, **options.sensitivity_arguments(network), seed=seed, progress=for_terminal()
    )
    targets, picture, failed = None, None, None
    try:
        targets = scan.targets(sparsity) if sparsity is not None else None
        picture = trimtab.reporting.draw_sensitivity(scan, out) if out is not None else None
    except TrimtabError as error:  # the scan took long: it is shown whatever comes after it
        failed = error
    _pruning_tables.show_sensitivity(scan, targets, picture, as_json=json)
    if failed is not None:
        raise failed


def _shares(text: str) -> tuple[float, ...]:
    """Reads ``0.5,0.9`` as shares of zeros."""
    try:
        found = tuple(float(word) for word in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(0 < share < 1 for share in found):
        raise ConfigError(
            f"--levels needs shares between 0 and 1 with commas between them, such as 0.5,0.9; "
            f"received {text!r}."
        )
    return found

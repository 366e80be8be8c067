"""`trimtab sensitivity`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab import _choices
from trimtab._quiet import import_backend
from trimtab.cli._options import (
    Calibration,
    CalibrationMethod,
    DataDir,
    DataName,
    Exclude,
    Granularity,
    Importance,
    InputRange,
    Json,
    LayerNames,
    LayerTypes,
    Limit,
    ModelFile,
    Percentile,
    PolicyName,
    Seed,
    Size,
    SkipEnds,
    layer_options,
    load_images,
    typed,
)
from trimtab.errors import ConfigError, TrimtabError

if TYPE_CHECKING:
    import keras

    from trimtab.data import ImageData
    from trimtab.pipeline import SensitivityOptions

__all__ = ["sensitivity"]


def sensitivity(
    model: ModelFile,
    data: DataName,
    scheme: Annotated[
        _choices.ScanScheme | None,
        typer.Option("--scheme", help="Quantize each layer alone, and all but it, instead of pruning."),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-drop",
            help="With --scheme: also find the fewest layers to keep float, so that no more accuracy is lost "
            "than this share; 0.005 is half a point.",
        ),
    ] = None,
    calibration: Calibration = 200,
    calibration_method: CalibrationMethod = "minmax",
    percentile: Percentile = None,
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
    input_range: InputRange = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Find out which layers pruning or quantization hurts.

    Each layer alone is pruned to each level, or with --scheme quantized, without training, and measured on
    validation images.
    """
    import trimtab
    from trimtab.pipeline import SensitivityOptions, check_total

    options = SensitivityOptions.checked(
        typed(),
        scheme=scheme,
        max_drop=max_drop,
        calibration=calibration,
        calibration_method=calibration_method,
        percentile=percentile,
        levels=_shares(levels),
        granularity=granularity,
        importance=importance,
        images=images,
        **layer_options(layer, layer_type, policy, exclude, skip_ends),
    )
    if sparsity is not None:
        if scheme is not None:
            raise ConfigError("--sparsity is for a scan of pruning; leave it out, or leave --scheme out.")
        check_total(sparsity, granularity, typed())
    _check_picture(out)
    data_set = load_images(data, data_dir, size, limit, seed, input_range)
    import_backend()
    network = trimtab.load_model(model)
    if scheme is None:
        _scan_pruning(network, data_set, options, sparsity, out, seed, as_json=json)
    else:
        _scan_quantization(network, data_set, options, out, seed, as_json=json)


def _check_picture(out: Path | None) -> None:
    """Refuses a place for the picture, before any work is done."""
    from trimtab._atomic import check_writable

    if out is not None:
        if out.suffix != ".png":
            raise ConfigError(f"--out needs a name that ends in .png; received {out}.")
        check_writable(out)


def _scan_pruning(
    network: keras.Model,
    data: ImageData,
    options: SensitivityOptions,
    sparsity: float | None,
    out: Path | None,
    seed: int,
    *,
    as_json: bool,
) -> None:
    """Prunes each layer, and shows what that costs."""
    import trimtab
    from trimtab.cli import _pruning_tables
    from trimtab.progress import for_terminal

    options.check_model(network, sparsity, typed())
    scan = trimtab.pruning.sensitivity(
        network, data, **options.sensitivity_arguments(network), seed=seed, progress=for_terminal()
    )
    targets, picture, failed = None, None, None
    try:
        targets = scan.targets(sparsity) if sparsity is not None else None
        picture = trimtab.reporting.draw_sensitivity(scan, out) if out is not None else None
    except TrimtabError as error:  # the scan took long: it is shown whatever comes after it
        failed = error
    _pruning_tables.show_sensitivity(scan, targets, picture, as_json=as_json)
    if failed is not None:
        raise failed


def _scan_quantization(
    network: keras.Model,
    data: ImageData,
    options: SensitivityOptions,
    out: Path | None,
    seed: int,
    *,
    as_json: bool,
) -> None:
    """Quantizes each layer, and shows what that costs and which ones to keep float."""
    import trimtab
    from trimtab.cli import _quantization_tables
    from trimtab.progress import for_terminal

    options.check_quantizable(network)
    arguments = {**options.quantization_arguments(), "seed": seed, "progress": for_terminal()}
    scan = trimtab.quantization.sensitivity(network, data, **arguments)
    mixed, picture, failed = None, None, None
    try:
        if (drop := options.max_drop) is not None:
            mixed = trimtab.quantization.mixed(network, data, max_drop=drop, sensitivity=scan, **arguments)
        picture = trimtab.reporting.draw_sensitivity(scan, out) if out is not None else None
    except TrimtabError as error:  # the scan took long: it is shown whatever comes after it
        failed = error
    _quantization_tables.show_quantization_sensitivity(scan, mixed, picture, as_json=as_json)
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

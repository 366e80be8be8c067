"""`trimtab doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from trimtab import _choices
from trimtab._quiet import import_backend
from trimtab.cli._options import DataDir, InputRange, Json, Limit, ModelFile, Seed, Size, load_images
from trimtab.errors import ConfigError, TrimtabError, nearest

if TYPE_CHECKING:
    import keras

    from trimtab.data import ImageData
    from trimtab.doctor import Rewritten

__all__ = ["doctor"]

_IMAGES = 64  # that a rewritten model must answer alike


def doctor(
    model: ModelFile,
    scheme: Annotated[
        str | None,
        typer.Option(
            "--scheme",
            help="Only this scheme beside float32, or all. Default: float32, float16, dynamic-int8 and int8.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Images that the model is for: their size, and whether they fit."),
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(
            "--fix",
            dir_okay=False,
            help="Write the folded, flattened model, if its outputs stay equal to 1e-5; ends in .keras.",
        ),
    ] = None,
    latency: Annotated[bool, typer.Option("--latency/--no-latency", help="Time the files.")] = True,
    data_dir: DataDir = None,
    size: Size = None,
    input_range: InputRange = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Say what a model will let be done to it.

    What will prune, lose channels, fold, quantize and convert, what will not and why, what each scheme's file
    weighs and takes, and what is worth changing: before any training. With --fix it ends with exit code 1
    where the simpler model would not give the same.
    """
    import trimtab
    from trimtab.cli import _doctor_tables
    from trimtab.progress import for_terminal

    _check_scheme(scheme)
    if fix is not None:
        _check_fix(fix, model)
    images = load_images(data, data_dir, size, limit, seed, input_range) if data is not None else None
    import_backend()
    from trimtab.doctor import diagnose

    network = trimtab.load_model(model)
    diagnosis = diagnose(
        network, scheme=scheme, data=images, latency=latency, seed=seed, progress=for_terminal()
    )
    rewritten, failed = None, None
    try:
        rewritten = _fixed(network, images, fix, seed) if fix is not None else None
    except TrimtabError as error:  # the diagnosis took a while: it is shown whatever comes after it
        failed = error
    _doctor_tables.show_diagnosis(diagnosis, model, rewritten, fix, as_json=json)
    if failed is not None:
        raise failed
    if rewritten is not None and rewritten.model is None and rewritten.done:
        raise typer.Exit(1)


def _check_scheme(scheme: str | None) -> None:
    """Refuses a scheme that there is not, before a backend is loaded."""
    known = (*get_args(_choices.Scheme), "all")
    if scheme is not None and scheme not in known:
        raise ConfigError(
            f"--scheme: no scheme is called {scheme!r}; there are {', '.join(known)}.{nearest(scheme, known)}"
        )


def _check_fix(fix: Path, model: Path) -> None:
    """Refuses a place for the rewritten model, before any work is done."""
    from trimtab._atomic import check_writable

    if fix.suffix != ".keras":
        raise ConfigError(f"--fix needs a name that ends in .keras; received {fix}.")
    if fix.resolve() == model.resolve() or (fix.exists() and fix.samefile(model)):
        raise ConfigError(f"--fix {fix} is the model itself, which stays as it is. Give another name.")
    check_writable(fix)


def _fixed(network: keras.Model, images: ImageData | None, path: Path, seed: int) -> Rewritten:
    """Rewrites the model, and writes it where it gives the same."""
    from trimtab.doctor import rewrite
    from trimtab.models import save_model

    given = None if images is None else images.train.inputs(0, _IMAGES)
    rewritten = rewrite(network, given, seed=seed)
    if rewritten.model is not None:
        save_model(rewritten.model, path)
    return rewritten

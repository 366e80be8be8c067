"""`trimtab compress`: a budget in, the best model that keeps it out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli._options import DataDir, Json, Limit, Seed, Size, load_images
from trimtab.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.compression import Budget

__all__ = ["compress"]

_LIMITS = ("max_size", "max_latency", "max_drop", "min_accuracy", "max_memory", "max_download")


def compress(
    model: Annotated[
        Path | None,
        typer.Argument(
            exists=True, help="A .keras or legacy .h5 file. Without one, a baseline is trained first."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="digits, mnist, fashion_mnist, cifar10, or a folder, .npz or .zip."),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option("--max-size", help="Bytes of the file: 100KB, 1.5MB, or 25% of the baseline's."),
    ] = None,
    max_latency: Annotated[
        str | None,
        typer.Option("--max-latency", help="Time for one image on this machine: 2ms, 500us, or 50%."),
    ] = None,
    max_drop: Annotated[
        str | None, typer.Option("--max-drop", help="Percentage points of accuracy below the baseline: 0.5.")
    ] = None,
    min_accuracy: Annotated[
        str | None, typer.Option("--min-accuracy", help="Share of the images: 0.91 or 91%.")
    ] = None,
    max_memory: Annotated[
        str | None, typer.Option("--max-memory", help="Working memory of the network: 256KB, or 50%.")
    ] = None,
    max_download: Annotated[
        str | None,
        typer.Option("--max-download", help="Bytes of the gzipped file; only here zeros count: 50KB."),
    ] = None,
    minutes: Annotated[
        str | None,
        typer.Option("--minutes", help="How long it may take: 30, 90s, 2h. Default: 30."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=1, help="Trainings at the same time. Default: one for each core."),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="Address of a Ray cluster that trains instead.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="DIR", help="Go on with the run in this folder.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Run folder. Default: runs/compress-DATE-TIME.")
    ] = None,
    data_dir: DataDir = None,
    size: Size = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Find the best model that keeps a budget.

    Name what the device can bear. Candidates that fit are trained, the promising ones longer; files are
    checked and measured. Ctrl-C ends the search with the best so far; a killed one goes on with --resume.
    """
    from trimtab._units import minutes as read_minutes
    from trimtab.cli import _compression_tables
    from trimtab.cli._console import interruptible
    from trimtab.compression import compress as compress_model
    from trimtab.compression._run_folder import default_folder
    from trimtab.progress import for_terminal
    from trimtab.reporting import report

    values = (max_size, max_latency, max_drop, min_accuracy, max_memory, max_download)
    given = {name: value for name, value in zip(_LIMITS, values, strict=True) if value is not None}
    if resume is not None:
        asked = _resumed(resume, {**given, "model": model, "data": data, "out": out})
        budget, seed, folder = _budget(asked["budget"]), int(asked["seed"]), resume
        told, minutes = asked["told"], minutes or str(asked["minutes"])
        network = resume / "baseline" / "model.keras" if asked["model_digest"] else None
        jobs = jobs if jobs is not None or cluster is not None else asked["jobs"]
    else:
        budget, folder, network = _budget(given), out or default_folder(), model
        if data is None:
            raise ConfigError("compress needs images: add --data, such as --data fashion_mnist.")
        told = {"source": data, "data_dir": None if data_dir is None else str(data_dir), "size": size}
        told |= {"limit": limit, "model": None if model is None else str(model)}
    read_minutes("--minutes", minutes or "30")
    if jobs is not None and cluster is not None:
        raise ConfigError("--jobs is for this machine, --cluster for others. Leave one of them out.")
    place = data_dir or (Path(told["data_dir"]) if told["data_dir"] else None)
    images = load_images(told["source"], place, told["size"], told["limit"], seed)
    progress = for_terminal()
    with interruptible(lambda: _stopped(folder)):
        result = compress_model(
            network,
            images,
            budget,
            out=folder,
            minutes=minutes or "30",
            jobs=jobs,
            cluster=cluster,
            resume=resume is not None,
            seed=seed,
            told={"told": told, "command": _command(told, budget, seed)},
            progress=progress,
        )
        page = report(result.folder, progress=progress)
    _compression_tables.show_compression(result, page, as_json=json)


def _budget(limits: Mapping[str, Any]) -> Budget:
    """Returns the budget, refused in the words of the options."""
    from trimtab.compression import Budget

    try:
        return Budget(**limits)
    except ConfigError as error:
        told = str(error)
        for name in _LIMITS:
            told = told.replace(name, f"--{name.replace('_', '-')}")
        raise ConfigError(told) from None


def _resumed(folder: Path, others: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a run was begun with; refuses to be told it again."""
    from trimtab.compression._run_folder import CompressionFolder

    for name, value in others.items():
        if value is not None:
            option = "MODEL" if name == "model" else f"--{name.replace('_', '-')}"
            raise ConfigError(f"--resume goes on with what {folder} was begun with. Leave {option} out.")
    asked = CompressionFolder(folder).read()
    if "told" not in asked:
        raise ConfigError(
            f"{folder} was begun from Python, which the command line knows nothing of. Go on there, with "
            "trimtab.compress(..., resume=True)."
        )
    return asked


def _command(told: Mapping[str, Any], budget: Budget, seed: int) -> str:
    """Returns the command that does the same again."""
    words = ["trimtab", "compress", *([told["model"]] if told["model"] else []), "--data", told["source"]]
    for name, value in budget.given.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    for name in ("data_dir", "size", "limit"):
        if told[name] is not None:
            words += [f"--{name.replace('_', '-')}", str(told[name])]
    return shlex.join([*words, "--seed", str(seed)])


def _stopped(folder: Path) -> str:
    """Returns what to say after Ctrl-C where there is no answer yet."""
    from trimtab.compression._run_folder import CompressionFolder

    if not CompressionFolder(folder).holds_run():
        return "Stopped before anything was done."
    words = shlex.join(["trimtab", "compress", "--resume", str(folder)])
    return f"Stopped; what was done is kept. To go on: {words}"

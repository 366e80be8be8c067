"""`trimtab tune`."""

from __future__ import annotations

import datetime
import shlex
from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli._options import DataDir, DataName, Json, Limit, Seed, Size, load_images
from trimtab.errors import ConfigError

__all__ = ["tune"]


def tune(
    data: DataName,
    family: Annotated[
        str | None,
        typer.Option(
            "--family", help="Networks to search: cnn, resnet, ds_cnn or mobilenet_v2. Default: cnn."
        ),
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option("--space", exists=True, dir_okay=False, help="A search space of your own: a YAML file."),
    ] = None,
    trials: Annotated[
        int, typer.Option("--trials", min=1, help="How many settings to try, the defaults among them.")
    ] = 30,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.01, help="End with the best after so long.")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, help="Passes over the training images in each trial. Default: 10."),
    ] = None,
    small: Annotated[
        list[str] | None,
        typer.Option(
            "--small",
            help="Search for few parameters or macs too, not for accuracy alone; may be given again.",
        ),
    ] = None,
    cut_short: Annotated[
        bool, typer.Option("--cut-short/--no-cut-short", help="End trials early that fall behind.")
    ] = True,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, help="Processes that train side by side on this machine.")
    ] = 1,
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="Address of a Ray cluster that trains instead.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Run folder. Default: runs/tune-DATE-TIME.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a search that is in the folder already.")
    ] = False,
    data_dir: DataDir = None,
    size: Size = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Search for the best network, and how to train it.

    The first trial is the usual one, so that you see what tuning buys. Validation images judge; the test
    images are not touched. Ctrl-C ends with the best so far; --resume goes on.
    """
    from trimtab.cli import _tuning_tables
    from trimtab.cli._console import interruptible
    from trimtab.pipeline import read_space
    from trimtab.progress import for_terminal
    from trimtab.reporting import report
    from trimtab.tuning import Plan, check_names, family_space
    from trimtab.tuning import tune as search

    if space is not None and (family is not None or epochs is not None):
        raise ConfigError(
            "--space says which networks, and how many epochs; leave --family and --epochs out."
        )
    objectives = ("accuracy", *(small or ()))
    Plan(trials, minutes, jobs, cluster, objectives, cut_short, seed)
    own = None if space is None else read_space(space)
    if own is not None:
        check_names(own)
    folder = out or Path("runs") / f"tune-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    # Refuses a family that there is none of before any image is read.
    family_space(family or "cnn", (32, 32, 3))
    images = load_images(data, data_dir, size, limit, seed)
    progress = for_terminal()
    with interruptible(lambda: _stopped(folder)):
        result = search(
            images,
            own or family_space(family or "cnn", images.image_shape, epochs=epochs or 10),
            trials=trials,
            minutes=minutes,
            jobs=jobs,
            cluster=cluster,
            objectives=objectives,
            cut_short=cut_short,
            seed=seed,
            folder=folder,
            resume=resume,
            progress=progress,
        )
        page = report(folder, progress=progress)
    _tuning_tables.show_tuning(result, page, as_json=json)


def _stopped(folder: Path) -> str:
    """Returns what to say after Ctrl-C where there is no answer yet."""
    if not (folder / "run.json").is_file():
        return "Stopped before anything was done."
    return (
        "Stopped before there was a result; what was done is kept. The same command goes on, with "
        f"{shlex.join(['--out', str(folder), '--resume'])}."
    )

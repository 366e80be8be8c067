"""`trimtab run` and `trimtab report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli._attempts import stopped_run
from trimtab.cli._options import DataDir, Json, Settings

__all__ = ["report", "run"]


def run(
    recipe: Annotated[
        str | None,
        typer.Argument(help="A built-in recipe, a YAML file, or the folder of a run to go on with."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Run folder. Default: runs/RECIPE-DATE-TIME.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="Other images than the recipe says.")] = None,
    data_dir: DataDir = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Another seed than the recipe says.")
    ] = None,
    settings: Settings = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that is in the folder already.")
    ] = False,
    json: Json = False,
) -> None:
    """Carry out a recipe, from data to a report.

    Without a recipe, the built-in ones are listed. Everything goes into one folder; a run that was
    stopped goes on with --resume.
    """
    from trimtab.cli import _tables
    from trimtab.cli._console import interruptible
    from trimtab.pipeline import builtin_recipes, default_folder
    from trimtab.pipeline import run as run_recipe
    from trimtab.progress import for_terminal

    if recipe is None:
        _tables.show_recipes(builtin_recipes(), as_json=json)
        return
    progress = for_terminal()
    folder = out or default_folder(recipe)
    with interruptible(lambda: stopped_run(folder)):
        result = run_recipe(
            recipe,
            folder,
            data=data,
            data_dir=data_dir,
            seed=seed,
            overrides=settings or (),
            resume=resume,
            progress=progress,
        )
    _tables.show_run(result, as_json=json)


def report(
    folder: Annotated[Path, typer.Argument(help="The folder of a run, or of a search.")],
    json: Json = False,
) -> None:
    """Draw the report of a run again.

    Everything is read from the run's folder; nothing is computed.
    """
    import trimtab
    from trimtab.cli import _tables

    _tables.show_report(trimtab.report(folder), as_json=json)

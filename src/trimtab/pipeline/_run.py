"""`run`: carries out a recipe in a run folder, and goes on where a killed run stopped."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path

from trimtab.errors import ConfigError
from trimtab.pipeline._execution import RunResult, execute
from trimtab.pipeline._folder import RunFolder
from trimtab.pipeline._reading import parse_recipe, read_recipe
from trimtab.pipeline._recipe import Recipe
from trimtab.progress import Progress, Silent

__all__ = ["default_folder", "run"]


def run(
    recipe: str | Path | Recipe,
    out: str | Path | None = None,
    *,
    data: str | Path | None = None,
    data_dir: str | Path | None = None,
    seed: int | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Carries out a recipe: trains, prunes, converts, measures, and writes the report.

    Everything is written to one folder. A stage that is done there is not done again, unless its settings,
    its inputs, the seed, the versions (or, for the measurements, the machine) have changed.

    Args:
        recipe: a built-in name (``"quickstart"``), a YAML file, a `Recipe`, or the folder of an
            earlier run, which is then continued with its own recipe.
        out: the run folder; by default ``runs/<recipe>-<date>-<time>``.
        data: other images than the recipe says; what `trimtab.load_data` takes.
        data_dir: where the named data sets are; see `trimtab.load_data`.
        seed: another seed than the recipe says.
        overrides: ``"key=value"`` texts; see `trimtab.pipeline.read_recipe`.
        resume: go on with a run that is in `out` already; if there is none, one is begun.
        progress: where progress is shown; nowhere by default.

    Raises:
        RecipeError: the recipe says something that is not understood.
        RunError: `out` holds a run already and `resume` is not set, or another process writes there.
        OutputError: the folder cannot be written.
        DataError, ModelError, ConversionError: a step met something that it cannot use.
    """
    folder = RunFolder(Path(out) if out is not None else default_folder(recipe))
    earlier = None if isinstance(recipe, Recipe) else RunFolder(Path(recipe))
    changes = _changes(data, seed, overrides)
    if isinstance(recipe, Recipe):
        plan = parse_recipe(recipe.to_data(), recipe.name, changes)
    elif earlier is not None and earlier.holds_run():
        if folder.path != earlier.path:
            raise ConfigError(
                f"{recipe} is a run folder, and a run continues where it is. Leave out --out {folder.path}."
            )
        record = earlier.read()
        plan = parse_recipe(record["recipe"], str(earlier.run_file), changes)
        data_dir = data_dir if data_dir is not None else record.get("data_dir")
        resume = True
    else:
        plan = read_recipe(recipe, changes)
    folder.check_free(resume)
    with folder.locked():
        return execute(plan, folder, data_dir, progress or Silent())


def default_folder(recipe: str | Path | Recipe) -> Path:
    """Returns where a run goes if nobody says: a new folder under ``runs``, or the run that is continued."""
    if not isinstance(recipe, Recipe) and RunFolder(Path(recipe)).holds_run():
        return Path(recipe)
    name = recipe.name if isinstance(recipe, Recipe) else Path(recipe).stem
    return Path("runs") / f"{name}-{datetime.datetime.now():%Y%m%d-%H%M%S}"


def _changes(data: str | Path | None, seed: int | None, overrides: Sequence[str]) -> list[str]:
    """Returns what the caller said instead of what the recipe says, as overrides (JSON is YAML)."""
    changes = [*overrides]
    if data is not None:
        here = Path(data).expanduser().absolute()
        # A path is as the caller's shell sees it; a name such as "mnist" stays a name.
        source = str(here) if len(Path(data).parts) > 1 or here.suffix in (".npz", ".zip") else str(data)
        changes.append(f"data.source={json.dumps(source)}")
    if seed is not None:
        changes.append(f"seed={json.dumps(seed)}")
    return changes

"""`run`: carries out a recipe in a run folder, and goes on where a killed run stopped."""

from __future__ import annotations

import datetime
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from trimtab._atomic import make_folder, write_json, write_text
from trimtab._quiet import import_backend
from trimtab._version import __version__
from trimtab.errors import ConfigError, RunError
from trimtab.pipeline._checking import check_steps
from trimtab.pipeline._folder import FORMAT, RunFolder, file_digest
from trimtab.pipeline._key import stage_key
from trimtab.pipeline._reading import parse_recipe, read_recipe
from trimtab.pipeline._recipe import ExportStep, Recipe
from trimtab.progress import Progress, Silent

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["RunResult", "default_folder", "run"]


@dataclass(frozen=True)
class RunResult:
    """What a finished run left behind."""

    folder: Path
    report: Path
    """The page to open in a browser."""
    steps: dict[str, dict[str, Any]]
    """Each step's result, as in its ``result.json``."""
    benchmark: dict[str, Any]
    """The measurements, as in ``benchmark/result.json``."""
    reused: tuple[str, ...] = field(default=())
    """The stages that were done before and not done again."""


def run(
    recipe: str | Path | Recipe,
    out: str | Path | None = None,
    *,
    data: str | None = None,
    data_dir: str | Path | None = None,
    seed: int | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Carries out a recipe: trains, prunes, converts, measures, and writes the report.

    Everything is written to one folder; a stage that is done there and whose settings and inputs
    have not changed is not done again.

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
    continued = not isinstance(recipe, Recipe) and RunFolder(Path(recipe)).holds_run()
    plan = _plan(recipe, folder, continued, data, seed, overrides)
    if folder.holds_run() and not (resume or continued):
        raise RunError(
            f"{folder.path} holds a run already. "
            "Add --resume to go on with it, or choose another folder with --out."
        )
    if (
        not folder.holds_run()
        and folder.path.is_dir()
        and any(folder.path.iterdir())
        and not (folder.path / ".lock").exists()
    ):
        raise RunError(f"{folder.path} is not empty and holds no run. Choose another folder with --out.")
    with folder.locked():
        return _Execution(plan, folder, data_dir, progress or Silent()).carry_out()


def default_folder(recipe: str | Path | Recipe) -> Path:
    """Returns where a run goes if nobody says: a new folder under ``runs``, or the run that is continued."""
    if not isinstance(recipe, Recipe) and RunFolder(Path(recipe)).holds_run():
        return Path(recipe)
    name = recipe.name if isinstance(recipe, Recipe) else Path(recipe).stem
    return Path("runs") / f"{name}-{datetime.datetime.now():%Y%m%d-%H%M%S}"


def _plan(
    recipe: str | Path | Recipe,
    folder: RunFolder,
    continued: bool,
    data: str | None,
    seed: int | None,
    overrides: Sequence[str],
) -> Recipe:
    """Returns the recipe to carry out, with what the caller said instead of what it says."""
    more = [*overrides]
    if data is not None:
        more.append(f"data.source={yaml.safe_dump(data, default_flow_style=True).splitlines()[0]}")
    if seed is not None:
        more.append(f"seed={seed}")
    if isinstance(recipe, Recipe):
        return parse_recipe(recipe.to_data(), recipe.name, more)
    if continued:
        origin = RunFolder(Path(recipe))
        if folder.path != origin.path:
            raise ConfigError(
                f"{recipe} is a run folder, and a run continues where it is. Leave out --out {folder.path}."
            )
        return parse_recipe(origin.read()["recipe"], str(origin.run_file), more)
    return read_recipe(recipe, more)


class _Execution:
    """One recipe being carried out in one folder."""

    def __init__(
        self, recipe: Recipe, folder: RunFolder, data_dir: str | Path | None, progress: Progress
    ) -> None:
        self.recipe, self.folder, self.data_dir, self.progress = recipe, folder, data_dir, progress
        self.results: dict[str, dict[str, Any]] = {}
        self.reused: list[str] = []

    def carry_out(self) -> RunResult:
        """Does every stage that is not done yet, and writes the report."""
        from trimtab.reporting import report

        data = self._load_data()
        import_backend()
        check_steps(self.recipe, data)
        _forget_graphs()
        record = self._begin(data)
        for position, step in enumerate(self.recipe.steps, 1):
            self._do_step(step, data, f"[{position}/{len(self.recipe.steps)}] {step.do} {step.name}")
        measured = self._benchmark(data)
        record["finished"] = _now()
        record["status"] = "complete"
        record["seconds"] = sum(result["seconds"] for result in (*self.results.values(), measured))
        write_json(self.folder.run_file, record)
        page = report(self.folder.path, progress=self.progress)
        return RunResult(self.folder.path, page, self.results, measured, tuple(self.reused))

    def _load_data(self) -> ImageData:
        from trimtab.data import load_data

        options = self.recipe.data.model_dump()
        return load_data(options.pop("source"), data_dir=self.data_dir, seed=self.recipe.seed, **options)

    def _begin(self, data: ImageData) -> dict[str, Any]:
        """Writes what the run is before anything is done, and returns it."""
        from trimtab.benchmarking import machine, versions
        from trimtab.data import sample_sheet

        earlier = self.folder.read() if self.folder.holds_run() else {}
        record = {
            "format": FORMAT,
            "trimtab": __version__,
            "recipe": self.recipe.to_data(),
            "command": self._command(),
            "seed": self.recipe.seed,
            "created": earlier.get("created", _now()),
            "finished": None,
            "seconds": None,
            "machine": machine(),
            "versions": versions(),
            "data": data.describe(),
            "status": "running",
        }
        write_json(self.folder.run_file, record)
        write_text(
            self.folder.recipe_file,
            yaml.safe_dump(self.recipe.to_data(), sort_keys=False, allow_unicode=True),
        )
        if (
            not (sheet := self.folder.path / "data" / "samples.png").is_file()
            or earlier.get("data") != record["data"]
        ):
            sample_sheet(data, sheet)
        return record

    def _command(self) -> str:
        """Returns a command that does the same run again: from the recipe that lies in the folder."""
        words = ["trimtab", "run", self.folder.recipe_file.as_posix()]
        if self.data_dir is not None:
            words += ["--data-dir", str(self.data_dir)]
        return shlex.join(words)

    def _do_step(self, step: Any, data: ImageData, label: str) -> None:
        """Does one step, unless it is done."""
        from trimtab.pipeline._steps import Bench, perform

        folder = self.folder.step(step.name)
        config = step.model_dump(mode="json", by_alias=True)
        inputs = {parent: self.results[parent]["model"]["digest"] for parent in step.parents}
        inputs["data"] = data.digest
        if (path := config.get("path")) is not None:
            inputs["file"] = _digest_if_there(Path(path))
        # The note is for the reader and changes nothing.
        key = stage_key(
            {name: value for name, value in config.items() if name != "note"}, inputs, self.recipe.seed
        )
        if (done := self.folder.finished(folder, key)) is not None:
            self.results[step.name] = done
            self.reused.append(step.name)
            return
        make_folder(folder)
        # A checkpoint is of use only to the very same stage: the key in its name tells.
        checkpoint = folder / f"checkpoint-{key[:16]}.npz"
        self.folder.clear(folder, keep=(checkpoint.name,))
        bench = Bench(
            folder=folder,
            data=data,
            seed=self.recipe.seed,
            parents={parent: self.results[parent] for parent in step.parents},
            parent_folders={parent: self.folder.step(parent) for parent in step.parents},
            progress=self.progress,
            label=label,
            checkpoint=checkpoint,
        )
        began = time.monotonic()
        outcome = perform(step, bench)
        result = {
            "name": step.name,
            "do": step.do,
            "from": config.get("from"),
            "key": key,
            "seconds": time.monotonic() - began,
            "created": _now(),
            "config": config,
            "record": outcome.record,
            "model": outcome.model,
        }
        self.results[step.name] = self.folder.complete(folder, result, outcome.files)
        if not isinstance(step, ExportStep):
            _forget_graphs()

    def _benchmark(self, data: ImageData) -> dict[str, Any]:
        """Measures everything that was made, unless that is done."""
        from trimtab.pipeline._measuring import measure

        folder = self.folder.benchmark
        subjects = {name: self.results[name]["digests"] for name in self.recipe.measured}
        config = {
            **self.recipe.benchmark.model_dump(mode="json"),
            "featured": self.recipe.featured,
            "baseline": self.recipe.baseline,
        }
        inputs = {name: ",".join(digests.values()) for name, digests in subjects.items()} | {
            "data": data.digest
        }
        key = stage_key(config, inputs, self.recipe.seed)
        if (done := self.folder.finished(folder, key)) is not None:
            self.reused.append("benchmark")
            return done
        make_folder(folder)
        self.folder.clear(folder)
        began = time.monotonic()
        folders = {name: self.folder.step(name) for name in self.recipe.measured}
        record, files = measure(self.recipe, data, self.results, folders, folder, self.progress)
        return self.folder.complete(
            folder, {**record, "key": key, "seconds": time.monotonic() - began}, files
        )


def _now() -> str:
    """Returns the time in ISO 8601 with the zone, to the second."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def _digest_if_there(path: Path) -> str:
    """Returns a file's digest; an empty string where it is missing, which the step itself will say."""
    return file_digest(path) if path.is_file() else ""


def _forget_graphs() -> None:
    """Lets go of Keras' global state after a step, so that long recipes do not grow."""
    import keras

    keras.utils.clear_session(free_memory=True)

"""A recipe being carried out: which stages are done, which must be done again, and doing them in order."""

from __future__ import annotations

import datetime
import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from trimtab._atomic import make_folder, write_json, write_text
from trimtab._quiet import import_backend
from trimtab._version import __version__
from trimtab.pipeline._checking import check_steps
from trimtab.pipeline._folder import FORMAT, RunFolder, file_digest, remove
from trimtab.pipeline._key import stage_key
from trimtab.pipeline._recipe import Recipe
from trimtab.progress import Progress

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["RunResult", "execute"]


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


def execute(recipe: Recipe, folder: RunFolder, data_dir: str | Path | None, progress: Progress) -> RunResult:
    """Does every stage that is not done yet, and writes the report.

    Args:
        recipe: what to do.
        folder: where to do it; the caller holds its lock.
        data_dir: where the named data sets are.
        progress: where progress is shown.
    """
    from trimtab.data import load_data
    from trimtab.reporting import report

    place = None if data_dir is None else str(Path(data_dir).expanduser().absolute())
    options = recipe.data.model_dump()
    data = load_data(options.pop("source"), data_dir=place, seed=recipe.seed, **options)
    import_backend()
    check_steps(recipe, data)
    _forget_graphs()
    execution = _Execution(recipe, folder, data, place, progress)
    execution.begin()
    for position, step in enumerate(recipe.steps, 1):
        execution.do_step(step, f"[{position}/{len(recipe.steps)}] {step.do} {step.name}")
    execution.benchmark()
    execution.finish()
    page = report(folder.path, progress=progress)
    return RunResult(folder.path, page, execution.steps, execution.measured, tuple(execution.reused))


class _Execution:
    """One recipe being carried out in one folder."""

    def __init__(
        self, recipe: Recipe, folder: RunFolder, data: ImageData, data_dir: str | None, progress: Progress
    ) -> None:
        from trimtab.benchmarking import machine, versions

        self._recipe, self._folder, self._data, self._progress = recipe, folder, data, progress
        self._versions, self._machine = versions(), machine()
        self.steps: dict[str, dict[str, Any]] = {}
        self.measured: dict[str, Any] = {}
        self.reused: list[str] = []
        self._earlier = folder.read() if folder.holds_run() else {}
        self._record: dict[str, Any] = {
            "format": FORMAT,
            "trimtab": __version__,
            "recipe": recipe.to_data(),
            "command": self._command(data_dir),
            "data_dir": data_dir,
            "seed": recipe.seed,
            "created": self._earlier.get("created", _now()),
            "finished": None,
            "seconds": None,
            "machine": self._machine,
            "versions": self._versions,
            "data": data.describe(),
            "status": "running",
        }

    def begin(self) -> None:
        """Writes what the run is, before anything is done."""
        from trimtab.data import sample_sheet

        self._drop_outdated()
        write_json(self._folder.run_file, self._record)
        recipe = yaml.safe_dump(self._recipe.to_data(), sort_keys=False, allow_unicode=True)
        write_text(self._folder.recipe_file, recipe)
        sheet = self._folder.path / "data" / "samples.png"
        if not sheet.is_file() or self._earlier.get("data") != self._record["data"]:
            sample_sheet(self._data, sheet)

    def finish(self) -> None:
        """Marks the run as complete; if nothing was done, it was complete when it was."""
        stages = (*self.steps.values(), self.measured)
        done_before = len(self.reused) == len(stages) and self._earlier.get("finished")
        self._record["finished"] = self._earlier["finished"] if done_before else _now()
        self._record["seconds"] = sum(stage["seconds"] for stage in stages)
        self._record["status"] = "complete"
        write_json(self._folder.run_file, self._record)

    def do_step(self, step: Any, label: str) -> None:
        """Does one step, unless it is done."""
        from trimtab.pipeline.steps import Bench, perform

        folder = self._folder.step(step.name)
        config = step.model_dump(mode="json", by_alias=True)
        key = stage_key(_settings(config), self._inputs(step), self._recipe.seed)
        if (done := self._folder.finished(folder, key)) is not None:
            self.steps[step.name] = done
            self.reused.append(step.name)
            return
        make_folder(folder)
        # A checkpoint is of use only to the very same stage: the key in its name tells.
        checkpoint = folder / f"checkpoint-{key[:16]}.npz"
        self._folder.clear(folder, keep=(checkpoint.stem,))  # rounds of a pruning have more than one file
        bench = Bench(
            folder=folder,
            data=self._data,
            seed=self._recipe.seed,
            parents={parent: self.steps[parent] for parent in step.parents},
            parent_folders={parent: self._folder.step(parent) for parent in step.parents},
            progress=self._progress,
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
            # What an earlier process trained before it was killed counts too.
            "seconds": max(time.monotonic() - began, outcome.record.get("training_seconds", 0.0)),
            "created": _now(),
            "config": config,
            "record": outcome.record,
            "model": outcome.model,
        }
        self.steps[step.name] = self._folder.complete(folder, result, outcome.files)
        for left in folder.glob(f"{checkpoint.stem}*"):
            remove(left)
        if step.makes != "file":
            _forget_graphs()

    def benchmark(self) -> None:
        """Measures everything that was made, unless that is done."""
        from trimtab.pipeline._measuring import measure

        recipe, folder = self._recipe, self._folder.benchmark
        config = {
            **recipe.benchmark.model_dump(mode="json"),
            "featured": recipe.featured,
            "baseline": recipe.baseline,
        }
        inputs = {
            "files": {name: _measured_digest(self.steps[name]) for name in recipe.measured},
            "data": self._data.digest,
            "versions": self._versions,
            "machine": self._machine,
        }
        key = stage_key(config, inputs, recipe.seed)
        if (done := self._folder.finished(folder, key)) is not None:
            self.measured = done
            self.reused.append("benchmark")
            return
        make_folder(folder)
        self._folder.clear(folder)
        began = time.monotonic()
        folders = {name: self._folder.step(name) for name in recipe.measured}
        record, files = measure(recipe, self._data, self.steps, folders, folder, self._progress)
        result = {**record, "key": key, "seconds": time.monotonic() - began}
        self.measured = self._folder.complete(folder, result, files)

    def _inputs(self, step: Any) -> dict[str, Any]:
        """Returns everything that a step depends on beside its settings and the seed."""
        return {
            "models": {parent: _made_digest(self.steps[parent]) for parent in step.parents},
            "files": [file_digest(path) for path in step.reads],
            "data": self._data.digest,
            "versions": self._versions,
        }

    def _drop_outdated(self) -> None:
        """Forgets results that will not be used again: a report drawn meanwhile must not show them."""
        if not self._earlier:
            return
        same = ("seed", "trimtab", "versions")
        everything = any(self._earlier.get(name) != self._record[name] for name in same)
        everything |= self._earlier.get("data", {}).get("digest") != self._data.digest
        before = {step["name"]: _settings(step) for step in self._earlier["recipe"]["steps"]}
        outdated: set[str] = set(before) - {step.name for step in self._recipe.steps}
        for step in self._recipe.steps:
            now = _settings(step.model_dump(mode="json", by_alias=True))
            if everything or before.get(step.name) != now or outdated.intersection(step.parents):
                outdated.add(step.name)
        for name in outdated:
            (self._folder.step(name) / "result.json").unlink(missing_ok=True)
        if outdated or self._earlier.get("machine") != self._machine:
            (self._folder.benchmark / "result.json").unlink(missing_ok=True)

    def _command(self, data_dir: str | None) -> str:
        """Returns a command that does the same run again: from the recipe that lies in the folder."""
        words = ["trimtab", "run", self._folder.recipe_file.as_posix()]
        return shlex.join([*words, "--data-dir", data_dir] if data_dir is not None else words)


def _made_digest(result: dict[str, Any]) -> str:
    """Returns the digest of the model that a step made; a step that only found something out has its key."""
    digest: str = result["model"]["digest"] if result.get("model") else result["key"]
    return digest


def _measured_digest(result: dict[str, Any]) -> str:
    """Returns the digest of the file that a step is measured by; its history, say, holds times too."""
    files = result["files"]
    digest: str = result["digests"][files["artifact"] if "artifact" in files else files["model"]]
    return digest


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """Returns a step's configuration without the note, which is for the reader and changes nothing."""
    return {name: value for name, value in config.items() if name != "note"}


def _now() -> str:
    """Returns the time in ISO 8601 with the zone, to the second."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def _forget_graphs() -> None:
    """Lets go of Keras' global state after a step, so that long recipes do not grow."""
    import keras

    keras.utils.clear_session(free_memory=True)

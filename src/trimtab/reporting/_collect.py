"""Reading a run folder back: everything that the report shows, and nothing computed anew."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from trimtab.errors import RunError
from trimtab.reporting._behaviour import read_behaviour, read_changed
from trimtab.reporting._compression_collect import COMPRESSION, collect_compression
from trimtab.reporting._data import ReportData, ResultRow, Step
from trimtab.reporting._fields import Fields, read_fields
from trimtab.reporting._headline import headline
from trimtab.reporting._predictions import read_arrays, read_confusion, read_mistakes
from trimtab.reporting._rows import read_rows
from trimtab.reporting._steps import read_steps
from trimtab.reporting._tuning_run import KIND, with_tuning
from trimtab.reporting._verdicts import verdicts

__all__ = ["collect"]

FORMAT = 1


def collect(folder: str | Path) -> ReportData:
    """Reads a run folder, finished or not, into plain data for tables and charts.

    No backend is imported and no model is loaded.

    Args:
        folder: a folder that `trimtab run`, `trimtab tune` or `trimtab compress` made.

    Raises:
        RunError: the folder holds no run, or a file in it is damaged.
    """
    folder = Path(folder)
    run = _read_run(folder)
    steps = read_steps(folder, run)
    if run.text("kind") == KIND:
        return with_tuning(_about_run(folder, run, ()), run)
    path = folder / "benchmark" / "result.json"
    data = _about_run(folder, run, steps)
    if run.text("kind") == COMPRESSION:
        return _compression(data, run, read_fields(path) if path.is_file() else None)
    if path.is_file():
        data = _with_measurements(data, run, read_fields(path))
    data = dataclasses.replace(data, missing=_missing(steps, data.rows))
    return dataclasses.replace(data, headline=headline(data))


def _about_run(folder: Path, run: Fields, steps: tuple[Step, ...]) -> ReportData:
    """Returns what is known before anything is measured."""
    recipe, told, data = run.fields("recipe"), run.fields("recipe").fields("report"), run.fields("data")
    counts = data.fields("counts")
    name = recipe.text("name", folder.name)
    return ReportData(
        folder=folder,
        name=name,
        title=recipe.text("title") or name,
        description=recipe.text("description"),
        project=told.text("project") or name,
        complete=run.text("status") == "complete" and all(step.finished for step in steps),
        steps=steps,
        class_names=tuple(
            name.strip() or f"class {number}" for number, name in enumerate(data.texts("class_names"))
        ),
        counts={part: tuple(map(int, counts.items(part))) for part in counts.content},
        data=data.content,
        samples="data/samples.png" if (folder / "data" / "samples.png").is_file() else "",
        created=run.text("created"),
        finished=run.text("finished") or None,
        seconds=run.number("seconds"),
        seed=run.integer("seed"),
        command=run.text("command"),
        version=run.text("trimtab"),
        machine=run.fields("machine").content,
        versions=run.fields("versions").content,
        recipe_file="recipe.yaml" if (folder / "recipe.yaml").is_file() else "",
        curves=told.texts("curves"),
    )


def _with_measurements(data: ReportData, run: Fields, benchmark: Fields) -> ReportData:
    """Adds the measured rows, what they bought, and where the featured one is right and wrong."""
    rows, baseline = read_rows(data.steps, benchmark), benchmark.text("baseline") or None
    baseline = baseline if any(row.name == baseline for row in rows) else None
    path = data.folder / "benchmark" / "predictions.npz"
    predictions = read_arrays(path) if path.is_file() else {}
    featured = _featured(rows, run.fields("recipe").fields("report").text("featured"))
    return dataclasses.replace(
        data,
        rows=verdicts(rows, data.steps, baseline, data.machine, predictions),
        baseline=baseline,
        featured=featured,
        confusion=read_confusion(path, predictions, featured, data.class_names),
        mistakes=read_mistakes(data.folder, featured, data.class_names),
        behaviour=read_behaviour(path.with_name("behaviour.json"), data.class_names),
        changed=read_changed(path.with_name("changed.npz"), data.class_names),
        settings=benchmark.fields("settings").content,
    )


def _compression(data: ReportData, run: Fields, benchmark: Fields | None) -> ReportData:
    """Returns what a compression left behind, which has no recipe and no steps."""
    if benchmark is None:
        return collect_compression(data, run, ())
    rows, baseline = read_rows((), benchmark), benchmark.text("baseline") or None
    baseline = baseline if any(row.name == baseline for row in rows) else None
    settings = benchmark.fields("settings").content
    return collect_compression(dataclasses.replace(data, baseline=baseline, settings=settings), run, rows)


def _read_run(folder: Path) -> Fields:
    if not folder.is_dir():
        raise RunError(f"there is no folder {folder}. Give the folder of a run, or of a search.")
    path = folder / "run.json"
    if not path.is_file():
        raise RunError(
            f"{folder} holds no run (there is no run.json in it). Give the folder of a run, or of a search."
        )
    run = read_fields(path)
    if run.content.get("format") != FORMAT:
        raise RunError(
            f"{path} has format {run.content.get('format')!r}; this version reads format {FORMAT}. "
            "Run the recipe again into a new folder."
        )
    return run


def _optional(path: Path) -> Fields:
    return read_fields(path) if path.is_file() else Fields({}, str(path))


def _featured(rows: tuple[ResultRow, ...], asked: str) -> str | None:
    """Returns the row to look at closely: as the recipe says, or the last one that is measured."""
    if any(row.name == asked for row in rows):
        return asked
    return rows[-1].name if rows else None


def _missing(steps: tuple[Step, ...], rows: tuple[ResultRow, ...]) -> tuple[str, ...]:
    missing = [step.name for step in steps if not step.finished]
    if not rows:
        missing.append("the measurements")
    return tuple(missing)

"""Reading a run folder back: everything that the report shows, and nothing computed anew."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import numpy as np

from trimtab.errors import RunError
from trimtab.reporting._confusion import confusion_of
from trimtab.reporting._data import Confusion, Mistakes, Number, ReportData, ResultRow, Step
from trimtab.reporting._fields import Fields, read_fields
from trimtab.reporting._headline import headline
from trimtab.reporting._steps import origin, read_steps
from trimtab.reporting._verdicts import verdicts

__all__ = ["collect"]

FORMAT = 1


def collect(folder: str | Path) -> ReportData:
    """Reads a run folder, finished or not, into plain data for tables and charts.

    No backend is imported and no model is loaded.

    Args:
        folder: a folder that `trimtab run` made.

    Raises:
        RunError: the folder holds no run, or a file in it is damaged.
    """
    folder = Path(folder)
    run = _read_run(folder)
    recipe, told = run.fields("recipe"), run.fields("recipe").fields("report")
    steps = read_steps(folder, run)
    benchmark = _optional(folder / "benchmark" / "result.json")
    rows, baseline = _rows(steps, benchmark), benchmark.text("baseline") or None
    baseline = baseline if any(row.name == baseline for row in rows) else None
    machine = run.fields("machine").content or benchmark.fields("machine").content
    path = folder / "benchmark" / "predictions.npz"
    predictions = _arrays(path) if rows and path.is_file() else {}
    rows = verdicts(rows, steps, baseline, machine, predictions)
    featured = _featured(rows, told.text("featured"))
    data = run.fields("data")
    names = tuple(name.strip() or f"class {number}" for number, name in enumerate(data.texts("class_names")))
    counts = {
        part: tuple(map(int, data.fields("counts").items(part))) for part in data.fields("counts").content
    }
    collected = ReportData(
        folder=folder,
        name=recipe.text("name", folder.name),
        title=recipe.text("title") or recipe.text("name", folder.name),
        description=recipe.text("description"),
        project=told.text("project") or recipe.text("name") or folder.name,
        complete=run.text("status") == "complete" and all(step.finished for step in steps),
        headline="",
        steps=steps,
        rows=rows,
        baseline=baseline,
        featured=featured,
        class_names=names,
        counts=counts,
        data=data.content,
        confusion=_confusion(path, predictions, featured, names),
        mistakes=_mistakes(folder, featured, names),
        samples="data/samples.png" if (folder / "data" / "samples.png").is_file() else "",
        created=run.text("created"),
        finished=run.text("finished") or None,
        seconds=run.number("seconds"),
        seed=run.integer("seed"),
        command=_command(run),
        version=run.text("trimtab"),
        machine=machine,
        versions=run.fields("versions").content,
        settings=benchmark.fields("settings").content,
        recipe_file="recipe.yaml" if (folder / "recipe.yaml").is_file() else "",
        missing=_missing(steps, rows),
        curves=told.texts("curves"),
    )
    return dataclasses.replace(collected, headline=headline(collected))


def _read_run(folder: Path) -> Fields:
    if not folder.is_dir():
        raise RunError(f"there is no folder {folder}. Give a folder that `trimtab run` made.")
    path = folder / "run.json"
    if not path.is_file():
        raise RunError(
            f"{folder} holds no run (there is no run.json in it). Give a folder that `trimtab run` made."
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


def _command(run: Fields) -> str:
    """Returns the command line, whether it was recorded as text or as a list of arguments."""
    command = run.content.get("command")
    return " ".join(map(str, command)) if isinstance(command, list) else run.text("command")


def _rows(steps: tuple[Step, ...], benchmark: Fields) -> tuple[ResultRow, ...]:
    by_name = {step.name: step for step in steps}
    rows = []
    for fields in benchmark.objects("rows"):
        name = fields.text("name")
        step, made_by = by_name.get(name), origin(steps, name)
        measured = fields.fields("measurements")
        numbers = {key: _number(measured.fields(key)) for key in measured.content}
        kind = fields.text("kind", "keras")
        given = {key: number for key, number in numbers.items() if number is not None}
        rows.append(
            ResultRow(
                name=name,
                kind=kind,
                scheme=(step.file.scheme if step and step.file else "float32") if kind == "litert" else "",
                did=step.did if step else "",
                numbers=_with_facts(given, made_by),
                notes=fields.texts("notes"),
                keras_bytes=made_by.keras_bytes if made_by else None,
            )
        )
    return tuple(rows)


def _with_facts(numbers: dict[str, Number], step: Step | None) -> dict[str, Number]:
    """Fills in what is known of the model a row was made from, where the benchmark did not count it."""
    if step is None:
        return numbers
    known = {
        "parameters": step.parameters,
        "non_zeros": step.non_zeros,
        "macs": step.macs,
        "training_seconds": step.training_seconds,
    }
    filled = {key: Number(value) for key, value in known.items() if value is not None and key not in numbers}
    return {**numbers, **filled}


def _number(fields: Fields) -> Number | None:
    value = fields.number("value")
    if value is None:
        return None
    unit = fields.text("unit")
    low, high = fields.number("low"), fields.number("high")
    scale = 0.01 if unit == "%" else 1.0
    return Number(
        scale * value,
        None if low is None else scale * low,
        None if high is None else scale * high,
        "" if unit == "%" else unit,
        fields.text("method"),
    )


def _featured(rows: tuple[ResultRow, ...], asked: str) -> str | None:
    """Returns the row to look at closely: as the recipe says, or the last one that is measured."""
    if any(row.name == asked for row in rows):
        return asked
    return rows[-1].name if rows else None


def _confusion(
    path: Path, arrays: dict[str, np.ndarray], featured: str | None, names: tuple[str, ...]
) -> Confusion | None:
    key = f"{featured}.classes"
    if featured is None or not names or "labels" not in arrays or key not in arrays:
        return None
    labels, predicted = arrays["labels"], arrays[key]
    _check_classes(path, labels, len(names))
    _check_classes(path, predicted, len(names))
    if labels.shape != predicted.shape:
        raise RunError(
            f"{path} has {len(labels)} labels and {len(predicted)} predictions. It is damaged; run again."
        )
    return confusion_of(featured, labels, predicted, names)


def _mistakes(folder: Path, featured: str | None, names: tuple[str, ...]) -> Mistakes | None:
    path = folder / "benchmark" / "mistakes.npz"
    if featured is None or not names or not path.is_file():
        return None
    arrays = _arrays(path)
    wanted = ("images", "labels", "classes", "confidence")
    if missing := [key for key in wanted if key not in arrays]:
        raise RunError(
            f"{path} lacks {', '.join(missing)}. It is damaged; run the recipe again with --resume."
        )
    images, labels, classes, confidence = (arrays[key] for key in wanted)
    if (
        images.ndim != 4
        or images.shape[-1] not in (1, 3, 4)
        or len({len(arrays[key]) for key in wanted}) != 1
    ):
        raise RunError(
            f"{path} has images of shape {images.shape} for {len(labels)} labels, where (k, h, w, 1 or 3) "
            "was needed. It is damaged; run the recipe again with --resume."
        )
    for numbers in (labels, classes):
        _check_classes(path, numbers, len(names))
    index = arrays.get("index", np.arange(len(labels)))
    return Mistakes(featured, _as_bytes(images), labels, classes, confidence.astype(np.float64), index)


def _as_bytes(images: np.ndarray) -> np.ndarray:
    if images.dtype == np.uint8:
        return images
    return np.asarray(np.clip(np.nan_to_num(images) * 255.0, 0, 255), dtype=np.uint8)


def _check_classes(path: Path, numbers: np.ndarray, classes: int) -> None:
    whole = numbers.ndim == 1 and numbers.dtype.kind in "iu"
    if not whole or (len(numbers) and (int(numbers.min()) < 0 or int(numbers.max()) >= classes)):
        raise RunError(
            f"{path} holds class numbers outside 0..{classes - 1}. "
            "It is damaged or of another run; run the recipe again."
        )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays of a file; never unpickles."""
    try:
        # Opened here, since NumPy leaves the file open when it is no whole archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        AttributeError,
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
    ) as error:
        raise RunError(
            f"{path} cannot be read ({type(error).__name__}). "
            "It is damaged; run the recipe again with --resume."
        ) from error


def _missing(steps: tuple[Step, ...], rows: tuple[ResultRow, ...]) -> tuple[str, ...]:
    missing = [step.name for step in steps if not step.finished]
    if not rows:
        missing.append("the measurements")
    return tuple(missing)

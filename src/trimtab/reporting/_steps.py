"""Reading the steps of a run: what the recipe asked for, and what each step recorded."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trimtab.errors import RunError
from trimtab.reporting._data import EpochPoint, FileRecord, LayerZeros, Step
from trimtab.reporting._fields import Fields, read_fields
from trimtab.reporting._formats import percent, share

__all__ = ["inside", "origin", "read_steps"]

_LARGEST_TEXT = 2_000_000  # bytes; a summary or a history is a few pages
_HIDDEN = {
    *("history", "layers", "skipped", "notes", "parity", "calibration", "versions", "path", "model_digest"),
    *(
        "sha256",
        "bytes",
        "gzip_bytes",
        "scheme",
        "parameters",
        "epochs",
        "best_epoch",
        "training_seconds",
        "selected",
        "by",
    ),
}


def read_steps(folder: Path, run: Fields) -> tuple[Step, ...]:
    """Returns the recipe's steps in order, finished or not."""
    return tuple(_read_step(folder, asked) for asked in run.fields("recipe").objects("steps"))


def origin(steps: tuple[Step, ...], name: str | None) -> Step | None:
    """Returns the nearest step that made a model: itself, or the one that an export started from."""
    by_name = {step.name: step for step in steps}
    for _ in steps:
        step = by_name.get(name or "")
        if step is None or step.do != "export":
            return step
        name = step.source
    return None


def inside(folder: Path, *parts: str) -> Path:
    """Returns a path below `folder`, and refuses one that climbs out of it."""
    path = folder.joinpath(*parts)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise RunError(
            f"{folder / 'run.json'} names {'/'.join(parts)!r}, which lies outside the run folder. "
            "The run folder is damaged; run the recipe again."
        )
    return path


def _read_step(folder: Path, asked: Fields) -> Step:
    name, do = asked.text("name"), asked.text("do", "train")
    place = inside(folder, "steps", name)
    settings = {key: value for key, value in asked.content.items() if key not in ("name", "do", "from")}
    source = asked.text("from") or None
    if not (place / "result.json").is_file():
        return Step(name, do, source, did=_did(do, source, settings, {}), config=settings)
    result = read_fields(place / "result.json")
    record, files = result.fields("record"), result.fields("files")
    model = result.fields("model")
    settings = dict(result.fields("config").content) or settings
    source = result.text("from") or source or record.text("selected") or None
    history = record.fields("history")
    return Step(
        name=name,
        do=result.text("do", do),
        source=source,
        finished=True,
        did=_did(do, source, settings, record.content),
        config=settings,
        seconds=result.number("seconds"),
        history=_history(place, files, history),
        best_epoch=record.integer("best_epoch") or history.integer("best_epoch"),
        training_seconds=record.number("training_seconds") or history.number("seconds"),
        layers=_layers(record),
        skipped=_skipped(record),
        notes=record.texts("notes"),
        remarks=_remarks(record.content),
        file=_file(name, files, record) if do == "export" else None,
        summary=_text(inside(place, files.text("summary"))) if files.text("summary") else "",
        parameters=model.integer("parameters"),
        non_zeros=model.integer("non_zeros"),
        macs=model.integer("macs"),
        keras_bytes=model.integer("keras_bytes"),
    )


def _history(place: Path, files: Fields, recorded: Fields) -> tuple[EpochPoint, ...]:
    """Reads history.csv; where there is none, the history inside the record."""
    if name := files.text("history"):
        table = csv.DictReader(io.StringIO(_text(inside(place, name))))
        rows = [Fields(_as_numbers(line, place / name), str(place / name)) for line in table]
    else:
        rows = recorded.objects("epochs")
    return tuple(
        EpochPoint(
            row.integer("epoch") or number,
            row.number("loss"),
            row.number("accuracy"),
            row.number("val_loss"),
            row.number("val_accuracy"),
        )
        for number, row in enumerate(rows, 1)
    )


def _as_numbers(line: Mapping[str | Any, str | Any], path: Path) -> dict[str, float | None]:
    try:
        return {str(key): float(value) if value not in ("", None) else None for key, value in line.items()}
    except (TypeError, ValueError):
        raise RunError(
            f"{path} holds a line that is not numbers. It is damaged; run the recipe again with --resume."
        ) from None


def _layers(record: Fields) -> tuple[LayerZeros, ...]:
    return tuple(
        LayerZeros(
            layer.text("name"),
            layer.text("weight"),
            layer.integer("size") or 0,
            layer.integer("zeros") or 0,
            layer.number("asked"),
        )
        for layer in record.objects("layers")
    )


def _skipped(record: Fields) -> tuple[tuple[str, str], ...]:
    """Reads what was left alone: pairs of (name, reason), or objects with both."""
    found = []
    for item in record.items("skipped"):
        if isinstance(item, Mapping):
            found.append((str(item.get("name", "")), str(item.get("reason", ""))))
        elif isinstance(item, list) and len(item) == 2:
            found.append((str(item[0]), str(item[1])))
        else:
            found.append((str(item), ""))
    return tuple(found)


def _file(name: str, files: Fields, record: Fields) -> FileRecord:
    path = files.text("artifact")
    return FileRecord(
        scheme=record.text("scheme", "float32"),
        path=f"steps/{name}/{path}" if path else "",
        bytes=record.integer("bytes"),
        gzip_bytes=record.integer("gzip_bytes"),
        sha256=record.text("sha256"),
        parity=record.fields("parity").content,
    )


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_LARGEST_TEXT)
    except OSError as error:
        raise RunError(
            f"{path} cannot be read ({error.strerror}). The run folder is damaged; run again with --resume."
        ) from error


def _did(do: str, source: str | None, config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Says in one line what a step does or did."""
    of = source or "the model"
    if do == "train":
        return _trained(source, config, record)
    if do == "prune":
        layers = config.get("layers")
        where = f" in {', '.join(map(str, layers))}" if isinstance(layers, list) and layers else ""
        asked = config.get("sparsity")
        goal = f" to {share(asked)} zeros" if isinstance(asked, float | int) else ""
        return f"{of}, pruned{goal}{where}{_epochs(config, record)}"
    if do == "export":
        return f"{of} as LiteRT file, {config.get('scheme', 'float32')}"
    if do == "select":
        among = config.get("among")
        names = f" of {', '.join(map(str, among))}" if isinstance(among, list) else ""
        chosen = f": {record['selected']}" if record.get("selected") else ""
        return f"best{names} by {record.get('by', 'validation accuracy')}{chosen}"
    if do == "load":
        return f"loaded from {record.get('origin') or config.get('path') or 'a file'}"
    return f"{do} from {source}" if source else do


def _trained(source: str | None, config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    model = config.get("model")
    if source or not isinstance(model, Mapping):
        return f"{source or 'a model'}, trained{_epochs(config, record)}"
    options = [
        f"{key.replace('_', ' ')} {_brief(value)}" for key, value in model.items() if key != "architecture"
    ]
    told = f" ({', '.join(options)})" if options else ""
    return f"{model.get('architecture', 'model')}{told}{_epochs(config, record)}"


def _epochs(config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    epochs = record.get("epochs") or config.get("epochs")
    return f", {epochs} epoch{'s' if epochs != 1 else ''}" if isinstance(epochs, int) else ""


def _remarks(record: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Returns what a step recorded beyond what the report shows elsewhere, in words."""
    found = []
    for key, value in record.items():
        if key in _HIDDEN or value in (None, "", [], {}):
            continue
        if key == "candidates" and isinstance(value, Mapping):
            told = "; ".join(f"{name}: {_brief(facts)}" for name, facts in value.items())
        elif "accuracy" in key and isinstance(value, float):
            told = percent(value)
        else:
            told = _brief(value)
        found.append((key.replace("val_", "validation ").replace("_", " "), told))
    return tuple(found)


def _brief(value: Any) -> str:
    """Shows a recorded value in a few words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, list | tuple):
        return ", ".join(_brief(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(
            f"{str(key).replace('val_', 'validation ').replace('_', ' ')} "
            + (percent(item) if "accuracy" in str(key) and isinstance(item, float) else _brief(item))
            for key, item in value.items()
        )
    text = str(value)
    return text if len(text) <= 200 else text[:199] + "…"

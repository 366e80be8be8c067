"""Reading the steps of a run: what the recipe asked for, and what each step recorded."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trimtab.errors import RunError
from trimtab.reporting._aware import read_aware
from trimtab.reporting._channels import ChannelPruning, read_pruning
from trimtab.reporting._clustering import read_clustering
from trimtab.reporting._data import EpochPoint, FileRecord, LayerZeros, Step
from trimtab.reporting._distillation import read_distillation
from trimtab.reporting._export_words import export_notes
from trimtab.reporting._fields import Fields, pairs, read_fields
from trimtab.reporting._quantization_scan import read_mixed, read_quantization_scan
from trimtab.reporting._scan import read_scan
from trimtab.reporting._told import remarks, told
from trimtab.reporting._tuning import read_tuning

__all__ = ["first_weights", "inside", "origin", "read_history", "read_steps"]

_LARGEST_TEXT = 2_000_000  # bytes; a summary or a history is a few pages


def read_steps(folder: Path, run: Fields) -> tuple[Step, ...]:
    """Returns the recipe's steps in order, finished or not."""
    return tuple(_read_step(folder, asked) for asked in run.fields("recipe").objects("steps"))


def origin(steps: tuple[Step, ...], name: str | None) -> Step | None:
    """Returns the step that made a model: itself, or the one that was exported or selected."""
    by_name = {step.name: step for step in steps}
    for _ in steps:
        step = by_name.get(name or "")
        if step is None or step.do not in ("export", "select"):
            return step
        name = step.source
    return None


def first_weights(steps: tuple[Step, ...], name: str | None) -> tuple[str, str]:
    """Returns the step that a model's weights go back to, and where it had its own from; empty if unknown."""
    by_name = {step.name: step for step in steps}
    step = by_name.get(name or "")
    for _ in steps:
        if step is None or step.weights:
            break
        step = None if step.config.get("shrink") else by_name.get(step.source or "")
    return (step.name, step.weights) if step is not None else ("", "")


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
    settings = {
        key: value for key, value in asked.content.items() if key not in ("name", "do", "from", "note")
    }
    source, note = asked.text("from") or None, asked.text("note")
    if not (place / "result.json").is_file():
        return Step(name, do, source, did=told(do, source, settings, {}), note=note, config=settings)
    result = read_fields(place / "result.json")
    record, files = result.fields("record"), result.fields("files")
    model = result.fields("model")
    source = source or record.text("selected") or None
    return Step(
        name=name,
        do=do,
        source=source,
        finished=True,
        note=note,
        did=told(do, source, settings, record.content),
        config=settings,
        seconds=result.number("seconds"),
        history=read_history(inside(place, files.text("history"))) if files.text("history") else (),
        best_epoch=record.integer("best_epoch"),
        training_seconds=record.number("training_seconds"),
        layers=_layers(record) if do != "cluster" else (),
        skipped=pairs(record, "skipped"),
        missed=record.texts("missed"),
        notes=export_notes(record) if do == "export" else record.texts("notes"),
        remarks=remarks(do, record),
        file=_file(name, files, record) if do == "export" else None,
        scan=read_scan(scanned) if (scanned := _beside(place, files, "scan")) else None,
        channels=_channels(place, files, record) if do == "prune_channels" else None,
        distillation=read_distillation(record) if do == "distill" else None,
        quantization=(
            read_quantization_scan(scanned)
            if (scanned := _beside(place, files, "quantization_scan"))
            else None
        ),
        mixed=read_mixed(record.fields("mixed")) if record.content.get("mixed") else None,
        aware=read_aware(record) if do == "quantize_aware" else None,
        clustering=read_clustering(record) if do == "cluster" else None,
        tuning=read_tuning(found, name) if (found := _beside(place, files, "tuning")) else None,
        weights=record.text("weights_told"),
        summary=_text(inside(place, files.text("summary"))) if files.text("summary") else "",
        parameters=model.integer("parameters"),
        non_zeros=model.integer("non_zeros"),
        macs=model.integer("macs"),
        keras_bytes=model.integer("keras_bytes"),
    )


def _beside(place: Path, files: Fields, role: str) -> Fields | None:
    """Reads a record that a step left beside its result; None where it left none."""
    name = files.text(role)
    return read_fields(inside(place, name)) if name else None


def read_history(path: Path) -> tuple[EpochPoint, ...]:
    """Returns the epochs of a training history in CSV."""
    table = csv.DictReader(io.StringIO(_text(path)))
    rows = [Fields(_as_numbers(line, path), str(path)) for line in table]
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


def _channels(place: Path, files: Fields, record: Fields) -> ChannelPruning:
    """Reads what removing channels did, beside what was known of the groups before."""
    return read_pruning(record, _beside(place, files, "groups"))


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

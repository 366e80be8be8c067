"""Reading the folder of a compression, finished or not: trials, files, the answer."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from trimtab._statistics import wilson_interval
from trimtab.errors import ConfigError
from trimtab.reporting._compression import Compression, Link, Shipped, Tried
from trimtab.reporting._data import FileRecord, Number
from trimtab.reporting._fields import Fields, read_fields
from trimtab.reporting._steps import inside

__all__ = ["BASELINE_FILE", "BASELINE_FLOAT", "read_compression"]

BASELINE_FLOAT, BASELINE_FILE = "baseline-float32", "baseline-int8"
"""What the baseline's two files are called in tables."""
_NUMBERS = ("bytes", "gzip_bytes", "memory_bytes", "latency_ms", "parameters", "macs")


def read_compression(folder: Path, run: Fields) -> Compression:
    """Reads everything that a compression wrote down.

    Args:
        folder: of the run.
        run: its ``run.json``.

    Raises:
        RunError: a file is damaged.
    """
    baseline, answer = _record(folder / "baseline" / "result.json"), _record(folder / "front.json")
    asked = run.fields("budget")
    files = _files(folder, answer)
    return Compression(
        budget={name: _written(value) for name, value in asked.content.items() if value is not None},
        limits=_limits(asked, files, baseline.number("val_accuracy")) | _recorded(folder, answer),
        files=files,
        tried=tuple(sorted(_trials(folder / "trials"), key=lambda trial: trial.number)),
        answered=bool(answer.content),
        chosen=answer.text("chosen") or None,
        why=answer.text("why"),
        misses=tuple(miss.text("sentence") for miss in answer.objects("misses")),
        binds=answer.texts("binds"),
        already=answer.content.get("already") is True,
        notes=answer.texts("notes"),
        baseline_given=baseline.content.get("given") is True,
        baseline_what=baseline.text("what"),
        baseline_accuracy=baseline.number("val_accuracy"),
        baseline_seconds=baseline.number("seconds"),
        stages=tuple(
            (stage.text("name"), seconds)
            for stage in run.objects("stages")
            if (seconds := stage.number("seconds")) is not None
        ),
        minutes=run.number("minutes"),
        jobs=run.integer("jobs"),
        proofs=_proofs(folder),
        ending=run.text("ending") or ("interrupted" if run.text("status") == "interrupted" else ""),
    )


def _record(path: Path) -> Fields:
    return read_fields(path) if path.is_file() else Fields({}, str(path))


def _written(value: Any) -> str:
    """Returns a limit as the user wrote it."""
    return f"{value:,g}" if isinstance(value, int | float) else str(value)


def _recorded(folder: Path, answer: Fields) -> dict[str, float]:
    """Returns the limits in plain units as the search wrote them down; none where it did not."""
    limits = answer.fields("limits")
    if not limits.content:
        limits = _record(folder / "search.json").fields("limits")
    return {name: value for name in limits.content if (value := limits.number(name)) is not None}


def _limits(asked: Fields, files: tuple[Shipped, ...], accuracy: float | None) -> dict[str, float]:
    """Returns the limits in plain units, as far as the baseline that some are shares of is known."""
    from trimtab.compression import Budget

    own = next((file for file in files if file.baseline), None)
    known: dict[str, float | None] = {**(own.numbers if own is not None else {}), "accuracy": accuracy}
    found: dict[str, float] = {}
    for name, value in asked.content.items():
        try:
            limits = asdict(Budget(**{name: value}).limits(known))
        except (ConfigError, TypeError):  # of another version, or a share of what is not known yet
            continue
        found |= {key: each for key, each in limits.items() if each is not None and each > found.get(key, 0)}
    return found


def _numbers(record: Fields) -> dict[str, float]:
    return {name: value for name in _NUMBERS if (value := record.number(name)) is not None}


def _links(record: Fields, key: str = "chain") -> tuple[Link, ...]:
    return tuple(
        Link(
            technique=link.text("technique"),
            what=link.text("what"),
            accuracy=link.number("val_accuracy"),
            bytes=link.number("bytes"),
            gzip_bytes=link.number("gzip_bytes"),
            latency_ms=link.number("latency_ms"),
            seconds=link.number("seconds"),
            taken=link.content.get("taken") is not False,
        )
        for link in record.objects(key)
    )


# The candidates.


def _trials(folder: Path) -> list[Tried]:
    return [_tried(read_fields(path)) for path in folder.glob("*/result.json")]


def _tried(record: Fields) -> Tried:
    """Returns what became of a candidate."""
    rungs = record.objects("rungs")
    accuracies = [value for rung in rungs if (value := rung.number("val_accuracy")) is not None]
    facts = _numbers(record.fields("facts"))
    final = [rung for rung in rungs if (rung.integer("rung") or 0) < 0]
    return Tried(
        number=record.integer("number") or 0,
        what=record.text("what"),
        state=record.text("state"),
        why=record.text("why"),
        accuracy=max(accuracies, default=None),
        passes=sum(_passes(rung) for rung in rungs if rung.integer("seed") is None),
        numbers=facts,
        chain=_trainings(rungs, facts.get("bytes")),
        explored_seconds=sum(rung.number("seconds") or 0.0 for rung in rungs if rung not in final),
        final_seconds=sum(rung.number("seconds") or 0.0 for rung in final),
    )


def _passes(rung: Fields) -> float:
    share = rung.number("share")
    return (rung.number("epochs") or 0.0) * (1.0 if share is None else share)


def _trainings(rungs: list[Fields], size: float | None) -> tuple[Link, ...]:
    """Returns the trainings of a candidate as links of a chain."""
    links: list[Link] = []
    for rung in rungs:
        teacher, accuracy, passes = rung.text("taught_by"), rung.number("val_accuracy"), _passes(rung)
        best = max((link.accuracy or 0.0 for link in links), default=0.0)
        what = f"{passes:g} epoch{'' if passes == 1 else 's'}" + (f", taught by {teacher}" if teacher else "")
        links.append(
            Link(
                technique="distill" if teacher else "train",
                what=what,
                accuracy=accuracy,
                bytes=size,
                seconds=rung.number("seconds"),
                taken=(accuracy or 0.0) >= best,
            )
        )
    return tuple(links)


# The files.


def _files(folder: Path, answer: Fields) -> tuple[Shipped, ...]:
    """Returns all files with what the answer says of them, the baseline's first, then by size."""
    found: dict[str, Shipped] = {}
    own = folder / "baseline" / "file" / "result.json"
    if own.is_file():
        found[BASELINE_FILE] = _shipped(read_fields(own), BASELINE_FILE, baseline=True)
    for path in (folder / "finalists").glob("*/result.json"):
        found[path.parent.name] = _shipped(read_fields(path), path.parent.name)
    for key, front in (("points", True), ("others", False)):
        for point in answer.objects(key):
            name = point.text("name")
            found[name] = _pointed(found.get(name), point, folder, front)
    return tuple(
        sorted(
            found.values(), key=lambda file: (not file.baseline, file.numbers.get("bytes", 0.0), file.name)
        )
    )


def _proofs(folder: Path) -> tuple[tuple[str, FileRecord], ...]:
    """Returns the record of each deployable file with its parity check."""
    own = folder / "baseline" / "file"
    places = [(BASELINE_FLOAT, own / "float32.tflite.json"), (BASELINE_FILE, own / "model.tflite.json")]
    made = sorted((folder / "finalists").glob("*/model.tflite.json"))
    places += [(path.parent.name, path) for path in made]
    return tuple((name, _proof(folder, path)) for name, path in places if path.is_file())


def _proof(folder: Path, path: Path) -> FileRecord:
    record = read_fields(path)
    return FileRecord(
        scheme=record.text("scheme", "float32"),
        path=path.with_suffix("").relative_to(folder).as_posix(),
        bytes=record.integer("bytes"),
        gzip_bytes=record.integer("gzip_bytes"),
        sha256=record.text("sha256"),
        parity=record.fields("parity").content,
    )


def _shipped(record: Fields, name: str, baseline: bool = False) -> Shipped:
    """Returns a file by the record beside it; it is not timed there."""
    value, images = record.number("val_accuracy"), record.integer("val_images")
    return Shipped(
        name=name,
        what=record.text("what"),
        accuracy=_accuracy(value, images),
        float_accuracy=record.number("float_accuracy"),
        numbers=_numbers(record.fields("facts")),
        chain=_links(record),
        trial=record.integer("trial"),
        baseline=baseline,
        seeds=tuple(int(seed) for seed in record.items("seeds") if isinstance(seed, int)),
        spread=tuple(
            (each.integer("seed") or 0, accuracy)
            for each in record.objects("spread")
            if (accuracy := each.number("val_accuracy")) is not None
        ),
        seconds=record.number("seconds"),
    )


def _pointed(known: Shipped | None, point: Fields, folder: Path, front: bool) -> Shipped:
    """Returns a file as the answer tells of it, with what its own record knew beside."""
    low, high = point.number("val_accuracy_low"), point.number("val_accuracy_high")
    value = point.number("val_accuracy")
    accuracy = _accuracy(value, point.integer("val_images"))
    if accuracy is not None and low is not None and high is not None:
        accuracy = replace(accuracy, low=low, high=high)
    told = known or Shipped(point.text("name"), point.text("what"), accuracy)
    return replace(
        told,
        what=point.text("what") or told.what,
        accuracy=accuracy,
        numbers={**told.numbers, **_numbers(point)},
        chain=_links(point) or told.chain,
        baseline=point.content.get("baseline") is True,
        front=front,
        file=_below(folder, point.text("file")),
        model=_below(folder, point.text("model")),
    )


def _below(folder: Path, path: str) -> str:
    """Returns a path of the answer; one that leads out of the folder is refused."""
    if path:
        inside(folder, path)
    return path


def _accuracy(value: float | None, images: int | None) -> Number | None:
    """Returns an accuracy with its 95 % interval."""
    if value is None:
        return None
    if not images:
        return Number(value)
    _, low, high = wilson_interval(round(value * images), images)
    return Number(value, low, high, method=f"{round(value * images):,} of {images:,} validation images")

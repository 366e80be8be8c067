"""The last stage: all files are timed side by side, one is chosen, and the test images are touched once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab._atomic import as_output_error, atomic_path, make_folder, write_json
from trimtab._records import to_plain
from trimtab.compression._answer import Answer, Point
from trimtab.compression._trials import keep_file
from trimtab.progress import Progress, Silent

if TYPE_CHECKING:
    from trimtab.benchmarking import BenchmarkResult
    from trimtab.data import ImageData

__all__ = ["FLOAT", "measured", "points_of", "written"]

FLOAT, INT8 = "baseline-float32", "baseline-int8"


def timed(
    files: Mapping[str, Path], shape: tuple[int, int, int], seconds: float, seed: int
) -> dict[str, float]:
    """Times files side by side on this machine: milliseconds for one image, one thread."""
    from trimtab.benchmarking import time_interleaved
    from trimtab.benchmarking._probe_file import probe_call

    calls = {name: probe_call(path.read_bytes(), shape, seed=seed) for name, path in files.items()}
    timings = time_interleaved(
        {name: call.call for name, call in calls.items()}, rounds=60, seconds=seconds, seed=seed
    )
    return {name: float(np.median(timing.rounds)) for name, timing in timings.items()}


def points_of(
    folders: Mapping[str, Path],
    shape: tuple[int, int, int],
    seconds: float,
    seed: int,
    progress: Progress | None = None,
) -> list[Point]:
    """Reads what was shipped, and times all of it side by side.

    Args:
        folders: by name, where files lie with their records; the one named `INT8` is the baseline's.
        shape: of an image.
        seconds: of the timing of each file, about.
        seed: of the order of the timing.
        progress: where progress is shown.
    """
    files = {name: folder / "model.tflite" for name, folder in folders.items()}
    with (progress or Silent()).task("time the files side by side", len(files), "files") as task:
        latencies = timed(files, shape, seconds, seed)
        task.advance(len(files))
    found = []
    for name, folder in folders.items():
        record = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        facts = record["facts"]
        found.append(
            Point(
                name=name,
                what=record["what"],
                file=files[name],
                model=folder / "model.keras",
                val_accuracy=record["val_accuracy"],
                val_images=record["val_images"],
                bytes=facts["bytes"],
                gzip_bytes=facts["gzip_bytes"],
                memory_bytes=facts["memory_bytes"],
                latency_ms=latencies[name],
                parameters=facts["parameters"],
                macs=facts["macs"],
                chain=tuple(record["chain"]),
                baseline=name == INT8,
            )
        )
    return found


def measured(
    answer: Answer,
    baseline: Path,
    data: ImageData,
    out: Path,
    *,
    seconds: float,
    spoilt: int = 1000,
    progress: Progress | None = None,
) -> BenchmarkResult:
    """Measures the baseline's files and the front on the test images, and writes the numbers down.

    What accuracy alone does not show (lost classes, changed answers, calibration, robustness) is among them.

    Args:
        answer: whose front it is.
        baseline: folder of the baseline's files.
        data: the images; the test part is used.
        out: the folder of the measurements.
        seconds: of the timing of each file, about.
        spoilt: test images that are spoilt to see how robust the files are.
        progress: where progress is shown.
    """
    from trimtab.benchmarking import benchmark, compare_behaviour, write_behaviour
    from trimtab.exporting import Artifact

    subjects = {
        FLOAT: Artifact.read(baseline / "float32.tflite"),
        INT8: Artifact.read(baseline / "model.tflite"),
    }
    for point in answer.front:
        if not point.baseline:
            subjects[point.name] = Artifact.read(point.file)
    result = benchmark(subjects, data, baseline=FLOAT, seconds=seconds, progress=progress)
    arrays = {"labels": data.test.labels}
    for name, predictions in result.predictions.items():
        arrays[f"{name}.classes"] = predictions.classes
        arrays[f"{name}.confidence"] = predictions.confidence
    make_folder(out)
    with atomic_path(out / "predictions.npz") as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    compared = compare_behaviour(
        subjects,
        data,
        baseline=FLOAT,
        corrupted_images=min(spoilt, len(data.test)),
        predictions=result.predictions,
        progress=progress,
    )
    files = write_behaviour(compared, result.predictions, data.test, out, answer.chosen or INT8)
    write_json(
        out / "result.json", {**to_plain(result), "files": {"predictions": "predictions.npz", **files}}
    )
    return result


def written(answer: Answer, folder: Path, misses: Sequence[str] = ()) -> None:
    """Writes the answer into the run folder, the chosen files first; without a choice an earlier one goes."""
    chosen = answer.point(answer.chosen)
    if chosen is None:
        for path in (folder / "best.tflite", folder / "best.keras"):
            with as_output_error(path):
                path.unlink(missing_ok=True)
    else:
        keep_file(chosen.file, folder / "best.tflite")
        keep_file(chosen.model, folder / "best.keras")
    write_json(folder / "front.json", plain_answer(answer, folder, misses))


def plain_answer(answer: Answer, folder: Path, failures: Sequence[str] = ()) -> dict[str, Any]:
    """Returns the answer as plain data; paths are those below the folder, so that it can be moved."""
    return {
        "format": 1,
        "points": [_plain_point(point, folder) for point in answer.front],
        "others": [_plain_point(point, folder) for point in answer.others],
        "limits": to_plain(answer.limits),
        "chosen": answer.chosen,
        "why": answer.why,
        "misses": to_plain(answer.misses),
        "binds": list(answer.binds),
        "already": answer.already,
        "notes": [*answer.notes, *failures],
    }


def _plain_point(point: Point, folder: Path) -> dict[str, Any]:
    """Returns a file as plain data, with the interval of its accuracy."""
    low, high = point.interval
    return {
        **to_plain(point),
        "file": point.file.relative_to(folder).as_posix(),
        "model": point.model.relative_to(folder).as_posix(),
        "val_accuracy_low": low,
        "val_accuracy_high": high,
    }

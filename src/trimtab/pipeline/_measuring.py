"""The last stage of a run: everything that was made is measured side by side on the test images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab._atomic import atomic_path
from trimtab._records import to_plain
from trimtab.progress import Progress

if TYPE_CHECKING:
    from trimtab.benchmarking import BenchmarkResult
    from trimtab.data import ImageData
    from trimtab.pipeline._recipe import Recipe

__all__ = ["WORST_MISTAKES", "measure"]

WORST_MISTAKES = 24
"""How many mistakes are kept as images."""


def measure(
    recipe: Recipe,
    data: ImageData,
    results: dict[str, dict[str, Any]],
    folders: dict[str, Path],
    out: Path,
    progress: Progress,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Measures the recipe's subjects and writes predictions, mistakes and behaviour into `out`.

    Returns:
        The benchmark's record, and the files that were written, by their roles.
    """
    from trimtab.benchmarking import benchmark, compare_behaviour, write_behaviour
    from trimtab.exporting import Artifact
    from trimtab.models import load_model

    subjects: dict[str, Any] = {}
    for name in recipe.measured:
        files = results[name]["files"]
        if "artifact" in files:
            subjects[name] = Artifact.read(folders[name] / files["artifact"])
        else:
            subjects[name] = load_model(folders[name] / files["model"])
    result = benchmark(
        subjects,
        data,
        baseline=recipe.baseline,
        threads=recipe.benchmark.threads,
        latency=recipe.benchmark.latency,
        batch=recipe.benchmark.batch,
        memory=recipe.benchmark.memory,
        progress=progress,
    )
    arrays = {"labels": data.test.labels}
    for name, predictions in result.predictions.items():
        arrays[f"{name}.classes"] = predictions.classes
        arrays[f"{name}.confidence"] = predictions.confidence
    _write_arrays(out / "predictions.npz", arrays)
    files = {"predictions": "predictions.npz"}
    if recipe.featured in result.predictions:
        _write_arrays(out / "mistakes.npz", worst_mistakes(result, recipe.featured, data))
        files["mistakes"] = "mistakes.npz"
    if recipe.benchmark.behaviour:
        compared = compare_behaviour(
            subjects,
            data,
            baseline=recipe.baseline,
            threads=recipe.benchmark.threads,
            seed=recipe.seed,
            predictions=result.predictions,
            progress=progress,
        )
        files |= write_behaviour(compared, result.predictions, data.test, out, recipe.featured)
    return to_plain(result), files


def worst_mistakes(result: BenchmarkResult, name: str, data: ImageData) -> dict[str, np.ndarray]:
    """Returns the mistakes that a model was most sure of, worst first.

    Returns:
        ``images`` (k, height, width, channels) uint8, ``labels``, ``classes`` (as predicted),
        ``confidence`` and ``index`` (in the test part), each (k,).
    """
    predictions = result.predictions[name]
    wrong = np.flatnonzero(predictions.classes != data.test.labels)
    worst = wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:WORST_MISTAKES]
    images = data.test.images[worst]
    if images.dtype != np.uint8:
        images = np.rint(images * 255).astype(np.uint8)
    return {
        "images": images,
        "labels": data.test.labels[worst],
        "classes": predictions.classes[worst],
        "confidence": predictions.confidence[worst],
        "index": worst,
    }


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

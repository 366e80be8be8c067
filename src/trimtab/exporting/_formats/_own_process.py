"""Files that Keras writes on another backend: made in a process of their own, with `.keras` as the bridge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np

from trimtab import errors, models
from trimtab.exporting._formats._exporter import Answers, Exporter

__all__ = ["make_and_run_elsewhere"]


def make_and_run_elsewhere(
    model: keras.Model, exporter: Exporter, path: Path, image_shape: tuple[int, int, int], images: np.ndarray
) -> Answers:
    """Does what `make_and_run` does, in a new Python process that runs Keras on the exporter's backend.

    Args:
        model: the model to write.
        exporter: of the format.
        path: the file to write, in a folder of its own, where the job's files lie too.
        image_shape: (height, width, channels).
        images: what the file is run on.

    Raises:
        ModelError: the model cannot be saved or read again (a custom layer that only this process knows).
        ConversionError: the exporter refused the model, or the runtime the file.
    """
    folder = path.parent
    models.save_model(model, folder / "job.keras")
    np.save(folder / "job-images.npy", images)
    (folder / "job.json").write_text(
        json.dumps({"format": exporter.name, "path": path.name, "image_shape": image_shape})
    )
    finished = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "trimtab.exporting._formats._own_process", str(folder)],
        env={**os.environ, "KERAS_BACKEND": exporter.backend, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    answer = folder / "job-answer.json"
    if not answer.exists():
        last = (finished.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise errors.ConversionError(
            f"The process that writes model {model.name!r} as {exporter.title} ended with code "
            f"{finished.returncode}: {last[:240]}. Export with KERAS_BACKEND={exporter.backend} to see more."
        )
    said = json.loads(answer.read_text())
    if "kind" in said:
        raise getattr(errors, said["kind"])(said["message"])
    return Answers(np.load(folder / "job-scores.npy", allow_pickle=False), **said)


def _work(folder: Path) -> None:
    """Does the job in `folder`: reads model and images, leaves the file and its answers, or the error."""
    from trimtab.exporting._formats import EXPORTERS, make_and_run

    job = json.loads((folder / "job.json").read_text())
    try:
        answers = make_and_run(
            _read(folder / "job.keras"),
            EXPORTERS[job["format"]],
            folder / job["path"],
            tuple(job["image_shape"]),
            np.load(folder / "job-images.npy", allow_pickle=False),
        )
        np.save(folder / "job-scores.npy", answers.scores)
        said: dict[str, int | str] = {
            name: getattr(answers, name) for name in ("parameters", "non_zeros", "weight_bytes")
        }
    except errors.TrimtabError as error:
        said = {"kind": type(error).__name__, "message": str(error)}
    (folder / "job-answer.json").write_text(json.dumps(said))


def _read(path: Path) -> keras.Model:
    """Loads the model that the parent process saved."""
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise errors.ModelError(
            "The model has layers that only the calling process knows, so it cannot be exported from this "
            f"Keras backend ({errors.first_line(error, 200)}). Set KERAS_BACKEND={keras.config.backend()}."
        ) from error


if __name__ == "__main__":
    _work(Path(sys.argv[1]))

"""The run folder: the only truth about a run, laid out so that a person can read it too.

::

    run.json                what was run, on which machine, with which seed and versions
    recipe.yaml             the recipe with every default filled in; runs again
    data/samples.png        a sheet of the images
    steps/<step>/           result.json (written last: then the step is done), model.keras, history.csv, ...
    benchmark/              result.json, predictions.npz, mistakes.npz, behaviour.json, changed.npz
    plots/*.png, report.html
"""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab._atomic import write_json
from trimtab._lock import LOCK_NAME, locked
from trimtab.errors import OutputError, RunError

__all__ = ["RunFolder", "file_digest", "read_record", "remove"]

FORMAT = 1


def file_digest(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class RunFolder:
    """Where one run keeps everything it made."""

    path: Path

    @property
    def run_file(self) -> Path:
        """``run.json``."""
        return self.path / "run.json"

    @property
    def recipe_file(self) -> Path:
        """``recipe.yaml``."""
        return self.path / "recipe.yaml"

    @property
    def benchmark(self) -> Path:
        """The folder of the measurements."""
        return self.path / "benchmark"

    def step(self, name: str) -> Path:
        """The folder of one step."""
        return self.path / "steps" / name

    def holds_run(self) -> bool:
        """Says whether a run was begun here."""
        try:
            return self.run_file.is_file()
        except OSError:  # a name too long for a file, or a folder that may not be looked into
            return False

    def check_free(self, resume: bool) -> None:
        """Refuses a folder that something else is in.

        Args:
            resume: whether a run that is here already may be gone on with.

        Raises:
            RunError: the folder holds a run that is not to be resumed, or other files.
            OutputError: the folder cannot be looked into.
        """
        if self.holds_run():
            if not resume:
                raise RunError(
                    f"{self.path} holds a run already. "
                    "Add --resume to go on with it, or choose another folder with --out."
                )
            return
        try:
            names = {entry.name for entry in self.path.iterdir()} if self.path.is_dir() else set()
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be looked into ({error.strerror}). Choose another folder with --out."
            ) from None
        if names and LOCK_NAME not in names:
            raise RunError(f"{self.path} is not empty and holds no run. Choose another folder with --out.")

    def read(self) -> dict[str, Any]:
        """Returns ``run.json``.

        Raises:
            RunError: the folder holds no run, or one that this version cannot read.
        """
        if not self.holds_run():
            raise RunError(
                f"{self.path} holds no run (there is no run.json in it). "
                "Give a folder that `trimtab run` made."
            )
        record = read_record(self.run_file)
        if (kind := record.get("kind", "run")) != "run":
            raise RunError(
                f"{self.path} holds what `trimtab {kind}` made, not the run of a recipe. "
                f"To go on with it: trimtab {kind} --resume."
            )
        if record.get("format") != FORMAT:
            raise RunError(
                f"{self.run_file} has format {record.get('format')!r}; this version reads format {FORMAT}. "
                "Run the recipe again into a new folder."
            )
        return record

    def finished(self, folder: Path, key: str) -> dict[str, Any] | None:
        """Returns the result of a stage if it is done, unchanged and whole; None if it must be done.

        Args:
            folder: the stage's folder.
            key: what the stage would be done from now; a result of another key does not count.
        """
        result_file = folder / "result.json"
        if not result_file.is_file():
            return None
        try:
            result = read_record(result_file)
        except RunError:
            return None
        if result.get("key") != key:
            return None
        for name, digest in result.get("digests", {}).items():
            if not (folder / name).is_file() or file_digest(folder / name) != digest:
                return None
        return result

    def complete(self, folder: Path, result: dict[str, Any], files: dict[str, str]) -> dict[str, Any]:
        """Marks a stage as done: writes its result, with the digests of its files, last of all."""
        digests = {name: file_digest(folder / name) for name in files.values()}
        whole = {**result, "files": files, "digests": digests}
        write_json(folder / "result.json", whole)
        return whole

    def clear(self, folder: Path, keep: tuple[str, ...] = ()) -> None:
        """Empties a stage's folder before it is done again, but for names that begin as in `keep`."""
        # The result goes first: a kill in the middle must not leave it beside missing files.
        (folder / "result.json").unlink(missing_ok=True)
        if folder.is_dir():
            for entry in folder.iterdir():
                if not entry.name.startswith(keep):
                    remove(entry)

    def locked(self) -> AbstractContextManager[None]:
        """Keeps a second process from writing to the same run; see `trimtab._lock.locked`."""
        return locked(self.path)


def read_record(path: Path) -> dict[str, Any]:
    """Returns a JSON object from a file.

    Raises:
        RunError: the file is missing, or is no JSON object.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read as JSON ({type(error).__name__}). "
            "The run folder is damaged; run the recipe again."
        ) from None
    if not isinstance(record, dict):
        raise RunError(
            f"{path} does not hold a JSON object. The run folder is damaged; run the recipe again."
        )
    return record


def remove(path: Path) -> None:
    """Removes a file, or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

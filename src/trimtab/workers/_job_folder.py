"""A job's folder in the run folder: what is begun goes on there, what is done is not done twice.

::

    <key>/job.json      which work this is
          log.txt       what it printed
          error.txt     the traceback of a failure
          out/          the files that it gives back
          result.json   written last: then the job is done
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from trimtab._atomic import make_folder, write_json
from trimtab.workers._job import Job, JobResult
from trimtab.workers._perform import Outcome

__all__ = ["found_result", "keep_result", "listed_files", "prepare"]


def prepare(folder: Path, job: Job) -> str:
    """Makes a job's folder ready; empties it first if it holds other work. Gives the job's digest.

    Raises:
        DataError: a file of the job cannot be read.
        OutputError: the folder cannot be written.
    """
    digest = job.digest()
    if _read(folder / "job.json").get("digest") != digest:
        if folder.exists():
            shutil.rmtree(folder)
        make_folder(folder)
        write_json(folder / "job.json", {"digest": digest, "function": job.function, **_known(job)})
    return digest


def keep_result(folder: Path, digest: str, outcome: Outcome, worker: str) -> None:
    """Writes down that a job is done. One that failed or was cancelled is not, and would be begun again.

    Raises:
        OutputError: it cannot be written.
    """
    if outcome.error is not None or outcome.cancelled:
        return
    record = {
        "digest": digest,
        "record": outcome.record,
        "seconds": outcome.seconds,
        "worker": worker,
        "files": listed_files(folder / "out"),
    }
    write_json(folder / "result.json", record)


def found_result(folder: Path, key: str, digest: str) -> JobResult | None:
    """Gives the result of a job that was done before, or None where it is still to be done."""
    found = _read(folder / "result.json")
    if found.get("digest") != digest:
        return None
    files = {name: folder / "out" / name for name in found["files"]}
    if not all(path.is_file() for path in files.values()):
        return None
    return JobResult(key, found["record"], files, folder, found["worker"], found["seconds"])


def listed_files(out: Path) -> list[str]:
    """Lists the files below a folder, by their paths in it, with forward slashes."""
    return sorted(
        Path(root, name).relative_to(out).as_posix() for root, _, names in os.walk(out) for name in names
    )


def _known(job: Job) -> dict[str, Any]:
    return {"arguments": job.arguments, "shared": list(job.shared), "files": sorted(job.files)}


def _read(path: Path) -> dict[str, Any]:
    """Reads a record of ours; an empty one where there is none, or where it is damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}

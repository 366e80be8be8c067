"""`open_workers`: the workers that were asked for."""

from __future__ import annotations

from pathlib import Path

from trimtab.errors import ConfigError, WorkerError
from trimtab.workers._in_process import InProcess
from trimtab.workers._processes import Processes
from trimtab.workers._workers import Workers

__all__ = ["open_workers"]


def open_workers(folder: Path, jobs: int = 1, cluster: str | None = None) -> Workers:
    """Makes the workers that were asked for.

    Args:
        folder: where the jobs have their folders, such as ``work`` in a run folder.
        jobs: processes of this machine; with 1 the work is done in this very process.
        cluster: address of a Ray cluster that does the work instead; None: none.

    Raises:
        ConfigError: `jobs` is no positive number.
        OutputError: the folder cannot be made.
        WorkerError: the cluster cannot be used.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise ConfigError(f"jobs is a whole number of processes, 1 or more. Received: {jobs!r}.")
    if cluster is not None:
        raise WorkerError(f"Clusters cannot be used yet. Received: {cluster!r}; use jobs.")
    return InProcess(folder) if jobs == 1 else Processes(jobs, folder)

"""`open_workers`: the workers that were asked for."""

from __future__ import annotations

from pathlib import Path

from trimtab.errors import ConfigError
from trimtab.workers._in_process import InProcess
from trimtab.workers._processes import Processes
from trimtab.workers._workers import Workers

__all__ = ["open_workers"]


def open_workers(folder: Path, jobs: int = 1, cluster: str | None = None) -> Workers:
    """Makes the workers that were asked for.

    Args:
        folder: where the jobs have their folders, such as ``work`` in a run folder.
        jobs: processes of this machine; with 1 the work is done in this very process.
        cluster: address of a Ray cluster that does the work instead: ``"auto"``, ``"HOST:PORT"`` or
            ``"ray://HOST:PORT"``; None: none.

    Raises:
        ConfigError: `jobs` is no positive number, both are given, or `cluster` is no address.
        OutputError: the folder cannot be made.
        MissingExtraError: `cluster` is given and Ray is not installed.
        WorkerError: the cluster does not answer, or has another version of Trimtab.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise ConfigError(f"jobs is a whole number of processes, 1 or more. Received: {jobs!r}.")
    if cluster is not None:
        if jobs != 1:
            raise ConfigError(
                "The cluster says how many jobs it does at a time. Leave out jobs or the cluster."
            )
        from trimtab.workers._ray_workers import RayWorkers

        return RayWorkers(cluster, folder)
    return InProcess(folder) if jobs == 1 else Processes(jobs, folder)

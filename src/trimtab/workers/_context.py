"""What a job's function is given beside its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.workers._job import as_plain

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Context"]


class Context:
    """A job's surroundings: its folder, its arrays and files, and the way back to who asked.

    Args:
        key: the job's.
        folder: see the attribute.
        shared: see the attribute.
        files: see the attribute.
        report: takes a plain record to the driver.
        asked_to_stop: says whether the driver has cancelled the job.

    Attributes:
        key: the job's.
        folder: the job's own. On this machine it lies in the run folder and outlives a kill, so that a
            training checkpoint in it is found when the job is begun again; on a cluster it is temporary.
        out: a folder in it; the files in it come back to the driver.
        shared: the arrays that the job named: read-only, and not copied for each job.
        files: where the job's files lie; they are not to be changed.
    """

    def __init__(
        self,
        key: str,
        folder: Path,
        shared: Mapping[str, npt.NDArray[Any]],
        files: Mapping[str, Path],
        report: Callable[[dict[str, Any]], None],
        asked_to_stop: Callable[[], bool],
    ) -> None:
        self.key = key
        self.folder, self.out = folder, folder / "out"
        self.shared, self.files = shared, files
        self._report, self._asked_to_stop = report, asked_to_stop
        self._knows = False

    def report(self, record: Mapping[str, Any]) -> None:
        """Tells the driver something while the job runs: plain data, such as an epoch's accuracy."""
        self._report(as_plain(record))

    def stopped(self) -> bool:
        """Says whether the driver has cancelled the job. If so: keep the checkpoint and return soon.

        What the function returns then is the result, marked as cancelled.
        """
        self._knows = self._knows or self._asked_to_stop()
        return self._knows

    @property
    def cancelled(self) -> bool:
        """Says whether the function was told to stop, without asking again."""
        return self._knows

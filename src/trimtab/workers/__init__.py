"""Workers: jobs on this machine's processes, or on the machines of a Ray cluster.

A job names a function of ours and gives it plain data; it comes back as a record and files. What asks for the
work does not see where it is done::

    with open_workers(jobs=4, folder=run / "work") as workers:
        workers.share("images", images)
        for width in widths:
            workers.submit(Job(f"width-{width}", "trimtab.room._file:do", {"width": width}, ("images",)))
        while results := workers.wait():
            ...
"""

from trimtab.workers._context import Context
from trimtab.workers._in_process import InProcess
from trimtab.workers._job import Job, JobResult, Report
from trimtab.workers._open import open_workers
from trimtab.workers._processes import Processes
from trimtab.workers._ray_workers import RayWorkers
from trimtab.workers._workers import Workers

__all__ = [
    "Context",
    "InProcess",
    "Job",
    "JobResult",
    "Processes",
    "RayWorkers",
    "Report",
    "Workers",
    "open_workers",
]

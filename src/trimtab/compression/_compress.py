"""`compress`: from a budget to the best model that fits it, with a proof."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab._lock import locked
from trimtab._quiet import import_backend
from trimtab._units import minutes as read_minutes
from trimtab.compression._budget import Budget
from trimtab.compression._plan import Plan
from trimtab.compression._result import CompressionResult
from trimtab.compression._run_folder import CompressionFolder, default_folder
from trimtab.errors import ConfigError, DataError
from trimtab.progress import Progress, Silent

if TYPE_CHECKING:
    import keras

    from trimtab.data import ImageData

__all__ = ["asked_of", "compress"]

_MOST_JOBS = 8  # that are used where nobody says: each takes about a gigabyte


def compress(
    model: keras.Model | str | os.PathLike[str] | None,
    data: ImageData,
    budget: Budget,
    *,
    out: str | os.PathLike[str] | None = None,
    minutes: float | str = 30,
    jobs: int | None = None,
    cluster: str | None = None,
    candidates: int | None = None,
    resume: bool = False,
    seed: int = 0,
    told: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> CompressionResult:
    """Finds the best model that keeps a budget, and proves it.

    Networks of several families, in the sizes that fit, and the baseline with fewer channels are tried. What
    a candidate's file weighs and how long it takes is known before it is trained (it is built, converted and
    timed with random weights), so nothing that does not fit is trained. Many are trained for a short while,
    the promising ones for longer, and the best in full; a teacher's answers are learned beside the labels.
    The finalists become int8 files, are trained quantize-aware where int8 costs accuracy, and are checked
    against their models. Validation images decide everything; the test images are looked at once, at the end.

    The search can be ended at any time by Ctrl-C, and then answers with the best so far. One that was killed
    goes on where it was with ``resume=True``.

    Args:
        model: the model to compress, or its file; it stays as it is. None: a baseline is trained first.
        data: the images.
        budget: the limits.
        out: the run folder; None: a new one under ``runs``.
        minutes: how long the search may take, measuring included: ``30``, ``"90s"``, ``"2h"``.
        jobs: trainings at the same time on this machine; None: one for each core, at most 8. With 1 the work
            is done in this process.
        cluster: address of a Ray cluster that does the work instead.
        candidates: how many are looked at, at most; None: as many as there is time for.
        resume: go on with the run that `out` holds.
        seed: decides weights, the order of images and the proposals.
        told: what else the record of the run shall hold: where model and data came from, say.
        progress: where progress is shown; None: nowhere.

    Returns:
        The front, the chosen file, the reason, and the measurements.

    Raises:
        ConfigError: an argument makes no sense.
        DataError: a part of the data holds no images.
        ModelError: the model does not fit the data.
        RunError: the folder holds another run, or a damaged one.
        OutputError: a file cannot be written; the run can be resumed.
        WorkerError: the cluster does not answer, or a worker has another version.

    Example::

        budget = trimtab.Budget(max_size="20kB", max_drop=1)
        result = trimtab.compress("my_model.keras", data, budget, minutes=10)
        print(result)
    """
    if not isinstance(budget, Budget):
        raise ConfigError(
            f"budget is a trimtab.Budget, such as Budget(max_size='100kB'). Received: {budget!r}."
        )
    seconds = 60 * read_minutes("minutes", minutes)
    _check(data, seed, candidates)
    workers = _jobs(jobs, cluster)
    folder = CompressionFolder(Path(out) if out is not None else default_folder())
    folder.check_free(resume)
    given = _loaded(model, data)
    plan = Plan(seconds, len(data.train), workers, given is None)
    asked = asked_of(given, data, budget, plan, jobs, cluster, seed, told)
    with locked(folder.path):
        from trimtab.compression._stages import Stages

        record = folder.begin(asked)
        stages = Stages(folder, record, given, data, budget, plan, seed, progress or Silent(), candidates)
        return stages.run(workers, cluster)


def _check(data: Any, seed: Any, candidates: Any) -> None:
    """Refuses data that cannot teach, judge or measure, and numbers that are none."""
    for part in ("train", "validation", "test"):
        if not len(getattr(data, part)):
            raise DataError(
                f"{data.name} has no {part} images; compress needs some to learn from, some to choose by and "
                "some for the final numbers. Load it with validation=0.1, or add images."
            )
    for name, value, least in (("seed", seed, 0), ("candidates", candidates, 1)):
        if value is None and name == "candidates":
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(
                f"{name} must be a whole number of {least} or more. Received: {name}={value!r}."
            )


def _jobs(jobs: int | None, cluster: str | None) -> int:
    """Returns how many trainings run at the same time, as far as that is known."""
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise ConfigError(f"jobs must be a whole number of 1 or more. Received: jobs={jobs!r}.")
    if jobs is not None and cluster is not None:
        raise ConfigError("jobs is for this machine, cluster for others. Leave one of them out.")
    if jobs is not None:
        return jobs
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_JOBS)


def _loaded(model: Any, data: ImageData) -> Any:
    """Returns the model that was given, checked; None: there is none."""
    if model is None:
        return None
    import_backend()
    from trimtab.models import check_fits, load_model

    network = load_model(model) if isinstance(model, str | os.PathLike) else model
    check_fits(network, data)
    return network


def asked_of(
    model: Any,
    data: ImageData,
    budget: Budget,
    plan: Plan,
    jobs: int | None,
    cluster: str | None,
    seed: int,
    told: dict[str, Any] | None,
) -> dict[str, Any]:
    """Returns what makes the run this one, for its record."""
    from trimtab.benchmarking import machine, versions

    digest = None
    if model is not None:
        from trimtab.models import model_digest

        digest = model_digest(model)
    return {
        "budget": budget.given,
        "minutes": plan.seconds / 60,
        "jobs": jobs,
        "cluster": cluster,
        "seed": seed,
        "data": data.describe(),
        "data_digest": data.digest,
        "model_digest": digest,
        "machine": machine(),
        "versions": versions(),
        "seconds": None,
        **(told or {}),
    }


def command_of(words: list[str]) -> str:
    """Returns a command line as somebody would type it."""
    return shlex.join(words)

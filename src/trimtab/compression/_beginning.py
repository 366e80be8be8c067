"""Before the search: which families suit the images, what the baseline costs, how good a given one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trimtab._atomic import make_folder
from trimtab.compression._baseline_training import BaselineTraining, read_baseline, write_baseline
from trimtab.compression._brief import Brief
from trimtab.compression._candidate import Baseline, Candidate, Network
from trimtab.compression._facts import Facts
from trimtab.compression._families import Ladder, built_counts, families_for
from trimtab.compression._plan import Pace
from trimtab.compression._run_folder import CompressionFolder
from trimtab.compression._travelling_data import ARRAYS
from trimtab.errors import RunError
from trimtab.progress import Progress
from trimtab.workers import Job, JobResult, Workers

__all__ = ["Beginning", "begun"]

_FACTS, _JUDGED = "facts-baseline", "judge-baseline"


@dataclass(frozen=True)
class Beginning:
    """What is known before anything is searched.

    Args:
        training: trains the baseline; None: there is one.
        ladders: one for each family that suits the images.
        reference: what the baseline's int8 file costs, with the numbers in its kernels and their channels.
    """

    training: BaselineTraining | None
    ladders: list[Ladder]
    reference: Mapping[str, Any]


def begun(
    brief: Brief,
    model: Any,
    workers: Workers,
    data: Mapping[str, Any],
    pace: Pace,
    progress: Progress,
    timer: Callable[[Path], float] | None,
) -> Beginning:
    """Finds out what the baseline costs, and how good it is where it was given; what is known stays.

    Args:
        brief: what the search is about.
        model: the baseline that was given; None: one is trained.
        workers: they look at it.
        data: what `sent` returned.
        pace: how long training takes here.
        progress: where progress is shown.
        timer: times a file; None: nobody asked for the latency.

    Raises:
        RunError: the baseline cannot be converted or run.
    """
    counts = built_counts(brief.image_shape, brief.classes)
    ladders = [Ladder(family, counts) for family in families_for(brief.image_shape)]
    known, folder = read_baseline(brief.baseline), CompressionFolder(brief.folder)
    training: BaselineTraining | None = None
    network: Network = Baseline()
    if known is None and model is None:
        training = BaselineTraining(
            brief, ladders, pace, data, epochs=folder.baseline_epochs(), decided=folder.baseline_decided
        )
        network = training.network
    elif known is None:
        _keep(model, brief)
    reference = folder.reference()
    jobs = [] if reference is not None else [_probe(brief, network)]
    if known is None and model is not None:
        told = {"model": brief.baseline / "model.keras"}
        jobs.append(Job(_JUDGED, "trimtab.compression._trial:judge", {"data": dict(data)}, ARRAYS, told))
    results = _all(workers, jobs, progress)
    if _JUDGED in results:
        record = {"given": True, "what": "the model that was given"}
        write_baseline(brief.baseline, {**record, "val_accuracy": results[_JUDGED].record["val_accuracy"]})
    if reference is None:
        reference = _costs(results[_FACTS], timer)
        folder.referred(reference)
    return Beginning(training, ladders, reference)


def _keep(model: Any, brief: Brief) -> None:
    """Keeps the model that was given; its record is written once it was judged."""
    from trimtab.models import save_model

    save_model(model, make_folder(brief.baseline) / "model.keras")


def _probe(brief: Brief, network: Network) -> Job:
    """Returns the job that converts the baseline's network."""
    arguments = {**brief.network_arguments(), "candidate": Candidate(network).to_plain()}
    files = {"baseline": brief.baseline / "model.keras"} if network.kind == "baseline" else {}
    return Job(_FACTS, "trimtab.compression._trial:probe", arguments, (), files)


def _costs(result: JobResult, timer: Callable[[Path], float] | None) -> dict[str, Any]:
    """Returns what the baseline's file costs."""
    facts = Facts.of_plain(result.record["facts"])
    if timer is not None:
        facts = replace(facts, latency_ms=timer(result.files["model.tflite"]))
    return {**facts.to_plain(), **{name: result.record[name] for name in ("kernels", "channels")}}


def _all(workers: Workers, jobs: list[Job], progress: Progress) -> dict[str, JobResult]:
    """Does some jobs, and returns their results."""
    results: dict[str, JobResult] = {}
    for job in jobs:
        workers.submit(job)
    with progress.task("look at the baseline", len(jobs), "steps") as task:
        while len(results) < len(jobs):
            for result in workers.wait():
                if result.error is not None:
                    raise RunError(f"The baseline cannot be used: {result.error}.")
                results[result.key] = result
                task.advance()
    return results

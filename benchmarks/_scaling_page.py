"""What the page about scaling says: its rows and how they were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import _results
from _scaling_search import Clocks

__all__ = [
    "A_WORKER", "BOTH", "IDLE", "LONG", "ONE", "SIMULATED", "TWO",
    "Costs", "Settings", "asleep_rows", "driver_rows", "method", "training_rows",
]  # fmt: skip

TRAINING, ASLEEP, DRIVER = (
    "Trainings on this machine's processes",
    "Jobs that sleep, on a Ray cluster on this machine",
    "What the driver does for each job",
)
SIMULATED = "Simulated: throughput against one worker"
A_WORKER = 4
"""Jobs for each worker in the measured runs that sleep, and in their simulation."""
IDLE = 0.5
"""A load of the machine below which it does nothing else."""
LONG = 10
"""Jobs for each worker in the other simulated searches."""
ONE, BOTH, TWO = "1 process, one core", "1 process, all cores", "2 processes, one core each"


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Args:
        data: name of the data set.
        images: how many of its training images one job learns.
        epochs: of each training.
        trainings: jobs in one sample.
        workers: how many sleep at the same time, one run after the other.
        seconds: that a job sleeps.
        idle: jobs that do nothing in one sample.
    """

    data: str = "fashion_mnist"
    images: int = 6_000
    epochs: int = 2
    trainings: int = 4
    workers: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    seconds: float = 1.0
    idle: int = 256


@dataclass(frozen=True)
class Costs:
    """What the simulation is given, in seconds.

    Args:
        ask: of each proposal, by the trial's number; it grows with what the sampler learns from.
        tell: of writing each result.
        submit: of handing a job over.
        take: of everything else that the driver does for a job: hearing reports, fetching and writing files.
        away: between driver and function, there and back.
    """

    ask: list[float]
    tell: list[float]
    submit: float
    take: float
    away: float


def training_rows(trained: Mapping[str, list[float]]) -> list[_results.Row]:
    """Makes the rows of the trainings; two processes are compared with one."""
    return [
        _results.measured_row(
            name, samples, "trainings a minute", group=TRAINING,
            versus=None if name == ONE else (ONE, trained[ONE]),
        )
        for name, samples in trained.items()
    ]  # fmt: skip


def asleep_rows(settings: Settings, asleep: Mapping[int, list[Clocks]]) -> list[_results.Row]:
    rates = {count: [60 * len(run.work) / run.wall for run in runs] for count, runs in asleep.items()}
    return [
        _results.measured_row(
            f"{count} worker{'s' * (count > 1)}, {settings.seconds:g} s", samples, "jobs a minute",
            group=ASLEEP, versus=None if count == 1 else (f"1 worker, {settings.seconds:g} s", rates[1]),
        )
        for count, samples in rates.items()
    ]  # fmt: skip


def driver_rows(idle: list[Clocks], alone: Clocks, share: list[float], costs: Costs) -> list[_results.Row]:
    """Makes the rows of what a job costs the driver."""

    def row(name: str, seconds: list[float], note: str = "") -> _results.Row:
        milliseconds = [1000 * second for second in seconds]
        return _results.measured_row(name, milliseconds, "ms", group=DRIVER, note=note)

    tenth = max(len(alone.ask) // 10, 1)
    first, last = alone.ask[:tenth], alone.ask[-tenth:]
    return [
        row("all of it, jobs that do nothing", [run.wall / len(run.work) for run in idle],
            "so many milliseconds a job keep the driver; 1000 over it is the most jobs a second. The workers "
            "share the cores with the driver here, so it is an upper limit"),
        row(f"of which: propose, first {tenth} trials", first, "Optuna's TPE, and its journal on disk"),
        row(f"of which: propose, trial {len(alone.ask) - tenth + 1} to {len(alone.ask)}", last),
        row("of which: submit", [second for run in idle for second in run.submit]),
        row("of which: write the result into the study", alone.tell),
        _results.count_row(
            "there and back, beside the driver's own time", 1000 * costs.away, unit="ms", group=DRIVER
        ),
        row("share 47 MB of images, once", share, "with machines in between, their network's time is added"),
    ]  # fmt: skip


def method(settings: Settings, rounds: int) -> list[str]:
    """Says how it was measured."""
    most = settings.workers[-1]
    return [
        f"Trainings: {settings.trainings} jobs a sample, each a CNN of 8 and 16 filters that learns "
        f"{settings.images:,} images of {settings.data} for {settings.epochs} epochs, saves its model and "
        f"gives it back. {rounds} rounds, interleaved, after one that loads TensorFlow and compiles. What is "
        "timed is the whole search: Optuna proposes (TPE, four dimensions), the job runs, its result is "
        "written down.",
        f"Jobs that sleep: a Ray cluster of one node with {most} logical CPUs on this machine. A job sleeps "
        f"{settings.seconds:g} s, reports three times and gives back a file of 20 kB; there are {A_WORKER} "
        "jobs for each worker. This measures the driver, Ray and the object store, not training: the machine "
        "has too few cores for that.",
        "Simulated, not measured: one driver does one thing at a time, workers do jobs. Its costs are the "
        "measured ones above (proposing: by the number of the trial; where jobs sleep, as in the run with "
        "most workers). Trainings are drawn from the measured durations of one process with one core; "
        f"{LONG} jobs a worker, {A_WORKER} where they sleep. "
        "The simulation knows no network between machines, no machine slower than this one, and no start.",
        "One worker is the unit, simulated and measured alike.",
    ]

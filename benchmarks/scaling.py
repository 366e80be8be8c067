"""How the throughput of a search grows with its workers: measured here, and simulated to 64 machines.

python benchmarks/scaling.py

Ray starts on this machine with as many logical CPUs as workers are wanted; what they do there is sleep. With
``--no-cluster`` that part is left out, and with it the simulation.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import _results
import _scaling_picture
from _harness import RESULTS, Session, interleaved, say
from _scaling_search import Clocks, asking, search
from _scaling_simulation import makespan
from trimtab._statistics import bootstrap_median
from trimtab.workers import Processes, RayWorkers, Workers

if TYPE_CHECKING:
    from trimtab.data import ImageData

_TRAINING, _ASLEEP, _DRIVER = (
    "Trainings on this machine's processes",
    "Jobs that sleep, on a Ray cluster on this machine",
    "What the driver does for each job",
)
_SIMULATED = "Simulated: throughput against one worker"
_A_WORKER = 4
"""Jobs for each worker in the measured runs that sleep, and in their simulation."""
_LONG = 10
"""Jobs for each worker in the other simulated searches."""


@dataclass(frozen=True)
class _Settings:
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


_FULL = _Settings()
_QUICK = _Settings("digits", 200, 1, trainings=2, workers=(1, 2, 4), seconds=0.2, idle=8)


def main() -> None:
    """Measures, simulates, and writes it all down."""
    session = Session(
        "scaling",
        "Throughput against workers",
        "How many times as many settings does a search try out with more workers, and what does its driver "
        "spend on each of them?",
        more=_more,
    )
    settings, rounds = (_QUICK if session.quick else _FULL), session.rounds(3, 2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trained, lasted = _trained(settings, _data(settings), folder, rounds)
        rows = _training_rows(trained)
        curves: list[dict[str, Any]] = []
        points = [{"name": "trainings, one core each", **_speedups({1: trained[_ONE], 2: trained[_TWO]})}]
        if not session.options.no_cluster:
            asleep, idle, share = _on_cluster(settings, folder, rounds)
            alone = asking(folder / "alone", _LONG * settings.workers[-1])
            costs = _costs(asleep, idle, alone)
            more, curves = _simulated(settings, costs, lasted)
            rows += [*_asleep_rows(settings, asleep), *_driver_rows(idle, alone, share, costs), *more]
            rates = {count: [len(one.work) / one.wall for one in runs] for count, runs in asleep.items()}
            points = [{"name": f"jobs that sleep {settings.seconds:g} s", **_speedups(rates)}, *points]
    picture = {"path": f"../pictures/scaling/{_scaling_picture.NAME}", "alt": _scaling_picture.ALT}
    record = session.finish(
        rows, _method(settings, rounds), pictures=[picture] if curves else [],
        curves=curves, points=points, settings=settings,
    )  # fmt: skip
    out = session.options.out or (None if session.quick else RESULTS)
    if out is not None and curves:
        say(f"Wrote {_scaling_picture.draw(record, out.parent / 'pictures' / 'scaling').name}.")


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-cluster", action="store_true", help="measure processes of this machine only")


def _data(settings: _Settings) -> ImageData:
    from trimtab.data import load_data
    from trimtab.errors import TrimtabError

    try:
        return load_data(settings.data)
    except TrimtabError as error:
        raise SystemExit(f"{error}") from None


_ONE, _BOTH, _TWO = "1 process, one core", "1 process, all cores", "2 processes, one core each"


def _trained(
    settings: _Settings, data: ImageData, folder: Path, rounds: int
) -> tuple[dict[str, list[float]], list[float]]:
    """Gives trainings a minute for each way to use this machine, and the seconds that single ones took."""
    lasted: list[float] = []
    with contextlib.ExitStack() as stack:
        sides = {
            name: _side(stack.enter_context(workers), settings, data, folder, lasted if name == _ONE else [])
            for name, workers in (
                (_ONE, _on_cores(1, 1, folder / "one")),
                (_BOTH, _on_cores(1, None, folder / "both")),
                (_TWO, _on_cores(2, 2, folder / "two")),
            )
        }
        samples = interleaved(sides, rounds, label="trainings")
    # The first of each is the warm-up: TensorFlow is loaded, and the first step compiled.
    return samples, lasted[settings.trainings :]


def _on_cores(jobs: int, cores: int | None, folder: Path) -> Workers:
    """Makes processes that have so many cores of this machine together."""
    if cores is None or not hasattr(os, "sched_getaffinity"):
        return Processes(jobs, folder)
    all_cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(all_cores)[:cores])
    try:
        return Processes(jobs, folder)  # it looks at the cores now
    finally:
        os.sched_setaffinity(0, all_cores)


def _side(
    workers: Workers, settings: _Settings, data: ImageData, folder: Path, lasted: list[float]
) -> Callable[[], float]:
    """Gives what trains a sample when called, and returns trainings a minute."""
    arrays = {"train": data.train.take(slice(settings.images)), "judge": data.validation.take(slice(1000))}
    for part, split in arrays.items():
        workers.share(f"{part}-images", split.images)
        workers.share(f"{part}-labels", split.labels)
    names = tuple(f"{part}-{what}" for part in arrays for what in ("images", "labels"))
    given = {"epochs": settings.epochs, "classes": data.classes}
    turns = iter(range(1000))

    def train() -> float:
        clocks = search(
            workers, folder / f"{workers.folder.name}-{next(turns)}", "train", given,
            jobs=settings.trainings, at_once=workers.count, shared=names,
        )  # fmt: skip
        lasted.extend(clocks.work)
        return 60 * settings.trainings / clocks.wall

    return train


@contextlib.contextmanager
def _cluster(cpus: int) -> Iterator[str]:
    """A Ray cluster of one node on this machine with so many logical CPUs; gives its address."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        cluster.add_node(
            num_cpus=cpus, include_dashboard=False, include_log_monitor=False, object_store_memory=2**30
        )
        yield cluster.address
    finally:
        cluster.shutdown()


def _on_cluster(
    settings: _Settings, folder: Path, rounds: int
) -> tuple[dict[int, list[Clocks]], list[Clocks], list[float]]:
    """Lets jobs sleep, and do nothing, on a cluster; gives also the seconds in which 47 MB are shared."""
    asleep: dict[int, list[Clocks]] = {count: [] for count in settings.workers}
    idle, share, turns = [], [], iter(range(1000))
    most = settings.workers[-1]
    with _cluster(most) as address, RayWorkers(address, folder / "cluster") as workers:

        def run(seconds: float, jobs: int, at_once: int) -> Clocks:
            study = folder / f"asleep-{next(turns)}"
            return search(workers, study, "sleep", {"seconds": seconds}, jobs=jobs, at_once=at_once)

        say(f"starting {most} workers")
        run(settings.seconds, 2 * most, most)
        for number in range(rounds):
            for count in settings.workers:
                asleep[count].append(run(settings.seconds, _A_WORKER * count, count))
            idle.append(run(0.0, settings.idle, most))
            share.append(_shared(workers, number))
            say(f"cluster: round {number + 1}/{rounds}")
    return asleep, idle, share


def _shared(workers: Workers, number: int) -> float:
    """Gives the seconds in which a data set of Fashion-MNIST's size goes into the object store."""
    import time

    images = np.random.default_rng(number).integers(0, 255, (60_000, 28, 28), "uint8")
    began = time.perf_counter()
    workers.share(f"images-{number}", images)
    return time.perf_counter() - began


@dataclass(frozen=True)
class _Costs:
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


def _costs(asleep: Mapping[int, list[Clocks]], idle: list[Clocks], alone: Clocks) -> _Costs:
    """Takes the costs apart: all of them are medians of what was measured."""
    submit = statistics.median(second for run in idle for second in run.submit)
    each = statistics.median(run.wall / len(run.work) for run in idle)
    spent = statistics.median(sum(run.ask + run.tell + run.submit) / len(run.work) for run in idle)
    take = max(each - spent, 0.0)
    ones = asleep[1]
    one = statistics.median((run.wall - sum(run.work + run.ask + run.tell)) / len(run.work) for run in ones)
    return _Costs(alone.ask, alone.tell, submit, take, max(one - submit - take, 0.0))


def _simulated(
    settings: _Settings, costs: _Costs, lasted: list[float]
) -> tuple[list[_results.Row], list[dict[str, Any]]]:
    """Simulates searches; gives rows of the largest, and the curves."""
    steady = statistics.median(lasted)
    chosen = np.random.default_rng(0).choice(lasted, _LONG * settings.workers[-1])
    searches: dict[str, tuple[int, Callable[[int], float]]] = {
        f"jobs of {settings.seconds:g} s": (_A_WORKER, lambda _: settings.seconds),
        f"trainings of {steady:.1f} s": (_LONG, lambda number: float(chosen[number])),
        "jobs of 60 s": (_LONG, lambda _: 60.0),
    }
    rows, curves = [], []
    for name, (each, work) in searches.items():
        rates = [_rate(count, each * count, work, costs) for count in settings.workers]
        speedup = [rate / rates[0] for rate in rates]
        curves.append({"name": name, "workers": list(settings.workers), "speedup": speedup})
        most = settings.workers[-1]
        rows.append(
            _results.count_row(
                f"{most} workers, {name}", speedup[-1], unit="times one worker", group=_SIMULATED,
                note=f"{100 * speedup[-1] / most:.0f} % of {most} times; {each} jobs for each worker",
            )
        )  # fmt: skip
    return rows, curves


def _rate(workers: int, jobs: int, work: Callable[[int], float], costs: _Costs) -> float:
    """Gives simulated jobs a second."""
    last = len(costs.ask) - 1
    seconds = makespan(
        workers,
        jobs,
        work,
        before=lambda number: costs.ask[min(number, last)] + costs.submit,
        after=lambda number: costs.tell[min(number, last)] + costs.take,
        away=costs.away,
    )
    return jobs / seconds


def _speedups(rates: Mapping[int, list[float]]) -> dict[str, list[float]]:
    """Compares rates with that of one worker, round by round."""
    counts = sorted(rates)
    ones = np.array(rates[1])
    middles = [bootstrap_median(np.array(rates[count]) / ones) for count in counts]
    return {
        "workers": [*map(float, counts)],
        "speedup": [middle for middle, _, _ in middles],
        "low": [middle if low is None else low for middle, low, _ in middles],
        "high": [middle if high is None else high for middle, _, high in middles],
    }


def _training_rows(trained: Mapping[str, list[float]]) -> list[_results.Row]:
    """Makes the rows of the trainings; two processes are compared with one."""
    return [
        _results.measured_row(
            name, samples, "trainings a minute", group=_TRAINING,
            versus=None if name == _ONE else (_ONE, trained[_ONE]),
        )
        for name, samples in trained.items()
    ]  # fmt: skip


def _asleep_rows(settings: _Settings, asleep: Mapping[int, list[Clocks]]) -> list[_results.Row]:
    rates = {count: [60 * len(run.work) / run.wall for run in runs] for count, runs in asleep.items()}
    return [
        _results.measured_row(
            f"{count} worker{'s' * (count > 1)}, {settings.seconds:g} s", samples, "jobs a minute",
            group=_ASLEEP, versus=None if count == 1 else (f"1 worker, {settings.seconds:g} s", rates[1]),
        )
        for count, samples in rates.items()
    ]  # fmt: skip


def _driver_rows(idle: list[Clocks], alone: Clocks, share: list[float], costs: _Costs) -> list[_results.Row]:
    """Makes the rows of what a job costs the driver."""

    def row(name: str, seconds: list[float], note: str = "") -> _results.Row:
        milliseconds = [1000 * second for second in seconds]
        return _results.measured_row(name, milliseconds, "ms", group=_DRIVER, note=note)

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
            "there and back, beside the driver's own time", 1000 * costs.away, unit="ms", group=_DRIVER
        ),
        row("share 47 MB of images, once", share, "with machines in between, their network's time is added"),
    ]  # fmt: skip


def _method(settings: _Settings, rounds: int) -> list[str]:
    """Says how it was measured."""
    most = settings.workers[-1]
    return [
        f"Trainings: {settings.trainings} jobs a sample, each a CNN of 8 and 16 filters that learns "
        f"{settings.images:,} images of {settings.data} for {settings.epochs} epochs, saves its model and "
        f"gives it back. {rounds} rounds, interleaved, after one that loads TensorFlow and compiles. What is "
        "timed is the whole search: Optuna proposes (TPE, four dimensions), the job runs, its result is "
        "written down.",
        f"Jobs that sleep: a Ray cluster of one node with {most} logical CPUs on this machine. A job sleeps "
        f"{settings.seconds:g} s, reports three times and gives back a file of 20 kB; there are {_A_WORKER} "
        "jobs for each worker. This measures the driver, Ray and the object store, not training: the machine "
        "has too few cores for that.",
        "Simulated, not measured: one driver does one thing at a time, workers do jobs. Its costs are the "
        "measured ones above (proposing: by the number of the trial). Trainings are drawn from the measured "
        f"durations of one process with one core; {_LONG} jobs a worker, {_A_WORKER} where they sleep. "
        "The simulation knows no network between machines, no machine slower than this one, and no start.",
        "One worker is the unit, simulated and measured alike.",
    ]


if __name__ == "__main__":
    main()

"""How the throughput of a search grows with its workers: measured here, and simulated to 64 machines.

python benchmarks/scaling.py

Ray starts on this machine with as many logical CPUs as workers are wanted; what they do there is sleep. With
``--no-cluster`` that part is left out, and with it the simulation.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import _results
import _scaling_picture
from _harness import RESULTS, Session, interleaved, say
from _scaling_page import (
    A_WORKER,
    BOTH,
    IDLE,
    LONG,
    ONE,
    SIMULATED,
    TWO,
    Costs,
    Settings,
    asleep_rows,
    driver_rows,
    method,
    training_rows,
)  # fmt: skip
from _scaling_search import Clocks, asking, search
from _scaling_simulation import makespan
from trimtab._statistics import bootstrap_median
from trimtab.workers import Processes, RayWorkers, Workers

if TYPE_CHECKING:
    from trimtab.data import ImageData

_FULL = Settings()
_QUICK = Settings("digits", 200, 1, trainings=2, workers=(1, 2, 4), seconds=0.2, idle=8)


def main() -> None:
    """Measures, simulates, and writes it all down."""
    session = Session(
        "scaling",
        "Throughput against workers",
        "How many times as many settings does a search try out with more workers, and what does its driver "
        "spend on each of them?",
        more=_more,
    )
    if (load := _load()) > IDLE:
        session.note(f"The machine had other work: a load of {load:.1f} when this began. Measure again.")
    settings, rounds = (_QUICK if session.quick else _FULL), session.rounds(3, 2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trained, lasted = _trained(settings, _data(settings), folder, rounds)
        rows = training_rows(trained)
        curves: list[dict[str, Any]] = []
        points = [{"name": "trainings, one core each", **_speedups({1: trained[ONE], 2: trained[TWO]})}]
        if not session.options.no_cluster:
            asleep, idle, share = _on_cluster(settings, folder, rounds)
            alone = asking(folder / "alone", LONG * settings.workers[-1])
            costs = _costs(asleep, idle, alone)
            more, curves = _simulated(settings, costs, asleep[settings.workers[-1]], lasted)
            rows += [*asleep_rows(settings, asleep), *driver_rows(idle, alone, share, costs), *more]
            rates = {count: [len(one.work) / one.wall for one in runs] for count, runs in asleep.items()}
            points = [{"name": f"jobs that sleep {settings.seconds:g} s", **_speedups(rates)}, *points]
    picture = {"path": f"../pictures/scaling/{_scaling_picture.NAME}", "alt": _scaling_picture.ALT}
    record = session.finish(
        rows, method(settings, rounds), pictures=[picture] if curves else [],
        curves=curves, points=points, settings=settings,
    )  # fmt: skip
    out = session.options.out or (None if session.quick else RESULTS)
    if out is not None and curves:
        say(f"Wrote {_scaling_picture.draw(record, out.parent / 'pictures' / 'scaling').name}.")


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-cluster", action="store_true", help="measure processes of this machine only")


def _load() -> float:
    """Gives how many programs wanted the processor in the last minute, where the system says."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _data(settings: Settings) -> ImageData:
    from trimtab.data import load_data
    from trimtab.errors import TrimtabError

    try:
        return load_data(settings.data)
    except TrimtabError as error:
        raise SystemExit(f"{error}") from None


def _trained(
    settings: Settings, data: ImageData, folder: Path, rounds: int
) -> tuple[dict[str, list[float]], list[float]]:
    """Gives trainings a minute for each way to use this machine, and the seconds that single ones took."""
    lasted: list[float] = []
    with contextlib.ExitStack() as stack:
        sides = {
            name: _side(stack.enter_context(workers), settings, data, folder, lasted if name == ONE else [])
            for name, workers in (
                (ONE, _on_cores(1, 1, folder / "one")),
                (BOTH, _on_cores(1, None, folder / "both")),
                (TWO, _on_cores(2, 2, folder / "two")),
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
    workers: Workers, settings: Settings, data: ImageData, folder: Path, lasted: list[float]
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
    settings: Settings, folder: Path, rounds: int
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
                asleep[count].append(run(settings.seconds, A_WORKER * count, count))
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


def _costs(asleep: Mapping[int, list[Clocks]], idle: list[Clocks], alone: Clocks) -> Costs:
    """Takes the costs apart: all of them are medians of what was measured."""
    submit = statistics.median(second for run in idle for second in run.submit)
    each = statistics.median(run.wall / len(run.work) for run in idle)
    spent = statistics.median(sum(run.ask + run.tell + run.submit) / len(run.work) for run in idle)
    take = max(each - spent, 0.0)
    ones = asleep[1]
    one = statistics.median((run.wall - sum(run.work + run.ask + run.tell)) / len(run.work) for run in ones)
    return Costs(alone.ask, alone.tell, submit, take, max(one - submit - take, 0.0))


def _simulated(
    settings: Settings, costs: Costs, asleep: list[Clocks], lasted: list[float]
) -> tuple[list[_results.Row], list[dict[str, Any]]]:
    """Simulates searches; gives rows of the largest, and the curves."""
    # What is held against a measured run is given the costs of that very run.
    ask, tell = (np.median([getattr(run, part) for run in asleep], axis=0) for part in ("ask", "tell"))
    together = dataclasses.replace(costs, ask=ask.tolist(), tell=tell.tolist())
    steady = statistics.median(lasted)
    chosen = np.random.default_rng(0).choice(lasted, LONG * settings.workers[-1])
    searches: dict[str, tuple[int, Callable[[int], float], Costs]] = {
        f"jobs of {settings.seconds:g} s": (A_WORKER, lambda _: settings.seconds, together),
        f"trainings of {steady:.1f} s": (LONG, lambda number: float(chosen[number]), costs),
        "jobs of 60 s": (LONG, lambda _: 60.0, costs),
    }
    rows, curves = [], []
    for name, (each, work, spent) in searches.items():
        rates = [_rate(count, each * count, work, spent) for count in settings.workers]
        speedup = [rate / rates[0] for rate in rates]
        curves.append({"name": name, "workers": list(settings.workers), "speedup": speedup})
        most = settings.workers[-1]
        rows.append(
            _results.count_row(
                f"{most} workers, {name}", speedup[-1], unit="times one worker", group=SIMULATED,
                note=f"{100 * speedup[-1] / most:.0f} % of {most} times; {each} jobs for each worker",
            )
        )  # fmt: skip
    return rows, curves


def _rate(workers: int, jobs: int, work: Callable[[int], float], costs: Costs) -> float:
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


if __name__ == "__main__":
    main()

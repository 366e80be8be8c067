"""Workers of every kind, and the functions that they are given."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trimtab.workers import InProcess, Processes, RayWorkers, Workers

MODULES = str(Path(__file__).with_name("modules"))
sys.path.append(MODULES)  # `errands`, which workers import, and `watching`


pytest.register_assert_rewrite("contract", "watching")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test once for each kind of workers that its module names."""
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", metafunc.module.KINDS)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Ray cluster on this machine: two nodes of one CPU, the driver beside the first of them."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'trimtab[ray]'")
    # For all that Ray starts.
    variables = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": os.pathsep.join([MODULES, *_python_path()])}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster

        cluster = Cluster()
        try:
            for _ in range(2):
                cluster.add_node(num_cpus=1, include_dashboard=False, include_log_monitor=False)
            yield cluster
        finally:
            cluster.shutdown()


@pytest.fixture
def connected(cluster: Any) -> Any:
    """The cluster, with one connection for many tests: each new one starts new processes on every node."""
    import ray

    if not ray.is_initialized():
        ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
    return cluster


def _python_path() -> list[str]:
    return [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]


def opener(kind: str, request: pytest.FixtureRequest) -> Callable[[Path], Workers]:
    """Gives what makes workers of a kind on a folder."""
    if kind == "in process":
        return InProcess
    if kind == "processes":
        return lambda folder: Processes(2, folder)
    address = request.getfixturevalue("connected").address
    return lambda folder: RayWorkers(address, folder)


@pytest.fixture(scope="module")
def kept() -> Iterator[dict[str, Workers]]:
    """Workers that serve test after test, since starting them takes longer than all else here."""
    kept: dict[str, Workers] = {}
    yield kept
    for workers in kept.values():
        workers.close()


@pytest.fixture
def workers(
    kind: str,
    request: pytest.FixtureRequest,
    kept: dict[str, Workers],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Workers]:
    """Workers of one kind after the other."""
    if kind not in kept:
        kept[kind] = opener(kind, request)(tmp_path_factory.mktemp("work"))
    workers = kept[kind]
    yield workers
    if workers.busy:  # a test has failed, or ended in an error on purpose
        kept.pop(kind).close()
    else:
        for entry in workers.folder.glob("[!.]*"):
            workers.discard(entry.name)


@pytest.fixture
def open_again(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Workers]:
    """Makes workers of one kind after the other, each time on the same folder."""
    return lambda: opener(kind, request)(tmp_path / "work")

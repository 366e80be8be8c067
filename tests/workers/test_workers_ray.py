"""A real Ray cluster of several nodes: the contract, and what happens when a node is killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract import *  # noqa: F403 - all its tests
from watching import alive, all_results, eventually, first_pid, job

from trimtab.errors import WorkerError
from trimtab.workers import RayWorkers, open_workers
from trimtab.workers._workers import GIVEN_AGAIN_IN_CLUSTER

KINDS = ["ray cluster"]


@pytest.fixture
def on_cluster(connected: Any, tmp_path: Path) -> Iterator[RayWorkers]:
    with open_workers(tmp_path / "work", cluster=connected.address) as workers:
        assert isinstance(workers, RayWorkers)
        yield workers


def test_a_version_that_differs_is_refused_with_both(
    connected: Any, on_cluster: RayWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab import __version__

    monkeypatch.setattr("trimtab.workers._ray_workers.__version__", "9.8.7")
    message = rf"has Trimtab {__version__}, and this is 9\.8\.7\. .*pip install 'trimtab\[ray\]==9\.8\.7'"
    with pytest.raises(WorkerError, match=message):
        RayWorkers(connected.address, tmp_path / "other")
    # And a machine that joins later is found out by its first job.
    on_cluster.submit(job("one", "add", {"numbers": []}))
    with pytest.raises(WorkerError, match=message):
        all_results(on_cluster)


def test_nothing_runs_here_while_they_are_paused(on_cluster: RayWorkers, tmp_path: Path) -> None:
    file = tmp_path / "ticks"
    on_cluster.submit(job("one", "tick", {"file": str(file)}))
    pid = eventually(lambda: first_pid(file))
    with on_cluster.paused():
        on_cluster.submit(job("two", "add", {"numbers": []}))
        eventually(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        size = file.stat().st_size
        assert on_cluster.wait(timeout=0.1) == []
        assert file.stat().st_size == size
    eventually(lambda: file.stat().st_size > size)
    assert [result.key for result in on_cluster.wait(60)] == ["two"]


def test_a_job_that_kills_every_worker_is_an_error_in_the_end(
    on_cluster: RayWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.workers._ray_workers.GIVEN_AGAIN_IN_CLUSTER", 1)
    assert GIVEN_AGAIN_IN_CLUSTER > 1
    on_cluster.submit(job("deadly", "die", {"marks": str(tmp_path / "marks")}))
    result = all_results(on_cluster)["deadly"]
    assert result.error is not None
    assert result.error.startswith("2 workers died at this job; the last one was lost (")
    assert (result.attempts, len((tmp_path / "marks").read_text().splitlines())) == (2, 2)


def test_when_a_node_is_killed_every_job_is_done_once(cluster: Any, tmp_path: Path) -> None:
    import ray

    ray.shutdown()  # workers that connect by themselves
    marks = {f"job-{number}": tmp_path / f"begun-{number}" for number in range(6)}
    told: list[str] = []
    node = cluster.add_node(num_cpus=2)
    with open_workers(tmp_path / "work", cluster=cluster.address) as workers:
        assert workers.count == 4
        for key, file in marks.items():
            arguments = {"marks": str(file), "gate": str(tmp_path / "gate")}
            workers.submit(job(key, "linger", arguments), lambda report: told.append(report.key))

        def both_begun() -> bool:
            # A worker may die on its way, of the test before; who waits hears of it and gives the job again.
            assert workers.wait(0.1) == []
            return len(_on(node.node_id, marks)) == 2  # it has two CPUs

        eventually(both_begun)
        on_it = _on(node.node_id, marks)
        cluster.remove_node(node, allow_graceful=False)
        eventually(lambda: not any(alive(int(pid)) for pid in on_it))
        (tmp_path / "gate").touch()
        results = all_results(workers)
    assert not ray.is_initialized()
    begun = {key: file.read_text().split()[::2] for key, file in marks.items()}
    lost = {key for key, nodes in begun.items() if node.node_id in nodes}
    assert lost
    assert sorted(results) == sorted(marks)
    for key, result in results.items():
        assert result.error is None
        assert result.record == {"node": begun[key][-1]}
        assert result.files["done"].read_text() == key
        assert (node.node_id in begun[key][:-1]) == (key in lost)
        assert len(begun[key]) == (2 if key in lost else 1)
        assert result.attempts >= len(begun[key])  # it may have been lost on its way there too
        assert node.node_id[:8] not in result.worker
    # What a job tells before it ends is heard before its end; one that is lost may tell it twice.
    assert all(told.count(key) in ({1, 2} if key in lost else {1}) for key in marks)


def _on(node: str, marks: dict[str, Path]) -> list[str]:
    """The processes on a node in which a job has begun."""
    lines = [file.read_text().split() for file in marks.values() if file.exists()]
    return [words[1] for words in lines if len(words) == 2 and words[0] == node]

"""What all workers do alike, whatever they are: test modules import all of it, and name their `KINDS`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from watching import all_results, job

from trimtab.errors import ConfigError, DataError, OutputError
from trimtab.workers import InProcess, Job, Report, Workers


def test_every_job_comes_back_once_with_its_record_and_files(workers: Workers) -> None:
    for number in range(5):
        workers.submit(job(f"job-{number}", "add", {"numbers": (number, 10), "rate": np.float32(0.5)}))
    results = all_results(workers)
    assert sorted(results) == [f"job-{number}" for number in range(5)]
    for number in range(5):
        result = results[f"job-{number}"]
        assert result.error is None
        assert (result.attempts, result.cancelled) == (1, False)
        assert result.record["sum"] == number + 10
        # Everywhere alike: as it is after it was JSON.
        assert result.record["pair"] == [1, 2]
        assert result.record["seen"] == {"numbers": [number, 10], "rate": 0.5}
        assert result.files["deep/sum.txt"].read_text() == str(number + 10)
        assert result.worker
        assert 0 <= result.seconds < 60
    assert workers.wait() == []


def test_an_array_is_shared_without_being_changeable(workers: Workers) -> None:
    array = np.arange(1000, dtype="uint8").reshape(10, 100)
    workers.share("images", array)
    workers.share("labels", np.zeros(0, "int64"))
    for number in range(3):
        workers.submit(job(f"job-{number}", "mean", shared=("images",)))
    for result in all_results(workers).values():
        assert result.record == {"mean": array.mean(), "writeable": False, "dtype": "uint8"}
    array[:] = 0  # the owner's array stays its own


def test_what_cannot_be_shared_or_done_is_refused_in_one_line(workers: Workers) -> None:
    workers.share("pictures", np.zeros(3))
    with pytest.raises(ConfigError, match="'pictures' is shared already"):
        workers.share("pictures", np.zeros(3))
    with pytest.raises(ConfigError, match="holds Python objects"):
        workers.share("names", np.array(["a", None]))
    with pytest.raises(ConfigError, match=r"The name of a shared array is 1 to 100 letters.*'\.\./up'"):
        workers.share("../up", np.zeros(3))
    with pytest.raises(ConfigError, match="needs 'answers', which was not shared"):
        workers.submit(job("one", "mean", shared=("answers",)))
    workers.submit(job("one", "add", {"numbers": []}))
    with pytest.raises(ConfigError, match="'one' is under way"):
        workers.submit(job("one", "add", {"numbers": [2]}))
    assert list(all_results(workers)) == ["one"]


def test_files_reach_the_job(workers: Workers, tmp_path: Path) -> None:
    (tmp_path / "a model").write_text("weights")
    workers.submit(job("one", "read", files={"start.txt": tmp_path / "a model"}))
    assert all_results(workers)["one"].record == {"start.txt": "weights"}
    with pytest.raises(DataError, match=r"gone cannot be read \(No such file or directory\)"):
        workers.submit(job("two", "read", files={"start.txt": tmp_path / "gone"}))


def test_a_job_that_fails_is_a_result_and_the_others_go_on(workers: Workers) -> None:
    workers.submit(job("fails", "fail"))
    workers.submit(job("leaves", "leave"))
    workers.submit(job("objects", "no_data"))
    workers.submit(Job("missing", "errands:nothing"))
    workers.submit(Job("nowhere", "no_such_module:nothing"))
    workers.submit(job("works", "add", {"numbers": [1]}))
    results = all_results(workers)
    assert results["works"].error is None
    assert results["fails"].error == "ValueError: the weights"
    assert results["fails"].record == results["fails"].files == {}
    assert results["leaves"].error == "SystemExit: enough"
    assert results["objects"].error.startswith(
        "A record is plain data, as JSON has it: no plain form for fun"
    )
    assert results["missing"].error == "errands has no function 'nothing'"
    assert results["nowhere"].error == "ModuleNotFoundError: No module named 'no_such_module'"
    trace = (results["fails"].folder / "error.txt").read_text()
    assert trace.startswith("Traceback")
    assert trace.rstrip().endswith("are heavy")


def test_what_a_job_prints_goes_to_its_folder(workers: Workers, capfd: pytest.CaptureFixture[str]) -> None:
    native = not isinstance(workers, InProcess)  # native code here speaks where it always did
    workers.submit(job("one", "speak", {"native": native}))
    log = (all_results(workers)["one"].folder / "log.txt").read_text(encoding="utf-8")
    expected = ["épochs go by", "a warning"] + ["native words"] * native
    assert sorted(log.splitlines()) == sorted(expected)
    assert capfd.readouterr() == ("", "")


def test_reports_arrive_while_the_job_runs_and_may_cancel_it(workers: Workers) -> None:
    heard: list[Report] = []

    def listen(report: Report) -> None:
        heard.append(report)
        if report.record["step"] == 3:
            workers.cancel(report.key)

    workers.submit(job("one", "climb", {"steps": 10_000, "seconds": 0.05}), listen)
    result = all_results(workers)["one"]
    assert result.cancelled
    assert result.error is None
    assert [report.record["step"] for report in heard] == list(range(1, len(heard) + 1))
    assert heard[0] == Report("one", {"step": 1})
    assert 3 <= result.record["step"] < 100
    workers.cancel("one")  # it has just ended: nothing to do
    workers.cancel("nobody")


def test_a_cancelled_job_is_not_done_and_finds_its_checkpoint(workers: Workers) -> None:
    def submit() -> None:
        workers.submit(
            job("one", "climb", {"steps": 20, "seconds": 0.03}), lambda report: workers.cancel(report.key)
        )

    submit()
    first = all_results(workers)["one"]
    assert first.cancelled
    submit()
    again = all_results(workers)["one"]
    assert again.cancelled, "it was done again, not remembered"


def test_an_error_of_who_listens_is_not_one_of_the_job(workers: Workers) -> None:
    def listen(report: Report) -> None:
        raise LookupError("no such trial")

    workers.submit(job("one", "climb", {"steps": 1}), listen)
    with pytest.raises(LookupError, match="no such trial"):
        all_results(workers)


def test_a_job_that_is_cancelled_in_line_never_begins(workers: Workers, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    for number in range(workers.count + 1):
        workers.submit(job(f"job-{number}", "climb", {"steps": 5, "seconds": 0.02}))
    workers.submit(job("last", "add", {"numbers": [], "marks": str(marks)}))
    workers.cancel("last")
    results = all_results(workers)
    assert len(results) == workers.count + 2
    assert results["last"].cancelled
    assert results["last"].record == {}
    assert not marks.exists()


def test_what_is_done_is_not_done_again_and_what_differs_is(
    open_again: Callable[[], Workers], tmp_path: Path
) -> None:
    marks = str(tmp_path / "marks")
    first = job("one", "add", {"numbers": [1, 2], "marks": marks})
    for _ in range(2):
        with open_again() as workers:
            workers.submit(first)
            result = all_results(workers)["one"]
            assert (result.error, result.record["sum"]) == (None, 3)
            assert result.files["deep/sum.txt"].read_text() == "3"
    assert len(Path(marks).read_text().splitlines()) == 1
    (result.folder / "left over").touch()
    with open_again() as workers:
        workers.submit(job("one", "add", {"numbers": [5], "marks": marks}))
        other = all_results(workers)["one"]
        assert other.record["sum"] == 5
        assert not (result.folder / "left over").exists()
        workers.discard("one")
        assert not other.folder.exists()
        workers.submit(first)
        assert all_results(workers)["one"].record["sum"] == 3
    assert len(Path(marks).read_text().splitlines()) == 3


@pytest.mark.parametrize("ours", [True, False])
def test_a_full_disk_stops_the_work_and_leaves_the_job_to_be_done(
    workers: Workers, tmp_path: Path, ours: bool
) -> None:
    again = job("one", "write_to_full_disk", {"ours": ours, "freed": str(tmp_path / "freed")})
    workers.submit(again)
    with pytest.raises(
        OutputError, match=r"The disk is full: model.keras was not written.*\(job one, .+\)\."
    ):
        all_results(workers)
    (tmp_path / "freed").touch()
    workers.submit(again)
    assert all_results(workers)["one"].record == {"written": True}


def test_large_things_travel(workers: Workers) -> None:
    workers.submit(job("one", "large", {"size": 300_000}))
    result = all_results(workers)["one"]
    assert len(result.record["blob"]) == 300_000
    np.testing.assert_array_equal(np.load(result.files["array.npy"]), np.arange(300_000))


def test_nothing_is_left_to_do_once_they_are_closed(open_again: Callable[[], Workers]) -> None:
    with open_again() as workers:
        workers.share("images", np.zeros(3))
        for number in range(workers.count + 1):
            workers.submit(job(f"job-{number}", "climb", {"steps": 1000, "seconds": 60}))
        with workers.paused():
            pass
    assert workers.wait() == []
    workers.close()
    assert not (workers.folder / ".shared").exists()

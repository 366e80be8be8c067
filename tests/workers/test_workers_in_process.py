"""Jobs in this very process: Ctrl-C goes through them, and leaves them to be done."""

from __future__ import annotations

from pathlib import Path

import errands
import pytest
from watching import all_results, job

from trimtab.workers import InProcess


def test_ctrl_c_in_a_job_leaves_it_to_be_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(numbers: object) -> int:
        raise KeyboardInterrupt

    with InProcess(tmp_path) as workers:
        workers.submit(job("one", "add", {"numbers": [1, 2]}))
        with monkeypatch.context() as patch:
            patch.setattr(errands, "sum", interrupted, raising=False)
            with pytest.raises(KeyboardInterrupt):
                workers.wait()
        assert workers.wait() == []
        workers.submit(job("one", "add", {"numbers": [1, 2]}))
        assert all_results(workers)["one"].record["sum"] == 3

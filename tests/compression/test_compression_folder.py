"""The run folder: who may go on with it, and what is decided once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trimtab.compression._plan import Rung
from trimtab.compression._run_folder import CompressionFolder
from trimtab.compression._trials import TrialFolder
from trimtab.errors import RunError

ASKED: dict[str, Any] = {"budget": {"max_size": "9kB"}, "data_digest": "x", "model_digest": None, "seed": 0}
ASKED |= {"minutes": 1.0}


def test_what_was_asked_for_is_asked_for_again(tmp_path: Path) -> None:
    folder = CompressionFolder(tmp_path)
    folder.begin(ASKED)
    folder.check_free(resume=True)
    with pytest.raises(RunError, match="holds a run already"):
        folder.check_free(resume=False)
    for name, other in (
        ("budget", {"max_size": "8kB"}),
        ("data_digest", "y"),
        ("model_digest", "z"),
        ("seed", 1),
    ):
        with pytest.raises(RunError, match="was begun with another"):
            folder.begin({**ASKED, name: other})
    folder.decided(Rung(0, 2, 0.5))
    assert folder.rungs() == [Rung(0, 2, 0.5)]


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty and holds no run"):
        CompressionFolder(tmp_path).check_free(resume=False)
    with pytest.raises(RunError, match="holds no run to go on with"):
        CompressionFolder(tmp_path / "empty").check_free(resume=True)
    (tmp_path / "run.json").write_text('{"format": 1}')
    with pytest.raises(RunError, match="another kind of run"):
        CompressionFolder(tmp_path).check_free(resume=True)
    (tmp_path / "run.json").write_text('{"format": 1, "kind": "compress", "trimtab": "0.0.0"}')
    with pytest.raises(RunError, match=r"was made by Trimtab 0\.0\.0"):
        CompressionFolder(tmp_path).check_free(resume=True)


def test_a_damaged_trial_is_named(tmp_path: Path) -> None:
    place = tmp_path / "trials" / "0007"
    place.mkdir(parents=True)
    (place / "result.json").write_text("{")
    with pytest.raises(RunError, match="0007"):
        TrialFolder(tmp_path / "trials").read()

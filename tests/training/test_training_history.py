from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab._records import to_plain
from trimtab.errors import OutputError, RunError
from trimtab.training import Epoch, History

_NUMBERS = st.floats(0, 1e9, allow_nan=False)


@st.composite
def _histories(draw: st.DrawFn) -> History:
    count = draw(st.integers(1, 4))
    epochs = [Epoch(number, *(draw(_NUMBERS) for _ in range(7))) for number in range(1, count + 1)]
    return History.of(epochs, draw(st.integers(1, count)))


@settings(max_examples=20, deadline=None)
@given(history=_histories())
def test_csv_gives_the_same_history_back(history: History, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("csv") / "history.csv"
    history.write_csv(path)
    assert History.read_csv(path) == history


def test_seconds_are_those_of_all_epochs_and_best_is_found() -> None:
    epochs = [Epoch(number, 1.0, 0.5, 1.0, 0.5, 1e-3, 0.1) for number in (1, 2, 3)]
    history = History.of(epochs, 2)
    assert history.seconds == math.fsum([0.1, 0.1, 0.1])
    assert history.best is epochs[1]
    assert to_plain(history)["epochs"][1]["epoch"] == 2


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "epoch,loss\n1,x\n"])
def test_a_file_that_is_no_history_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "history.csv"
    path.write_text(text)
    if not text:
        assert History.read_csv(path) == History((), 0, 0.0)
        return
    with pytest.raises(RunError, match="is no training history"):
        History.read_csv(path)


def test_a_missing_file_and_an_unwritable_place_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be read"):
        History.read_csv(tmp_path / "none.csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        History((), 0, 0.0).write_csv(tmp_path / "file" / "history.csv")

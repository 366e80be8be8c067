"""Progress shown as lines and as bars."""

from __future__ import annotations

import io

import pytest

from trimtab.progress import PlainLines, Progress, RichBars, Silent, for_terminal


@pytest.mark.parametrize("progress", [Silent(), PlainLines(io.StringIO()), RichBars(io.StringIO())])
def test_tasks_may_run_inside_each_other(progress: Progress) -> None:
    with progress.task("outer", 2, "steps") as outer:
        for _ in range(2):
            with progress.task("inner", 3, "batches") as inner:
                inner.advance(3, note="accuracy 0.9")
            outer.advance()
    with progress.task("again", 1) as again:
        again.advance()
    assert isinstance(repr(progress), str)


def test_plain_lines_tell_beginning_state_and_end() -> None:
    stream = io.StringIO()
    with PlainLines(stream, interval=0).task("train", 4, "batches") as task:
        task.advance(1)
        task.advance(1, note="accuracy 0.91")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "train ..."
    # The first piece carries what happens once, such as compiling: no estimate from it.
    assert lines[1] == "train: 1/4 batches"
    assert lines[2].startswith("train: 2/4 batches, about ")
    assert "(accuracy 0.91)" in lines[2]
    assert lines[3].startswith("train: done in ")


def test_counts_and_seconds_are_whole_in_plain_lines() -> None:
    stream = io.StringIO()
    with PlainLines(stream, interval=0).task("search", 1700.4, "s") as task:
        task.advance(61.9603)
    with PlainLines(stream, interval=0).task("read", 12_345_678, "images") as task:
        task.advance(1_234_567)
    assert "search: 62/1700 s" in stream.getvalue()
    assert "read: 1234567/12345678 images" in stream.getvalue()


def test_the_first_piece_does_not_count_in_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 60.0, 61.0, 61.0])  # begun; compiled and ran one piece; ran the second; ended
    monkeypatch.setattr("trimtab.progress.time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    with PlainLines(stream, interval=0).task("train", 100, "batches") as task:
        task.advance()
        task.advance()
    assert "2/100 batches, about 98 s left" in stream.getvalue()


def test_plain_lines_keep_quiet_between_intervals() -> None:
    stream = io.StringIO()
    with PlainLines(stream, interval=3600).task("train", 1000, "batches") as task:
        for _ in range(1000):
            task.advance()
    assert len(stream.getvalue().splitlines()) == 2


def test_an_interrupted_task_says_so() -> None:
    stream = io.StringIO()

    def work() -> None:
        with PlainLines(stream).task("train", 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert "train: stopped in" in stream.getvalue()


def test_bars_estimate_the_end() -> None:
    stream = io.StringIO()
    with RichBars(stream).task("train", 4, "batches") as task:
        task.advance(2, note="accuracy 0.91")
    assert "2/4" in stream.getvalue()
    assert "left:" in stream.getvalue()
    assert "accuracy 0.91" in stream.getvalue()


def test_a_log_gets_lines_and_a_terminal_gets_bars() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert isinstance(for_terminal(io.StringIO()), PlainLines)
    assert isinstance(for_terminal(Terminal()), RichBars)

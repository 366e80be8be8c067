"""Progress of long work, shown to people as bars and to logs as plain lines.

Verbs take ``progress=``: an object that makes tasks. The library itself is silent by default
(`Silent`); `for_terminal()` gives what suits where the output goes.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self, TextIO

__all__ = ["PlainLines", "Progress", "RichBars", "Silent", "Task", "for_terminal"]


class Task(Protocol):
    """One piece of work that is under way; a context manager that ends it."""

    def advance(self, steps: float = 1, note: str = "") -> None:
        """Says that `steps` more are done; `note` (such as ``"accuracy 0.91"``) is shown beside."""

    def __enter__(self) -> Self:
        """Begins the task."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the task, whether it succeeded or not."""


class Progress(Protocol):
    """Where progress is shown."""

    def task(self, label: str, total: float | None = None, unit: str = "") -> Task:
        """Begins a piece of work.

        Args:
            label: what is being done, such as ``"train baseline"``.
            total: how many steps it takes; None where nobody can say.
            unit: what a step is, in the plural: ``"batches"``, ``"images"``.
        """


class _SilentTask:
    """A task that shows nothing."""

    def advance(self, steps: float = 1, note: str = "") -> None:
        """Does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class Silent:
    """Progress that shows nothing: the default of every verb."""

    def task(self, label: str, total: float | None = None, unit: str = "") -> Task:  # noqa: ARG002
        """Returns a task that shows nothing."""
        return _SilentTask()


class PlainLines:
    """Progress as lines of text, for logs: one when a task begins, then at most one each interval.

    Args:
        stream: where the lines go; standard error by default.
        interval: seconds between two lines of the same task.
    """

    def __init__(self, stream: TextIO | None = None, interval: float = 10.0) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._interval = interval

    def task(self, label: str, total: float | None = None, unit: str = "") -> Task:
        """Returns a task that writes lines."""
        return _PlainTask(self._stream, self._interval, label, total, unit)


def _count(number: float) -> str:
    """Writes a number of steps or seconds: whole, but for a few of them."""
    return f"{number:.0f}" if number >= 10 else f"{number:.3g}"


class _PlainTask:
    """A task that writes a line when it begins, when it ends, and at most one each interval between."""

    def __init__(self, stream: TextIO, interval: float, label: str, total: float | None, unit: str) -> None:
        self._stream, self._interval = stream, interval
        self._label, self._total, self._unit = label, total, unit
        self._done = 0.0
        self._note = ""
        self._began = self._spoke = time.monotonic()
        self._first: tuple[float, float] | None = None

    def advance(self, steps: float = 1, note: str = "") -> None:
        """Counts the steps, and writes a line where the last one is an interval ago."""
        self._done += steps
        self._note = note or self._note
        now = time.monotonic()
        if self._first is None:
            self._first = (self._done, now)
        if now - self._spoke < self._interval:
            return
        self._spoke = now
        done = f"{_count(self._done)}/{_count(self._total)}" if self._total else _count(self._done)
        state = f"{done} {self._unit}".rstrip() + self._left(now)
        self._say(f"{self._label}: {state}" + (f" ({self._note})" if self._note else ""))

    def _left(self, now: float) -> str:
        """Estimates the time that is left by the pace since the first piece.

        The first piece does not count: compiling a training step takes as long as hundreds of steps.
        """
        first, then = self._first or (self._done, now)
        if not self._total or self._done <= first:
            return ""
        left = (now - then) * (self._total - self._done) / (self._done - first)
        return f", about {max(left, 0):.0f} s left"

    def __enter__(self) -> Self:
        self._say(f"{self._label} ...")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = time.monotonic() - self._began
        outcome = "done" if kind is None else "stopped"
        self._say(f"{self._label}: {outcome} in {seconds:.1f} s" + (f" ({self._note})" if self._note else ""))

    def _say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class RichBars:
    """Progress as bars with an estimate of the end, for people at a terminal.

    Tasks may run inside each other: they share one live display.

    Args:
        stream: where the bars go; standard error by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bars

        self._open = 0
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(file=stream if stream is not None else sys.stderr),
        )

    def task(self, label: str, total: float | None = None, unit: str = "") -> Task:
        """Returns a task that draws a bar, and leaves it behind when it ends."""
        return _RichTask(self, label, total, unit)

    def opened(self) -> None:
        """Begins the live display with the first task."""
        self._open += 1
        if self._open == 1:
            self._bars.start()

    def closed(self) -> None:
        """Ends the live display with the last task, leaving its bars on the screen."""
        self._open -= 1
        if self._open == 0:
            self._bars.stop()
            for task in self._bars.task_ids:
                self._bars.remove_task(task)


class _RichTask:
    """A task drawn as one bar."""

    def __init__(self, owner: RichBars, label: str, total: float | None, unit: str) -> None:
        self._owner, self._label, self._total, self._unit = owner, label, total, unit

    def advance(self, steps: float = 1, note: str = "") -> None:
        """Moves the bar."""
        if note:
            self._owner._bars.update(self._task, advance=steps, note=note)
        else:
            self._owner._bars.update(self._task, advance=steps)

    def __enter__(self) -> Self:
        self._task = self._owner._bars.add_task(self._label, total=self._total, unit=self._unit, note="")
        self._owner.opened()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owner._bars.stop_task(self._task)
        self._owner.closed()


def for_terminal(stream: TextIO | None = None) -> Progress:
    """Returns bars where `stream` (standard error by default) is a terminal, plain lines elsewhere."""
    stream = stream if stream is not None else sys.stderr
    return RichBars(stream) if stream.isatty() else PlainLines(stream)

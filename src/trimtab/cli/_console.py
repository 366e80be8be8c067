"""How the command line speaks: tables for people, JSON for machines, and one line after Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from trimtab._records import to_plain

__all__ = ["interruptible", "print_json", "table", "terminal"]

_PLAIN_WIDTH = 200
"""Columns where the output is not a terminal, so that a table in a log is not folded."""


@contextlib.contextmanager
def interruptible(say: Callable[[], str]) -> Iterator[None]:
    """Ends the command with exit code 130 on Ctrl-C, after saying how the work goes on."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(say(), err=True)
        raise typer.Exit(130) from None


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> Table:
    """Returns a table whose first column (or so many) is words and whose others are numbers."""
    made = Table(*headers)
    for column in made.columns[words:]:
        column.justify = "right"
    for row in rows:
        made.add_row(*row)
    return made


def terminal() -> Console:
    """Returns where results are printed; never narrower than a table where nobody watches."""
    # File and class names may hold square brackets: they are text here, not markup.
    return Console(
        width=None if sys.stdout.isatty() else _PLAIN_WIDTH, markup=False, highlight=False, emoji=False
    )


def print_json(record: Any) -> None:
    """Prints a record as JSON."""
    sys.stdout.write(json.dumps(to_plain(record), indent=2, allow_nan=False) + "\n")

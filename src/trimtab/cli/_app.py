"""`trimtab`: the commands in the order that the help lists them, and how they end."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from trimtab._version import __version__
from trimtab.cli._channels import channels
from trimtab.cli._cluster import cluster
from trimtab.cli._compress import compress
from trimtab.cli._data import data
from trimtab.cli._distill import distill
from trimtab.cli._doctor import doctor
from trimtab.cli._files import benchmark, export
from trimtab.cli._prune import prune
from trimtab.cli._prune_channels import prune_channels
from trimtab.cli._quantize_aware import quantize_aware
from trimtab.cli._recipes import report, run
from trimtab.cli._sensitivity import sensitivity
from trimtab.cli._sparsity import sparsity
from trimtab.cli._training import train
from trimtab.cli._tune import tune
from trimtab.errors import TrimtabError

__all__ = ["app", "main"]

app = typer.Typer(
    name="trimtab",
    help="Makes Keras 3 image classifiers small and fast, and proves it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_COMMANDS = (
    compress,
    run,
    train,
    tune,
    distill,
    prune,
    prune_channels,
    cluster,
    quantize_aware,
    channels,
    sparsity,
    sensitivity,
    doctor,
    export,
    benchmark,
    report,
    data,
)
for _command in _COMMANDS:
    app.command()(_command)


def main() -> None:
    """Runs the command line; an error that was raised on purpose is one line and exit code 2."""
    try:
        app(prog_name="trimtab")
    except TrimtabError as error:
        typer.echo(f"Error: {' '.join(str(error).split())}", err=True)
        sys.exit(2)
    except OSError as error:  # a file or folder that nobody foresaw trouble with
        typer.echo(f"Error: {error.filename or 'a file'}: {error.strerror or error}", err=True)
        sys.exit(2)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"trimtab {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    """Makes Keras 3 image classifiers small and fast, and proves it."""

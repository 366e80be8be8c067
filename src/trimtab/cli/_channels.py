"""`trimtab channels`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trimtab._quiet import import_backend
from trimtab.cli._options import Json, ModelFile
from trimtab.errors import ConfigError, TrimtabError

__all__ = ["channels"]


def channels(
    model: ModelFile,
    latency: Annotated[
        bool,
        typer.Option(
            "--latency", help="Also measure what halving each group saves in the int8 file: bytes and time."
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", dir_okay=False, help="Draw a picture too; ends in .png.")
    ] = None,
    json: Json = False,
) -> None:
    """Show which channels live and die together.

    Each group of layers that lose channels only together, what halving it would save, and why some may lose
    none.
    """
    import trimtab
    from trimtab._atomic import check_writable
    from trimtab.cli import _channel_tables
    from trimtab.progress import for_terminal

    if out is not None:
        if out.suffix != ".png":
            raise ConfigError(f"--out needs a name that ends in .png; received {out}.")
        check_writable(out)
    import_backend()
    from trimtab.channel_pruning import explain

    explanation = explain(trimtab.load_model(model), size=latency, latency=latency, progress=for_terminal())
    picture, failed = None, None
    try:
        picture = trimtab.reporting.draw_channels(explanation, out) if out is not None else None
    except TrimtabError as error:  # measuring may have taken long: it is shown whatever comes after it
        failed = error
    _channel_tables.show_channels(explanation, model, picture, as_json=json)
    if failed is not None:
        raise failed

"""`trimtab data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli._options import DataDir, Json, Limit, Seed, Size, load_images

__all__ = ["data"]


def data(
    source: Annotated[
        str, typer.Argument(help="digits, mnist, fashion_mnist, cifar10, or a folder, .npz or .zip.")
    ],
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet", help="Where the sheet of sample images goes. Default: NAME-samples.png, here."
        ),
    ] = None,
    data_dir: DataDir = None,
    size: Size = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Show what is in a data set.

    Classes, sizes, counts, and a sheet of sample images.
    """
    from trimtab.cli import _tables
    from trimtab.data import sample_sheet

    images = load_images(source, data_dir, size, limit, seed)
    target = sheet or Path(f"{images.name}-samples.png")
    sample_sheet(images, target)
    _tables.show_data(images, target, as_json=json)

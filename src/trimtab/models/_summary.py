"""A model's architecture as a plain-text table."""

from __future__ import annotations

import keras

from trimtab.models._counts import non_zeros, parameters
from trimtab.models._macs import LayerCost, macs_per_layer

__all__ = ["architecture_summary"]

_HEADS = ("Layer", "Kind", "Output", "Parameters", "MACs")


def architecture_summary(model: keras.Model) -> str:
    """Returns a table of the model's layers: output shape, parameters and multiply-accumulates of each.

    A layer that is called twice has two lines; its parameters stand in the first. ``?`` marks what cannot be
    told; a line below says why.

    Raises:
        ModelError: the model's graph cannot be followed.
    """
    costs = macs_per_layer(model)
    rows = [_HEADS, *(_row(cost) for cost in costs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    rule = "  ".join("-" * width for width in widths)
    lines = [_line(row, widths) for row in rows]
    known = sum(cost.macs or 0 for cost in costs)
    unknown = [cost for cost in costs if cost.macs is None]
    least = "at least " if unknown else ""
    return "\n".join(
        [
            f"Model {model.name}: {parameters(model):,} parameters ({non_zeros(model):,} not zero), "
            f"{least}{known:,} multiply-accumulates an image",
            "",
            lines[0],
            rule,
            *lines[1:],
            *([""] if unknown else []),
            *(f"{cost.name}: {cost.reason}" for cost in unknown),
            "",
        ]
    )


def _row(cost: LayerCost) -> tuple[str, ...]:
    """Writes one call of a layer as cells."""
    shape = "?" if cost.output_shape is None else "x".join(str(size or "?") for size in cost.output_shape)
    return cost.name, cost.kind, shape, f"{cost.parameters:,}", "?" if cost.macs is None else f"{cost.macs:,}"


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    """Sets cells side by side: words to the left, numbers to the right."""
    cells = [
        cell.rjust(width) if column >= 3 else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()

"""How the weights of a model came to share a few values, and what that is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.reporting._fields import Fields
from trimtab.reporting._formats import size

__all__ = ["Clustering", "LayerValues", "clustered", "read_clustering"]


@dataclass(frozen=True)
class LayerValues:
    """The different values in one weight of one layer.

    Attributes:
        size: how many numbers it holds.
        values: how many different ones there are, zero included.
        zeros: how many numbers are zero.
        bits: entropy in bits a number.
        error: root mean square of what clustering changed, over that of the weight; None where unknown.
    """

    name: str
    weight: str
    size: int
    values: int
    zeros: int
    bits: float | None
    error: float | None


@dataclass(frozen=True)
class Clustering:
    """How the weights came to share values.

    Attributes:
        clusters: how many values were asked for, zero included.
        init: where the centroids started.
        per: what has values of its own: ``"layer"`` or ``"channel"``.
        gradients: how gradients were shared.
        bits: entropy in bits a number, of all clustered weights.
        gzip_before: gzipped bytes of all weights before; None where they were too large to weigh.
        gzip_after: the same after.
    """

    layers: tuple[LayerValues, ...]
    clusters: int | None
    init: str
    per: str
    gradients: str
    bits: float | None
    gzip_before: int | None
    gzip_after: int | None

    @property
    def told(self) -> str:
        """Says how many values there are: "16 values a layer (3.78 bits a weight)"."""
        values = f"{self.clusters} values a {self.per}" if self.clusters else "shared values"
        return values + (f" ({self.bits:.2f} bits a weight)" if self.bits is not None else "")


def read_clustering(record: Fields) -> Clustering:
    """Reads how weights came to share values.

    Raises:
        RunError: the record holds something else.
    """
    return Clustering(
        layers=tuple(
            LayerValues(
                layer.text("name"),
                layer.text("weight"),
                layer.integer("size") or 0,
                layer.integer("clusters") or 0,
                layer.integer("zeros") or 0,
                layer.number("bits"),
                layer.number("error"),
            )
            for layer in record.objects("layers")
        ),
        clusters=record.integer("clusters"),
        init=record.text("init"),
        per=record.text("per", "layer"),
        gradients=record.text("gradients"),
        bits=record.number("bits"),
        gzip_before=record.integer("gzip_before"),
        gzip_after=record.integer("gzip_after"),
    )


def clustered(config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Says what shares values, and what that bought: "16 values a layer, gzip 393 kB → 64.5 kB"."""
    number, per = config.get("clusters"), config.get("per") or "layer"
    told = f"{number} values a {per}" if isinstance(number, int) else "shared values"
    before, after = record.get("gzip_before"), record.get("gzip_after")
    if isinstance(before, int) and isinstance(after, int):
        told += f", gzip of its weights {size(before)} → {size(after)}"
    return told

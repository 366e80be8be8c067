"""Reading a sensitivity scan: the record that the pruning room makes, in the report's own words."""

from __future__ import annotations

from trimtab.reporting._data import Number, Scan, ScanLayer, ScanPoint
from trimtab.reporting._fields import Fields

__all__ = ["read_scan"]


def read_scan(record: Fields) -> Scan:
    """Returns a scan from its record.

    Raises:
        RunError: the record holds something else.
    """
    return Scan(
        accuracy=_number(record, "accuracy", "low", "high"),
        loss=record.number("loss"),
        images=record.integer("images") or 0,
        granularity=record.text("granularity", "unstructured"),
        importance=record.text("importance", "magnitude"),
        layers=tuple(
            ScanLayer(
                layer.text("name"),
                layer.integer("size") or 0,
                tuple(
                    ScanPoint(
                        point.number("sparsity") or 0.0,
                        _number(point, "accuracy", "low", "high"),
                        _number(point, "change", "change_low", "change_high"),
                        point.number("loss"),
                    )
                    for point in layer.objects("points")
                ),
            )
            for layer in record.objects("layers")
        ),
    )


def _number(fields: Fields, value: str, low: str, high: str) -> Number | None:
    found = fields.number(value)
    return None if found is None else Number(found, fields.number(low), fields.number(high))

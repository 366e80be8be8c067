"""What `diagnose` hands back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trimtab._records import to_plain
from trimtab.doctor._finding import Finding
from trimtab.doctor._forecast import Forecast
from trimtab.doctor._outlook import Outlook

__all__ = ["Diagnosis"]

_SHOWN = 3  # layers told by name; all of them are in the data


@dataclass(frozen=True)
class Diagnosis:
    """What a model will let be done to it. `str()` makes a page of it.

    Args:
        model: the model's name.
        image_shape: (height, width, channels); None where the model leaves it open or takes several images.
        parameters: numbers in its weights.
        macs: multiply-accumulates of an image; None where they cannot be counted.
        outlooks: what each technique can do, and what it leaves alone.
        forecasts: size and latency of each scheme's file.
        findings: what is worth changing, the worst first.
        notes: what one must know to read the numbers rightly.
    """

    model: str
    image_shape: tuple[int, int, int] | None
    parameters: int
    macs: int | None
    outlooks: tuple[Outlook, ...]
    forecasts: tuple[Forecast, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Returns it as plain data, for a report."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @property
    def headline(self) -> str:
        """The model in a line."""
        size = "no fixed image size" if self.image_shape is None else "x".join(map(str, self.image_shape))
        macs = "MACs that cannot be counted" if self.macs is None else f"{self.macs:,} MACs"
        return f"{self.model}: {size}, {self.parameters:,} parameters, {macs}"

    @property
    def outlook_rows(self) -> list[list[str]]:
        """The outlooks as cells: technique, what it will do, what it leaves alone and why."""
        return [[row.technique, row.will, _left(row.left)] for row in self.outlooks]

    @property
    def forecast_rows(self) -> list[list[str]]:
        """The forecasts as cells: scheme, kB, gzip kB, ms an image (95 %), times as fast, or why not."""
        return [_forecast(row) for row in self.forecasts]

    @property
    def finding_lines(self) -> list[str]:
        """The findings, a paragraph each."""
        return [_finding(finding) for finding in self.findings]

    def __str__(self) -> str:
        lines = [f"Model {self.headline}", "", *_aligned(OUTLOOK_HEADS, self.outlook_rows), ""]
        lines += _aligned(FORECAST_HEADS, self.forecast_rows)
        lines += ["", *(self.finding_lines or [NO_FINDINGS]), "", *self.notes]
        return "\n".join(lines).rstrip() + "\n"


OUTLOOK_HEADS = ("technique", "will", "leaves alone")
FORECAST_HEADS = ("scheme", "kB", "gzip kB", "ms/image (95 %)", "faster", "why not")
NO_FINDINGS = "Nothing stands in the way."


def _named(layers: Sequence[str]) -> str:
    """Names the first layers of several."""
    more = f" and {len(layers) - _SHOWN} more" if len(layers) > _SHOWN else ""
    return ", ".join(layers[:_SHOWN]) + more


def _left(left: Sequence[tuple[str, str]]) -> str:
    """Says what is left alone, the layers of one reason together; the commonest reasons."""
    reasons: dict[str, list[str]] = {}
    for layer, why in left:
        reasons.setdefault(why, []).append(layer)
    told = sorted(reasons.items(), key=lambda item: -len(item[1]))
    parts = [f"{_named(layers)}: {why}" for why, layers in told[:_SHOWN]]
    return "; ".join(parts) + (f"; {len(told) - _SHOWN} other reasons" if len(told) > _SHOWN else "")


def _forecast(row: Forecast) -> list[str]:
    """Writes a scheme as cells."""
    time, faster = row.latency, row.speed_up
    taken = "-"
    if time is not None and time.value is not None:
        limits = "" if time.low is None or time.high is None else f" ({time.low:.3g} to {time.high:.3g})"
        taken = f"{time.value:.3g}{limits}"
    return [
        row.scheme,
        *("-" if count is None else f"{count / 1000:,.1f}" for count in (row.bytes, row.gzip_bytes)),
        taken,
        "-" if faster is None or faster.value is None else f"{faster.value:.2f}x",
        row.reason or "",
    ]


def _finding(finding: Finding) -> str:
    """Writes a finding as a paragraph."""
    where = f" ({_named(finding.layers)})" if finding.layers else ""
    parts = [f"{finding.severity}: {finding.name}{where}: {finding.what}", finding.cost, finding.remedy]
    return " ".join(part for part in parts if part)


def _aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Sets cells in columns, all to the left."""
    every = [list(heads), *map(list, rows)]
    widths = [max(len(row[column]) for row in every) for column in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in every
    ]
    widths[-1] = len(heads[-1])
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]

"""Which layer hurts: each layer a row, each level a column, and the accuracy lost as the shade."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab._records import to_plain
from trimtab.errors import ConfigError, RunError
from trimtab.reporting import _formats as formats
from trimtab.reporting._chart import Cell, Chart, Heat
from trimtab.reporting._data import ReportData, Scan, ScanLayer, ScanPoint
from trimtab.reporting._fields import Fields
from trimtab.reporting._quantization_map import quantization_map, quantization_title
from trimtab.reporting._quantization_scan import is_quantization_scan, read_quantization_scan
from trimtab.reporting._scan import read_scan

if TYPE_CHECKING:
    from trimtab.pruning import Sensitivity
    from trimtab.quantization import QuantizationSensitivity

__all__ = ["draw_sensitivity", "sensitivity_map", "sensitivity_maps"]

_LEAST_END = 5.0  # points; a scale that ended earlier would paint noise in strong colours
_LONGEST = 26  # letters of a layer's name
_TITLE = "Accuracy lost when a single layer is pruned"


def draw_sensitivity(
    sensitivity: Sensitivity | QuantizationSensitivity | Mapping[str, Any],
    path: str | Path,
    title: str = "",
) -> Path:
    """Draws a sensitivity scan as a picture: which layers can be pruned or quantized, and which hurt.

    A scan of pruning becomes a table whose shade is the accuracy lost. Of a scan of quantization each layer
    is a row: its dot says how noisy the outputs are where it alone is quantized, the open one how noisy they
    are where all others are. The layers that make half of the noise are marked.

    Args:
        sensitivity: what `trimtab.pruning.sensitivity` or `trimtab.quantization.sensitivity` returned, or its
            record as plain data.
        path: the PNG file to write.
        title: the picture's title; by default it says what is seen.

    Returns:
        The path of the picture.

    Raises:
        ConfigError: the file's name does not end in ``.png`` (in small or large letters).
        RunError: the record is not that of a scan.
        OutputError: the file cannot be written.

    Example:
        >>> trimtab.reporting.draw_sensitivity(trimtab.pruning.sensitivity(model, data), "sensitivity.png")
    """
    from trimtab.reporting._canvas import write_png
    from trimtab.reporting._png import draw

    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ConfigError(f"The picture is a PNG file, but its name is {path.name!r}. End it in .png.")
    return write_png(draw(_chart_of(sensitivity, title)), path)


def _chart_of(sensitivity: Any, title: str) -> Chart:
    """Returns a scan as a chart; raises `RunError` where it is something else, or has nothing to draw."""
    needed = (
        "Give what trimtab.pruning.sensitivity or trimtab.quantization.sensitivity returned, or the content "
        "of a run's sensitivity.json."
    )
    try:
        record = to_plain(sensitivity)
    except TypeError:
        record = None
    if not isinstance(record, dict):
        raise RunError(f"The sensitivity record is a {type(sensitivity).__name__}, and not a scan. {needed}")
    fields = Fields(record, "the sensitivity record")
    if is_quantization_scan(record):
        noise = read_quantization_scan(fields)
        if any(layer.alone.sqnr_db is not None for layer in noise.layers):
            return quantization_map(noise, "sensitivity", title or quantization_title(noise.scheme))
    else:
        scan = read_scan(fields)
        if any(layer.points for layer in scan.layers):
            return sensitivity_map(scan, "sensitivity", title or _TITLE)
    raise RunError(f"The sensitivity record holds no layer that was measured. {needed}")


def sensitivity_maps(data: ReportData) -> tuple[Heat, ...]:
    """Returns the map of each scan of a run."""
    scans = [(step, step.scan) for step in data.steps if step.scan is not None and step.scan.layers]
    made = []
    for step, scan in scans:
        whose = f" of {step.source}" if step.source else ""
        title = f"Accuracy lost when a single layer{whose} is pruned"
        made.append(sensitivity_map(scan, f"sensitivity_{step.name}", title))
    return tuple(made)


def sensitivity_map(scan: Scan, key: str, title: str) -> Heat:
    """Returns a scan as a heat map: percentage points of accuracy, one row for each layer.

    Args:
        scan: what was measured.
        key: name of the picture's file, without its ending.
        title: of the picture.
    """
    lost = [max(-p.change.value, 0.0) for layer in scan.layers for p in layer.points if p.change is not None]
    whole = scan.accuracy
    between = f" ({formats.interval(whole, 100)})" if whole is not None and whole.interval else ""
    measured = f"{formats.percent(whole.value if whole else None)}{between} on {scan.images:,}"
    return Heat(
        key=key,
        title=title,
        alt=_alt(scan, title),
        subtitle=f"Whole model: {measured} validation images; bold: more than chance",
        rows=tuple((_shortened(layer.name), formats.count(layer.size)) for layer in scan.layers),
        columns=tuple(_level(level) for level in scan.levels),
        cells=tuple(tuple(_cell(layer, layer.at(level)) for level in scan.levels) for layer in scan.layers),
        x_title=f"Share of the layer's weights set to zero ({_how(scan)}, no training)",
        y_title="Layer · weights",
        scale_title="accuracy lost (points)",
        end=max(100 * max(lost, default=0.0), _LEAST_END),
    )


def _cell(layer: ScanLayer, point: ScanPoint) -> Cell:
    """Returns the cell of one layer at one level."""
    if point.change is None or point.accuracy is None:
        return Cell("", None, False, ())
    interval = point.change.interval
    strong = interval is not None and interval[1] < 0
    between = formats.interval(point.accuracy, 100)
    hover = [
        f"{layer.name}, {_level(point.level)} of {layer.size:,} weights zero",
        f"accuracy {formats.percent(point.accuracy.value)}" + (f" ({between})" if between else ""),
        f"{formats.points(point.change.value)} points"
        + (f" ({formats.interval(point.change, 100)})" if interval else ""),
    ]
    if point.loss is not None:
        hover.append(f"loss {point.loss:.3f}")
    return Cell(formats.points(point.change.value), max(-100 * point.change.value, 0.0), strong, tuple(hover))


def _alt(scan: Scan, title: str) -> str:
    """Says the most telling cells in words."""
    worst = sorted(
        ((p.change.value, layer.name, p.level) for layer in scan.layers for p in layer.points if p.change),
    )[:3]
    told = "; ".join(
        f"{name} at {_level(level)}: {formats.points(lost)} points" for lost, name, level in worst
    )
    accuracy = formats.percent(scan.accuracy.value if scan.accuracy else None)
    return f"{title}. The whole model has {accuracy}. It hurts most in: {told or 'nothing'}."


def _how(scan: Scan) -> str:
    """Says which weights went."""
    by = {"magnitude": "smallest first", "random": "at random"}.get(scan.importance, f"by {scan.importance}")
    return by if scan.granularity == "unstructured" else f"{scan.granularity}, {by}"


def _level(level: float) -> str:
    return f"{100 * level:.4g} %"


def _shortened(name: str) -> str:
    """Returns a long name without its beginning: layers inside blocks differ at the end."""
    return name if len(name) <= _LONGEST else "…" + name[1 - _LONGEST :]

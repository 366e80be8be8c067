"""The page itself: collected data and charts, put into one HTML file that needs nothing from outside."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from trimtab._version import __version__
from trimtab.reporting import _formats as formats
from trimtab.reporting._aware_section import aware_sections
from trimtab.reporting._behaviour_chart import Panels
from trimtab.reporting._behaviour_section import behaviour_section
from trimtab.reporting._channel_section import channel_sections
from trimtab.reporting._channel_words import reasons
from trimtab.reporting._chart import Bars, Chart, Curves, Dots, Heat, Matrix, Scatter
from trimtab.reporting._clustering_section import clustering_sections, side_by_side
from trimtab.reporting._columns import MORE
from trimtab.reporting._compression_section import compression_section
from trimtab.reporting._curves import curve_steps
from trimtab.reporting._data import ReportData, Scan, Step
from trimtab.reporting._distillation_section import distillation_sections
from trimtab.reporting._plotly import figure
from trimtab.reporting._quantization_section import quantization_sections
from trimtab.reporting._table import cells, shown_columns
from trimtab.reporting._trials_chart import Parallel
from trimtab.reporting._tuning_section import tuning_sections

__all__ = ["page"]

_PARITY = (
    ("images", "images compared"),
    ("top1_agreement", "same class chosen"),
    ("max_error", "largest output error"),
    ("mean_error", "mean output error"),
    ("error_limit", "error allowed"),
    ("weight_bytes", "weights in the file"),
    ("expected_weight_bytes", "weights expected"),
)


@dataclass(frozen=True)
class _Drawn:
    """A chart on the page: where it is drawn, and its picture for print and for browsers without scripts."""

    key: str
    title: str
    alt: str
    png: str
    wide: bool


def page(data: ReportData, drawn: tuple[Chart, ...]) -> str:
    """Returns the report as HTML. Everything from the run is escaped: names and titles are not trusted."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_part),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=formats.percent,
        size=formats.size,
        count=formats.count,
        seconds=formats.seconds,
        share=formats.share,
        reasons=reasons,
        unbroken=_unbroken,
    )
    payload = _json({chart.key: figure(chart) for chart in drawn})
    columns, more = shown_columns(data), shown_columns(data, MORE)
    style, script = _part("report.css"), _part("report.js")
    if data.compression is not None:
        style, script = style + _part("compression.css"), script + _part("front.js")
    return environment.get_template("report.html.j2").render(
        data=data,
        style=style,
        script=script,
        payload=payload,
        # Only scripts that carry this word may run. Nobody can guess it who writes into the run: it depends
        # on everything that the page says.
        nonce=hashlib.sha256((payload + script + data.headline + repr(data)).encode()).hexdigest()[:32],
        charts={_place(chart): _on_page(chart) for chart in drawn},
        columns=columns,
        table=[(row, cells(data, row, columns)) for row in data.rows],
        more_columns=more,
        more_table=[(row, cells(data, row, more)) for row in data.rows],
        parity=_parity_table(data),
        scans=[_scan_table(data, step, step.scan) for step in data.steps if step.scan and step.scan.layers],
        aware=aware_sections(data),
        clustered=clustering_sections(data),
        sharing=side_by_side(data),
        quantized=quantization_sections(data),
        tuned=tuning_sections([step.tuning for step in data.steps if step.tuning is not None]),
        pruned_channels=channel_sections(data),
        taught=distillation_sections(data),
        behaviour=behaviour_section(data),
        search=compression_section(data),
        curve_names=[step.name for step in curve_steps(data)],
        curves_cut=any(isinstance(chart, Curves) and chart.cut for chart in drawn),
        curves_taught=any(step.distillation is not None for step in curve_steps(data)),
        untimed=_untimed(data, drawn),
        facts=_facts(data),
        machine=_mapping(data.machine),
        versions=_mapping(data.versions),
        settings=_mapping(data.settings),
        pngs={"mistakes": "plots/worst_mistakes.png", "changed": "plots/changed_answers.png"},
        version=data.version or __version__,
        describe_config=_config,
    )


def _untimed(data: ReportData, drawn: tuple[Chart, ...]) -> bool:
    """Says whether Keras models were timed that the chart of latencies leaves out."""
    shown = sum(
        len(chart.points)
        for chart in drawn
        if isinstance(chart, Scatter) and chart.key == "accuracy_against_latency"
    )
    return 0 < shown < sum(row.value("latency_ms") is not None for row in data.rows)


def _unbroken(text: str) -> str:
    """Keeps numbers with their units, and intervals, on one line."""
    spaced = r"(?<=[\d<=]) (?=[\d%BGMk])|(?<=\d) (?=ms\b|points\b)|(?<=\bp) (?=[<=])"
    return re.sub(r"(?<=\d)–(?=\d)", "\u2060–\u2060", re.sub(spaced, "\u00a0", text))


def _part(name: str) -> str:
    return files("trimtab.reporting").joinpath(name).read_text(encoding="utf-8")


def _json(content: Any) -> str:
    """Returns JSON that cannot end the script element it stands in."""
    text = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _place(chart: Chart) -> str:
    """Returns the name by which the template asks for a chart; the matrix's file name has a date in it."""
    return "confusion_matrix" if isinstance(chart, Matrix) else chart.key


def _on_page(chart: Chart) -> _Drawn:
    always = Matrix | Heat | Dots | Panels | Parallel
    wide = isinstance(chart, always) or (isinstance(chart, Bars) and len(chart.labels) > 12)
    return _Drawn(chart.key, chart.title, chart.alt, f"plots/{chart.key}.png", wide)


def _scan_table(data: ReportData, step: Step, scan: Scan) -> dict[str, Any]:
    """Returns what a sensitivity scan measured as text, with the targets that were made of it."""
    taken = [other for other in data.steps if other.config.get("targets") == step.name and other.layers]
    rows = []
    for layer in scan.layers:
        points = [layer.at(level) for level in scan.levels]
        measured = [
            (formats.percent(p.accuracy.value if p.accuracy else None), formats.interval(p.accuracy, 100))
            for p in points
        ]
        targets = [
            next((row.asked for row in other.layers if row.name == layer.name), None) for other in taken
        ]
        rows.append((layer.name, f"{layer.size:,}", measured, [formats.percent(each) for each in targets]))
    return {
        "name": step.name,
        "source": step.source or "the model",
        "chart": f"sensitivity_{step.name}",
        "images": f"{scan.images:,}",
        "levels": [f"{100 * level:.4g} %" for level in scan.levels],
        "targets": [other.name for other in taken],
        "rows": rows,
    }


def _parity_table(data: ReportData) -> dict[str, Any]:
    """Returns headers and rows of the parity checks: what was compared, and how near each file came."""
    checked = [(step.name, step.file) for step in data.steps if step.file is not None]
    if data.compression is not None:
        checked += data.compression.proofs
    keys = [(key, header) for key, header in _PARITY if any(key in file.parity for _, file in checked)]
    rows = []
    for name, file in checked:
        values = [_parity_value(key, file.parity.get(key)) for key, _ in keys]
        passed = file.parity.get("passed")
        verdict = "passed" if passed is True else "not recorded" if passed is None else "failed"
        detail = str(file.parity.get("reason") or "")
        if diverging := file.parity.get("first_diverging_layer"):
            detail = f"{detail} first layer that differs: {diverging}".strip()
        rows.append(
            (name, file.scheme, formats.size(file.bytes), values, verdict, detail, file.sha256, file.path)
        )
    return {"headers": [header for _, header in keys], "rows": rows}


def _parity_value(key: str, value: Any) -> str:
    if isinstance(value, list) and len(value) == 2:
        return f"{formats.size(value[0])} to {formats.size(value[1])}"
    if not isinstance(value, int | float) or isinstance(value, bool):
        return formats.NOTHING
    if key == "top1_agreement":
        return formats.percent(value, 2)
    if key.endswith("_bytes"):
        return formats.size(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.2g}"


def _facts(data: ReportData) -> list[tuple[str, str]]:
    """Returns what one needs to repeat the run, as pairs of words."""
    about = data.data
    shape = about.get("image_shape")
    sizes = ", ".join(f"{sum(counts):,} {part}" for part, counts in data.counts.items())
    facts = [
        ("Seed", "" if data.seed is None else str(data.seed)),
        ("Data", str(about.get("name", ""))),
        ("From", str(about.get("origin", ""))),
        (
            "Images",
            " × ".join(map(str, shape)) + (f"; {sizes}" if sizes else "")
            if isinstance(shape, list)
            else sizes,
        ),
        ("Data digest", str(about.get("digest", ""))),
        ("Begun", _moment(data.created)),
        ("Finished", _moment(data.finished or "")),
        ("Time taken", formats.seconds(data.seconds) if data.seconds is not None else ""),
        ("Trimtab", data.version),
    ]
    return [(name, value) for name, value in facts if value]


def _moment(stamp: str) -> str:
    """Returns a time stamp without its fraction of a second."""
    return stamp.replace("T", " ")[:19] + (" UTC" if stamp.endswith(("Z", "+00:00")) else "")


def _mapping(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns a record as pairs of words; memory as bytes a person can read."""
    pairs = []
    for key, value in content.items():
        if value in (None, "", [], {}):
            continue
        words = str(key).replace("_", " ").removesuffix(" bytes")
        if (
            ("memory" in words or str(key).endswith("_bytes"))
            and isinstance(value, int | float)
            and not isinstance(value, bool)
        ):
            pairs.append((words, formats.size(value)))
        elif isinstance(value, bool):
            pairs.append((words, "yes" if value else "no"))
        elif isinstance(value, list | tuple):
            pairs.append((words, ", ".join(map(str, value))))
        elif isinstance(value, Mapping):
            pairs.append((words, ", ".join(f"{name} {item}" for name, item in value.items())))
        else:
            pairs.append((words, str(value)))
    return pairs


def _config(step: Step) -> str:
    """Returns a step's settings on one line, those left at nothing omitted."""
    return ", ".join(f"{key} {value}" for key, value in _mapping(step.config))

"""Which layer hurts, as the report shows it: collected, drawn on the page, drawn alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trimtab.errors import ConfigError, OutputError, RunError
from trimtab.reporting import collect, draw_sensitivity, report
from trimtab.reporting._chart import Cell, Heat
from trimtab.reporting._charts import charts
from trimtab.reporting._page import page
from trimtab.reporting._plotly import figure

LAYERS = ("conv2d", "conv2d_1", "conv2d_2", "dense")


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory, fake_run: ModuleType) -> Path:
    """A fake run with a scan, and its report."""
    folder = Path(fake_run.write_run(tmp_path_factory.mktemp("scanned") / "run", layers=LAYERS))
    report(folder)
    return folder


def heat(folder: Path) -> Heat:
    """The chart of the scan."""
    return next(chart for chart in charts(collect(folder)) if isinstance(chart, Heat))


def test_the_scan_is_read_back(scanned: Path) -> None:
    step = collect(scanned).step("scan")
    assert step is not None
    assert step.scan is not None
    assert step.did == "each layer of best pruned alone, without training, and measured on validation images"
    assert [layer.name for layer in step.scan.layers] == list(LAYERS)
    assert step.scan.levels == (0.25, 0.5, 0.75, 0.9, 0.95)
    assert step.scan.accuracy is not None
    assert step.scan.accuracy.interval == (0.9031, 0.9275)
    assert step.layers == ()  # nothing was pruned for good


def test_each_layer_is_a_row_and_each_level_a_column(scanned: Path) -> None:
    chart = heat(scanned)
    assert chart.key == "sensitivity_scan"
    assert chart.rows[0] == ("conv2d", "288")
    assert chart.columns == ("25 %", "50 %", "75 %", "90 %", "95 %")
    first, last = chart.cells[0], chart.cells[-1]
    assert first[4].text == "−81.2"
    assert first[4].strong
    assert last[0] == Cell("±0.0", 0.0, False, last[0].hover)
    assert chart.cells[2][0].text == "+0.1"
    assert chart.cells[2][0].value == 0  # what got better is not painted as a loss
    assert "91.6 % (90.3–92.8) on 2,000 validation images" in chart.subtitle
    assert "conv2d, 95 % of 288 weights zero" in first[4].hover
    assert "conv2d at 95 %: −81.2 points" in chart.alt


def test_the_shade_grows_with_the_loss_and_small_losses_show(scanned: Path) -> None:
    chart = heat(scanned)
    shades = [chart.shade(value) for value in (0.0, 1.0, 3.0, 10.0, chart.end, 2 * chart.end)]
    assert shades == sorted(shades)
    assert shades[1] > 0.1
    assert shades[-2:] == [1.0, 1.0]
    assert chart.ticks[0] == 0
    assert list(chart.ticks) == sorted(set(chart.ticks))
    assert chart.ticks[-1] <= chart.end
    assert {chart.ink(cell) for line in chart.cells for cell in line} == {"#ffffff", "#1f2430"}


def test_noise_alone_is_painted_pale(tmp_path: Path, fake_run: ModuleType) -> None:
    folder = fake_run.write_run(tmp_path / "run", layers=("a", "b", "c", "d", "e", "f", "g", "h")[4:])
    path = folder / "steps/scan/sensitivity.json"
    record = json.loads(path.read_text())
    for layer in record["layers"]:
        for point in layer["points"]:
            point["change"] = -0.002
    path.write_text(json.dumps(record))
    chart = heat(folder)
    assert max(chart.shade(cell.value or 0) for line in chart.cells for cell in line) < 0.25


def test_the_page_has_chart_table_and_targets(scanned: Path) -> None:
    text = (scanned / "report.html").read_text()
    section = text[text.index('<section id="sensitivity"') : text.index('<section id="comparison"')]
    for part in ('data-chart="sensitivity_scan"', "2,000 validation images", "of pruned", "80.0 %", "288"):
        assert part in section
    assert '<a href="#sensitivity">' in text
    with Image.open(scanned / "plots" / "sensitivity_scan.png") as image:
        assert min(image.size) > 300


def test_without_a_scan_there_is_no_section(shared_run: Path) -> None:
    data = collect(shared_run)
    assert 'id="sensitivity"' not in page(data, charts(data))


def test_the_figure_is_valid_plotly(scanned: Path) -> None:
    from plotly.graph_objects import Figure

    made = figure(heat(scanned))
    assert len(Figure(made).data) == 1
    numbers = [note["text"] for note in made["layout"]["annotations"]]
    assert len(numbers) == 20
    assert "<b>−81.2</b>" in numbers


def test_the_browser_draws_it(scanned: Path, open_page: Callable[..., Any]) -> None:
    for width, scheme in ((1200, "dark"), (400, "light")):
        seen = open_page(scanned / "report.html", width, scheme)
        assert seen.get_log("browser") == []
        drawn = seen.execute_script(
            "const c = document.querySelector('[data-chart=sensitivity_scan]');"
            "return [c.querySelectorAll('.annotation-text').length, c.querySelectorAll('.hm image').length]"
        )
        assert drawn == [20, 1]
        assert seen.execute_script("return document.documentElement.scrollWidth") <= width


test_the_browser_draws_it = pytest.mark.browser(test_the_browser_draws_it)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(layers=3),
        lambda record: record["layers"][0].update(points=["x"]),
        lambda record: record["layers"][0]["points"][0].update(change="much"),
        lambda record: record.update(images="many"),
    ],
)
def test_a_damaged_scan_is_one_clear_line(
    tmp_path: Path, fake_run: ModuleType, change: Callable[[dict[str, Any]], None]
) -> None:
    folder = fake_run.write_run(tmp_path / "run", layers=LAYERS)
    path = folder / "steps/scan/sensitivity.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"sensitivity\.json.* was needed"):
        collect(folder)


def test_missing_numbers_leave_cells_empty(tmp_path: Path, fake_run: ModuleType) -> None:
    folder = fake_run.write_run(tmp_path / "run", layers=LAYERS)
    path = folder / "steps/scan/sensitivity.json"
    record = json.loads(path.read_text())
    record["layers"][0]["points"] = record["layers"][0]["points"][:2]
    record["layers"][1]["points"][0]["change"] = None
    for name in ("accuracy", "low", "high", "loss"):
        del record[name]
    path.write_text(json.dumps(record))
    assert report(folder).is_file()
    assert heat(folder).cells[0][4] == Cell("", None, False, ())


def test_it_is_drawn_alone(tmp_path: Path, fake_run: ModuleType) -> None:
    hostile = ("</b><script>", "$x^2$", "衬衫", "a/" * 80, "", "é\nx")
    for number, layers in enumerate((("dense",), hostile, tuple(f"layer_{n}" for n in range(70)))):
        path = draw_sensitivity(fake_run.scan_record(layers), tmp_path / f"{number}.png")
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert np.asarray(image.convert("L")).std() > 5
            heights = image.height
    assert heights > 2500  # seventy layers still have a readable line each


def test_what_sensitivity_returns_is_drawn(tmp_path: Path) -> None:
    from trimtab.pruning import LayerSensitivity, Sensitivity, SensitivityPoint

    point = SensitivityPoint(0.5, 10, 0.7, 0.6, 0.8, -0.2, -0.3, -0.1, 1.5)
    layer = LayerSensitivity("dense", 20, 1.0, (point,))
    found = Sensitivity(0.9, 0.85, 0.95, 0.3, 100, "2:4", "taylor", (layer,))
    assert draw_sensitivity(found, tmp_path / "deep" / "x.PNG").is_file()


def test_bad_pictures_are_refused(tmp_path: Path, fake_run: ModuleType) -> None:
    record = fake_run.scan_record(("dense",))
    with pytest.raises(ConfigError, match=r"'x\.pdf'\. End it in \.png"):
        draw_sensitivity(record, tmp_path / "x.pdf")
    with pytest.raises(RunError, match="the sensitivity record: 'layers' is 'none'"):
        draw_sensitivity({"layers": "none"}, tmp_path / "x.png")
    for nothing in ({}, {"layers": []}, {"layers": [{"name": "a"}]}, {"kind": "run"}):
        with pytest.raises(RunError, match="holds no layer that was measured"):
            draw_sensitivity(nothing, tmp_path / "x.png")
    for other in (object(), 3, "scan.json", [record], None):
        with pytest.raises(RunError, match=f"is a {type(other).__name__}, and not a scan") as caught:
            draw_sensitivity(other, tmp_path / "x.png")
        assert "\n" not in str(caught.value)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        draw_sensitivity(record, tmp_path / "file" / "x.png")

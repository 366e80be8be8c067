"""Which layer hurts when quantized, as the report shows it: read back, drawn, told in words."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trimtab.errors import RunError
from trimtab.reporting import collect, draw_sensitivity
from trimtab.reporting._chart import Dots
from trimtab.reporting._charts import charts
from trimtab.reporting._fields import Fields
from trimtab.reporting._page import page
from trimtab.reporting._plotly import figure
from trimtab.reporting._quantization_map import quantization_map
from trimtab.reporting._quantization_scan import QuantizationScan, read_mixed, read_quantization_scan
from trimtab.reporting._quantization_section import quantization_sections
from trimtab.reporting._told import told


def read(record: dict[str, Any]) -> QuantizationScan:
    """A scan of its record."""
    return read_quantization_scan(Fields(record, "scan"))


def drawn(record: dict[str, Any]) -> Dots:
    """The chart of a record."""
    return quantization_map(read(record), "sensitivity", "Noise")


@pytest.fixture
def again(few_bits: Path, tmp_path: Path) -> Path:
    """A copy of the run, to change."""
    return Path(shutil.copytree(few_bits, tmp_path / "run"))


def test_the_scan_is_read_back(few_bits: Path, fake_quantization: ModuleType) -> None:
    step = collect(few_bits).step("scan")
    assert step is not None
    assert step.scan is None  # that would be one of pruning
    assert step.quantization is not None
    assert [layer.name for layer in step.quantization.layers] == list(fake_quantization.LAYERS)
    assert step.quantization.scheme == "int4"
    assert step.quantization.layers[1].alone.accuracy is not None
    assert step.quantization.layers[1].alone.accuracy.interval == pytest.approx((0.8808, 0.9048), abs=1e-3)
    assert step.mixed is not None
    assert step.mixed.keep_float == ("conv_1", "logits")
    assert step.remarks == ()


def test_what_a_scan_does_is_told() -> None:
    config = {"scheme": "int8", "levels": [0.5], "max_drop": None}
    assert told("sensitivity", "a", config, {}) == (
        "each layer of a quantized alone and all but it (int8), measured on validation images"
    )
    assert told("sensitivity", "a", {**config, "max_drop": 0.005}, {}).endswith(
        "; then the fewest layers kept float that lose at most 0.5 points"
    )
    assert told("sensitivity", "a", {"scheme": None}, {}).startswith("each layer of a pruned alone")


def test_the_worst_layers_make_half_of_the_noise(fake_quantization: ModuleType) -> None:
    def worst(*alone: float) -> list[str]:
        names = tuple(f"l{number}" for number in range(len(alone)))
        return [layer.name for layer in read(fake_quantization.scan_record(names, alone)).worst]

    assert worst(30.0, 10.0, 28.0) == ["l1"]
    assert worst(20.0, 20.1, 20.2, 40.0) == ["l0", "l1"]
    assert len(worst(*[20.0] * 30)) == 5  # noise that is everywhere is not pinned on a crowd
    assert worst(200.0, 200.0) == []


def test_each_layer_is_a_row_beside_the_whole_model(fake_quantization: ModuleType) -> None:
    chart = drawn(fake_quantization.scan_record())
    assert chart.reference is not None
    assert chart.reference[1] == pytest.approx(11.9, abs=0.1)
    assert [row.marked for row in chart.rows].index(True) == 1
    hurts = chart.rows[1]
    assert hurts.label == "conv_1 · 288"
    assert hurts.values == pytest.approx((14.1, 16.0), abs=0.05)
    assert hurts.told == "alone 14.1 dB, −2.3 points"
    assert chart.rows[0].label == "input"  # it has no weights
    assert "a tensor that is rounded" in chart.rows[0].hover[0]
    assert "conv_1 14.1 dB" in chart.alt
    assert (
        "All layers int4: 11.9 dB, 87.8 % of 2,000 validation images right; float: 91.6 %" in chart.subtitle
    )
    low, high = chart.x_range
    assert low < 11.9 < 46.2 < high


def test_a_long_name_keeps_its_block_and_its_layer(fake_quantization: ModuleType) -> None:
    names = tuple(f"model/block_{number}/{'long_' * 9}conv" for number in (1, 2))
    first, second = (row.name for row in drawn(fake_quantization.scan_record(names)).rows)
    assert first == "model/block_1/l…_long_long_long_conv"
    assert len(first) == 36
    assert second.startswith("model/block_2/")


def test_what_makes_no_noise_has_no_dot(fake_quantization: ModuleType) -> None:
    chart = drawn(fake_quantization.scan_record(("a", "b"), (200.0, 20.0)))
    assert chart.rows[0].values == (None, pytest.approx(20.0))
    assert chart.rows[1].values == (pytest.approx(20.0), None)
    assert chart.x_range[1] < 40
    assert "alone: no noise" in chart.rows[0].hover[1]
    # Images of whole numbers are rounded to themselves: what is left is float32's own noise, off every scale.
    exact = drawn(fake_quantization.scan_record(("images", "b", "c"), (131.6, 20.0, 24.0)))
    assert exact.rows[0].values[0] is None
    assert exact.x_range[1] < 40
    silent = drawn(fake_quantization.scan_record(("a",), (200.0,)))
    assert silent.reference is None
    assert figure(silent)["data"] == []


def test_the_figure_is_valid_plotly(fake_quantization: ModuleType) -> None:
    from plotly.graph_objects import Figure

    made = figure(drawn(fake_quantization.scan_record()))
    names = [trace.name for trace in Figure(made).data if trace.name]
    assert names == [
        "all layers quantized",
        "all but this one",
        "only this one quantized",
        "only this one: the noisiest",
    ]
    assert made["layout"]["yaxis"]["ticktext"][1].strip() == "<b>conv_1 · 288</b>"


def test_it_is_drawn_alone(tmp_path: Path, fake_quantization: ModuleType) -> None:
    hostile = ("</b><script>", "$x^2$", "衬衫", "a/" * 80, "", "é\nx")
    heights = []
    for number, layers in enumerate((("dense",), hostile, tuple(f"layer_{n}" for n in range(60)))):
        path = draw_sensitivity(fake_quantization.scan_record(layers), tmp_path / f"{number}.png")
        with Image.open(path) as image:
            assert np.asarray(image.convert("L")).std() > 5
            heights.append(image.height)
    assert heights[0] < 500
    assert heights[2] > 2500  # sixty layers still have a readable line each


def test_what_sensitivity_returns_is_drawn(tmp_path: Path, fake_quantization: ModuleType) -> None:
    from trimtab.quantization import QuantizationSensitivity

    found = QuantizationSensitivity.from_record(fake_quantization.scan_record())
    assert draw_sensitivity(found, tmp_path / "x.png").is_file()
    with pytest.raises(RunError, match="holds no layer that was measured"):
        draw_sensitivity(dataclasses.replace(found, layers=()), tmp_path / "x.png")


def test_the_page_has_chart_table_and_choice(few_bits: Path) -> None:
    text = (few_bits / "report.html").read_text()
    section = text[text.index('<section id="quantization"') : text.index('<section id="comparison"')]
    for part in (
        'data-chart="quantization_scan"',
        "All layers int4",
        "2 layers kept float bring it back",
        "Float: conv_1 and logits.",
        "interval of the loss −0.1 to 0.8",
        "more in a file",
        "4 choices tried",
        "scale_by_two",
        "88.1\u2060–\u206090.5",
    ):
        assert part in section, part
    assert '<a href="#quantization">' in text
    assert (few_bits / "plots/quantization_scan.png").is_file()


def test_without_a_scan_there_is_no_section(shared_run: Path) -> None:
    data = collect(shared_run)
    assert 'id="quantization"' not in page(data, charts(data))


@pytest.mark.parametrize(
    ("change", "title", "part"),
    [
        ({"keep_float": []}, "No layer needs to stay float", "All layers int4: 91.3 % of 2,000"),
        ({"met": False}, "No choice of float layers brings the accuracy back", "even so more than the 0.5"),
        ({"keep_float": ["a"]}, "One layer kept float brings it back", "Float: a. With them"),
        ({"drop_low": None, "parameters": None}, "2 layers kept float bring it back", "(−0.4 points)"),
    ],
)
def test_the_choice_in_words(
    few_bits: Path, fake_quantization: ModuleType, change: dict[str, Any], title: str, part: str
) -> None:
    data = collect(few_bits)
    found = read_mixed(Fields({**fake_quantization.mixed_record(), **change}, "mixed"))
    steps = tuple(dataclasses.replace(s, mixed=found) if s.name == "scan" else s for s in data.steps)
    section = quantization_sections(dataclasses.replace(data, steps=steps))[0]["mixed"]
    assert section["title"] == title
    assert part in section["told"]


def test_the_choice_that_was_taken_is_named(few_bits: Path) -> None:
    tried = quantization_sections(collect(few_bits))[0]["mixed"]["tried"]
    assert [(names, enough, chosen) for names, _, _, enough, chosen in tried] == [
        ("none", "no", False),
        ("conv_1", "no", False),
        ("conv_1, logits", "yes", True),
        ("logits", "no", False),
    ]


def test_a_file_says_how_it_was_made(few_bits: Path) -> None:
    data = collect(few_bits)
    mixed, repaired, aware = (data.step(name) for name in ("mixed-int4", "trained-int4", "aware-int4"))
    assert mixed is not None
    assert repaired is not None
    assert aware is not None
    assert mixed.did == "trained as int4 file, the layers that scan found kept float"
    assert ("kept float", "conv_1, logits") in mixed.remarks
    assert ("ranges", "that hold 99.99 % of the numbers seen") in mixed.remarks
    repair = ("biases corrected", "yes: mean error on the validation images 1.31 to 0.62")
    assert repair in repaired.remarks
    assert repaired.notes == ()  # it says the same
    assert ("ranges", "those that it was trained with") in aware.remarks
    assert ("slimmed", "61.6 kB to 57.0 kB (−7.4 %), names and padding left out") in aware.remarks
    assert told("export", "a", {"scheme": "int8", "keep_float": ["x", "y"]}, {}) == (
        "a as int8 file, x and y kept float"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.update(layers="none"),
        lambda it: it["layers"][0].update(alone=3),
        lambda it: it["quantized"].update(sqnr_db="loud"),
        lambda it: it.update(kept_float=["name"]),
    ],
)
def test_a_damaged_scan_is_one_clear_line(again: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = again / "steps/scan/sensitivity.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"sensitivity\.json.* was needed") as caught:
        collect(again)
    assert "\n" not in str(caught.value)


@pytest.mark.browser
def test_the_browser_draws_it(few_bits: Path, open_page: Callable[..., Any]) -> None:
    for width, scheme in ((1200, "dark"), (400, "light")):
        seen = open_page(few_bits / "report.html", width, scheme)
        assert seen.get_log("browser") == []
        labels = seen.execute_script(
            "return [...document.querySelectorAll('[data-chart=quantization_scan] .ytick text')]"
            ".map(t => t.textContent.trim())"
        )
        assert labels[1] == "conv_1 · 288"
        assert len(labels) == 7
        below = seen.execute_script(
            "const c = document.querySelector('[data-chart=quantization_scan]');"
            "const box = (name) => c.querySelector(name).getBoundingClientRect();"
            "return box('.gridlayer').top - box('.legend').bottom"
        )
        assert below >= 0, "the legend covers the first rows"
        assert seen.execute_script("return document.documentElement.scrollWidth") <= width

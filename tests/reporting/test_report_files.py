"""What a report writes: the page, its pictures, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from trimtab.errors import OutputError
from trimtab.reporting import collect, report, result_rows
from trimtab.reporting._canvas import write_png
from trimtab.reporting._charts import charts, file_word
from trimtab.reporting._lettering import clipped, for_matplotlib, for_plotly
from trimtab.reporting._mistakes_sheet import mistakes_sheet
from trimtab.reporting._page import page
from trimtab.reporting._png import draw
from trimtab.reporting._points import summary

PICTURES = {
    "accuracy",
    "accuracy_against_latency",
    "accuracy_against_size",
    "accuracy_curves",
    "class_counts",
    "fashion-mnist_confusion_matrix_blues_2026-11-20",
    "loss_curves",
    "quantized_size",
    "size",
    "sparsity",
    "summary",
    "worst_mistakes",
}


def test_pictures(reported: Path) -> None:
    assert {path.stem for path in (reported / "plots").iterdir()} == PICTURES
    for path in (reported / "plots").iterdir():
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert min(image.size) > 250
            assert np.asarray(image.convert("L")).std() > 5, f"{path.name} is empty"


def test_summary_is_sharp_at_900_pixels(reported: Path) -> None:
    with Image.open(reported / "plots" / "summary.png") as image:
        assert image.width == 1800


def test_no_summary_of_one_file(run_folder: Path) -> None:
    result = json.loads((run_folder / "benchmark/result.json").read_text())
    result["rows"] = result["rows"][:5]
    (run_folder / "benchmark/result.json").write_text(json.dumps(result))
    data = collect(run_folder)
    assert [row.kind for row in data.rows].count("litert") == 1
    assert summary(data, charts(data)) is None


def test_no_half_written_files(reported: Path) -> None:
    assert not list(reported.rglob("*partial*"))
    assert (reported / "plotly.min.js").stat().st_size > 1_000_000


def test_page_needs_nothing_from_outside(reported: Path) -> None:
    text = (reported / "report.html").read_text()
    referred = re.findall(r'(?:src|href)="([^"#][^"]*)"', text)
    assert referred
    for address in referred:
        assert address.startswith("data:,") or (reported / address).is_file(), address
    assert "http" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL).replace("http-equiv", "")


def test_every_figure_is_valid_plotly(shared_run: Path) -> None:
    from plotly.graph_objects import Figure

    from trimtab.reporting._plotly import figure

    for chart in charts(collect(shared_run)):
        made = figure(chart)
        assert (
            len(Figure(made).data) == len(made["data"]) > 0
        )  # Figure raises for a key that Plotly does not know


def test_page_parts_come_in_order(reported: Path) -> None:
    text = (reported / "report.html").read_text()
    ids = re.findall(r'<section id="([a-z-]+)"', text)
    assert ids == ["results", "trade-offs", "training", "comparison", "mistakes", "data", "steps", "repeat"]
    for part in (
        "the last layer is left whole",
        "trimtab run fashion-mnist --seed 7",
        "3f5a3f5a",
        "conv2d (Conv2D)",
        "99.61 %",
        "85.0 kB to 99.0 kB",
    ):
        assert part in text


def test_markup_in_names_is_escaped(tmp_path: Path, fake_run: ModuleType) -> None:
    evil = "<script>alert(1)</script>"
    folder = fake_run.write_run(tmp_path / "run", classes=(evil, *fake_run.CLASSES[1:]), title=evil)
    data = collect(folder)
    text = page(data, charts(data))
    assert evil not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_odd_names_are_drawn_without_a_warning(tmp_path: Path, fake_run: ModuleType) -> None:
    # Warnings are errors here: a glyph that no font has would fail this test.
    names = (
        "衬衫",
        "рубашка",
        "$\\frac{1}{2}$",
        "a\nb\tc",
        "🙂🧥",
        "قميص",
        "",
        "_^{}",
        "x" * 300,
        "\U000f0000",
    )
    folder = fake_run.write_run(tmp_path / "run", classes=names)
    assert report(folder).is_file()


@pytest.mark.parametrize("number", [2, 40])
def test_few_and_many_classes(tmp_path: Path, fake_run: ModuleType, number: int) -> None:
    names = tuple(f"class {each}" for each in range(number))
    data = collect(fake_run.write_run(tmp_path / "run", classes=names))
    for chart in charts(data):
        if "confusion" in chart.key:
            assert write_png(draw(chart), tmp_path / "matrix.png").stat().st_size > 10_000
    assert data.mistakes is not None
    assert write_png(mistakes_sheet(data.mistakes, names), tmp_path / "sheet.png").is_file()


def test_report_can_be_drawn_again(run_folder: Path) -> None:
    first = report(run_folder).read_bytes()
    pictures = {path.name: path.read_bytes() for path in (run_folder / "plots").iterdir()}
    assert report(run_folder).read_bytes() == first
    assert {path.name: path.read_bytes() for path in (run_folder / "plots").iterdir()} == pictures


def test_unwritable_folder(run_folder: Path) -> None:
    (run_folder / "plots").write_text("in the way")
    with pytest.raises(OutputError, match="in the way"):
        report(run_folder)
    assert not (run_folder / "report.html").exists()


def test_result_rows_are_plain_text(shared_run: Path) -> None:
    headers, rows = result_rows(collect(shared_run))
    assert headers[:3] == ["model", "Accuracy (%)", "Against baseline (points)"]
    assert {len(row) for row in rows} == {len(headers)}
    last = dict(zip(headers, rows[-1], strict=True))
    assert last["model"] == "pruned-int8"
    assert last["Deployed size"] == "97.4 kB"
    assert last["Latency (ms/image)"] == "0.0432 (0.0426–0.0441)"
    assert last["Size reduction"] == "12.8× (−92 %)"


def test_ratios_across_runtimes_are_left_out(run_folder: Path) -> None:
    path = run_folder / "benchmark/result.json"
    result = json.loads(path.read_text())
    result["baseline"] = "baseline-float"
    path.write_text(json.dumps(result))
    headers, rows = result_rows(collect(run_folder))
    by_name = {row[0]: dict(zip(headers, row, strict=True)) for row in rows}
    assert by_name["wider"]["Size reduction"] == by_name["wider"]["Speed-up"] == "–"
    assert by_name["pruned-int8"]["Speed-up"] != "–"


def test_terminal_finds_its_columns(shared_run: Path) -> None:
    from trimtab.cli._tables import _SHORT

    headers, _ = result_rows(collect(shared_run))
    for short in _SHORT:
        assert [header for header in headers if header.startswith(short)], short


def test_more_measurements_with_their_methods(reported: Path) -> None:
    text = (reported / "report.html").read_text()
    more = text[text.index("<summary>More measurements") : text.index("<summary>What the columns mean")]
    for part in ("Loss", "McNemar&#39;s p", "Latency p90", "Peak memory", "Parameters", "0.280", "97,400"):
        assert part in more, part
    assert 'title="invented"' in more


def test_lettering() -> None:
    assert clipped("a\n b\x00c") == "a b c"
    assert len(clipped("y" * 99)) == 28
    assert for_plotly("<b>&") == "&lt;b&gt;&amp;"
    assert for_matplotlib("5 $") == r"5 \$"
    assert for_matplotlib("\U000f0000") in ("□", "")
    assert file_word("../a b") == "a_b"
    assert file_word("///") == "run"

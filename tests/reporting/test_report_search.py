"""The report of a search for a budget: what it says, finished or not, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from trimtab.errors import RunError
from trimtab.reporting import ReportData, collect, result_rows
from trimtab.reporting._budget_words import asked_for, budget_rows
from trimtab.reporting._chain_table import chain_rows, file_links
from trimtab.reporting._charts import charts
from trimtab.reporting._compression import Compression, Link, Shipped
from trimtab.reporting._data import Number
from trimtab.reporting._page import page


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory, fake_run: ModuleType, fake_search: ModuleType
) -> ReportData:
    """A search that ended, read back."""
    return collect(fake_search.write_search(tmp_path_factory.mktemp("found") / "run", fake_run))


def search_of(data: ReportData) -> Compression:
    """The search that a report is about."""
    assert data.compression is not None
    return data.compression


def test_head_says_what_was_asked_found_and_why(found: ReportData) -> None:
    assert found.title == "fashion_mnist: at most 20 kB, at most 2 points less accurate than the baseline"
    assert found.headline.startswith("resnet-12 (int8 file): 91.1 %")
    assert "62.7× smaller and 7.9× faster than the baseline's float file" in found.headline
    assert found.description.startswith("resnet-12 is the most accurate: it classifies 91.46%")
    assert found.complete
    assert found.missing == ()


def test_table_has_baseline_and_front_in_the_houses_columns(found: ReportData) -> None:
    headers, rows = result_rows(found)
    names = ["baseline-float32", "baseline-int8", "cnn-7", "resnet-12", "narrowed-15"]
    assert [row[0] for row in rows] == names
    assert {"Accuracy (%)", "Deployed size", "Latency (ms/image)", "Speed-up"} <= set(headers)
    told = {row.name: row.verdict for row in found.rows}
    assert told["resnet-12"].startswith("chosen: keeps the budget; 62.7× smaller")
    assert told["narrowed-15"].startswith("breaks the limit on file size")
    assert told["cnn-7"].startswith("breaks the limit on accuracy")


def test_budget_is_held_against_the_chosen_file(found: ReportData) -> None:
    search = search_of(found)
    rows = budget_rows(search, search.file("resnet-12"))
    assert rows[0] == ("file size", "at most 20 kB", "19.6 kB", "98% of it", "kept")
    assert rows[1][1:] == (
        "at most 2 points below the baseline: at least 91.35 %",
        "91.46 %",
        "+0.11 points",
        "kept",
    )
    assert [row[-1] for row in budget_rows(search, search.file("narrowed-15"))] == ["broken", "kept"]


@pytest.mark.parametrize(
    ("budget", "limits", "told"),
    [
        ({"max_size": "100kB"}, {}, "at most 100 kB"),
        ({"max_size": "25%"}, {"max_size": 80_088.0}, "at most 80.1 kB (25%)"),
        (
            {"max_latency": 2, "max_memory": "256KiB", "max_size": 100_000},
            {"max_latency": 2.0, "max_memory": 262_144.0, "max_size": 100_000.0},
            "at most 100 kB and 2 ms and 262 kB of memory",
        ),
        ({"min_accuracy": 0.915}, {}, "at least 91.5 % accurate"),
        ({"min_accuracy": "91%"}, {}, "at least 91 % accurate"),
        ({"max_drop": 1}, {}, "at most 1 point less accurate than the baseline"),
    ],
)
def test_budgets_are_said_as_people_say_them(
    tmp_path: Path,
    fake_run: ModuleType,
    fake_search: ModuleType,
    budget: dict[str, Any],
    limits: dict[str, float | None],
    told: str,
) -> None:
    folder = fake_search.write_search(
        tmp_path / "run", fake_run, until="answer", candidates=0, budget=budget, limits=limits
    )
    assert asked_for(search_of(collect(folder))) == told


def test_limits_that_were_not_written_down_are_those_of_the_budget(
    tmp_path: Path, fake_run: ModuleType, fake_search: ModuleType
) -> None:
    budget = {"max_size": "25%", "max_latency": "500us", "max_drop": 2, "min_accuracy": "91%", "max_cost": 3}
    folder = fake_search.write_search(tmp_path / "run", fake_run, budget=budget, limits={})
    assert search_of(collect(folder)).limits == pytest.approx(
        {"max_size": 80_088.0, "max_latency": 0.5, "min_accuracy": 0.9135}
    )
    early = fake_search.write_search(tmp_path / "early", fake_run, budget=budget, limits={}, until="baseline")
    assert search_of(collect(early)).limits == pytest.approx({"max_latency": 0.5, "min_accuracy": 0.9135})


def test_chain_says_what_each_link_bought(found: ReportData) -> None:
    search = search_of(found)
    file = search.file("resnet-12")
    assert file is not None
    rows = chain_rows(search, file_links(file), from_baseline=True)
    assert [row.link for row in rows] == [
        "Baseline",
        "New network",
        "Taught",
        "Taught",
        "8-bit integers",
        "Trained for integers",
    ]
    assert (rows[1].what, rows[1].gained, rows[1].saved) == ("2 epochs", "−7.57 points", "16.3× smaller")
    assert (rows[4].gained, rows[5].gained) == ("−0.73 points", "+0.58 points")
    assert (rows[5].accuracy, rows[5].latency, rows[5].faster) == ("91.46 %", "0.118 ms", "3.5× faster")


def test_link_that_was_not_kept_is_no_step_of_the_way() -> None:
    own = Shipped("baseline-int8", "baseline", Number(0.93), numbers={"bytes": 1000.0}, baseline=True)
    chain = (
        Link("network", "cnn", 0.90, 100),
        Link("int8", "", 0.89, 100),
        Link("quantize-aware", "", 0.88, 100, taken=False),
    )
    file = Shipped("cnn-1", "cnn", Number(0.89), numbers={"bytes": 104.0, "latency_ms": 0.2}, chain=chain)
    rows = chain_rows(Compression({}, {}, (own, file)), file_links(file), from_baseline=True)
    assert [row.taken for row in rows] == [True, True, True, False]
    assert (rows[2].size, rows[2].latency, rows[3].latency) == ("104 B", "0.200 ms", "")
    assert rows[3].gained == "−1.00 points"


def test_chain_says_what_each_link_bought_of_the_download() -> None:
    chain = (
        Link("network", "cnn", 0.90, 20_000, 18_000),
        Link("prune", "half of the weights are zero", 0.89, 20_000, 12_000),
        Link("int8", "", 0.89, 20_000, 12_000),
    )
    file = Shipped(
        "cnn-1", "cnn", Number(0.89), numbers={"bytes": 20_000.0, "gzip_bytes": 12_000.0}, chain=chain
    )
    rows = chain_rows(Compression({}, {}, (file,)), file_links(file), from_baseline=True)
    assert [row.download for row in rows] == ["18.0 kB", "12.0 kB", "12.0 kB"]
    assert [row.lighter for row in rows] == ["", "1.50× smaller", ""]


@pytest.mark.parametrize("limit", ["max_download", "max_size"])
def test_the_download_has_its_column_where_it_is_limited(
    tmp_path: Path, fake_run: ModuleType, fake_search: ModuleType, limit: str
) -> None:
    folder = fake_search.write_search(tmp_path / "run", fake_run, budget={limit: "90kB"}, limits={limit: 9e4})
    assert ("Gzipped</th>" in page(collect(folder), ())) == (limit == "max_download")


def test_nothing_keeps_the_budget(tmp_path: Path, fake_run: ModuleType, fake_search: ModuleType) -> None:
    folder = fake_search.write_search(
        tmp_path / "run", fake_run, budget={"max_size": "5kB"}, limits={"max_size": 5000.0}, chosen=None
    )
    data = collect(folder)
    assert data.headline.startswith(
        "Nothing that was found keeps the budget (max size 5kB): the limit on size"
    )
    assert data.featured == "cnn-7"
    assert data.complete
    shown = page(data, ())
    assert "The nearest misses" in shown
    assert "cnn-7: size 9.6\u00a0kB where at most 5.0\u00a0kB is asked for." in shown
    assert "193% of it" in shown
    assert re.findall(r'<article[^>]* data-first aria-label="([^"]*)"', shown) == ["Chain of cnn-7"]


@pytest.mark.parametrize(
    ("until", "headline", "missing"),
    [
        ("begun", "the search has not begun", ("the baseline", "the search")),
        ("baseline", "the search has not begun", ("the search", "the finalists' files")),
        ("trials", "40 candidates looked at, 29 of them trained", ("the finalists' files", "the answer")),
        ("files", "40 candidates looked at", ("the answer", "the measurements on the test images")),
        ("answer", "resnet-12 is the most accurate", ("the measurements on the test images",)),
    ],
)
def test_unfinished_search_shows_what_is_there(
    tmp_path: Path,
    fake_run: ModuleType,
    fake_search: ModuleType,
    until: str,
    headline: str,
    missing: tuple[str, ...],
) -> None:
    data = collect(fake_search.write_search(tmp_path / "run", fake_run, until=until))
    assert headline in data.headline
    assert data.missing[: len(missing)] == missing
    assert not data.complete
    drawn = charts(data)
    shown = page(data, drawn)
    assert "This run is not finished." in shown
    assert "<code>trimtab compress</code> again with <code>--resume</code>" in shown
    assert ("front_size" in {chart.key for chart in drawn}) == (until not in ("begun", "baseline"))


def test_candidates_are_told_with_the_reason_why_they_ended(found: ReportData) -> None:
    shown = page(found, charts(found))
    assert "40 candidates were looked at: 11 did not fit and were never trained, 25 were trained" in shown
    assert "are allowed" in shown
    assert "became resnet-12" in shown
    assert shown.count("<article") == 5 + 36  # files, and candidates that did not become one


def test_search_that_was_stopped_is_a_whole_answer(
    tmp_path: Path, fake_run: ModuleType, fake_search: ModuleType
) -> None:
    folder = fake_search.write_search(tmp_path / "run", fake_run, candidates=3)
    run = json.loads((folder / "run.json").read_text())
    fake_run.write_json(folder / "run.json", {**run, "status": "interrupted"})
    data = collect(folder)
    assert data.complete
    assert "The search was stopped early" in data.description


def test_time_is_that_of_the_stages_where_it_was_recorded(
    tmp_path: Path, fake_run: ModuleType, fake_search: ModuleType, found: ReportData
) -> None:
    added = next(chart for chart in charts(found) if chart.key == "time_spent")
    assert "baseline 8 min 32 s" in added.alt
    folder = fake_search.write_search(tmp_path / "run", fake_run, candidates=3)
    run = json.loads((folder / "run.json").read_text())
    stages = [{"name": "baseline", "seconds": 300.0}, {"name": "measuring", "seconds": 41.0}]
    fake_run.write_json(folder / "run.json", {**run, "stages": stages})
    wall = next(chart for chart in charts(collect(folder)) if chart.key == "time_spent")
    assert wall.alt == "Time by stage: baseline 5 min 0 s, measuring 41 s."


def test_what_stands_in_records_is_text(
    tmp_path: Path, fake_run: ModuleType, fake_search: ModuleType
) -> None:
    folder = fake_search.write_search(tmp_path / "run", fake_run, candidates=2)
    path = folder / "trials" / "0001" / "result.json"
    record = json.loads(path.read_text())
    hostile = "</option><script>window.harmed=1</script>{{ 7*7 }}"
    fake_run.write_json(path, {**record, "what": hostile, "why": hostile})
    data = collect(folder)
    shown = page(data, charts(data))
    assert "<script>window.harmed" not in shown
    assert "{{ 7*7 }}" in shown


@pytest.mark.parametrize("name", ["trials/0001/result.json", "front.json", "baseline/file/result.json"])
def test_damaged_record_is_one_clear_line(
    tmp_path: Path, fake_run: ModuleType, fake_search: ModuleType, name: str
) -> None:
    folder = fake_search.write_search(tmp_path / "run", fake_run, candidates=2)
    (folder / name).write_text("{")
    with pytest.raises(RunError, match="cannot be read") as caught:
        collect(folder)
    assert "\n" not in str(caught.value)


def test_path_that_leads_out_of_the_folder_is_refused(
    tmp_path: Path, fake_run: ModuleType, fake_search: ModuleType
) -> None:
    folder = fake_search.write_search(tmp_path / "run", fake_run, candidates=0)
    answer = json.loads((folder / "front.json").read_text())
    answer["points"][0]["file"] = "../../secret.tflite"
    fake_run.write_json(folder / "front.json", answer)
    with pytest.raises(RunError, match="lies outside the run folder"):
        collect(folder)


def test_behaviour_stands_beside_accuracy(
    tmp_path: Path, fake_run: ModuleType, fake_search: ModuleType, fake_behaviour: ModuleType
) -> None:
    folder = fake_search.write_search(tmp_path / "run", fake_run, candidates=2)
    fake_behaviour.add_behaviour(folder, lost=6, gained=1)
    data = collect(folder)
    assert data.behaviour is not None
    shown = page(data, charts(data))
    assert 'id="behaviour"' in shown
    assert 'id="front"' in shown

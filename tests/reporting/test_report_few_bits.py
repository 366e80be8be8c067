"""Training for integers and clustering, as the report tells them: controls, parity, values, gzip."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trimtab.errors import RunError
from trimtab.reporting import collect
from trimtab.reporting._aware_section import aware_sections
from trimtab.reporting._charts import charts
from trimtab.reporting._clustering_section import clustering_sections, side_by_side
from trimtab.reporting._comparing import compared_with, control_of
from trimtab.reporting._data import Step
from trimtab.reporting._page import page
from trimtab.reporting._told import told


@pytest.fixture
def again(few_bits: Path, tmp_path: Path) -> Path:
    """A copy of the run, to change."""
    return Path(shutil.copytree(few_bits, tmp_path / "run"))


def changed(folder: Path, file: str, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Changes one record of a run."""
    record = json.loads((folder / file).read_text())
    change(record)
    (folder / file).write_text(json.dumps(record))
    return folder


def test_the_steps_are_told(few_bits: Path) -> None:
    did = {step.name: step.did for step in collect(few_bits).steps}
    assert did["aware"] == "trained, quantize-aware, 4-bit weights, taught by itself, 3 epochs"
    assert did["clustered"] == ("trained, 16 values a layer, gzip of its weights 393 kB → 64.5 kB, 3 epochs")


@pytest.mark.parametrize(
    ("do", "config", "expected"),
    [
        ("quantize_aware", {}, "a, quantize-aware"),
        (
            "quantize_aware",
            {"weights_bits": 8, "ranges": "learned", "keep_float": ["x"], "teacher": None, "epochs": 1},
            "a, quantize-aware, 8-bit weights, learned ranges, x kept float, 1 epoch",
        ),
        ("quantize_aware", {"epochs": 0}, "a, quantize-aware, calibrated and not trained"),
        ("cluster", {"clusters": 8, "per": "channel", "epochs": 0}, "a, 8 values a channel"),
        ("cluster", {}, "a, shared values"),
    ],
)
def test_what_a_step_will_do(do: str, config: dict[str, Any], expected: str) -> None:
    assert told(do, "a", config, {}) == expected


def test_the_control_trained_as_long_without(few_bits: Path) -> None:
    steps = collect(few_bits).steps
    by_name = {step.name: step for step in steps}
    assert control_of(by_name["aware"], steps) is by_name["trained-on"]
    assert control_of(by_name["clustered"], steps) is by_name["trained-on"]
    assert control_of(by_name["both"], steps) is None  # nothing trained the pruned model on
    for other in (
        Step("x", "train", "trained", config={"epochs": 2}),
        Step("x", "train", "trained", config={"epochs": 3, "trainable": "head"}),
        Step("x", "train", "trained", config={"epochs": 3, "shrink": 0.5}),
        Step("x", "train", None, config={"epochs": 3}),
    ):
        assert control_of(by_name["aware"], (other, by_name["aware"])) is None
    assert control_of(Step("x", "quantize_aware", "trained", config={"epochs": 0}), steps) is None


def test_models_and_files_are_compared_with_what_they_were_before(few_bits: Path) -> None:
    data = collect(few_bits)
    against = {row.name: compared_with(row, data.rows, data.steps) for row in data.rows}
    names = {name: None if other is None else other.name for name, other in against.items()}
    assert names["aware"] == "trained"
    assert names["both"] == "pruned"
    assert names["aware-int4"] == "trained-int4"
    assert names["both-int8"] == "pruned-int8"


def test_verdicts_name_parent_and_control(few_bits: Path) -> None:
    told_of = {row.name: row.verdict for row in collect(few_bits).rows}
    aware = told_of["aware"]
    assert aware.startswith("trained for 4-bit weights; no measurable change in accuracy (+0.1 points, p = ")
    assert " against trained; " in aware
    assert aware.endswith(" against trained-on, which trained as many epochs without")
    assert told_of["clustered"].startswith(
        "16 values a layer (3.78 bits a weight) make the download (gzip) 12.4× smaller; less accurate by 1.0 "
        "points (p < 0.001) against trained;"
    )
    assert "the same accuracy to 0.1 points as pruned; " in told_of["both"]
    assert told_of["both"].endswith("what as many epochs without would have given was not measured")
    assert told_of["aware-int4"].startswith(
        "trained for 4-bit weights: as large and as fast as trained-int4; more accurate by 3.8 points"
    )
    assert told_of["clustered-int8"].endswith("its shared values make the download (gzip) 1.56× smaller")
    # The zeros of a clustered file were its parent's: the values are what is new.
    assert told_of["both-int8"].endswith("its shared values make the download (gzip) 1.33× smaller")
    assert told_of["trained-int4"].startswith("4-bit weights, 8-bit activations: 7.4× smaller")


def test_without_a_file_of_its_scheme_gzip_is_told_of_the_file_itself(again: Path) -> None:
    gone = ("trained-int8", "pruned-int8", "both-int8")
    changed(
        again, "benchmark/result.json",
        lambda it: it.update(rows=[row for row in it["rows"] if row["name"] not in gone]),
    )  # fmt: skip
    row = collect(again).row("clustered-int8")
    assert row is not None
    assert row.verdict.endswith("gzip makes the download 1.70× smaller than the file")


def test_the_section_compares_with_the_control_and_shows_parity(few_bits: Path) -> None:
    (part,) = aware_sections(collect(few_bits))
    assert part["twin"] == "trained-on"
    assert [(row["name"], row["role"], row["own"]) for row in part["rows"]] == [
        ("aware", "trained for integers", True),
        ("trained-on", "as many epochs without", False),
        ("trained", "the model before", False),
        ("aware-int4", "its int4 file", True),
        ("trained-int4", "before, calibrated", False),
        ("mixed-int4", "before, calibrated, some layers float", False),
    ]
    calibrated = part["rows"][4]
    assert calibrated["points"] == "+3.8"
    assert calibrated["p"] == "p < 0.001"
    (file,) = part["files"]
    assert (file["agreement"], file["images"], file["steps"], file["float"]) == (
        "99.95 %",
        "of 1,000 images",
        "1",
        "0",
    )
    assert dict(part["facts"])["Stood still"] == "in the last epoch, 3"
    assert part["kept_float"] == (("scale_by_two", "no rule for layers of class ScaleByTwo"),)
    assert part["ranges"][2][:4] == ("logits_quantizer", "logits", "−21.4", "18.9")
    assert part["ranges"][3][5] == "prescribed by LiteRT"


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        (2, "in epochs 2 to 3"),
        (None, "never: they moved in each epoch"),
        (4, "never: they moved in each epoch"),
    ],
)
def test_when_ranges_stood_still(again: Path, frozen: int | None, expected: str) -> None:
    changed(again, "steps/aware/result.json", lambda it: it["record"].update(frozen_from=frozen))
    assert dict(aware_sections(collect(again))[0]["facts"])["Stood still"] == expected


def test_what_was_only_calibrated_is_not_said_to_be_trained(again: Path) -> None:
    def calibrated(result: dict[str, Any]) -> None:
        result["files"].pop("history")
        result["config"]["epochs"] = 0
        for name in ("epochs", "best_epoch", "training_seconds"):
            result["record"].pop(name)
        result["record"] |= {"frozen_from": None, "teacher": None, "kept_float": {}}

    changed(again, "steps/aware/result.json", calibrated)
    changed(again, "run.json", lambda run: run["recipe"]["steps"][4].update(epochs=0))
    data = collect(again)
    (part,) = aware_sections(data)
    assert part["rows"][0]["role"] == "calibrated for integers"
    assert dict(part["facts"])["Stood still"] == "not trained"
    assert "Teacher" not in dict(part["facts"])
    row = data.row("aware")
    assert row is not None
    assert row.verdict.startswith("calibrated for 4-bit weights; ")
    assert "epochs" not in row.verdict
    text = page(data, charts(data))
    assert "Every layer computes with integers" in text
    assert "No control was trained" not in text


def test_the_values_of_each_layer(few_bits: Path) -> None:
    first, second = clustering_sections(collect(few_bits))
    assert dict(first["facts"])["All weights, gzipped"] == "393 kB → 64.5 kB, 6.1× smaller"
    assert dict(second["facts"])["Entropy"] == "2.31 bits a weight"
    row = first["layers"][0]
    assert (row["name"], row["different"], row["bits"], row["error"]) == ("conv_1", "16", "3.95", "7.5 %")
    assert first["layers"][2]["error"] == "–"


def test_weights_too_large_to_weigh(again: Path) -> None:
    record = {"gzip_before": None, "gzip_after": None}
    changed(again, "steps/clustered/result.json", lambda it: it["record"].update(record))
    data = collect(again)
    assert "All weights, gzipped" not in dict(clustering_sections(data)[0]["facts"])
    step = data.step("clustered")
    assert step is not None
    assert step.did == "trained, 16 values a layer, 3 epochs"


def test_sharing_stands_beside_pruning_and_integers(few_bits: Path) -> None:
    (table,) = side_by_side(collect(few_bits))
    assert table["title"] == "int8 files"
    rows = [(row["done"], row["gzip"], row["of_plain"]) for row in table["rows"]]
    assert rows == [
        ("int8 alone", "100 kB", "100 %"),
        ("pruned", "51.5 kB", "51 %"),
        ("clustered", "64.0 kB", "64 %"),
        ("pruned, then clustered", "38.6 kB", "39 %"),
    ]
    assert table["rows"][0]["plain"]
    assert table["rows"][3]["points"] == "−1.2"


def test_without_files_the_keras_models_are_compared(again: Path) -> None:
    changed(
        again, "benchmark/result.json",
        lambda it: it.update(rows=[row for row in it["rows"] if row["kind"] == "keras"]),
    )  # fmt: skip
    (table,) = side_by_side(collect(again))
    assert table["title"] == "Keras models"
    done = [row["done"] for row in table["rows"]]
    assert done[0] == "as trained"
    assert set(done[1:]) == {
        "trained on",
        "pruned",
        "quantize-aware",
        "clustered",
        "pruned, then clustered",
    }


def test_the_page_has_both_sections(few_bits: Path) -> None:
    text = (few_bits / "report.html").read_text()
    aware = text[text.index('<section id="quantize-aware"') : text.index('<section id="clustering"')]
    for part in ("trained → aware", "as many epochs without", "99.95 %", "scale_by_two", "gate_quantizer"):
        assert part in aware, part
    shared = text[text.index('<section id="clustering"') : text.index('<section id="comparison"')]
    for part in ("pruned, then clustered", "Int8 files: what each technique buys", "k-means++", "3.85"):
        assert part in shared, part
    assert "built-in method" not in text
    assert '<a href="#quantize-aware">' in text


def test_without_such_steps_there_are_no_sections(shared_run: Path) -> None:
    data = collect(shared_run)
    text = page(data, charts(data))
    assert 'id="quantize-aware"' not in text
    assert 'id="clustering"' not in text


def test_unfinished_steps_have_no_section(again: Path) -> None:
    for name in ("aware", "clustered", "both"):
        (again / "steps" / name / "result.json").unlink()
    data = collect(again)
    assert aware_sections(data) == []
    assert clustering_sections(data) == []
    assert side_by_side(data) == []
    step = data.step("aware")
    assert step is not None
    assert "taught by itself" in step.did


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("aware", lambda it: it.update(ranges="wide")),
        ("aware", lambda it: it.update(kept_float=["x"])),
        ("aware", lambda it: it.update(weights_bits="four")),
        ("clustered", lambda it: it.update(layers=[3])),
        ("clustered", lambda it: it["layers"][0].update(bits="few")),
    ],
)
def test_a_damaged_record_is_one_clear_line(
    again: Path, name: str, change: Callable[[dict[str, Any]], Any]
) -> None:
    changed(again, f"steps/{name}/result.json", lambda it: change(it["record"]))
    with pytest.raises(RunError, match=r"result\.json.* was needed"):
        collect(again)

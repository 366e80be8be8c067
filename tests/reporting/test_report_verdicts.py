"""The line that says what a technique bought: words that follow the numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.reporting import collect
from trimtab.reporting._comparing import compared_with
from trimtab.reporting._data import Number, ResultRow, Step
from trimtab.reporting._verdicts import verdict

AVX = {"architecture": "x86_64", "flags": ["avx2"]}


def row(
    name: str, kind: str = "litert", scheme: str = "float32", interval: float = 0.005, **numbers: float
) -> ResultRow:
    made = {key: Number(value) for key, value in numbers.items()}
    if "accuracy" in made:
        middle = numbers["accuracy"]
        made["accuracy"] = Number(middle, middle - interval, middle + interval)
    return ResultRow(name, kind, scheme if kind == "litert" else "", numbers=made)


FLOAT = row(
    "float",
    accuracy=0.90,
    bytes=400_000,
    gzip_bytes=370_000,
    latency_ms=0.2,
    parameters=100.0,
    non_zeros=100.0,
)


def test_int8_gains() -> None:
    small = row(
        "small",
        scheme="int8",
        accuracy=0.899,
        bytes=100_000,
        gzip_bytes=90_000,
        latency_ms=0.05,
        parent_p=0.4,
    )
    told = verdict(small, FLOAT, None, None, AVX)
    assert told == (
        "8-bit integers throughout: 4.0× smaller and 4.0× faster than float; "
        "no measurable change in accuracy (−0.1 points, p = 0.40)"
    )


def test_loss_is_said_plainly() -> None:
    worse = row("worse", scheme="int8", accuracy=0.85, bytes=100_000, latency_ms=0.4, parent_p=1e-9)
    told = verdict(worse, FLOAT, None, None, AVX)
    assert "4.0× smaller and 2.0× slower than float" in told
    assert "less accurate by 5.0 points (p < 0.001)" in told


def test_zeros_shrink_the_download_only() -> None:
    sparse = row(
        "sparse",
        accuracy=0.90,
        bytes=400_000,
        gzip_bytes=75_500,
        latency_ms=0.2,
        parameters=100.0,
        non_zeros=10.0,
    )
    told = verdict(sparse, FLOAT, None, None, AVX)
    assert "its 90 % zeros make the download (gzip) 4.9× smaller and do not change latency here" in told
    assert "XNNPACK has no sparse path on this CPU" in told
    assert "on this CPU" not in verdict(
        sparse, FLOAT, None, None, {"architecture": "aarch64", "flags": ["neon"]}
    )


def test_measured_speed_of_zeros_is_not_denied() -> None:
    quick = row(
        "quick",
        accuracy=0.90,
        bytes=400_000,
        gzip_bytes=75_500,
        latency_ms=0.1,
        parameters=100.0,
        non_zeros=10.0,
    )
    told = verdict(quick, FLOAT, None, None, AVX)
    assert "2.0× faster" in told
    assert "do not change latency" not in told


def test_pruned_keras_model() -> None:
    before = row("before", "keras", accuracy=0.9, bytes=1000.0, gzip_bytes=900.0, latency_ms=2.0)
    after = row(
        "after",
        "keras",
        accuracy=0.9,
        bytes=1001.0,
        gzip_bytes=300.0,
        latency_ms=2.02,
        parameters=10.0,
        non_zeros=2.0,
    )
    told = verdict(after, before, before, Step("after", "prune", "before"), AVX)
    assert told.startswith(
        "80 % zeros leave the Keras file as large, since it stores them, "
        "make its download (gzip) 3.0× smaller"
    )
    assert "do not change latency" in told


def test_baseline_and_lonely_rows() -> None:
    assert "the baseline" in verdict(FLOAT, None, FLOAT, None)
    assert "not measured beside it" in verdict(FLOAT, None, None, None)


def test_keras_model_is_told_as_it_is() -> None:
    made = row("baseline", "keras", accuracy=0.9, bytes=92_700.0, parameters=13_706.0, latency_ms=0.3)
    small = row("small", scheme="int8", bytes=20_500.0)
    told = verdict(made, None, FLOAT, Step("baseline", "train"), AVX, (FLOAT, small))
    assert told == (
        "the model as trained: 13.7 k parameters in a 92.7 kB Keras file; "
        "deployed from it are float (400 kB) and small (20.5 kB)"
    )
    assert verdict(row("k", "keras"), None, None, Step("k", "load")) == "the model as loaded"
    assert verdict(made, None, made, Step("baseline", "train")).startswith("the baseline: everything else")


FIRST = row("first", "keras", accuracy=0.89, parameters=100e3, macs=1e6, training_seconds=50.0)


@pytest.mark.parametrize(
    ("accuracy", "p", "told"),
    [
        (
            0.909,
            1e-9,
            "+1.9 points of accuracy (p < 0.001) for 2.1× the parameters, 3.0× the MACs and 2.4× "
            "the training time, against first",
        ),
        (
            0.880,
            0.01,
            "−1.0 points of accuracy (p = 0.010) with 2.1× the parameters, 3.0× the MACs and 2.4× "
            "the training time, against first",
        ),
        (
            0.891,
            0.4,
            "no measurable change in accuracy (+0.1 points, p = 0.40) for 2.1× the parameters, 3.0× the "
            "MACs and 2.4× the training time, against first",
        ),
    ],
)
def test_configurations_are_compared_by_gain_and_price(accuracy: float, p: float, told: str) -> None:
    other = row(
        "other", "keras", accuracy=accuracy, parameters=210e3, macs=3e6, training_seconds=120.0, parent_p=p
    )
    assert verdict(other, FIRST, FLOAT, Step("other", "train")) == told


def test_an_equal_price_is_said_in_words() -> None:
    other = row(
        "o", "keras", accuracy=0.91, parameters=100e3, macs=1e6, training_seconds=51.0, parent_p=0.001
    )
    told = verdict(other, FIRST, None, Step("o", "train"))
    assert "for as many parameters, as many MACs and the same training time" in told


@pytest.mark.parametrize("name", ["baseline", "wider", "deeper"])
def test_no_keras_model_is_compared_with_a_file(run_folder: Path, name: str) -> None:
    path = run_folder / "benchmark/result.json"
    result = json.loads(path.read_text())
    result["baseline"] = "baseline-float"
    path.write_text(json.dumps(result))
    told = collect(run_folder).row(name).verdict  # type: ignore[union-attr]
    assert "slower" not in told
    assert "larger" not in told


def test_comparisons_stay_on_one_runtime(shared_run: Path) -> None:
    data = collect(shared_run)
    against = {each.name: compared_with(each, data.rows, data.steps) for each in data.rows}
    names = {name: None if other is None else other.name for name, other in against.items()}
    assert names == {
        "baseline": None,
        "wider": "baseline",
        "deeper": "baseline",
        "pruned": "deeper",
        "baseline-float": "baseline",
        "best-float": "baseline-float",
        "pruned-int8": "best-float",
    }


@settings(deadline=None, max_examples=60)
@given(
    accuracy=st.floats(0, 1),
    size=st.integers(1, 10**9),
    latency=st.floats(1e-4, 1e4),
    p=st.floats(0, 1),
    kept=st.integers(0, 100),
    scheme=st.sampled_from(["float32", "int8", "dynamic-int8", "new"]),
)
def test_any_numbers_make_one_line(
    accuracy: float, size: int, latency: float, p: float, kept: int, scheme: str
) -> None:
    subject = row(
        "it",
        scheme=scheme,
        accuracy=accuracy,
        bytes=float(size),
        gzip_bytes=size / 2,
        latency_ms=latency,
        parent_p=p,
        parameters=100.0,
        non_zeros=float(kept),
    )
    told = verdict(subject, FLOAT, None, None, AVX)
    assert told
    assert "\n" not in told
    assert "None" not in told
    assert not told.startswith(";")
    assert ("faster" in told) == (0.2 / latency > 1.05) or "latency" in told


@pytest.mark.parametrize("name", ["wider", "deeper", "pruned", "best-float", "pruned-int8"])
def test_every_row_of_a_run_has_a_verdict(shared_run: Path, name: str) -> None:
    assert len(collect(shared_run).row(name).verdict) > 20  # type: ignore[union-attr]

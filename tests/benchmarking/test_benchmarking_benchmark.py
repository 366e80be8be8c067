from __future__ import annotations

import dataclasses
import gzip
import json
import os
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest

from trimtab._records import to_plain
from trimtab.benchmarking import BenchmarkResult, Measurement, benchmark
from trimtab.benchmarking._comparison import size_reduction
from trimtab.benchmarking._litert_subject import LiteRTSubject
from trimtab.benchmarking._subject import subject
from trimtab.errors import ConfigError, DataError, ModelError
from trimtab.exporting import Artifact, export
from trimtab.models import clone, save_model

if TYPE_CHECKING:
    from trimtab.data import ImageData

QUICK = {"rounds": 5, "seconds": 0.05}
UNTIMED = {"latency": False, "memory": False}


@pytest.fixture(scope="module")
def result(made: Any, digits: ImageData) -> BenchmarkResult:
    """Everything measured of a model, its softmax twin, a file and an artifact."""
    subjects = {
        "model": made.model,
        "softmax": made.softmax,
        "float": str(made.files["float32"]),
        "int8": Artifact.read(made.files["int8"]),
    }
    return benchmark(subjects, digits, baseline="model", batch=4, **QUICK)


def test_every_measurement_is_there(result: BenchmarkResult) -> None:
    names = {
        *("accuracy", "accuracy_difference", "loss", "bytes", "gzip_bytes", "size_reduction"),
        *("parameters", "non_zeros", "macs", "latency_ms", "latency_p90_ms", "speed_up"),
        *("batch_latency_ms", "peak_memory_bytes"),
    }
    assert [(row.name, row.kind) for row in result.rows] == [
        ("model", "keras"),
        ("softmax", "keras"),
        ("float", "litert"),
        ("int8", "litert"),
    ]
    for row in result.rows:
        assert set(row.measurements) - {"accuracy_p"} == names
        assert ("accuracy_p" in row.measurements) == (row.name != "model")
        for name, measurement in row.measurements.items():
            assert measurement.name == name
            assert measurement.method.endswith(".")
            assert measurement.unit
            if measurement.low is not None and measurement.high is not None:
                assert measurement.low <= (measurement.value or 0) <= measurement.high


def test_accuracy_and_predictions_are_the_models(
    result: BenchmarkResult, made: Any, digits: ImageData
) -> None:
    logits = keras.ops.convert_to_numpy(made.model(digits.test.inputs()))
    classes = logits.argmax(axis=1)
    assert (result.predictions["model"].classes == classes).all()
    assert result["model"].value("accuracy") == np.mean(classes == digits.test.labels)
    confidence = keras.ops.convert_to_numpy(keras.ops.softmax(logits)).max(axis=1)
    assert result.predictions["model"].confidence == pytest.approx(confidence, rel=1e-4)
    assert (result.labels == digits.test.labels).all()
    assert all(len(given) == len(digits.test) for given in result.predictions.values())


def test_loss_is_cross_entropy_whatever_the_head(result: BenchmarkResult) -> None:
    known = result["model"].value("loss")
    assert result["softmax"].value("loss") == pytest.approx(known, rel=1e-4)
    assert result["float"].value("loss") == pytest.approx(known, rel=1e-4)


def test_sizes_are_those_of_the_files(result: BenchmarkResult, made: Any, tmp_path: Path) -> None:
    content = made.files["int8"].read_bytes()
    row = result["int8"]
    assert row.value("bytes") == len(content)
    assert row.value("gzip_bytes") == len(gzip.compress(content, 9, mtime=0))
    save_model(made.model, tmp_path / "model.keras")
    weighed = (tmp_path / "model.keras").stat().st_size
    assert result["model"].value("bytes") == weighed
    assert row.value("size_reduction") == weighed / len(content)
    assert result["model"].value("size_reduction") == 1
    assert result["model"].value("parameters") == made.model.count_params() == row.value("parameters")
    assert result["model"].value("macs") == row.value("macs")


def test_latency_rests_on_paired_rounds(result: BenchmarkResult) -> None:
    base, own = (np.asarray(result[name].samples["latency_ms"]) for name in ("model", "int8"))
    assert len(base) == len(own) == 5
    assert result["int8"].value("latency_ms") == pytest.approx(np.median(own), abs=1e-6)
    assert result["int8"].value("speed_up") == pytest.approx(np.median(base / own), rel=1e-2)
    assert result["model"].value("speed_up") == 1
    assert "different runtimes" in result["int8"].measurements["speed_up"].method
    assert "different runtimes" not in result["softmax"].measurements["speed_up"].method
    assert "1 thread," in result["int8"].measurements["latency_ms"].method


def test_memory_of_keras_models_is_not_made_up(result: BenchmarkResult) -> None:
    assert result["model"].value("peak_memory_bytes") is None
    assert result["model"].measurements["peak_memory_bytes"].method.startswith("Not measured: ")
    assert (result["int8"].value("peak_memory_bytes") or 0) > 0


def test_record_is_plain_and_comes_back(result: BenchmarkResult) -> None:
    record = json.loads(json.dumps(to_plain(result)))
    assert "predictions" not in record
    assert "labels" not in record
    assert record["settings"]["images"] == len(result.labels)
    again = BenchmarkResult.from_plain(record, result.predictions, result.labels)
    assert again.rows == result.rows
    assert str(again) == str(result)
    with pytest.raises(ConfigError, match=r"no record of a benchmark result"):
        BenchmarkResult.from_plain({"rows": [{"name": "a"}]})


def test_table_shows_every_row_with_units(result: BenchmarkResult) -> None:
    heading, _, *lines = result.table().splitlines()
    assert [line.split()[0] for line in lines] == ["model", "softmax", "float", "int8"]
    for part in ("accuracy %", "loss, nats", "bytes", "ms/image", "times faster", "peak bytes"):
        assert part in heading
    assert f"{100 * (result['int8'].value('accuracy') or 0):.2f} [" in lines[3]


def test_unknown_rows_are_named(result: BenchmarkResult) -> None:
    with pytest.raises(ConfigError, match=r"Did you mean 'int8'"):
        result["int9"]


def test_settings_choose_what_is_measured(made: Any, digits: ImageData) -> None:
    found = benchmark({"a": made.model}, digits, split="validation", confidence=0.8, **UNTIMED)
    row = found["a"]
    assert "latency_ms" not in row.measurements
    assert "peak_memory_bytes" not in row.measurements
    assert "ms/image" not in found.table()
    assert len(found.labels) == len(digits.validation)
    assert row.measurements["accuracy"].confidence == 0.8


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_file_is_weighed_as_the_model_in_memory(
    made: Any, digits: ImageData, tmp_path: Path, ending: str
) -> None:
    model = clone(made.model)
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    path = tmp_path / f"trained{ending}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras': HDF5 is the older format
        model.save(path)
    found = benchmark({"file": path, "memory": model}, digits, **UNTIMED)
    assert found["file"].value("bytes") == found["memory"].value("bytes")
    assert (found["file"].value("bytes") or 0) < path.stat().st_size
    assert f"{path.stat().st_size:,} bytes" in found["file"].measurements["bytes"].method


def test_a_softmax_is_seen_through_a_change_of_shape(digits: ImageData, tmp_path: Path) -> None:
    layers = keras.layers
    convolution = layers.Conv2D(digits.classes, 8, activation="softmax")
    model = keras.Sequential([keras.Input(digits.image_shape), convolution, layers.Flatten()])
    artifact = export(model, tmp_path / "a.tflite", "float32", digits)
    found = benchmark({"model": model, "file": artifact.path, "artifact": artifact}, digits, **UNTIMED)
    known = found["model"].value("loss")
    assert found["file"].value("loss") == pytest.approx(known, rel=1e-4)
    assert found["artifact"].value("loss") == pytest.approx(known, rel=1e-4)


def test_an_artifact_says_itself_whether_it_ends_in_softmax(made: Any) -> None:
    artifact = Artifact.read(made.files["float32"])
    kept = dataclasses.replace(artifact, softmax="kept")
    assert not LiteRTSubject("a", artifact.path, 1).probabilities
    assert [subject(each, "a", 1).probabilities for each in (artifact, kept)] == [False, True]


@pytest.mark.parametrize("seed", [-1, True, None])
def test_senseless_seeds(made: Any, digits: ImageData, seed: Any) -> None:
    with pytest.raises(ConfigError, match="seed must be a whole number of 0 or more"):
        benchmark({"model": made.model}, digits, seed=seed)


def test_a_size_that_is_missing_makes_no_ratio() -> None:
    known = Measurement("bytes", 10, "bytes", method="Known.")
    missing = Measurement("bytes", None, "bytes", method="Not measured: it was eaten.")
    for own, baseline, first in ((missing, known, False), (known, missing, False), (missing, missing, True)):
        found = size_reduction(own, baseline, first)
        assert found.value is None
        assert "it was eaten" in found.method
    assert size_reduction(known, known, True).value == 1


def test_model_with_a_fixed_batch(made: Any, digits: ImageData) -> None:
    images = keras.Input(batch_shape=(7, *digits.image_shape))
    fixed = keras.Model(images, made.model(images))
    found = benchmark({"free": made.model, "fixed": fixed}, digits, **UNTIMED)
    assert (found.predictions["free"].classes == found.predictions["fixed"].classes).all()


def test_progress_counts_every_image_and_round(made: Any, digits: ImageData) -> None:
    class Counter:
        def __init__(self) -> None:
            self.tasks: dict[str, float] = {}

        def task(self, label: str, total: float | None = None, unit: str = "") -> Any:
            self.tasks[label] = 0

            class Task:
                def advance(_, steps: float = 1, note: str = "") -> None:  # noqa: N805
                    self.tasks[label] += steps

                def __enter__(task) -> Any:  # noqa: N805
                    return task

                def __exit__(*_: object) -> None:
                    return None

            return Task()

    shown = Counter()
    benchmark({"int8": made.files["int8"]}, digits, memory=False, progress=shown, **QUICK)
    assert shown.tasks == {"evaluate int8": len(digits.test), "time one image": 5}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"baseline": "modle"}, r"Did you mean 'model'"),
        ({"split": "tset"}, r"Did you mean 'test'"),
        ({"threads": 0}, r"threads must be .* 1 or more. Received: threads=0"),
        ({"rounds": 2.5}, r"rounds=2.5"),
        ({"batch": 1}, r"batch must be .* 2 or more"),
        ({"seconds": 0}, r"seconds must be above 0"),
        ({"confidence": 95}, r"between 0 and 1"),
    ],
)
def test_arguments_that_make_no_sense(
    change: dict[str, Any], says: str, made: Any, digits: ImageData
) -> None:
    with pytest.raises(ConfigError, match=says):
        benchmark({"model": made.model}, digits, **change)


@pytest.mark.parametrize("subjects", [{}, [], {"": 1}, {3: 1}])
def test_subjects_need_names(subjects: Any, digits: ImageData) -> None:
    with pytest.raises(ConfigError):
        benchmark(subjects, digits)


def test_bad_subjects_are_refused_before_anything_is_measured(
    made: Any, digits: ImageData, tmp_path: Path
) -> None:
    (tmp_path / "broken.tflite").write_bytes(made.files["int8"].read_bytes()[:500])
    (tmp_path / "model.onnx").write_bytes(b"")
    odd: list[tuple[Any, type[Exception], str]] = [
        (tmp_path / "missing.tflite", ModelError, "missing.tflite"),
        (tmp_path / "missing.keras", ModelError, "missing.keras"),
        (tmp_path / "model.onnx", ConfigError, r"ends in none of \.keras, \.h5, \.tflite"),
        (3, ConfigError, "Received: int"),
    ]
    for source, error, says in odd:
        with pytest.raises(error, match=says):
            benchmark({"good": made.model, "odd": source}, digits)
    with pytest.raises(Exception, match=r"broken.tflite") as caught:
        benchmark({"odd": tmp_path / "broken.tflite"}, digits)
    assert "trimtab" in type(caught.value).__module__


def test_models_that_do_not_fit_the_data(made: Any, digits: ImageData) -> None:
    other = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(7)])
    with pytest.raises(ModelError, match=r"7 outputs"):
        benchmark({"other": other}, digits)
    fewer = dataclasses.replace(digits, class_names=digits.class_names[:9])
    with pytest.raises(ModelError, match=r"'int8' tells 10 classes apart, but digits has 9"):
        benchmark({"int8": made.files["int8"]}, fewer)
    wider = SimpleNamespace(
        name="wide", image_shape=(8, 9, 1), classes=10, test=digits.test, digest="", class_names=()
    )
    with pytest.raises(ModelError, match=r"\(8, 8, 1\), but those of wide are \(8, 9, 1\)"):
        benchmark({"int8": made.files["int8"]}, wider)  # type: ignore[arg-type]


def test_an_empty_split_is_refused(made: Any, digits: ImageData) -> None:
    empty = dataclasses.replace(digits, validation=digits.validation.take(slice(0, 0)))
    with pytest.raises(DataError, match=r"validation part of digits holds no image"):
        benchmark({"model": made.model}, empty, split="validation")


def test_a_broken_model_is_refused(made: Any, digits: ImageData) -> None:
    broken = keras.models.clone_model(made.model)
    broken.set_weights([weight * np.nan for weight in made.model.get_weights()])
    with pytest.raises(ModelError, match=r"'broken' gives NaN"):
        benchmark({"broken": broken}, digits, **UNTIMED)


PROGRAM = """
import json, sys, time
import keras, numpy
from trimtab.benchmarking._keras_subject import KerasSubject
subject = KerasSubject("model", keras.models.load_model(sys.argv[1]))
images = numpy.load(sys.argv[2])
timed = subject.timed(images[:3])
timed.call()
sizes = {found.name: found.value for found in subject.sizes(images.shape[1:])}
print(json.dumps([timed.means, sizes["macs"], subject.scores(images).tolist()]))
"""


@pytest.mark.backend
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_give_the_same_scores(
    backend: str, made: Any, digits: ImageData, tmp_path: Path
) -> None:
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    save_model(made.model, tmp_path / "model.keras")
    images = digits.test.inputs(0, 300)  # more than a batch, and no multiple of one
    np.save(tmp_path / "images.npy", images)
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "model.keras"), str(tmp_path / "images.npy")],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    means, macs, scores = json.loads(answer.stdout.splitlines()[-1])
    assert {"jax": "jax.jit", "torch": "PyTorch"}[backend] in means
    assert macs == benchmark({"model": made.model}, digits, **UNTIMED)["model"].value("macs")
    assert np.asarray(scores) == pytest.approx(
        keras.ops.convert_to_numpy(made.model(images)), abs=1e-4, rel=1e-4
    )

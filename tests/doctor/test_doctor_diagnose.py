"""The verb: a model with much to say, a fresh one without images, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import keras
import pytest
from keras import layers

from trimtab import zoo
from trimtab.doctor import Diagnosis, Forecast, Outlook, _forecast, diagnose
from trimtab.errors import ConfigError, ModelError


def outlook(diagnosis: Diagnosis, technique: str) -> Outlook:
    return next(row for row in diagnosis.outlooks if row.technique == technique)


def forecast(diagnosis: Diagnosis, scheme: str) -> Forecast:
    return next(row for row in diagnosis.forecasts if row.scheme == scheme)


@pytest.fixture(scope="module")
def healthy() -> Diagnosis:
    """An ordinary network, timed."""
    seconds = pytest.MonkeyPatch()
    seconds.setattr(_forecast, "_SECONDS", 0.02)
    model = zoo.cnn((8, 8, 1), 10, filters=(8, 16), dense=16, batch_norm=True, seed=0)
    found = diagnose(model)
    seconds.undo()
    return found


@pytest.fixture(scope="module")
def bell() -> Diagnosis:
    """A network with an operator that LiteRT has not."""

    class Erf(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return keras.ops.erf(inputs)

    middle = [Erf(name="bell"), layers.Flatten(), layers.Dense(3, name="scores")]
    return diagnose(keras.Sequential([keras.Input((8, 8, 1)), *middle], name="odd"), scheme="int8")


def test_every_scheme_has_a_size_and_a_time(healthy: Diagnosis) -> None:
    assert [row.scheme for row in healthy.forecasts] == ["float32", "float16", "dynamic-int8", "int8"]
    sizes = {row.scheme: row.bytes for row in healthy.forecasts}
    assert sizes["float32"] > sizes["float16"] > sizes["int8"] > 0  # type: ignore[operator]
    for row in healthy.forecasts:
        assert row.latency is not None
        assert row.latency.low <= row.latency.value <= row.latency.high  # type: ignore[operator]
        assert row.gzip_bytes is not None
        assert row.reason is None
    assert forecast(healthy, "float32").speed_up.value == 1  # type: ignore[union-attr]
    assert any("noise" in note for note in healthy.notes)


def test_what_each_technique_can_do(healthy: Diagnosis) -> None:
    assert outlook(healthy, "prune").will.startswith("2,408 of 2,530 weights, in 4 kernels")
    assert outlook(healthy, "remove channels").will == "40 of 50 channels, in 3 groups"
    assert outlook(healthy, "remove channels").left == (("logits", "leads to the model's output"),)
    assert outlook(healthy, "fold").will == "2 of 2 batch normalisations"
    assert outlook(healthy, "quantize").left == ()
    assert outlook(healthy, "convert").will.startswith("all: ")
    assert [finding.severity for finding in healthy.findings] == ["hint"]


def test_a_diagnosis_is_text_and_data(healthy: Diagnosis) -> None:
    text = str(healthy)
    assert text.startswith("Model cnn: 8x8x1, ")
    assert "hint: could-be-simpler" in text
    assert len(text.splitlines()) <= 24
    record = json.loads(json.dumps(healthy.to_data()))
    assert record["forecasts"][3]["scheme"] == "int8"
    assert record["findings"][0]["name"] == "could-be-simpler"


def test_what_does_not_convert_is_told_with_its_layer(bell: Diagnosis) -> None:
    problems = [finding for finding in bell.findings if finding.severity == "problem"]
    assert [(finding.name, finding.layers) for finding in problems] == [("flex-operator", ("bell",))]
    for row in bell.forecasts:
        assert row.bytes is None
        assert "Erf" in str(row.reason)
        assert row.latency is None
    assert outlook(bell, "convert").left[0][0] == "odd"
    assert dict(outlook(bell, "quantize").left)["bell"]
    assert "Erf" in str(bell)


def test_an_open_size_is_a_finding_and_data_settle_it(digits: Any) -> None:
    middle = [layers.Conv2D(8, 3), layers.GlobalAveragePooling2D(), layers.Dense(10)]
    model = keras.Sequential([keras.Input((None, None, 1)), *middle])
    found = diagnose(model, scheme="float32")
    assert found.image_shape is None
    assert [finding.name for finding in found.findings] == ["dynamic-shape"]
    assert "any size" in str(found.forecasts[0].reason)
    found = diagnose(model, scheme="float32", data=digits, latency=False)
    assert found.image_shape == (8, 8, 1)
    assert found.forecasts[0].bytes
    assert found.forecasts[0].latency is None


def test_several_inputs_are_a_finding() -> None:
    one, two = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    flat = layers.GlobalAveragePooling2D()(layers.Concatenate()([one, two]))
    found = diagnose(keras.Model([one, two], layers.Dense(3)(flat)), latency=False)
    assert "several-inputs" in [finding.name for finding in found.findings]
    assert all("2 inputs" in str(row.reason) for row in found.forecasts)


def test_what_cannot_be_examined_is_refused(digits: Any) -> None:
    model = zoo.cnn((8, 8, 1), 10, filters=(4,), dense=0, seed=0)
    with pytest.raises(ConfigError, match="Did you mean 'int8'"):
        diagnose(model, scheme="int9")
    with pytest.raises(ConfigError, match="seed"):
        diagnose(model, seed=-1)
    with pytest.raises(ModelError, match="A Keras 3 model is needed"):
        diagnose("a.keras")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="images are"):
        diagnose(keras.Sequential([keras.Input((4,)), layers.Dense(2)]))
    with pytest.raises(ModelError, match="class scores"):
        diagnose(keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3)]))
    with pytest.raises(ModelError, match="10 classes"):
        diagnose(zoo.cnn((8, 8, 1), 3, filters=(4,), dense=0, seed=0), data=digits)

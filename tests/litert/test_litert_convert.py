from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from trimtab import litert, models
from trimtab.errors import ConfigError, ConversionError, ModelError, OutputError
from trimtab.litert._other_backend import _outcome, _work
from trimtab.litert._plain import plain_model

CONVERTED = [name for name, entry in litert.SCHEMES.items() if entry.route == "converter"]


@pytest.mark.parametrize("scheme", CONVERTED)
def test_every_scheme_converts_a_trained_net_and_passes(net, files, proof, scheme):
    parity = litert.check_parity(net, files[scheme], proof, scheme)
    assert parity.reason is None
    assert parity.passed
    assert parity.images == len(proof)
    assert parity.top1_agreement > 0.95


def test_the_files_hold_what_their_schemes_say(files):
    seen = {name: litert.inspect(content) for name, content in files.items()}
    kernels = {
        name: {tensor.dtype for tensor in summary.tensors if tensor.constant and tensor.elements >= 1024}
        for name, summary in seen.items()
    }
    assert kernels == {
        "float32": {"float32"}, "float16": {"float16"}, "dynamic-int8": {"int8"}, "int8": {"int8"},
        "int8-float-io": {"int8"}, "int16x8": {"int8"}, "int16x8-float-io": {"int8"},
    }  # fmt: skip
    edges = {name: {summary.input.dtype, summary.output.dtype} for name, summary in seen.items()}
    assert edges == {name: {litert.scheme(name).io} for name in seen}
    assert seen["int8"].float_tensors == seen["int16x8"].float_tensors == ()
    assert len(seen["int8-float-io"].float_tensors) == len(seen["int16x8-float-io"].float_tensors) == 2
    # Batch norm is folded, dropout is gone: nothing but these is left.
    assert set(seen["int8"].ops) == {"CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED"}


def test_the_same_model_makes_the_same_bytes(net, files, pictures):
    assert litert.convert(net, "int8", pictures) == files["int8"]


def test_conversion_says_nothing(net, pictures, capfd):
    litert.convert(net, "int8", pictures)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_the_model_trains_on_as_if_nothing_had_happened(make_net, train_a_moment, digits, pictures):
    images, labels = digits.train.inputs(0, 960), digits.train.labels[:960]

    def trained(convert):
        model = make_net()
        train_a_moment(model, images, labels)
        optimizer, config = model.optimizer, model.get_compile_config()
        if convert:
            litert.convert(model, "int8", pictures)
        assert model.optimizer is optimizer
        assert model.get_compile_config() == config
        keras.utils.set_random_seed(1)
        for at in range(0, 320, 64):
            model.train_on_batch(images[at : at + 64], labels[at : at + 64])
        return model.get_weights() + [variable.numpy() for variable in optimizer.variables]

    for plain, converted in zip(trained(False), trained(True), strict=True):
        np.testing.assert_array_equal(plain, converted)


def test_an_operator_that_litert_lacks_is_named():
    class Erf(layers.Layer):
        def call(self, inputs):
            return keras.ops.erf(inputs)

    model = keras.Sequential(
        [keras.Input((8, 8, 1)), Erf(name="bell"), layers.Flatten(), layers.Dense(3)], name="odd"
    )
    with pytest.raises(
        ConversionError, match=r"no builtin operator for Erf \(at .*bell.*\), which model 'odd' uses"
    ) as caught:
        litert.convert(model)
    assert "\n" not in str(caught.value)


def test_a_layer_that_cannot_be_traced_is_one_line():
    class ByHand(layers.Layer):
        def call(self, inputs):
            return keras.ops.convert_to_tensor(np.asarray(inputs) * 2)

        def compute_output_shape(self, input_shape):
            return input_shape

    model = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3)])
    model = keras.Model(model.inputs, ByHand()(model.outputs[0]))
    with pytest.raises(ConversionError, match="cannot be traced by TensorFlow") as caught:
        litert.convert(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["int4", "int4-float-io"])
def test_an_ordinary_model_does_not_say_what_int4_should_mean(net, pictures, scheme):
    with pytest.raises(ConfigError, match=rf"{scheme}.*carries its ranges.*quantization\.calibrated"):
        litert.convert(net, scheme, pictures)


def test_a_model_that_keras_has_quantized_is_refused(make_net):
    model = make_net()
    model.get_layer("hidden").quantize("int8")
    with pytest.raises(ModelError, match="Layer 'hidden' of model 'tiny' is quantized already") as caught:
        litert.convert(model)
    assert "\n" not in str(caught.value)


def test_int8_needs_images(net):
    with pytest.raises(ConfigError, match="int8 scheme needs training images"):
        litert.convert(net, "int8")
    with pytest.raises(ConfigError, match="int8 scheme needs training images"):
        litert.convert(net, "int8", np.empty((0, 8, 8, 1), np.float32))


def test_bad_calibration_images_are_refused(net, pictures):
    holes = pictures.copy()
    holes[3, 2, 2] = np.nan
    with pytest.raises(ConfigError, match="NaN or infinite pixels"):
        litert.convert(net, "int8", holes)
    with pytest.raises(ConfigError, match=r"Received: uint8"):
        litert.convert(net, "int8", (pictures * 255).astype(np.uint8))
    with pytest.raises(ModelError, match="takes images of shape"):
        litert.convert(net, "int8", np.zeros((4, 9, 9, 1), np.float32))


def test_weights_that_are_not_finite_are_named(make_net):
    model = make_net()
    kernel = model.get_layer("second").kernel
    kernel.assign(np.full(kernel.shape, np.nan, np.float32))
    with pytest.raises(ModelError, match=r"second/kernel' of model 'tiny' holds NaN"):
        litert.convert(model)


def test_outputs_that_are_not_finite_do_not_reach_the_converter(pictures):
    class Log(layers.Layer):
        def call(self, inputs):
            return keras.ops.log(inputs)

    model = keras.Sequential([keras.Input((8, 8, 1)), Log(), layers.Flatten(), layers.Dense(3)])
    with pytest.raises(ModelError, match="NaN or infinite outputs on the calibration images"):
        litert.convert(model, "int8", pictures)


def _nested():
    inner = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3, name="deep")], name="body")
    inputs = keras.Input((8, 8, 1))
    hidden = layers.Flatten()(inner(layers.Rescaling(2.0, offset=-1.0)(inputs)))
    return keras.Model(inputs, layers.Dense(10)(hidden))


def _without_input():
    model = keras.Sequential([layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(10)])
    model.build((None, 8, 8, 1))
    return model


def _norm_far_from_conv():
    inputs = keras.Input((8, 8, 1))
    hidden = layers.Conv2D(4, 3, activation="relu")(layers.BatchNormalization()(inputs))
    hidden = layers.BatchNormalization()(layers.MaxPooling2D()(hidden))
    hidden = layers.BatchNormalization()(layers.Dense(32)(layers.Flatten()(hidden)))
    return keras.Model(inputs, layers.Dense(10)(layers.ReLU()(hidden)))


def _any_size():
    inputs = keras.Input((None, None, 1))
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs))))


def _branches():
    inputs = keras.Input((8, 8, 1))
    left = layers.SeparableConv2D(4, 3, padding="same")(inputs)
    right = layers.Conv2D(4, 1)(inputs)
    hidden = layers.Concatenate()(
        [layers.Add()([left, right]), layers.DepthwiseConv2D(3, padding="same")(right)]
    )
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalMaxPooling2D()(hidden)))


def _odd_names():
    return keras.Sequential(
        [keras.Input((8, 8, 1), name="my input"), layers.Conv2D(4, 3, name="conv 1 (ümlaut)"),
         layers.Flatten(name="-flat"), layers.Dense(10, name="scores: ten")],
        name="my net",
    )  # fmt: skip


class Plain(keras.Model):
    """A subclassed model."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.flat, self.head = layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(10)

    def call(self, inputs):
        return self.head(self.flat(self.conv(inputs)))


def _subclassed():
    model = Plain()
    model(np.zeros((1, 8, 8, 1), np.float32))
    return model


@pytest.mark.parametrize("scheme", ["float32", "int8"])
@pytest.mark.parametrize(
    "build",
    [_nested, _without_input, _norm_far_from_conv, _any_size, _branches, _odd_names, _subclassed],
    ids=lambda build: build.__name__.strip("_"),
)
def test_odd_models_convert(build, scheme, pictures, proof):
    keras.utils.set_random_seed(0)
    model = build()
    parity = litert.check_parity(model, litert.convert(model, scheme, pictures), proof, scheme)
    assert parity.reason is None
    assert model.name == build().name or model.name.split("_")[0] in build().name


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_a_model_of_lower_precision_is_converted_in_float32(make_net, pictures, proof, policy):
    model = make_net(dtype=policy)
    content = litert.convert(model, "float32", image_shape=(8, 8, 1))
    assert {tensor.dtype for tensor in litert.inspect(content).tensors} <= {"float32", "int32"}
    plain = plain_model(model)
    assert {layer.compute_dtype for layer in plain.layers} == {"float32"}
    assert model.get_layer("stem").dtype_policy.name == policy
    assert litert.check_parity(model, content, proof, "float32").passed
    assert litert.check_parity(model, litert.convert(model, "int8", pictures), proof, "int8").passed


def test_a_model_that_needs_no_change_is_not_copied(net):
    assert plain_model(net) is net


def test_models_that_are_no_image_classifiers_are_refused():
    one, two = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    head = layers.Dense(3)
    with pytest.raises(ModelError, match="has 2 inputs and 1 outputs"):
        litert.convert(keras.Model([one, two], head(layers.Flatten()(layers.Add()([one, two])))))
    with pytest.raises(ModelError, match=r"gives output of shape \(None, 8, 8, 3\)"):
        litert.convert(keras.Model(one, layers.Dense(3)(one)))
    flat = keras.Input((64,))
    with pytest.raises(ModelError, match="takes input of shape"):
        litert.convert(keras.Model(flat, layers.Dense(3)(flat)))
    with pytest.raises(ModelError, match="has no weights yet"):
        litert.convert(keras.Sequential([layers.Flatten(), layers.Dense(3)]))
    with pytest.raises(ConfigError, match="takes images of any size"):
        litert.convert(_any_size())


def test_conversion_from_jax_happens_in_a_process_of_its_own(tmp_path):
    pytest.importorskip("jax")
    script = textwrap.dedent("""
        import keras, numpy as np
        from trimtab import litert
        layers = keras.layers
        images = np.random.default_rng(0).random((40, 8, 8, 1), dtype=np.float32)
        model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.BatchNormalization(),
                                  layers.ReLU(), layers.Flatten(), layers.Dense(10)])
        parity = litert.check_parity(model, litert.convert(model, "int8", images), images, "int8")
        print(keras.config.backend(), parity.passed, parity.reason)
    """)
    path = tmp_path / "script.py"
    path.write_text(script)
    done = subprocess.run(
        [sys.executable, str(path)],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "jax True None\n"


def _job(name):
    scheme = dataclasses.asdict(litert.SCHEMES[name])
    return json.dumps({"scheme": scheme, "image_shape": [8, 8, 1]})


def test_the_other_process_is_sent_the_whole_scheme(net, monkeypatch):
    from trimtab.litert import _other_backend

    sent = {}

    def run(command, **_):
        folder = Path(command[-1])
        sent.update(json.loads((folder / "job.json").read_text())["scheme"])
        assert models.model_digest(models.load_model(folder / "model.keras")) == models.model_digest(net)
        (folder / "model.tflite").write_bytes(b"made")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(_other_backend.subprocess, "run", run)
    strict = dataclasses.replace(litert.SCHEMES["float16"], name="strict", error_limit=1e-9)
    assert _other_backend.convert_elsewhere(net, strict, None, (8, 8, 1)) == b"made"
    assert litert.Scheme(**sent) == strict


@pytest.mark.parametrize("full", ["mkdtemp", "save"])
def test_a_full_temporary_folder_is_told_in_one_line(net, pictures, monkeypatch, full):
    from trimtab.litert import _other_backend

    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((tempfile, "mkdtemp") if full == "mkdtemp" else (np, "save")), refuse)
    with pytest.raises(OutputError, match=r"No space left on device.*TMPDIR"):
        _other_backend.convert_elsewhere(net, litert.SCHEMES["int8"], pictures, (8, 8, 1))
    if full == "mkdtemp":
        with pytest.raises(OutputError, match=r"No space left on device.*TMPDIR"):
            litert.convert(net)


def test_a_plain_copy_is_as_true_as_a_clone():
    class Unregistered(layers.Layer):
        def call(self, inputs):
            return inputs * 2

    shared = layers.Dense(6, name="sha red")
    first = keras.Sequential([keras.Input((6,)), shared], name="first")
    second = keras.Sequential([keras.Input((6,)), shared], name="second")
    images = keras.Input((8, 8, 1))
    hidden = layers.Dense(6, name="hid den")(Unregistered()(layers.Flatten()(images)))
    model = keras.Model(images, layers.Dense(3, name="scores")(second(first(hidden))))
    shared.trainable = False
    model.compile("adam", lambda wanted, got: keras.ops.mean(got))
    before = np.random.get_state()[1].tolist()
    plain = plain_model(model)
    assert np.random.get_state()[1].tolist() == before
    assert model.compiled
    assert not plain.compiled
    assert len(plain.weights) == len(model.weights)
    assert [tuple(v.shape) for v in plain.trainable_weights] == [
        tuple(v.shape) for v in model.trainable_weights
    ]
    inputs = np.random.default_rng(0).random((2, 8, 8, 1), np.float32)
    assert np.asarray(plain(inputs)) == pytest.approx(np.asarray(model(inputs)))


def test_the_other_process_does_the_job_it_is_given(net, pictures, files, tmp_path):
    models.save_model(net, tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", pictures)
    (tmp_path / "job.json").write_text(_job("int8"))
    _work(tmp_path)
    assert (tmp_path / "model.tflite").stat().st_size == pytest.approx(len(files["int8"]), rel=0.02)


def test_a_layer_that_the_other_process_does_not_know_is_refused(tmp_path):
    class Mine(layers.Layer):
        def call(self, inputs):
            return inputs * 2

    model = keras.Sequential([keras.Input((8, 8, 1)), Mine(), layers.Flatten(), layers.Dense(10)])
    models.save_model(model, tmp_path / "model.keras")
    (tmp_path / "job.json").write_text(_job("float32"))
    _work(tmp_path)
    finished = subprocess.CompletedProcess([], 0, "", "")
    with pytest.raises(ModelError, match="layers that only the calling process knows"):
        _outcome(tmp_path, model, finished)


def test_a_process_that_died_is_told_in_one_line(net, tmp_path):
    finished = subprocess.CompletedProcess([], -11, "", "first\nlast words\n")
    with pytest.raises(ConversionError, match="ended with code -11: last words"):
        _outcome(tmp_path, net, finished)

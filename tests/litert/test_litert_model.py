from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab import litert
from trimtab.errors import ConfigError, ConversionError, ModelError
from trimtab.litert._model import _quantized


def test_a_float_file_gives_what_the_interpreter_gives(files, proof):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=files["float32"], num_threads=1)
    interpreter.allocate_tensors()
    given_to, made = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    scores = litert.LiteRTModel(files["float32"])(proof)
    assert scores.shape == (len(proof), 10)
    assert scores.dtype == np.float32
    for image, row in zip(proof[:5], scores, strict=False):
        interpreter.set_tensor(given_to, image[None])
        interpreter.invoke()
        np.testing.assert_array_equal(interpreter.get_tensor(made)[0], row)


def test_an_int8_file_takes_and_gives_integers(files, proof):
    model = litert.LiteRTModel(files["int8"])
    raw = model.quantize(proof)
    assert raw.dtype == np.int8
    # Pixels of 0..16 become 0..1, of which the file has 255 steps.
    assert raw.min() == -128
    assert raw.max() == 127
    outputs = model.run_raw(raw)
    assert outputs.dtype == np.int8
    np.testing.assert_array_equal(model.dequantize(outputs), model(proof))
    scale, zero_point = model.output_quantization
    np.testing.assert_allclose(model(proof), (outputs.astype(float) - zero_point) * scale, rtol=1e-6)


def test_it_says_what_it_is(files):
    model = litert.LiteRTModel(files["int8"], threads=2)
    assert model.threads == 2
    assert model.input_shape == (8, 8, 1)
    assert model.classes == 10
    assert model.input_dtype == np.int8
    assert not model.ends_in_softmax
    assert model.summary.bytes == len(files["int8"])


def test_threads_do_not_change_the_integers(files, proof):
    one, two = litert.LiteRTModel(files["int8"]), litert.LiteRTModel(files["int8"], threads=2)
    np.testing.assert_array_equal(one.run_raw(one.quantize(proof)), two.run_raw(two.quantize(proof)))


def test_no_images_give_no_scores(files):
    assert litert.LiteRTModel(files["int8"])(np.empty((0, 8, 8, 1), np.float32)).shape == (0, 10)


def test_a_path_does_as_well(files, proof, tmp_path):
    (tmp_path / "a.tflite").write_bytes(files["int8"])
    np.testing.assert_array_equal(
        litert.LiteRTModel(tmp_path / "a.tflite")(proof), litert.LiteRTModel(files["int8"])(proof)
    )


@settings(deadline=None, max_examples=50)
@given(
    pixels=st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=20),
    scale=st.floats(1e-3, 1.0),
    zero_point=st.integers(-128, 127),
)
def test_quantizing_rounds_to_the_nearest_step_and_clamps(pixels, scale, zero_point):
    images = np.array(pixels, np.float32).reshape(-1, 1, 1, 1)
    back = (_quantized(images, np.dtype(np.int8), scale, zero_point).astype(np.float64) - zero_point) * scale
    low, high = (-128 - zero_point) * scale, (127 - zero_point) * scale
    np.testing.assert_allclose(back, np.clip(images, low, high), atol=scale * 0.5001)


def test_halves_go_to_the_even_number():
    images = np.array([0.5, 1.5, 2.5, -0.5, -1.5], np.float32).reshape(-1, 1, 1, 1)
    assert _quantized(images, np.dtype(np.int8), 1.0, 0).ravel().tolist() == [0, 2, 2, 0, -2]


def test_more_images_than_a_chunk_and_foreign_pixels():
    images = np.linspace(-1, 2, 3000, dtype=np.float32).reshape(-1, 1, 1, 1)
    images[5] = np.nan
    quantized = _quantized(images, np.dtype(np.uint8), 1 / 255, 7)
    assert quantized[5] == 7
    assert quantized.min() == 0
    assert quantized.max() == 255
    before = images.copy()
    _quantized(images, np.dtype(np.uint8), 1 / 255, 7)
    np.testing.assert_array_equal(images, before)


def test_images_of_another_shape_or_type_are_refused(files):
    model = litert.LiteRTModel(files["int8"])
    with pytest.raises(
        ConversionError, match=r"takes images of shape \(n, 8, 8, 1\). Received: \(3, 9, 8, 1\)"
    ):
        model(np.zeros((3, 9, 8, 1), np.float32))
    with pytest.raises(ConversionError, match=r"called with float images.*Received: uint8"):
        model(np.zeros((3, 8, 8, 1), np.uint8))
    with pytest.raises(ConversionError, match=r"takes int8 \(n, 8, 8, 1\). Received: float32"):
        model.run_raw(np.zeros((3, 8, 8, 1), np.float32))


def test_what_is_no_file_is_refused(files, tmp_path):
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        litert.LiteRTModel(tmp_path / "none.tflite")
    (tmp_path / "text.tflite").write_text("hello, I am no model")
    with pytest.raises(ConversionError, match="is not a LiteRT file"):
        litert.LiteRTModel(tmp_path / "text.tflite")
    (tmp_path / "empty.tflite").write_bytes(b"")
    with pytest.raises(ConversionError, match="is not a LiteRT file"):
        litert.LiteRTModel(tmp_path / "empty.tflite")
    with pytest.raises(ConfigError, match="threads is a whole number"):
        litert.LiteRTModel(files["int8"], threads=0)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_refused(files, share):
    for read in (litert.LiteRTModel, litert.inspect):
        with pytest.raises(ConversionError, match="damaged or truncated") as caught:
            read(files["int8"][: int(len(files["int8"]) * share)])
        assert "\n" not in str(caught.value)

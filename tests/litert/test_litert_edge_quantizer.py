from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from trimtab import litert
from trimtab.errors import ConfigError, ConversionError, MissingExtraError, ModelError
from trimtab.litert._rounding import first_weight_that_differs

there = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_quantizer") is None, reason="needs the extra edge-quantizer"
)


def _kernels(content):
    return {tensor.dtype for tensor in litert.inspect(content).tensors if tensor.elements >= 512}


@there
@pytest.mark.parametrize("scheme", ["dynamic-int4", "dynamic-int4-block32"])
def test_dynamic_int4_of_a_model(net, files, proof, scheme):
    content = litert.convert(net, scheme)
    assert "int4" in _kernels(content)
    assert len(content) < len(files["dynamic-int8"])
    parity = litert.check_parity(net, content, proof, scheme)
    assert parity.reason is None
    assert parity.top1_agreement > 0.9
    assert first_weight_that_differs(files["float32"], content) is None


@there
@pytest.mark.parametrize("scheme", ["int8", "int8-float-io"])
def test_a_ready_made_file_is_quantized_with_true_ranges(net, files, pictures, proof, scheme):
    content = litert.quantize_file(files["float32"], scheme, pictures)
    summary = litert.inspect(content)
    assert summary.input.dtype == summary.output.dtype == litert.scheme(scheme).io
    parity = litert.check_parity(net, content, proof, scheme)
    assert parity.reason is None
    # The order of the images must not matter, as it does to a moving average.
    assert litert.quantize_file(files["float32"], scheme, pictures[::-1]) == content


@there
def test_layers_by_name_stay_float(files, proof):
    content = litert.quantize_file(files["float32"], "dynamic-int8", keep_float=["hidden"])
    kernels = {
        tensor.name: tensor.dtype
        for tensor in litert.inspect(content).tensors
        if tensor.constant and len(tensor.shape) >= 2
    }
    hidden = [dtype for name, dtype in kernels.items() if "hidden" in name]
    assert hidden == ["float32"]
    assert "int8" in kernels.values()
    assert litert.LiteRTModel(content)(proof[:2]).shape == (2, 10)


@there
def test_nothing_is_said(files, capfd):
    litert.quantize_file(files["float32"], "dynamic-int8")
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_what_cannot_be_quantized_is_refused(files, pictures):
    content = files["float32"]
    with pytest.raises(ConfigError, match="quantized to integers"):
        litert.quantize_file(content, "float16")
    with pytest.raises(ModelError, match="is quantized already: its tensor"):
        litert.quantize_file(files["int8"], "dynamic-int8")
    with pytest.raises(ModelError, match="is quantized already: its tensor"):
        litert.quantize_file(files["float16"], "dynamic-int8")
    with pytest.raises(ConversionError, match="not a LiteRT file"):
        litert.quantize_file(b"no such thing", "dynamic-int8")
    with pytest.raises(ConfigError, match="no tensor of the file is named after a layer 'hiden'"):
        litert.quantize_file(content, "dynamic-int8", keep_float=["hiden"])
    with pytest.raises(ConfigError, match="is a list of names"):
        litert.quantize_file(content, "dynamic-int8", keep_float="hidden")


@there
def test_a_static_scheme_needs_images_that_are_numbers(files, pictures):
    with pytest.raises(ConfigError, match="needs images to calibrate"):
        litert.quantize_file(files["float32"], "int8")
    holes = pictures.copy()
    holes[1, 2, 3] = np.nan
    with pytest.raises(ConfigError, match="NaN or infinite pixels"):
        litert.quantize_file(files["float32"], "int8", holes)


def test_a_missing_package_is_one_line_before_any_work(net, files, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if "edge" in name else real(name, *rest)
    )
    for work in (
        lambda: litert.convert(net, "dynamic-int4"),
        lambda: litert.quantize_file(files["float32"], "dynamic-int4"),
    ):
        with pytest.raises(MissingExtraError, match=r"pip install 'trimtab\[edge-quantizer\]'") as caught:
            work()
        assert "\n" not in str(caught.value)


@there
def test_weights_that_lie_behind_the_flatbuffer_are_read(net, files):
    """That is where the package puts them; the converter does not."""
    content = litert.quantize_file(files["float32"], "dynamic-int8")
    ours, theirs = (litert.inspect(files["float32"]), litert.inspect(content))
    assert theirs.parameters == ours.parameters
    assert theirs.weight_bytes > theirs.parameters
    small = litert.diet(content)
    assert litert.inspect(small).parameters == theirs.parameters

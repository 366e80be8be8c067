"""Files in their runtimes: each on one thread, ready to be timed on one image, and able to answer many."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.exporting._formats._openvino import missing_package, openvino_library

__all__ = ["PACKAGES", "RUNTIMES", "Side", "missing", "onnx_int8", "openvino_int8"]

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "LiteRT": ("ai_edge_litert",),
    "ONNX Runtime": ("onnxruntime", "onnx", "tf2onnx"),
    "OpenVINO": ("openvino",),
}
"""What each runtime needs to be installed, by the names under which it is imported."""
_OPENVINO = {
    # On processors that have bfloat16 it would compute float nets in that.
    "INFERENCE_PRECISION_HINT": "f32",
    "INFERENCE_NUM_THREADS": "1",
    "NUM_STREAMS": "1",
    "PERFORMANCE_HINT": "LATENCY",
}


@dataclass(frozen=True)
class Side:
    """A file in its runtime.

    Args:
        call: computes one image that is in place already.
        answer: returns the scores of one image, float32 (1, height, width, channels).
    """

    call: Callable[[], object]
    answer: Callable[[np.ndarray], np.ndarray]


def missing(runtime: str) -> tuple[str, ...]:
    """Lists the packages that a runtime lacks here."""
    return tuple(name for name in PACKAGES[runtime] if importlib.util.find_spec(name) is None)


def _litert(path: Path, image: np.ndarray) -> Side:
    """A `.tflite` file in LiteRT's interpreter, with its own kernels (XNNPACK)."""
    from ai_edge_litert.interpreter import Interpreter

    from trimtab.litert import LiteRTModel

    model = LiteRTModel(path)
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], model.quantize(image))
    return Side(interpreter.invoke, model)


def _onnx_runtime(path: Path, image: np.ndarray) -> Side:
    """An `.onnx` file in ONNX Runtime, its batch fixed to 1."""
    runtime = importlib.import_module("onnxruntime")
    first = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).get_inputs()[0]
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    if isinstance(first.shape[0], str):
        options.add_free_dimension_override_by_name(first.shape[0], 1)
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_cpu_input(first.name, np.ascontiguousarray(image))
    binding.bind_output(session.get_outputs()[0].name, "cpu")

    def answer(one: np.ndarray) -> np.ndarray:
        return np.asarray(session.run(None, {first.name: one})[0], np.float32)

    return Side(lambda: session.run_with_iobinding(binding), answer)


def _openvino(path: Path, image: np.ndarray) -> Side:
    """An `.xml` file, or a `.tflite` file, whose integers OpenVINO keeps, in OpenVINO."""
    openvino = openvino_library()
    core = openvino.Core()
    network = core.read_model(str(path))
    network.reshape([1, *image.shape[1:]])
    request = core.compile_model(network, "CPU", _OPENVINO).create_infer_request()
    given, taken = _edges(path)
    request.set_input_tensor(openvino.Tensor(given(image)))

    def answer(one: np.ndarray) -> np.ndarray:
        request.get_input_tensor().data[...] = given(one)
        request.infer()
        return taken(request.get_output_tensor().data)

    return Side(request.infer, answer)


def _edges(path: Path) -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[Any], np.ndarray]]:
    """Returns what makes a file's input of an image, and scores of its output."""
    if path.suffix != ".tflite":
        return np.ascontiguousarray, lambda scores: np.array(scores, np.float32)
    from trimtab.litert import LiteRTModel

    model = LiteRTModel(path)
    return model.quantize, lambda scores: model.dequantize(np.array(scores))


def openvino_int8(source: Path, target: Path, images: np.ndarray) -> None:
    """Quantizes an OpenVINO file as Intel does: by NNCF, with its defaults.

    Args:
        source: the float `.xml`.
        target: the `.xml` to write.
        images: to calibrate with, float32 (n, height, width, channels).
    """
    openvino = openvino_library()
    with missing_package("openvino_telemetry"):  # so that it tells nobody
        nncf = importlib.import_module("nncf")
    network = openvino.Core().read_model(str(source))
    network.reshape([1, *images.shape[1:]])
    quantized = nncf.quantize(
        network, nncf.Dataset([image[None] for image in images]), subset_size=len(images)
    )
    openvino.serialize(quantized, str(target))


def onnx_int8(source: Path, target: Path, images: np.ndarray) -> None:
    """Quantizes an `.onnx` file as ONNX Runtime does: QDQ, unsigned activations, kernels per channel.

    Args:
        source: the float file.
        target: the file to write.
        images: to calibrate with, float32 (n, height, width, channels).
    """
    tools = importlib.import_module("onnxruntime.quantization")
    prepared = target.with_name(f"prepared-{target.name}")
    importlib.import_module("onnxruntime.quantization.shape_inference").quant_pre_process(
        str(source), str(prepared), skip_symbolic_shape=True
    )
    runtime = importlib.import_module("onnxruntime")
    session = runtime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    left = iter(images)

    class Images(tools.CalibrationDataReader):  # type: ignore[name-defined]
        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(left, None)
            return None if image is None else {name: image[None]}

    tools.quantize_static(
        str(prepared),
        str(target),
        Images(),
        quant_format=tools.QuantFormat.QDQ,
        activation_type=tools.QuantType.QUInt8,  # signed ones are about twice as slow on x86
        weight_type=tools.QuantType.QInt8,
        per_channel=True,
    )


RUNTIMES: Mapping[str, Callable[[Path, np.ndarray], Side]] = {
    "LiteRT": _litert,
    "ONNX Runtime": _onnx_runtime,
    "OpenVINO": _openvino,
}
"""What runs a file in each runtime, given its path and the image to time."""

"""ONNX: the exchange format between frameworks, run by ONNX Runtime and many others."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from trimtab.exporting._formats._exporter import Answers, Exporter, in_batches, library

__all__ = ["ONNX"]

_SCORES = "scores"


def _write(model: keras.Model, path: Path, image_shape: tuple[int, int, int]) -> None:
    """Writes the model through Keras and tf2onnx; the batch stays open."""
    before = hasattr(np, "object")
    signature = [keras.InputSpec(shape=(None, *image_shape), dtype="float32", name="images")]
    try:
        model.export(str(path), format="onnx", verbose=False, input_signature=signature)
    finally:
        if not before and hasattr(np, "object"):
            del np.object  # Keras puts it back for an older tf2onnx; NumPy is everybody's
    _name_edges(path)


def _name_edges(path: Path) -> None:
    """Gives the output and the open axis names: TensorFlow's are ``Identity:0`` and ``unk__48``."""
    onnx = library("onnx")
    model = onnx.load(str(path))
    (output,) = model.graph.output
    for node in model.graph.node:
        node.output[:] = [_SCORES if name == output.name else name for name in node.output]
        node.input[:] = [_SCORES if name == output.name else name for name in node.input]
    output.name = _SCORES
    for edge in (*model.graph.input, output):
        edge.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _run(path: Path, images: np.ndarray) -> Answers:
    """Runs the file in ONNX Runtime, and weighs what it stores."""
    onnx, runtime = library("onnx"), library("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    scores = in_batches(lambda some: session.run(None, {name: some})[0], images)
    stored = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(str(path)).graph.initializer]
    return Answers.weighed(scores, [values for values in stored if values.dtype.kind == "f"])


ONNX = Exporter(
    name="onnx",
    title="ONNX",
    ending=".onnx",
    parts=(),
    extra="onnx",
    packages=("tf2onnx", "onnx", "onnxruntime"),
    backend="tensorflow",
    write=_write,
    run=_run,
)
"""Through tf2onnx, which is what Keras uses on TensorFlow."""

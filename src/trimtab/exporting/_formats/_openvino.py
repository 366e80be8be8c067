"""OpenVINO IR: two files for Intel's processors, run by OpenVINO."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import keras
import numpy as np

from trimtab.exporting._formats._exporter import Answers, Exporter, in_batches, library

__all__ = ["OPENVINO", "missing_package", "openvino_library"]

_PRECISE = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1", "NUM_STREAMS": "1"}
"""OpenVINO computes in bfloat16 where a processor can, unless it is told not to."""
_TELEMETRY = "openvino_telemetry"


def openvino_library() -> Any:
    """Imports OpenVINO without its telemetry.

    Its Python package tells Intel of each import and each conversion, and keeps a number for the user in
    the home folder, unless the package that does so is missing: so it is missing while OpenVINO is imported
    for the first time. Where OpenVINO is loaded already, that was somebody else's decision.
    """
    with missing_package(_TELEMETRY) if "openvino" not in sys.modules else contextlib.nullcontext():
        return library("openvino")


@contextlib.contextmanager
def missing_package(package: str) -> Iterator[None]:
    """Lets a package look as if it were not installed; nothing happens where it is loaded already."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = cast("ModuleType", None)  # how Python marks what must not be imported
    try:
        yield
    finally:
        del sys.modules[package]


def _write(model: keras.Model, path: Path, image_shape: tuple[int, int, int]) -> None:
    """Writes the model through Keras and OpenVINO's converter; the batch stays open."""
    openvino_library()
    signature = [keras.InputSpec(shape=(None, *image_shape), dtype="float32", name="images")]
    model.export(str(path), format="openvino", verbose=False, input_signature=signature)


def _run(path: Path, images: np.ndarray) -> Answers:
    """Runs the file on the CPU in float32, and weighs what it stores."""
    core = openvino_library().Core()
    network = core.read_model(str(path))
    compiled = core.compile_model(network, "CPU", _PRECISE)
    scores = in_batches(lambda some: compiled([some])[0], images)
    return Answers.weighed(scores, _stored(network))


def _stored(network: Any) -> list[np.ndarray]:
    """Returns the float constants of a network."""
    constants = [node for node in network.get_ordered_ops() if node.get_type_name() == "Constant"]
    # A copy: it must outlive the network whose memory it would look into.
    return [values for node in constants if (values := np.array(node.data)).dtype.kind == "f"]


OPENVINO = Exporter(
    name="openvino",
    title="OpenVINO",
    ending=".xml",
    parts=(".bin",),
    extra="openvino",
    packages=("openvino",),
    backend="tensorflow",
    write=_write,
    run=_run,
)
"""The .xml names the operators, the .bin beside it holds the weights."""

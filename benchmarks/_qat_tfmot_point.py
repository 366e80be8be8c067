"""Trains one point of the comparison of trainings by TFMOT, in the peer's environment.

It goes on from the weights of Trimtab's float model, on the same images in the same order, at the same rate,
keeps the epoch that validates best, and converts what there is to int8 as TFMOT's guide does.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from _qat_plan import Point, Settings, file_of, handed_over, path_of, read_settings

__all__ = ["compute", "rebuilt"]

_KEPT = {
    "Conv2D": ("filters", "kernel_size", "strides", "padding", "use_bias", "activation"),
    "DepthwiseConv2D": ("kernel_size", "strides", "padding", "use_bias", "activation"),
    "Dense": ("units", "use_bias", "activation"),
    "BatchNormalization": ("axis", "momentum", "epsilon"),
    "MaxPooling2D": ("pool_size", "strides", "padding"),
    "ZeroPadding2D": ("padding",),
    "ReLU": (),
    "Flatten": (),
    "Add": (),
    "GlobalAveragePooling2D": (),
}
"""Layers that both generations of Keras have, and the arguments that make them what they are."""

_APART = 1e-3
"""What the two generations' answers may differ by, before any training."""

_BATCH = 500


def compute(request: dict[str, Any]) -> dict[str, Any]:
    """Trains what a request asks for, inside a worker process, and keeps its file and its result.

    Args:
        request: as for `_qat_point.compute`.

    Returns:
        ``path``: the file that holds the result.
    """
    import tensorflow_model_optimization as tfmot
    import tf_keras

    began = time.monotonic()
    point, settings = Point(**request["point"]), read_settings(request["settings"])
    folder = Path(request["folder"])
    tf_keras.backend.clear_session()
    with np.load(handed_over(folder, point)) as given:
        found = {name: given[name] for name in given.files}
    model = rebuilt(tf_keras, found)
    aware = tfmot.quantization.keras.quantize_model(model)
    validation = _trained(tf_keras, aware, found, settings, point.rate)
    trained = time.monotonic()
    _write(file_of(folder, point, "int8"), _converted(aware))
    path = path_of(folder, point)
    result = {
        **dataclasses.asdict(point),
        "validation": validation,
        "notes": [],
        "training_seconds": trained - began,
        "seconds": time.monotonic() - began,
        "commit": request["commit"],
        "dirty": request["dirty"],
    }
    _write(path, json.dumps(result, indent=2).encode())
    return {"path": str(path)}


def rebuilt(keras: Any, found: Mapping[str, Any]) -> Any:
    """Builds the float model in the other generation of Keras, with its weights, and checks its answers.

    Args:
        keras: the package ``tf_keras``.
        found: what was handed over.
    """
    config = json.loads(str(found["architecture"]))["config"]
    made: dict[str, Any] = {}
    for layer in config["layers"]:
        kind, options, name = layer["class_name"], layer["config"], layer["name"]
        if kind == "InputLayer":
            made[name] = inputs = keras.Input(tuple(options["batch_shape"][1:]), name=name)
            continue
        taken = [made[source] for source in _sources(layer["inbound_nodes"])]
        twin = getattr(keras.layers, kind)(**{key: options[key] for key in _KEPT[kind]}, name=name)
        made[name] = twin(taken[0] if len(taken) == 1 else taken)
        count = len(twin.get_weights())
        twin.set_weights([found[f"weights/{name}/{index}"] for index in range(count)])
    model = keras.Model(inputs, made[config["layers"][-1]["name"]])
    apart = float(np.max(np.abs(model.predict_on_batch(found["probed"]) - found["answers"])))
    if not apart <= _APART * max(float(np.std(found["answers"])), 1.0):
        raise ValueError(f"the float model answers otherwise in the peer's Keras: {apart:g} apart")
    return model


def _sources(nodes: Any) -> list[str]:
    """Lists the layers that a layer takes its inputs from, out of Keras 3's config."""
    if isinstance(nodes, dict):
        if "keras_history" in nodes:
            return [nodes["keras_history"][0]]
        nodes = list(nodes.values())
    if isinstance(nodes, list):
        return [source for node in nodes for source in _sources(node)]
    return []


def _trained(keras: Any, model: Any, found: Mapping[str, Any], settings: Settings, rate: float) -> float:
    """Trains a model in place as `trimtab.train` does; returns the accuracy of the epoch that it keeps.

    Adam, a cosine to zero over all steps, cross-entropy; the validation images choose the epoch.
    """
    order = found["order"]
    steps = -(-order.shape[1] // settings.batch) * len(order)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(schedule), loss, metrics=["accuracy"])
    pixels, labels = _pixels(found, "train"), found["train_labels"]
    judged = _batches(_pixels(found, "validation"), found["validation_labels"], _BATCH)
    best: tuple[float, float] | None = None
    kept = model.get_weights()
    for epoch, places in enumerate(order):
        stream = _batches(pixels[places], labels[places], settings.batch)
        model.fit(stream, initial_epoch=epoch, epochs=epoch + 1, verbose=0)
        lost, accuracy = model.evaluate(judged, verbose=0)
        if best is None or (accuracy, -lost) > best:
            best, kept = (accuracy, -lost), model.get_weights()
    model.set_weights(kept)
    return best[0] if best else float("nan")


def _pixels(found: Mapping[str, Any], part: str) -> Any:
    """Returns images as the model takes them."""
    low, high = found["input_range"]
    pixels = found[part].astype(np.float32)
    return (pixels / 255.0 if found[part].dtype == np.uint8 else pixels) * (high - low) + low


def _batches(pixels: Any, labels: Any, size: int) -> Any:
    """Makes batches in the order given, with tf.data's autotune off: its thread delays the end of a `fit`."""
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.from_tensor_slices((pixels, labels)).batch(size).prefetch(4).with_options(options)


def _converted(model: Any) -> bytes:
    """Returns the int8 file of a model that carries its ranges, integers at both ends."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content


def _write(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)

"""A member of a family of keras.applications, and what becomes of a smaller model's file.

`benchmarks/channel_families.py` has all families; its quick run, which is a test too, takes a MobileNet.
"""

from __future__ import annotations

import keras
import numpy as np

from trimtab import zoo
from trimtab.channels import find_groups, remove
from trimtab.litert import convert, inspect
from trimtab.testing import check_channels


def test_mobilenet_v3() -> None:
    model = keras.applications.MobileNetV3Small(
        weights=None, input_shape=(32, 32, 3), classes=10, classifier_activation=None
    )
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    found = check_channels(model, images=images)
    assert found.removed > 0.3 * found.units
    assert found.parameters[1] < 0.6 * found.parameters[0]


def test_a_smaller_model_is_int8_throughout() -> None:
    graph = find_groups(zoo.ds_cnn((8, 8, 1), 3, filters=(8, 12), depth=1))
    keep = {group.name: range(group.size // 2) for group in graph.groups if group.locked is None}
    smaller = remove(graph, keep)
    assert [layer.filters for layer in smaller.layers if isinstance(layer, keras.layers.Conv2D)] == [4, 4, 6]
    images = np.random.default_rng(0).random((8, 8, 8, 1), dtype=np.float32)
    assert inspect(convert(smaller, "int8", images)).float_tensors == ()

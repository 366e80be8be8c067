"""Small members of two families of keras.applications; `benchmarks/channel_families.py` has all of them."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.litert import convert, inspect
from trimtab.testing import check_channels


@pytest.mark.parametrize(
    ("name", "options", "brightest"),
    [("MobileNet", {"alpha": 0.25}, 1.0), ("MobileNetV3Small", {}, 255.0)],
)
def test_family(name: str, options: dict[str, float], brightest: float) -> None:
    model = getattr(keras.applications, name)(
        weights=None, input_shape=(32, 32, 3), classes=10, classifier_activation=None, **options
    )
    images = np.random.default_rng(0).uniform(0, brightest, (4, 32, 32, 3)).astype("float32")
    found = check_channels(model, images=images)
    assert found.removed > 0.3 * found.units
    assert found.parameters[1] < 0.6 * found.parameters[0]
    if name == "MobileNet":  # each conversion takes its time
        assert inspect(convert(found.smaller, "int8", images)).float_tensors == ()

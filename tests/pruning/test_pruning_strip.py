from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.errors import ModelError
from trimtab.pruning import strip

pytestmark = pytest.mark.backend


def test_there_is_nothing_to_strip():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    before = [np.array(keras.ops.convert_to_numpy(weight.value)) for weight in model.weights]
    with pytest.warns(UserWarning, match="nothing to strip: .* Leave out this call"):
        stripped = strip(model)
    assert stripped is model
    after = [keras.ops.convert_to_numpy(weight.value) for weight in model.weights]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_what_is_no_model_is_refused():
    with pytest.raises(ModelError, match="A Keras 3 model is needed"):
        strip([1, 2])

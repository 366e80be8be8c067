from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trimtab.errors import ConfigError
from trimtab.training._settings import Settings

_GOOD: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 8,
    "optimizer": "adam",
    "learning_rate": 0.1,
    "schedule": "cosine",
    "weight_decay": 0.0,
    "label_smoothing": 0.0,
    "patience": None,
    "restore_best": True,
    "first_best_epoch": 1,
    "augmentation": None,
    "seed": 0,
}


def test_good_arguments_pass() -> None:
    assert Settings(**_GOOD).epochs == 3
    assert Settings(**{**_GOOD, "epochs": np.int64(3), "learning_rate": np.float32(0.1)}).epochs == 3


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("epochs", 0, "epochs=0"),
        ("epochs", 2.5, "epochs=2.5"),
        ("epochs", True, "epochs=True"),
        ("batch_size", -1, "batch_size=-1"),
        ("batch_size", "8", "batch_size='8'"),
        ("optimizer", "adm", "Did you mean 'adam'"),
        ("optimizer", None, "optimizer=None"),
        ("schedule", "cosin", "Did you mean 'cosine'"),
        ("learning_rate", 0, "learning_rate=0"),
        ("learning_rate", -0.1, "learning_rate=-0.1"),
        ("learning_rate", float("nan"), "learning_rate=nan"),
        ("learning_rate", "0.1", "learning_rate='0.1'"),
        ("weight_decay", float("inf"), "weight_decay=inf"),
        ("label_smoothing", 1.0, "label_smoothing=1.0"),
        ("label_smoothing", None, "label_smoothing=None"),
        ("patience", 0, "patience=0"),
        ("first_best_epoch", 4, "first_best_epoch=4"),
        ("seed", -1, "seed=-1"),
    ],
)
def test_a_bad_argument_is_one_line_with_its_value(name: str, value: Any, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(**{**_GOOD, name: value})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)

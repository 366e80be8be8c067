"""Fixtures that every room's tests may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from trimtab.data import ImageData


@pytest.fixture(scope="session")
def digits() -> ImageData:
    """The 1,797 real 8x8 digits that scikit-learn carries."""
    from trimtab.data import load_data

    return load_data("digits")


@pytest.fixture
def small_cnn(digits: ImageData) -> Any:
    """A fresh, untrained CNN for the digits, small enough to train in a second."""
    from trimtab.zoo import cnn

    return cnn(digits.image_shape, digits.classes, filters=(8, 16), dense=16, seed=0)

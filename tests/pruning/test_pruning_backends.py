"""Pruning on the other Keras backends."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_pruning_works_on(backend: str, backend_tests_pass: Callable[..., None]) -> None:
    backend_tests_pass(backend, "tests/pruning", "tests/contracts", "tests/training", timeout=1800)

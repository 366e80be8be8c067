"""Pruning on the other Keras backends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

CORE = ("optimizer", "mask", "keep_zeros", "custom_loops", "threshold", "taylor", "tfmot_parity", "xnnpack")


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_masks_work_on(backend: str, backend_tests_pass: Callable[..., None]) -> None:
    core = [f"tests/pruning/test_pruning_{name}.py" for name in CORE]
    backend_tests_pass(backend, "tests/contracts", "tests/training", *core)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_pruning_works_on(backend: str, backend_tests_pass: Callable[..., None]) -> None:
    backend_tests_pass(backend, "tests/pruning", "tests/contracts", "tests/training", timeout=1800)

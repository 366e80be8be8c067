"""Runs the backend-free tests of channel pruning on each other Keras backend, in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_channel_pruning_works_on(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install 'trimtab[{backend}]'")
    if keras.backend.backend() == backend:
        pytest.skip(f"{backend} is the backend of this very run")
    command = [sys.executable, "-m", "pytest", "-m", "backend", "-q", "--import-mode=importlib"]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", "tests/channel_pruning"]
    environment = {**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]

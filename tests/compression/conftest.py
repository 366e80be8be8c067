"""Workers that train nothing, for the logic of the search."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from trimtab.workers import Job


@pytest.fixture(scope="session")
def fakes() -> ModuleType:
    """The module with the fake workers, loaded by its place: tests are no package."""
    spec = importlib.util.spec_from_file_location("fake_workers", Path(__file__).with_name("fake_workers.py"))
    if spec is None or spec.loader is None:
        raise RuntimeError("fake_workers.py is missing beside conftest.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["fake_workers"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def shipping(fakes: ModuleType) -> type[Any]:
    """Fake workers that make files too: each holds the weights of its model."""

    class Shipping(fakes.FakeWorkers):  # type: ignore[misc,name-defined]
        def _ship(self, job: Job, out: Path) -> dict[str, Any]:
            weights = job.files["model"].read_text()
            for name in ("model.keras", "model.tflite", "model.tflite.json"):
                (out / name).write_text(weights)
            return {
                "links": [],
                "val_accuracy": 0.95 if job.arguments["aware_epochs"] else 0.9,
                "float_accuracy": 0.95,
                "facts": {"bytes": 9000, "gzip_bytes": 8000, "memory_bytes": 1, "parameters": 1, "macs": 1},
                "images": 1000,
            }

    return Shipping

"""Workers that train nothing, for the logic of the search."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


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

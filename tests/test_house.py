"""The rules of the house: what is public, which way imports run, what is imported when."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import trimtab

SOURCE = Path(trimtab.__file__).parent
ROOMS = sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").is_file())
FLOORS = (
    {
        "errors",
        "_records",
        "_choices",
        "_atomic",
        "_version",
        "_versions",
        "_quiet",
        "_compression",
        "_temporary",
        "_units",
        "_statistics",
        "progress",
        "_keras_internals",
        "_lock",
    },
    {"data", "models", "channels", "zoo", "training", "litert", "workers"},
    {"distillation"},
    {"pruning", "quantization", "clustering"},
    {"exporting"},
    {"benchmarking", "testing"},
    {"channel_pruning"},
    {"doctor"},
    {"tuning"},
    {"compression"},
    {"reporting"},
    {"pipeline"},
    {"cli", "__main__"},
)
"""From the foundation to the roof: a file imports only from its own floor or a lower one."""
MAY_SEE_BESIDE = {
    ("_atomic", "_records"),
    ("_atomic", "errors"),
    ("_choices", "errors"),
    ("_lock", "_atomic"),
    ("_lock", "errors"),
    ("_quiet", "errors"),
    ("__main__", "cli"),
    ("_temporary", "errors"),
    ("_statistics", "errors"),
    ("_units", "errors"),
    ("_versions", "_version"),
    ("channels", "models"),
    ("litert", "data"),
    ("litert", "models"),
    ("models", "data"),
    ("training", "data"),
    ("training", "models"),
    ("zoo", "channels"),
    ("zoo", "models"),
}
"""The few arrows inside a floor; none has a way back."""


def imports(path: Path) -> set[str]:
    """The rooms that a file imports from, wherever in the file it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "trimtab":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("trimtab.")}
    return found


def owner(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_arrows_run_one_way(path: Path) -> None:
    if path.parent == SOURCE and path.name == "__init__.py":
        return  # the front door knows every room
    floor = {name: level for level, names in enumerate(FLOORS) for name in names}
    here = owner(path)
    assert here in floor, f"{here} has no floor: add it to FLOORS"
    for other in imports(path) - {here}:
        if other in floor:
            below = floor[other] < floor[here] or (here, other) in MAY_SEE_BESIDE
            assert below, f"{path.relative_to(SOURCE)} imports trimtab.{other}, which is not below it"


def test_only_one_file_imports_private_keras() -> None:
    def modules(path: Path) -> set[str]:
        nodes = list(ast.walk(ast.parse(path.read_text())))
        named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        return named | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}

    offenders = [
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if any(name.startswith("keras.src") for name in modules(path)) and path.name != "_keras_internals.py"
    ]
    assert offenders == []


def test_the_front_door_is_complete() -> None:
    for name in trimtab.__all__:
        assert getattr(trimtab, name) is not None
    assert set(dir(trimtab)) == set(trimtab.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        trimtab.nonsense  # noqa: B018


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_declares_exactly_its_public_names(room: str) -> None:
    module = importlib.import_module(f"trimtab.{room}")
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        public = getattr(module, name)
        assert public.__doc__ or not callable(public), f"trimtab.{room}.{name} has no docstring"


def test_one_public_path_for_each_thing() -> None:
    # Rooms may use a name of the field each for its own thing, as `pruning.strip` and `quantization.strip`.
    paths: dict[int, list[str]] = {}
    for room in ROOMS:
        module = importlib.import_module(f"trimtab.{room}")
        for name in module.__all__:
            if callable(public := getattr(module, name)):
                paths.setdefault(id(public), []).append(f"{room}.{name}")
    assert [places for places in paths.values() if len(places) > 1] == []


@pytest.mark.parametrize(
    "module",
    [
        "trimtab",
        "trimtab.cli",
        "trimtab.pipeline",
        "trimtab.reporting",
        "trimtab.data",
        "trimtab.tuning",
        "trimtab.workers",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(module: str) -> None:
    heavy = "keras tensorflow jax torch sklearn matplotlib plotly ai_edge_litert optuna"
    code = f"import sys, {module}; print([m for m in '{heavy}'.split() if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"


def test_no_assert_in_the_source() -> None:
    """`python -O` removes asserts: a check that users rely on is an exception."""
    offenders = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert)
    ]
    assert offenders == []

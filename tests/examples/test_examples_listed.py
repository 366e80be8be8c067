"""Each script has its test, and its line in the list of examples."""

from __future__ import annotations

from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.glob("*/*.py"))


def test_each_folder_is_here() -> None:
    assert {script.split("/")[0] for script in SCRIPTS} == {
        "channels",
        "distillation",
        "pruning",
        "quantization",
        "tuning",
    }


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_script_is_tested_and_listed(script: str) -> None:
    folder = script.split("/")[0]
    assert f'show("{script}")' in (Path(__file__).parent / f"test_examples_{folder}.py").read_text()
    assert f"({script})" in (EXAMPLES / "README.md").read_text()

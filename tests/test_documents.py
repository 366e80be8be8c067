"""What the documents show is run: Python blocks, links, and the examples.

A block that begins with "```python" runs. Most pages show one program a block; some, named below, are one
program from top to bottom. Another toolkit's code is marked "```python tfmot": it must be Python, and does
not run here.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
TOP = ("README.md", "CONTRIBUTING.md", "examples/README.md")
DOCUMENTS = sorted([*(ROOT / name for name in TOP), *(ROOT / "docs").rglob("*.md")])
ONE_PROGRAM = [
    ROOT / "docs" / f"{name}.md"
    for name in (
        *("behaviour", "channel-pruning", "clustering", "compress", "distillation", "doctor"),
        *("from-tfmot", "pruning", "quantization", "quantization-aware", "tuning"),
    )
]
"""Pages whose blocks build on each other; they start from nothing but an empty folder."""


def blocks(path: Path, kind: str = "python") -> list[str]:
    """The blocks of a page that are marked so."""
    return re.findall(rf"^```{kind}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


BLOCKS = [
    pytest.param(block, id=f"{path.relative_to(ROOT)}-{number}")
    for path in DOCUMENTS
    if path not in ONE_PROGRAM
    for number, block in enumerate(blocks(path))
]


@pytest.fixture
def own_things(tmp_path: Path, digits: object) -> Path:
    """A folder with what the documents call one's own: a model, and images in folders."""
    from trimtab import train
    from trimtab.data import ImageData
    from trimtab.models import save_model
    from trimtab.zoo import cnn

    assert isinstance(digits, ImageData)
    for part, split, count in (("train", digits.train, 400), ("test", digits.test, 100)):
        for number in range(min(count, len(split))):
            place = tmp_path / "photos" / part / digits.class_names[split.labels[number]] / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(split.images[number, :, :, 0])).save(place)
    model = cnn(digits.image_shape, digits.classes, filters=(8, 16), dense=16)
    train(model, digits, epochs=2, batch_size=32)
    save_model(model, tmp_path / "my_model.keras")
    return tmp_path


def run(words: list[str], folder: Path) -> str:
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("block", BLOCKS)
def test_python_in_the_documents_runs(block: str, own_things: Path) -> None:
    (own_things / "block.py").write_text(block)
    run(["block.py"], own_things)


@pytest.mark.parametrize("path", ONE_PROGRAM, ids=lambda path: path.stem)
def test_a_page_that_is_one_program_runs(path: Path, tmp_path: Path) -> None:
    lines, inside = [], False
    for line in path.read_text().splitlines():
        inside = inside and line != "```"
        lines.append(line if inside else "")  # so that an error names the line of the page
        inside = inside or line == "```python"
    (tmp_path / f"{path.stem}.py").write_text("\n".join(lines))
    run([f"{path.stem}.py"], tmp_path)


def test_what_is_shown_of_tfmot_is_python() -> None:
    shown = blocks(ROOT / "docs" / "from-tfmot.md", "python tfmot")
    assert len(shown) == len(blocks(ROOT / "docs" / "from-tfmot.md"))  # a before for each after
    for block in shown:
        compile(block, "from-tfmot.md", "exec")


@pytest.mark.parametrize(
    "name",
    [
        *("prune_low_magnitude", "prune_scope", "strip_pruning", "UpdatePruningStep", "PruningSummaries"),
        *("PruningSchedule", "ConstantSparsity", "PolynomialDecay", "PrunableLayer", "PruningPolicy"),
        *("PruneForLatencyOnXNNPack", "to_prune", "pruning_schedule", "block_size", "block_pooling_type"),
        *("pruning_policy", "sparsity_m_by_n", "kwargs"),
    ],
)
def test_each_public_name_of_tfmot_has_its_line(name: str) -> None:
    rows = [line for line in (ROOT / "docs" / "from-tfmot.md").read_text().splitlines() if line[:2] == "| "]
    assert any(re.search(rf"`[^`]*\b{name}\b", row.split(" | ")[0]) for row in rows)


def test_own_model_example(own_things: Path) -> None:
    output = run([str(ROOT / "examples" / "own_model.py"), "my_model.keras", "photos"], own_things)
    assert "pruned int8" in output
    assert (own_things / "model-int8.tflite").stat().st_size < (own_things / "model.tflite").stat().st_size


def test_own_recipe_example() -> None:
    from trimtab.pipeline import read_recipe

    assert read_recipe(ROOT / "examples" / "own_recipe.yaml").baseline == "dense-float32"


RECIPES = [
    pytest.param(block, id=f"{path.relative_to(ROOT)}-{number}")
    for path in DOCUMENTS
    for number, block in enumerate(blocks(path, "yaml"))
]


@pytest.mark.parametrize("block", RECIPES)
def test_recipes_in_the_documents_are_recipes(block: str, tmp_path: Path) -> None:
    from trimtab.pipeline import read_recipe

    (tmp_path / "recipe.yaml").write_text(block)
    assert len(read_recipe(tmp_path / "recipe.yaml").steps) > 1


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_pictures_are_there(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), f"{path.name} links to {target}, which is not there"

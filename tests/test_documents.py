"""What the documents show is run: Python blocks, links, and the examples."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
BLOCKS = [
    pytest.param(block, id=f"{path.relative_to(ROOT)}-{number}")
    for path in DOCUMENTS
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
    )
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


def test_own_model_example(own_things: Path) -> None:
    output = run([str(ROOT / "examples" / "own_model.py"), "my_model.keras", "photos"], own_things)
    assert "pruned int8" in output
    assert (own_things / "model-int8.tflite").stat().st_size < (own_things / "model.tflite").stat().st_size


def test_own_recipe_example() -> None:
    from trimtab.pipeline import read_recipe

    assert read_recipe(ROOT / "examples" / "own_recipe.yaml").baseline == "dense-float32"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_pictures_are_there(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), f"{path.name} links to {target}, which is not there"

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trimtab._records import to_plain
from trimtab.errors import ModelError
from trimtab.exporting import Artifact
from trimtab.exporting._artifact import record_path
from trimtab.litert import Parity

CONTENT = b"pretend that this is a file"


@pytest.fixture
def artifact(tmp_path) -> Artifact:
    import hashlib

    path = tmp_path / "a.tflite"
    path.write_bytes(CONTENT)
    parity = Parity(
        passed=True, scheme="int8", images=180, max_error=0.2, mean_error=0.01, spread=3.0, error_limit=0.2,
        max_error_steps=2.0, top1_agreement=0.99, decided=170, decided_agreement=1.0, bytes=len(CONTENT),
        weight_bytes=20, expected_weight_bytes=(10, 30),
    )  # fmt: skip
    made = Artifact(
        path=path, scheme="int8", bytes=len(CONTENT), gzip_bytes=40,
        sha256=hashlib.sha256(CONTENT).hexdigest(), parameters=20, non_zeros=15, model_parameters=25,
        model_non_zeros=18, parity=parity, parity_images="validation",
        calibration={"images": 100, "seed": 0}, softmax="none", versions={"trimtab": "0"}, model="net",
        model_digest="ab", data={"name": "digits", "digest": "cd"}, compressed=tmp_path / "a.tflite.gz",
        notes=("one", "two"),
    )  # fmt: skip
    made.write()
    return made


def test_what_is_written_is_read_back(artifact):
    assert Artifact.read(artifact.path) == artifact
    assert Artifact.read(record_path(artifact.path)) == artifact
    assert Artifact.read(str(artifact.path)) == artifact


def test_file_and_record_can_move_together(artifact, tmp_path):
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in (artifact.path, record_path(artifact.path)):
        path.rename(moved / path.name)
    read = Artifact.read(moved / "a.tflite")
    assert read.path == moved / "a.tflite"
    assert read.compressed == moved / "a.tflite.gz"
    assert "elsewhere" not in record_path(read.path).read_text()


def test_the_record_is_plain_data(artifact):
    record = json.loads(record_path(artifact.path).read_text())
    assert record["format"] == 1
    assert record["path"] == "a.tflite"
    assert record["parity"] == to_plain(artifact.parity)
    assert set(record) == {"format", *to_plain(artifact)}


def test_another_file_under_the_name_is_noticed(artifact):
    artifact.path.write_bytes(CONTENT + b"!")
    with pytest.raises(ModelError, match="is not the file that was checked"):
        Artifact.read(artifact.path)


def test_a_missing_file_or_record_is_one_line(artifact, tmp_path):
    with pytest.raises(ModelError, match=r"none.tflite.json cannot be read: No such file"):
        Artifact.read(tmp_path / "none.tflite")
    artifact.path.unlink()
    with pytest.raises(ModelError, match=r"a.tflite cannot be read: No such file"):
        Artifact.read(artifact.path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged"),
        ("[]", "not a record of format 1"),
        ('{"format": 99}', "not a record of format 1"),
        ('{"format": 1}', "not a record of an exported file"),
        ('{"format": 1, "parity": {"new": 1}}', "not a record of an exported file"),
    ],
)
def test_a_damaged_record_is_one_line(artifact, text, message):
    Path(record_path(artifact.path)).write_text(text)
    with pytest.raises(ModelError, match=message) as caught:
        Artifact.read(artifact.path)
    assert "\n" not in str(caught.value)

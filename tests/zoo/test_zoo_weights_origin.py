"""Where weights come from, for the record."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from trimtab import zoo
from trimtab._records import to_plain
from trimtab.errors import ConfigError


def test_most_architectures_begin_at_random() -> None:
    origin = zoo.weights_origin("cnn", filters=(8,))
    assert origin == zoo.WeightsOrigin("random")
    assert str(origin) == "random, from the seed"
    assert (
        zoo.weights_origin("resnet50", weights="none")
        == zoo.weights_origin("resnet50", weights=None)
        == origin
    )


def test_imagenet_is_what_resnet50_begins_with() -> None:
    assert zoo.weights_origin("resnet50").kind == "imagenet"
    assert (
        str(zoo.weights_origin("resnet50", weights="imagenet"))
        == "pretrained on ImageNet (keras.applications)"
    )


def test_a_file_is_told_by_its_name_and_content_but_not_by_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "teacher.weights.h5"
    path.write_bytes(b"weights")
    origin = zoo.weights_origin("resnet50", weights=path)
    digest = hashlib.sha256(b"weights").hexdigest()
    assert to_plain(origin) == {"kind": "file", "file": "teacher.weights.h5", "sha256": digest}
    assert str(origin) == f"from the file teacher.weights.h5 (SHA-256 {digest[:12]})"


def test_nonsense_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not an architecture"):
        zoo.weights_origin("resnt50")
    with pytest.raises(ConfigError, match="does not exist"):
        zoo.weights_origin("resnet50", weights="missing.h5")
    with pytest.raises(ConfigError, match="name and SHA-256"):
        zoo.WeightsOrigin("file")
    with pytest.raises(ConfigError, match="name and SHA-256"):
        zoo.WeightsOrigin("imagenet", "a.h5", "00")

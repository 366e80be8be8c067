"""Candidates as plain data and back, with a list of words that a person reads."""

from __future__ import annotations

import json

import pytest

from trimtab.compression import Baseline, Candidate, Lesson, Narrowed, ZooNetwork
from trimtab.errors import ConfigError, RunError

CANDIDATES = [
    Candidate(ZooNetwork("cnn", (("filters", (8, 16)), ("dense", 0))), Lesson(1e-3, "shift", 2.0, 0.5)),
    Candidate(Narrowed(0.25), sparsity=0.5, clusters=16),
    Candidate(Baseline(), scheme="int4"),
]


@pytest.mark.parametrize("candidate", CANDIDATES, ids=str)
def test_plain_data_and_back(candidate: Candidate) -> None:
    assert Candidate.of_plain(json.loads(json.dumps(candidate.to_plain()))) == candidate


def test_words() -> None:
    assert str(CANDIDATES[0]) == "cnn (filters 8-16), augmentation shift"
    assert str(CANDIDATES[1]) == "baseline, 25% of its parameters, 50% zeros, 16 values a layer"
    assert (
        str(ZooNetwork("cnn", (("depth", 2), ("dense", 0), ("batch_norm", True))))
        == "cnn (depth 2, batch norm)"
    )


def test_what_is_no_candidate() -> None:
    with pytest.raises(RunError, match="tells of no candidate"):
        Candidate.of_plain({"network": {"kind": "pickle"}, "lesson": {}})
    with pytest.raises(ConfigError, match="augmentation is one of"):
        Lesson(augmentation="mixup")
    with pytest.raises(ConfigError, match="share that stays"):
        Narrowed(1.5)

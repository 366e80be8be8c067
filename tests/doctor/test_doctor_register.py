"""Checks of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from trimtab.doctor import Examined, Finding, _register, register_check
from trimtab.errors import ConfigError


@pytest.fixture
def only_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """No check but those that the test adds, and none of them afterwards."""
    monkeypatch.setattr(_register, "_CHECKS", {})


def findings(examined: Any = None) -> tuple[Finding, ...]:
    return _register.findings_of(examined)


def test_a_check_of_ones_own_is_asked(only_own: None) -> None:
    @register_check("mine")
    def mine(examined: Examined) -> Iterator[Finding]:
        assert examined == "a model"  # type: ignore[comparison-overlap]
        yield Finding("small", "hint", "It is small.")
        yield Finding("broken", "problem", "It is broken.")

    assert [finding.name for finding in findings("a model")] == ["broken", "small"]  # the worst first


def test_a_later_check_replaces_an_earlier_one(only_own: None) -> None:
    register_check("mine")(lambda _: [Finding("one", "hint", "One.")])
    register_check("mine")(lambda _: [Finding("two", "hint", "Two.")])
    register_check("silent")(lambda _: None)  # type: ignore[arg-type,return-value]
    assert [finding.name for finding in findings()] == ["two"]


def test_what_is_no_check_is_refused(only_own: None) -> None:
    with pytest.raises(ConfigError, match="has a name"):
        register_check("")
    with pytest.raises(ConfigError, match="must be a function"):
        register_check("mine")("no function")  # type: ignore[arg-type]
    register_check("mine")(lambda _: ["a text"])  # type: ignore[arg-type,list-item,return-value]
    with pytest.raises(ConfigError, match="'mine' must give Findings, but gave str"):
        findings()

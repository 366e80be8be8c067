"""What a check hands back: refused where it says nothing."""

from __future__ import annotations

from typing import Any

import pytest

from trimtab.doctor import Finding
from trimtab.errors import ConfigError


def test_a_finding_is_plain_data() -> None:
    finding = Finding("odd", "hint", "It is odd.", layers=["a", "b"])  # type: ignore[arg-type]
    assert finding.layers == ("a", "b")
    assert (finding.cost, finding.remedy) == ("", "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("odd", "warn", "It is odd."), "Did you mean 'warning'"),
        (("", "hint", "It is odd."), "has a name"),
        (("odd", "hint", ""), "says what was found"),
    ],
)
def test_one_that_says_nothing_is_refused(words: tuple[Any, ...], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        Finding(*words)

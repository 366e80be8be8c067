"""Search spaces: read, counted, conditional."""

from __future__ import annotations

from typing import Any

import pytest

from trimtab.errors import ConfigError
from trimtab.tuning import Choice, Integer, Real, Space

NESTED = {
    "model": {
        "architecture": {"choice": ["cnn", "resnet"]},
        "filters": {"choice": [[8], [8, 16]], "when": {"model.architecture": "cnn"}},
        "width": {"low": 8, "high": 32, "step": 8, "when": {"model.architecture": "resnet"}},
    },
    "epochs": 3,
    "augmentation.shift": {"low": 0, "high": 1},
}


def test_names_may_be_nested_or_dotted() -> None:
    space = Space.from_data(NESTED)
    assert space.fixed == {"epochs": 3}
    assert list(space.dimensions) == [
        "model.architecture",
        "model.filters",
        "model.width",
        "augmentation.shift",
    ]
    assert space.dimensions["model.filters"] == Choice(((8,), (8, 16)), when={"model.architecture": ("cnn",)})
    assert Space.from_data(space.to_data()) == space


def test_settings_hold_what_matters_in_them() -> None:
    space = Space.from_data(NESTED)
    settings = list(space.settings())
    assert space.size == len(settings) == (2 + 4) * 2
    for setting in settings:
        assert ("model.filters" in setting) == (setting["model.architecture"] == "cnn")
        assert ("model.width" in setting) == (setting["model.architecture"] == "resnet")
        assert space.check(setting) == setting
    assert space.defaults() == {
        "epochs": 3,
        "model.architecture": "cnn",
        "model.filters": (8,),
        "augmentation.shift": 0,
    }


def test_conditions_may_come_before_what_they_name_and_may_form_chains() -> None:
    space = Space(
        {
            "c": Integer(1, 3, when={"b": ("y",)}),
            "b": Choice(("x", "y"), when={"a": (True,)}),
            "a": Choice((False, True)),
        }
    )
    assert list(space.dimensions) == ["a", "b", "c"]
    assert space.size == len(list(space.settings())) == 1 + 1 + 3


def test_a_number_without_steps_makes_a_space_endless() -> None:
    space = Space({"rate": Real(0.0, 1.0), "n": Choice((1, 2))})
    assert space.size is None
    assert space.check({"rate": 1, "n": 2}) == {"rate": 1.0, "n": 2}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([1], "a space maps names"),
        ({"a": {}}, "a is empty"),
        ({"a": 1}, "nothing to choose"),
        ({"a": {"choice": [1]}}, "nothing to choose"),
        ({"a": {"low": 2, "high": 1}}, "a: low=2 is above high=1"),
        ({"a.b": 1, "a": {"b": {"choice": [1, 2]}}}, "a.b stands twice"),
        ({"a": {"choice": [1, 2], "when": {"b": 1}}}, "'b', which is no choice of this space"),
        (
            {"b": {"choice": [1, 2]}, "a": {"choice": [1, 2], "when": {"b": 3}}},
            "waits for b to be 3, but it may be 1, 2",
        ),
        (
            {
                "a": {"choice": [1, 2], "when": {"b": 1}},
                "b": {"choice": [1, 2], "when": {"a": 1}},
            },
            "wait for each other",
        ),
        ({"a": {"low": 1, "high": 2, "setp": 1}}, "a: unknown key 'setp'. Did you mean 'step'"),
    ],
)
def test_spaces_that_make_no_sense(data: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        Space.from_data(data)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"moddel": 1}, "no 'moddel'"),
        ({"model.architecture": "cnn"}, "a value for model.filters is missing"),
        ({"model.architecture": "vgg"}, "may be cnn, resnet. Received: 'vgg'"),
        ({"epochs": 4}, "epochs is always 3"),
        (
            {"model.architecture": "cnn", "model.filters": [8], "model.width": 8, "augmentation.shift": 0},
            "model.width has no value here",
        ),
    ],
)
def test_settings_that_are_not_in_the_space(values: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Space.from_data(NESTED).check(values)

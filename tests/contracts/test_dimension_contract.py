"""What every dimension of a search space must do, whatever its kind."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab._records import to_plain
from trimtab.errors import ConfigError
from trimtab.tuning import Choice, Dimension, Integer, Real
from trimtab.tuning._dimension import dimension_from_data

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1000, 1000),
    st.floats(-1e6, 1e6).filter(lambda value: not value.is_integer()),
    st.text(max_size=5),
)
LISTS = st.lists(st.integers(1, 64), min_size=1, max_size=3).map(tuple)


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    options = draw(st.lists(SCALARS | LISTS, min_size=1, max_size=5))
    unique = [option for place, option in enumerate(options) if option not in options[:place]]
    return Choice(tuple(unique))


@st.composite
def integers(draw: st.DrawFn) -> Integer:
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -100, 100))
    step = 1 if log else draw(st.integers(1, 9))
    return Integer(low, low + step * draw(st.integers(0, 20)), step, log)


@st.composite
def reals(draw: st.DrawFn) -> Real:
    log = draw(st.booleans())
    smallest = 1e-9 if log else -1e6
    ends = draw(st.lists(st.floats(smallest, 1e6), min_size=2, max_size=2).map(sorted))
    return Real(ends[0], ends[1], log)


DIMENSIONS = choices() | integers() | reals()


@given(DIMENSIONS)
def test_the_default_and_the_extremes_are_values_of_it(dimension: Dimension) -> None:
    for value in (dimension.default, *dimension.extremes()):
        assert dimension.contains(value)


@given(DIMENSIONS)
def test_what_is_counted_can_be_gone_through(dimension: Dimension) -> None:
    values = list(dimension.values())
    assert len(values) == (dimension.size or 0)
    assert all(dimension.contains(value) for value in values)
    assert len({repr(value) for value in values}) == len(values)


@given(DIMENSIONS)
def test_it_goes_through_json_and_yaml_and_is_the_same(dimension: Dimension) -> None:
    data = dimension.to_data()
    assert dimension_from_data(json.loads(json.dumps(data))) == dimension
    assert dimension_from_data(yaml.safe_load(yaml.safe_dump(data))) == dimension


@given(DIMENSIONS, st.sampled_from([(0, 1), (1, 2)]))
@settings(max_examples=30)
def test_conditions_survive_too(dimension: Dimension, wanted: tuple[int, ...]) -> None:
    data = {**dimension.to_data(), "when": {"other": to_plain(wanted)}}
    assert dimension_from_data(data).when == {"other": wanted}
    assert dimension_from_data(dimension_from_data(data).to_data()) == dimension_from_data(data)


@pytest.mark.parametrize(
    "dimension", [Choice((1, 2)), Integer(1, 3), Real(0.0, 1.0)], ids=lambda d: type(d).__name__
)
def test_nothing_else_is_a_value_of_it(dimension: Dimension) -> None:
    strangers: list[Any] = [None, "x", True, (1,), 99, -1, float("nan")]
    assert not any(dimension.contains(value) for value in strangers)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Choice(()), "needs a list of values"),
        (lambda: Choice("adam"), "needs a list of values"),
        (lambda: Choice((1, True)), "stands twice"),
        (lambda: Choice(({"a": 1},)), "no word, number, boolean"),
        (lambda: Choice((1, 2), default=3), "not in 1, 2"),
        (lambda: Integer(4, 2), "turn them round"),
        (lambda: Integer(1.5, 2), "whole number"),
        (lambda: Integer(0, 5, 2), "write high=4"),
        (lambda: Integer(0, 5, 0), "at least 1"),
        (lambda: Integer(1, 9, 2, log=True), "do not go together"),
        (lambda: Integer(0, 5, log=True), "above 0"),
        (lambda: Integer(1, 3, default=7), "not in 1 to 3"),
        (lambda: Real(0.5, 0.1), "turn them round"),
        (lambda: Real(0.0, 1.0, log=True), "above 0"),
        (lambda: Real(float("nan"), 1.0), "finite number"),
        (lambda: Real(0.0, 1.0, when={"a": ()}), "lists no value"),
        (lambda: Real(0.0, 1.0, when="a"), "maps names to values"),
        (lambda: dimension_from_data({"low": 1}), "high is missing"),
        (lambda: dimension_from_data({"low": 1, "hihg": 2}), "Did you mean 'high'"),
        (lambda: dimension_from_data({"choice": [1], "low": 2}), "unknown key 'low'"),
        (lambda: dimension_from_data({"low": 0.1, "high": 1, "step": 2}), "step is for whole numbers"),
        (lambda: dimension_from_data({"low": "a", "high": 1}), "finite number"),
        (lambda: dimension_from_data({"low": 1, "high": 2, "log": "yes"}), "true or false"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(make: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_numbers_that_yaml_takes_for_words_are_numbers() -> None:
    read = dimension_from_data(yaml.safe_load("{low: 1e-4, high: 1e-2, log: true}"))
    assert read == Real(1e-4, 1e-2, log=True)
    assert read.default == pytest.approx(1e-3)

"""The search for the first state within a limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.channel_pruning._bracket import Bracket, first_within, narrowed


@given(costs=st.lists(st.integers(0, 1000), min_size=1, max_size=60), share=st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_the_first_place_within_the_limit(costs, share):
    costs = sorted(costs, reverse=True)
    limit = costs[-1] + share * (costs[0] - costs[-1])
    wanted = next(place for place, cost in enumerate(costs) if cost <= limit)
    assert first_within(len(costs), limit, costs.__getitem__) == wanted


@given(
    seed=st.integers(0, 999), count=st.integers(2, 300), share=st.floats(0.01, 0.99), noise=st.floats(0, 0.1)
)
@settings(deadline=None, max_examples=80)
def test_a_bracket_is_narrowed_in_few_measurements_and_its_end_is_within(seed, count, share, noise):
    random = np.random.default_rng(seed)
    sizes = np.sort(random.uniform(1, 100, count))[::-1] + np.linspace(1, 0, count)
    # What is measured is no straight line over what is known, and noise makes it uneven.
    costs = (20 + sizes**1.2) * (1 + noise * random.uniform(-1, 1, count))
    limit = costs[-1] + share * (costs[0] - costs[-1])
    if not costs[0] > limit >= costs[-1]:
        return
    asked: set[int] = set()

    def measure(place):
        asked.add(place)
        return float(costs[place])

    found = narrowed(Bracket(0, count - 1), limit, measure, lambda place: float(sizes[place]), most=8)
    assert 0 <= found.over < found.within < count
    assert costs[found.within] <= limit < costs[found.over]
    assert len(asked - {0, count - 1}) <= 8


def test_a_line_is_hit_at_once():
    sizes = np.linspace(1000, 10, 500)
    asked: list[int] = []

    def measure(place):
        asked.append(place)
        return 50 + 2 * float(sizes[place])

    found = narrowed(Bracket(0, 499), 700.0, measure, lambda place: float(sizes[place]))
    assert 700 * 0.99 <= measure(found.within) <= 700
    assert len(set(asked)) <= 4  # both ends, and one or two more


def test_a_wrong_estimate_still_ends_by_halving():
    costs = [100.0] * 200 + [10.0] * 56
    found = narrowed(Bracket(0, 255), 50.0, costs.__getitem__, lambda place: 256.0 - place, most=30)
    assert found == Bracket(199, 200)


@pytest.mark.parametrize("count", [2, 3])
def test_the_smallest_brackets(count):
    found = narrowed(Bracket(0, count - 1), 1.5, lambda place: count - place, lambda place: count - place)
    assert found == Bracket(count - 2, count - 1)

"""Which units go: nested, in multiples, down to the floors, as many as asked for."""

from __future__ import annotations

import dataclasses
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trimtab.channel_pruning import SelectionRule, best_units, removal_order, select
from trimtab.channels import ChannelGroup, Member
from trimtab.channels._rounding import allowed_counts
from trimtab.errors import ConfigError


def group(name, size, width=1, locked=None, layers=None):
    """A group of units of `width` channels each, made by one kernel of ones."""
    units = np.repeat(np.arange(size), width)
    kernel = Member(name, np.ones((3, size * width), np.float32), "kernel", 1, units, "out")
    return ChannelGroup(name, size, (kernel,), locked, True, layers or (name,))


def graph(*groups):
    """What the selection needs of a graph."""
    return SimpleNamespace(groups=groups, model=SimpleNamespace(name="toy"))


FINE = SelectionRule(round_to=1, least=1)


@st.composite
def problems(draw):
    """Some groups with scores, and a rule under which something may go."""
    sizes = draw(st.lists(st.integers(1, 70), min_size=1, max_size=5))
    groups = [group(f"g{place}", size, width=draw(st.integers(1, 3))) for place, size in enumerate(sizes)]
    random = np.random.default_rng(draw(st.integers(0, 999)))
    # Few different values, so that there are ties; each group on a scale of its own.
    scores = {one.name: random.integers(0, 6, one.size) * float(random.integers(1, 9)) for one in groups}
    rule = SelectionRule(
        ranking=draw(st.sampled_from(["global", "group"])),
        normalization=draw(st.sampled_from(["mean", "max", "none"])),
        round_to=draw(st.sampled_from([1, 2, 4, 8, 12])),
        least=draw(st.sampled_from([1, 3, 8])),
        max_ratio=draw(st.sampled_from([0.3, 0.75, 0.9])),
    )
    assume(any(len(allowed(one, rule)) > 1 for one in groups))
    return graph(*groups), scores, rule


def allowed(one, rule):
    return allowed_counts(one, rule.round_to, rule.least, rule.max_ratio)


@given(problem=problems(), ratios=st.lists(st.floats(0.01, 0.99), min_size=2, max_size=6))
@settings(deadline=None, max_examples=80)
def test_what_goes_at_a_ratio_goes_at_each_larger_one(problem, ratios):
    toy, scores, rule = problem
    kept = [select(toy, scores, ratio, rule) for ratio in sorted(ratios)]
    for less, more in itertools.pairwise(kept):
        for name in less:
            assert set(more[name]) <= set(less[name])


@given(problem=problems(), ratio=st.floats(0.01, 0.99))
@settings(deadline=None, max_examples=80)
def test_counts_are_allowed_and_the_lowest_scores_go(problem, ratio):
    toy, scores, rule = problem
    for name, kept in select(toy, scores, ratio, rule).items():
        (one,) = (each for each in toy.groups if each.name == name)
        assert len(kept) in allowed(one, rule)
        assert list(kept) == sorted(set(kept))
        gone = np.setdiff1d(np.arange(one.size), kept)
        if len(gone):
            assert scores[name][gone].max() <= scores[name][kept].min()


@given(problem=problems(), ratio=st.floats(0.01, 0.99))
@settings(deadline=None, max_examples=80)
def test_globally_the_total_is_the_nearest_there_is(problem, ratio):
    toy, scores, rule = problem
    order = removal_order(toy, scores, dataclasses.replace(rule, ranking="global"))
    reached = [order.ratio(state) for state in order.states]
    assert reached == sorted(set(reached))
    distance = abs(order.ratio(order.state(ratio)) - ratio)
    assert distance <= min(abs(there - ratio) for there in reached) + 1e-6


@given(problem=problems(), ratio=st.floats(0.01, 0.99))
@settings(deadline=None, max_examples=80)
def test_by_group_each_loses_the_same_share(problem, ratio):
    toy, scores, rule = problem
    rule = dataclasses.replace(rule, ranking="group")
    for name, kept in select(toy, scores, ratio, rule).items():
        (one,) = (each for each in toy.groups if each.name == name)
        wanted = one.size * (1 - ratio)
        distances = [abs(count - wanted) for count in allowed(one, rule)]
        assert abs(len(kept) - wanted) <= min(distances) + 1e-6


@given(problem=problems())
@settings(deadline=None, max_examples=40)
def test_states_run_from_all_to_the_floors(problem):
    toy, scores, rule = problem
    order = removal_order(toy, scores, rule)
    assert order.counts(order.states[0]) == {one.name: one.size for one in toy.groups}
    assert order.counts(order.states[-1]) == {one.name: allowed(one, rule)[-1] for one in toy.groups}
    assert order.ratio(0) == 0
    for state in order.states:
        same = best_units(scores, order.counts(state))
        for name, kept in order.keep(state).items():
            np.testing.assert_array_equal(kept, same[name])


def test_a_group_that_matters_less_loses_more_where_nothing_is_normalised():
    toy = graph(group("strong", 10), group("weak", 10))
    scores = {"strong": np.arange(10) + 100.0, "weak": np.arange(10) + 1.0}
    raw = select(toy, scores, 0.4, SelectionRule(round_to=1, least=1, normalization="none"))
    assert [len(raw["strong"]), len(raw["weak"])] == [10, 2]
    assert list(raw["weak"]) == [8, 9]
    by_max = select(toy, {**scores, "weak": scores["strong"] * 7}, 0.4, FINE)
    assert [len(kept) for kept in by_max.values()] == [6, 6]


def test_the_ceiling_of_a_group_sends_the_rest_to_the_others():
    toy = graph(group("strong", 10), group("weak", 10))
    scores = {"strong": np.arange(10) + 100.0, "weak": np.arange(10) + 1.0}
    rule = SelectionRule(round_to=1, least=1, normalization="none", max_ratio=0.5)
    kept = select(toy, scores, 0.4, rule)
    assert [len(kept["strong"]), len(kept["weak"])] == [7, 5]


def test_of_equal_units_the_first_ones_stay():
    toy = graph(group("a", 8))
    assert list(select(toy, {"a": np.ones(8)}, 0.5, FINE)["a"]) == [0, 1, 2, 3]


def test_groups_of_zeros_do_not_divide_by_zero():
    toy = graph(group("a", 8), group("dead", 8))
    kept = select(toy, {"a": np.arange(8) + 1.0, "dead": np.zeros(8)}, 0.25, FINE)
    assert len(kept["dead"]) == 4


def test_layers_and_exclude_name_groups_or_the_layers_that_make_them():
    toy = graph(
        group("stem", 8, layers=("stem", "stem_bn")),
        group("base/conv", 8),
        group("logits", 8, locked="leads to the model's output"),
        group("unscored", 8),
    )
    scores = {name: np.arange(8.0) for name in ("stem", "base/conv", "logits")}
    order = removal_order(toy, scores, dataclasses.replace(FINE, exclude=("stem_bn",)))
    assert list(order.units) == ["base/conv"]
    assert dict(order.left) == {
        "stem": "excluded",
        "logits": "leads to the model's output",
        "unscored": "it has no scores",
    }
    assert list(removal_order(toy, scores, dataclasses.replace(FINE, exclude=["base"])).units) == ["stem"]
    only = removal_order(toy, scores, dataclasses.replace(FINE, layers=("conv",)))
    assert list(only.units) == ["base/conv"]
    assert ("stem", "not among the layers asked for") in only.left


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (
            {"exclude": ["stme"]},
            "exclude: the model 'toy' has no layer 'stme' that makes channels. Did you mean",
        ),
        (
            {"layers": ["b"], "exclude": ["b"]},
            r"No channel of the model 'toy' may be removed \(stem: not among",
        ),
        ({"least": 99}, r"No channel may go: each of the 2 groups to choose from is at its floor \(least=99"),
        (
            {"ranking": "globl"},
            "ranking is one of 'global', 'group'. Received: 'globl'. Did you mean 'global'",
        ),
        ({"normalization": "sum"}, "normalization is one of 'mean', 'max', 'none'. Received: 'sum'"),
        ({"round_to": 0}, "round_to=0 must be a number of channels"),
        ({"least": 2.5}, "least=2.5 must be a number of channels"),
        ({"max_ratio": 1.0}, "max_ratio=1.0 must be a share above 0 and below 1"),
        ({"layers": []}, "layers is an empty list"),
        ({"exclude": "stem"}, r"exclude needs a list of layer names, such as \['stem'\], but got 'stem'"),
        ({"exclude": [3]}, "exclude needs a list of layer names, but 3 is none"),
    ],
)
def test_rules_that_make_no_sense(rule, told):
    toy = graph(group("stem", 16), group("b", 16))
    with pytest.raises(ConfigError, match=told) as error:
        select(toy, {"stem": np.ones(16), "b": np.ones(16)}, 0.5, SelectionRule(**rule))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("ratio", [0, 1, -0.1, 1.5, "0.5", True, None, float("nan")])
def test_a_ratio_out_of_range_is_refused(ratio):
    with pytest.raises(ConfigError, match=r"ratio=.* must be a share of the channels above 0 and below 1"):
        select(graph(group("a", 16)), {"a": np.ones(16)}, ratio)


def test_best_units_of_counts_that_cannot_be():
    with pytest.raises(ConfigError, match="5 units of group 'a' cannot stay: it has 4 units"):
        best_units({"a": np.ones(4)}, {"a": 5})
    with pytest.raises(ConfigError, match="1 units of group 'b' cannot stay: it has no scores"):
        best_units({"a": np.ones(4)}, {"b": 1})

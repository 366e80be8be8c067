from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError, ModelError
from trimtab.pruning import NM, Blocks, LayerSparsity, sparsity_summary, sparsity_table

layers = keras.layers
pytestmark = pytest.mark.backend


def pruned(first=0, second=0):
    """A model with so many zeros in kernels of 40 and 10 numbers."""
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(10, name="first"), layers.Dense(1, name="second")], name="model"
    )
    for name, zeros in (("first", first), ("second", second)):
        kernel = model.get_layer(name).kernel
        values = np.ones(kernel.shape, "float32").reshape(-1)
        values[:zeros] = 0
        values[: zeros // 2] = -0.0
        kernel.assign(values.reshape(kernel.shape))
    return model


def test_the_table_counts_zeros():
    rows = sparsity_table(pruned(10, 0))
    assert [(row.name, row.weight, row.size, row.zeros, row.asked, row.goal) for row in rows] == [
        ("first", "kernel", 40, 10, None, None),
        ("second", "kernel", 10, 0, None, None),
    ]
    assert rows[0].sparsity == 0.25
    assert rows[0].missing == 0


def test_the_tiniest_numbers_are_no_zeros():
    model = pruned(40, 0)
    model.get_layer("first").kernel.assign(np.full((4, 10), 1e-44, "float32"))
    assert sparsity_table(model)[0].zeros == 0


def test_reached_stands_beside_asked():
    rows = sparsity_table(pruned(30, 4), target=0.75)
    assert [(row.asked, row.goal, row.missing) for row in rows] == [(0.75, 30, 0), (0.75, 8, 4)]
    summary = sparsity_summary(rows)
    assert (summary.size, summary.zeros, summary.asked, summary.goal) == (50, 34, 0.75, 38)
    assert summary.sparsity == 0.68
    assert summary.missed == ("second/kernel has 4 zeros of 10 (40.0%), 4 fewer than the 75.0% asked for",)
    assert sparsity_summary(sparsity_table(pruned(30, 8), target=0.75)).missed == ()


def test_with_global_ranking_only_the_total_counts():
    rows = sparsity_table(pruned(38, 0), target=0.75)
    assert sparsity_summary(rows, "global").missed == ()
    assert len(sparsity_summary(rows).missed) == 1
    (missed,) = sparsity_summary(sparsity_table(pruned(30, 0), target=0.75), "global").missed
    assert missed == "the model has 30 zeros of 50 (60.0%), 8 fewer than the 75.0% asked for"


def test_nothing_asked_is_nothing_missed():
    for ranking in ("layer", "global"):
        summary = sparsity_summary(sparsity_table(pruned()), ranking)
        assert (summary.asked, summary.goal, summary.missed, summary.sparsity) == (None, None, (), 0.0)
    assert sparsity_summary(()).sparsity == 0.0


def test_only_the_layers_asked_for_have_a_goal():
    for options in ({"layers": ["first"]}, {"exclude": lambda layer: layer.units == 1}):
        rows = sparsity_table(pruned(20, 0), 0.5, **options)
        assert [row.asked for row in rows] == [0.5, None]
        assert sparsity_summary(rows).missed == ()
        assert sparsity_summary(rows, "global").missed == ()
        assert sparsity_summary(rows).zeros == 20
    assert [row.asked for row in sparsity_table(pruned(), 0.5, skip_ends=True)] == [None, None]


def test_each_layer_may_have_a_target_of_its_own():
    rows = sparsity_table(pruned(20, 0), {"first": 0.5})
    assert [(row.asked, row.missing) for row in rows] == [(0.5, 0), (None, 0)]
    nested = keras.Sequential([keras.Input((4,)), pruned(20, 0)], name="outer")
    rows = sparsity_table(nested, {"model": 0.9, "model/first": 0.5})
    assert [row.asked for row in rows] == [0.5, 0.9]


def test_nothing_is_asked_of_a_frozen_layer_unless_it_is_named():
    """As `prune` does, which leaves frozen layers alone."""
    model = pruned(20, 0)
    model.get_layer("second").trainable = False
    rows = sparsity_table(model, 0.5)
    assert [(row.asked, row.frozen) for row in rows] == [(0.5, False), (None, True)]
    assert sparsity_summary(rows).missed == ()
    for options in ({"target": 0.5, "layers": ["second"]}, {"target": {"second": 0.5}}):
        assert [row.asked for row in sparsity_table(model, **options)] == [None, 0.5]
    outer = keras.Sequential([keras.Input((4,)), model], name="outer")
    assert [row.asked for row in sparsity_table(outer, 0.5, layers=["model"])] == [0.5, None]


def test_a_model_that_is_frozen_as_a_whole_is_counted():
    model = pruned(20, 5)
    model.trainable = False
    assert [(row.asked, row.frozen) for row in sparsity_table(model, 0.5)] == [(0.5, True), (0.5, True)]


def test_layers_and_targets_are_not_both_given_and_names_are_always_checked():
    with pytest.raises(ConfigError, match=r"target names the layers .* and layers does too"):
        sparsity_table(pruned(), {"first": 0.9}, layers=["second"])
    with pytest.raises(ConfigError, match="no layer 'frist'"):
        sparsity_table(pruned(), layers=["frist"])


def test_a_path_wins_over_a_name_deeper_inside():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="first"), pruned(20, 0)], name="outer")
    assert [row.asked for row in sparsity_table(model, {"first": 0.5})] == [0.5, None, None]
    assert [row.asked for row in sparsity_table(model, {"first": 0.5, "model": 0.9})] == [0.5, 0.9, 0.9]


def grid(rows):
    """A model whose kernel of 4 inputs by 4 outputs is zero where there is a dot."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="dense")], name="grid")
    model.layers[0].kernel.assign(np.array([[float(mark != ".") for mark in row] for row in rows], "float32"))
    return model


@pytest.mark.parametrize(
    ("granularity", "rows", "pattern", "fitting", "met"),
    [
        (NM(2, 4), ["11..", "11..", "..11", "..11"], 1.0, 8, True),
        (NM(2, 4), ["111.", "1.1.", "..1.", "...."], 0.75, 7, False),
        (NM(2, 4), [".111", ".111", ".111", "...."], 0.25, 5, False),
        ("4x1", ["11..", "11..", "11..", "11.."], 0.5, 8, True),
        ("4x1", ["1111", "1111", "....", "...."], 0.0, 0, False),
        (Blocks(2, 2), ["11..", "11..", "..11", "..11"], 0.5, 8, True),
        (Blocks(2, 2), ["1...", "11..", "..11", "...1"], 0.5, 8, True),
        (Blocks(3, 3), ["111.", "111.", "111.", "...."], 0.75, 7, True),
    ],
)
def test_zeros_that_are_strewn_about_are_no_pattern(granularity, rows, pattern, fitting, met):
    (row,) = sparsity_table(grid(rows), 0.5, granularity=granularity)
    assert (row.pattern, row.fitting, row.missing == 0) == (pattern, fitting, met)
    for ranking in ("layer", "global"):
        missed = sparsity_summary((row,), ranking).missed
        assert (missed == ()) == met
        assert met or f"of which only {fitting} lie in the pattern" in missed[0]


def test_single_weights_and_refused_weights_have_no_pattern():
    assert [(row.pattern, row.fitting) for row in sparsity_table(pruned(4, 0), 0.5)] == [(None, None)] * 2
    first, second = sparsity_table(pruned(40, 0), granularity=NM(3, 5))
    assert (first.pattern, second.pattern) == (None, 0.0)


def test_the_goal_follows_the_granularity():
    """Ten blocks of four, of which round(2.7) = 3 stay: 28 zeros, where single weights make 29."""
    assert sparsity_table(pruned(), 0.73, granularity=Blocks(4, 1))[0].goal == 28
    assert sparsity_table(pruned(), 0.73)[0].goal == 29


def test_a_row_made_by_hand_knows_what_is_missing():
    assert LayerSparsity("a", "kernel", 10, 3, 0.5).missing == 2
    assert LayerSparsity("a", "kernel", 10, 3, 0.5, goal=3).missing == 0


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (1.0, "target must be a share of zeros from 0 up to, not including, 1 .* but got 1.0"),
        (-0.1, "but got -0.1"),
        (float("nan"), "but got nan"),
        (True, "but got True"),
        ("0.8", "but got '0.8'"),
        ({"first": 2}, "target of layer 'first'"),
        ({"frist": 0.5}, "no layer 'frist' with weights. Did you mean 'first'"),
        ({}, "target names no layer"),
        ({3: 0.5}, "3 is no name"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused(target, message):
    with pytest.raises(ConfigError, match=message):
        sparsity_table(pruned(), target)


def test_an_unknown_ranking_and_an_unbuilt_model_are_refused():
    with pytest.raises(ConfigError, match="Did you mean 'global'"):
        sparsity_summary((), "globl")
    with pytest.raises(ModelError, match="has no weights yet"):
        sparsity_table(keras.Sequential([layers.Dense(2)]))

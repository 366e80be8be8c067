"""Numbers as people read them, and the arithmetic behind the confusion table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.reporting import _formats as formats
from trimtab.reporting._chart import Curves, Line, Point, Scatter
from trimtab.reporting._confusion import confusion_of, count_matrix
from trimtab.reporting._curves import y_range
from trimtab.reporting._data import Number
from trimtab.reporting._placement import PLACES, log_ticks, places
from trimtab.reporting._plotly import figure


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (formats.percent(0.9183), "91.8 %"),
        (formats.percent(None), "–"),
        (formats.share(0.8), "80 %"),
        (formats.share(0.004), "0.4 %"),
        (formats.share(0.998), "99.8 %"),
        (formats.points(-0.0012), "−0.1"),
        (formats.points(0.00001), "±0.0"),
        (formats.size(112_345), "112 kB"),
        (formats.size(999_600), "1.00 MB"),
        (formats.size(12), "12 B"),
        (formats.count(9_216), "9,216"),
        (formats.count(1_234_567), "1.23 M"),
        (formats.milliseconds(0.04321), "0.0432"),
        (formats.milliseconds(123.4), "123"),
        (formats.milliseconds(0.002173), "0.00217"),
        (formats.milliseconds(0.09996), "0.100"),
        (formats.milliseconds(9.996), "10.0"),
        (formats.milliseconds(0.0), "0"),
        (formats.times(4.94), "4.9×"),
        (formats.times(1.0), "1.00×"),
        (formats.times(120.2), "120×"),
        (formats.p_value(1e-9), "p < 0.001"),
        (formats.p_value(0.0312), "p = 0.031"),
        (formats.seconds(8.23), "8.2 s"),
        (formats.seconds(200), "3 min 20 s"),
        (formats.seconds(7500), "2 h 5 min"),
        (formats.interval(Number(0.9, 0.912, 0.923), 100), "91.2–92.3"),
        (formats.interval(Number(0.9)), ""),
        (formats.interval(Number(0.0, -0.01, 0.02), 100), "−1.0 to 2.0"),
    ],
)
def test_formats(shown: str, wanted: str) -> None:
    assert shown == wanted


@settings(deadline=None, max_examples=40)
@given(
    st.integers(2, 6).flatmap(
        lambda n: st.tuples(
            st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=60)
        )
    )
)
def test_confusion_counts_every_image_once(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    classes, pairs = drawn
    labels = np.array([true for true, _ in pairs], dtype=np.int64)
    predicted = np.array([guess for _, guess in pairs], dtype=np.uint16)
    matrix = count_matrix(labels, predicted, classes)
    assert matrix.sum() == len(pairs)
    made = confusion_of("it", labels, predicted, tuple(map(str, range(classes))), pairs=100)
    assert sum(pair.count for pair in made.pairs) == int((labels != predicted).sum())
    assert [pair.count for pair in made.pairs] == sorted((pair.count for pair in made.pairs), reverse=True)
    for score, line in zip(made.scores, matrix, strict=True):
        assert score.images == line.sum()


def test_scores_agree_with_scikit_learn() -> None:
    from sklearn.metrics import precision_recall_fscore_support

    generator = np.random.default_rng(0)
    labels, predicted = generator.integers(0, 4, 200), generator.integers(0, 4, 200)
    made = confusion_of("it", labels, predicted, ("a", "b", "c", "d"))
    precision, recall, f1, images = precision_recall_fscore_support(labels, predicted)
    np.testing.assert_allclose([score.precision for score in made.scores], precision)
    np.testing.assert_allclose([score.recall for score in made.scores], recall)
    np.testing.assert_allclose([score.f1 for score in made.scores], f1)
    assert [score.images for score in made.scores] == list(images)


def test_a_class_never_predicted_has_no_precision() -> None:
    made = confusion_of("it", np.array([0, 1]), np.array([0, 0]), ("a", "b", "c"))
    assert made.scores[1].precision is None
    assert made.scores[1].recall == 0
    assert made.scores[2].recall is None
    assert made.scores[2].f1 is None


def test_names_of_near_points_take_different_places() -> None:
    points = tuple(
        Point(f"name-{number}", "keras", 100.0, 90.0 + 0.001 * number, None, None, ()) for number in range(3)
    )
    chosen = places((*points, Point("far", "keras", 900.0, 95.0, None, None, ())), log_x=True)
    assert len(set(chosen[:3])) == 3
    assert set(chosen) <= set(PLACES)


def test_a_crowded_narrow_chart_names_the_files_alone() -> None:
    points = tuple(
        Point(f"p{number}", "litert" if number % 2 else "keras", 10.0 + number, 90.0, None, None, ())
        for number in range(8)
    )
    chart = Scatter("accuracy_against_size", "t", "a", points, "x", "y", log_x=False)
    traces = {trace["name"]: trace for trace in figure(chart)["data"]}
    assert traces["LiteRT file"]["meta"]["narrow_text"] == ["p1", "p3", "p5", "p7"]
    assert traces["Keras model"]["meta"]["narrow_text"] == [""] * 4
    assert traces["Keras model"]["text"] == ["p0", "p2", "p4", "p6"]


def test_log_ticks_are_round() -> None:
    assert log_ticks(2.4, 3.4) == [300, 500, 700, 1000, 1500, 2000]
    assert log_ticks(1.9, 3.4) == [100, 200, 500, 1000, 2000]
    assert log_ticks(-2.0, 1.0) == [0.01, 0.1, 1, 10]


def _line(*values: float, first: int = 1) -> Line:
    return Line("it", tuple(range(first, first + len(values))), (None,) * len(values), values, "#000000", 1)


def _curves(*lines: Line) -> Curves:
    return Curves("accuracy_curves", "t", "a", lines, "y", " %", y_range(lines, "accuracy"), False)


@pytest.mark.parametrize(
    ("epochs", "ticks"),
    [
        (1, (1,)),
        (2, (1, 2)),
        (10, tuple(range(1, 11))),
        (20, (1, *range(2, 21, 2))),
        (30, (1, *range(5, 31, 5))),
        (100, (1, *range(10, 101, 10))),
    ],
)
def test_epoch_ticks_are_whole_and_begin_at_the_first(epochs: int, ticks: tuple[int, ...]) -> None:
    drawn = _curves(_line(*(80.0 + epoch / 10 for epoch in range(epochs))))
    assert drawn.ticks == ticks
    assert drawn.x_range[0] < 1 <= epochs < drawn.x_range[1]


def test_a_poor_beginning_does_not_squash_the_end() -> None:
    low, high = y_range((_line(10.0, 60.0, 88.0, 89.0, 90.0, 90.5, 91.0, 91.5),), "accuracy")
    assert 85 < low < 90
    assert 91.5 < high <= 93
    low, high = y_range((_line(2.3, 0.9, 0.4, 0.32, 0.31, 0.30, 0.30, 0.29),), "loss")
    assert 0.32 < high < 0.4
    assert low < 0.29


def test_a_gentle_curve_is_shown_whole() -> None:
    low, high = y_range((_line(80.0, 84.0, 86.0, 90.0),), "accuracy")
    assert low < 80
    assert high > 90

"""Behaviour beside accuracy: by hand-made answers, by properties, and once on the digits with a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import trimtab
from trimtab._records import to_plain
from trimtab.benchmarking import (
    BehaviourResult,
    Brightness,
    Contrast,
    Corruption,
    GaussianNoise,
    Shift,
    holm,
    usual_corruptions,
)
from trimtab.benchmarking._behaviour_words import verdict
from trimtab.benchmarking._calibration import calibrations, equal_mass_edges
from trimtab.benchmarking._changed_answers import changed_answers
from trimtab.benchmarking._class_accuracy import class_accuracies
from trimtab.benchmarking._robustness import robustness
from trimtab.errors import ConfigError, DataError

if TYPE_CHECKING:
    from trimtab.data import ImageData

CLASSES = ("cat", "dog", "owl")
LABELS = np.repeat(np.arange(3), 100)


def right(*shares: int) -> np.ndarray:
    """Rightness of 100 images of each class: the first so many are right."""
    return np.concatenate([np.arange(100) < share for share in shares])


def calibration(sure: np.ndarray, hits: np.ndarray, **options: Any) -> Any:
    chosen = {"bins": 15, "resamples": 200, "confidence": 0.95, "seed": 0, **options}
    return calibrations({"a": sure.astype(np.float32)}, {"a": hits}, "a", **chosen)["a"]


# Class by class


def test_a_lost_class_is_found_and_others_are_not() -> None:
    found = class_accuracies(right(90, 20, 81), right(90, 80, 80), LABELS, CLASSES, 0.95)
    cat, dog, owl = found
    assert (cat.accuracy.value, dog.accuracy.value, owl.accuracy.value) == (0.9, 0.2, 0.81)
    assert dog.difference is not None
    assert dog.difference.value == pytest.approx(-0.6)
    assert dog.difference.low < -0.6 < dog.difference.high < 0  # type: ignore[operator]
    assert [one.changed for one in found] == [False, True, False]
    assert owl.p is not None
    assert owl.p.value == 1  # one image of a hundred says nothing, least of all among three classes
    assert "corrected for 3 classes with Holm" in owl.p.method


def test_a_class_without_an_image_has_no_numbers_and_is_no_test() -> None:
    found = class_accuracies(right(90, 20, 0)[:200], right(90, 80, 0)[:200], LABELS[:200], CLASSES, 0.95)
    assert found[2].accuracy.value is None
    assert (found[2].difference, found[2].changed) == (None, False)
    assert found[1].p is not None
    assert "corrected for 2 classes" in found[1].p.method


def test_the_baseline_is_compared_with_nothing() -> None:
    for one in class_accuracies(right(90, 80, 70), None, LABELS, CLASSES, 0.95):
        assert (one.difference, one.p, one.changed) == (None, None, False)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.7, 0.9]) == [1, 1]
    with pytest.raises(ConfigError, match=r"between 0 and 1. Received: 1.5"):
        holm([1.5])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_lies_between_each_test_and_bonferroni(p_values: list[float]) -> None:
    corrected = holm(p_values)
    for before, after in zip(p_values, corrected, strict=True):
        assert before <= after <= min(len(p_values) * before, 1) + 1e-12
    ordered = [after for _, after in sorted(zip(p_values, corrected, strict=True))]
    assert ordered == sorted(corrected)


# Changed answers


def test_changed_answers_by_hand() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2])
    before = np.array([0, 0, 0, 1, 0, 0])
    after = np.array([0, 1, 1, 1, 1, 0])
    found = changed_answers(after, before, labels, 0.95)
    assert found.right_to_wrong_images == (1,)
    assert found.wrong_to_right_images == (2,)
    assert found.wrong_to_wrong_images == (4,)
    assert found.changed.value == 0.5
    assert found.right_to_wrong.value == pytest.approx(1 / 6)


@given(st.integers(1, 60).flatmap(lambda n: arrays(np.int64, (3, n), elements=st.integers(0, 3))))
def test_changed_answers_add_up(drawn: np.ndarray) -> None:
    after, before, labels = drawn
    found = changed_answers(after, before, labels, 0.95)
    broken, mended, other = (
        set(getattr(found, f"{kind}_images"))
        for kind in ("right_to_wrong", "wrong_to_right", "wrong_to_wrong")
    )
    assert broken | mended | other == set(np.flatnonzero(after != before))
    assert len(broken) + len(mended) + len(other) == len(broken | mended | other)
    gained = (after == labels).sum() - (before == labels).sum()
    assert len(mended) - len(broken) == gained


# Calibration


def test_a_calibrated_model_has_no_error_beyond_chance() -> None:
    random = np.random.default_rng(0)
    sure = random.uniform(0.2, 1, 5000)
    found = calibration(sure, random.random(5000) < sure)
    assert found.error.value < found.chance.high
    assert found.error.low == 0
    assert found.adaptive_error.low == 0
    assert found.overconfidence.low < 0 < found.overconfidence.high


@given(st.integers(1, 200), st.integers(0, 200), st.floats(0.01, 1))
def test_the_error_of_a_constant_classifier_is_the_gap(images: int, hits: int, sure: float) -> None:
    hits = min(hits, images)
    found = calibration(np.full(images, sure), np.arange(images) < hits, resamples=20)
    gap = abs(float(np.float32(sure)) - hits / images)
    assert found.error.value == pytest.approx(gap, abs=1e-9)
    assert found.adaptive_error.value == pytest.approx(gap, abs=1e-9)  # equal confidences share one bin
    assert found.error.low <= found.error.value <= found.error.high
    assert len(found.bins) == 1
    assert found.overconfidence.value == pytest.approx(float(np.float32(sure)) - hits / images, abs=1e-9)


def test_bins_by_hand() -> None:
    found = calibration(np.array([0.15, 0.25, 0.95, 1.0]), np.array([False, True, True, False]), bins=10)
    assert [(one.images, one.accuracy.value) for one in found.bins] == [(1, 0), (1, 1), (2, 0.5)]
    assert found.bins[2].confidence == pytest.approx(0.975)
    assert (found.bins[0].low, found.bins[0].high) == pytest.approx((0.1, 0.2))
    assert found.error.value == pytest.approx((0.15 + 0.75 + 2 * 0.475) / 4, abs=1e-7)


@given(
    arrays(np.float32, st.integers(1, 50), elements=st.floats(0, 1, width=32, allow_subnormal=False)),
    st.integers(1, 20),
)
def test_bins_of_equal_mass_cover_everything(sure: np.ndarray, bins: int) -> None:
    edges = equal_mass_edges(sure, bins)
    assert (edges[0], edges[-1]) == (0, 1)
    assert (np.diff(edges) > 0).all()
    assert len(edges) <= bins + 1


def test_a_model_that_grew_too_sure_is_told_from_one_that_did_not() -> None:
    random = np.random.default_rng(1)
    sure = random.uniform(0.4, 0.8, 4000)
    hits = random.random(4000) < sure
    answers = {
        "a": sure.astype(np.float32),
        "b": (sure + 0.15).astype(np.float32),
        "c": sure.astype(np.float32),
    }
    found = calibrations(
        answers, dict.fromkeys(answers, hits), "a", bins=15, resamples=200, confidence=0.95, seed=0
    )
    assert found["a"].difference is None
    assert [found[name].changed for name in "abc"] == [False, True, False]
    assert found["b"].overconfidence.low > 0.1  # type: ignore[operator]
    assert found["c"].difference is not None
    assert found["c"].difference.value == found["c"].difference.low == 0


# Corruption


IMAGES = np.random.default_rng(0).random((6, 8, 9, 3), np.float32)


@pytest.mark.parametrize(
    "nothing", [GaussianNoise(0), Shift(0), Brightness(0), Contrast(0)], ids=lambda c: c.kind
)
def test_strength_0_leaves_images_as_they_are(nothing: Corruption) -> None:
    kept = IMAGES.copy()
    assert (nothing.apply(IMAGES, np.random.default_rng(0)) == kept).all()
    assert (kept == IMAGES).all()


@settings(max_examples=25)
@given(st.integers(0, 3), st.floats(0, 1), st.integers(0, 2**31 - 1))
def test_corruptions_keep_to_their_seed_to_the_range_and_to_the_original(
    kind: int, amount: float, seed: int
) -> None:
    corruption = [GaussianNoise(amount), Shift(round(10 * amount)), Brightness(-amount), Contrast(amount)][
        kind
    ]
    kept = IMAGES.copy()
    first, again = (corruption.apply(IMAGES, np.random.default_rng(seed)) for _ in range(2))
    assert first.dtype == np.float32
    assert (first == again).all()
    assert first.min() >= 0
    assert first.max() <= 1
    assert (kept == IMAGES).all()


def test_corruptions_by_hand() -> None:
    image = np.full((1, 3, 3, 1), 0.5, np.float32)
    image[0, 1, 1, 0] = 0.95
    random = np.random.default_rng(0)
    assert Brightness(0.25).apply(image, random)[0, :2, 1, 0] == pytest.approx([0.75, 1])
    mean = image.mean()
    assert Contrast(-0.5).apply(image, random)[0, 1, 1, 0] == pytest.approx(mean + (0.95 - mean) / 2)
    moved = Shift(1).apply(np.repeat(image, 200, axis=0), random)
    places = {tuple(map(int, np.argwhere(one == np.float32(0.95))[0][:2])) for one in moved}
    assert places == {(0, 1), (2, 1), (1, 0), (1, 2)}  # up, down, left and right
    assert (moved == 0).sum() == 200 * 3  # black came in
    noisy = GaussianNoise(0.05).apply(np.full((4, 50, 50, 1), 0.5, np.float32), random)
    assert noisy.std() == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: GaussianNoise(-0.1), r"deviation must be 0 or more. Received: deviation=-0.1"),
        (lambda: Shift(1.5), r"whole number of 0 or more. Received: pixels=1.5"),  # type: ignore[arg-type]
        (lambda: Brightness(1.5), r"amount must lie between -1 and 1. Received: amount=1.5"),
        (lambda: Contrast(float("nan")), r"amount must lie between -1 and 1"),
    ],
)
def test_senseless_strengths_are_refused(make: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make()


def test_shifts_grow_with_the_image() -> None:
    def shifts(side: int) -> list[float]:
        return [each.strength for each in usual_corruptions(side, side) if each.kind == "shift"]

    assert (shifts(8), shifts(28), shifts(224)) == ([1], [1, 2, 4], [7, 14, 28])


# Robustness


def test_drops_are_paired_with_the_baselines_own() -> None:
    clean = right(90, 90, 90)
    spoilt, baseline = np.stack([right(40, 40, 40), clean]), np.stack([right(70, 70, 70), clean])
    ways = (GaussianNoise(0.1), Shift(1))
    found = robustness(spoilt, clean, (baseline, clean), ways, 0.95)
    noise, shift = found.levels
    assert (noise.kind, noise.strength) == ("noise", 0.1)
    assert (noise.accuracy.value, noise.drop.value) == pytest.approx((0.4, 0.5))
    assert noise.extra_drop is not None
    assert noise.extra_drop.value == pytest.approx(0.3)
    assert noise.extra_drop.excludes(0)
    assert shift.extra_drop is not None
    assert shift.extra_drop.value == 0
    assert shift.extra_drop.low < 0 < shift.extra_drop.high  # type: ignore[operator]
    assert found.mean_extra_drop is not None
    assert (found.mean_accuracy.value, found.mean_extra_drop.value) == pytest.approx((0.65, 0.15))
    assert found.changed
    own = robustness(spoilt, clean, None, ways, 0.95)
    assert (own.mean_extra_drop, own.changed, own.levels[0].extra_drop) == (None, False, None)


# The verb


@pytest.fixture(scope="module")
def subjects(digits: ImageData, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A trained model, its int8 file, and the same model without the class 3."""
    import keras

    model = trimtab.zoo.cnn(digits.image_shape, digits.classes, filters=(8, 16), dense=16, seed=0)
    trimtab.train(model, digits, epochs=4, batch_size=32)
    lame = keras.models.clone_model(model)
    weights = model.get_weights()
    weights[-1] = np.where(np.arange(10) == 3, -1e4, weights[-1])
    lame.set_weights(weights)
    place = tmp_path_factory.mktemp("behaviour") / "int8.tflite"
    file = trimtab.export(model, place, scheme="int8", data=digits, calibration=50).path
    return {"model": model, "int8": file, "lame": lame}


@pytest.fixture(scope="module")
def compared(subjects: dict[str, Any], digits: ImageData) -> BehaviourResult:
    return trimtab.compare_behaviour(
        subjects,
        digits,
        corruptions=[GaussianNoise(0), GaussianNoise(0.3), Shift(1)],
        corrupted_images=100,
        resamples=100,
    )


def test_a_model_that_lost_a_class_shows_it(compared: BehaviourResult, digits: ImageData) -> None:
    lame = compared["lame"]
    assert [one.name for one in lame.changed_classes if one.difference.value < 0] == ["3"]  # type: ignore
    assert lame.verdict.startswith("lost the class 3 (")
    assert lame.worst_class is lame.classes[3]
    assert lame.answers is not None
    assert set(digits.test.labels[list(lame.answers.right_to_wrong_images)]) == {3}
    assert compared["model"].verdict == "the baseline: everything else is compared with it"
    assert compared["model"].answers is None


def test_an_int8_file_is_asked_for_its_logits(compared: BehaviourResult) -> None:
    model, file = compared["model"], compared["int8"]
    assert file.verdict.startswith("no class changed by more than chance")
    assert file.answers is not None
    assert file.answers.changed.value < 0.05  # type: ignore[operator]
    assert file.calibration.error.value == pytest.approx(model.calibration.error.value, abs=0.05)
    assert file.robustness is not None
    assert model.robustness is not None
    nothing, _, shift = file.robustness.levels
    assert nothing.drop.value == 0  # what strength 0 spoils is nothing, by the same images as before
    assert shift.drop.excludes(0)
    assert model.robustness.images == 100


def test_the_record_gives_the_result_again(compared: BehaviourResult) -> None:
    record = json.loads(json.dumps(to_plain(compared), allow_nan=False))
    again = BehaviourResult.from_plain(record)
    assert to_plain(again) == to_plain(compared)
    assert str(again) == str(compared)
    del record["rows"][1]["calibration"]["error"]
    with pytest.raises(ConfigError, match=r"no record of behaviour \(rows.1.calibration.error"):
        BehaviourResult.from_plain(record)


def test_the_table_names_the_class_that_lost_most(compared: BehaviourResult) -> None:
    lines = str(compared).splitlines()
    assert len(lines) == 2 + 3 + 2
    assert lines[2].startswith("model (baseline)")
    assert lines[4].startswith("lame")


def test_what_benchmark_was_told_is_not_asked_again(
    subjects: dict[str, Any], digits: ImageData, compared: BehaviourResult
) -> None:
    two = {name: subjects[name] for name in ("model", "int8")}
    told = trimtab.benchmark(two, digits, latency=False, memory=False).predictions
    flipped = dataclasses.replace(told["int8"], classes=(told["int8"].classes + 1) % 10)
    found = trimtab.compare_behaviour(
        two, digits, corruptions=[], resamples=50, predictions={**told, "int8": flipped}
    )
    assert found["model"].calibration.error.value == compared["model"].calibration.error.value
    assert found["int8"].answers is not None
    assert found["int8"].answers.changed.value > 0.9  # type: ignore[operator]
    assert found["int8"].robustness is None
    with pytest.raises(
        ConfigError, match=r"predictions of 'model' are of 359 images, but the split has 1294"
    ):
        trimtab.compare_behaviour(two, digits, split="train", predictions=told)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"baseline": "x"}, r"baseline must be one of the subjects \['a'\]"),
        ({"split": "tset"}, r"Did you mean 'test'"),
        ({"corruptions": ["noise"]}, r"a list such as \[GaussianNoise\(0.1\), Shift\(2\)\]. Received: str"),
        ({"corrupted_images": 0}, r"corrupted_images must be a whole number of 1 or more"),
        ({"bins": 0}, r"bins must be a whole number of 1 or more"),
        ({"confidence": 1}, r"confidence must lie between 0 and 1"),
    ],
)
def test_senseless_arguments_are_refused(digits: ImageData, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        trimtab.compare_behaviour({"a": Path("nowhere.tflite")}, digits, **options)


def test_an_empty_split_is_refused(digits: ImageData) -> None:
    empty = dataclasses.replace(digits, test=digits.test.take(slice(0, 0)))
    with pytest.raises(DataError, match=r"holds no image"):
        trimtab.compare_behaviour({"a": Path("nowhere.tflite")}, empty)


# In words


def row(name: str, shares: tuple[int, ...], compared: BehaviourResult, before: tuple[int, ...] | None) -> Any:
    """A row with hand-made classes; all else as the digits' model has it."""
    whole = compared["model"] if before is None else compared["int8"]
    unchanged = dataclasses.replace(whole.calibration, changed=False)
    theirs = None if before is None else right(*before)
    classes = class_accuracies(right(*shares), theirs, LABELS, CLASSES, 0.95)
    return dataclasses.replace(whole, name=name, classes=classes, calibration=unchanged, robustness=None)


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ((90, 80, 70), "no class changed by more than chance"),
        ((90, 50, 70), "lost 30.0 points on dog (p < 0.001); no other class changed by more than chance"),
        (
            (90, 2, 90),
            "lost the class dog (80.0 % to 2.0 %, p < 0.001) and gained 20.0 points on owl (p < 0.001); "
            "no other class changed by more than chance",
        ),
        (
            (60, 50, 40),
            "lost 30.0 points on cat (p < 0.001), 30.0 points on dog (p < 0.001) and 30.0 points on owl "
            "(p < 0.001)",
        ),
    ],
)
def test_the_verdict(compared: BehaviourResult, after: tuple[int, ...], told: str) -> None:
    before = (90, 80, 70)
    assert verdict(row("b", after, compared, before), row("a", before, compared, None)) == told

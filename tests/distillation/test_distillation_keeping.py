"""When a teacher's answers are kept, and how."""

from __future__ import annotations

import pytest

from trimtab.distillation._keeping import LARGEST_CACHE, chosen_keeping


def kept(cache="auto", views=8, augmented=False, epochs=30, images=50_000, classes=10, width=0):
    return chosen_keeping(cache, views, augmented, epochs, images, classes, width)


def test_plain_images_need_one_answer_each():
    choice = kept()
    assert (choice.cache, choice.views, choice.half, choice.bytes) == ("logits", 1, False, 2_000_000)
    assert choice.note == "the teacher's answers were asked for once and kept (2.0 MB)"


def test_augmented_images_are_kept_in_views_but_no_more_than_epochs():
    assert (kept(augmented=True).cache, kept(augmented=True).views) == ("views", 8)
    assert kept(augmented=True, epochs=3).views == 3
    assert "8 augmented versions of each image, which the epochs take in turn" in kept(augmented=True).note


def test_large_features_are_kept_as_float16_and_larger_ones_not_at_all():
    whole = LARGEST_CACHE // (4 * 50_000) - 10
    assert not kept(width=whole).half
    half = kept(width=whole + 1)
    assert (half.cache, half.half) == ("logits", True)
    assert half.bytes <= LARGEST_CACHE
    assert "float16" in half.note
    live = kept(width=2 * whole + 100)
    assert (live.cache, live.views) == ("off", 0)
    assert "would take 1.0 GiB" in live.note


@pytest.mark.parametrize("cache", ["logits", "views"])
def test_who_asks_for_it_by_name_gets_it(cache):
    choice = kept(cache, augmented=cache == "views", width=50_000)
    assert choice.cache == cache
    assert choice.half


def test_off_keeps_nothing():
    assert kept("off").views == 0
    assert kept("off", augmented=True).cache == "off"

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from trimtab.benchmarking import (
    bootstrap_median,
    mcnemar,
    mean_interval,
    paired_difference,
    paired_ratio,
    wilson_interval,
)
from trimtab.errors import ConfigError

quick = settings(deadline=None, max_examples=60)
counts = st.integers(0, 400)


class TestWilson:
    @quick
    @given(st.integers(1, 20_000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
    def test_equals_scipy(self, trials: int, share: float, confidence: float) -> None:
        successes = round(trials * share)
        found = wilson_interval(successes, trials, confidence)
        known = scipy.stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
        assert found.value == successes / trials
        assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-12)
        assert 0 <= found.low <= found.value <= found.high <= 1

    def test_known_value(self) -> None:
        """Newcombe 1998 (two-sided intervals for the single proportion), table I: 81 of 263."""
        assert wilson_interval(81, 263)[1:] == pytest.approx((0.2553, 0.3662), abs=5e-5)

    @pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5), (0, 0)])
    def test_refuses_impossible_counts(self, successes: int, trials: int) -> None:
        with pytest.raises(ConfigError, match=f"Received: {successes} of {trials}"):
            wilson_interval(successes, trials)

    @pytest.mark.parametrize("confidence", [0, 1, 95, -0.1, float("nan")])
    def test_refuses_impossible_confidence(self, confidence: float) -> None:
        with pytest.raises(ConfigError, match=r"between 0 and 1"):
            wilson_interval(1, 2, confidence)


class TestMcNemar:
    def test_known_value(self) -> None:
        """Fagerland, Lydersen and Laake 2013, airway hyper-responsiveness: 1 and 7 discordant pairs."""
        assert mcnemar(1, 7) == pytest.approx((0.0703, 0.0391), abs=5e-5)

    @quick
    @given(counts, counts)
    def test_equals_the_binomial_test(self, first: int, second: int) -> None:
        assume(first + second > 0)
        found = mcnemar(first, second)
        known = scipy.stats.binomtest(first, first + second, 0.5)
        assert found.exact == pytest.approx(known.pvalue, rel=1e-9)
        point = scipy.stats.binom.pmf(min(first, second), first + second, 0.5)
        halves = 2 if first != second else 1
        assert found.mid_p == pytest.approx(min(known.pvalue, 1) - halves * point / 2, rel=1e-6, abs=1e-300)
        assert found == mcnemar(second, first)

    def test_no_disagreement_is_no_evidence(self) -> None:
        assert mcnemar(0, 0) == (1.0, 1.0)

    def test_large_counts_stay_finite(self) -> None:
        exact, mid = mcnemar(4000, 5000)
        assert 0 < mid < exact < 1e-20

    def test_refuses_negative_counts(self) -> None:
        with pytest.raises(ConfigError, match=r"-1 and 3"):
            mcnemar(-1, 3)


class TestPairedDifference:
    def test_known_value(self) -> None:
        """Fagerland, Lydersen and Laake 2014, table IV: Tango's interval of 1 and 7 among 21 pairs."""
        found = paired_difference(1, 7, 21)
        assert found == pytest.approx((-0.2857, -0.517, -0.026), abs=5e-4)

    @quick
    @given(counts, counts, st.integers(0, 2000))
    def test_limits_solve_the_score_equation(self, first: int, second: int, same: int) -> None:
        trials = first + second + same
        assume(trials > 0)
        found = paired_difference(first, second, trials)
        assert -1 <= found.low <= found.value <= found.high <= 1
        assert found.value == (first - second) / trials
        for limit in (found.low, found.high):
            if abs(limit) < 1 - 1e-9:
                assert score(first, second, trials, limit) == pytest.approx(1.959964**2, rel=1e-3)

    @quick
    @given(counts, counts, st.integers(0, 2000))
    def test_agrees_with_mcnemars_asymptotic_test(self, first: int, second: int, same: int) -> None:
        assume(first + second > 0)
        statistic = (first - second) ** 2 / (first + second)
        assume(abs(statistic - 1.959964**2) > 1e-6)
        found = paired_difference(first, second, first + second + same)
        assert (found.low > 0 or found.high < 0) == (statistic > 1.959964**2)

    @quick
    @given(counts, counts, st.integers(1, 2000))
    def test_swapping_the_classifiers_mirrors_it(self, first: int, second: int, same: int) -> None:
        trials = first + second + same
        one, other = paired_difference(first, second, trials), paired_difference(second, first, trials)
        assert (one.value, one.low, one.high) == pytest.approx(
            (-other.value, -other.high, -other.low), abs=1e-9
        )

    def test_no_disagreement_still_leaves_doubt(self) -> None:
        found = paired_difference(0, 0, 100)
        assert found == pytest.approx((0.0, -0.036994, 0.036994), abs=1e-6)

    def test_refuses_more_disagreements_than_images(self) -> None:
        with pytest.raises(ConfigError, match=r"5 \+ 6 of 10"):
            paired_difference(5, 6, 10)


def score(first: int, second: int, trials: int, delta: float) -> float:
    """The square of Tango's statistic, its nuisance rate found by maximising the likelihood numerically."""
    least = max(0.0, -delta)
    most = (1 - delta) / 2

    def doubt(rate: float) -> float:
        rates = (rate + delta, rate, 1 - 2 * rate - delta)
        seen = (first, second, trials - first - second)
        return -sum(n * math.log(max(p, 1e-300)) for n, p in zip(seen, rates, strict=True) if n)

    rate = minimize_scalar(doubt, bounds=(least, most), method="bounded", options={"xatol": 1e-12}).x
    if doubt(least) < doubt(rate):
        rate = least
    return (first - second - trials * delta) ** 2 / (trials * (2 * rate + delta * (1 - delta)))


class TestBootstrap:
    samples = np.random.default_rng(1).lognormal(size=60)

    def test_median_close_to_scipys_percentile_bootstrap(self) -> None:
        found = bootstrap_median(self.samples, resamples=20_000)
        known = scipy.stats.bootstrap(
            (self.samples,), np.median, n_resamples=20_000, method="percentile", rng=3
        ).confidence_interval
        assert found.value == np.median(self.samples)
        assert (found.low, found.high) == pytest.approx((known.low, known.high), rel=0.02)

    def test_same_seed_same_interval(self) -> None:
        assert bootstrap_median(self.samples, seed=4) == bootstrap_median(self.samples, seed=4)
        assert bootstrap_median(self.samples, seed=4) != bootstrap_median(self.samples, seed=5)

    def test_more_confidence_is_wider(self) -> None:
        narrow, wide = (bootstrap_median(self.samples, confidence) for confidence in (0.8, 0.99))
        assert wide.low < narrow.low < narrow.high < wide.high

    @quick
    @given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=30), st.floats(0.5, 8))
    def test_lies_within_the_samples_and_scales_with_them(self, samples: list[float], factor: float) -> None:
        found = bootstrap_median(samples, resamples=200)
        assert min(samples) <= found.low <= found.high <= max(samples)
        scaled = bootstrap_median(np.asarray(samples) * factor, resamples=200)
        assert scaled == pytest.approx(tuple(factor * value for value in found))

    def test_covers_the_median_about_as_often_as_it_says(self) -> None:
        draws = np.random.default_rng(0).exponential(size=(300, 50))
        covered = [
            interval.low <= math.log(2) <= interval.high
            for interval in (bootstrap_median(row, resamples=400) for row in draws)
        ]
        assert 0.90 <= np.mean(covered) <= 0.99

    @pytest.mark.parametrize("samples", [[], [1.0, float("nan")], [float("inf")]])
    def test_refuses_what_has_no_median(self, samples: list[float]) -> None:
        with pytest.raises(ConfigError, match=r"finite"):
            bootstrap_median(samples)

    def test_refuses_no_resamples(self) -> None:
        with pytest.raises(ConfigError, match=r"resamples=0"):
            bootstrap_median([1.0], resamples=0)


class TestPairedRatio:
    def test_what_slows_whole_rounds_cancels(self) -> None:
        disturbance = np.random.default_rng(0).lognormal(sigma=1.0, size=40)
        assert paired_ratio(3 * disturbance, disturbance) == pytest.approx((3, 3, 3))

    def test_shuffled_pairs_lose_it(self) -> None:
        random = np.random.default_rng(0)
        disturbance = random.lognormal(sigma=1.0, size=40)
        found = paired_ratio(3 * disturbance, random.permutation(disturbance))
        assert found.high - found.low > 1

    def test_refuses_unpaired_samples(self) -> None:
        with pytest.raises(ConfigError, match=r"2 numerators and 3 denominators"):
            paired_ratio([1, 2], [1, 2, 3])

    def test_refuses_a_time_of_zero(self) -> None:
        with pytest.raises(ConfigError, match=r"above 0"):
            paired_ratio([1, 2], [1, 0])


def test_mean_interval_equals_scipys() -> None:
    samples = np.random.default_rng(2).exponential(size=500)
    known = scipy.stats.norm.interval(0.9, samples.mean(), scipy.stats.sem(samples))
    assert mean_interval(samples, 0.9)[1:] == pytest.approx(known)
    assert mean_interval([2.0]) == (2.0, None, None)

"""How sure a measured number is: intervals and tests, as pure functions of the counts or samples.

They are the closed forms over `scipy.special`, since `scipy.stats` takes a second to import and the whole
evaluation of ten thousand images is done in less; the tests compare them with `scipy.stats`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trimtab.errors import ConfigError

__all__ = [
    "Interval",
    "McNemar",
    "bootstrap_median",
    "holm",
    "mcnemar",
    "mean_interval",
    "paired_difference",
    "paired_ratio",
    "wilson_interval",
]


class Interval(NamedTuple):
    """An estimate and the limits that hold it with the confidence asked for; None where there are none."""

    value: float
    low: float | None
    high: float | None


class McNemar(NamedTuple):
    """The two-sided p-values of McNemar's test: how likely so uneven a split is by chance alone."""

    exact: float
    mid_p: float


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Says how far a measured accuracy can be trusted.

    Args:
        successes: how many of the trials succeeded.
        trials: how many there were, at least one.
        confidence: share of such intervals that hold the true rate, between 0 and 1.

    Raises:
        ConfigError: the counts or the confidence make no sense.

    Reference: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22,
    1927; without continuity correction, as in `scipy.stats.binomtest(...).proportion_ci("wilson")`.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ConfigError(
            f"A rate needs 0 <= successes <= trials and trials >= 1. Received: {successes} of {trials}."
        )
    z = _normal_quantile(confidence)
    rate = successes / trials
    middle = (rate + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + (z / (2 * trials)) ** 2) / (1 + z * z / trials)
    # Rounding must not push a limit past 0 or 1 where all or none succeeded.
    low = 0.0 if successes == 0 else max(middle - half, 0.0)
    high = 1.0 if successes == trials else min(middle + half, 1.0)
    return Interval(rate, low, high)


def mcnemar(first_only: int, second_only: int) -> McNemar:
    """Tests whether two classifiers, asked the same images, differ by more than chance.

    Args:
        first_only: images that only the first classifier got right.
        second_only: images that only the second got right.

    Returns:
        The exact p-value (binomial, never too small, somewhat large) and the mid-p value, which Fagerland and
        others advise: as safe in practice, and closer to the rate of error it states.

    Raises:
        ConfigError: a count is negative.

    Reference: Q. McNemar, Psychometrika 12, 1947; M. W. Fagerland, S. Lydersen, P. Laake, "The McNemar test
    for binary matched-pairs data: mid-p and asymptotic are better than exact conditional", BMC Medical
    Research Methodology 13:91, 2013.
    """
    from scipy.special import bdtr

    if first_only < 0 or second_only < 0:
        raise ConfigError(
            f"McNemar's test needs counts of zero or more. Received: {first_only} and {second_only}."
        )
    discordant, fewer = first_only + second_only, min(first_only, second_only)
    if discordant == 0:
        return McNemar(1.0, 1.0)
    point = math.exp(_log_binomial(discordant, fewer))
    if first_only == second_only:  # the two tails meet in the middle, which mid-p counts by half
        return McNemar(1.0, 1.0 - point / 2)
    exact = min(2 * float(bdtr(fewer, discordant, 0.5)), 1.0)
    return McNemar(exact, max(exact - point, 0.0))


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrects the p-values of several tests for their number.

    Whoever calls those at or below 0.05 more than chance is wrong about any of them in at most five of a
    hundred such families of tests, whatever the tests have to do with each other.

    Args:
        p_values: one a test, each between 0 and 1; may be empty.

    Returns:
        The corrected ones, in the same order, none of them smaller than it was.

    Raises:
        ConfigError: one lies outside 0..1.

    Reference: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979.
    """
    for value in p_values:
        if not 0 <= value <= 1:
            raise ConfigError(f"A p-value lies between 0 and 1. Received: {value}.")
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min((len(p_values) - rank) * p_values[place], 1.0))
        corrected[place] = highest
    return corrected


def paired_difference(first_only: int, second_only: int, trials: int, confidence: float = 0.95) -> Interval:
    """Says how much more accurate the first of two classifiers is, on the same images.

    Tango's score interval: it agrees with McNemar's test (it excludes 0 just where the asymptotic test
    rejects), stays within -1..1, and is sound where the two hardly ever disagree.

    Args:
        first_only: images that only the first classifier got right.
        second_only: images that only the second got right.
        trials: all images, those included on which both were right or both wrong.
        confidence: share of such intervals that hold the true difference, between 0 and 1.

    Returns:
        Accuracy of the first minus accuracy of the second, as a fraction, with its limits.

    Raises:
        ConfigError: the counts or the confidence make no sense.

    Reference: T. Tango, "Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design", Statistics in Medicine 17, 1998, equation 13 and its score statistic.
    """
    if trials < 1 or min(first_only, second_only) < 0 or first_only + second_only > trials:
        raise ConfigError(
            "A paired difference needs counts of zero or more that sum to at most the trials. "
            f"Received: {first_only} + {second_only} of {trials}."
        )
    z = _normal_quantile(confidence)
    value = (first_only - second_only) / trials
    high = _tango_upper(first_only, second_only, trials, z)
    low = -_tango_upper(second_only, first_only, trials, z)
    return Interval(value, min(low, value), max(high, value))


def mean_interval(samples: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Gives the mean of many samples with its normal interval (mean +- z standard errors).

    One sample says nothing of its spread, so its interval has no limits (None).

    Raises:
        ConfigError: there is no sample, or the confidence makes no sense.
    """
    values = _samples(samples)
    mean = float(values.mean())
    z = _normal_quantile(confidence)
    if values.size == 1:
        return Interval(mean, None, None)
    half = z * float(values.std(ddof=1)) / math.sqrt(values.size)
    return Interval(mean, mean - half, mean + half)


def bootstrap_median(
    samples: npt.ArrayLike, confidence: float = 0.95, *, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Gives the median of some samples with its bootstrap interval.

    The percentile method: the median of a resample takes few distinct values, which the corrected (BCa)
    method cannot use. The same samples and seed give the same interval.

    Args:
        samples: one number each, at least one, all finite.
        confidence: share of such intervals that hold the true median, between 0 and 1.
        resamples: how often to draw, with replacement, as many samples as there are.
        seed: of the draws.

    Raises:
        ConfigError: there is no sample, one is not finite, or an argument makes no sense.

    Reference: B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    values = _samples(samples)
    if resamples < 1:
        raise ConfigError(f"resamples must be 1 or more. Received: resamples={resamples}.")
    _normal_quantile(confidence)
    draws = np.random.default_rng(seed).integers(0, values.size, size=(resamples, values.size))
    medians = np.median(values[draws], axis=1)
    low, high = np.quantile(medians, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(np.median(values)), float(low), float(high))


def paired_ratio(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    confidence: float = 0.95,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Gives the median of ratios taken pair by pair, with its bootstrap interval over the pairs.

    What slows a whole round down (another program, a hotter processor) slows both sides of a pair, and
    leaves their ratio alone.

    Args:
        numerators: one sample a round, such as the milliseconds of the baseline.
        denominators: the other side of each round, none of them zero or negative.
        confidence: share of such intervals that hold the true ratio, between 0 and 1.
        resamples: number of bootstrap resamples.
        seed: of the resamples.

    Raises:
        ConfigError: the two differ in length, are empty, or a denominator is not positive.
    """
    above, below = _samples(numerators), _samples(denominators)
    if above.size != below.size:
        raise ConfigError(
            f"Paired ratios need two samples a pair. Received: {above.size} numerators and "
            f"{below.size} denominators."
        )
    if below.min() <= 0:
        raise ConfigError(f"Paired ratios need denominators above 0. Received: {float(below.min())}.")
    return bootstrap_median(above / below, confidence, resamples=resamples, seed=seed)


def _normal_quantile(confidence: float) -> float:
    """Gives the z of a two-sided normal interval: 1.96 at 0.95."""
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        raise ConfigError(
            f"confidence must lie between 0 and 1, such as 0.95. Received: confidence={confidence}."
        )
    return float(ndtri((1 + confidence) / 2))


def _samples(samples: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Gives the samples as a vector, or says what is wrong with them."""
    values = np.asarray(samples, dtype=np.float64).ravel()
    if values.size == 0 or not np.isfinite(values).all():
        raise ConfigError(
            f"Statistics need at least one sample, and finite ones. Received: {values.size} samples, "
            f"{int((~np.isfinite(values)).sum())} of them not finite."
        )
    return values


def _log_binomial(trials: int, successes: int) -> float:
    """Gives the logarithm of the binomial probability at rate one half."""
    return (
        math.lgamma(trials + 1)
        - math.lgamma(successes + 1)
        - math.lgamma(trials - successes + 1)
        - trials * math.log(2)
    )


def _tango_upper(first_only: int, second_only: int, trials: int, z: float) -> float:
    """Finds the difference above the estimate at which Tango's score statistic is -z."""
    from scipy.optimize import brentq

    if first_only - second_only == trials:
        return 1.0
    # In these two cases the estimate is a root as well, at which a search would stop.
    if first_only == second_only == 0:
        return z * z / (trials + z * z)
    if second_only == trials:
        return (z * z - trials) / (z * z + trials)

    def excess(delta: float) -> float:
        # With q the maximum-likelihood rate of "only the second is right" given the difference delta.
        slope = -first_only - second_only + (2 * trials - first_only + second_only) * delta
        constant = -second_only * delta * (1 - delta)
        q = (math.sqrt(max(slope * slope - 8 * trials * constant, 0.0)) - slope) / (4 * trials)
        variance = trials * max(2 * q + delta * (1 - delta), 0.0)
        return first_only - second_only - trials * delta + z * math.sqrt(variance)

    estimate = (first_only - second_only) / trials
    return 1.0 if excess(1.0) >= 0 else float(brentq(excess, estimate, 1.0, xtol=1e-12))

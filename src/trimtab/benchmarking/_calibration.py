"""Whether a model is right as often as it says: reliability bins and the expected calibration error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trimtab._statistics import mean_interval, wilson_interval
from trimtab.benchmarking._measurement import Measurement

__all__ = ["Calibration", "ReliabilityBin", "calibrations", "equal_mass_edges", "equal_width_edges"]

Array = npt.NDArray[np.float64]
_AT_ONCE = 2**21
"""How many draws of the bootstrap are in memory at a time."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Images on which a model is about equally sure.

    Args:
        low: the bin holds confidences above this one ...
        high: ... up to this one.
        images: how many there are; bins without any are left out.
        confidence: mean confidence of the images.
        accuracy: share of them that is right, with Wilson's interval.
    """

    low: float
    high: float
    images: int
    confidence: float
    accuracy: Measurement


@dataclass(frozen=True)
class Calibration:
    """How far a model's confidence is from its accuracy.

    Args:
        error: expected calibration error over bins of equal width (Guo et al. 2017).
        adaptive_error: the same over bins of about equally many images, which a model that is nearly always
            sure cannot hide in (Nixon et al. 2019, "Measuring calibration in deep learning").
        chance: the error that a model without any would show on so many images by chance alone: its mean, and
            the limit that it stays below with the confidence asked for.
        overconfidence: mean confidence minus accuracy: above 0, it is surer than it is right.
        difference: error minus the baseline's, resampled on the same images; None for the baseline itself.
        changed: whether the interval of the difference lies beside 0.
        bins: those of equal width that hold an image.
    """

    error: Measurement
    adaptive_error: Measurement
    chance: Measurement
    overconfidence: Measurement
    difference: Measurement | None
    changed: bool
    bins: tuple[ReliabilityBin, ...]


def equal_width_edges(bins: int) -> Array:
    """Returns the edges (bins + 1,) of bins of equal width between 0 and 1."""
    return np.linspace(0, 1, bins + 1)


def equal_mass_edges(confidence: npt.NDArray[np.floating], bins: int) -> Array:
    """Returns the edges of bins that hold about equally many images; fewer where many are equally sure."""
    inner = np.unique(np.quantile(confidence.astype(np.float64), np.arange(1, bins) / bins, method="lower"))
    return np.concatenate([[0.0], inner[(inner > 0) & (inner < 1)], [1.0]])


def calibrations(
    confidences: Mapping[str, npt.NDArray[np.float32]],
    rights: Mapping[str, npt.NDArray[np.bool_]],
    baseline: str,
    *,
    bins: int,
    resamples: int,
    confidence: float,
    seed: int,
) -> dict[str, Calibration]:
    """Measures how far each model's confidence is from its accuracy.

    The error is a sum of absolute values, so it is never below 0 and chance alone makes it larger; resampled,
    it is larger still. The usual percentile interval therefore misses a small error nearly always; the basic
    one (twice the estimate less the resampled quantiles) takes the bias off. Its lower limit is 0 wherever a
    model without any error would show as much.

    Args:
        confidences: by name, (n,), the softmax probability of the class that was answered.
        rights: by name, (n,), whether the answer is right.
        baseline: the name that the others are compared with.
        bins: how many, of both kinds.
        resamples: of the bootstrap, over images; the same ones for all models.
        confidence: of every interval.
        seed: of the bootstrap.

    Reference: C. Guo et al., "On calibration of modern neural networks", ICML 2017; A. C. Davison, D. V.
    Hinkley, "Bootstrap methods and their application", 1997, section 5.2 (the basic interval).
    """
    edges = equal_width_edges(bins)
    equal = {name: _gaps(sure, rights[name], edges) for name, sure in confidences.items()}
    adaptive = {
        name: _gaps(sure, rights[name], equal_mass_edges(sure, bins)) for name, sure in confidences.items()
    }
    drawn, adaptive_drawn = (_resampled(tables, resamples, seed) for tables in (equal, adaptive))
    found = {}
    for name, sure in confidences.items():
        chance = _chance(sure, edges, resamples, confidence, seed)
        difference = None
        if name != baseline:
            difference = _difference(
                _error(equal[name]) - _error(equal[baseline]), drawn[name] - drawn[baseline], confidence
            )
        found[name] = Calibration(
            error=_measured(
                "calibration_error",
                _error(equal[name]),
                drawn[name],
                chance,
                f"over {bins} bins of equal width",
            ),
            adaptive_error=_measured(
                "adaptive_calibration_error",
                _error(adaptive[name]),
                adaptive_drawn[name],
                _chance(sure, equal_mass_edges(sure, bins), resamples, confidence, seed),
                f"over {adaptive[name].shape[1]} bins of about equally many images",
            ),
            chance=chance,
            overconfidence=_overconfidence(equal[name].sum(axis=1), confidence),
            difference=difference,
            changed=difference is not None and difference.excludes(0),
            bins=_reliability(sure, rights[name], edges, confidence),
        )
    return found


def _bins_of(confidence: npt.NDArray[np.float32], edges: Array) -> npt.NDArray[np.intp]:
    """Returns (n,): the bin of each image; bins hold their upper edge, as Guo's do."""
    return np.searchsorted(edges[1:-1], confidence.astype(np.float64), side="left")


def _gaps(confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_], edges: Array) -> Array:
    """Returns (n, bins): confidence minus rightness of each image, in the column of its bin."""
    table = np.zeros((len(right), len(edges) - 1))
    table[np.arange(len(right)), _bins_of(confidence, edges)] = confidence.astype(np.float64) - right
    return table


def _error(gaps: Array) -> float:
    """Returns the expected calibration error: each bin's mean gap, weighted by its share of the images."""
    return float(np.abs(gaps.mean(axis=0)).sum())


def _resampled(tables: Mapping[str, Array], resamples: int, seed: int) -> dict[str, Array]:
    """Returns (resamples,): the errors of each table over images drawn anew, the same for all tables."""
    random = np.random.default_rng(seed)
    count = len(next(iter(tables.values())))
    found: dict[str, list[Array]] = {name: [] for name in tables}
    step = max(1, _AT_ONCE // count)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = random.integers(0, count, (size, count)) + count * np.arange(size)[:, np.newaxis]
        weights = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count) / count
        for name, table in tables.items():
            found[name].append(np.abs(weights @ table).sum(axis=1))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _chance(
    sure: npt.NDArray[np.float32], edges: Array, resamples: int, confidence: float, seed: int
) -> Measurement:
    """Measures the error that would be seen if each image were right as often as the model says.

    The gap of a bin is then a sum of independent terms with a known variance, near enough to a normal one.
    """
    exact = sure.astype(np.float64)
    variances = np.bincount(_bins_of(sure, edges), exact * (1 - exact), minlength=len(edges) - 1)
    spread = np.sqrt(np.maximum(variances, 0)) / len(sure)
    errors = np.abs(np.random.default_rng(seed).standard_normal((resamples, len(spread))) * spread).sum(
        axis=1
    )
    return Measurement(
        name="chance_calibration_error",
        value=float(errors.mean()),
        unit="fraction",
        low=0.0,
        high=float(np.quantile(errors, confidence)),
        confidence=confidence,
        method=f"What a model without calibration error would show on {len(sure):,} images: mean and upper "
        f"limit of {resamples:,} simulations.",
    )


def _measured(name: str, value: float, drawn: Array, chance: Measurement, bins: str) -> Measurement:
    """Puts together an error and its basic bootstrap interval, which begins at 0 where chance explains it."""
    tail = (1 - chance.confidence) / 2
    quantile_low, quantile_high = (float(each) for each in np.quantile(drawn, [tail, 1 - tail]))
    explained = chance.high is not None and value <= chance.high
    return Measurement(
        name=name,
        value=value,
        unit="fraction",
        low=0.0 if explained else min(max(2 * value - quantile_high, 0.0), value),
        high=min(max(2 * value - quantile_low, value), 1.0),
        confidence=chance.confidence,
        method=f"Mean gap between confidence and accuracy {bins}; basic bootstrap interval of {len(drawn):,} "
        "resamples.",
    )


def _difference(value: float, drawn: Array, confidence: float) -> Measurement:
    """Puts together the difference of two errors and its basic bootstrap interval."""
    tail = (1 - confidence) / 2
    low, high = (2 * value - float(each) for each in np.quantile(drawn, [1 - tail, tail]))
    return Measurement(
        name="calibration_error_difference",
        value=value,
        unit="fraction",
        low=min(low, value),
        high=max(high, value),
        confidence=confidence,
        method=f"Calibration error minus the baseline's; basic bootstrap interval of {len(drawn):,} "
        "resamples of the same images.",
    )


def _overconfidence(gaps: Array, confidence: float) -> Measurement:
    """Measures by how much a model is surer than it is right."""
    value, low, high = mean_interval(gaps, confidence)
    how = "no interval, of one image" if low is None else "interval of +- z standard errors"
    return Measurement(
        "overconfidence", value, "fraction", low, high, confidence, f"Mean confidence minus accuracy; {how}."
    )


def _reliability(
    sure: npt.NDArray[np.float32], right: npt.NDArray[np.bool_], edges: Array, confidence: float
) -> tuple[ReliabilityBin, ...]:
    """Returns the bins of equal width that hold an image."""
    places, found = _bins_of(sure, edges), []
    for place in np.unique(places):
        mine = places == place
        hits, images = int(right[mine].sum()), int(mine.sum())
        value, low, high = wilson_interval(hits, images, confidence)
        told = f"{hits:,} of the {images:,} images of this bin classified rightly; Wilson interval."
        found.append(
            ReliabilityBin(
                low=float(edges[place]),
                high=float(edges[place + 1]),
                images=images,
                confidence=float(sure[mine].astype(np.float64).mean()),
                accuracy=Measurement("bin_accuracy", value, "fraction", low, high, confidence, told),
            )
        )
    return tuple(found)

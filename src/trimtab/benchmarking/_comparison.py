"""From timings and sizes to measurements: latency with its interval, and ratios to the baseline."""

from __future__ import annotations

from trimtab._statistics import bootstrap_median, paired_ratio
from trimtab.benchmarking._latency import Timing
from trimtab.benchmarking._measurement import Measurement
from trimtab.benchmarking._subject import TimedCall

__all__ = ["latency", "size_reduction", "speed_up"]


def latency(
    timing: Timing, timed: TimedCall, confidence: float, seed: int, *, name: str = "latency_ms"
) -> list[Measurement]:
    """Gives the milliseconds an image: the median of the rounds with its interval, and the 90th percentile.

    Args:
        timing: of the calls.
        timed: the call that was timed.
        confidence: of the interval.
        seed: of the bootstrap.
        name: of the measurement; the percentile is given for ``"latency_ms"`` alone.
    """
    value, low, high = bootstrap_median(timing.rounds / timed.images, confidence, seed=seed)
    many = "one image" if timed.images == 1 else f"{timed.images} images at once, a share each"
    told = (
        f"{many}; {timed.means}; {timing.calls:,} calls in {len(timing.rounds)} rounds interleaved with the "
        "other subjects."
    )
    median = Measurement(
        name,
        value,
        "ms",
        low,
        high,
        confidence,
        f"Median of the rounds' medians, bootstrap interval over rounds: {told}",
    )
    if name != "latency_ms":
        return [median]
    percentile = Measurement(
        "latency_p90_ms",
        timing.p90 / timed.images,
        "ms",
        confidence=confidence,
        method=f"90th percentile of the calls: {told}",
    )
    return [median, percentile]


def speed_up(own: Timing, baseline: Timing, same_kind: bool, confidence: float, seed: int) -> Measurement:
    """Gives how many times faster than the baseline a subject answers.

    Args:
        own: timing of the subject.
        baseline: timing of the baseline, from the same rounds.
        same_kind: whether both run on the same runtime.
        confidence: of the interval.
        seed: of the bootstrap.
    """
    if own is baseline:
        return Measurement("speed_up", 1.0, "ratio", confidence=confidence, method="This is the baseline.")
    value, low, high = paired_ratio(baseline.rounds, own.rounds, confidence, seed=seed)
    runtime = "" if same_kind else "; the two run on different runtimes, which is part of the ratio"
    return Measurement(
        "speed_up",
        value,
        "ratio",
        low,
        high,
        confidence,
        f"Median over {len(own.rounds)} rounds of the baseline's time by this one's in the same round, "
        f"bootstrap interval{runtime}.",
    )


def size_reduction(own: Measurement, baseline: Measurement, is_baseline: bool) -> Measurement:
    """Gives how many times smaller than the baseline's a subject's file is."""
    if not own.value or not baseline.value:
        whose, size = ("this one", own) if not own.value else ("the baseline", baseline)
        told = f"Not measured: the size of {whose} is missing. {size.method}".strip()
        return Measurement("size_reduction", None, "ratio", method=told)
    if is_baseline:
        return Measurement("size_reduction", 1.0, "ratio", method="This is the baseline.")
    return Measurement(
        "size_reduction",
        baseline.value / own.value,
        "ratio",
        method=f"The baseline's {baseline.value:,} bytes by this one's {own.value:,}.",
    )

"""Measure: accuracy, size, latency and memory of models and files, each with its uncertainty.

`machine` and `versions` need no backend; `benchmark` imports one when it is called.
"""

from __future__ import annotations

from trimtab._statistics import (
    Interval,
    McNemar,
    bootstrap_median,
    mcnemar,
    mean_interval,
    paired_difference,
    paired_ratio,
    wilson_interval,
)
from trimtab._versions import versions
from trimtab.benchmarking._benchmark import benchmark
from trimtab.benchmarking._latency import Timing, time_interleaved
from trimtab.benchmarking._machine import machine
from trimtab.benchmarking._measurement import Measurement, Predictions, Row
from trimtab.benchmarking._result import BenchmarkResult

__all__ = [
    "BenchmarkResult",
    "Interval",
    "McNemar",
    "Measurement",
    "Predictions",
    "Row",
    "Timing",
    "benchmark",
    "bootstrap_median",
    "machine",
    "mcnemar",
    "mean_interval",
    "paired_difference",
    "paired_ratio",
    "time_interleaved",
    "versions",
    "wilson_interval",
]

"""Measure: accuracy, size, latency, memory and behaviour of models and files, each with its uncertainty.

`machine` and `versions` need no backend; `benchmark` and `compare_behaviour` import one when they are called.
"""

from __future__ import annotations

from trimtab._statistics import (
    Interval,
    McNemar,
    bootstrap_median,
    holm,
    mcnemar,
    mean_interval,
    paired_difference,
    paired_ratio,
    wilson_interval,
)
from trimtab._versions import versions
from trimtab.benchmarking._behaviour import compare_behaviour
from trimtab.benchmarking._behaviour_files import write_behaviour
from trimtab.benchmarking._behaviour_result import BehaviourResult, BehaviourRow
from trimtab.benchmarking._behaviour_words import behaviour_table
from trimtab.benchmarking._benchmark import benchmark
from trimtab.benchmarking._calibration import Calibration, ReliabilityBin
from trimtab.benchmarking._changed_answers import ChangedAnswers
from trimtab.benchmarking._class_accuracy import ClassAccuracy
from trimtab.benchmarking._corruption import (
    Brightness,
    Contrast,
    Corruption,
    GaussianNoise,
    Shift,
    usual_corruptions,
)
from trimtab.benchmarking._latency import Timing, time_interleaved
from trimtab.benchmarking._machine import machine
from trimtab.benchmarking._measurement import Measurement, Predictions, Row
from trimtab.benchmarking._result import BenchmarkResult
from trimtab.benchmarking._robustness import Robustness, RobustnessLevel

__all__ = [
    "BehaviourResult",
    "BehaviourRow",
    "BenchmarkResult",
    "Brightness",
    "Calibration",
    "ChangedAnswers",
    "ClassAccuracy",
    "Contrast",
    "Corruption",
    "GaussianNoise",
    "Interval",
    "McNemar",
    "Measurement",
    "Predictions",
    "ReliabilityBin",
    "Robustness",
    "RobustnessLevel",
    "Row",
    "Shift",
    "Timing",
    "behaviour_table",
    "benchmark",
    "bootstrap_median",
    "compare_behaviour",
    "holm",
    "machine",
    "mcnemar",
    "mean_interval",
    "paired_difference",
    "paired_ratio",
    "time_interleaved",
    "usual_corruptions",
    "versions",
    "wilson_interval",
    "write_behaviour",
]

"""Compression to a budget: what the device can bear, and which candidates keep within it.

Nothing here loads a backend.
"""

from __future__ import annotations

from trimtab.compression._answer import Answer, Miss, Point
from trimtab.compression._budget import Budget, Limits
from trimtab.compression._candidate import Baseline, Candidate, Lesson, Narrowed, ZooNetwork
from trimtab.compression._facts import Facts
from trimtab.compression._front import dominates, hypervolume, pareto_front, pareto_ranks

__all__ = [
    "Answer",
    "Baseline",
    "Budget",
    "Candidate",
    "Facts",
    "Lesson",
    "Limits",
    "Miss",
    "Narrowed",
    "Point",
    "ZooNetwork",
    "dominates",
    "hypervolume",
    "pareto_front",
    "pareto_ranks",
]

"""Compression to a budget: name what the device can bear, and get the best model that fits it.

::

    from trimtab import Budget, compress

    result = compress(model, data, Budget(max_size="100kB", max_drop=0.5), minutes=30)
    print(result)

Nothing here loads a backend before `compress` is called.
"""

from __future__ import annotations

from trimtab.compression._answer import Answer, Miss, Point
from trimtab.compression._budget import Budget, Limits
from trimtab.compression._candidate import Baseline, Candidate, Lesson, Narrowed, ZooNetwork
from trimtab.compression._compress import compress
from trimtab.compression._facts import Facts
from trimtab.compression._front import dominates, hypervolume, pareto_front, pareto_ranks
from trimtab.compression._result import CompressionResult

__all__ = [
    "Answer",
    "Baseline",
    "Budget",
    "Candidate",
    "CompressionResult",
    "Facts",
    "Lesson",
    "Limits",
    "Miss",
    "Narrowed",
    "Point",
    "ZooNetwork",
    "compress",
    "dominates",
    "hypervolume",
    "pareto_front",
    "pareto_ranks",
]

"""Search spaces, studies and the loop that tries settings out, on Optuna with a journal in the run folder.

::

    from trimtab.tuning import Choice, Integer, Real, Space

    space = Space({"model.dropout": Real(0, 0.5), "optimizer": Choice(("adam", "sgd"))})

Nothing here loads a backend, and Optuna only when a study is opened.
"""

from __future__ import annotations

from trimtab.tuning._dimension import Choice, Dimension, Integer, Real
from trimtab.tuning._drive import Ending, Search, drive
from trimtab.tuning._families import FAMILIES, family_space
from trimtab.tuning._plan import OBJECTIVES, Plan
from trimtab.tuning._result import TrialResult, TuningResult
from trimtab.tuning._samplers import MedianRule
from trimtab.tuning._setting import check_names
from trimtab.tuning._space import Space
from trimtab.tuning._study import Study, open_study
from trimtab.tuning._trial import Trial
from trimtab.tuning._tune import checked_space, search_in, tune

__all__ = [
    "FAMILIES",
    "OBJECTIVES",
    "Choice",
    "Dimension",
    "Ending",
    "Integer",
    "MedianRule",
    "Plan",
    "Real",
    "Search",
    "Space",
    "Study",
    "Trial",
    "TrialResult",
    "TuningResult",
    "check_names",
    "checked_space",
    "drive",
    "family_space",
    "open_study",
    "search_in",
    "tune",
]

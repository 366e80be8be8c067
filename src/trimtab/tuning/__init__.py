"""Search spaces, studies and the loop that tries settings out, on Optuna with a journal in the run folder.

::

    from trimtab.tuning import Choice, Integer, Real, Space

    space = Space({"model.dropout": Real(0, 0.5), "optimizer": Choice(("adam", "sgd"))})

Nothing here loads a backend, and Optuna only when a study is opened.
"""

from __future__ import annotations

from trimtab.tuning._dimension import Choice, Dimension, Integer, Real
from trimtab.tuning._samplers import MedianRule
from trimtab.tuning._space import Space
from trimtab.tuning._study import Study, open_study
from trimtab.tuning._trial import Trial

__all__ = [
    "Choice",
    "Dimension",
    "Integer",
    "MedianRule",
    "Real",
    "Space",
    "Study",
    "Trial",
    "open_study",
]

"""What a model will let be done to it, looked at before anything is trained.

`diagnose` says what will prune, lose channels, fold, quantize and convert, what will not and why, what each
scheme's file weighs and how fast it is, and what is worth changing; `rewrite` folds a model where its outputs
stay the same::

    from trimtab import doctor

    print(doctor.diagnose(model))
    rewritten = doctor.rewrite(model)

Each finding comes from a small check. `register_check` adds one of your own.
"""

from __future__ import annotations

from trimtab.doctor import checks  # noqa: F401  (each file in it registers its checks)
from trimtab.doctor._diagnose import diagnose
from trimtab.doctor._diagnosis import Diagnosis
from trimtab.doctor._examined import Examined
from trimtab.doctor._finding import Finding
from trimtab.doctor._forecast import Forecast
from trimtab.doctor._outlook import Outlook
from trimtab.doctor._register import register_check
from trimtab.doctor._rewrite import Rewritten, rewrite

__all__ = [
    "Diagnosis",
    "Examined",
    "Finding",
    "Forecast",
    "Outlook",
    "Rewritten",
    "diagnose",
    "register_check",
    "rewrite",
]

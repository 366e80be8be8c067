"""``tuning.json``: what a tuning found, as data: for the report, and for whoever comes after a kill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trimtab._atomic import write_json
from trimtab._records import to_plain
from trimtab.tuning._notes import notes_on
from trimtab.tuning._result import TrialResult, best_of, front_of
from trimtab.tuning._space import Space

__all__ = ["TuningRecord"]

_FORMAT = 1


@dataclass(frozen=True)
class TuningRecord:
    """Where the record of one search goes, and what is the same in all its versions.

    Args:
        path: of ``tuning.json``.
        space: what was searched.
        objectives: what was searched for.
        images: how many validation images there are.
    """

    path: Path
    space: Space
    objectives: tuple[str, ...]
    images: int

    def write(
        self,
        trials: Sequence[TrialResult],
        ending: Literal["running", "done", "time", "interrupted"],
        seconds: float,
        importances: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """Writes what became of the trials so far, and returns it.

        Raises:
            OutputError: it cannot be written.
        """
        best = best_of(trials)
        record: dict[str, Any] = to_plain(
            {
                "format": _FORMAT,
                "space": self.space.to_data(),
                "objectives": self.objectives,
                "validation_images": self.images,
                "trials": trials,
                "baseline": 0,
                "best": best.number if best else None,
                "front": front_of(trials, self.objectives),
                "importances": importances or {},
                "ending": ending,
                "seconds": seconds,
                "notes": notes_on(trials, best, self.images, ending) if best else (),
            }
        )
        write_json(self.path, record)
        return record

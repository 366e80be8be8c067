"""One trial of a study: its setting, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal

from trimtab._records import to_plain

__all__ = ["State", "Trial"]

State = Literal["running", "complete", "cut", "failed"]

_STATES: dict[str, State] = {
    "RUNNING": "running",
    "COMPLETE": "complete",
    "PRUNED": "cut",
    "FAIL": "failed",
}
_WHY = "why"
_REPORTS = "reports"
_OWN = ("number", _REPORTS)


class Trial:
    """One trial of a study, which makes it; reads and writes the study's journal.

    Args:
        study: Optuna's study.
        trial: Optuna's trial, or its record of one.
        number: of the trial, from 0, without gaps.
        values: its setting.
        writing: in which everything is written.
    """

    def __init__(
        self,
        study: Any,
        trial: Any,
        number: int,
        values: Mapping[str, Any],
        writing: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self._study, self._id, self._writing = study, trial._trial_id, writing
        self._inner = trial.number
        self._cached = trial if hasattr(trial, "suggest_int") else None
        self.number, self.values = number, dict(values)

    def __repr__(self) -> str:
        return f"Trial({self.number}, {self.state}, {self.values})"

    @property
    def key(self) -> str:
        """The number as four digits, fit for the names of folders and jobs."""
        return f"{self.number:04d}"

    @property
    def state(self) -> State:
        """Whether it is running, complete, was cut short, or failed."""
        return _STATES[self._record.state.name]

    @property
    def objectives(self) -> tuple[float, ...] | None:
        """What came out; None until it is complete, and where it was cut short or failed."""
        record = self._record
        return tuple(record.values) if record.state.name == "COMPLETE" else None

    @property
    def reports(self) -> dict[int, float]:
        """What was reported on the way, by its step."""
        record = self._record
        kept = {int(step): value for step, value in record.user_attrs.get(_REPORTS, {}).items()}
        return dict(sorted({**record.intermediate_values, **kept}.items()))

    @property
    def facts(self) -> dict[str, Any]:
        """What was noted down about it."""
        return {name: value for name, value in self._record.user_attrs.items() if name not in _OWN}

    @property
    def why(self) -> str:
        """Why it was cut short or failed; otherwise empty."""
        return str(self.facts.get(_WHY, ""))

    def note(self, **facts: Any) -> None:
        """Notes facts down, as plain data."""
        with self._writing():
            for name, value in facts.items():
                self._handle.set_user_attr(name, to_plain(value))

    def report(self, step: int, value: float) -> None:
        """Reports the first objective as it stands after a step; a step counts once."""
        reports = self.reports
        if step in reports:
            return
        if len(self._study.directions) > 1:  # of which Optuna takes no reports
            self.note(**{_REPORTS: {**reports, step: value}})
            return
        with self._writing():
            self._handle.report(value, step)

    def hopeless(self) -> bool:
        """Tells whether the study's rule would cut it short, given what was reported."""
        with self._writing():
            return bool(self._handle.should_prune())

    def finish(self, *objectives: float) -> None:
        """Ends it with its objectives, one for each direction of the study."""
        self._end("COMPLETE", "", list(objectives))

    def cut(self, why: str) -> None:
        """Ends it before its time."""
        self._end("PRUNED", why, None)

    def fail(self, why: str) -> None:
        """Ends it without a result."""
        self._end("FAIL", why, None)

    def _end(self, state: str, why: str, objectives: list[float] | None) -> None:
        if why:
            self.note(**{_WHY: why})
        with self._writing() as optuna:
            self._study.tell(self._inner, objectives, state=optuna.trial.TrialState[state])

    @property
    def _handle(self) -> Any:
        """Optuna's trial that can be written to; asking for it draws nothing anew that is drawn."""
        if self._cached is None:
            from optuna.trial import Trial as Inner

            self._cached = Inner(self._study, self._id)
        return self._cached

    @property
    def _record(self) -> Any:
        return self._study.get_trials(deepcopy=False)[self._inner]

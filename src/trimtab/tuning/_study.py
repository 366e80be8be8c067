"""A study: the trials of one search, kept on disk as they happen, proposed by Optuna."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from trimtab._atomic import as_output_error
from trimtab._records import to_plain
from trimtab.errors import ConfigError, RunError, first_line
from trimtab.tuning._journal import open_journal, quiet_optuna
from trimtab.tuning._samplers import MedianRule, Sampler, pruner_of, sampler_of
from trimtab.tuning._space import Space, setting_key
from trimtab.tuning._suggested import inside, outside, suggested
from trimtab.tuning._trial import Trial

__all__ = ["Study", "open_study"]

Direction = Literal["maximize", "minimize"]

_NAME = "trimtab"
_BELONGS_TO = "belongs_to"
_SECONDS = "seconds"
_NUMBER = "number"
_REPEATS = "repeats"
_ENQUEUED = "fixed_params"  # Optuna's own word for it
_SAMPLED = 5  # how often a sampler may repeat itself before something else decides
_COUNTED = 20_000  # settings to go through for one that was not tried


def open_study(
    folder: str | Path,
    space: Space,
    *,
    directions: Sequence[Direction] = ("maximize",),
    sampler: Sampler = "tpe",
    seed: int = 0,
    constraints: Sequence[str] = (),
    hopeless: MedianRule | None = None,
    belongs_to: Mapping[str, Any] | None = None,
) -> Study:
    """Opens the study in a folder, or begins one there.

    One process at a time may have it open: hold the lock of the run folder meanwhile.

    Args:
        folder: where its journal is.
        space: what may vary.
        directions: for each objective, which way is better.
        sampler: who proposes: "tpe" (Bergstra et al. 2011; learns from what is finished), "nsga2" (Deb et al.
            2002; for several objectives), or "random".
        seed: decides the proposals, together with the trials that are finished.
        constraints: names of facts (`Trial.note`) that are 0 or less where a trial keeps to its limits; the
            sampler prefers such trials. A trial without the fact keeps to them.
        hopeless: when `Trial.hopeless` says so; None: never. For one objective only.
        belongs_to: whatever else makes this study this one, as plain data.

    Raises:
        RunError: the folder holds another study, or a damaged one.
        OutputError: the folder cannot be written.
        ConfigError: a direction or a sampler is unknown, or several objectives are to be cut short.
    """
    _check(directions, sampler, hopeless)
    folder = Path(folder)
    identity = json.loads(
        json.dumps(
            {
                "space": space.to_data(),
                "directions": list(directions),
                "sampler": sampler,
                "seed": seed,
                **to_plain(belongs_to or {}),
            }
        )
    )
    with quiet_optuna() as optuna, as_output_error(folder):
        try:
            study = optuna.create_study(
                storage=open_journal(folder),
                study_name=_NAME,
                directions=list(directions),
                load_if_exists=True,
                pruner=pruner_of(optuna, hopeless),
            )
            known = study.user_attrs.get(_BELONGS_TO)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(
                f"the study in {folder} is damaged ({first_line(error)}). Begin anew in another folder."
            ) from None
        if known is None:
            study.set_user_attr(_BELONGS_TO, identity)
        elif known != identity:
            raise RunError(_another(folder, known, identity))
    opened = Study(study, space, sampler, seed, tuple(constraints), folder)
    opened.settle()
    return opened


class Study:
    """The trials of one search; made by `open_study`.

    What is proposed next depends on the seed, on the number of the trial and on what is finished, not on when
    the process began: with one worker, a search that was killed goes on as it would have.
    """

    def __init__(
        self,
        study: Any,
        space: Space,
        sampler: Sampler,
        seed: int,
        constraints: tuple[str, ...],
        folder: Path,
    ) -> None:
        self._study, self.space, self._sampler, self._seed = study, space, sampler, seed
        self._constraints, self._folder = constraints, folder
        self._settings: dict[int, tuple[dict[str, Any], str]] = {}
        """Setting and key of each trial by Optuna's number: deriving hundreds anew makes asking slow."""

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial, in the order of their numbers."""
        made = self._study.get_trials(deepcopy=False)
        trials = [self._trial(each) for each in made if _NUMBER in each.user_attrs]
        return tuple(sorted(trials, key=lambda trial: trial.number))

    @property
    def running(self) -> tuple[Trial, ...]:
        """The trials that were begun and not finished, by this process or an earlier one."""
        return tuple(trial for trial in self.trials if trial.state == "running")

    @property
    def seconds(self) -> float:
        """How long the search has taken so far, over all processes, as `spend` was told."""
        return float(self._study.user_attrs.get(_SECONDS, 0.0))

    def spend(self, seconds: float) -> None:
        """Remembers how long the search has taken so far."""
        with self._writing():
            self._study.set_user_attr(_SECONDS, seconds)

    def enqueue(self, values: Mapping[str, Any]) -> None:
        """Lets a setting be the next one that is tried, before any other; not if it was, or will be.

        Raises:
            ConfigError: it is not in the space.
        """
        setting = self.space.check(values)
        inner = {
            name: inside(dimension, setting[name])
            for name, dimension in self.space.dimensions.items()
            if name in setting
        }
        made = self._study.get_trials(deepcopy=False)
        waiting = [each.system_attrs.get(_ENQUEUED) for each in made if each.state.name == "WAITING"]
        if setting_key(setting) not in self._tried() and inner not in waiting:
            with self._writing():
                self._study.enqueue_trial(inner)

    def ask(self) -> Trial | None:
        """Begins a trial with a setting that was not tried yet; None where every setting was.

        Raises:
            OutputError: the journal cannot be written.
        """
        import numpy as np

        size = self.space.size
        while True:
            tried = self._tried()
            if size is not None and len(tried) >= size:
                return None
            number = len(self.trials)
            repeats = self._repeats(number)
            if repeats >= _SAMPLED and (left := self._untried(tried)) is not None:
                self.enqueue(left)
            with self._writing() as optuna:
                chance = np.random.SeedSequence([self._seed, number, repeats])
                seed = int(chance.generate_state(1)[0])
                self._study.sampler = sampler_of(optuna, self._sampler, seed, self._constraints)
                if (trial := self._settled(self._study.ask(), tried)) is not None:
                    return trial

    def settle(self) -> None:
        """Puts trials right that an earlier process was killed over just as it began them.

        One whose setting was enqueued gets it; any other never was, and will be drawn again as it was.
        """
        for made in self._study.get_trials(deepcopy=False):
            if made.state.name != "RUNNING" or _NUMBER in made.user_attrs:
                continue
            with self._writing() as optuna:
                if _ENQUEUED in made.system_attrs and _REPEATS not in made.user_attrs:
                    self._settled(optuna.trial.Trial(self._study, made._trial_id), self._tried())
                else:
                    self._study.tell(made.number, state=optuna.trial.TrialState.FAIL)

    def importances(self) -> dict[str, float]:
        """Says how much of the first objective's variance each dimension explains, alone and with others.

        The shares add up to 1, the largest first (Hutter et al. 2014, "An efficient approach for assessing
        hyperparameter importance"). Only finished trials count, and only dimensions that each of them has.
        Nothing where that leaves fewer than four trials, or nothing that varied.
        """
        whole = [each for each in self._study.get_trials(deepcopy=False) if each.state.name == "COMPLETE"]
        values = [each.values[0] for each in whole]
        names = [
            name
            for name in self.space.dimensions
            if len({repr(each.params.get(name)) for each in whole}) > 1
            and all(name in each.params for each in whole)
        ]
        if len(whole) < 4 or len(set(values)) < 2 or not names:
            return {}
        with quiet_optuna() as optuna:
            evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self._seed)
            found = optuna.importance.get_param_importances(
                self._study, evaluator=evaluator, params=names, target=lambda each: each.values[0]
            )
        return {name: float(share) for name, share in found.items()}

    def _repeats(self, number: int) -> int:
        """Returns how often what was drawn for the trial of this number had been tried before."""
        made = self._study.get_trials(deepcopy=False)
        return sum(each.user_attrs.get(_REPEATS) == number for each in made)

    def _settled(self, trial: Any, tried: frozenset[str]) -> Trial | None:
        """Gives a trial of Optuna's its setting and its number; None where the setting was tried before."""
        values = self.space.setting(lambda name, dimension: suggested(dimension, name, trial))
        if setting_key(values) in tried:
            trial.set_user_attr(_REPEATS, len(self.trials))
            with self._writing() as optuna:
                self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return None
        trial.set_user_attr(_NUMBER, len(self.trials))
        return Trial(self._study, trial, len(self.trials) - 1, values, self._writing)

    def _trial(self, made: Any) -> Trial:
        """Returns the trial that Optuna's record tells of."""
        values, _ = self._setting_of(made)
        return Trial(self._study, made, made.user_attrs[_NUMBER], dict(values), self._writing)

    def _setting_of(self, made: Any) -> tuple[dict[str, Any], str]:
        """Returns the setting, and its key, of the trial that Optuna's record tells of."""
        if made.number not in self._settings:
            values = self.space.setting(lambda name, dimension: outside(dimension, made.params[name]))
            self._settings[made.number] = values, setting_key(values)
        return self._settings[made.number]

    def _tried(self) -> frozenset[str]:
        """Returns the settings of all trials, as keys."""
        made = self._study.get_trials(deepcopy=False)
        return frozenset(self._setting_of(each)[1] for each in made if _NUMBER in each.user_attrs)

    def _untried(self, tried: frozenset[str]) -> dict[str, Any] | None:
        """Returns a setting that was not tried, by chance; None where there are too many to go through."""
        import numpy as np

        size = self.space.size
        if size is None or size > _COUNTED:
            return None
        left = [setting for setting in self.space.settings() if setting_key(setting) not in tried]
        chance = np.random.default_rng([self._seed, len(tried)])
        return left[int(chance.integers(len(left)))] if left else None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Any]:
        """Says in one line why the journal cannot be written, and keeps Optuna quiet."""
        with as_output_error(self._folder), quiet_optuna() as optuna:
            yield optuna


def _check(directions: Sequence[str], sampler: str, hopeless: MedianRule | None) -> None:
    """Refuses what no study can be made of."""
    if not directions or any(each not in ("maximize", "minimize") for each in directions):
        raise ConfigError(f"each direction is maximize or minimize. Received: {list(directions)!r}.")
    if sampler not in ("tpe", "nsga2", "random"):
        raise ConfigError(f"the sampler must be tpe, nsga2 or random. Received: {sampler!r}.")
    if hopeless is not None and len(directions) > 1:
        raise ConfigError("trials are cut short by one objective; with several, leave `hopeless` out.")


def _another(folder: Path, known: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """Says in what the study that is there differs from the one that was asked for."""
    name = next(name for name in {**known, **identity} if known.get(name) != identity.get(name))
    there, here = known.get(name), identity.get(name)
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        inner = next(each for each in {**there, **here} if there.get(each) != here.get(each))
        name, there, here = f"{name}, {inner}", there.get(inner), here.get(inner)
    return (
        f"{folder} holds another study ({name}: {there!r} there, {here!r} here). "
        "Choose another folder, or ask for what it was begun with."
    )

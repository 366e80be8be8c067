"""`tune`: which network, trained how, classifies these images best?"""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from trimtab._atomic import atomic_path, write_text
from trimtab._lock import locked
from trimtab._quiet import import_backend
from trimtab._version import __version__
from trimtab.errors import RunError
from trimtab.progress import Progress
from trimtab.tuning._drive import Ending, drive
from trimtab.tuning._families import family_space
from trimtab.tuning._plan import Plan
from trimtab.tuning._record import TuningRecord
from trimtab.tuning._result import TrialResult, TuningResult
from trimtab.tuning._run_file import RunFile
from trimtab.tuning._samplers import MedianRule
from trimtab.tuning._setting import check_names, check_space
from trimtab.tuning._space import Space
from trimtab.tuning._study import Direction, Study, open_study

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["checked_space", "search_in", "tune"]

_KIND = "tune"
_WARMING_UP = 0.2  # share of the epochs that every trial gets before it can be cut short


def tune(
    data: ImageData,
    space: Space | Mapping[str, Any] | str = "cnn",
    *,
    trials: int = 30,
    minutes: float | None = None,
    jobs: int = 1,
    cluster: str | None = None,
    objectives: Sequence[str] = ("accuracy",),
    cut_short: bool = True,
    seed: int = 0,
    folder: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> TuningResult:
    """Searches for the network and the training that classify the validation images best.

    The first trial is the baseline: the defaults of the space. The others are proposed by Optuna from what
    is finished. A trial that falls behind is cut short. The test images are never looked at; nor do workers
    get them.

    Example::

        data = trimtab.load_data("digits")
        result = trimtab.tune(data, "cnn", trials=20, minutes=5)
        print(result.winner.values, result.baseline.val_accuracy, result.winner.val_accuracy)

    Args:
        data: the images; `data.train` is learned, `data.validation` judges.
        space: what may vary: a `Space`, plain data as in YAML, or the name of a family with a built-in one:
            "cnn", "resnet", "ds_cnn" or "mobilenet_v2".
        trials: how many settings to try, the baseline among them.
        minutes: how long it may take, over all processes; the baseline is finished in any case. None: as
            long as it takes.
        jobs: processes of this machine that train side by side.
        cluster: address of a Ray cluster that trains instead; None: none.
        objectives: "accuracy" alone, or with "parameters" or "macs", which are to be small.
        cut_short: end hopeless trials early; with one objective only.
        seed: of the proposals, and of every training.
        folder: where everything is kept, so that a killed search can be gone on with; None: nowhere.
        resume: go on with the search that is in `folder` already, if there is one.
        progress: where progress is shown; None: nowhere.

    Returns:
        The best model, and what became of every trial. After Ctrl-C the best so far, if the baseline is done.

    Raises:
        ConfigError: an argument or the space makes no sense, or does not fit the images.
        DataError: there are no training or no validation images.
        ModelError: the baseline cannot be trained.
        RunError: `folder` holds another search, or one that is not to be resumed.
        OutputError: a file cannot be written. The search can be gone on with.
        MissingExtraError: `cluster` is given and Ray is not installed.
        WorkerError: the workers cannot be used.
    """
    plan = Plan(trials, minutes, jobs, cluster, objectives, cut_short, seed)
    made = checked_space(space, data)
    with contextlib.ExitStack() as stack:
        if folder is None:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trimtab-tune-")))
            return dataclasses.replace(search_in(place, data, made, plan, progress), folder=None)
        place = Path(folder)
        RunFile.check_free(place, _KIND, resume=resume)
        stack.enter_context(locked(place))
        return _kept(place, data, made, plan, progress)


def _kept(folder: Path, data: ImageData, space: Space, plan: Plan, progress: Progress | None) -> TuningResult:
    """Searches in a folder of its own, with the record of a run."""
    facts = {
        "command": _command(data, plan),
        "settings": plan,
        "data": data.describe(),
        "seed": plan.seed,
    }
    file = RunFile(folder, _KIND, facts)
    _open(folder, data, space, plan)  # another search's folder is refused before anything in it changes
    write_text(folder / "space.yaml", yaml.safe_dump(space.to_data(), sort_keys=False, allow_unicode=True))
    file.write("running")
    result = search_in(folder, data, space, plan, progress)
    with atomic_path(folder / "best.keras") as partial:
        shutil.copyfile(_model_file(folder, result.best), partial)
    result.history.write_csv(folder / "best-history.csv")
    file.write("interrupted" if result.ending == "interrupted" else "complete", result.seconds)
    return result


def search_in(
    folder: Path,
    data: ImageData,
    space: Space,
    plan: Plan,
    progress: Progress | None = None,
    label: str = "tune",
) -> TuningResult:
    """Searches in a folder that nobody else writes to; goes on with what is in it.

    Leaves ``tuning.json`` there, with all there is to know, beside the study and the trials. See `tune`.

    Raises:
        KeyboardInterrupt: after Ctrl-C, where the baseline is not finished yet.
    """
    from trimtab.tuning._search import TuningSearch
    from trimtab.tuning._training_job import data_arguments, share_images
    from trimtab.workers import open_workers

    study = _open(folder, data, space, plan)
    study.enqueue(space.defaults())
    record = TuningRecord(folder / "tuning.json", space, tuple(plan.objectives), len(data.validation))
    with open_workers(folder / "work", plan.jobs, plan.cluster) as workers:
        arguments = {"data": data_arguments(data), "seed": plan.seed}
        search = TuningSearch(study, workers, arguments, share_images(workers, data), folder, record, plan)
        ending = drive(
            search,
            workers,
            seconds=None if plan.minutes is None else 60 * plan.minutes,
            spent=study.seconds,
            progress=progress,
            label=label,
            total=plan.trials,
            done=search.done,
        )
    if not search.ready():
        raise KeyboardInterrupt
    if ending.why == "done":
        shutil.rmtree(folder / "work", ignore_errors=True)
    return _result(record, search.results, ending, study.importances(), folder)


def _result(
    record: TuningRecord,
    trials: tuple[TrialResult, ...],
    ending: Ending,
    importances: Mapping[str, float],
    folder: Path,
) -> TuningResult:
    """Puts together what was found, and writes it down."""
    from trimtab.models import load_model
    from trimtab.training import History

    told = record.write(trials, ending.why, ending.seconds, importances)
    path = _model_file(folder, told["best"])
    if not path.is_file():
        raise RunError(f"{path}, the best model, is gone. Begin anew in another folder.")
    return TuningResult(
        load_model(path),
        History.read_csv(path.with_name("history.csv")),
        told["best"],
        trials,
        tuple(told["front"]),
        record.objectives,
        importances,
        ending.why,
        ending.seconds,
        tuple(told["notes"]),
        folder,
    )


def _open(folder: Path, data: ImageData, space: Space, plan: Plan) -> Study:
    """Opens the study of a search: one of other images, say, is refused."""
    varied = space.dimensions.get("epochs")
    epochs = max(varied.extremes()) if varied else space.fixed.get("epochs", 10)
    rule = MedianRule(startup=4, warmup=max(1, round(_WARMING_UP * epochs)))
    directions: list[Direction] = ["minimize"] * len(plan.objectives)
    directions[0] = "maximize"
    return open_study(
        folder / "study",
        space,
        directions=directions,
        sampler="tpe",
        seed=plan.seed,
        hopeless=rule if plan.cuts else None,
        belongs_to={"objectives": plan.objectives, "data": data.digest, "trimtab": __version__},
    )


def checked_space(space: Space | Mapping[str, Any] | str, data: ImageData) -> Space:
    """Returns the space that was asked for, having seen that its settings can be trained on these images."""
    if isinstance(space, Space):
        made = space
    elif isinstance(space, str):
        made = family_space(space, data.image_shape)
    else:
        made = Space.from_data(space)
    check_names(made)
    import_backend()  # first of all that needs it: it keeps the greetings of native code away
    from trimtab.training._train import check_data

    check_data(data)
    check_space(made, data)
    return made


def _model_file(folder: Path, number: int) -> Path:
    return folder / "trials" / f"{number:04d}" / "model.keras"


def _command(data: ImageData, plan: Plan) -> str:
    """Returns a command that does the same search again, from the space that lies in the folder."""
    from trimtab.data import NAMED_SETS

    words = ["trimtab", "tune", "--data", data.name if data.name in NAMED_SETS else "DATA"]
    words += ["--space", "space.yaml", "--trials", str(plan.trials), "--seed", str(plan.seed)]
    words += [word for name in plan.objectives[1:] for word in ("--small", name)]
    return shlex.join(words)

"""What each kind of step does: one function a kind, chosen by the type of its configuration."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab._atomic import atomic_path, write_json, write_text
from trimtab._records import to_plain
from trimtab.errors import ConfigError
from trimtab.pipeline._recipe import (
    ExportStep,
    LoadStep,
    ModelConfig,
    PruneStep,
    SelectStep,
    SensitivityStep,
    TrainStep,
)
from trimtab.progress import Progress

if TYPE_CHECKING:
    from trimtab.data import ImageData
    from trimtab.training import History

__all__ = ["Bench", "Outcome", "build", "perform"]

_SCAN = "sensitivity.json"


@dataclass(frozen=True)
class Bench:
    """What a step has at hand while it works."""

    folder: Path
    """The step's own folder; everything it writes goes there."""
    data: ImageData
    seed: int
    parents: Mapping[str, Mapping[str, Any]]
    """Results of the steps it starts from, by name."""
    parent_folders: Mapping[str, Path]
    progress: Progress
    label: str
    """What to call the step in progress displays."""
    checkpoint: Path
    """Where training keeps its state after each epoch."""

    def parent_model(self, name: str) -> Any:
        """Loads the model that an earlier step made.

        It always comes from its file, so that a resumed run sees what an unbroken one sees.
        """
        from trimtab.models import load_model

        return load_model(self.parent_folders[name] / self.parents[name]["files"]["model"])


@dataclass(frozen=True)
class Outcome:
    """What a step did: its record, and the files it wrote into its folder by their roles."""

    record: dict[str, Any]
    files: dict[str, str]
    model: dict[str, Any] | None = None


@singledispatch
def perform(step: Any, bench: Bench) -> Outcome:  # noqa: ARG001
    """Does one step of a recipe.

    Args:
        step: the step's configuration; its type decides what is done.
        bench: what the step has at hand.
    """
    raise ConfigError(f"there is no way to do a step of type {type(step).__name__}.")


@perform.register(TrainStep)
def _train(step: TrainStep, bench: Bench) -> Outcome:
    from trimtab import pruning, training

    model = bench.parent_model(step.from_) if step.from_ else build(step, bench.data, bench.seed)
    wrap = pruning.keep_zeros(model) if step.keep_zeros else None
    result = training.train(
        model, bench.data, wrap_optimizer=wrap, **step.train_arguments(), **_surroundings(bench)
    )
    return _with_model(bench, result.model, {"notes": list(result.notes)}, result.history)


@perform.register(LoadStep)
def _load(step: LoadStep, bench: Bench) -> Outcome:
    from trimtab.models import check_fits, load_model

    model = load_model(step.path)
    check_fits(model, bench.data)
    return _with_model(bench, model, {"origin": Path(step.path).name})


@perform.register(PruneStep)
def _prune(step: PruneStep, bench: Bench) -> Outcome:
    from trimtab import pruning

    model = bench.parent_model(step.from_)
    arguments = step.prune_arguments(model)
    if step.targets is not None:
        arguments["sparsity"] = _targets(step.targets, step.total, bench)
    if step.rewind_to is not None:
        arguments["rewind_to"] = bench.parent_model(step.rewind_to)
    result = pruning.prune(model, bench.data, **arguments, **_surroundings(bench))
    record = to_plain(result)
    history = record.pop("history", None)
    return _with_model(bench, result.model, record, result.history if history is not None else None)


@perform.register(SensitivityStep)
def _sensitivity(step: SensitivityStep, bench: Bench) -> Outcome:
    from trimtab import pruning

    model = bench.parent_model(step.from_)
    found = pruning.sensitivity(
        model,
        bench.data,
        **step.sensitivity_arguments(model),
        seed=bench.seed,
        progress=bench.progress,
        label=bench.label,
    )
    record = to_plain(found)
    write_json(bench.folder / _SCAN, record)
    told = {name: record[name] for name in ("accuracy", "loss", "images", "skipped", "notes")}
    return Outcome(told, {"scan": _SCAN})


def _targets(scan: str, total: float, bench: Bench) -> dict[str, float]:
    """Returns how far each layer goes, by an earlier scan."""
    from trimtab.pipeline._folder import read_record
    from trimtab.pruning import Sensitivity

    record = read_record(bench.parent_folders[scan] / bench.parents[scan]["files"]["scan"])
    return Sensitivity.from_record(record).targets(total)


@perform.register(SelectStep)
def _select(step: SelectStep, bench: Bench) -> Outcome:
    candidates = {}
    for name in step.among:
        accuracy = bench.parents[name]["record"]["val_accuracy"]
        candidates[name] = {
            "val_accuracy": accuracy,
            "parameters": bench.parents[name]["model"]["parameters"],
        }
    fitting = {
        name: facts
        for name, facts in candidates.items()
        if step.max_parameters is None or facts["parameters"] <= step.max_parameters
    }
    # Of equally good models the smaller one is the better one.
    chosen = max(fitting, key=lambda name: (fitting[name]["val_accuracy"], -fitting[name]["parameters"]))
    files = {}
    for role in ("model", "history", "summary"):
        if (name := bench.parents[chosen]["files"].get(role)) is not None:
            with atomic_path(bench.folder / name) as partial:
                shutil.copyfile(bench.parent_folders[chosen] / name, partial)
            files[role] = name
    record = {"selected": chosen, "by": "validation accuracy", "candidates": candidates}
    record["val_accuracy"] = candidates[chosen]["val_accuracy"]
    return Outcome(record, files, dict(bench.parents[chosen]["model"]))


@perform.register(ExportStep)
def _export(step: ExportStep, bench: Bench) -> Outcome:
    from trimtab.exporting import export

    name = f"{step.name}.tflite"
    artifact = export(
        bench.parent_model(step.from_),
        bench.folder / name,
        scheme=step.scheme,
        data=bench.data,
        calibration=step.calibration,
        softmax=step.softmax,
        compress=step.compress,
        seed=bench.seed,
        progress=bench.progress,
    )
    record = to_plain(artifact)
    record["path"] = name  # the record moves with its folder
    files = {"artifact": name, "artifact_record": f"{name}.json"}
    if step.compress:
        files["compressed"] = f"{name}.gz"
    return Outcome(record, files)


def build(step: TrainStep, data: ImageData, seed: int) -> Any:
    """Builds the architecture that a step names; its options are checked by the zoo."""
    from trimtab import zoo

    config = step.model or ModelConfig()
    options = {
        name: tuple(value) if isinstance(value, list) else value for name, value in config.options.items()
    }
    try:
        return zoo.build(config.architecture, data.image_shape, data.classes, **{"seed": seed, **options})
    except ConfigError as error:
        raise ConfigError(f"step {step.name!r}: {error}") from None


def _surroundings(bench: Bench) -> dict[str, Any]:
    """Returns the arguments that any training verb takes from the run rather than from the step."""
    return {
        "seed": bench.seed,
        "checkpoint": bench.checkpoint,
        "keep_checkpoint": True,  # until the step's result is written
        "progress": bench.progress,
        "label": bench.label,
    }


def _with_model(bench: Bench, model: Any, record: dict[str, Any], history: History | None = None) -> Outcome:
    """Writes a model, its summary and its history into the step's folder."""
    from trimtab.models import architecture_summary, macs, model_digest, non_zeros, parameters, save_model

    save_model(model, bench.folder / "model.keras")
    write_text(bench.folder / "summary.txt", architecture_summary(model) + "\n")
    files = {"model": "model.keras", "summary": "summary.txt"}
    if history is not None:
        history.write_csv(bench.folder / "history.csv")
        files["history"] = "history.csv"
        best = history.epochs[history.best_epoch - 1]
        record = {
            **record,
            "epochs": len(history.epochs),
            "best_epoch": history.best_epoch,
            "val_accuracy": best.val_accuracy,
            "val_loss": best.val_loss,
            "training_seconds": history.seconds,
        }
    facts = {
        "parameters": parameters(model),
        "non_zeros": non_zeros(model),
        "macs": macs(model),
        "keras_bytes": (bench.folder / "model.keras").stat().st_size,
        "digest": model_digest(model),
    }
    return Outcome(record, files, to_plain(facts))

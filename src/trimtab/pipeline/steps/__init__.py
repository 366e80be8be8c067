"""The kinds of steps: for each one its settings, what can be checked beforehand, and what it does."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trimtab.pipeline.steps._bench import Bench, Outcome, Preview, check, perform
from trimtab.pipeline.steps._cluster import ClusterStep
from trimtab.pipeline.steps._distill import DistillStep
from trimtab.pipeline.steps._doctor import DoctorStep
from trimtab.pipeline.steps._export import ExportStep
from trimtab.pipeline.steps._load import LoadStep
from trimtab.pipeline.steps._prune import PruneStep
from trimtab.pipeline.steps._prune_channels import PruneChannelsStep
from trimtab.pipeline.steps._quantize_aware import QuantizeAwareStep
from trimtab.pipeline.steps._select import SelectStep
from trimtab.pipeline.steps._sensitivity import SensitivityStep
from trimtab.pipeline.steps._step import StepSettings
from trimtab.pipeline.steps._train import TrainStep
from trimtab.pipeline.steps._tune import TuneStep

__all__ = [
    "STEPS",
    "Bench",
    "ClusterStep",
    "DistillStep",
    "DoctorStep",
    "ExportStep",
    "LoadStep",
    "Outcome",
    "Preview",
    "PruneChannelsStep",
    "PruneStep",
    "QuantizeAwareStep",
    "SelectStep",
    "SensitivityStep",
    "Step",
    "StepSettings",
    "TrainStep",
    "TuneStep",
    "check",
    "perform",
]

STEPS: dict[str, type[StepSettings]] = {
    "train": TrainStep,
    "tune": TuneStep,
    "distill": DistillStep,
    "load": LoadStep,
    "prune": PruneStep,
    "prune_channels": PruneChannelsStep,
    "cluster": ClusterStep,
    "quantize_aware": QuantizeAwareStep,
    "sensitivity": SensitivityStep,
    "doctor": DoctorStep,
    "select": SelectStep,
    "export": ExportStep,
}
"""The word after ``do:``, and what it stands for."""

Step = Annotated[
    TrainStep
    | TuneStep
    | DistillStep
    | LoadStep
    | PruneStep
    | PruneChannelsStep
    | ClusterStep
    | QuantizeAwareStep
    | SensitivityStep
    | DoctorStep
    | SelectStep
    | ExportStep,
    Field(discriminator="do"),
]

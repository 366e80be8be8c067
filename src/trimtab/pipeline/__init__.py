"""Recipes and the runs that carry them out."""

from __future__ import annotations

from trimtab.pipeline._channel_options import ChannelOptions
from trimtab.pipeline._clustering_options import ClusteringOptions
from trimtab.pipeline._distillation_options import DistillationOptions
from trimtab.pipeline._execution import RunResult
from trimtab.pipeline._folder import RunFolder
from trimtab.pipeline._layer_options import SparsityOptions, chosen_layers
from trimtab.pipeline._options import PruningOptions, TrainableOptions, TrainingOptions
from trimtab.pipeline._quantization_options import PostTrainingOptions, QuantizeAwareOptions
from trimtab.pipeline._reading import builtin_recipes, parse_recipe, read_recipe
from trimtab.pipeline._recipe import Recipe
from trimtab.pipeline._run import default_folder, run
from trimtab.pipeline._scan_options import SensitivityOptions, check_total
from trimtab.pipeline._space_file import read_space
from trimtab.pipeline._teacher_options import ITSELF

__all__ = [
    "ITSELF",
    "ChannelOptions",
    "ClusteringOptions",
    "DistillationOptions",
    "PostTrainingOptions",
    "PruningOptions",
    "QuantizeAwareOptions",
    "Recipe",
    "RunFolder",
    "RunResult",
    "SensitivityOptions",
    "SparsityOptions",
    "TrainableOptions",
    "TrainingOptions",
    "builtin_recipes",
    "check_total",
    "chosen_layers",
    "default_folder",
    "parse_recipe",
    "read_recipe",
    "read_space",
    "run",
]

"""Trimtab makes Keras 3 image classifiers small and fast, and proves it.

The verbs and nouns are here; they are imported when they are first used, so that ``import trimtab``
costs nothing and no Keras backend is loaded until one is needed::

    import trimtab

    data = trimtab.load_data("digits")
    model = trimtab.zoo.cnn(data.image_shape, data.classes)
    trimtab.train(model, data, epochs=10)
    pruned = trimtab.prune(model, data, sparsity=0.8).model
    artifact = trimtab.export(pruned, "digits.tflite", scheme="int8", data=data)
    print(trimtab.benchmark({"float": model, "int8": artifact}, data))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from trimtab._version import __version__

if TYPE_CHECKING:
    from trimtab import (
        benchmarking,
        channel_pruning,
        channels,
        clustering,
        compression,
        data,
        distillation,
        doctor,
        errors,
        exporting,
        litert,
        models,
        pipeline,
        progress,
        pruning,
        quantization,
        reporting,
        training,
        tuning,
        workers,
        zoo,
    )
    from trimtab.benchmarking import (
        BehaviourResult,
        BenchmarkResult,
        Measurement,
        benchmark,
        compare_behaviour,
    )
    from trimtab.channel_pruning import ChannelPruningResult, prune_channels
    from trimtab.clustering import ClusteringResult, cluster
    from trimtab.compression import Budget, CompressionResult, compress
    from trimtab.data import Augmentation, ImageData, load_data
    from trimtab.distillation import DistillationResult, distill
    from trimtab.doctor import Diagnosis, diagnose
    from trimtab.exporting import Artifact, export
    from trimtab.models import load_model, save_model
    from trimtab.pipeline import run
    from trimtab.pruning import PruningResult, prune
    from trimtab.quantization import QuantizeAwareResult, quantize_aware
    from trimtab.reporting import report
    from trimtab.training import History, TrainingResult, train
    from trimtab.tuning import TuningResult, tune

__all__ = [
    "Artifact",
    "Augmentation",
    "BehaviourResult",
    "BenchmarkResult",
    "Budget",
    "ChannelPruningResult",
    "ClusteringResult",
    "CompressionResult",
    "Diagnosis",
    "DistillationResult",
    "History",
    "ImageData",
    "Measurement",
    "PruningResult",
    "QuantizeAwareResult",
    "TrainingResult",
    "TuningResult",
    "__version__",
    "benchmark",
    "benchmarking",
    "channel_pruning",
    "channels",
    "cluster",
    "clustering",
    "compare_behaviour",
    "compress",
    "compression",
    "data",
    "diagnose",
    "distill",
    "distillation",
    "doctor",
    "errors",
    "export",
    "exporting",
    "litert",
    "load_data",
    "load_model",
    "models",
    "pipeline",
    "progress",
    "prune",
    "prune_channels",
    "pruning",
    "quantization",
    "quantize_aware",
    "report",
    "reporting",
    "run",
    "save_model",
    "train",
    "training",
    "tune",
    "tuning",
    "workers",
    "zoo",
]

_ROOMS = {
    "Artifact": "exporting",
    "Augmentation": "data",
    "BehaviourResult": "benchmarking",
    "BenchmarkResult": "benchmarking",
    "Budget": "compression",
    "ChannelPruningResult": "channel_pruning",
    "ClusteringResult": "clustering",
    "CompressionResult": "compression",
    "Diagnosis": "doctor",
    "DistillationResult": "distillation",
    "History": "training",
    "ImageData": "data",
    "Measurement": "benchmarking",
    "PruningResult": "pruning",
    "QuantizeAwareResult": "quantization",
    "TrainingResult": "training",
    "TuningResult": "tuning",
    "benchmark": "benchmarking",
    "cluster": "clustering",
    "compare_behaviour": "benchmarking",
    "compress": "compression",
    "diagnose": "doctor",
    "distill": "distillation",
    "export": "exporting",
    "load_data": "data",
    "load_model": "models",
    "prune": "pruning",
    "prune_channels": "channel_pruning",
    "quantize_aware": "quantization",
    "report": "reporting",
    "run": "pipeline",
    "save_model": "models",
    "train": "training",
    "tune": "tuning",
}


def __getattr__(name: str) -> Any:
    """Imports a verb, noun or room when it is first asked for."""
    if name in _ROOMS:
        return getattr(importlib.import_module(f"trimtab.{_ROOMS[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"trimtab.{name}")
    raise AttributeError(f"module 'trimtab' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Lists what is public, imported or not."""
    return list(__all__)

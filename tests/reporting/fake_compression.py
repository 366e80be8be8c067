"""Writes a run with a teacher, channels removed and students taught, with invented but consistent numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

# name: (kind, accuracy, Keras bytes, bytes, parameters, MACs, ms for one image, ms an image in a batch)
MEASURED: dict[str, tuple[Any, ...]] = {
    "teacher": ("keras", 0.9163, 1_180_000, 1_180_000, 273_754, 40_813_184, 6.9, 1.11),
    "teacher-float32": ("litert", 0.9163, 1_180_000, 1_109_000, 273_754, 40_813_184, 2.31, 2.2),
    "teacher-int8": ("litert", 0.9151, 1_180_000, 318_000, 273_754, 40_813_184, 0.702, 0.69),
    "channel-pruned": ("keras", 0.9102, 770_000, 770_000, 174_978, 19_894_832, 6.1, 0.65),
    "channel-pruned-float32": ("litert", 0.9102, 770_000, 712_000, 174_978, 19_894_832, 1.27, 1.21),
    "channel-pruned-int8": ("litert", 0.9094, 770_000, 214_000, 174_978, 19_894_832, 0.421, 0.41),
    "student-alone": ("keras", 0.8671, 260_000, 260_000, 41_418, 7_050_496, 3.1, 0.31),
    "student": ("keras", 0.8855, 260_000, 260_000, 41_418, 7_050_496, 3.12, 0.31),
    "student-float32": ("litert", 0.8855, 260_000, 172_000, 41_418, 7_050_496, 0.52, 0.5),
    "student-int8": ("litert", 0.8849, 260_000, 58_200, 41_418, 7_050_496, 0.231, 0.22),
}
_STUDENT = {"architecture": "ds_cnn", "filters": [32, 64, 128]}
STEPS: tuple[dict[str, Any], ...] = (
    {
        "name": "teacher-head",
        "do": "train",
        "model": {"architecture": "resnet50", "weights": "imagenet"},
        "trainable": "head",
        "epochs": 3,
    },
    {"name": "teacher", "do": "train", "from": "teacher-head", "trainable": ["conv5_*"], "epochs": 6},
    {
        "name": "channel-pruned",
        "do": "prune_channels",
        "from": "teacher",
        "macs": "50%",
        "importance": "l2",
        "teacher": "itself",
        "epochs": 5,
    },
    {"name": "student-alone", "do": "train", "model": _STUDENT, "epochs": 8},
    {
        "name": "student",
        "do": "distill",
        "model": _STUDENT,
        "teacher": "teacher",
        "temperature": 4.0,
        "alpha": 0.1,
        "features": [["block_3", "conv5_out"]],
        "epochs": 8,
    },
    *(
        {"name": f"{name}-{scheme}", "do": "export", "from": name, "scheme": scheme}
        for name in ("teacher", "channel-pruned", "student")
        for scheme in ("float32", "int8")
    ),
)
# name, channels before and after, layers, and what halving saves of parameters and MACs
_GROUPS: tuple[tuple[Any, ...], ...] = (
    ("stem", 16, 8, ("stem", "stem_bn", "stage_1_conv_2", "stage_1_conv_2_bn"), 9_144, 6_235_840),
    ("stage_1_conv_1", 16, 8, ("stage_1_conv_1", "stage_1_conv_1_bn"), 2_336, 2_359_296),
    ("stage_2_conv_2", 32, 24, ("stage_2_conv_2", "stage_2_bn", "stage_2_shortcut"), 15_184, 1_900_544),
    ("base/heads", 4, 3, ("base/heads",), 27_776, 1_769_472),
    ("stage_3_conv_2", 64, 64, ("stage_3_conv_2",), 19_936, 1_245_504),
)
NEEDED = "all of its 64 units are needed by least, round_to or max_ratio"


def explanation() -> dict[str, Any]:
    """The record of `trimtab.channel_pruning.explain`."""
    groups = [
        {
            "name": name,
            "units": before,
            "channels": 512 if name == "base/heads" else before,
            "layers": list(layers),
            "takers": ["next"],
            "locked": None,
            "exact": name != "stage_3_conv_2",
            "step": None,
            "half": {
                "units": before // 2,
                "parameters": parameters,
                "macs": macs,
                "size": None,
                "latency": None,
            },
        }
        for name, before, _, layers, parameters, macs in _GROUPS
    ]
    locked = {
        "name": "logits",
        "units": 10,
        "channels": 10,
        "layers": ["logits"],
        "takers": [],
        "locked": "leads to the model's output",
        "exact": True,
        "step": None,
        "half": None,
    }
    return {
        "model": "resnet_20",
        "parameters": 273_754,
        "macs": 40_813_184,
        "size": None,
        "latency": None,
        "round_to": 8,
        "notes": [],
        "groups": [*groups, locked],
    }


def pruning_record() -> dict[str, Any]:
    """The record of `trimtab.prune_channels`."""
    return {
        "groups": [[name, before, after] for name, before, after, *_ in _GROUPS],
        "parameters": [273_754, 174_978],
        "macs": [40_813_184, 19_894_832],
        "ratio": 0.25,
        "skipped": [["logits", "leads to the model's output"], ["stage_3_conv_2", NEEDED]],
        "notes": ["a teacher was learnt from beside the labels"],
        "rounds": [{"number": 1, "ratio": 0.25, "parameters": 174_978, "macs": 19_894_832}],
        "asked": "macs=50%",
        "reached": 19_894_832.0,
        "missed": [],
        "importance": "l2",
        "ranking": "global",
        "tied": {name: list(layers) for name, _, _, layers, *_ in _GROUPS},
        "teacher": "teacher",
    }


def write_compressed_run(folder: Path, fake_run: ModuleType) -> Path:
    """Writes the run; `fake_run` is the module beside this one."""
    fake_run.write_run(folder, done=0, title="CIFAR-10, a large teacher made small")
    run = json.loads((folder / "run.json").read_text())
    run["recipe"] |= {
        "name": "cifar10-resnet50",
        "description": "A teacher is pruned by whole channels, and a student learns from it.",
        "steps": list(STEPS),
        "benchmark": {"baseline": "teacher-float32"},
        "report": {"project": "cifar10-resnet50", "featured": "student-int8", "curves": None},
    }
    run |= {"status": "complete", "finished": "2026-11-20T09:33:40+00:00", "seconds": 1118.4}
    fake_run.write_json(folder / "run.json", run)
    for number, step in enumerate(STEPS):
        _step(folder / "steps" / step["name"], step, number, fake_run)
    _benchmark(folder / "benchmark", fake_run)
    return folder


def _step(folder: Path, step: dict[str, Any], number: int, fake_run: ModuleType) -> None:
    name, do = step["name"], step["do"]
    folder.mkdir(parents=True, exist_ok=True)
    measured = MEASURED.get(name, MEASURED["teacher"])
    result: dict[str, Any] = {
        "name": name,
        "do": do,
        "from": step.get("from"),
        "seconds": 30.0 + 7 * number,
        "config": dict(step),
        "record": {"notes": []},
        "files": {},
    }
    if do == "export":
        result["record"] = {"scheme": step["scheme"], "bytes": measured[3], "parity": {"passed": True}}
        fake_run.write_json(folder / "result.json", result)
        return
    epochs = int(step["epochs"])
    fake_run._history(folder / "history.csv", epochs, number, float(measured[1]))
    result["files"] = {"history": "history.csv"}
    result["model"] = {
        "parameters": measured[4],
        "non_zeros": measured[4],
        "macs": measured[5],
        "keras_bytes": measured[2],
    }
    result["record"] |= {
        "epochs": epochs,
        "best_epoch": epochs,
        "val_accuracy": measured[1] + 0.004,
        "training_seconds": 20.0 * epochs,
    }
    if "model" in step:
        pretrained = step["model"].get("weights") == "imagenet"
        told = "pretrained on ImageNet (keras.applications)" if pretrained else "random, from the seed"
        result["record"] |= {"weights_told": told}
    if do == "prune_channels":
        result["record"] = {**pruning_record(), **result["record"]}
        result["files"]["groups"] = "channels.json"
        fake_run.write_json(folder / "channels.json", explanation())
    if do == "distill":
        result["record"] |= {
            "teachers": [
                {
                    "name": "resnet_20",
                    "accuracy": 0.92,
                    "low": 0.911,
                    "high": 0.928,
                    "images": 5000,
                    "step": "teacher",
                }
            ],
            "temperature": 4.0,
            "alpha": 0.1,
            "features": [["block_3", "conv5_out"]],
            "attention": [],
            "cache": "views",
            "views": 4,
            "cache_bytes": 7_200_000,
            "teacher_seconds": 12.3,
        }
    fake_run.write_json(folder / "result.json", result)


def _benchmark(folder: Path, fake_run: ModuleType) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(5)
    labels = np.repeat(np.arange(len(fake_run.CLASSES)), 1000)
    luck = generator.random(len(labels))
    arrays: dict[str, np.ndarray] = {"labels": labels}
    rows = []
    base = MEASURED["teacher-float32"]
    for name, (kind, accuracy, _, raw, parameters, macs, latency, share) in MEASURED.items():
        wrong = luck + generator.normal(0, 0.01, len(labels)) > accuracy
        arrays[f"{name}.classes"] = np.where(wrong, (labels + 1) % len(fake_run.CLASSES), labels)
        arrays[f"{name}.confidence"] = generator.uniform(0.5, 1, len(labels)).astype(np.float32)
        right = float(1 - wrong.mean())
        half = 1.96 * math.sqrt(right * (1 - right) / len(labels))
        numbers = {
            "accuracy": (right, right - half, right + half),
            "bytes": (raw,),
            "gzip_bytes": (0.92 * raw,),
            "parameters": (parameters,),
            "non_zeros": (parameters,),
            "macs": (macs,),
            "latency_ms": (latency, 0.985 * latency, 1.02 * latency),
            "batch_latency_ms": (share, 0.98 * share, 1.03 * share),
            "size_reduction": (base[3] / raw,),
            "speed_up": (base[6] / latency,),
        }
        measurements = {
            key: fake_run._measurement(key, value[0], "", *value[1:]) for key, value in numbers.items()
        }
        rows.append({"name": name, "kind": kind, "measurements": measurements, "notes": []})
    np.savez_compressed(folder / "predictions.npz", **arrays)
    settings = {"threads": 1, "rounds": 30, "split": "test", "batch": 32}
    fake_run.write_json(
        folder / "result.json",
        {"seconds": 41.0, "baseline": "teacher-float32", "settings": settings, "machine": {}, "rows": rows},
    )

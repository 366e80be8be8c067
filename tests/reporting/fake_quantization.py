"""Writes a run with a scan of quantization, training for integers and clustering: invented numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

# name: (kind, accuracy, Keras bytes, bytes, gzip, parameters, non-zeros, ms)
MEASURED: dict[str, tuple[Any, ...]] = {
    "trained": ("keras", 0.9104, 1_290_000, 1_290_000, 1_195_000, 105_866, 105_866, 1.92),
    "trained-on": ("keras", 0.9121, 1_290_000, 1_290_000, 1_195_000, 105_866, 105_866, 1.92),
    "pruned": ("keras", 0.8981, 1_290_000, 1_290_000, 430_000, 105_866, 31_900, 1.92),
    "aware": ("keras", 0.9118, 1_301_000, 1_301_000, 1_190_000, 105_810, 105_810, 2.6),
    "clustered": ("keras", 0.9001, 1_290_000, 1_290_000, 96_000, 105_866, 105_866, 1.92),
    "both": ("keras", 0.8972, 1_290_000, 1_290_000, 51_000, 105_866, 31_900, 1.92),
    "trained-float32": ("litert", 0.9104, 1_290_000, 424_000, 393_000, 105_866, 105_866, 0.121),
    "trained-int8": ("litert", 0.9102, 1_290_000, 108_900, 99_961, 105_866, 105_866, 0.0441),
    "trained-int4": ("litert", 0.8711, 1_290_000, 57_000, 52_100, 105_866, 105_866, 0.0502),
    "mixed-int4": ("litert", 0.9066, 1_290_000, 66_400, 60_300, 105_866, 105_866, 0.0611),
    "aware-int4": ("litert", 0.9117, 1_301_000, 57_000, 50_900, 105_810, 105_810, 0.0502),
    "pruned-int8": ("litert", 0.8979, 1_290_000, 108_900, 51_458, 105_866, 31_900, 0.0441),
    "clustered-int8": ("litert", 0.9003, 1_290_000, 108_900, 63_975, 105_866, 105_866, 0.0441),
    "both-int8": ("litert", 0.8968, 1_290_000, 108_900, 38_604, 105_866, 31_900, 0.0441),
}
_EPOCHS = 3
STEPS: tuple[dict[str, Any], ...] = (
    {"name": "trained", "do": "train", "model": {"architecture": "cnn", "batch_norm": True}, "epochs": 6},
    {"name": "trained-on", "do": "train", "from": "trained", "epochs": _EPOCHS},
    {"name": "scan", "do": "sensitivity", "from": "trained", "scheme": "int4", "max_drop": 0.005},
    {"name": "pruned", "do": "prune", "from": "trained", "sparsity": 0.7, "epochs": _EPOCHS},
    {
        "name": "aware",
        "do": "quantize_aware",
        "from": "trained",
        "weights_bits": 4,
        "ranges": "moving-average",
        "freeze_ranges": 0.8,
        "teacher": "itself",
        "epochs": _EPOCHS,
    },
    {
        "name": "clustered",
        "do": "cluster",
        "from": "trained",
        "clusters": 16,
        "per": "layer",
        "epochs": _EPOCHS,
    },
    {"name": "both", "do": "cluster", "from": "pruned", "clusters": 16, "per": "layer", "epochs": _EPOCHS},
    {"name": "trained-float32", "do": "export", "from": "trained", "scheme": "float32"},
    {"name": "trained-int8", "do": "export", "from": "trained", "scheme": "int8"},
    {"name": "trained-int4", "do": "export", "from": "trained", "scheme": "int4", "correct_bias": True},
    {"name": "mixed-int4", "do": "export", "from": "trained", "scheme": "int4", "keep_float_from": "scan"},
    {"name": "aware-int4", "do": "export", "from": "aware", "scheme": "int4"},
    {"name": "pruned-int8", "do": "export", "from": "pruned", "scheme": "int8"},
    {"name": "clustered-int8", "do": "export", "from": "clustered", "scheme": "int8"},
    {"name": "both-int8", "do": "export", "from": "both", "scheme": "int8"},
)
LAYERS = ("input", "conv_1", "conv_2", "stage_1_block_1_depthwise", "add", "dense", "logits")
_ALONE = (46.2, 14.1, 21.7, 24.9, 40.3, 27.4, 18.8)  # dB
_SIZES = (0, 288, 9_248, 18_496, 0, 73_792, 1_290)


def point(sqnr: float, lost: float, whole: float = 0.9161) -> dict[str, float]:
    """A model with some layers quantized."""
    accuracy = whole - lost
    return {
        "sqnr_db": sqnr,
        "agreement": 1 - 1.5 * lost,
        "accuracy": accuracy,
        "low": accuracy - 0.012,
        "high": accuracy + 0.012,
        "change": -lost,
        "change_low": -lost - 0.004,
        "change_high": -lost + 0.004,
        "loss": 0.24 + 2 * lost,
    }


def scan_record(
    layers: tuple[str, ...] = LAYERS, alone: tuple[float, ...] = _ALONE, scheme: str = "int4"
) -> dict[str, Any]:
    """The record of a scan of quantization, as `QuantizationSensitivity.to_data` gives it: noise adds up."""
    noise = [10 ** (-alone[number % len(alone)] / 10) for number in range(len(layers))]
    whole = sum(noise)
    rows = []
    for number, name in enumerate(layers):
        left = whole - noise[number]
        rows.append(
            {
                "name": name,
                "parameters": _SIZES[number % len(_SIZES)],
                "alone": point(-10 * math.log10(noise[number]), round(0.6 * noise[number], 4)),
                "without": point(-10 * math.log10(left) if left > 1e-20 else 200.0, round(0.6 * left, 4)),
            }
        )
    return {
        "scheme": scheme,
        "accuracy": 0.9161,
        "low": 0.9031,
        "high": 0.9275,
        "loss": 0.24,
        "quantized": point(-10 * math.log10(whole), round(0.6 * whole, 4)),
        "images": 2000,
        "calibration": 200,
        "layers": rows,
        "kept_float": [["scale_by_two", "no rule for layers of class ScaleByTwo"]],
        "notes": [],
    }


def mixed_record() -> dict[str, Any]:
    """The record of `trimtab.quantization.mixed`."""
    return {
        "keep_float": ["conv_1", "logits"],
        "accuracy": 0.9126,
        "drop": 0.0035,
        "drop_low": -0.0011,
        "drop_high": 0.0084,
        "float_accuracy": 0.9161,
        "parameters": 1_578,
        "total_parameters": 103_114,
        "max_drop": 0.005,
        "met": True,
        "scheme": "int4",
        "images": 2000,
        "tried": [
            {"keep_float": [], "accuracy": 0.8761, "drop": 0.04},
            {"keep_float": ["conv_1"], "accuracy": 0.9081, "drop": 0.008},
            {"keep_float": ["conv_1", "logits"], "accuracy": 0.9126, "drop": 0.0035},
            {"keep_float": ["logits"], "accuracy": 0.8901, "drop": 0.026},
        ],
    }


def aware_record() -> dict[str, Any]:
    """The record of `trimtab.quantize_aware`."""
    names = (("input_quantizer", "input", 0.0, 1.0), ("conv_1_relu_quantizer", "conv_1_relu", 0.0, 2.097))
    ranges = [
        {
            "name": name,
            "layers": [layer],
            "low": low,
            "high": high,
            "step": (high - low) / 255,
            "fixed": False,
        }
        for name, layer, low, high in (*names, ("logits_quantizer", "logits", -21.4, 18.9))
    ]
    softmax = {
        "name": "gate_quantizer",
        "layers": ["gate"],
        "low": 0.0,
        "high": 1.0,
        "step": 1 / 256,
        "fixed": True,
    }
    return {
        "weights_bits": 4,
        "ranges_method": "moving-average",
        "calibration_method": "minmax",
        "calibration_images": 200,
        "frozen_from": 3,
        "kept_float": {"scale_by_two": "no rule for layers of class ScaleByTwo"},
        "ranges": [*ranges, softmax],
        "teacher": "trained",
        "notes": ["batch normalization was folded into 3 kernels"],
    }


def clustering_record(zeros: float = 0.0) -> dict[str, Any]:
    """The record of `trimtab.cluster`."""
    layers = [
        {
            "name": name,
            "weight": "kernel",
            "shape": [size],
            "size": size,
            "clusters": 16,
            "zeros": round(zeros * size),
            "bits": 3.95 - 2.1 * zeros - 0.1 * number,
            "error": None if number == 2 else 0.0746,
        }
        for number, (name, size) in enumerate((("conv_1", 288), ("conv_2", 9_216), ("dense", 73_728)))
    ]
    kept = ["70.0% of the clustered weights were zero, and stay so"] if zeros else []
    return {
        "layers": layers,
        "skipped": [["norm", "it has no kernel"]],
        "notes": kept,
        "clusters": 16,
        "init": "kmeans++",
        "per": "layer",
        "gradients": "sum",
        "bits": 3.78 - 2.1 * zeros,
        "gzip_before": 393_000 if not zeros else 140_000,
        "gzip_after": 64_500 if not zeros else 41_000,
    }


def write_quantized_run(folder: Path, fake_run: ModuleType) -> Path:
    """Writes the run; `fake_run` is the module beside this one."""
    fake_run.write_run(folder, done=0, title="Fashion-MNIST in few bits")
    run = json.loads((folder / "run.json").read_text())
    run["recipe"] |= {
        "name": "few-bits",
        "description": "What integers, training for them and shared weights buy.",
        "steps": list(STEPS),
        "benchmark": {"baseline": "trained-float32"},
        "report": {"project": "few-bits", "featured": "aware-int4", "curves": None},
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
    result: dict[str, Any] = {
        "name": name,
        "do": do,
        "from": step.get("from"),
        "seconds": 30.0 + 7 * number,
        "config": dict(step),
        "record": {"notes": []},
        "files": {},
    }
    if do == "sensitivity":
        scan = scan_record()
        fake_run.write_json(folder / "sensitivity.json", scan)
        told = {key: value for key, value in scan.items() if key != "layers"}
        result |= {
            "record": {**told, "mixed": mixed_record()},
            "files": {"quantization_scan": "sensitivity.json"},
        }
    elif do == "export":
        result["record"] = _artifact(name, step)
    else:
        _trained(folder, step, number, result, fake_run)
    fake_run.write_json(folder / "result.json", result)


def _trained(
    folder: Path, step: dict[str, Any], number: int, result: dict[str, Any], fake_run: ModuleType
) -> None:
    measured, epochs = MEASURED[step["name"]], int(step["epochs"])
    fake_run._history(folder / "history.csv", epochs, number, float(measured[1]))
    result["files"] = {"history": "history.csv"}
    counts = {
        "parameters": measured[5],
        "non_zeros": measured[6],
        "macs": 4_200_000,
        "keras_bytes": measured[2],
    }
    result["model"] = counts
    records = {
        "aware": aware_record,
        "clustered": clustering_record,
        "both": lambda: clustering_record(0.7),
    }
    result["record"] |= {
        **records.get(step["name"], dict)(),
        "epochs": epochs,
        "best_epoch": epochs,
        "val_accuracy": measured[1] + 0.004,
        "val_loss": 0.26,
        "training_seconds": 9.0 * epochs,
    }


def _artifact(name: str, step: dict[str, Any]) -> dict[str, Any]:
    """The record of `trimtab.export`."""
    measured, scheme, aware = MEASURED[name], step["scheme"], step["from"] == "aware"
    integer = scheme != "float32"
    calibration: dict[str, Any] | None = None
    if integer and not aware:
        calibration = {"images": 200, "part": "train", "per_class": [20] * 10, "method": "minmax"}
    if calibration is not None and step.get("keep_float_from"):
        calibration |= {"method": "percentile", "percentile": 99.99, "keep_float": ["conv_1", "logits"]}
    notes = []
    if calibration is not None and step.get("correct_bias"):
        repair = {"taken": True, "error_before": 1.31, "error_after": 0.62}
        calibration["repairs"] = {"correct_bias": repair}
        notes = ["correct_bias: taken (mean error on the validation images 1.31 to 0.62)."]
    return {
        "scheme": scheme,
        "bytes": measured[3],
        "gzip_bytes": measured[4],
        "sha256": "9e8d" * 16,
        "calibration": calibration,
        "route": "fake-quantized" if aware else "converter",
        "undieted_bytes": round(1.08 * measured[3]),
        "notes": notes,
        "parity": {
            "passed": True,
            "images": 1000,
            "max_error": 0.31 if integer else 1.4e-6,
            "mean_error": 0.042 if integer else 1.1e-7,
            "max_error_steps": (1.0 if aware else 6.0) if integer else None,
            "top1_agreement": 0.9995 if aware else 0.9961,
            "error_limit": 0.12,
            "float_tensors": [],
        },
    }


def _benchmark(folder: Path, fake_run: ModuleType) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(5)
    labels = np.repeat(np.arange(len(fake_run.CLASSES)), 1000)
    luck = generator.random(len(labels))
    arrays: dict[str, np.ndarray] = {"labels": labels}
    rows = []
    base = MEASURED["trained-float32"]
    for name, (kind, accuracy, _, raw, packed, parameters, non_zeros, latency) in MEASURED.items():
        wrong = luck + generator.normal(0, 0.004, len(labels)) > accuracy
        arrays[f"{name}.classes"] = np.where(wrong, (labels + 1) % len(fake_run.CLASSES), labels)
        arrays[f"{name}.confidence"] = generator.uniform(0.5, 1, len(labels)).astype(np.float32)
        right = float(1 - wrong.mean())
        half = 1.96 * math.sqrt(right * (1 - right) / len(labels))
        numbers = {
            "accuracy": (right, right - half, right + half),
            "bytes": (raw,),
            "gzip_bytes": (packed,),
            "parameters": (parameters,),
            "non_zeros": (non_zeros,),
            "macs": (4_200_000,),
            "latency_ms": (latency, 0.985 * latency, 1.02 * latency),
            "size_reduction": (base[3] / raw,),
            "speed_up": (base[7] / latency,),
        }
        measurements = {
            key: fake_run._measurement(key, value[0], "", *value[1:]) for key, value in numbers.items()
        }
        rows.append({"name": name, "kind": kind, "measurements": measurements, "notes": []})
    np.savez_compressed(folder / "predictions.npz", **arrays)
    settings = {"threads": 1, "rounds": 30, "split": "test", "batch": 1}
    fake_run.write_json(
        folder / "result.json",
        {"seconds": 41.0, "baseline": "trained-float32", "settings": settings, "machine": {}, "rows": rows},
    )

"""Writes a run folder as `trimtab run` does, with invented but consistent numbers and images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_CLOTHES = {0: 6, 6: 0, 2: 4, 4: 2, 3: 6, 5: 7, 7: 9, 9: 7, 8: 6, 1: 3}
# name: (kind, accuracy, p, keras bytes, bytes, gzip, parameters, non-zeros, MACs, ms)
_MEASURED: dict[str, tuple[Any, ...]] = {
    "baseline": ("keras", 0.8871, None, 1_243_000, 1_243_000, 1_151_000, 101_770, 101_770, 1_190_000, 1.92),
    "wider": ("keras", 0.9052, 1e-6, 1_684_000, 1_684_000, 1_560_000, 137_000, 137_000, 4_420_000, 2.31),
    "deeper": ("keras", 0.9124, 1e-9, 1_106_000, 1_106_000, 1_020_000, 88_000, 88_000, 6_900_000, 2.75),
    "pruned": ("keras", 0.9131, 1e-9, 1_106_000, 1_106_000, 331_000, 88_000, 18_100, 6_900_000, 2.73),
    "baseline-float": (
        "litert",
        0.8871,
        0.61,
        1_243_000,
        411_000,
        380_000,
        101_770,
        101_770,
        1_190_000,
        0.118,
    ),
    "best-float": ("litert", 0.9124, 1e-9, 1_106_000, 357_000, 330_000, 88_000, 88_000, 6_900_000, 0.171),
    "pruned-int8": ("litert", 0.9128, 2e-9, 1_106_000, 97_400, 36_800, 88_000, 18_100, 6_900_000, 0.0432),
}
_STEPS = (
    {
        "name": "baseline",
        "do": "train",
        "model": {"architecture": "cnn", "filters": [32], "dense": 64},
        "epochs": 10,
    },
    {
        "name": "wider",
        "do": "train",
        "model": {"architecture": "cnn", "filters": [64, 64], "dense": 64},
        "epochs": 10,
    },
    {
        "name": "deeper",
        "do": "train",
        "model": {"architecture": "cnn", "filters": [32, 64], "depth": 2, "dropout": 0.3},
        "epochs": 10,
    },
    {"name": "best", "do": "select", "among": ["baseline", "wider", "deeper"]},
    {"name": "pruned", "do": "prune", "from": "best", "sparsity": 0.8, "epochs": 5},
    {"name": "baseline-float", "do": "export", "from": "baseline", "scheme": "float32"},
    {"name": "best-float", "do": "export", "from": "best", "scheme": "float32"},
    {"name": "pruned-int8", "do": "export", "from": "pruned", "scheme": "int8"},
)
_LEVELS = (0.25, 0.5, 0.75, 0.9, 0.95)


def write_run(
    folder: Path,
    *,
    classes: tuple[str, ...] = CLASSES,
    done: int | None = None,
    title: str = "Fashion-MNIST: small and fast",
    layers: tuple[str, ...] = (),
) -> Path:
    """Writes a fake run; `done` says how many of its eight steps are finished (default: all).

    `layers` names those of a sensitivity scan, which gave the pruning its targets; none: no scan.
    """
    folder.mkdir(parents=True, exist_ok=True)
    complete = done is None
    finished = _STEPS[: len(_STEPS) if done is None else done]
    write_json(folder / "run.json", _run(classes, title, complete))
    (folder / "recipe.yaml").write_text("name: fashion-mnist\n")
    (folder / "data").mkdir(exist_ok=True)
    _samples(folder / "data" / "samples.png", classes)
    for number, step in enumerate(finished):
        _step(folder / "steps" / str(step["name"]), step, number)
    if complete:
        _benchmark(folder / "benchmark", classes)
    if layers:
        _add_scan(folder, layers)
    return folder


def _add_scan(folder: Path, layers: tuple[str, ...]) -> None:
    """Puts a scan in front of the pruning step."""
    step = {"name": "scan", "do": "sensitivity", "from": "best", "levels": list(_LEVELS), "images": 2000}
    run = json.loads((folder / "run.json").read_text())
    steps = run["recipe"]["steps"]
    pruned = next(each for each in steps if each["name"] == "pruned")
    steps[steps.index(pruned)] = {**pruned, "targets": "scan"}
    steps.insert(steps.index({**pruned, "targets": "scan"}), step)
    write_json(folder / "run.json", run)
    write_json(folder / "steps" / "scan" / "sensitivity.json", scan_record(layers))
    result = {
        "name": "scan",
        "do": "sensitivity",
        "from": "best",
        "key": "ab" * 32,
        "seconds": 21.0,
        "created": "2026-11-20T09:16:00+00:00",
        "config": step,
        "record": {"notes": [], "skipped": [["batch_normalization", "has no kernel"]]},
        "model": None,
        "files": {"scan": "sensitivity.json"},
    }
    write_json(folder / "steps" / "scan" / "result.json", result)


def scan_record(layers: tuple[str, ...]) -> dict[str, Any]:
    """The record of a sensitivity scan: the first layer hurts most, the last hardly at all."""
    whole, images = 0.9161, 2000
    scanned = []
    for number, name in enumerate(layers):
        points = []
        for level in _LEVELS:
            lost = min(0.9 * level ** (2 + 3 * number) * 0.55**number, whole - 0.1)
            change = round(-lost * images) / images + (0.001 if number == 2 and level < 0.6 else 0.0)
            half = 1.96 * (abs(change) / images + 1e-6) ** 0.5
            points.append(
                {
                    "sparsity": level,
                    "zeros": round(level * 288 * 4**number),
                    "accuracy": whole + change,
                    "low": whole + change - 0.012,
                    "high": whole + change + 0.012,
                    "change": change,
                    "change_low": change - half,
                    "change_high": change + half,
                    "loss": 0.24 - 3 * change,
                }
            )
        scanned.append({"name": name, "size": 288 * 4 ** min(number, 8), "limit": 1.0, "points": points})
    return {
        "accuracy": whole,
        "low": 0.9031,
        "high": 0.9275,
        "loss": 0.24,
        "images": images,
        "granularity": "unstructured",
        "importance": "magnitude",
        "layers": scanned,
        "skipped": [["batch_normalization", "has no kernel"]],
        "notes": [],
    }


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2))


def _run(classes: tuple[str, ...], title: str, complete: bool) -> dict[str, Any]:
    each = len(classes)
    return {
        "format": 1,
        "trimtab": "0.1.0",
        "recipe": {
            "name": "fashion-mnist",
            "title": title,
            "description": "From a baseline CNN to a pruned int8 file, measured on the same images.",
            "data": {"source": "fashion_mnist"},
            "seed": 7,
            "steps": list(_STEPS),
            "benchmark": {"baseline": "baseline"},
            "report": {"project": "fashion-mnist", "featured": "pruned-int8", "curves": None},
        },
        "command": "trimtab run fashion-mnist --seed 7 --out runs/fashion",
        "seed": 7,
        "created": "2026-11-20T09:15:02.123456+00:00",
        "finished": "2026-11-20T09:33:40+00:00" if complete else None,
        "seconds": 1118.4 if complete else None,
        "status": "complete" if complete else "running",
        "machine": {
            "cpu": "Intel(R) Xeon(R) Processor",
            "cores": 2,
            "flags": ["avx2", "avx512f", "avx512_vnni"],
            "memory": 16_700_000_000,
            "system": "Linux 6.1",
            "python": "3.11.9",
        },
        "versions": {
            "trimtab": "0.1.0",
            "keras": "3.15.1",
            "tensorflow": "2.21.0",
            "ai-edge-litert": "2.3.0",
            "numpy": "2.4.1",
        },
        "data": {
            "name": "fashion_mnist",
            "origin": "Zalando's Fashion-MNIST, IDX files",
            "digest": "3f5a" * 16,
            "classes": each,
            "class_names": list(classes),
            "image_shape": [28, 28, 1],
            "counts": {"train": [5400] * each, "validation": [600] * each, "test": [1000] * each},
            "sizes": {"train": 5400 * each, "validation": 600 * each, "test": 1000 * each},
            "input_range": [0, 1],
        },
    }


def _step(folder: Path, step: dict[str, Any], number: int) -> None:
    name, do = step["name"], step["do"]
    folder.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {
        "name": name,
        "do": do,
        "from": step.get("from"),
        "key": "ab" * 32,
        "seconds": 30.0 + 7 * number,
        "created": "2026-11-20T09:16:00+00:00",
        "config": dict(step),
        "record": {"notes": []},
        "files": {},
    }
    if do in ("train", "prune", "select"):
        measured = _MEASURED["deeper" if name == "best" else name]
        result["model"] = {
            "parameters": measured[6],
            "non_zeros": measured[7],
            "macs": measured[8],
            "keras_bytes": measured[3],
            "digest": "cd" * 32,
        }
        epochs = int(step.get("epochs", 10))
        _history(folder / "history.csv", epochs, number, float(measured[1]))
        (folder / "summary.txt").write_text(_SUMMARY)
        result["files"] = {"model": "model.keras", "history": "history.csv", "summary": "summary.txt"}
        result["record"] |= {
            "epochs": epochs,
            "best_epoch": epochs - 1,
            "val_accuracy": measured[1] + 0.004,
            "val_loss": 0.26,
            "training_seconds": 28.0,
        }
    if do == "select":
        result["record"] |= {
            "selected": "deeper",
            "by": "validation accuracy",
            "candidates": {
                key: {"val_accuracy": _MEASURED[key][1] + 0.004, "parameters": _MEASURED[key][6]}
                for key in step["among"]
            },
        }
    if do == "prune":
        sizes = {"conv2d": 288, "conv2d_1": 9216, "conv2d_2": 18432, "dense": 59_000}
        result["record"]["layers"] = [
            {"name": key, "weight": "kernel", "size": size, "zeros": round(0.8 * size), "asked": 0.8}
            for key, size in sizes.items()
        ]
        result["record"]["skipped"] = [
            ["logits", "the last layer is left whole"],
            ["batch_normalization", "has no kernel"],
        ]
    if do == "export":
        _export(folder, name, step, result)
    write_json(folder / "result.json", result)


def _export(folder: Path, name: str, step: dict[str, Any], result: dict[str, Any]) -> None:
    measured = _MEASURED[name]
    (folder / f"{name}.tflite").write_bytes(b"TFL3")
    result["files"] = {"artifact": f"{name}.tflite"}
    integer = step["scheme"] == "int8"
    result["record"] = {
        "path": f"{name}.tflite",
        "scheme": step["scheme"],
        "bytes": measured[4],
        "gzip_bytes": measured[5],
        "sha256": "9e8d" * 16,
        "parameters": measured[6],
        "calibration": {"images": 200} if integer else None,
        "model_digest": "cd" * 32,
        "parity": {
            "passed": True,
            "max_error": 0.31 if integer else 1.4e-6,
            "mean_error": 0.042 if integer else 1.1e-7,
            "top1_agreement": 0.9961 if integer else 1.0,
            "bytes": measured[4],
            "weight_bytes": 90_000 if integer else 352_000,
            "expected_weight_bytes": [85_000, 99_000] if integer else [352_000, 360_000],
            "error_limit": 0.12 if integer else 1e-4,
            "images": 256,
            "first_diverging_layer": None,
            "reason": None,
        },
    }


def _history(path: Path, epochs: int, seed: int, final: float) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.002, (epochs, 4))
    lines = ["epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds"]
    for number in range(epochs):
        left = np.exp(-0.45 * (number + 0.4))
        accuracy, val_accuracy = (
            final + 0.022 - 0.20 * left + noise[number, 0],
            final + 0.004 - 0.12 * left + noise[number, 1],
        )
        loss, val_loss = (
            0.19 + 0.55 * left + noise[number, 2],
            0.26 + 0.33 * left + 0.004 * number + noise[number, 3],
        )
        lines.append(f"{number + 1},{loss:.5f},{accuracy:.5f},{val_loss:.5f},{val_accuracy:.5f},0.001,2.8")
    path.write_text("\n".join(lines) + "\n")


def _benchmark(folder: Path, classes: tuple[str, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(3)
    labels = np.repeat(np.arange(len(classes)), 1000)
    arrays: dict[str, np.ndarray] = {"labels": labels}
    luck = generator.random(len(labels))  # images are easy or hard for all models alike
    usual = np.array([_CLOTHES.get(int(label), 0) % len(classes) for label in labels])
    usual = np.where(usual == labels, (labels + 1) % len(classes), usual)
    rows = []
    for name, measured in _MEASURED.items():
        wrong = luck + generator.normal(0, 0.01, len(labels)) > measured[1]
        any_other = (labels + generator.integers(1, len(classes), len(labels))) % len(classes)
        other = np.where(generator.random(len(labels)) < 0.7, usual, any_other)
        rows.append(
            _row(
                name,
                (measured[0], float(1 - wrong.mean()), *measured[2:]),
                float(rows_accuracy(arrays, "baseline")),
            )
        )
        arrays[f"{name}.classes"] = np.where(wrong, other, labels).astype(np.uint16)
        arrays[f"{name}.confidence"] = generator.uniform(0.5, 1, len(labels)).astype(np.float32)
    np.savez_compressed(folder / "predictions.npz", **arrays)
    settings = {"threads": 1, "rounds": 30, "split": "test", "batch": 1}
    write_json(
        folder / "result.json",
        {
            "key": "ef" * 32,
            "seconds": 41.0,
            "baseline": "baseline",
            "settings": settings,
            "machine": {},
            "rows": rows,
        },
    )
    true = generator.integers(0, len(classes), 32)
    np.savez_compressed(
        folder / "mistakes.npz",
        images=np.stack([_image(int(label), number) for number, label in enumerate(true)])[..., None],
        labels=true,
        classes=np.array([_CLOTHES.get(int(label), 0) % len(classes) for label in true]),
        confidence=np.linspace(0.999, 0.93, 32).astype(np.float32),
        index=np.arange(32),
    )


def rows_accuracy(arrays: dict[str, np.ndarray], name: str) -> float:
    """The accuracy of a row's predictions; 0 where they are not there yet."""
    predicted = arrays.get(f"{name}.classes")
    return 0.0 if predicted is None else float((predicted == arrays["labels"]).mean())


def _row(name: str, measured: tuple[Any, ...], baseline: float) -> dict[str, Any]:
    kind, accuracy, p, _, raw, packed, parameters, non_zeros, macs, latency = measured
    base = _MEASURED["baseline"]
    half = 1.96 * (accuracy * (1 - accuracy) / 10_000) ** 0.5
    measurements: dict[str, Any] = {
        "accuracy": _measurement("accuracy", accuracy, "", accuracy - half, accuracy + half),
        "loss": _measurement("loss", 0.28, "nats"),
        "bytes": _measurement("bytes", raw, "bytes"),
        "gzip_bytes": _measurement("gzip_bytes", packed, "bytes"),
        "parameters": _measurement("parameters", parameters, ""),
        "non_zeros": _measurement("non_zeros", non_zeros, ""),
        "macs": _measurement("macs", macs, ""),
        "latency_ms": _measurement("latency_ms", latency, "ms", 0.985 * latency, 1.02 * latency),
        "latency_p90_ms": _measurement("latency_p90_ms", 1.2 * latency, "ms"),
        "peak_memory_bytes": _measurement("peak_memory_bytes", 2 * raw, "bytes"),
        "size_reduction": _measurement("size_reduction", base[4] / raw, "ratio"),
        "speed_up": _measurement("speed_up", base[9] / latency, "ratio"),
    }
    if p is not None:
        change = accuracy - baseline
        measurements["accuracy_difference"] = _measurement(
            "accuracy_difference", change, "", change - 0.006, change + 0.006
        )
        measurements["accuracy_p"] = _measurement("accuracy_p", p, "")
    return {"name": name, "kind": kind, "measurements": measurements, "notes": []}


def _measurement(
    name: str, value: float, unit: str, low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "low": low,
        "high": high,
        "confidence": 0.95,
        "method": "invented",
    }


def _image(label: int, number: int) -> np.ndarray:
    """Draws something a little different for each class and number."""
    picture = Image.new("L", (28, 28))
    pen = ImageDraw.Draw(picture)
    shift = number % 4
    if label % 3 == 0:
        pen.rectangle((6 + shift, 5, 21, 23), fill=190)
    elif label % 3 == 1:
        pen.polygon([(4, 22), (9 + shift, 6), (23, 22)], fill=220)
    else:
        pen.ellipse((4 + shift, 6, 24, 22), fill=150)
    pen.line((3, 3 + label, 25, 3 + label), fill=255)
    return np.asarray(picture)


def _samples(path: Path, classes: tuple[str, ...]) -> None:
    sheet = np.concatenate(
        [
            np.concatenate([_image(label, column) for column in range(10)], axis=1)
            for label in range(len(classes))
        ],
        axis=0,
    )
    Image.fromarray(sheet).resize((560, 56 * len(classes))).save(path)


_SUMMARY = """\
Layer (type)                 Output shape            Parameters
---------------------------------------------------------------
conv2d (Conv2D)              (None, 28, 28, 32)             320
max_pooling2d (MaxPooling2D) (None, 14, 14, 32)               0
flatten (Flatten)            (None, 6272)                     0
logits (Dense)               (None, 10)                  62,730
"""

"""Writes the folder of a compression with invented but consistent numbers, for those who read such folders.

Nothing is trained and no backend is loaded. The files that nobody opens hold a few bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from trimtab._atomic import write_json
from trimtab._records import to_plain
from trimtab._version import __version__
from trimtab.benchmarking import BenchmarkResult, Measurement, Row
from trimtab.compression import Budget, Candidate, Facts, Lesson, Narrowed, Point, ZooNetwork
from trimtab.compression._answer import answered
from trimtab.compression._measuring import plain_answer
from trimtab.compression._trials import Trained, Trial, TrialFolder

IMAGES, VALIDATION = 1000, 600
# number, network, learning rate, bytes, latency, accuracies by rung (the last one final), state, why
TRIALS: tuple[tuple[Any, ...], ...] = (
    (0, ("cnn", (8, 16, 24)), 3e-3, 19_700, 0.021, (0.86, 0.895, 0.917), "finalist", ""),
    (1, ("resnet", 7), 3e-3, 19_900, 0.034, (0.85, 0.888, 0.911), "finalist", ""),
    (2, ("narrowed", 0.2), 1e-3, 19_400, 0.03, (0.84,), "cut", "place 4 of 5 after 1 epochs"),
    (3, ("cnn", (4, 8, 12)), 3e-3, 9_800, 0.012, (0.82, 0.861), "cut", "place 3 of 5 after 4 epochs"),
    (4, ("cnn", (4, 8, 12)), 1.6e-2, 9_800, 0.012, (0.71,), "cut", "place 5 of 5 after 1 epochs"),
    (5, ("narrowed", 0.6), 1e-3, 52_000, 0.05, (), "refused", "its file does not fit: 52.0 kB of 20.0 kB"),
)  # fmt: skip


def write_compression(folder: Path) -> Path:
    """Writes the folder, and returns it."""
    budget = Budget(max_size="20kB", max_drop=2.0)
    trials = [_trial(*row) for row in TRIALS]
    kept = TrialFolder(folder / "trials")
    for trial in trials:
        kept.keep(trial)
    baseline = _point(folder, "baseline-int8", "baseline", 0.932, 84_600, 0.074, [], baseline=True)
    shipped = [trial for trial in trials if trial.state == "finalist" or trial.number == 3]
    points = [baseline, *(_shipped(folder, trial) for trial in shipped)]
    accuracy = {"accuracy": 0.9333}
    answer = answered(points, budget, budget.limits({**baseline.facts(), **accuracy}))
    write_json(folder / "front.json", plain_answer(answer, folder))
    write_json(
        folder / "baseline" / "result.json",
        {
            "given": False, "what": "resnet (depth 8, width 16)", "val_accuracy": 0.9333, "epochs": 14,
            "seconds": 610.0, "seconds_per_epoch": 43.0,
            "tuned": [{"lesson": to_plain(Lesson()), "val_accuracy": 0.87, "epochs": 1}],
        },
    )  # fmt: skip
    _benchmark(folder, [("baseline-float32", 0.931, 316_000, 0.19), *_measured(answer.front)])
    for name in ("best.tflite", "best.keras"):
        (folder / name).write_bytes(b"invented")
    write_json(folder / "run.json", _run(budget))
    return folder


def _trial(
    number: int, network: tuple[str, Any], rate: float, size: int, latency: float,
    accuracies: tuple[float, ...], state: str, why: str,
) -> Trial:  # fmt: skip
    kind, value = network
    built: Any = Narrowed(value) if kind == "narrowed" else _network(kind, value)
    rungs = []
    for rung, accuracy in enumerate(accuracies):
        final = state == "finalist" and rung == len(accuracies) - 1
        epochs = 30 if final else 3**rung
        told = "baseline" if rung else None
        curve = tuple(round(accuracy - 0.05 / (epoch + 1), 4) for epoch in range(epochs))
        rungs.append(Trained(-1 if final else rung, epochs, 1.0, accuracy, 15.0 * epochs, 14.0, told, curve))
    facts = Facts(int(0.8 * size), 1_670_000, size, int(0.9 * size), 20_000)
    setting = {"family": kind, "share": 1.0, "learning_rate": rate}
    return Trial(
        number, Candidate(built, Lesson(rate)), setting, state, why, facts, rungs, 1, 0, 60.0 * number
    )


def _network(kind: str, value: Any) -> ZooNetwork:
    name = "filters" if kind == "cnn" else "width"
    return ZooNetwork(kind, ((name, value),))


def _shipped(folder: Path, trial: Trial) -> Point:
    network = trial.candidate.network
    name = f"{network.architecture if isinstance(network, ZooNetwork) else network.kind}-{trial.number}"
    latency = next(row[4] for row in TRIALS if row[0] == trial.number)
    chain: list[dict[str, Any]] = [
        {"technique": "network" if not at else "distill", "what": f"{rung.epochs} epochs",
         "val_accuracy": rung.val_accuracy, "bytes": None, "seconds": rung.seconds, "taken": True}
        for at, rung in enumerate(trial.rungs)
    ]  # fmt: skip
    size = trial.facts.bytes if trial.facts else 0
    for technique, change in (("int8", -0.004), ("quantize-aware", 0.0)):
        chain.append(
            {"technique": technique, "what": technique, "val_accuracy": trial.accuracy + change,
             "bytes": size, "seconds": 9.0, "taken": True}
        )  # fmt: skip
    return _point(folder, name, str(trial.candidate), trial.accuracy, size, latency, chain)


def _point(
    folder: Path,
    name: str,
    what: str,
    accuracy: float,
    size: int,
    latency: float,
    chain: list[Any],
    **more: Any,
) -> Point:
    place = folder / "baseline" / "file" if more else folder / "finalists" / name
    place.mkdir(parents=True, exist_ok=True)
    for file in ("model.tflite", "model.keras"):
        (place / file).write_bytes(b"invented")
    point = Point(
        name, what, place / "model.tflite", place / "model.keras", accuracy, VALIDATION, size,
        int(0.9 * size), 20_000, latency, int(0.8 * size), 1_670_000, tuple(chain), **more,
    )  # fmt: skip
    facts = {
        key: getattr(point, key) for key in ("parameters", "macs", "bytes", "gzip_bytes", "memory_bytes")
    }
    record = {
        "name": name, "what": what, "chain": chain, "val_accuracy": accuracy, "val_images": VALIDATION,
        "float_accuracy": accuracy, "facts": {**facts, "latency_ms": None}, "seeds": [0], "seconds": 12.0,
    }  # fmt: skip
    write_json(place / "result.json", record)
    return point


def _measured(front: tuple[Point, ...]) -> list[tuple[str, float, int, float]]:
    return [(point.name, point.val_accuracy - 0.004, point.bytes, point.latency_ms) for point in front]


def _benchmark(folder: Path, rows: list[tuple[str, float, int, float]]) -> None:
    random, labels = np.random.default_rng(0), np.arange(IMAGES) % 10
    made, arrays = [], {"labels": labels}
    first_size, first_time = rows[0][2], rows[0][3]
    for name, accuracy, size, latency in rows:
        wrong = random.permutation(IMAGES)[: round((1 - accuracy) * IMAGES)]
        classes = labels.copy()
        classes[wrong] = (classes[wrong] + 1) % 10
        arrays[f"{name}.classes"] = classes
        arrays[f"{name}.confidence"] = random.uniform(0.5, 1, IMAGES).astype(np.float32)
        values: dict[str, tuple[float, str]] = {
            "accuracy": (float((classes == labels).mean()), "fraction"), "bytes": (size, "bytes"),
            "gzip_bytes": (int(0.9 * size), "bytes"), "latency_ms": (latency, "ms"),
            "size_reduction": (first_size / size, "ratio"), "speed_up": (first_time / latency, "ratio"),
        }  # fmt: skip
        measurements = {
            key: Measurement(
                key, value, unit, 0.99 * value, min(1.01 * value, 1.0 if unit == "fraction" else 1e9)
            )
            for key, (value, unit) in values.items()
        }
        made.append(Row(name, "litert", measurements))
    result = BenchmarkResult(tuple(made), rows[0][0], settings={"images": IMAGES, "split": "test"})
    out = folder / "benchmark"
    out.mkdir(parents=True, exist_ok=True)
    with (out / "predictions.npz").open("wb") as file:
        np.savez_compressed(file, **arrays)
    write_json(out / "result.json", {**to_plain(result), "files": {"predictions": "predictions.npz"}})


def _run(budget: Budget) -> dict[str, Any]:
    return {
        "format": 1, "kind": "compress", "trimtab": __version__, "budget": budget.given, "minutes": 30.0,
        "jobs": 2, "cluster": None, "seed": 0, "status": "complete", "seconds": 1790.0,
        "created": "2026-11-30T10:00:00+00:00", "finished": "2026-11-30T10:30:00+00:00",
        "command": "trimtab compress --data fashion_mnist --max-size 20kB --max-drop 2.0 --seed 0",
        "data": {
            "name": "fashion_mnist", "digest": "x", "classes": 10, "image_shape": [28, 28, 1],
            "class_names": [str(number) for number in range(10)],
            "sizes": {"train": 54000, "validation": VALIDATION, "test": IMAGES},
        },
        "machine": {"cpu": "invented", "cores": 2}, "versions": {"trimtab": __version__},
    }  # fmt: skip


def read(folder: Path, name: str) -> dict[str, Any]:
    """Reads a record of the folder."""
    found: dict[str, Any] = json.loads((folder / name).read_text())
    return found

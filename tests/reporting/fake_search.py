"""Writes a folder as `trimtab compress` does, with invented but consistent numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

IMAGES, TEST = 6_000, 10_000
BASELINE = (320_352, 304_766, 34_816, 0.412, 78_666, 12_500_000)
# name: trial, what, float and int8 validation accuracy, aware accuracy, bytes, memory, ms, parameters, MACs
FILES: dict[str, tuple[Any, ...]] = {
    "cnn-7": (7, "cnn (filters 6-12, depth 1)", 0.889, 0.8872, None, 9_640, 9_216, 0.041, 6_900, 410_000),
    "resnet-12": (
        12,
        "resnet (depth 8, width 7), augmentation flip",
        0.9161,
        0.9088,
        0.9146,
        19_648,
        11_904,
        0.118,
        14_100,
        2_400_000,
    ),
    "narrowed-15": (
        15,
        "baseline, 24% of its parameters",
        0.926,
        0.9251,
        None,
        83_504,
        21_504,
        0.231,
        19_200,
        5_100_000,
    ),
}
OFF_FRONT = "mobilenet-9"
_OTHER = (9, "mobilenet_v2 (width 0.35)", 0.902, 0.8991, 0.9004, 22_300, 20_736, 0.214, 15_800, 3_000_000)


def write_search(
    folder: Path,
    fake_run: Any,
    *,
    candidates: int = 40,
    budget: dict[str, Any] | None = None,
    limits: dict[str, float | None] | None = None,
    chosen: str | None = "resnet-12",
    until: str = "end",
    name: str = "fashion_mnist",
    latencies: bool = True,
) -> Path:
    """Writes a fake search.

    Args:
        folder: where.
        fake_run: the module of that name.
        candidates: how many were looked at.
        budget: as asked for; 20 kB and one point by default.
        limits: the same in plain units, as the search writes them down; none beside a budget of one's own.
        chosen: the file for the budget; None: nothing keeps it.
        until: how far it came: ``"begun"``, ``"baseline"``, ``"trials"``, ``"files"``, ``"answer"`` or
            ``"end"``.
        name: of the data.
        latencies: whether candidates were timed.
    """
    stages = ("begun", "baseline", "trials", "files", "answer", "end")
    reached = stages.index(until)
    usual = {"max_size": 20_000.0, "max_latency": None, "min_accuracy": 0.9135}
    plain = ({} if budget is not None else usual) if limits is None else limits
    budget = {"max_size": "20kB", "max_drop": 2.0} if budget is None else budget
    fake_run.write_json(folder / "run.json", _run(fake_run, budget, name, until == "end"))
    if reached >= 1:
        _baseline(folder / "baseline", fake_run)
        fake_run.write_json(
            folder / "search.json", {"rungs": [], "limits": plain and {**plain, "min_accuracy": None}}
        )
    if reached >= 2:
        _trials(folder / "trials", fake_run, candidates, latencies)
    if reached >= 3:
        _shipped(folder, fake_run)
    if reached >= 4:
        fake_run.write_json(folder / "front.json", _answer(chosen, plain))
    if reached >= 5:
        _benchmark(folder / "benchmark", fake_run)
    return folder


def _run(fake_run: Any, budget: dict[str, Any], name: str, complete: bool) -> dict[str, Any]:
    like = fake_run._run(fake_run.CLASSES, "", complete)
    data = {**like["data"], "name": name, "origin": "IDX files"}
    return {
        "format": 1,
        "kind": "compress",
        "trimtab": "0.1.0",
        "budget": budget,
        "minutes": 30.0,
        "jobs": 2,
        "cluster": None,
        "seed": 0,
        "data": data,
        "data_digest": "3f5a" * 16,
        "model_digest": None,
        "machine": like["machine"],
        "versions": like["versions"],
        "command": "trimtab compress --data fashion_mnist --max-size 20kB --max-drop 2",
        "created": "2026-11-30T21:15:02+00:00",
        "finished": "2026-11-30T21:44:20+00:00" if complete else None,
        "seconds": 1758.4 if complete else None,
        "status": "complete" if complete else "running",
    }


def _baseline(folder: Path, fake_run: Any) -> None:
    record = {
        "given": False,
        "what": "resnet (depth 8, width 16)",
        "val_accuracy": 0.9335,
        "epochs": 22,
        "seconds": 512.0,
        "seconds_per_epoch": 23.1,
        "tuned": [],
    }
    fake_run.write_json(folder / "result.json", record)


def _trials(folder: Path, fake_run: Any, count: int, latencies: bool) -> None:
    """Candidates of all fates: files are made of some, most are cut short, many never fit."""
    draw = np.random.default_rng(1)
    made = {entry[0]: entry for entry in (*FILES.values(), _OTHER)}
    for number in range(count):
        size = float(np.exp(draw.uniform(np.log(5_000), np.log(140_000))))
        best = 0.945 - 0.5 * size**-0.25
        state, why, rungs = "cut", "", []
        if number in made:
            _, what, accuracy, _, _, size, _, latency, parameters, macs = made[number]
            state = "finalist"
            rungs = [_rung(0, 2, accuracy - 0.06), _rung(1, 6, accuracy - 0.02), _rung(-1, 30, accuracy)]
        else:
            family = ("cnn", "resnet", "mobilenet_v2", "narrowed")[number % 4]
            what = (
                f"{family} (width {number % 9 + 3})" if number % 4 < 3 else "baseline, 31% of its parameters"
            )
            latency, parameters, macs = 4e-6 * size + 0.02, int(0.8 * size), int(60 * size)
            if number % 3 == 0:
                state, why = (
                    "refused",
                    f"its file does not fit: {size / 1000:,.1f} kB where 20.0 kB are allowed",
                )
            else:
                accuracy = best - float(draw.uniform(0.005, 0.09)) - (0.4 if number % 11 == 1 else 0)
                rungs = [_rung(0, 2, accuracy)]
                if number % 4 == 1:
                    rungs.append(_rung(1, 6, accuracy + 0.012))
                why = f"place {number} of {count} after {sum(rung['epochs'] for rung in rungs)} epochs"
        facts = {
            "parameters": parameters,
            "macs": macs,
            "bytes": int(size),
            "gzip_bytes": int(0.8 * size),
            "memory_bytes": 12_000,
            "latency_ms": latency if latencies else None,
        }
        record = {
            "number": number,
            "candidate": {},
            "what": what,
            "setting": {},
            "state": state,
            "why": why,
            "facts": facts,
            "rungs": rungs,
            "tries": 1,
            "seed": 0,
            "at": 30.0 * number,
        }
        fake_run.write_json(folder / f"{number:04d}" / "result.json", record)


def _rung(rung: int, epochs: int, accuracy: float) -> dict[str, Any]:
    return {
        "rung": rung,
        "epochs": epochs,
        "share": 1.0,
        "val_accuracy": round(accuracy, 4),
        "seconds": 4.1 * epochs,
        "seconds_per_epoch": 3.8,
        "taught_by": "baseline" if rung else None,
        "curve": [round(accuracy, 4)],
    }


def _shipped(folder: Path, fake_run: Any) -> None:
    own = {"int8": 0.9318, "aware": None, "facts": BASELINE}
    _file(folder / "baseline" / "file", fake_run, "baseline", "baseline", None, 0.9335, own)
    _proof(folder / "baseline" / "file" / "float32.tflite", fake_run, "float32", 1_232_160)
    for name, entry in {**FILES, OFF_FRONT: _OTHER}.items():
        _file(folder / "finalists" / name, fake_run, name, entry[1], entry[0], entry[2], _facts(entry))


def _facts(entry: tuple[Any, ...]) -> dict[str, Any]:
    size = (entry[5], int(0.82 * entry[5]), entry[6], None, entry[8], entry[9])
    return {"int8": entry[3], "aware": entry[4], "facts": size}


def _file(
    folder: Path,
    fake_run: Any,
    name: str,
    what: str,
    trial: int | None,
    accuracy: float,
    known: dict[str, Any],
) -> None:
    size, gzip_size, memory, _, parameters, macs = known["facts"]
    chain = [] if trial is None else _trainings(what, accuracy, size)
    told = "converted after training, ranges from 200 training images"
    chain.append(_link("int8", told, known["int8"], size, 4.2))
    if known["aware"] is not None:
        chain.append(
            _link("quantize-aware", "trained quantize-aware for 3 epochs", known["aware"], size, 21.0)
        )
    record = {
        "name": name,
        "what": what,
        "candidate": None,
        "trial": trial,
        "seeds": [0],
        "chain": chain,
        "val_accuracy": known["aware"] or known["int8"],
        "val_images": IMAGES,
        "float_accuracy": accuracy,
        "facts": {
            "parameters": parameters,
            "macs": macs,
            "bytes": size,
            "gzip_bytes": gzip_size,
            "memory_bytes": memory,
            "latency_ms": None,
        },
        "final": trial is not None,
        "epochs": None if trial is None else 38.0,
        "seconds": 28.0,
    }
    if name == "resnet-12":
        record["spread"] = [
            {"seed": 0, "val_accuracy": 0.9146, "kept": True},
            {"seed": 1, "val_accuracy": 0.9121, "kept": False},
        ]
    fake_run.write_json(folder / "result.json", record)
    _proof(folder / "model.tflite", fake_run, "int8", size)


def _trainings(what: str, accuracy: float, size: int) -> list[dict[str, Any]]:
    first = "channels" if what.startswith("baseline") else "network"
    return [
        _link(first, f"{what}, 2 epochs", accuracy - 0.06, size, 8.2),
        _link("distill", "6 epochs, taught by baseline", accuracy - 0.02, size, 24.6),
        _link("distill", "30 epochs, taught by baseline", accuracy, size, 123.0),
    ]


def _link(technique: str, what: str, accuracy: float, size: int, seconds: float) -> dict[str, Any]:
    return {
        "technique": technique,
        "what": what,
        "val_accuracy": accuracy,
        "bytes": size,
        "seconds": seconds,
        "taken": True,
    }


def _proof(path: Path, fake_run: Any, scheme: str, size: int) -> None:
    parity = {"passed": True, "images": 256, "max_error": 0.31, "mean_error": 0.042, "top1_agreement": 0.996}
    record = {"scheme": scheme, "bytes": size, "gzip_bytes": size, "sha256": "9e8d" * 16, "parity": parity}
    fake_run.write_json(Path(f"{path}.json"), record)


def _answer(chosen: str | None, limits: dict[str, float | None]) -> dict[str, Any]:
    points = [_point("baseline-int8", "baseline", "baseline/file", 0.9318, BASELINE, True)]
    for name, entry in FILES.items():
        facts = (entry[5], int(0.82 * entry[5]), entry[6], entry[7], entry[8], entry[9])
        points.append(_point(name, entry[1], f"finalists/{name}", entry[4] or entry[3], facts, False))
    points.sort(key=lambda point: point["bytes"])
    facts = (_OTHER[5], int(0.82 * _OTHER[5]), _OTHER[6], _OTHER[7], _OTHER[8], _OTHER[9])
    others = [_point(OFF_FRONT, _OTHER[1], f"finalists/{OFF_FRONT}", _OTHER[4], facts, False)]
    right = "it classifies 91.46% of the validation images rightly"
    why = f"{chosen} is the most accurate: {right}, with 19.6 kB of 20.0 kB."
    missed = (
        "Nothing that was found keeps the budget (max size 5kB): the limit on size stands in the way.",
        [
            {
                "name": "cnn-7",
                "over": {"max_size": 1.93},
                "sentence": "cnn-7: size 9.6 kB where at most 5.0 kB is asked for",
            }
        ],
    )
    return {
        "format": 1,
        "points": points,
        "others": others,
        "chosen": chosen,
        "why": why if chosen else missed[0],
        "misses": [] if chosen else missed[1],
        "binds": [] if chosen else ["max_size"],
        "already": False,
        "notes": [],
        "limits": limits,
    }


def _point(
    name: str, what: str, place: str, accuracy: float, facts: tuple[Any, ...], baseline: bool
) -> dict[str, Any]:
    size, gzip_size, memory, latency, parameters, macs = facts
    half = 1.96 * (accuracy * (1 - accuracy) / IMAGES) ** 0.5
    return {
        "name": name,
        "what": what,
        "file": f"{place}/model.tflite",
        "model": f"{place}/model.keras",
        "val_accuracy": accuracy,
        "val_images": IMAGES,
        "bytes": size,
        "gzip_bytes": gzip_size,
        "memory_bytes": memory,
        "latency_ms": latency,
        "parameters": parameters,
        "macs": macs,
        "chain": [],
        "baseline": baseline,
        "val_accuracy_low": accuracy - half,
        "val_accuracy_high": accuracy + half,
    }


def _benchmark(folder: Path, fake_run: Any) -> None:
    """Measurements of the baseline's files and the front on the test images."""
    rows: dict[str, tuple[Any, ...]] = {
        "baseline-float32": (0.9302, 1_232_160, 1_139_000, 0.93, 78_666, 12_500_000),
        "baseline-int8": (0.9291, *BASELINE[:2], *BASELINE[3:]),
    }
    for name, entry in FILES.items():
        rows[name] = ((entry[4] or entry[3]) - 0.003, entry[5], int(0.82 * entry[5]), *entry[7:])
    draw = np.random.default_rng(3)
    labels = np.repeat(np.arange(10), TEST // 10)
    luck = draw.random(TEST)
    arrays: dict[str, np.ndarray] = {"labels": labels}
    base, records, first = rows["baseline-float32"], [], None
    for name, (accuracy, size, gzip_size, latency, parameters, macs) in rows.items():
        wrong = luck + draw.normal(0, 0.01, TEST) > accuracy
        arrays[f"{name}.classes"] = np.where(wrong, (labels + 1) % 10, labels).astype(np.uint16)
        arrays[f"{name}.confidence"] = draw.uniform(0.5, 1, TEST).astype(np.float32)
        share = float(1 - wrong.mean())
        first = share if first is None else first
        half = 1.96 * (share * (1 - share) / TEST) ** 0.5
        number = fake_run._measurement
        numbers = {
            "accuracy": number("accuracy", share, "fraction", share - half, share + half),
            "bytes": number("bytes", size, "bytes"),
            "gzip_bytes": number("gzip_bytes", gzip_size, "bytes"),
            "parameters": number("parameters", parameters, "count"),
            "non_zeros": number("non_zeros", parameters, "count"),
            "macs": number("macs", macs, "count"),
            "latency_ms": number("latency_ms", latency, "ms", 0.985 * latency, 1.02 * latency),
            "size_reduction": number("size_reduction", base[1] / size, "ratio"),
            "speed_up": number("speed_up", base[3] / latency, "ratio"),
        }
        if name != "baseline-float32":
            numbers["accuracy_difference"] = number("accuracy_difference", share - first, "fraction")
            numbers["accuracy_p"] = number("accuracy_p", 0.001, "")
        records.append({"name": name, "kind": "litert", "measurements": numbers, "notes": []})
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "predictions.npz", **arrays)
    settings = {"threads": 1, "rounds": 100, "split": "test", "images": TEST}
    record = {"baseline": "baseline-float32", "settings": settings, "rows": records, "machine": {}}
    (folder / "result.json").write_text(json.dumps(record))

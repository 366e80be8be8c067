"""What workers do, on real digits and small networks: facts, training, a teacher's answers, files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trimtab import litert, models
from trimtab.compression import Candidate, Lesson, Narrowed, ZooNetwork
from trimtab.compression._travelling_data import ARRAYS, arrived, sent
from trimtab.compression._trial import _objective, augmentation_of, file_accuracy
from trimtab.data import Augmentation
from trimtab.data._batches import Plan
from trimtab.workers import InProcess, Job, JobResult

NETWORK = ZooNetwork("cnn", (("filters", (4, 8)), ("depth", 1), ("dense", 0), ("batch_norm", True)))
CANDIDATE = Candidate(NETWORK, Lesson(1e-2))
WHERE = "trimtab.compression._trial"


class Bench:
    """A worker in this process with the digits at hand."""

    def __init__(self, folder: Path, data: Any) -> None:
        self.workers, self.data = InProcess(folder), data
        self.sent = sent(data, self.workers)
        self.told = {
            "image_shape": list(data.image_shape), "classes": data.classes, "seed": 0, "batch_size": 32,
            "data": self.sent, "candidate": CANDIDATE.to_plain(),
        }  # fmt: skip

    def do(self, key: str, function: str, files: dict[str, Path] | None = None, **more: Any) -> JobResult:
        shared = (*ARRAYS, more["answers"]) if more.get("answers") else ARRAYS
        self.workers.submit(Job(key, function, {**self.told, **more}, shared, files or {}))
        (result,) = self.workers.wait()
        assert result.error is None, result.error
        return result


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, digits: Any) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"), digits)


@pytest.fixture(scope="module")
def trained(bench: Bench) -> JobResult:
    return bench.do("train", f"{WHERE}:train_leg", epochs=6, share=1.0)


def test_the_images_arrive_without_a_test_part(bench: Bench) -> None:
    arrays = {name: bench.workers._arrays[name] for name in ARRAYS}
    data, chosen = arrived(bench.sent, arrays)
    assert chosen is None
    assert len(data.test) == 0
    np.testing.assert_array_equal(data.train.images, bench.data.train.images)
    half, chosen = arrived(bench.sent, arrays, 0.5)
    assert abs(len(half.train) - len(data.train) / 2) <= 5
    np.testing.assert_array_equal(half.train.labels, data.train.labels[chosen])
    shares = np.bincount(half.train.labels) / np.bincount(data.train.labels)
    assert shares.min() > 0.45


def test_a_training_goes_on_from_its_own_weights(bench: Bench, trained: JobResult) -> None:
    assert trained.record["epochs"] == 6
    assert trained.record["val_accuracy"] > 0.5
    again = bench.do(
        "train-on", f"{WHERE}:train_leg", {"start": trained.files["model.keras"]}, epochs=2, share=1.0
    )
    assert again.record["curve"][0] > trained.record["curve"][0] + 0.1


def test_what_a_file_costs_is_known_before_the_training(bench: Bench, trained: JobResult) -> None:
    facts = bench.do("probe", f"{WHERE}:probe").record["facts"]
    shipped = bench.do(
        "ship", "trimtab.compression._shipping:ship", {"model": trained.files["model.keras"]},
        aware_epochs=0, extra_epochs=1, float_too=True,
    )  # fmt: skip
    assert abs(shipped.record["facts"]["bytes"] - facts["bytes"]) <= 16  # where buffers begin
    assert shipped.record["facts"]["memory_bytes"] == facts["memory_bytes"]
    content = shipped.files["model.tflite"].read_bytes()
    assert shipped.record["val_accuracy"] == pytest.approx(file_accuracy(content, bench.data))
    assert [link["technique"] for link in shipped.record["links"]] == ["int8"]
    assert not litert.inspect(content).float_tensors
    assert {"float32.tflite", "float32.tflite.json", "model.tflite.json"} <= set(shipped.files)


def test_zeros_and_shared_values_are_for_the_download(bench: Bench, trained: JobResult) -> None:
    files = {"model": trained.files["model.keras"]}
    thin = Candidate(NETWORK, CANDIDATE.lesson, sparsity=0.7, clusters=16)
    told = {"aware_epochs": 0, "extra_epochs": 1, "candidate": thin.to_plain()}
    result = bench.do("ship-thin", "trimtab.compression._shipping:ship", files, **told)
    assert [link["technique"] for link in result.record["links"]] == ["prune", "cluster", "int8"]
    facts = result.record["facts"]
    assert facts["gzip_bytes"] < 0.9 * facts["bytes"]
    zeros, shared, last = (link["gzip_bytes"] for link in result.record["links"])
    assert zeros > shared, "sharing values is another gain beside zeros"
    assert last == facts["gzip_bytes"]
    assert all(link["bytes"] >= link["gzip_bytes"] for link in result.record["links"])


def test_answers_are_asked_for_once_and_learned_from(bench: Bench, trained: JobResult) -> None:
    result = bench.do(
        "answers", f"{WHERE}:answer", {"teacher": trained.files["model.keras"]}, augmentation="none", view=0
    )
    logits = np.load(result.files["logits.npy"])
    assert logits.shape == (len(bench.data.train), 10)
    bench.workers.share("answers-x", logits[np.newaxis])
    taught = bench.do(
        "taught", f"{WHERE}:train_leg", epochs=2, share=0.5, answers="answers-x", answers_seed=0
    )
    assert taught.record["val_accuracy"] > 0.15


@pytest.mark.parametrize(("share", "seed"), [(1.0, 0), (1.0, 5), (0.5, 0), (0.5, 5)])
@pytest.mark.parametrize("word", ["none", "all"])
def test_what_is_learned_are_the_answers_to_the_pictures_that_are_shown(
    bench: Bench, trained: JobResult, word: str, share: float, seed: int
) -> None:
    teacher = trained.files["model.keras"]
    asked = {"augmentation": word, "seed": 0}
    rows = [
        np.load(
            bench.do(
                f"ask-{word}-{share}-{seed}-{view}",
                f"{WHERE}:answer",
                {"teacher": teacher},
                view=view,
                **asked,
            ).files["logits.npy"]
        )
        for view in range(2)
    ]
    arrays = {name: bench.workers._arrays[name] for name in ARRAYS}
    data, chosen = arrived(bench.sent, arrays, share)
    model, views = models.load_model(teacher), 1 if word == "none" else 2
    candidate = Candidate(NETWORK, Lesson(1e-2, augmentation=word))
    context = SimpleNamespace(shared={"x": np.stack(rows[:views])})
    told = {"answers": "x", "answers_seed": 0}
    aim = _objective(model, candidate, told, context, data, chosen)  # type: ignore[arg-type]
    augmentation = augmentation_of(word, data.image_shape) or Augmentation()
    plan = Plan(data.train, 64, seed, 3, 0, augmentation, aim.views, aim.targets(), draws=aim.draws)
    for number in (0, plan.steps, 2 * plan.steps):  # of three epochs, the last one the first view again
        images, wanted = plan.batch(number)
        np.testing.assert_allclose(wanted[:, 1:], model.predict_on_batch(images), atol=1e-4)


def test_a_narrowed_baseline_keeps_its_other_weights(bench: Bench, trained: JobResult) -> None:
    baseline = models.load_model(trained.files["model.keras"])
    narrowed = Candidate(Narrowed(0.5)).to_plain()
    result = bench.do(
        "narrow", f"{WHERE}:probe", {"baseline": trained.files["model.keras"]}, candidate=narrowed
    )
    smaller = models.load_model(result.files["model.keras"])
    assert models.parameters(smaller) <= 0.5 * models.parameters(baseline)
    judged = bench.do("judge", f"{WHERE}:judge", {"model": trained.files["model.keras"]})
    assert judged.record["val_accuracy"] == pytest.approx(trained.record["val_accuracy"])

"""The verb of this room: measures models and files side by side on the same images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab._versions import versions
from trimtab.benchmarking._answers import Answers, accuracy, accuracy_difference, loss
from trimtab.benchmarking._comparison import latency as latency_of
from trimtab.benchmarking._comparison import size_reduction, speed_up
from trimtab.benchmarking._latency import Timing, time_interleaved
from trimtab.benchmarking._machine import machine
from trimtab.benchmarking._measurement import Measurement, Row
from trimtab.benchmarking._result import BenchmarkResult
from trimtab.benchmarking._subjects import asked, named_baseline, opened, split_of
from trimtab.errors import ConfigError
from trimtab.progress import Progress, Silent

if TYPE_CHECKING:
    import keras

    from trimtab.benchmarking._subject import Subject, TimedCall
    from trimtab.data import ImageData, Split
    from trimtab.exporting import Artifact

__all__ = ["benchmark"]


@dataclass(frozen=True)
class _Settings:
    """How to measure; see `benchmark`."""

    baseline: str
    threads: int
    rounds: int
    seconds: float
    split: str
    latency: bool
    batch: int | None
    memory: bool
    confidence: float
    seed: int

    def __post_init__(self) -> None:
        for name, least in (("threads", 1), ("rounds", 1), ("batch", 2), ("seed", 0)):
            value = getattr(self, name)
            if value is None and name == "batch":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(
                    f"{name} must be a whole number of {least} or more. Received: {name}={value!r}."
                )
        if not self.seconds > 0:
            raise ConfigError(f"seconds must be above 0. Received: seconds={self.seconds!r}.")
        if not 0 < self.confidence < 1:
            raise ConfigError(
                f"confidence must lie between 0 and 1, such as 0.95. "
                f"Received: confidence={self.confidence!r}."
            )


def benchmark(
    subjects: Mapping[str, keras.Model | Artifact | Path | str],
    data: ImageData,
    *,
    baseline: str | None = None,
    threads: int = 1,
    rounds: int = 100,
    seconds: float = 2.0,
    split: str = "test",
    latency: bool = True,
    batch: int | None = None,
    memory: bool = True,
    confidence: float = 0.95,
    seed: int = 0,
    progress: Progress | None = None,
) -> BenchmarkResult:
    """Measures models and files side by side: how often they are right, how large and how fast they are.

    The measurements of a row, by name: ``accuracy``, ``accuracy_difference``, ``accuracy_p``, ``loss``,
    ``bytes``, ``gzip_bytes``, ``size_reduction``, ``parameters``, ``non_zeros``, ``macs``; with `latency`
    ``latency_ms``, ``latency_p90_ms``, ``speed_up``, with `batch` ``batch_latency_ms``; with `memory`
    ``peak_memory_bytes``. One that cannot be taken has no value, and its `method` says why.

    Args:
        subjects: by name, a Keras model, an `Artifact`, or the path of a `.keras`, `.h5` or `.tflite` file.
        data: the images; they must be scaled as the models were trained.
        baseline: name of the subject that the others are compared with; the first by default.
        threads: of the LiteRT interpreters; a Keras backend keeps its own.
        rounds: of the timing, at most; at least five are made.
        seconds: of the timing for each subject, about.
        split: ``"test"``, ``"validation"`` or ``"train"``.
        latency: whether to time single images.
        batch: how many images to time at once besides, such as 32; None for not at all.
        memory: whether to measure the peak memory of the files' interpreters.
        confidence: of every interval.
        seed: of the bootstrap and of the order within rounds.
        progress: where progress is shown; nowhere by default.

    Raises:
        ConfigError: an argument makes no sense, or a subject is of an unknown kind.
        ModelError: a model or file cannot be read, or does not fit the data.
        DataError: the split holds no image.

    Example::

        print(trimtab.benchmark({"float": model, "int8": "digits.tflite"}, data))
    """
    settings = _Settings(
        baseline=named_baseline(subjects, baseline, "benchmark"),
        threads=threads,
        rounds=rounds,
        seconds=seconds,
        split=split,
        latency=latency,
        batch=batch,
        memory=memory,
        confidence=confidence,
        seed=seed,
    )
    images = split_of(data, split)
    measured = opened(subjects, data, threads)
    shown = progress if progress is not None else Silent()
    given = {one.name: asked(one, images, shown) for one in measured}
    taken: dict[str, dict[str, Measurement]] = {
        one.name: {measurement.name: measurement for measurement in one.sizes(tuple(data.image_shape))}
        for one in measured
    }
    timings = _timings(measured, images, settings, shown)
    if memory:
        with shown.task("measure memory", len(measured), "subjects") as task:
            for one in measured:
                peak = one.memory()
                taken[one.name][peak.name] = peak
                task.advance()
    rows = tuple(_row(one, measured, given, taken, timings, settings) for one in measured)
    return BenchmarkResult(
        rows=rows,
        baseline=settings.baseline,
        predictions={name: answer.predictions for name, answer in given.items()},
        labels=images.labels,
        settings={
            **{key: value for key, value in vars(settings).items() if key != "baseline"},
            "data": data.name,
            "digest": data.digest,
            "images": len(images),
        },
        machine=machine(),
        versions=versions(),
    )


_Timings = dict[str, dict[str, tuple[Timing, "TimedCall"]]]


def _timings(measured: list[Subject], images: Split, settings: _Settings, shown: Progress) -> _Timings:
    """Times all subjects against each other; by measurement name, then by subject."""
    wanted = {"latency_ms": 1} if settings.latency else {}
    if settings.batch is not None:
        wanted["batch_latency_ms"] = settings.batch
    found: _Timings = {}
    for name, count in wanted.items():
        # A split smaller than the batch is repeated; what the pixels show does not change the time.
        batch = images.inputs(0, count)
        batch = batch[[index % len(batch) for index in range(count)]]
        calls = {one.name: one.timed(batch) for one in measured}
        with shown.task(
            f"time {'one image' if count == 1 else f'{count} images'}", settings.rounds, "rounds"
        ) as task:
            timings = time_interleaved(
                {key: timed.call for key, timed in calls.items()},
                rounds=settings.rounds,
                seconds=settings.seconds,
                seed=settings.seed,
                task=task,
            )
        found[name] = {key: (timings[key], calls[key]) for key in calls}
    return found


def _row(
    one: Subject,
    measured: list[Subject],
    given: Mapping[str, Answers],
    taken: Mapping[str, dict[str, Measurement]],
    timings: _Timings,
    settings: _Settings,
) -> Row:
    """Puts together all that is known of one subject."""
    first, confidence = settings.baseline, settings.confidence
    found = [
        accuracy(given[one.name], settings.split, confidence),
        *_compared(given[one.name], given[first], confidence),
        loss(given[one.name], settings.split, confidence),
        *taken[one.name].values(),
        size_reduction(taken[one.name]["bytes"], taken[first]["bytes"], one.name == first),
    ]
    notes, samples = [], {}
    for name, of_subjects in timings.items():
        timing, timed = of_subjects[one.name]
        found += latency_of(timing, timed, confidence, settings.seed, name=name)
        samples[name] = tuple(round(float(value), 7) for value in timing.rounds / timed.images)
        if not timing.settled:
            notes.append(
                f"{name}: the times had not settled when the warm-up ended; other work may have run."
            )
        if name == "latency_ms":
            kinds = {subject.name: subject.kind for subject in measured}
            same = kinds[first] == one.kind
            found.append(speed_up(timing, of_subjects[first][0], same, confidence, settings.seed))
    return Row(one.name, one.kind, {each.name: each for each in found}, tuple(notes), samples)


def _compared(own: Answers, baseline: Answers, confidence: float) -> tuple[Measurement, ...]:
    """Compares the accuracies; the baseline itself has no difference to test."""
    if own is baseline:
        told = "This is the baseline."
        return (Measurement("accuracy_difference", 0.0, "fraction", confidence=confidence, method=told),)
    return accuracy_difference(own, baseline, confidence)

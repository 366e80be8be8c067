"""What to expect of each scheme: the file's size, and how long an image takes on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trimtab._compression import gzipped
from trimtab._temporary import temporary_folder
from trimtab.benchmarking import Measurement, Timing, time_interleaved
from trimtab.benchmarking._comparison import latency as latency_of
from trimtab.benchmarking._comparison import speed_up
from trimtab.benchmarking._litert_subject import LiteRTSubject
from trimtab.benchmarking._subject import TimedCall
from trimtab.doctor._examined import Examined
from trimtab.doctor._files import first_sentence
from trimtab.errors import TrimtabError
from trimtab.progress import Progress

__all__ = ["Forecast", "forecasts"]

_ROUNDS, _SECONDS = 50, 1.0
_BASELINE = "float32"


@dataclass(frozen=True)
class Forecast:
    """A scheme's file, made of the model as it is now.

    Args:
        scheme: its name.
        bytes: length of the file; None where there is none.
        gzip_bytes: length of its gzip.
        latency: milliseconds an image, median with its interval; None where it was not timed.
        speed_up: times as fast as the float32 file, paired round by round; None likewise.
        reason: why there is no file, or no time; None where there are both, or no time was asked for.
    """

    scheme: str
    bytes: int | None
    gzip_bytes: int | None = None
    latency: Measurement | None = None
    speed_up: Measurement | None = None
    reason: str | None = None


def forecasts(examined: Examined, *, latency: bool, seed: int, progress: Progress) -> tuple[Forecast, ...]:
    """Makes the file of each scheme, and times them against each other.

    Args:
        examined: the model.
        latency: whether to time.
        seed: of the order within rounds and of the bootstrap.
        progress: told of each conversion, and of the rounds.
    """
    made = {scheme.name: examined.files.of(scheme) for scheme in examined.schemes}
    files = {name: content for name, content in made.items() if isinstance(content, bytes)}
    taken, refused = _timed(examined, files, seed, progress) if latency and files else ({}, {})
    rows = []
    for name, content in made.items():
        if isinstance(content, str):
            rows.append(Forecast(name, None, reason=content))
            continue
        row = Forecast(name, len(content), len(gzipped(content)), reason=refused.get(name))
        if name in taken:
            timing, call = taken[name]
            compared = None
            if _BASELINE in taken:
                compared = speed_up(timing, taken[_BASELINE][0], True, 0.95, seed)
            measured = latency_of(timing, call, 0.95, seed)[0]
            row = Forecast(name, row.bytes, row.gzip_bytes, measured, compared)
        rows.append(row)
    return tuple(rows)


def _timed(
    examined: Examined, files: Mapping[str, bytes], seed: int, progress: Progress
) -> tuple[dict[str, tuple[Timing, TimedCall]], dict[str, str]]:
    """Times one image in each file, interleaved; and says which files do not run here."""
    image, refused = examined.files.images(1), {}
    calls: dict[str, TimedCall] = {}
    with temporary_folder() as folder:
        for name, content in files.items():
            path = folder / f"{name}.tflite"
            path.write_bytes(content)
            try:
                calls[name] = LiteRTSubject(name, path, 1).timed(image)
            except (TrimtabError, RuntimeError, ValueError) as error:
                refused[name] = f"LiteRT does not run it here: {first_sentence(str(error))}"
    if not calls:
        return {}, refused
    with progress.task("time one image", _ROUNDS, "rounds") as task:
        timings = time_interleaved(
            {name: call.call for name, call in calls.items()},
            rounds=_ROUNDS,
            seconds=_SECONDS,
            seed=seed,
            task=task,
        )
    return {name: (timings[name], call) for name, call in calls.items()}, refused

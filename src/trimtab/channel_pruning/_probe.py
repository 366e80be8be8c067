"""What a candidate really weighs and takes: without channels, converted to int8, and run on this machine.

A probe needs no training: size and latency do not depend on what the weights are. The file is calibrated with
noise, and the parity check that `trimtab.export` makes is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab import channels, models
from trimtab._statistics import Interval, paired_ratio
from trimtab.benchmarking import Measurement, time_interleaved
from trimtab.benchmarking._comparison import latency as latency_of
from trimtab.benchmarking._probe_file import probe_call, probe_file, roughen
from trimtab.benchmarking._subject import TimedCall
from trimtab.litert._signature import image_shape_of
from trimtab.progress import Progress, Silent

if TYPE_CHECKING:
    import keras

    from trimtab.channels import ChannelGraph

__all__ = ["PROBED", "Latency", "Probes"]

PROBED = (
    "Size and latency are those of int8 files of the model as it is before fine-tuning, calibrated with "
    "noise and made without the parity check of export()."
)
"""What must be said beside numbers from probes."""

Keep = Mapping[str, Sequence[int] | np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Latency:
    """How long the int8 file of a candidate takes for an image.

    Args:
        milliseconds: median over rounds, with its bootstrap interval.
        share: of the time that the file of the whole model takes, paired round by round.
    """

    milliseconds: Measurement
    share: Interval


class Probes:
    """Converts candidates and measures them; what was measured once is remembered by its counts.

    Args:
        graph: the groups of the whole model.
        image_shape: (height, width, channels), where the model leaves its image size open.
        threads: of the LiteRT interpreter.
        seconds: of the timing of a candidate, about.
        rounds: of the timing, at most.
        seed: of the noise and of the bootstrap.
        progress: told of each probe.

    Raises:
        ModelError: the model is no image classifier.
        ConfigError: its image size is open, and none is given.
    """

    def __init__(
        self,
        graph: ChannelGraph,
        *,
        image_shape: tuple[int, int, int] | None = None,
        threads: int = 1,
        seconds: float = 1.0,
        rounds: int = 50,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> None:
        self._graph, self._seed = graph, seed
        self._shape = image_shape_of(graph.model, image_shape)
        self._threads, self._seconds, self._rounds = threads, seconds, rounds
        self._progress = progress if progress is not None else Silent()
        self._files: dict[tuple[tuple[str, int], ...], bytes] = {}
        self._latencies: dict[tuple[tuple[str, int], ...], Latency] = {}

    @property
    def conversions(self) -> int:
        """How many files were made."""
        return len(self._files)

    def size(self, keep: Keep) -> int:
        """Returns the bytes of a candidate's int8 file.

        Args:
            keep: by group, the units that stay; groups not named stay whole.

        Raises:
            ConversionError: the converter refuses the candidate.
        """
        return len(self._file(keep))

    def latency(self, keep: Keep, *, again: bool = False, times: float = 1.0) -> Latency:
        """Measures how long a candidate's int8 file takes for an image, beside that of the whole model.

        Args:
            keep: by group, the units that stay; groups not named stay whole.
            again: measure anew, even if it was measured.
            times: how many times longer than usual to measure.

        Raises:
            ConversionError: the converter refuses the candidate.
        """
        key = self._key(keep)
        if again or key not in self._latencies:
            self._latencies[key] = self._timed(keep, times)
        return self._latencies[key]

    def _key(self, keep: Keep) -> tuple[tuple[str, int], ...]:
        """Names a candidate by what its shape depends on: how many units of each group it has."""
        sizes = {group.name: group.size for group in self._graph.groups}
        return tuple(
            sorted((name, len(kept)) for name, kept in keep.items() if len(kept) < sizes.get(name, 0))
        )

    def _file(self, keep: Keep) -> bytes:
        """Makes the int8 file of a candidate, once."""
        key = self._key(keep)
        if key not in self._files:
            with self._progress.task("probe: convert to int8", 1, "files") as task:
                self._files[key] = probe_file(self._candidate(key, keep), self._shape, seed=self._seed)
                task.advance()
        return self._files[key]

    def _candidate(self, key: tuple[tuple[str, int], ...], keep: Keep) -> keras.Model:
        """Makes a model without the units that go, its weights like those of a trained one."""
        model = channels.remove(self._graph, keep) if key else models.clone(self._graph.model)
        return roughen(model, self._seed)

    def _timed(self, keep: Keep, times: float) -> Latency:
        """Times a candidate's file and that of the whole model, round by round."""
        calls = {name: self._call(self._file(kept)) for name, kept in (("whole", {}), ("candidate", keep))}
        with self._progress.task("probe: time one image", self._rounds, "rounds") as task:
            timings = time_interleaved(
                {name: timed.call for name, timed in calls.items()},
                rounds=max(int(self._rounds * times), 5),
                seconds=self._seconds * times,
                seed=self._seed,
                task=task,
            )
        own, whole = timings["candidate"], timings["whole"]
        return Latency(
            latency_of(own, calls["candidate"], 0.95, self._seed)[0],
            paired_ratio(own.rounds, whole.rounds, seed=self._seed),
        )

    def _call(self, content: bytes) -> TimedCall:
        """Prepares a file to be timed on one image, as `benchmark` does."""
        return probe_call(content, self._shape, threads=self._threads, seed=self._seed)

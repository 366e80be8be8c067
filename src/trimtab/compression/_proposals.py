"""What the search may propose, what it proposes first, and which network a proposal stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trimtab.compression._budget import Limits
from trimtab.compression._candidate import Baseline, Candidate, Lesson, Narrowed, Network, ZooNetwork
from trimtab.compression._facts import counted_bytes
from trimtab.compression._families import Ladder
from trimtab.compression._trials import Trial
from trimtab.tuning import Choice, Real, Space

__all__ = ["Proposals"]

NARROWED, WHOLE = "narrowed baseline", "baseline"
_LEAST_SHARE = 0.25
_BESIDE = 5000.0  # bytes of a file that are no weights, where nobody counted
_LEAST_KEPT = 0.05  # of the baseline's parameters: what is left of a network below that is none of it


class Proposals:
    """The space of a search, and its first proposals.

    A setting names a family, how much of the budget its network may use, and how it is taught. Which width
    that is, the family's ladder tells; a converted file mends the ladder.

    Args:
        ladders: one for each family that suits the images.
        limits: the budget.
        reference: facts of the baseline's int8 file: what sizes are shares of where the budget names none.
        narrowing: whether the baseline has channels that may go.
        whole: whether the baseline itself keeps the limits.
    """

    def __init__(
        self,
        ladders: Sequence[Ladder],
        limits: Limits,
        reference: Mapping[str, float | None],
        *,
        narrowing: bool,
        whole: bool,
    ) -> None:
        self._ladders = {ladder.family.name: ladder for ladder in ladders}
        self._limits, self._reference = limits, reference
        narrowed = narrowing and (self._kept(1.0) or 0.0) >= _LEAST_KEPT
        families = [*self._ladders, *([NARROWED] if narrowed else []), *([WHOLE] if whole else [])]
        dimensions: dict[str, Any] = {
            "family": Choice(tuple(families)),
            "share": Real(_LEAST_SHARE, 1.0, log=True, default=1.0),
            "learning_rate": Real(5e-4, 2e-2, log=True, default=3e-3),
            "augmentation": Choice(("none", "shift", "flip")),
            "temperature": Choice((4.0, 2.0, 8.0)),
        }
        if limits.max_download is not None:
            dimensions["sparsity"] = Choice((0.0, 0.5, 0.7))
            dimensions["clusters"] = Choice((None, 16, 32))
        self.space = Space(dimensions)

    def first(self) -> Iterator[dict[str, Any]]:
        """Gives what is tried before anything that a sampler proposes, the most promising first.

        Accuracy grows with capacity, so the largest network of each family that fits comes first; then come
        smaller ones, for the front, and other rates.
        """
        families = list(self._families())
        if WHOLE in families:
            yield self._setting(WHOLE)
        for family in families:
            if family != WHOLE:
                yield self._setting(family)
        for family in families[:2]:
            yield self._setting(family, learning_rate=8e-3)
        for share in (0.5, 0.25):
            for family in families[:2]:
                if family not in (WHOLE, NARROWED):
                    yield self._setting(family, share=share)
        if self._limits.max_download is not None:
            for family in families[:2]:
                yield self._setting(family, sparsity=0.7)
                yield self._setting(family, clusters=16)

    def candidate(
        self, setting: Mapping[str, Any], *, beyond: float = 1.0, of: Trial | None = None
    ) -> Candidate | None:
        """Returns the candidate that a setting stands for; None: nothing of the family is small enough.

        Args:
            setting: what was proposed.
            beyond: how far the last candidate was beyond the limits, where it was.
            of: the trial that had it.
        """
        family = str(setting["family"])
        if family == WHOLE:
            return self._with(setting, Baseline()) if beyond <= 1 else None
        if family == NARROWED:
            kept = self._kept(float(setting["share"]))
            if beyond > 1 and of is not None and isinstance(of.candidate.network, Narrowed):
                kept = of.candidate.network.parameters / (1.03 * beyond)
            return None if kept is None or kept < 0.005 else self._with(setting, Narrowed(round(kept, 6)))
        width = self._width(self._ladders[family], float(setting["share"]))
        return None if width is None else self._with(setting, self._ladders[family].family.network(width))

    def smallest(self, setting: Mapping[str, Any]) -> Candidate:
        """Returns the smallest candidate of a setting's family, to name what did not fit."""
        family = str(setting["family"])
        if family in self._ladders:
            return self._with(setting, self._ladders[family].family.network(1))
        return self._with(setting, Baseline())

    def _with(self, setting: Mapping[str, Any], network: Network) -> Candidate:
        """Puts a candidate together."""
        rate = float(setting["learning_rate"])
        lesson = Lesson(
            round(rate if isinstance(network, ZooNetwork) else rate / 3, 7),  # it is trained already
            str(setting["augmentation"]),
            float(setting["temperature"]),
        )
        return Candidate(network, lesson, float(setting.get("sparsity") or 0.0), setting.get("clusters"))

    def learn(self, family: str, candidate: Candidate, facts: Mapping[str, Any]) -> None:
        """Takes in what a converted candidate costs."""
        if isinstance(candidate.network, ZooNetwork):
            self._ladders[family].learn(candidate.network, facts)

    def _families(self) -> Iterator[str]:
        choice = self.space.dimensions["family"]
        yield from choice.options  # type: ignore[attr-defined]

    def _setting(self, family: str, **changes: Any) -> dict[str, Any]:
        """Returns the usual setting of a family with some changes."""
        setting = {**self.space.defaults(), "family": family}
        return {**setting, **changes}

    def _width(self, ladder: Ladder, share: float) -> int | None:
        """Returns the widest network of a family that uses at most this share of each limit."""
        limits = self._limits
        bounds = {
            "bytes": limits.max_size,
            "latency_ms": limits.max_latency,
            "memory_bytes": limits.max_memory,
            "gzip_bytes": limits.max_download,
        }
        given = {fact: share * value for fact, value in bounds.items() if value is not None}
        if not given:
            # Nothing but accuracy is limited: what is sought is smaller than the baseline.
            given = {"bytes": 0.9 * share * float(self._reference.get("bytes") or 100_000)}
        return ladder.widest(given)

    def _kept(self, share: float) -> float | None:
        """Returns the share of its parameters that a narrowed baseline keeps; None: all of them.

        Kernels shrink with the parameters, channels with their root, and what else is in a file stays.
        """
        whole, limits = self._reference, self._limits
        size, kernels = float(whole.get("bytes") or 0.0), float(whole.get("kernels") or 0.0)
        channels = float(whole.get("channels") or 0.0)
        beside = size - counted_bytes(kernels, channels) if kernels else _BESIDE

        def most(limit: float, has: float) -> float:
            """Solves ``beside + kernels * x**2 + channels * x = limit`` for the share of the channels."""
            left = limit / has * size - beside
            a, b = kernels or size - beside, counted_bytes(0, channels)
            return 0.0 if left <= 0 else ((b**2 + 4 * a * left) ** 0.5 - b) / (2 * a)

        widths = [
            most(share * limit, float(has))
            for limit, fact in ((limits.max_size, "bytes"), (limits.max_download, "gzip_bytes"))
            if limit is not None and (has := whole.get(fact))
        ]
        if limits.max_latency is not None and (time := whole.get("latency_ms")):
            widths.append((share * limits.max_latency / float(time)) ** 0.5)
        kept = min(widths, default=(0.8 * share) ** 0.5) ** 2
        return 0.97 * kept if kept < 0.9 else None

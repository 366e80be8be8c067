"""What removing channels bought: words that go no further than what was measured on each runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trimtab.reporting._channel_words import channels_gone
from trimtab.reporting._comparing import files_of
from trimtab.reporting._data import ResultRow, Step
from trimtab.reporting._formats import share, times
from trimtab.reporting._headline import file_ratios
from trimtab.reporting._wording import SAME, accuracy_change, joined, listed

__all__ = ["Gain", "about_channels", "gains", "gone"]


@dataclass(frozen=True)
class Gain:
    """How a pruned model compares with the one before on one runtime: ratios, above 1 is better.

    Attributes:
        where: the runtime, in words.
        kind: ``"keras"`` or ``"litert"``.
    """

    where: str
    kind: str
    smaller: float | None
    faster: float | None


def gains(
    row: ResultRow, parent: ResultRow, rows: tuple[ResultRow, ...], steps: tuple[Step, ...]
) -> tuple[Gain, ...]:
    """Returns what pruning bought on each runtime on which both models were measured alike.

    Args:
        row: the pruned Keras model.
        parent: the Keras model that it was made from.
        rows: everything that was measured.
        steps: the recipe's steps.
    """
    found = [Gain("in Keras", "keras", *file_ratios(row, parent))]
    before = {file.scheme: file for file in files_of(parent, rows, steps)}
    for file in files_of(row, rows, steps):
        if file.scheme in before:
            ratios = file_ratios(file, before[file.scheme])
            found.append(Gain(f"as {file.scheme} file", "litert", *ratios))
    return tuple(gain for gain in found if gain.smaller or gain.faster)


def about_channels(
    row: ResultRow, parent: ResultRow, step: Step, p: float | None, bought: Sequence[Gain] = ()
) -> str:
    """Says what went, what that bought on each runtime, and what accuracy it cost.

    Args:
        row: the pruned Keras model.
        parent: the one before.
        step: the step that pruned it.
        p: the paired test of the two accuracies.
        bought: see `gains`.
    """
    told = [words for gain in bought if (words := _told(gain))]
    everywhere = _everywhere(bought)
    change = f"{everywhere} ({'; '.join(told)})" if everywhere else joined(*told)
    return joined(gone(step), change, accuracy_change(row, parent, p), _missed(step))


def gone(step: Step) -> str:
    """Says what share of the channels is gone, and what goes with them."""
    pruned = step.channels
    if pruned is None:
        return "channels are gone"
    pairs: Mapping[str, tuple[int | None, int | None]] = {
        "parameters": pruned.parameters,
        "MACs": pruned.macs,
    }
    less = [
        f"{share(1 - after / before)} of the {name}"
        for name, (before, after) in pairs.items()
        if before and after is not None
    ]
    told = channels_gone(pruned.ratio)
    return f"{told}, and with them {listed(less)}" if less else told


def _everywhere(bought: Sequence[Gain]) -> str:
    """Says "on every runtime" only where each one was measured, and each one gained."""
    if {gain.kind for gain in bought} != {"keras", "litert"}:
        return ""
    smaller, faster = (
        all(value is not None and value > 1 + SAME for value in values)
        for values in zip(*((gain.smaller, gain.faster) for gain in bought), strict=True)
    )
    words = listed([word for word, true in (("smaller", smaller), ("faster", faster)) if true])
    return f"{words} on every runtime measured here" if words else ""


def _told(gain: Gain) -> str:
    """Says how one runtime takes it: "in Keras 1.6× smaller and 1.7× faster"."""
    parts = []
    for value, better, worse, same in (
        (gain.smaller, "smaller", "larger", "as large"),
        (gain.faster, "faster", "slower", "as fast"),
    ):
        if value is None:
            continue
        if abs(value - 1) <= SAME:
            parts.append(same)
        else:
            parts.append(f"{times(max(value, 1 / value))} {better if value > 1 else worse}")
    return f"{gain.where} {' and '.join(parts)}" if parts else ""


def _missed(step: Step) -> str:
    return f"it missed its target: {'; '.join(step.missed)}" if step.missed else ""

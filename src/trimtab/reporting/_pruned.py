"""What a pruning step was asked to do and whether it did, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trimtab._choices import USUAL_ROUNDS
from trimtab.reporting._fields import Fields
from trimtab.reporting._formats import percent, share

__all__ = ["missed", "pruned", "rounds"]

_IMPORTANCE = {"taylor": "ranked by weight times gradient", "random": "chosen by chance"}
_SCHEDULES = {"constant": "all at once", "one-shot": "once, before training"}


def pruned(config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Says what was pruned, how far and how: "pruned to 80 % zeros in blocks of 4x1, over all layers"."""
    ways = [
        _pattern(config.get("granularity")),
        _IMPORTANCE.get(str(config.get("importance")), ""),
        "over all layers together" if config.get("ranking") == "global" else "",
        _rounds(config) or _SCHEDULES.get(str(config.get("sparsity_schedule")), ""),
    ]
    told = ", ".join(filter(None, ways))
    return f"pruned{_goal(config, record)}{_where(config)}" + (f" ({told})" if told else "")


def missed(sentences: Sequence[str]) -> str:
    """Says that a pruning has fewer zeros than were asked for; empty where it has them all."""
    if len(sentences) > 1:
        return f"it missed its target in {len(sentences)} weights, as its notes tell"
    return f"it missed its target: {sentences[0]}" if sentences else ""


def rounds(record: Fields) -> tuple[tuple[str, str], ...]:
    """Returns what each round of iterative pruning came to, as pairs of words."""
    found = []
    for number, turn in enumerate(record.objects("rounds"), 1):
        accuracy = turn.number("val_accuracy")
        measured = f", {percent(accuracy)} on the validation images" if accuracy is not None else ""
        name = f"round {turn.integer('number') or number}"
        found.append((name, f"{share(turn.number('sparsity'))} zeros{measured}"))
    return tuple(found)


def _goal(config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Says how far: the share that was asked for, or else the one that was made."""
    asked = config.get("sparsity")
    if isinstance(asked, Mapping):
        shares = sorted(value for value in asked.values() if isinstance(value, float | int))
        if len(asked) == 1 and shares:
            return f" to {share(shares[0])} zeros in {next(iter(asked))}"
        return f" to {share(shares[0])} to {share(shares[-1])} zeros by layer" if shares else ""
    if not isinstance(asked, float | int):
        asked = record.get("asked")  # nobody said: the verb knew
    if not isinstance(asked, float | int):
        return ""
    by = f", shared out by {config['targets']}" if config.get("targets") else ""
    return f" to {share(asked)} zeros{by}"


def _where(config: Mapping[str, Any]) -> str:
    """Says which layers, where not all of them."""
    names = [*_texts(config.get("layers")), *(f"each {kind}" for kind in _texts(config.get("types")))]
    places = f" in {', '.join(names)}" if names else ""
    if config.get("policy"):
        places = f" where {_POLICIES.get(str(config['policy']), str(config['policy']))} can use it"
    spared = ["the first and the last layer"] if config.get("skip_ends") else []
    spared += _texts(config.get("exclude"))
    return places + (f" but not in {', '.join(spared)}" if spared else "")


_POLICIES = {"xnnpack": "XNNPACK"}


def _pattern(granularity: Any) -> str:
    """Says what goes together."""
    name = str(granularity or "unstructured")
    if ":" in name:
        stay, _, group = name.partition(":")
        return f"{stay} of each {group} weights stay"
    return "" if name == "unstructured" else f"in blocks of {name.replace('x', '×')}"


def _rounds(config: Mapping[str, Any]) -> str:
    if config.get("sparsity_schedule") != "iterative":
        return ""
    back = " with the weights put back" if config.get("rewind") == "weights" else ""
    origin = f" to those of {config['rewind_to']}" if back and config.get("rewind_to") else ""
    return f"in {config.get('rounds') or USUAL_ROUNDS} rounds{back}{origin}"


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []

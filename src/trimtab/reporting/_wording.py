"""How one row differs from another, in words that follow the numbers."""

from __future__ import annotations

from trimtab.reporting._data import ResultRow
from trimtab.reporting._formats import p_value, points, times
from trimtab.reporting._headline import file_ratios

__all__ = ["SAME", "accuracy_change", "joined", "listed", "price", "ratio", "size_and_speed", "sized"]

SAME = 0.05  # ratios this near to 1 count as no change


def accuracy_change(row: ResultRow, against: ResultRow, p: float | None) -> str:
    """Says how accuracy changed, and whether the change is more than chance.

    Without a paired test of the two, only a change beyond both intervals is called one.
    """
    mine, theirs = row.numbers.get("accuracy"), against.numbers.get("accuracy")
    if mine is None or theirs is None:
        return ""
    difference = mine.value - theirs.value
    tested = f", {p_value(p)}" if p is not None else ""
    if abs(difference) < 0.0005:  # less than a tenth of a point: nobody should act on it, whatever its p
        return "the same accuracy" if difference == 0 else "the same accuracy to 0.1 points"
    real = p < 0.05 if p is not None else not _overlap(mine.interval, theirs.interval)
    if not real:
        return f"no measurable change in accuracy ({points(difference)} points{tested})"
    more = "more" if difference > 0 else "less"
    chance = f" ({p_value(p)})" if p is not None else ""
    return f"{more} accurate by {points(abs(difference)).lstrip('+')} points{chance}"


def _overlap(mine: tuple[float, float] | None, theirs: tuple[float, float] | None) -> bool:
    return mine is None or theirs is None or (mine[0] <= theirs[1] and theirs[0] <= mine[1])


def ratio(before: ResultRow, after: ResultRow, key: str) -> float | None:
    """Returns how many times less of something `after` has; None where it was not measured."""
    old, new = before.value(key), after.value(key)
    return old / new if old and new else None


def sized(reduction: float) -> str:
    """Says how a size changed: "4.9× smaller"."""
    if abs(reduction - 1) <= 0.02:
        return "no smaller"
    return f"{times(reduction)} smaller" if reduction > 1 else f"{times(1 / reduction)} larger"


def size_and_speed(row: ResultRow, against: ResultRow) -> str:
    """Says how size and latency compare: "1.4× larger and 1.2× slower than wider"."""
    found = [
        (ratio(against, row, "bytes"), "smaller", "larger", "as large"),
        (file_ratios(row, against)[1], "faster", "slower", "as fast"),
    ]
    known = [entry for entry in found if entry[0] is not None]
    changed = [
        f"{times(max(r, 1 / r))} {better if r > 1 else worse}"
        for r, better, worse, _ in known
        if r and abs(r - 1) > SAME
    ]
    same = [word for r, _, _, word in known if r and abs(r - 1) <= SAME]
    if not changed:
        return f"{' and '.join(same)} as {against.name}" if same else ""
    told = f"{' and '.join(changed)} than {against.name}"
    return f"{told}, just {same[0]}" if same else told


def price(row: ResultRow, against: ResultRow) -> str:
    """Says what a model costs beside another: "2.1× the parameters, 3.7× the MACs and ..."."""
    words = (
        ("parameters", "the parameters", "as many parameters"),
        ("macs", "the MACs", "as many MACs"),
        ("training_seconds", "the training time", "the same training time"),
    )
    told = []
    for key, changed, same in words:
        less = ratio(against, row, key)
        if less is not None:
            told.append(same if abs(less - 1) <= SAME else f"{times(1 / less)} {changed}")
    return listed(told)


def listed(parts: list[str]) -> str:
    """Joins words as a sentence does: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else ""


def joined(*clauses: str) -> str:
    """Joins the clauses that say something."""
    return "; ".join(clause for clause in clauses if clause)

"""A chain of techniques as a table: what each link bought, beside the link before."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trimtab.reporting import _formats as formats
from trimtab.reporting._compression import Compression, Link, Shipped

__all__ = ["LinkRow", "chain_rows", "file_links"]

_WORDS = {
    "network": "New network",
    "channels": "Channels removed",
    "baseline": "Baseline, trained on",
    "train": "Trained on",
    "distill": "Taught",
    "prune": "Weights set to zero",
    "cluster": "Values shared",
    "int8": "8-bit integers",
    "int4": "4-bit weights",
    "quantize-aware": "Trained for integers",
}


@dataclass(frozen=True)
class LinkRow:
    """A line of the table.

    Attributes:
        link: what was done; `what` says how.
        accuracy: validation accuracy; `gained` against the link before.
        size: of the file; `saved` against the link before.
        download: of the file, compressed; `lighter` against the link before.
        latency: for one image; `faster` against the link before.
        taken: whether what came out was kept.
        better: how many points the accuracy rose (above 0) or fell; 0 where it stayed or is not known.
    """

    link: str
    what: str
    accuracy: str
    gained: str
    size: str
    saved: str
    latency: str
    faster: str
    time: str
    taken: bool = True
    better: float = 0.0
    download: str = ""
    lighter: str = ""


def file_links(file: Shipped) -> tuple[Link, ...]:
    """Returns a file's chain; its last link that was kept has the file's own numbers."""
    links = [replace(link, what=_beyond(link.what, file.what)) for link in file.chain]
    for place in reversed(range(len(links))):
        if links[place].taken:
            last = links[place]
            links[place] = replace(
                last,
                accuracy=file.accuracy.value if file.accuracy is not None else last.accuracy,
                bytes=file.numbers.get("bytes", last.bytes),
                gzip_bytes=file.numbers.get("gzip_bytes", last.gzip_bytes),
                latency_ms=file.numbers.get("latency_ms", last.latency_ms),
            )
            break
    return tuple(links)


def _beyond(what: str, network: str) -> str:
    """Leaves out of a link what is said above its chain already: which network it is."""
    parts = what.split(", ")
    for count in range(len(parts) - 1, 0, -1):
        if network.startswith(", ".join(parts[:count])):
            return ", ".join(parts[count:])
    return what


def chain_rows(found: Compression, links: tuple[Link, ...], from_baseline: bool) -> list[LinkRow]:
    """Returns the table of a chain.

    Args:
        found: the search.
        links: the chain.
        from_baseline: whether its first line is the baseline's own int8 file, for comparison; the model
            before that otherwise.
    """
    first = _start(found, from_baseline)
    rows = [] if first is None else [_row(first, None, first.technique)]
    before = first
    for link in links:
        rows.append(_row(link, before, _WORDS.get(link.technique, link.technique)))
        if link.taken:
            before = _known(link, before)
    return rows


def _start(found: Compression, from_baseline: bool) -> Link | None:
    """Returns what a chain is compared with."""
    own = found.baseline_file
    if from_baseline and own is not None:
        numbers = own.numbers
        return Link(
            "Baseline",
            "its int8 file",
            None if own.accuracy is None else own.accuracy.value,
            numbers.get("bytes"),
            numbers.get("gzip_bytes"),
            numbers.get("latency_ms"),
        )
    accuracy = found.baseline_accuracy
    return (
        None if accuracy is None else Link("Baseline", f"{found.baseline_what}, float".strip(", "), accuracy)
    )


def _known(link: Link, before: Link | None) -> Link:
    """Fills in what a link did not tell with what was known before it."""
    if before is None:
        return link
    return replace(
        link,
        accuracy=before.accuracy if link.accuracy is None else link.accuracy,
        bytes=before.bytes if link.bytes is None else link.bytes,
        gzip_bytes=before.gzip_bytes if link.gzip_bytes is None else link.gzip_bytes,
        latency_ms=before.latency_ms if link.latency_ms is None else link.latency_ms,
    )


def _row(link: Link, before: Link | None, words: str) -> LinkRow:
    change = _difference(link.accuracy, None if before is None else before.accuracy)
    return LinkRow(
        link=words,
        what=link.what,
        accuracy=formats.percent(link.accuracy, 2),
        gained="" if change is None else _points(change),
        size=formats.size(link.bytes),
        saved=_ratio(link.bytes, None if before is None else before.bytes, "smaller", "larger"),
        latency="" if link.latency_ms is None else f"{formats.milliseconds(link.latency_ms)} ms",
        faster=_ratio(link.latency_ms, None if before is None else before.latency_ms, "faster", "slower"),
        time="" if link.seconds is None else formats.seconds(link.seconds),
        taken=link.taken,
        better=0.0 if change is None else round(100 * change, 2),
        download=formats.size(link.gzip_bytes),
        lighter=_ratio(link.gzip_bytes, None if before is None else before.gzip_bytes, "smaller", "larger"),
    )


def _difference(value: float | None, before: float | None) -> float | None:
    return None if value is None or before is None else value - before


def _points(change: float) -> str:
    told = f"{100 * change:+.2f}".replace("-", "−")
    return "±0 points" if told in ("+0.00", "−0.00") else f"{told} points"


def _ratio(value: float | None, before: float | None, less: str, more: str) -> str:
    """Says how many times less or more something is; nothing where it stayed."""
    if not value or not before or value == before:
        return ""
    ratio = max(value / before, before / value)
    if ratio < 1.005:
        return ""
    return f"{formats.times(ratio)} {less if value < before else more}"

"""How a deployable file was made, in words: its ranges, what stayed float, what was repaired."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trimtab.reporting._fields import Fields
from trimtab.reporting._formats import signed_share, size
from trimtab.reporting._wording import listed

__all__ = ["export_notes", "export_remarks", "exported", "ranges_chosen"]

_REPAIRS = {"equalize": "channels equalized", "correct_bias": "biases corrected"}
_METHODS = {
    "minmax": "from the smallest to the largest number seen",
    "mse": "those that round with the least squared error",
}


def exported(source: str, config: Mapping[str, Any]) -> str:
    """Says what is made of a model: "trained as int4 file, with the layers that scan found kept float"."""
    told = f"{source} as {config.get('scheme', 'float32')} file"
    kept, scan = config.get("keep_float"), config.get("keep_float_from")
    if scan:
        return f"{told}, the layers that {scan} found kept float"
    return f"{told}, {listed(list(map(str, kept)))} kept float" if isinstance(kept, list) and kept else told


def ranges_chosen(method: str, percentile: float | None = None) -> str:
    """Says how the first ranges of activations were chosen."""
    if method == "percentile":
        return (
            f"that hold {percentile:g} % of the numbers seen" if percentile else "that hold most numbers seen"
        )
    return _METHODS.get(method, method)


def export_remarks(record: Fields) -> list[tuple[str, str]]:
    """Returns how a file was made, as pairs of words."""
    calibration = record.fields("calibration")
    found = []
    if images := calibration.integer("images"):
        found.append(("calibrated on", f"{images:,} images of the {calibration.text('part', 'train')} part"))
    if method := calibration.text("method"):
        found.append(("ranges", ranges_chosen(method, calibration.number("percentile"))))
    elif record.text("route") == "fake-quantized" and not calibration.content:
        found.append(("ranges", "those that it was trained with"))
    if kept := calibration.texts("keep_float"):
        found.append(("kept float", ", ".join(kept)))
    found += [(_REPAIRS.get(name, name), told) for name, told in _repairs(calibration)]
    whole, slim = record.integer("undieted_bytes"), record.integer("bytes")
    if whole and slim and slim < whole:
        change = signed_share(slim / whole - 1)
        found.append(("slimmed", f"{size(whole)} to {size(slim)} ({change}), names and padding left out"))
    return found


def export_notes(record: Fields) -> tuple[str, ...]:
    """Returns the notes of an export, without those that only say what its repairs did."""
    tried = tuple(f"{name}:" for name, _ in _repairs(record.fields("calibration")))
    return tuple(note for note in record.texts("notes") if not tried or not note.startswith(tried))


def _repairs(calibration: Fields) -> list[tuple[str, str]]:
    """Returns which repairs were tried, and what they did to the error of the scores."""
    tried = calibration.fields("repairs")
    found = []
    for name in tried.content:
        repair = tried.fields(name)
        before, after = repair.number("error_before"), repair.number("error_after")
        change = ""
        if before is not None and after is not None:
            change = f": mean error on the validation images {before:.3g} to {after:.3g}"
        taken = "yes" if repair.content.get("taken") is True else "tried and not taken"
        found.append((name, f"{taken}{change}"))
    return found

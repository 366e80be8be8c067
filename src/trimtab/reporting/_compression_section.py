"""What the page says of a compression: the budget, each chain, what was tried, how files were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.reporting import _formats as formats
from trimtab.reporting._budget_words import LIMIT_WORDS, budget_rows
from trimtab.reporting._chain_table import LinkRow, chain_rows, file_links
from trimtab.reporting._compression import Compression, Shipped, Tried
from trimtab.reporting._data import ReportData
from trimtab.reporting._front import file_id, trial_id
from trimtab.reporting._wording import listed

__all__ = ["compression_section"]

STATES = {
    "refused": "does not fit",
    "cut": "cut short",
    "finalist": "finalist",
    "failed": "failed",
    "waiting": "waiting",
    "running": "in training",
    "ready": "not trained yet",
    "proposed": "not looked at yet",
    "probing": "being looked at",
}


@dataclass(frozen=True)
class _Panel:
    """One chain on the page: of a file, or of a candidate that did not become one."""

    id: str
    name: str
    group: str
    tag: str
    what: str
    why: str
    facts: tuple[tuple[str, str], ...]
    rows: tuple[LinkRow, ...]
    links: tuple[tuple[str, str], ...] = ()
    strong: bool = False


def compression_section(data: ReportData) -> dict[str, Any] | None:
    """Returns everything that the template says of a compression; None: the run is none."""
    found = data.compression
    if found is None:
        return None
    chosen = found.file(found.chosen)
    nearest = chosen or found.file(data.featured)
    made: dict[int | None, Shipped] = {file.trial: file for file in found.files if file.trial is not None}
    panels = [_file_panel(data, found, file) for file in _ordered(found)]
    panels += [_trial_panel(found, trial) for trial in found.tried if trial.number not in made]
    return {
        "asked": budget_rows(found, nearest),
        "about": nearest.name if nearest is not None else "",
        "chosen": found.chosen,
        "misses": found.misses,
        "panels": panels,
        "groups": tuple(dict.fromkeys(panel.group for panel in panels)),
        "first": file_id(found, nearest) if nearest else panels[0].id if panels else "",
        "made": [_made_row(found, file) for file in _ordered(found) if not file.baseline],
        "download": "max_download" in found.limits,
        "several_seeds": any(len(file.spread) > 1 for file in found.files),
        "tried": [_tried_row(trial, made.get(trial.number)) for trial in _by_rank(found.tried)],
        "counted": _counted(found, made),
        "timed": any("latency_ms" in trial.numbers for trial in found.tried),
        "wall": _whole(data, found),
    }


def _ordered(found: Compression) -> list[Shipped]:
    """Returns the files: the chosen one, the front, the baseline, the others."""
    return sorted(
        found.files,
        key=lambda file: (
            file.name != found.chosen,
            not file.front,
            not file.baseline,
            file.numbers.get("bytes", 0.0),
        ),
    )


def _tag(found: Compression, file: Shipped) -> str:
    if file.name == found.chosen:
        return "chosen"
    if file.front:
        return "on the front"
    return "baseline" if file.baseline else "not on the front" if found.answered else "made"


def _file_panel(data: ReportData, found: Compression, file: Shipped) -> _Panel:
    """Returns the chain of a file, with its numbers."""
    row, numbers = data.row(file.name), file.numbers
    tested = row.numbers.get("accuracy") if row is not None else None
    memory = numbers.get("memory_bytes")
    facts = [
        ("Validation", _accuracy(file.accuracy)),
        ("Test", _accuracy(tested) if tested is not None else ""),
        ("File", f"{formats.size(numbers.get('bytes'))}, gzip {formats.size(numbers.get('gzip_bytes'))}"),
        ("Latency", f"{formats.milliseconds(numbers['latency_ms'])} ms" if "latency_ms" in numbers else ""),
        ("Memory", formats.size(memory) if memory is not None else ""),
        ("Counted", _sizes(numbers)),
        ("Other seeds", _spread(file)),
        ("Budget", _budget(found, file)),
    ]
    names = (("model.tflite", file.file), ("model.keras", file.model))
    return _Panel(
        id=file_id(found, file),
        name=file.name,
        group="On the front" if file.front or file.name == found.chosen else "Other files",
        tag=_tag(found, file),
        what=(found.baseline_what if file.baseline else "") or file.what,
        why="",
        facts=tuple((name, value) for name, value in facts if value),
        rows=tuple(chain_rows(found, file_links(file), from_baseline=not file.baseline)),
        links=tuple((name, path) for name, path in names if path),
        strong=True,
    )


def _trial_panel(found: Compression, trial: Tried) -> _Panel:
    """Returns what is told of a candidate that did not become a file."""
    numbers = trial.numbers
    facts = [
        ("Validation", formats.percent(trial.accuracy, 2) if trial.accuracy is not None else "never trained"),
        ("File", formats.size(numbers["bytes"]) if "bytes" in numbers else ""),
        ("Latency", f"{formats.milliseconds(numbers['latency_ms'])} ms" if "latency_ms" in numbers else ""),
        ("Counted", _sizes(numbers) if numbers else ""),
    ]
    return _Panel(
        id=trial_id(trial),
        name=f"candidate {trial.number}",
        group="Cut short" if trial.trained else "Never trained",
        tag=STATES.get(trial.state, trial.state),
        what=trial.what,
        why=trial.why,
        facts=tuple((name, value) for name, value in facts if value),
        rows=tuple(chain_rows(found, trial.chain, from_baseline=True)) if trial.chain else (),
    )


def _sizes(numbers: Mapping[str, float]) -> str:
    """Returns what is counted and not measured."""
    parameters, macs = numbers.get("parameters"), numbers.get("macs")
    return f"{formats.count(parameters)} parameters, {formats.count(macs)} MACs"


def _budget(found: Compression, file: Shipped) -> str:
    """Says whether a file keeps the budget; nothing where its limits are not known."""
    if broken := found.broken(file):
        return f"breaks the limit on {listed([LIMIT_WORDS[name] for name in broken])}"
    return "kept" if found.limits else ""


def _accuracy(number: Any) -> str:
    if number is None:
        return ""
    between = formats.interval(number, 100)
    return formats.percent(number.value, 2) + (f" ({between})" if between else "")


def _spread(file: Shipped) -> str:
    """Says what other seeds of the same chain came to."""
    if len(file.spread) < 2:
        return ""
    values = sorted(100 * value for _, value in file.spread)
    return f"{len(values)} seeds: {values[0]:.2f} to {values[-1]:.2f} %"


def _made_row(found: Compression, file: Shipped) -> dict[str, str]:
    """Returns how a file was made, on one line: trained, float, integers."""
    trainings = [link for link in file.chain if link.technique in _TRAININGS]
    quantized = [link for link in file.chain if link.technique in ("int8", "int4")]
    aware = [link for link in file.chain if link.technique == "quantize-aware"]
    value, took = file.float_accuracy, sum(link.seconds or 0.0 for link in trainings)
    return {
        "name": file.name,
        "tag": _tag(found, file),
        "what": file.what,
        "trained": formats.seconds(took) if trainings else formats.NOTHING,
        "rounds": f"{len(trainings)} training{'' if len(trainings) == 1 else 's'}",
        "float": formats.percent(value, 2),
        "plain": _step(quantized, value),
        "aware": _step(aware, value) if aware else "not needed",
        "kept": "the trained one" if aware and aware[-1].taken else "the converted one" if aware else "",
        "final": formats.percent(file.accuracy.value if file.accuracy else None, 2),
        "seeds": _spread(file) or ", ".join(map(str, file.seeds)),
    }  # fmt: skip


_TRAININGS = ("network", "channels", "baseline", "train", "distill")


def _step(links: list[Any], value: float | None) -> str:
    """Says what the integers cost, in points."""
    if not links or links[-1].accuracy is None or value is None:
        return formats.NOTHING
    return f"{100 * (links[-1].accuracy - value):+.2f}".replace("-", "−")


def _by_rank(tried: tuple[Tried, ...]) -> list[Tried]:
    """Sorts candidates: the most accurate first, those never trained last."""
    return sorted(tried, key=lambda trial: (not trial.trained, -(trial.accuracy or 0.0), trial.number))


def _tried_row(trial: Tried, file: Shipped | None) -> dict[str, str]:
    numbers = trial.numbers
    return {
        "number": str(trial.number),
        "what": trial.what,
        "state": f"became {file.name}" if file is not None else STATES.get(trial.state, trial.state),
        "why": trial.why,
        "accuracy": formats.percent(trial.accuracy, 2),
        "epochs": f"{trial.passes:.3g}" if trial.trained else formats.NOTHING,
        "size": formats.size(numbers.get("bytes")),
        "latency": formats.milliseconds(numbers.get("latency_ms")),
        "time": formats.seconds(trial.explored_seconds + trial.final_seconds)
        if trial.trained
        else formats.NOTHING,
    }


def _counted(found: Compression, made: dict[int | None, Shipped]) -> str:
    """Says how many candidates there were, and what became of them."""
    tried = found.tried
    if not tried:
        return "No candidate was looked at."
    files = sum(trial.number in made for trial in tried)
    refused = sum(trial.state == "refused" for trial in tried)
    cut = sum(trial.trained and trial.number not in made for trial in tried)
    rest = len(tried) - files - refused - cut
    parts = [
        f"{refused} did not fit and {'were' if refused != 1 else 'was'} never trained" if refused else "",
        f"{cut} {'were' if cut != 1 else 'was'} trained for a while and cut short" if cut else "",
        f"{files} became {'files' if files != 1 else 'a file'}" if files else "",
        f"{rest} {'were' if rest != 1 else 'was'} not trained" if rest else "",
    ]
    plural = "candidates were" if len(tried) != 1 else "candidate was"
    return f"{len(tried)} {plural} looked at: {listed([part for part in parts if part])}."


def _whole(data: ReportData, found: Compression) -> str:
    """Says how long the search took, and how long it was given."""
    parts = []
    if data.seconds is not None:
        parts.append(f"The search took {formats.seconds(data.seconds)}")
        if found.minutes is not None:
            parts[0] += f" of the {found.minutes:g} min that it was given"
    if found.jobs:
        jobs = f"{found.jobs} training{'s' if found.jobs != 1 else ''} at a time"
        parts.append(jobs if parts else jobs.capitalize())
    return ", ".join(parts) + "." if parts else ""

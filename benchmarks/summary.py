"""Draws the pages of ``docs/results`` again from the JSON files there: ``python benchmarks/summary.py``.

With ``--check`` nothing is written; the exit code is 1 where a page differs from its file.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _results
import recipes
from _harness import RESULTS, ROOT, say
from trimtab._atomic import write_text

BENCHMARKS = {
    "startup": "`trimtab --help` under 0.3 s",
    "quickstart": "`trimtab run quickstart` under 60 s on two cores",
    "evaluation": "10,000 images on an int8 file, with intervals, under 1 s",
    "pruning_overhead": "a pruned training step at most 1.03x a plain one, and nearer to it than TFMOT's",
    "tfmot_parity": "the same masks, schedules and trained weights as TFMOT",
    "sparsity_curves": "accuracy from 0 to 98 % sparsity",
    "training_speed": "no net trains slower than in tf_keras",
    "channel_pruning": "half the multiply-accumulates: at least 1.7x faster in LiteRT",
    "criteria": "accuracy by what chooses the channels, random choice beside them",
    "distillation": "an epoch with a teacher's cached logits at most 1.05x one without",
    "channel_families": "channels of zeros leave no trace in any family of keras.applications",
    "file_diet": "at least 20 % off a 23 kB int8 file, outputs bit for bit the same",
    "qat_vs_ptq": "at 4 bits within 0.3 points of float; never behind TFMOT; a step at most 1.0x a float one",
    "qat_parity": "file and quantize-aware model name the same class on 99.9 % of images (deep nets: 99.7 %)",
    "ptq_routes": "each scheme's file by each way to make it: accuracy, size, speed",
    "clustering": "what shared values, zeros and int8 leave of a compressed file",
    "compress_fashion_mnist": "Fashion-MNIST under 20, 50, 100 and 250 kB, half an hour on two cores",
    "compress_cifar10": "CIFAR-10 under 20, 50, 100 and 250 kB, half an hour on two cores",
    "search_efficiency": "how soon the search finds a good front, beside random search and a fixed recipe",
    "scaling": "how throughput grows with the workers, measured here and simulated to 64",
    "runtimes": "the same weights in LiteRT, ONNX Runtime and OpenVINO",
}
"""The scripts, and what each is to show."""

_TEXT = """\
# Results

Every number here was measured by a script in `benchmarks/`. Its samples, machine, versions and commit
are in the JSON file; the page beside it is drawn from that file alone, and so is this one
(`python benchmarks/summary.py`; a test compares).

To repeat one: `make test` once (it makes the environment), then

    .venv/bin/python benchmarks/startup.py

on a machine that does nothing else: one to ten minutes each; `sparsity_curves`, `criteria` and `distillation`
about half an hour, `qat_vs_ptq` an hour (they go on where they were stopped). `--quick` goes through the
whole in a minute and writes nothing here. Peers (tf_keras, TFMOT) get an environment of their own in
`.venv-peers`, made by the script, about 2 GB; `--no-peers` leaves them out. `evaluation` needs Fashion-MNIST,
`sparsity_curves` MNIST too, `criteria` and `distillation` CIFAR-10, `qat_vs_ptq` and `qat_parity`
Fashion-MNIST and CIFAR-10: `TRIMTAB_DATA` says where they lie, else Keras downloads them.

Ratios are medians of ratios taken round by round; intervals are 95 % bootstrap intervals. A target is met
or missed by the median; where its interval holds the limit, the table says so.

"""


def page(folder: Path) -> str:
    """Draws the page with all targets, measured or not, from the JSON files in `folder`."""
    records = {name: _read(folder / f"{name}.json") for name in BENCHMARKS}
    return _TEXT + _targets(records) + "\n" + _recipes(folder) + _machines(records)


def pages(folder: Path) -> dict[Path, str]:
    """Draws every page that belongs in `folder`."""
    drawn = {folder / "README.md": page(folder)}
    for name in BENCHMARKS:
        record = _read(folder / f"{name}.json")
        if record is not None:
            drawn[folder / f"{name}.md"] = _results.markdown(record)
    for source in sorted(folder.glob("recipe-*.json")):
        drawn[source.with_suffix(".md")] = recipes.markdown(json.loads(source.read_text("utf-8")))
    if folder == RESULTS:
        drawn[ROOT / "README.md"] = _with_tables((ROOT / "README.md").read_text("utf-8"), folder)
    return drawn


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    record: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return record


def _targets(records: dict[str, dict[str, Any] | None]) -> str:
    """Draws the table of targets against what was measured."""
    lines = ["| benchmark | what | measured | target | met |", "|---|---|---|---|---|"]
    for name, record in records.items():
        if record is None:
            lines.append(f"| {name} | {BENCHMARKS[name]} | not measured yet | | |")
            continue
        if all(row["target"] is None for row in record["rows"]):
            lines.append(f"| [{name}]({name}.md) | {BENCHMARKS[name]} | see there | | |")
        for row in record["rows"]:
            if row["target"] is None:
                continue
            what = ": ".join(text for text in (row["group"], row["name"]) if text)
            of_ratio = row["target"]["of"] == "ratio"
            measured = _results.ratio_text(row) if of_ratio else _results.value_text(row)
            cells = (f"[{name}]({name}.md)", what, measured, _results.target_text(row), _results.verdict(row))
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _with_tables(text: str, folder: Path) -> str:
    """Fills the marked places of a document with the tables of recipes."""

    def table(match: re.Match[str]) -> str:
        record = _read(folder / f"recipe-{match[2]}.json")
        if record is None:
            return match[0]
        headers, rows = record["table"]["headers"], record["table"]["rows"]
        chosen = [at for at, header in enumerate(headers) if at == 0 or header.startswith(_README_COLUMNS)]
        # What a reader of the first page wants to know is about files, not about the models they are from.
        files = [row for row in rows if row[headers.index("Deployed size")] != "–"]
        drawn = _results.markdown_table(
            [headers[at] for at in chosen], [[row[at] for at in chosen] for row in files]
        )
        return "\n".join([match[1], "", *drawn, match[3]])

    return re.sub(r"(<!-- table: ([\w-]+) -->).*?(<!-- end of table -->)", table, text, flags=re.DOTALL)


_README_COLUMNS = ("Accuracy", "Deployed size", "Gzip", "Latency", "Size reduction", "Speed-up")


def _recipes(folder: Path) -> str:
    """Lists the recipes that were run on real data."""
    sources = sorted(folder.glob("recipe-*.json"))
    if not sources:
        return ""
    lines = ["## Recipes on real data", ""]
    for source in sources:
        record = json.loads(source.read_text("utf-8"))
        lines.append(f"- [{record['title']}]({source.stem}.md): `{record['command']}`, {record['date'][:10]}")
    return "\n".join([*lines, "", ""])


def _machines(records: dict[str, dict[str, Any] | None]) -> str:
    """Says on what, when and from which commit each was measured."""
    lines = ["## Where and when", ""]
    lines += [
        f"- {name}: {record['date'][:10]}, commit {_results.commit_text(record)}, "
        f"{_results.machine_text(record['machine'])}"
        for name, record in records.items()
        if record is not None
    ]
    return "\n".join([*lines, *(["Nothing was measured yet."] if len(lines) == 2 else [])]) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the pages, or with ``--check`` compares them; gives the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks/summary.py", description=page.__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 where a page is stale"
    )
    parser.add_argument("--folder", type=Path, default=RESULTS)
    options = parser.parse_args(argv)
    stale = [
        path
        for path, text in pages(options.folder).items()
        if not path.is_file() or path.read_text("utf-8") != text
    ]
    for path in stale:
        if options.check:
            say(f"{path.name} does not show what its JSON file holds; run python benchmarks/summary.py.")
        else:
            write_text(path, pages(options.folder)[path])
            say(f"Wrote {path.name}.")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())

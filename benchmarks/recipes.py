"""Runs built-in recipes on their real data, and keeps the tables and pictures that the documents show.

    python benchmarks/recipes.py fashion-mnist mnist-pruning-compare confusion-matrix
    python benchmarks/recipes.py cifar10-resnet50:small

``NAME:SCALE`` runs a recipe in one of its scales, and calls it NAME-SCALE. A run is kept in ``runs/``
and goes on where it stopped. Its table goes to ``recipe-NAME.json`` and ``.md`` in ``docs/results``, its
pictures to ``docs/pictures/NAME/``. With ``--quick`` each recipe runs on the digits with one epoch a step,
and nothing is kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import _results
from _harness import RESULTS, ROOT, Session, commit, say
from trimtab._atomic import atomic_path, write_json, write_text
from trimtab.errors import RecipeError
from trimtab.pipeline import read_recipe, run
from trimtab.progress import for_terminal
from trimtab.reporting import collect, result_rows

__all__ = ["markdown"]


def main() -> None:
    """Runs the recipes that the command line names."""
    session = Session(
        "recipes",
        "The built-in recipes on their real data",
        "What does each built-in recipe reach on the data that it is meant for?",
        more=_arguments,
    )
    with tempfile.TemporaryDirectory() as scratch:
        for recipe in session.options.recipes:
            began = commit()
            recipe_name, _, scale = recipe.partition(":")
            name = recipe.replace(":", "-")
            chosen = [f"scale={scale}"] if scale else []
            if session.quick:
                quicker = _quicker(recipe_name, chosen)
                result = run(recipe_name, Path(scratch) / name, data="digits", overrides=quicker)
            else:
                place = ROOT / "runs" / name
                result = run(recipe_name, place, overrides=chosen, resume=True, progress=for_terminal())
            folder = session.options.out or (None if session.quick else RESULTS)
            if "benchmark" in result.reused and folder is not None:
                began = _measured_at(folder / f"recipe-{name}.json")
            command = " ".join(["trimtab run", recipe_name, *(f"--set {one}" for one in chosen)])
            record = {**_record(name, command, result.folder), **began}
            print(_text(record))
            if folder is None:
                say("A quick run: nothing was written.")
            else:
                _keep(record, result.folder, folder)


def _measured_at(earlier: Path) -> dict[str, Any]:
    """Returns the commit of numbers that an earlier call measured: today's measured nothing."""
    record = json.loads(earlier.read_text("utf-8")) if earlier.is_file() else {}
    return {"commit": record.get("commit"), "dirty": record.get("dirty")}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipes", nargs="*", type=_recipe, default=["fashion-mnist"], metavar="NAME[:SCALE]")


def _recipe(text: str) -> str:
    """Checks the name of a recipe, and the scale behind it."""
    name, _, scale = text.partition(":")
    try:
        read_recipe(name, [f"scale={scale}"] if scale else [])
    except RecipeError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _quicker(name: str, chosen: list[str]) -> list[str]:
    """Overrides that carry a recipe through its mechanics in seconds."""
    trained = [step for step in read_recipe(name, chosen).to_data()["steps"] if "epochs" in step]
    return [
        *chosen,
        "data.limit=300",
        "benchmark.latency=false",
        "benchmark.memory=false",
        *(f"steps.{step['name']}.epochs={1 if step['do'] == 'train' else 2}" for step in trained),
    ]


def _record(name: str, command: str, folder: Path) -> dict[str, Any]:
    """Reads from a run's folder what the page shows, so that the page can be drawn without the run."""
    written = json.loads((folder / "run.json").read_text("utf-8"))
    measured = json.loads((folder / "benchmark" / "result.json").read_text("utf-8"))
    headers, rows = result_rows(collect(folder))
    steps = [
        json.loads((folder / "steps" / step["name"] / "result.json").read_text())
        for step in written["recipe"]["steps"]
    ]
    return {
        "format": 1,
        "benchmark": f"recipe-{name}",
        "title": written["recipe"]["title"],
        "question": written["recipe"]["description"],
        "command": command,
        "date": written["finished"],
        "seconds": written["seconds"],
        "seed": written["seed"],
        "machine": written["machine"],
        "versions": written["versions"],
        # Where the images lay is this machine's affair; what they are is everybody's.
        "data": {key: written["data"][key] for key in ("name", "digest", "counts")},
        "baseline": measured["baseline"],
        "table": {"headers": headers, "rows": rows},
        "rows": measured["rows"],
        "steps": [
            {key: step[key] for key in ("name", "do", "from", "created", "seconds", "model")}
            for step in steps
        ],
    }


def markdown(record: Mapping[str, Any]) -> str:
    """Draws the page of a recipe from what its JSON file holds, and nothing else."""
    name = record["benchmark"].removeprefix("recipe-")
    counts = {part: sum(classes) for part, classes in record["data"]["counts"].items()}
    times = [step["created"][:16].replace("T", " ") for step in record["steps"]]
    lines = [f"# {record['title']}", "", record["question"].strip(), ""]
    lines += _results.markdown_table(record["table"]["headers"], record["table"]["rows"])
    lines += [
        f"Speed-up and size reduction are against `{record['baseline']}`. Intervals are 95 %.",
        "",
        "## How it was measured",
        "",
        f"- Command: `{record['command']}`, {record['seconds'] / 60:.0f} minutes of work, "
        f"on {record['date'][:10]}, seed {record['seed']}.",
        f"- Data: {record['data']['name']}, "
        + ", ".join(f"{count:,} {part}" for part, count in counts.items())
        + " images.",
        f"- Commit of the measurement: {_results.commit_text(record)}. The steps were done from "
        f"{min(times)} to {max(times)}; one whose settings did not change was not done again.",
        f"- Machine: {_results.machine_text(record['machine'])}.",
        "- Versions: "
        + ", ".join(f"{key} {value}" for key, value in record["versions"].items() if value)
        + ".",
        f"- Every number is in [recipe-{name}.json](recipe-{name}.json), and the pictures are in "
        f"[../pictures/{name}](../pictures/{name}).",
    ]
    return "\n".join(lines) + "\n"


def _text(record: Mapping[str, Any]) -> str:
    """Draws the table for the terminal."""
    rows = [record["table"]["headers"], *record["table"]["rows"]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _keep(record: Mapping[str, Any], run_folder: Path, folder: Path) -> None:
    """Writes the record and its page, and copies the run's pictures.

    The confusion matrix loses its date, so that documents can point to it.
    """
    name = record["benchmark"].removeprefix("recipe-")
    source = folder / f"recipe-{name}.json"
    write_json(source, record)
    write_text(source.with_suffix(".md"), markdown(json.loads(source.read_text("utf-8"))))
    for picture in sorted((run_folder / "plots").glob("*.png")):
        plain = "confusion_matrix.png" if "_confusion_matrix_blues_" in picture.name else picture.name
        with atomic_path(folder.parent / "pictures" / name / plain) as partial:
            shutil.copyfile(picture, partial)
    say(f"Wrote {source}, its page and its pictures.")


if __name__ == "__main__":
    main()

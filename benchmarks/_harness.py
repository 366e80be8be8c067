"""What every benchmark does alike: arguments, interleaved rounds, and writing what was found."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gc
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import _results
from trimtab._atomic import write_json, write_text
from trimtab._records import to_plain
from trimtab.benchmarking import machine, versions

__all__ = ["RESULTS", "ROOT", "Session", "commit", "interleaved", "repeat", "say"]

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"


def say(text: str) -> None:
    """Tells the person who waits what is going on; standard output is for the table."""
    print(text, file=sys.stderr, flush=True)


class Session:
    """One run of one benchmark script: its arguments at the start, its files at the end.

    Args:
        name: of the script and of its files in ``docs/results``.
        title: heading of its page.
        question: what it finds out, in a sentence or two.
        more: adds arguments of the script's own.
        argv: the command line; by default that of the process.
    """

    def __init__(
        self,
        name: str,
        title: str,
        question: str,
        *,
        more: Callable[[argparse.ArgumentParser], None] | None = None,
        argv: Sequence[str] | None = None,
    ) -> None:
        self.name, self.title, self.question = name, title, question
        self.notes: list[str] = []
        self.peers: dict[str, dict[str, Any]] = {}
        parser = argparse.ArgumentParser(prog=f"benchmarks/{name}.py", description=question)
        parser.add_argument(
            "--quick",
            action="store_true",
            help="few samples and small models, to try the mechanics: no result",
        )
        parser.add_argument("--out", type=Path, help="write the files here instead of docs/results")
        parser.add_argument("--rounds", type=int, help="samples of each row")
        parser.add_argument("--no-peers", action="store_true", help="measure Trimtab's side only")
        if more is not None:
            more(parser)
        self.options = parser.parse_args(argv)
        if self.options.rounds is not None and self.options.rounds < 1:
            parser.error("--rounds must be 1 or more")
        self.quick: bool = self.options.quick
        self._began = time.monotonic()

    def rounds(self, full: int, quick: int = 2) -> int:
        """Gives the number of rounds: as asked for, else `full` or, with ``--quick``, `quick`."""
        return int(self.options.rounds or (quick if self.quick else full))

    def note(self, sentence: str) -> None:
        """Keeps a sentence for the page, and says it now."""
        self.notes.append(sentence)
        say(sentence)

    def finish(self, rows: Sequence[_results.Row], method: Sequence[str], **more: Any) -> dict[str, Any]:
        """Prints the table; writes the files unless this is a quick run that names no folder.

        Args:
            rows: what was measured.
            method: sentences on how.
            **more: what the record shall hold besides: ``pictures``, ``tables`` and ``middle`` (what the
                values of the rows are, where not medians) show on the page.

        Returns:
            The record, as it is in the JSON file.
        """
        record: dict[str, Any] = to_plain(
            {
                "format": 1,
                "benchmark": self.name,
                "title": self.title,
                "question": self.question,
                "quick": self.quick,
                "method": list(method),
                "notes": self.notes,
                "command": self._command(),
                **commit(),
                "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
                "seconds": time.monotonic() - self._began,
                "machine": machine(),
                "versions": versions(),
                "peers": self.peers,
                "rows": list(rows),
                **more,
            }
        )
        print(_results.table(record["rows"], record.get("middle", "median")))
        folder = self.options.out or (None if self.quick else RESULTS)
        if folder is not None:
            self._write(folder, record)
        else:
            say("A quick run: nothing was written.")
        return record

    def _write(self, folder: Path, record: dict[str, Any]) -> None:
        source = folder / f"{self.name}.json"
        write_json(source, record)
        # The page is drawn from the file, so that it can hold nothing that the file does not.
        write_text(source.with_suffix(".md"), _results.markdown(json.loads(source.read_text("utf-8"))))
        say(f"Wrote {source} and {source.with_suffix('.md').name}.")
        if folder == RESULTS:
            import summary

            write_text(RESULTS / "README.md", summary.page(RESULTS))

    def _command(self) -> str:
        """Gives the command that repeats this, without the folders of this machine."""
        words = ["python", f"benchmarks/{self.name}.py"]
        for key, value in vars(self.options).items():
            if isinstance(value, Path) or value is None or value is False:
                continue
            option = "--" + key.replace("_", "-")
            words += [option] if value is True else [option, str(value)]
        return " ".join(words)


def interleaved(
    sides: Mapping[str, Callable[[], float]],
    rounds: int,
    *,
    blocks: int = 1,
    warmup: int = 1,
    label: str = "",
) -> dict[str, list[float]]:
    """Takes one sample of each side a round, each round in another order, garbage collection off.

    What slows the machine down for a while then slows all sides, and leaves their ratios alone.

    Args:
        sides: what gives one number (seconds, say) when called, by name.
        rounds: samples of each side.
        blocks: how many calls are added up to one sample; they are interleaved too.
        warmup: calls of each side that are not counted.
        label: what progress calls this.
    """
    names = list(sides)
    samples: dict[str, list[float]] = {name: [] for name in names}
    with _no_garbage_collection():
        for _ in range(warmup):
            for name in names:
                sides[name]()
        for number in range(rounds):
            totals = dict.fromkeys(names, 0.0)
            for block in range(blocks):
                turn = (number + block) % len(names)
                for name in names[turn:] + names[:turn]:
                    gc.collect()
                    totals[name] += sides[name]()
            for name in names:
                samples[name].append(totals[name])
            say(f"{label}: round {number + 1}/{rounds}")
    return samples


def repeat(side: Callable[[], float], rounds: int, label: str = "") -> list[float]:
    """Takes samples of something that has nothing to be interleaved with."""
    return interleaved({"": side}, rounds, warmup=0, label=label)[""]


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def commit() -> dict[str, Any]:
    """Says which commit is measured, and whether files differ from it (results do not count)."""
    git = shutil.which("git")

    def ask(*words: str) -> str | None:
        if git is None:
            return None
        answer = subprocess.run([git, *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return answer.stdout.strip() if answer.returncode == 0 else None

    changes = ask("status", "--porcelain", "--", ".", ":!docs/results", ":!docs/pictures")
    return {"commit": ask("rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)}

"""Workers of every kind, and the functions that they are given."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trimtab.workers import InProcess, Processes, Workers

sys.path.append(str(Path(__file__).with_name("modules")))  # `errands`, which workers import, and `watching`


KINDS: dict[str, Callable[[Path], Workers]] = {
    "in process": InProcess,
    "processes": lambda folder: Processes(2, folder),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Workers]]:
    """Workers that serve test after test, since starting them takes longer than all else here."""
    kept: dict[str, Workers] = {}
    yield kept
    for workers in kept.values():
        workers.close()


@pytest.fixture(params=KINDS)
def workers(
    request: pytest.FixtureRequest, kept: dict[str, Workers], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workers]:
    """Workers of one kind after the other."""
    kind = request.param
    if kind not in kept:
        kept[kind] = KINDS[kind](tmp_path_factory.mktemp("work"))
    workers = kept[kind]
    yield workers
    if workers.busy:  # a test has failed, or ended in an error on purpose
        kept.pop(kind).close()
    else:
        for entry in workers.folder.glob("[!.]*"):
            workers.discard(entry.name)


@pytest.fixture(params=KINDS)
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Workers]:
    """Makes workers of one kind after the other, each time on the same folder."""
    return lambda: KINDS[request.param](tmp_path / "work")

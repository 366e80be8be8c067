"""Where a cluster is looked for, and how soon it is said that there is none."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from trimtab.errors import ConfigError, MissingExtraError, WorkerError
from trimtab.workers import open_workers

START = r"Start one with `ray start --head --disable-usage-stats`, and give the address that it prints\."


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Any]:
    """Opens workers on a cluster, in a process that is connected to none."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'trimtab[ray]'")
    monkeypatch.setattr("trimtab.workers._ray_address._PATIENCE", 0.5)
    return lambda address: open_workers(tmp_path, cluster=address)


@pytest.mark.parametrize(
    "address", ["", "local", "10.0.0.1", "host:many", "http://host:1", "host:1/path", ":6379"]
)
def test_what_is_no_address_is_refused(look: Callable[[str], Any], address: str) -> None:
    with pytest.raises(ConfigError, match=rf"A cluster is 'auto', 'HOST:PORT' or .*{START}"):
        look(address)


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_where_nothing_answers(look: Callable[[str], Any], scheme: str) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(WorkerError, match=rf"No Ray cluster answers at '{address}' \(.+\)\. {START}"):
            look(address)


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_where_something_else_answers(look: Callable[[str], Any], greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        lines = pool.submit(lambda: _greet(server.accept()[0], greeting))
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(WorkerError, match=rf"What answers at '{address}' is no Ray cluster\. {START}"):
            look(address)
        lines.result().close()


def _greet(line: socket.socket, greeting: bytes) -> socket.socket:
    line.sendall(greeting)
    return line


def test_where_this_machine_belongs_to_no_cluster(
    look: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    def init(**_: Any) -> None:
        raise ConnectionError("Could not find any running Ray instance. Please specify one.\nMore words.")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(WorkerError, match=rf"'auto' cannot be used: Could not find any running.*{START}"):
        look("auto")


def test_without_ray_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"ray is not installed; .*pip install 'trimtab\[ray\]'"):
        open_workers(tmp_path, cluster="10.0.0.1:6379")


def test_jobs_and_a_cluster_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="The cluster says how many jobs"):
        open_workers(tmp_path, jobs=2, cluster="auto")

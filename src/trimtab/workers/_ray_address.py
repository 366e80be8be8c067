"""Finding a Ray cluster, or saying within seconds that there is none.

Left to itself, Ray looks for a cluster that does not answer for more than three minutes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from trimtab.errors import ConfigError, MissingExtraError, WorkerError, first_line

__all__ = ["connect", "import_ray"]

_PATIENCE = 5.0  # seconds for a machine that is there to answer
_SETTINGS = 4  # the kind of frame that either side says first
_START = "Start one with `ray start --head --disable-usage-stats`, and give the address that it prints."
_SILENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


def import_ray() -> Any:
    """Imports Ray.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import ray
    except ImportError:
        raise MissingExtraError("ray", "ray", "for --cluster") from None
    return ray


def connect(address: str) -> bool:
    """Connects this process to a cluster that runs already; says whether it was not connected before.

    Args:
        address: ``"auto"`` (the cluster that this machine belongs to), ``"HOST:PORT"`` of its head, or
            ``"ray://HOST:PORT"`` of its gate for machines outside.

    Raises:
        ConfigError: this is no address.
        WorkerError: nothing answers there, or what answers is another version of Ray or Python.
    """
    ray = import_ray()
    if ray.is_initialized():
        connected = ray.get_runtime_context().gcs_address
        if address not in ("auto", connected):
            raise WorkerError(
                f"This process is connected to the Ray cluster {connected!r} already. "
                "Give 'auto' to use it, or call ray.shutdown() first."
            )
        return False  # whoever connected before us also ends the connection
    if address != "auto":
        _look(address)
    try:
        with _environment(_SILENT):
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except Exception as error:
        # Ray has many: no cluster, another version, a gate that is shut. What they say is for people.
        raise WorkerError(
            f"The Ray cluster {address!r} cannot be used: {first_line(error)}. {_START}"
        ) from error
    return True


def _look(address: str) -> None:
    """Sees whether a Ray cluster answers."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in ("", "ray") or not host or port is None or parts.path:
        raise ConfigError(
            f"A cluster is 'auto', 'HOST:PORT' or 'ray://HOST:PORT'. Received: {address!r}. {_START}"
        )
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE) as line:
            well = "RAY_USE_TLS" in os.environ or _speaks(line)
    except OSError as error:
        raise WorkerError(
            f"No Ray cluster answers at {address!r} ({error.strerror or 'no answer'}). {_START}"
        ) from None
    if not well:
        raise WorkerError(f"What answers at {address!r} is no Ray cluster. {_START}")


def _speaks(line: socket.socket) -> bool:
    """Greets as Ray's servers do (HTTP/2, RFC 9113), and sees whether the answer is such a greeting."""
    try:
        line.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0)))
        answer = line.recv(9)
    except OSError:
        return False
    return len(answer) > 3 and answer[3] == _SETTINGS


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Sets variables for what starts in the block, unless the user has."""
    ours = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)

"""The environments that peers run in: made from names and pinned versions, kept in ``.venv-peers``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from _harness import ROOT, Session, say

__all__ = ["PEERS", "PeerError", "make_environment", "peer_python"]

PEERS: dict[str, tuple[str, ...]] = {
    "tf-keras": ("tensorflow==2.21.0", "tf-keras==2.21.0", "tensorflow-model-optimization==0.8.1"),
}
"""What each environment holds. TFMOT needs Keras 2, which TensorFlow 2.21 finds as tf-keras."""


class PeerError(Exception):
    """A peer's environment cannot be made here, most often because nothing can be downloaded."""


def peer_python(session: Session, name: str) -> Path | None:
    """Gives the interpreter of a peer's environment, and makes the environment where it is missing.

    Returns:
        None where peers are not wanted or, in a quick run, not to be had.
    """
    if session.options.no_peers:
        session.note(f"Without the peer {name}: --no-peers was given.")
        return None
    try:
        return make_environment(name, PEERS[name], ROOT / ".venv-peers")
    except PeerError as error:
        if session.quick:
            session.note(f"Without the peer {name}: {error}")
            return None
        raise SystemExit(f"{error} Or measure Trimtab's side alone, with --no-peers.") from None


def make_environment(name: str, requirements: tuple[str, ...], parent: Path) -> Path:
    """Makes a virtual environment that holds `requirements`, unless it is there; gives its interpreter.

    Raises:
        PeerError: it cannot be made; nothing half-made counts as made.
    """
    folder = parent / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    made, wanted = folder / "requirements.txt", "\n".join(requirements) + "\n"
    if made.is_file() and made.read_text("utf-8") == wanted and python.exists():
        return python
    say(f"Making the environment of the peer {name}: {', '.join(requirements)}")
    shutil.rmtree(folder, ignore_errors=True)
    uv = _uv()
    if uv is not None:
        _call([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], name)
        _call([uv, "pip", "install", "--quiet", "--python", str(python), *requirements], name)
    else:
        _call([sys.executable, "-m", "venv", str(folder)], name)
        _call([str(python), "-m", "pip", "install", "--quiet", *requirements], name)
    made.write_text(wanted, "utf-8")  # last: an environment without it is made anew
    return python


def _uv() -> str | None:
    """Finds uv beside this interpreter or on the path; it is many times faster than pip."""
    beside = Path(sys.executable).with_name("uv.exe" if os.name == "nt" else "uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def _call(command: list[str], name: str) -> None:
    """Runs one step of making an environment."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=1800)
    except (OSError, subprocess.SubprocessError) as error:
        output = str(getattr(error, "stderr", None) or error).strip().splitlines()
        reason = output[-1].strip() if output else type(error).__name__
        raise PeerError(
            f"The environment of the peer {name} cannot be made ({reason}). "
            "Check that packages can be downloaded and that the disk has 2 GB free."
        ) from error

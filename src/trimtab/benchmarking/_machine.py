"""What numbers were measured on: the processor, the memory. Nothing personal.

No backend is imported to find out: a run records these before it has done anything.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["machine"]

# The instructions that decide how fast a network runs, as the systems name them.
_FLAGS = (
    "avx",
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "neon",
    "asimd",
    "asimddp",
    "asimdhp",
    "i8mm",
    "sve",
    "sve2",
    "sme",
)


def machine() -> dict[str, Any]:
    """Describes this computer: what the measurements depend on, and no name, user or path.

    Returns:
        ``cpu`` (model), ``architecture``, ``cores`` (logical ones this process may use), ``flags`` (the
        vector instructions that matter), ``memory_bytes`` (None where the system does not say), ``system``
        and ``python``.
    """
    information = _cpu_information()
    known = set(information["flags"].lower().replace(".", "_").split())
    if "asimd" in known:
        known.add("neon")  # 64-bit Linux on ARM calls NEON by its newer name
    return {
        "cpu": information["model"] or platform.processor() or platform.machine() or "unknown",
        "architecture": platform.machine(),
        "cores": _cores(),
        "flags": [flag for flag in _FLAGS if flag in known],
        "memory_bytes": _memory(),
        "system": _system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _system() -> str:
    """Names the operating system, and on Linux the distribution rather than a kernel somebody built."""
    if platform.system() == "Linux":
        try:
            return f"Linux ({platform.freedesktop_os_release()['PRETTY_NAME']})"
        except (OSError, KeyError):
            return "Linux"
    return f"{platform.system()} {platform.release()}"


def _cores() -> int:
    """Counts the logical cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int | None:
    """Gives the bytes of main memory, where the system says."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _cpu_information() -> dict[str, str]:
    """Gives the processor's model and flags, each empty where the system does not say."""
    if sys.platform == "darwin":
        return {
            "model": _sysctl("machdep.cpu.brand_string"),
            "flags": " ".join(
                _sysctl(name) for name in ("machdep.cpu.features", "machdep.cpu.leaf7_features")
            )
            + (" neon" if platform.machine() == "arm64" else ""),
        }
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {"model": "", "flags": ""}
    return _parse_cpuinfo(text)


def _parse_cpuinfo(text: str) -> dict[str, str]:
    """Reads the model and the flags of the first processor in the text of Linux' /proc/cpuinfo."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip().lower(), value.strip())
    return {
        "model": fields.get("model name") or fields.get("hardware") or fields.get("cpu") or "",
        "flags": fields.get("flags") or fields.get("features") or "",
    }


def _sysctl(name: str) -> str:
    """Asks macOS for one fact; an empty string where it has no answer."""
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed program with fixed arguments
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()

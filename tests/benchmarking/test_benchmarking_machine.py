from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from trimtab._records import to_plain
from trimtab.benchmarking import machine, versions
from trimtab.benchmarking._machine import _parse_cpuinfo

PROGRAM = """
import json, sys
from trimtab.benchmarking import machine, versions
machine(); found = versions()
loaded = [name for name in ("keras", "tensorflow", "jax", "torch", "scipy.stats") if name in sys.modules]
print(json.dumps({"versions": found, "loaded": loaded}))
"""


def test_no_backend_is_loaded_to_find_out() -> None:
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    found = json.loads(answer.stdout)
    assert found["loaded"] == []
    assert found["versions"]["keras"].startswith("3.")
    assert found["versions"]["ai-edge-litert"]


def test_backend_of_a_loaded_keras() -> None:
    import keras

    found = versions()
    assert found["backend"] == keras.config.backend()
    assert found["keras"] == keras.__version__


def test_machine_says_what_numbers_depend_on() -> None:
    found = machine()
    assert set(found) == {"cpu", "architecture", "cores", "flags", "memory_bytes", "system", "python"}
    assert found["cpu"]
    assert found["cores"] >= 1
    assert to_plain(found) == found


def test_machine_says_nothing_personal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "node", lambda: "secret-host")
    for name in ("HOME", "LOGNAME", "USER", "HOSTNAME"):
        monkeypatch.setenv(name, "/secret-place")
    text = json.dumps([machine(), versions()])
    assert "secret" not in text
    assert sys.prefix not in text


@pytest.mark.parametrize(
    ("text", "model", "flag"),
    [
        ("processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 avx512_vnni\n", "Some CPU", "avx2"),
        (
            "processor\t: 0\nFeatures\t: fp asimd asimddp\n\nHardware\t: Raspberry Pi\n",
            "Raspberry Pi",
            "asimddp",
        ),
    ],
)
def test_cpuinfo_of_both_families(text: str, model: str, flag: str) -> None:
    found = _parse_cpuinfo(text)
    assert found["model"] == model
    assert flag in found["flags"].split()


def test_unreadable_cpuinfo_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert machine()["flags"] == []

"""The benchmark of runtimes goes through the whole of itself; nothing is said about how fast it was."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_runtimes(tmp_path: Path) -> None:
    words = [sys.executable, str(ROOT / "benchmarks" / "runtimes.py"), "--quick", "--out", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    record = json.loads((tmp_path / "runtimes.json").read_text())
    runtimes = ["LiteRT"]
    for runtime, packages in (("ONNX Runtime", ("onnxruntime", "tf2onnx")), ("OpenVINO", ("openvino",))):
        if all(importlib.util.find_spec(package) for package in packages):
            runtimes.append(runtime)
        else:
            assert any(runtime in note for note in record["notes"])
    (table,) = record["tables"]
    files = {
        numbers: [line[2] for line in table["rows"] if line[1] == numbers] for numbers in ("float", "int8")
    }
    assert files["float"] == runtimes
    assert [name for name in files["int8"] if "," not in name] in (
        runtimes,
        runtimes[:-1],
    )  # NNCF may be missing
    assert ("OpenVINO, LiteRT's file" in files["int8"]) == ("OpenVINO" in runtimes)
    by_name = dict(zip(table["headings"], zip(*table["rows"], strict=True), strict=True))
    assert all(float(share) > 90 for share in by_name["same answer as Keras (%)"])
    assert len({row["group"] for row in record["rows"]}) == 2
    for row in record["rows"]:
        assert min(row["samples"]) > 0
        assert (row["ratio"] is None) == (row["name"] == "LiteRT")
        assert (row["target"] is not None) == ("int8" in row["group"] and row["name"] != "LiteRT")
    if len(runtimes) == 1:
        pytest.skip("only LiteRT is installed: the others were left out, and it was said")

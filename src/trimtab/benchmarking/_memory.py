"""Peak memory of a LiteRT interpreter, measured in fresh processes that hold nothing else."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from trimtab.benchmarking._measurement import Measurement

__all__ = ["interpreter_memory"]

_PROBE = Path(__file__).with_name("_memory_probe.py")
_TIMEOUT = 120


def interpreter_memory(path: Path, threads: int = 1, repeats: int = 3) -> Measurement:
    """Measures how much memory a process needs to load a file and run it.

    Args:
        path: of the `.tflite` file.
        threads: of the interpreter.
        repeats: how many processes to measure in.

    Returns:
        The median in bytes; without a value, and with the reason, where memory cannot be measured.
    """
    # Memory does not compete as time does, so the processes run at once.
    command = [sys.executable or "python3", "-P", str(_PROBE), str(path.resolve()), str(threads)]
    try:
        processes = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603
            for _ in range(repeats)
        ]
    except OSError as error:
        return _unmeasured(f"no process could be started ({error.strerror})")
    try:
        return _summarised([_answer(process) for process in processes])
    finally:  # after Ctrl-C, no process outlives the measurement
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def _answer(process: subprocess.Popen[bytes]) -> dict[str, int] | str:
    """Waits for one process; gives what it measured, or why it did not."""
    with process:
        try:
            output, complaints = process.communicate(timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            return f"the measuring process took more than {_TIMEOUT} s"
    if process.returncode != 0:
        last = complaints.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        return f"the measuring process failed: {last[0]}"
    try:
        answer = json.loads(output)
        return {name: int(answer[name]) for name in ("first", "second")}
    except (ValueError, KeyError, TypeError):  # a library that speaks on stdout, in whatever encoding
        said = output.decode(errors="replace").strip()
        return f"the measuring process gave no numbers but {said[:80]!r}"


def _summarised(answers: list[dict[str, int] | str]) -> Measurement:
    """Gives the median of what the processes measured."""
    for answer in answers:
        if isinstance(answer, str):
            return _unmeasured(answer)
    measured = [answer for answer in answers if not isinstance(answer, str)]
    own = [answer["second"] for answer in measured]
    runtime = statistics.median(max(answer["first"] - answer["second"], 0) for answer in measured)
    return Measurement(
        name="peak_memory_bytes",
        value=int(statistics.median(own)),
        unit="bytes",
        method=(
            "Growth of the peak resident memory of a process that holds only the LiteRT runtime, while "
            f"the file is loaded and run 5 times; median of {len(own)} such processes. "
            f"The code of the runtime took {runtime / 1e6:.1f} MB more, once."
        ),
    )


def _unmeasured(reason: str) -> Measurement:
    """Says why there is no number."""
    return Measurement("peak_memory_bytes", None, "bytes", method=f"Not measured: {reason}.")

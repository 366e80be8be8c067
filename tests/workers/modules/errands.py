"""What the tests' workers do: functions that need neither Keras nor seconds."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from trimtab.errors import OutputError
from trimtab.workers import Context


def _count(arguments: dict[str, Any]) -> None:
    """Leaves a mark each time a job is begun, in a file that all workers see."""
    if "marks" in arguments:
        with Path(arguments["marks"]).open("a") as file:
            file.write(f"{os.getpid()}\n")


def add(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    _count(arguments)
    (context.out / "deep").mkdir()
    (context.out / "deep" / "sum.txt").write_text(str(sum(arguments["numbers"])))
    return {"sum": sum(arguments["numbers"]), "pair": (1, 2), "seen": arguments}


def mean(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    (name,) = context.shared
    array = context.shared[name]
    return {"mean": float(array.mean()), "writeable": array.flags.writeable, "dtype": str(array.dtype)}


def read(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    return {name: path.read_text() for name, path in context.files.items()}


def fail(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    raise ValueError("the weights\nare heavy")


def leave(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    sys.exit("enough")


def write_to_full_disk(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    if Path(arguments["freed"]).exists():
        return {"written": True}
    if arguments["ours"]:
        raise OutputError("The disk is full: model.keras was not written. Free some space and run again.")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "model.keras")


def no_data(arguments: dict[str, Any], context: Context) -> Any:
    return {"function": fail}


def speak(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    print("épochs go by")
    print("a warning", file=sys.stderr)
    if arguments.get("native"):
        os.write(1, b"native words\n")
    return {}


def climb(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    """Takes steps, each reported, until told to stop."""
    step = 0
    for step in range(1, arguments["steps"] + 1):
        context.report({"step": step})
        end = time.monotonic() + arguments.get("seconds", 0)
        while not (told := context.stopped()) and time.monotonic() < end:
            time.sleep(0.01)
        if told:
            break
    (context.folder / "checkpoint").write_text(str(step))
    return {"step": step}


def resume(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    """Dies at the first attempt, after its checkpoint; goes on from there at the second."""
    checkpoint = context.folder / "checkpoint"
    if not checkpoint.exists():
        (context.out / "half").touch()
        checkpoint.write_text("7")
        os.kill(os.getpid(), signal.SIGKILL)
    return {"from": int(checkpoint.read_text())}


def die(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    _count(arguments)
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def tick(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    """Counts in a file, for ever; starts a child that counts in another, if it is to."""
    if "child" in arguments:
        code = f"import errands; errands.tick({{'file': {arguments['child']!r}}}, None)"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.Popen([sys.executable, "-c", code], env=environment)
    with Path(arguments["file"]).open("a") as file:
        file.write(f"{os.getpid()}\n")
        file.flush()
        while True:
            file.write(".")
            file.flush()
            time.sleep(0.005)


def threads(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "cores": cores,
        "threads": os.environ["TF_NUM_INTRAOP_THREADS"],
        "omp": os.environ["OMP_NUM_THREADS"],
    }


def large(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    import numpy as np

    np.save(context.out / "array.npy", np.arange(arguments["size"]))
    return {"blob": "x" * arguments["size"]}


def linger(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    """Says on which node of a Ray cluster it is, waits for a file, and reports once, at the end."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    with Path(arguments["marks"]).open("a") as file:
        file.write(f"{node} {os.getpid()}\n")
    while not Path(arguments["gate"]).exists():
        time.sleep(0.02)
    (context.out / "done").write_text(context.key)
    context.report({"node": node})
    return {"node": node}

"""PyTorch: an exported program of ATen operators, which torch loads without Keras."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trimtab.exporting._formats._exporter import Answers, Exporter, in_batches, library

__all__ = ["TORCH"]


def _write(model: keras.Model, path: Path, image_shape: tuple[int, int, int]) -> None:
    """Writes the model through `torch.export`; the batch stays open.

    Not through Keras' own exporter: that hands the model over as a module with parameters, while its layers
    compute with tensors of their own, so that the file holds every weight twice (Keras 3.15). A bare
    function of the images holds them once.
    """
    torch = library("torch")

    class Bare(torch.nn.Module):  # type: ignore[name-defined]
        def forward(self, images: Any) -> Any:
            return model(images, training=False)

    # Two images: a batch of one would be taken for a constant.
    program = torch.export.export(
        Bare(),
        (torch.zeros((2, *image_shape)),),
        strict=False,
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
    )
    for node in program.graph.nodes:
        # Where each operator came from, with the folders of this machine: nobody's business, and half of a
        # small file.
        for origin in ("stack_trace", "nn_module_stack", "torch_fn"):
            node.meta.pop(origin, None)
    torch.export.save(program, str(path))


def _run(path: Path, images: np.ndarray) -> Answers:
    """Loads the program that was just written, runs it, and weighs what it stores."""
    torch = library("torch")
    program = torch.export.load(str(path))
    call = program.module()

    def answer(some: np.ndarray) -> Any:
        with torch.no_grad():
            return call(torch.from_numpy(np.ascontiguousarray(some))).cpu().numpy()

    stored = [*program.state_dict.values(), *program.constants.values()]
    arrays = [value.detach().cpu().numpy() for value in stored if isinstance(value, torch.Tensor)]
    with _one_thread(torch):
        answers = in_batches(answer, images)
    return Answers.weighed(answers, [values for values in arrays if values.dtype.kind == "f"])


@contextlib.contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Computes on one thread in the block: where Keras is on torch, it is the process of a training."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


TORCH = Exporter(
    name="torch",
    title="PyTorch",
    ending=".pt2",
    parts=(),
    extra="torch",
    packages=("torch",),
    backend="torch",
    write=_write,
    run=_run,
)
"""Needs Keras on torch: where it runs on another backend, a process of its own does it."""

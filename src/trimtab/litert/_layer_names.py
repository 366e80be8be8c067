"""Which Keras layers a tensor of a file came from, read off its name."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["components", "owners", "suffix"]


def components(name: str) -> set[str]:
    """Returns the layer and operator names that a tensor's name is made of."""
    return {part for path in name.split(";") for part in path.split("/")}


def suffix(model: str, tensors: Iterable[str]) -> str | None:
    """Returns what TensorFlow appended to the names of layers to keep them apart: "" or "_1".

    Args:
        model: the model's name.
        tensors: names of the file's tensors.

    Returns:
        The suffix; None where no tensor is named after the model.
    """
    for name in tensors:
        for part in components(name):
            if part == model or (part.startswith(f"{model}_") and part[len(model) + 1 :].isdigit()):
                return part[len(model) :]
    return None


def owners(name: str, layers: Iterable[str], end: str) -> list[str]:
    """Returns those of `layers` that a tensor is named after; `end` is what `suffix` returned.

    Where a layer's name with its ending is another layer's name (``dense`` and ``dense_1``), TensorFlow
    counts on: the ending is another number then.
    """
    parts = components(name)
    found = [layer for layer in layers if f"{layer}{end}" in parts]
    if found or not end:
        return found
    return [layer for layer in layers if any(_counted_on(part, layer) for part in parts)]


def _counted_on(part: str, layer: str) -> bool:
    """Says whether a name is that of a layer with any number behind it."""
    return part.startswith(f"{layer}_") and part[len(layer) + 1 :].isdigit()

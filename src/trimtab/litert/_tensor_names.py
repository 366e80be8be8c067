"""What to call the tensors of a file that has no names: after the operators that make and read them."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["names_by_operators"]

_ROLES = {
    "CONV_2D": ("input", "kernel", "bias"),
    "DEPTHWISE_CONV_2D": ("input", "kernel", "bias"),
    "FULLY_CONNECTED": ("input", "kernel", "bias"),
    "TRANSPOSE_CONV": ("shape", "kernel", "input", "bias"),
}


def names_by_operators(
    count: int, operators: Sequence[tuple[str, Sequence[int], Sequence[int]]]
) -> tuple[str, ...]:
    """Names tensors after operators, such as ``"conv_2d_0/kernel"``.

    Args:
        count: how many tensors there are.
        operators: name, inputs and outputs of each operator, in the order in which they run; -1 is an input
            that was left out.

    Returns:
        A name for each tensor. An operator's outputs bear its name, constants that of their first reader;
        what no operator makes or reads is called ``"tensor_7"``.

    Example:
        >>> names_by_operators(4, [("CONV_2D", (0, 1, -1), (2,))])
        ('conv_2d_0/input', 'conv_2d_0/kernel', 'conv_2d_0/output', 'tensor_3')
    """
    names = [""] * count
    for number, (operator, inputs, outputs) in enumerate(operators):
        roles = _ROLES.get(operator, ())
        for place, tensor in enumerate(inputs):
            if 0 <= tensor < count and not names[tensor]:
                role = roles[place] if place < len(roles) else f"input_{place}"
                names[tensor] = f"{operator.lower()}_{number}/{role}"
        for place, tensor in enumerate(outputs):
            if 0 <= tensor < count and not names[tensor]:
                names[tensor] = f"{operator.lower()}_{number}/output" + (f"_{place}" if place else "")
    return tuple(name or f"tensor_{at}" for at, name in enumerate(names))

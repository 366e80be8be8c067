"""Which quantizer rounded what a layer is given: the file's integers cannot be known without its step."""

from __future__ import annotations

from typing import Any

from trimtab import _keras_internals
from trimtab.quantization._fake_quantizer import FakeQuantizer
from trimtab.quantization._register import keeps_range

__all__ = ["Sources"]


class Sources:
    """The quantizers that a layer's input came from, noted as the graph is built; hidden from Keras."""

    def __init__(self) -> None:
        self._found: list[Any] = []

    def note(self, tensor: Any) -> None:
        """Looks back from a symbolic tensor, through layers that only move numbers about."""
        self.add(_quantizer_of(tensor))

    def add(self, quantizer: Any) -> None:
        """Notes a quantizer, or with None that there is one that is not known."""
        if all(quantizer is not known for known in self._found):
            self._found.append(quantizer)

    @property
    def only(self) -> Any:
        """The quantizer; None where there is none, or where several calls have several."""
        return self._found[0] if len(self._found) == 1 else None


def _quantizer_of(tensor: Any) -> Any:
    """Returns the quantizer that a symbolic tensor came from; None for any other tensor."""
    made = _keras_internals.made_by(tensor)
    while made is not None:
        operation, inputs = made
        if isinstance(operation, FakeQuantizer):
            return operation
        if not inputs or not keeps_range(operation):
            return None
        made = _keras_internals.made_by(inputs[0])
    return None

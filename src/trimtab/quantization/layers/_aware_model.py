"""The model that quantized layers stand in: it shows the converter plain operations, and nobody else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Self

import keras

from trimtab import _keras_internals

__all__ = ["QuantizeAwareModel", "for_conversion"]

_KEPT_FLOAT = "kept_float"


@keras.saving.register_keras_serializable("trimtab")
class QuantizeAwareModel(keras.Model):
    """A Functional model with fake-quantizers in it.

    It is built, trained, saved and loaded as any Functional model. Only `export` differs: what it writes has
    the operations that LiteRT's converter knows, where the model itself computes as the file will.
    """

    def export(self, *args: Any, **options: Any) -> Any:
        """Writes the model in an exchange format; see `keras.Model.export`."""
        with for_conversion(self):
            return super().export(*args, **options)

    def get_config(self) -> dict[str, Any]:
        """Returns the config of a Functional model, and which layers without weights are float on purpose."""
        marked = [layer.name for layer in self.layers if getattr(layer, "kept_float", False)]
        return {**super().get_config(), **({_KEPT_FLOAT: marked} if marked else {})}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Makes the model from its config."""
        rest = dict(config)
        marked = rest.pop(_KEPT_FLOAT, ())
        model: Self = super().from_config(rest, custom_objects)
        for layer in model.layers:
            if layer.name in marked:
                layer.kept_float = True  # by which the check of the file knows it
        return model


@contextlib.contextmanager
def for_conversion(model: keras.Model) -> Iterator[None]:
    """Makes quantized layers compute in the operations that LiteRT's converter knows, inside the block.

    For a model around an aware one, which Keras exports through its own `export`.
    """
    layers = [layer for layer in _keras_internals.all_layers(model) if hasattr(type(layer), "converting")]
    try:
        for layer in layers:
            layer.converting = True
        yield
    finally:
        for layer in layers:
            layer.converting = False

"""Whether a model has a graph that can be followed."""

from __future__ import annotations

import keras

from trimtab import _keras_internals
from trimtab.errors import ModelError

__all__ = ["check_has_graph"]


def check_has_graph(model: keras.Model, what: str) -> None:
    """Makes sure that the graph of a model can be followed.

    Args:
        model: any Keras model.
        what: what is to be followed, for the message: ``"channels"``.

    Raises:
        ModelError: the model is not built, or is a class whose own code runs, so that it has no graph.
    """
    if not model.built:
        raise ModelError(
            f"The model {model.name!r} has no weights yet: call it on one batch of images first, "
            "or give it an Input layer."
        )
    if _keras_internals.graph_of(model) is None:
        raise ModelError(
            f"The {what} of {model.name!r} cannot be followed: it is a class of its own "
            f"({type(model).__name__}) whose code has no graph. Build it as keras.Sequential([...]) or as "
            "keras.Model(inputs, outputs)."
        )

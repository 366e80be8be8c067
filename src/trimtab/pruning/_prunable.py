"""Which weights may be pruned: the kernels of dense and convolutional layers.

Biases, batch normalisation and embeddings are never pruned: they are small, or each of their numbers
carries much. A layer class of one's own says which weights of it may be pruned::

    @trimtab.pruning.prunable_weights.register(MyLayer)
    def _(layer):
        return (layer.projection,)
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from trimtab import _keras_internals
from trimtab.errors import ConfigError, ModelError, nearest

__all__ = ["PrunableWeight", "check_model", "choose_weights", "find_weights", "prunable_weights"]


@functools.singledispatch
def prunable_weights(layer: Any) -> tuple[Any, ...]:  # noqa: ARG001
    """Returns the weights of a layer that may be pruned; register a function for your layer class.

    The class decides, and a subclass does as its parent does. A layer whose class (or a parent of it)
    is not registered has none of its own, but the layers inside it are asked in turn.

    Args:
        layer: a built Keras layer.

    Returns:
        Its weights (`keras.Variable`) that may be pruned.
    """
    return ()


@prunable_weights.register(keras.layers.Dense)
@prunable_weights.register(keras.layers.EinsumDense)
@prunable_weights.register(keras.layers.Conv1D)
@prunable_weights.register(keras.layers.Conv2D)
@prunable_weights.register(keras.layers.Conv3D)
@prunable_weights.register(keras.layers.Conv1DTranspose)
@prunable_weights.register(keras.layers.Conv2DTranspose)
@prunable_weights.register(keras.layers.Conv3DTranspose)
@prunable_weights.register(keras.layers.DepthwiseConv1D)
@prunable_weights.register(keras.layers.DepthwiseConv2D)
def _kernel(layer: Any) -> tuple[Any, ...]:
    """Returns the kernel, looked up by name: the attribute of an adapted (LoRA) layer is no variable."""
    return tuple(weight for weight in layer.weights if weight.name == "kernel")


@prunable_weights.register(keras.layers.SeparableConv1D)
@prunable_weights.register(keras.layers.SeparableConv2D)
def _two_kernels(layer: Any) -> tuple[Any, ...]:
    """Returns the depthwise and the pointwise kernel."""
    return (layer.depthwise_kernel, layer.pointwise_kernel)


@dataclasses.dataclass(frozen=True, eq=False)
class PrunableWeight:
    """One weight that may be pruned, and where it sits in the model."""

    layer: str  # name of the layer; inside nested models and layers "outer/inner"
    variable: Any

    @property
    def name(self) -> str:
        """Name of the weight inside its layer, such as ``"kernel"``."""
        return str(self.variable.name)

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(np.prod(self.variable.shape))

    def zeros(self) -> int:
        """Counts the numbers that are zero."""
        return self.size - int(np.count_nonzero(_as_numpy(self.variable)))


def find_weights(model: keras.Model) -> tuple[list[PrunableWeight], list[tuple[str, str]]]:
    """Finds each weight of a model that may be pruned, and says why the other layers have none.

    Args:
        model: a built Keras 3 model.

    Returns:
        The weights in the order of the layers, and (layer name, reason) of layers without any.
    """
    found: list[PrunableWeight] = []
    skipped: list[tuple[str, str]] = []
    seen: set[int] = set()
    for name, layer in _leaves(model, ""):
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        weights = [w for w in prunable_weights(layer) if "float" in keras.backend.standardize_dtype(w.dtype)]
        found += [PrunableWeight(name, weight) for weight in weights]
        if not weights and layer.weights:
            skipped.append((name, f"{type(layer).__name__} has no kernel that may be pruned"))
    return found, skipped


def choose_weights(
    model: keras.Model, layers: Sequence[str] | None = None, exclude: Sequence[str] = ()
) -> tuple[list[PrunableWeight], list[tuple[str, str]]]:
    """Chooses the weights of a model to prune.

    Args:
        model: a built Keras 3 model.
        layers: names of the layers to prune; the name of a nested model means all layers in it. None:
            each layer that may be pruned.
        exclude: names of layers to leave alone, in the same manner.

    Returns:
        The weights, and (layer name, reason) of each layer with weights that is left alone.

    Raises:
        ConfigError: a name is unknown, or nothing is left to prune.
        ModelError: the model is not a built Keras 3 model, or a weight holds NaN.
    """
    check_model(model)
    found, skipped = find_weights(model)
    names = {part for name in [w.layer for w in found] + [n for n, _ in skipped] for part in _parts(name)}
    for asked in (*_names(layers, "layers"), *_names(exclude, "exclude")):
        if asked not in names:
            raise ConfigError(
                f"The model {model.name!r} has no layer {asked!r} with weights.{nearest(asked, names)} "
                f"It has: {', '.join(sorted({w.layer for w in found})) or 'none that may be pruned'}."
            )
    trainable = {id(variable) for variable in model.trainable_variables}
    chosen: list[PrunableWeight] = []
    for weight in found:
        reason = _reason(weight, layers, exclude, trainable)
        if reason is None:
            chosen.append(weight)
        elif (weight.layer, reason) not in skipped:
            skipped.append((weight.layer, reason))
    if not chosen:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped) or "it has no weights"
        raise ConfigError(f"Nothing is left to prune in the model {model.name!r} ({reasons}).")
    for weight in chosen:
        if np.isnan(_as_numpy(weight.variable)).any():
            raise ModelError(
                f"The weight {weight.name!r} of layer {weight.layer!r} holds NaN, so the model is broken. "
                "Train it again with a lower learning rate, or load an earlier state."
            )
    return chosen, skipped


def check_model(model: Any) -> None:
    """Raises `ModelError` unless `model` is a Keras 3 model whose weights exist."""
    if not isinstance(model, keras.Model):
        module = type(model).__module__
        if module.startswith(("tf_keras", "tensorflow.python.keras", "keras.engine", "keras.src.engine")):
            raise ModelError(
                f"The model is a Keras 2 model ({module}), but Trimtab works on Keras 3 models. "
                "Save it as .h5 and load the file with trimtab.load_model, and unset TF_USE_LEGACY_KERAS."
            )
        raise ModelError(f"A Keras 3 model is needed, but got {type(model).__name__}.")
    # A deferred model may call itself built while layers of it have no weights yet.
    if not model.built or not model.weights:
        raise ModelError(
            f"The model {model.name!r} has no weights yet. Call it once on a batch of images, "
            "or give it an Input layer."
        )


def _leaves(layer: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Walks to the layers whose own weights count: registered ones, and those with no layers inside."""
    for child in _keras_internals.sublayers(layer):
        name = f"{path}{child.name}"
        registered = prunable_weights.dispatch(type(child)) is not prunable_weights.dispatch(object)
        if registered or not _keras_internals.sublayers(child):
            yield name, child
        else:
            yield from _leaves(child, f"{name}/")


def _reason(
    weight: PrunableWeight, layers: Sequence[str] | None, exclude: Sequence[str], trainable: set[int]
) -> str | None:
    """Says why a weight that may be pruned is left alone; None if it is not."""
    parts = _parts(weight.layer)
    if layers is not None and not parts & set(layers):
        return "not among the layers asked for"
    if parts & set(exclude):
        return "excluded"
    return None if id(weight.variable) in trainable else "frozen (trainable=False)"


def _parts(name: str) -> set[str]:
    """Returns what "a/b/c" may be called by: its path, and each name and path it lies under."""
    pieces = name.split("/")
    return set(pieces) | {"/".join(pieces[: end + 1]) for end in range(len(pieces))}


def _names(value: Sequence[str] | None, argument: str) -> Sequence[str]:
    """Returns the names asked for; raises `ConfigError` where they are no list of names."""
    if isinstance(value, str) or not all(isinstance(name, str) for name in value or ()):
        raise ConfigError(f"{argument} needs a list of layer names, such as ['dense'], but got {value!r}.")
    if value is not None and argument == "layers" and not value:
        raise ConfigError("layers is an empty list: give the names of layers to prune, or None for all.")
    return value or ()


def _as_numpy(variable: Any) -> np.ndarray:
    """Returns the values as a float32 or float64 array (NumPy has no bfloat16)."""
    # Through the backend's value: Keras' own conversion of a variable makes NumPy 2 warn.
    values = np.asarray(keras.ops.convert_to_numpy(variable.value))
    return values if values.dtype == np.float64 else values.astype(np.float32)

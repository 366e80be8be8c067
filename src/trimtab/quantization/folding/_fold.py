"""The verb: one flat model in place of any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import keras

from trimtab.quantization.folding._absorb import absorb, mark
from trimtab.quantization.folding._activations import recognize_hard_swish, spell_activations
from trimtab.quantization.folding._assemble import assembled
from trimtab.quantization.folding._depthwise import as_depthwise
from trimtab.quantization.folding._flatten import flattened
from trimtab.quantization.folding._network import Taken
from trimtab.quantization.folding._operators import as_layers
from trimtab.quantization.folding._splitting import split

__all__ = ["Folded", "fold"]


@dataclass(frozen=True, eq=False)
class Folded:
    """A model as it is computed in a file.

    Attributes:
        model: flat (no models inside it), of ordinary Keras layers and whatever else the original had; not
            compiled.
        origin: for each of its layers, by name, the paths of the original layers that it stands for, such as
            ``{"conv1": ("base/conv1", "base/bn1")}``.
        notes: what else was done, in plain sentences.
        kept: original layers that should have been rewritten but could not, by path, with the reason; they
            stay as they are.
        taken: what kernels have taken in, by the name of a layer of `model`.
    """

    model: keras.Model
    origin: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]
    kept: Mapping[str, str]
    taken: Mapping[str, Taken] = field(default_factory=dict, repr=False)


def fold(model: keras.Model, *, images: bool = True) -> Folded:
    """Makes a flat model of ordinary layers that gives the same, with batch normalisation folded away.

    At inference a batch normalisation is a factor and an offset for each channel. The convolution or dense
    layer before it (or after it, where nothing is padded) takes both into its kernel and bias (Jacob et al.
    2018, section 3.2), also past dropout, pooling and the like, and so it does with `Rescaling`,
    `Normalization` and constants that are added or multiplied. What cannot be taken in becomes a depthwise
    convolution of one pixel, which a converter quantizes. Nested models are opened, activations inside layers
    become layers, separable convolutions become two, and operators of `keras.ops` become layers where there
    are such. Layers that are called twice still are. The given model stays as it is.

    Regularizers and constraints of kernels that have changed are dropped: they were meant for other numbers.

    Args:
        model: a built Functional or Sequential model; nested ones are opened.
        images: whether the first layer may take in what scales the images. A kernel for pixels of 0 to 255
            has tiny weights, on which large steps of training do more harm; False keeps their scaling apart.

    Returns:
        The model, what its layers stand for, and what was left.

    Raises:
        ModelError: the model is not built or has no graph, or a layer cannot be made again from its config.

    Example:
        >>> folded = trimtab.quantization.fold(keras.applications.MobileNetV2(weights=None))
        >>> folded.origin["Conv1"]
        ('Conv1', 'bn_Conv1')
    """
    network = flattened(model)
    as_layers(network)
    split(network)
    spell_activations(network)
    mark(network)
    recognize_hard_swish(network)
    before = {part: part.origin for part in network.parts if _is_norm(part.layer)}
    left = absorb(network, images=images)
    folded = sum(part not in left for part in before)
    if folded:
        what = "batch normalisation" if folded == 1 else "batch normalisations"
        network.notes.insert(0, f"{folded} {what} became part of the layers beside them.")
    as_depthwise(network, left)
    network.sweep()
    made, names = assembled(network, model)
    return Folded(
        made,
        MappingProxyType({name: part.origin for part, name in names.items()}),
        tuple(network.notes),
        MappingProxyType(network.kept),
        MappingProxyType({name: part.taken for part, name in names.items()}),
    )


def _is_norm(layer: object) -> bool:
    """Says whether this is a batch normalisation."""
    return isinstance(layer, keras.layers.BatchNormalization)

"""Models without some of their channels."""

from __future__ import annotations

import keras

from trimtab.channels._graph import find_groups
from trimtab.channels._groups import ChannelGraph
from trimtab.channels._narrowing import narrowed
from trimtab.channels._places import weight_pairs
from trimtab.channels._slicing import Keep, Slicing
from trimtab.errors import ModelError
from trimtab.models._clone import config_of, remade, settle

__all__ = ["remove"]


def remove(model: keras.Model | ChannelGraph, keep: Keep) -> keras.Model:
    """Makes a smaller model: an ordinary Keras model that lacks the channels not kept.

    Class, names of layers, nesting, shared layers, frozen layers, data types and regularisers are those of
    the given model; only ``filters``, ``units`` and the like are smaller, and the weights are those of the
    channels that stay. Where the channels that go held nothing but zeros, the outputs stay what they were.
    The given model stays as it is.

    Args:
        model: a built Functional or Sequential model; or its groups, where `find_groups` has found them
            already.
        keep: the units that stay, by the name of their group: indices (at least one), or a boolean for
            each unit. Groups that are not named stay whole.

    Returns:
        The smaller model, not compiled. `Slicing` takes from an optimizer's state what goes with it.

    Raises:
        ConfigError: a group is unknown or locked, or its units make no sense.
        ModelError: the model has no graph, or cannot be made again with fewer channels; the message names
            the layer.

    Example:
        >>> graph = find_groups(model)
        >>> smaller = remove(graph, {"conv_1": range(12), "conv_2": scores > 0.1})
    """
    graph = model if isinstance(model, ChannelGraph) else find_groups(model)
    slicing = Slicing(graph, keep)
    config = narrowed(config_of(graph.model), graph, slicing)
    try:
        smaller = remade(config, graph.model)
    except ModelError as error:
        raise _not_removed(graph, keep, error) from error
    _fill(graph.model, smaller, slicing)
    return smaller


def _fill(model: keras.Model, smaller: keras.Model, slicing: Slicing) -> None:
    """Gives the smaller model the weights of what stays."""
    for path, weight, twin in weight_pairs(model, smaller):
        shape = slicing.shape(weight)
        if tuple(twin.shape) != shape:
            raise ModelError(
                f"The layer {path!r} has a {weight.name} of shape {tuple(twin.shape)} when it is made again "
                f"with fewer channels, but {shape} is left. Its config does not follow its channels: teach "
                "it with trimtab.channels.register(..., resize=...), or leave its groups whole."
            )
        twin.assign(slicing.take(weight, keras.ops.convert_to_numpy(weight)))
    settle(smaller)


def _not_removed(graph: ChannelGraph, keep: Keep, error: ModelError) -> ModelError:
    """Says which group a model cannot be made without, by trying one at a time."""
    for name, units in keep.items():
        slicing = Slicing(graph, {name: units})
        try:
            remade(narrowed(config_of(graph.model), graph, slicing), graph.model)
        except ModelError as found:
            layers = ", ".join(graph.group(name).layers)
            return ModelError(
                f"The channels of {name!r} (layers {layers}) cannot be removed: {found} "
                "Leave this group whole."
            )
    return error

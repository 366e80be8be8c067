"""Whether channels can be removed from a model, layers and rules of one's own included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from trimtab._keras_internals import all_layers
from trimtab._temporary import temporary_folder
from trimtab.channels import ChannelGraph, find_groups, remove
from trimtab.models import clone, macs, parameters
from trimtab.models._clone import settle
from trimtab.testing._demand import demand, values

__all__ = ["ChannelsCheck", "check_channels"]


@dataclass(frozen=True, eq=False)
class ChannelsCheck:
    """What `check_channels` found.

    Attributes:
        difference: largest difference of an output before and after, as a share of the largest output.
        removed: how many units went, of all that the groups have together.
        units: how many that is.
        groups: how many groups lost units.
        locked: why groups may not lose any: each reason once.
        parameters: of the model before and after.
        stirred: the model that was compared: a copy with zeros for what goes.
        smaller: the model without it.
    """

    difference: float
    removed: int
    units: int
    groups: int
    locked: tuple[str, ...]
    parameters: tuple[int, int]
    stirred: keras.Model
    smaller: keras.Model


def check_channels(
    model: keras.Model,
    *,
    share: float = 0.4,
    tolerance: float = 1e-5,
    images: Any = None,
    seed: int = 0,
    custom_objects: Mapping[str, Any] | None = None,
) -> ChannelsCheck:
    """Checks that a model without some of its channels computes what it computed while they were zero.

    In a copy, `share` of the units of each group that may be pruned are set to zero wherever they stand. What
    would hide a mistake is changed there first: weights that are all equal (fresh biases) become unequal, and
    batch normalisation gets the statistics of the images, so that their signal reaches the output. Without
    these units the model must give the same outputs, have the names, shapes and number of parameters that
    were foretold, load from its file without Trimtab, and train a step. Groups that are not `exact` are
    removed as well, in a second model whose outputs are not compared.

    Args:
        model: a built Functional or Sequential model; it stays as it is.
        share: share of each group's units that go; at least one goes and one stays.
        tolerance: largest difference of an output, as a share of the largest output.
        images: inputs (one array, or a list of them) to compare with; None: four random ones.
        seed: decides which units go, and the random inputs.
        custom_objects: what Keras needs to load the model.

    Returns:
        What was found, with both models.

    Raises:
        AssertionError: the model breaks the contract; the message says how.

    Example:
        >>> check_channels(keras.Sequential([keras.Input((8, 8, 3)), MyLayer(12), ...]))
    """
    random = np.random.default_rng(seed)
    stirred = clone(model)
    inputs = _inputs(stirred, random) if images is None else images
    _stir(stirred, random)
    _calibrate(stirred, inputs)
    graph = find_groups(stirred)
    keep = {
        group.name: _chosen(group.size, share, random)
        for group in graph.groups
        if group.locked is None and group.size > 1
    }
    exact = {group.name: keep[group.name] for group in graph.groups if group.exact and group.name in keep}
    _zero(graph, exact)
    before = values(stirred(inputs, training=False))
    smaller = remove(graph, exact)
    after = values(smaller(inputs, training=False))
    largest = float(np.abs(before).max())
    demand(np.isfinite(before).all(), f"{model.name} gives outputs that are not finite.")
    demand(
        float(np.ptp(before, axis=0).max()) > 0.01 * largest,
        f"{model.name} gives the same for every image, whatever its channels. Give other images=.",
    )
    demand(before.shape == after.shape, f"Outputs of shape {before.shape} became {after.shape}.")
    difference = float(np.abs(before - after).max()) / largest
    demand(
        difference <= tolerance,
        f"Without channels of zeros, {model.name} gives outputs that differ by {difference:.1e} of the "
        "largest.",
    )
    _check_sizes(graph, exact, smaller)
    _check_file(smaller, inputs, after, custom_objects)
    if keep != exact:
        _check_sizes(graph, keep, remove(graph, keep))
    return ChannelsCheck(
        difference=difference,
        removed=sum(int((~stay).sum()) for stay in exact.values()),
        units=graph.units,
        groups=len(exact),
        locked=tuple(dict.fromkeys(group.locked for group in graph.groups if group.locked is not None)),
        parameters=(parameters(stirred), parameters(smaller)),
        stirred=stirred,
        smaller=smaller,
    )


def _stir(model: keras.Model, random: np.random.Generator) -> None:
    """Makes weights unequal that are all equal."""
    for weight in model.weights:
        value = values(weight)
        if value.size < 2 or value.dtype.kind != "f" or value.min() != value.max():
            continue
        least = float(value.min())
        if least == 0:  # biases: far above the tolerance, but no louder than a signal that fades on its way
            value = random.normal(0, 1e-3, value.shape)
        elif abs(least) < 1e-3:  # factors that all but silence their layer
            value = random.normal(0, 0.1, value.shape)
        else:
            value = random.uniform(0.6, 1.4, value.shape) * value
        weight.assign(value)
    settle(model)


def _calibrate(model: keras.Model, inputs: Any) -> None:
    """Gives batch normalisation the statistics of the inputs."""
    layers = [layer for layer in all_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0  # nothing is left of what it had
    if layers:
        model(inputs, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _chosen(size: int, share: float, random: np.random.Generator) -> np.ndarray:
    """Chooses the units that stay."""
    stay = np.ones(size, bool)
    gone = min(max(round(size * share), 1), size - 1)
    stay[random.choice(size, gone, replace=False)] = False
    return stay


def _zero(graph: ChannelGraph, keep: Mapping[str, np.ndarray]) -> None:
    """Sets the units that go to zero, in every weight in which they stand."""
    for group in graph.groups:
        if group.name not in keep:
            continue
        for member in group.members:
            value = values(member.variable).copy()
            gone = (member.units >= 0) & ~keep[group.name][member.units]
            np.moveaxis(value, member.axis, 0)[gone] = 0
            member.variable.assign(value)


def _inputs(model: keras.Model, random: np.random.Generator) -> Any:
    """Draws four random inputs; places that the model leaves open get 32."""
    drawn = [
        random.uniform(0, 1, (4, *(size or 32 for size in tensor.shape[1:]))).astype("float32")
        for tensor in model.inputs
    ]
    return drawn[0] if len(drawn) == 1 else drawn


def _check_sizes(graph: ChannelGraph, keep: Mapping[str, np.ndarray], smaller: keras.Model) -> None:
    """Checks that the smaller model has the names and the sizes that were foretold."""
    counts = {name: int(stay.sum()) for name, stay in keep.items()}
    names = [[layer.name for layer in found.layers] for found in (graph.model, smaller)]
    demand(names[0] == names[1], "The layers of the smaller model have other names.")
    told, found = graph.parameters(counts), parameters(smaller)
    demand(told == found, f"graph.parameters foretells {told} parameters, but there are {found}.")
    cost, paid = graph.macs(counts), macs(smaller)
    demand(cost == paid, f"graph.macs foretells {cost} multiply-accumulates, but there are {paid}.")


def _check_file(smaller: keras.Model, inputs: Any, outputs: np.ndarray, custom_objects: Any) -> None:
    """Checks that the smaller model is saved and loaded by Keras alone, and that it trains a step."""
    with temporary_folder() as folder:
        smaller.save(folder / "smaller.keras")
        loaded = keras.saving.load_model(folder / "smaller.keras", custom_objects=custom_objects)
    again = values(loaded(inputs, training=False))
    demand(
        np.allclose(again, outputs, rtol=1e-5, atol=1e-6 * max(1.0, float(np.abs(outputs).max()))),
        "The smaller model gives other outputs once it was saved and loaded.",
    )
    loaded.compile(keras.optimizers.SGD(1e-3), "mse", run_eagerly=True)
    loss = loaded.train_on_batch(inputs, outputs)
    demand(np.isfinite(loss), f"The smaller model trains a step with a loss of {loss}.")

"""From a candidate to a model: fresh from the zoo, or made of the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from trimtab.compression._candidate import Baseline, Candidate, Narrowed, Network, ZooNetwork
from trimtab.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.workers import Context

__all__ = ["built"]

_MOMENTUM = 0.9


def built(candidate: Candidate, arguments: Mapping[str, Any], context: Context) -> tuple[Any, bool]:
    """Returns the model that a training of a candidate begins with, and whether its weights are fresh.

    Args:
        candidate: what to build.
        arguments: ``image_shape``, ``classes``, ``seed``; ``data`` where the baseline is narrowed.
        context: a file ``start`` goes before all; a file ``baseline`` is what narrowed networks are made of.
    """
    from trimtab import models

    if "start" in context.files:
        return models.load_model(context.files["start"]), False
    return _built(candidate.network, arguments, context)


@singledispatch
def _built(network: Network, arguments: Mapping[str, Any], context: Context) -> tuple[Any, bool]:  # noqa: ARG001
    """Builds the model of one kind of network."""
    raise ConfigError(f"there is no way to build a {type(network).__name__}.")


@_built.register(ZooNetwork)
def _zoo(network: ZooNetwork, arguments: Mapping[str, Any], context: Context) -> tuple[Any, bool]:  # noqa: ARG001
    from trimtab import zoo

    shape, classes = tuple(arguments["image_shape"]), int(arguments["classes"])
    options = {**dict(network.options), "seed": int(arguments.get("seed", 0))}
    return _settling(zoo.build(network.architecture, shape, classes, **options)), True


def _settling(model: Any) -> Any:
    """Lets moving averages follow within tens of steps, in place, and returns the model.

    With Keras' momentum of 0.99, a network that was trained for 80 steps is judged with statistics that are
    half those from before its training: short trainings would be told apart by that, and by nothing else.
    """
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, _MOMENTUM)
    return model


@_built.register(Baseline)
def _whole(network: Baseline, arguments: Mapping[str, Any], context: Context) -> tuple[Any, bool]:  # noqa: ARG001
    from trimtab import models

    return models.load_model(context.files["baseline"]), False


@_built.register(Narrowed)
def _narrowed(network: Narrowed, arguments: Mapping[str, Any], context: Context) -> tuple[Any, bool]:
    from trimtab import models
    from trimtab.channel_pruning import prune_channels
    from trimtab.compression._travelling_data import arrived

    data, _ = arrived(arguments["data"], context.shared)
    baseline = models.load_model(context.files["baseline"])
    share = f"{100 * network.parameters:.4f}%"
    narrowed = prune_channels(baseline, data, parameters=share, epochs=0, round_to=1, least=2, max_ratio=0.95)
    return narrowed.model, False

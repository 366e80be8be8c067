"""The form in which an aware model is trained: its batch normalisation not yet folded for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from trimtab import _keras_internals
from trimtab.models._clone import config_of, remade, settle
from trimtab.quantization.folding._network import Taken
from trimtab.quantization.layers import QuantizedWeights, Unfolding
from trimtab.training._sharing_optimizer import found_shared

__all__ = ["FreezeNorms", "fold_into", "training_form"]


def training_form(aware: keras.Model, taken: Mapping[str, Taken]) -> keras.Model:
    """Makes a model that gives the same, whose kernels are trained apart from what they have taken in.

    Kernels that share values stay as they are: apart from their factors they would share none, or others.

    Args:
        aware: a calibrated model with quantizers; it stays as it is.
        taken: what its kernels have taken in, by the name of a layer.

    Returns:
        The model; `aware` itself, where no kernel has taken in anything.
    """
    apart = {
        layer.name: taken[layer.name]
        for layer in aware.layers
        if layer.name in taken and _pays(layer, taken[layer.name])
    }
    if not apart:
        return aware
    config = config_of(aware)
    for entry in config["config"]["layers"]:
        options = entry["config"]
        if options.get("name") in apart:
            one = apart[options["name"]]
            options["unfolded"] = {"scale": one.scale, "norm": _options(one.norm)}
            options["use_bias"] = options["use_bias"] and one.norm is None
    form = remade(config, aware)
    for old, new in zip(aware.layers, form.layers, strict=True):
        if new.name in apart:
            _unfold(old, new, apart[new.name])
        else:
            new.set_weights(old.get_weights())
    settle(form)
    return form


def fold_into(form: keras.Model, aware: keras.Model) -> None:
    """Gives an aware model the weights that its training form has learned, folded, and compiles it alike."""
    for source, target in zip(form.layers, aware.layers, strict=True):
        if getattr(source, "unfolding", None) is None:
            target.set_weights(source.get_weights())
            continue
        target.kernel.assign(source.folded_kernel())
        if target.bias is not None:
            target.bias.assign(source.folded_bias())
        target.enabled.assign(source.enabled)
        target.share.assign(source.share)
    settle(aware)
    if form.compiled:
        aware.compile_from_config(form.get_compile_config())


class FreezeNorms(keras.callbacks.Callback):
    """Lets batch normalisation see each batch in the first epochs, and stand still, folded, from then on.

    It goes by the number of the epoch, so that a training that is continued does the same.

    Args:
        form: the model that is trained.
        live: how many epochs it sees each batch.
    """

    def __init__(self, form: keras.Model, live: int) -> None:
        super().__init__()
        self._parts = [part for part in _keras_internals.all_layers(form) if isinstance(part, Unfolding)]
        self._live = live

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Sets the switches, and has the step compiled anew where they change."""
        live = epoch < self._live
        changed = [part for part in self._parts if part.live != live]
        for part in changed:
            part.live = live
        if changed:
            self.model.make_train_function(force=True)


def _pays(layer: Any, taken: Taken) -> bool:
    """Says whether a layer has a kernel that is better trained apart from what it has taken in."""
    if not isinstance(layer, QuantizedWeights) or (taken.norm is None and taken.scale == 1):
        return False
    kernel: Any = layer
    return not found_shared([kernel.kernel], zeros=False)


def _options(norm: Any) -> dict[str, Any] | None:
    """Returns the arguments of a batch normalisation."""
    if norm is None:
        return None
    return {
        "momentum": norm.momentum,
        "epsilon": norm.epsilon,
        "center": norm.beta is not None,
        "scale": norm.gamma is not None,
    }


def _unfold(old: Any, new: Any, taken: Taken) -> None:
    """Gives a layer what the other computes with, apart from what its kernel has taken in.

    The moving mean is that which gives the bias of the other, whatever it has taken in beside.
    """
    kernel, unfolding = np.asarray(keras.ops.convert_to_numpy(old.kernel), np.float64), new.unfolding
    norm = taken.norm
    if norm is not None:
        unfolding.norm.moving_variance.assign(norm.moving_variance)
        for name in ("gamma", "beta"):
            if getattr(norm, name) is not None:
                getattr(unfolding.norm, name).assign(getattr(norm, name))
        factors = np.asarray(keras.ops.convert_to_numpy(unfolding.factors()), np.float64)
        bias = np.asarray(keras.ops.convert_to_numpy(old.bias), np.float64)
        beta = 0.0 if norm.beta is None else np.asarray(keras.ops.convert_to_numpy(norm.beta), np.float64)
        unfolding.norm.moving_mean.assign(((beta - bias) / factors).astype(np.float32))
        kernel = kernel / np.asarray(keras.ops.convert_to_numpy(new.spread(factors)))
    new.kernel.assign((kernel / unfolding.scale).astype(np.float32))
    if norm is None and old.bias is not None:
        new.bias.assign(old.bias)
    new.enabled.assign(old.enabled)
    new.share.assign(old.share)

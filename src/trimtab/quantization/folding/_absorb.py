"""Batch normalisation and other affine calls taken into the layers around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np

from trimtab.quantization.folding._affine import Affine, affine_of
from trimtab.quantization.folding._kernels import (
    channel_axis,
    has_kernel,
    scale_inputs,
    scale_outputs,
    takes_inputs,
)
from trimtab.quantization.folding._network import Network, Part, Step, Tensor
from trimtab.quantization.folding._passage import backward, forward

__all__ = ["absorb", "mark"]

_MEETS_MORE = "its layer is called elsewhere too, where it meets something else"
_APART = "it scales the images, and was asked to stay apart"
_OTHER_AXIS = "{!r} has its channels along another axis"
_OF_IMAGES = (keras.layers.Normalization, keras.layers.Rescaling)


def mark(network: Network) -> None:
    """Notes of each call what it computes, where that is an affine map of each channel."""
    for step in network.steps:
        if step.affine is not None or len(step.inputs) != 1 or not isinstance(step.layer, keras.Layer):
            continue
        if not step.input.dtype.startswith(("float", "bfloat")):
            continue  # a Rescaling that turns integers into numbers: nobody else would
        affine = affine_of(step.layer, step.input.shape)
        if affine is not None and _trains_always(step):
            network.kept[step.part.origin[0]] = "it is called with training=True"
        elif affine is not None:
            step.affine = affine


def absorb(network: Network, *, images: bool = True) -> dict[Part, str]:
    """Takes each affine call into the layers before it, or else into those after it, where that is exact.

    A layer takes in a factor and an offset of each channel by its kernel and bias, if each of its calls meets
    the same, and nobody sees what is between. In place.

    Args:
        network: what `mark` has seen.
        images: whether what scales the images themselves (Rescaling, Normalization) is taken in too.

    Returns:
        What is left, with the reason.
    """
    left: dict[Part, str] = {}
    for part in network.parts:
        steps = [step for step in network.calls(part) if step.affine is not None]
        if not steps:
            continue
        apart = isinstance(part.layer, _OF_IMAGES) and not images
        why = _try(network, steps, _before, apart=apart)
        if why is not None and _try(network, steps, _after, apart=apart) is not None:
            left[part] = _APART if apart else why
    return left


def _trains_always(step: Step) -> bool:
    """Says whether a batch normalisation computes with the statistics of the batch, whoever asks."""
    return bool(step.kwargs.get("training")) and isinstance(step.layer, keras.layers.BatchNormalization)


class _Plan:
    """Which layers would take in what, so that some affine calls can go; `apart`: none with a kernel."""

    def __init__(self, network: Network, *, apart: bool) -> None:
        self.network = network
        self.apart = apart
        self.outputs: dict[Step, Affine] = {}
        self.inputs: dict[Step, Affine] = {}

    def before(self, tensor: Tensor, affine: Affine) -> str | None:
        """Lets what gives a tensor take in what happens to it; says why not, else None."""
        step = self.network.producer(tensor)
        if step is None:
            return "it follows an input of the model"
        if self.network.only_reader(tensor) is None:
            return f"others take what {step.part.name!r} gives, too"
        if step.affine is not None or has_kernel(step.part):
            axis = channel_axis(step.layer, len(tensor.shape))
            if not affine.agrees(step.affine or affine.along(axis)):
                return _OTHER_AXIS.format(step.part.name)
            return self._noted(step, affine, self.outputs)
        passed = backward(step, affine)
        if passed is None:
            return f"it follows {step.part.name!r} ({type(step.layer).__name__})"
        for taken, before in passed:
            why = self.before(taken, before)
            if why is not None:
                return why
        return None

    def after(self, tensor: Tensor, affine: Affine) -> str | None:
        """Lets all who take a tensor take in what happens to it; says why not, else None."""
        readers = self.network.readers(tensor)
        if self.network.is_output(tensor) or not readers:
            return "it gives an output of the model"
        for step in readers:
            if step.affine is not None:
                agree = affine.agrees(step.affine)
                why = self._noted(step, affine, self.inputs) if agree else _OTHER_AXIS.format(step.part.name)
            elif self.apart:
                why = _APART
            elif has_kernel(step.part) and step.inputs == (tensor,):
                why = takes_inputs(step, affine) or self._noted(step, affine, self.inputs)
            else:
                passed = forward(step, affine, tensor)
                why = f"{step.part.name!r} ({type(step.layer).__name__}) follows"
                if passed is not None:
                    why = self.after(step.output, passed)
            if why is not None:
                return why
        return None

    @staticmethod
    def _noted(step: Step, affine: Affine, plan: dict[Step, Affine]) -> str | None:
        """Notes what a call would take in; says why not, if it meets something twice."""
        if step in plan:
            return _MEETS_MORE
        plan[step] = affine
        return None

    def whole(self) -> bool:
        """Says whether each layer meets the same in all of its calls."""
        for plan in (self.outputs, self.inputs):
            for part in {step.part for step in plan}:
                calls = self.network.calls(part)
                if any(step not in plan or not plan[step].equals(plan[calls[0]]) for step in calls):
                    return False
        return True


def _before(plan: _Plan, step: Step, affine: Affine) -> str | None:
    return plan.before(step.input, affine)


def _after(plan: _Plan, step: Step, affine: Affine) -> str | None:
    return plan.after(step.output, affine)


def _try(
    network: Network,
    steps: list[Step],
    way: Callable[[_Plan, Step, Affine], str | None],
    *,
    apart: bool,
) -> str | None:
    """Takes the calls of one layer into others, if it can be done; says why not, else None."""
    plan = _Plan(network, apart=apart)
    for step in steps:
        why = way(plan, step, step.affine) if step.affine is not None else None
        if why is not None:
            return why
    if not plan.whole():
        return _MEETS_MORE
    _carry_out(plan, steps)
    for step in steps:
        network.remove(step)
    return None


def _carry_out(plan: _Plan, calls: list[Step]) -> None:
    """Changes the weights, once for each layer, so that these calls of one layer can go."""
    gone = calls[0].part
    for step, affine in {step.part: (step, affine) for step, affine in plan.outputs.items()}.values():
        if step.affine is not None:
            _merge(plan.network, step.part, step.affine.then(affine), gone)
        else:
            scale_outputs(step.part, affine)
            step.part.taken = replace(step.part.taken, norm=_norm_of(step, calls))
        step.part.origin = _joined(step.part.origin, gone.origin)
    for step, affine in {step.part: (step, affine) for step, affine in plan.inputs.items()}.values():
        if step.affine is not None:
            _merge(plan.network, step.part, affine.then(step.affine), gone)
        else:
            axis = channel_axis(step.layer, len(step.input.shape))
            scale_inputs(step.part, affine, int(step.input.shape[axis] or 0))
            step.part.taken = replace(step.part.taken, scale=step.part.taken.scale * _size(affine))
        step.part.origin = _joined(gone.origin, step.part.origin)


def _norm_of(step: Step, calls: list[Step]) -> keras.layers.BatchNormalization | None:
    """Returns the batch normalisation that is taken in, if it is trained and sees what the step gives."""
    layer, affine = calls[0].layer, calls[0].affine
    if not isinstance(layer, keras.layers.BatchNormalization) or not layer.trainable or affine is None:
        return None
    if len(calls) > 1 or calls[0].input is not step.output:
        return None
    own = affine_of(layer, step.output.shape)
    # One that has taken in another affine call is more than its own variables say.
    return layer if own is not None and own.equals(affine) else None


def _size(affine: Affine) -> float:
    """Returns how large the factors are, in the geometric mean of those that are not 0."""
    factors = np.abs(affine.scale)
    return float(np.exp(np.log(factors[factors > 0]).mean())) if (factors > 0).any() else 1.0


def _merge(network: Network, part: Part, both: Affine, gone: Part) -> None:
    """Lets one affine layer do what two did; it is trained if one of them was."""
    for call in network.calls(part):
        call.affine = both
    part.config["trainable"] = part.trainable or gone.trainable


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """Puts the paths of both in order, each once."""
    return tuple(dict.fromkeys((*first, *second)))

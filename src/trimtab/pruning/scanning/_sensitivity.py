"""Which layer hurts: each one is pruned alone, at several levels and without training, and put back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import keras
import numpy as np
from keras import ops

from trimtab._statistics import paired_difference, wilson_interval
from trimtab.errors import ConfigError, DataError
from trimtab.models import check_fits
from trimtab.models._forward import forward
from trimtab.progress import Progress, Silent
from trimtab.pruning._fraction import check_fraction, is_number
from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.criteria._granularity import Granularity
from trimtab.pruning.criteria._importance import Importance
from trimtab.pruning.scanning._allocation import Curve, allocate
from trimtab.pruning.scanning._taylor import mean_gradients
from trimtab.pruning.where._prunable import PrunableWeight, check_model
from trimtab.pruning.where._where import choose_weights
from trimtab.training._judging import Judgement, check_arguments, judge, logits_given, some_images

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.data import ImageData

__all__ = ["LayerSensitivity", "Sensitivity", "SensitivityPoint", "sensitivity"]


@dataclass(frozen=True)
class SensitivityPoint:
    """What pruning one layer to one level did.

    Args:
        sparsity: share of the layer's weights that was asked to be zero.
        zeros: how many of its weights were zero.
        accuracy: share of the images classified rightly, in [0, 1].
        low: lower end of its 95 % interval (Wilson).
        high: upper end of it.
        change: accuracy less that of the whole model; below 0 where pruning hurts.
        change_low: lower end of its 95 % interval (Tango, for two answers to the same images).
        change_high: upper end of it.
        loss: mean cross-entropy in nats.
    """

    sparsity: float
    zeros: int
    accuracy: float
    low: float
    high: float
    change: float
    change_low: float
    change_high: float
    loss: float


@dataclass(frozen=True)
class LayerSensitivity:
    """What pruning one layer alone does to the model.

    Args:
        name: the layer; inside nested models ``"outer/inner"``.
        size: how many weights it has that may be pruned.
        limit: the largest share of zeros that the granularity can make of them.
        points: one for each level, rising.
    """

    name: str
    size: int
    limit: float
    points: tuple[SensitivityPoint, ...]


@dataclass(frozen=True)
class Sensitivity:
    """What `sensitivity` found.

    Args:
        accuracy: of the whole model, on the same images, in [0, 1].
        low: lower end of its 95 % interval (Wilson).
        high: upper end of it.
        loss: mean cross-entropy of the whole model in nats.
        images: how many validation images were used.
        granularity: what went together, such as ``"unstructured"``.
        importance: what decided which weights went, such as ``"magnitude"``.
        layers: in the order of the model.
        skipped: layers with weights that were left alone, each with the reason.
        notes: plain sentences about what was done.
    """

    accuracy: float
    low: float
    high: float
    loss: float
    images: int
    granularity: str
    importance: str
    layers: tuple[LayerSensitivity, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def targets(self, sparsity: float, *, floor: float = 0.0, ceiling: float = 0.98) -> dict[str, float]:
        """Shares a total sparsity out: layers that hurt less go further.

        One increase of the loss is tolerated, the same for all layers; each gets the largest share of zeros
        that costs it no more, by straight lines between the levels of the scan. Above the highest level
        nothing was measured, so all layers are taken to be hurt as quickly as the worst of them was.

        Args:
            sparsity: share of zeros in all scanned layers together, in [0, 1).
            floor: least share of each layer, in [0, 1).
            ceiling: largest share of each layer, in (0, 1).

        Returns:
            The share of zeros for each layer: what `trimtab.prune` takes as ``sparsity``.

        Raises:
            ConfigError: a value makes no sense, or the total cannot be made between the bounds.

        Example:
            >>> scan = trimtab.pruning.sensitivity(model, data)
            >>> pruned = trimtab.prune(model, data, sparsity=scan.targets(0.9)).model
        """
        given: dict[str, Any] = {"sparsity": sparsity, "floor": floor, "ceiling": ceiling}
        for name, value in given.items():
            check_fraction(f"targets: {name}", value)
        if floor > ceiling:
            raise ConfigError(
                f"targets needs floor <= ceiling, but got floor={floor!r}, ceiling={ceiling!r}."
            )
        shares = allocate([self._curve(layer) for layer in self.layers], sparsity, floor, ceiling)
        return {layer.name: share for layer, share in zip(self.layers, shares, strict=True)}

    def _curve(self, layer: LayerSensitivity) -> Curve:
        levels = tuple(point.sparsity for point in layer.points)
        return Curve(layer.size, levels, tuple(p.loss - self.loss for p in layer.points), layer.limit)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Makes it from plain data, as `trimtab run` keeps it in ``sensitivity.json``.

        Raises:
            DataError: the data is not that of a scan.
        """
        try:
            layers = tuple(
                LayerSensitivity(
                    str(layer["name"]),
                    int(layer["size"]),
                    float(layer["limit"]),
                    tuple(_read_point(point) for point in layer["points"]),
                )
                for layer in record["layers"]
            )
            rest = {name: value for name, value in record.items() if name != "layers"}
            rest["skipped"] = tuple((str(name), str(why)) for name, why in record.get("skipped", ()))
            return cls(**{**rest, "notes": tuple(record.get("notes", ())), "layers": layers})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"The record is not that of a sensitivity scan ({type(error).__name__}: {error}). Scan again."
            ) from None


def sensitivity(
    model: keras.Model,
    data: ImageData,
    *,
    levels: Sequence[float] = (0.25, 0.5, 0.75, 0.9, 0.95),
    layers: Any = None,
    exclude: Any = (),
    skip_ends: bool = False,
    granularity: str | Granularity = "unstructured",
    importance: str | Importance | Callable[[Any], Any] = "magnitude",
    images: int = 2000,
    batch_size: int = 256,
    from_logits: bool | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    label: str = "sensitivity",
) -> Sensitivity:
    """Says how much each layer hurts when it alone is pruned, without any training.

    Each layer is pruned to each level while all others stay whole, and the model is measured on validation
    images; the test images are never looked at. The model is untouched: each weight is put back bit for bit,
    also where the scan is stopped. The forward pass is compiled once for the whole scan.

    Args:
        model: a built Keras 3 classifier, trained already.
        data: its validation images judge, and its training images are used where the importance needs
            gradients.
        levels: shares of zeros to try, in (0, 1). Levels that the granularity cannot make are left out.
        layers: which layers to scan, as for `trimtab.prune`. None: each that may be pruned.
        exclude: which layers to leave alone.
        skip_ends: leave the first and the last layer that may be pruned alone.
        granularity: what goes together: "unstructured", blocks such as "4x1", or N:M such as "2:4".
        importance: how much a weight matters: "magnitude", "taylor", "random", an `Importance` or a function.
        images: how many validation images, chosen by `seed`; all, where there are fewer.
        batch_size: images in one step.
        from_logits: whether the model gives logits; None: look at its last layer.
        seed: chooses the images.
        progress: where progress is shown; None: nowhere.
        label: what progress calls the scan.

    Returns:
        Accuracy and loss of the whole model and of each layer at each level; `Sensitivity.targets` makes
        per-layer sparsities of it.

    Raises:
        ConfigError: a value makes no sense, a layer name is unknown, or nothing is left to prune.
        DataError: there are no validation images.
        ModelError: the model is not a built Keras 3 model, does not fit the data, or holds NaN.

    Reference: S. Han et al., "Learning both Weights and Connections for Efficient Neural Networks", NIPS
    2015, figure 6; H. Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017, section 3.2.

    Example:
        >>> scan = trimtab.pruning.sensitivity(model, data)
        >>> min(scan.layers, key=lambda layer: layer.points[-1].accuracy).name   # the one that hurts most
        'conv2d'
    """
    check_model(model)
    check_arguments(data, images, batch_size, from_logits, seed)
    check_fits(model, data)
    criterion = Criterion(granularity, importance)
    chosen, skipped = choose_weights(
        model, layers, exclude, skip_ends=skip_ends, granularity=criterion.granularity
    )
    scanned = _layers(chosen, criterion.granularity)
    tried, notes = _levels(levels, [limit for _, _, limit in scanned.values()], criterion.granularity.name)
    none = f"{data.name} has no validation images"
    split = some_images(data.validation, images, seed, none)
    logits = logits_given(model, from_logits, split)
    memories = _memories(criterion.importance, model, data, chosen, from_logits, seed)
    outputs = forward(model)
    points: dict[str, list[SensitivityPoint]] = {name: [] for name in scanned}
    total = 1 + len(tried) * len(scanned)
    with (progress or Silent()).task(label, total, "measurements") as task:
        whole = judge(outputs, model, split, batch_size, logits)
        task.advance(1, f"whole model {100 * whole.right.mean():.1f} %")
        for level in tried:
            values = [ops.convert_to_tensor(weight.variable) for weight in chosen]
            axes = [weight.axis for weight in chosen]
            masks = criterion.masks(values, level, axes=axes, memories=memories)
            for name, (places, _, _) in scanned.items():
                with _masked([chosen[n].variable for n in places], [masks[n] for n in places]):
                    zeros = sum(chosen[number].zeros() for number in places)
                    pruned = judge(outputs, model, split, batch_size, logits)
                points[name].append(_point(level, zeros, pruned, whole))
                task.advance(1, f"{name} at {100 * level:g} %: {100 * pruned.right.mean():.1f} %")
    accuracy = wilson_interval(int(whole.right.sum()), len(split))
    return Sensitivity(
        accuracy=accuracy.value,
        low=float(accuracy.low or 0.0),
        high=float(accuracy.high or 0.0),
        loss=whole.loss,
        images=len(split),
        granularity=criterion.granularity.name,
        importance=criterion.importance.name,
        layers=tuple(
            LayerSensitivity(name, size, limit, tuple(points[name]))
            for name, (_, size, limit) in scanned.items()
        ),
        skipped=tuple(skipped),
        notes=tuple(notes),
    )


def _read_point(content: Mapping[str, Any]) -> SensitivityPoint:
    """Returns a point of plain data; raises `TypeError` where a number is missing."""
    values: dict[str, Any] = {k: int(v) if k == "zeros" else float(v) for k, v in content.items()}
    return SensitivityPoint(**values)


_Scanned = dict[str, tuple[list[int], int, float]]


def _layers(chosen: Sequence[PrunableWeight], granularity: Granularity) -> _Scanned:
    """Returns, for each layer, the numbers of its weights, their size and the share they can be pruned to."""
    found: _Scanned = {}
    for number, weight in enumerate(chosen):
        places, size, limit = found.get(weight.layer, ([], 0, 0.0))
        own = granularity.limit(tuple(weight.variable.shape), weight.axis)
        whole = size + weight.size
        found[weight.layer] = ([*places, number], whole, (limit * size + own * weight.size) / whole)
    return found


def _levels(levels: Any, limits: Sequence[float], granularity: str) -> tuple[list[float], list[str]]:
    """Returns the levels to try, rising, and what there is to say about those left out."""
    if isinstance(levels, str) or not isinstance(levels, Sequence) or not levels:
        raise ConfigError(f"levels needs shares of zeros, such as (0.5, 0.9), but got {levels!r}.")
    for level in levels:
        if not is_number(level) or not 0 < level < 1:
            raise ConfigError(
                f"levels needs shares of zeros between 0 and 1, such as (0.5, 0.9), but got {level!r} among "
                "them."
            )
    every = sorted({float(level) for level in levels})
    most = max(limits)
    tried = [level for level in every if level <= most + 1e-9]
    if not tried:
        raise ConfigError(
            f"The granularity {granularity} makes at most {most:.4g} of a layer zero, but the lowest level "
            f"to try is {every[0]!r}. Give lower levels."
        )
    left = ", ".join(f"{100 * level:g} %" for level in every if level not in tried)
    note = f"not tried: {left}, since {granularity} makes at most {100 * most:.4g} % of a layer zero"
    return tried, [note] if left else []


def _memories(
    importance: Importance,
    model: keras.Model,
    data: ImageData,
    chosen: Sequence[PrunableWeight],
    from_logits: bool | None,
    seed: int,
) -> list[Any] | None:
    """Returns what an importance remembers after one step on some training images; None where nothing."""
    if not importance.remembers:
        return None
    variables = [weight.variable for weight in chosen]
    gradients = mean_gradients(model, data, variables, from_logits=from_logits, seed=seed)
    found = []
    for variable, gradient in zip(variables, gradients, strict=True):
        value = ops.convert_to_tensor(variable)
        slope = ops.cast(ops.convert_to_tensor(gradient), value.dtype)
        found.append(importance.observe(ops.zeros_like(value), value, slope))
    return found


@contextlib.contextmanager
def _masked(variables: Sequence[Any], masks: Sequence[Any]) -> Iterator[None]:
    """Prunes some weights for the length of the block, and puts them back bit for bit."""
    # Copies, since on torch a variable's tensor is changed in place.
    kept = [ops.copy(ops.convert_to_tensor(variable)) for variable in variables]
    try:
        for variable, value, mask in zip(variables, kept, masks, strict=True):
            variable.assign(ops.where(ops.not_equal(mask, 0), value, ops.zeros_like(value)))
        yield
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)


def _point(level: float, zeros: int, pruned: Judgement, whole: Judgement) -> SensitivityPoint:
    """Compares a pruned model with the whole one, on the same images."""
    trials = len(whole.right)
    accuracy = wilson_interval(int(pruned.right.sum()), trials)
    gained = int(np.count_nonzero(pruned.right & ~whole.right))
    lost = int(np.count_nonzero(whole.right & ~pruned.right))
    change = paired_difference(gained, lost, trials)
    return SensitivityPoint(
        sparsity=level,
        zeros=zeros,
        accuracy=accuracy.value,
        low=float(accuracy.low or 0.0),
        high=float(accuracy.high or 0.0),
        change=change.value,
        change_low=float(change.low or 0.0),
        change_high=float(change.high or 0.0),
        loss=pruned.loss,
    )

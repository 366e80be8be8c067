"""`rewrite`: a simpler model that gives the same, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trimtab import _keras_internals
from trimtab.doctor._folding import changes
from trimtab.errors import ConfigError
from trimtab.litert._signature import image_shape_of, predict
from trimtab.models import has_softmax, without_softmax
from trimtab.models._graph import check_has_graph
from trimtab.pruning.where._prunable import check_model
from trimtab.quantization import fold

__all__ = ["Rewritten", "rewrite"]

_TOLERANCE = 1e-5
_IMAGES, _OPEN_SIZE = 8, 64
_BYTES, _SMALL = 255.0, 0.05  # the brightest byte; a factor below which a model scales bytes itself


@dataclass(frozen=True, eq=False)
class Rewritten:
    """What became of a model.

    Attributes:
        model: the simpler model; None where there was nothing to do, or it would not give the same.
        done: what was done, in plain sentences.
        difference: largest difference of any output, as a share of the largest output; None where nothing
            was done.
        reason: why there is no model; None where there is one.
        kept: layers that should have been rewritten but could not, by path, with the reason.
    """

    model: Any = field(repr=False, metadata={"record": False})
    done: tuple[str, ...] = ()
    difference: float | None = None
    reason: str | None = None
    kept: Mapping[str, str] = field(default_factory=dict)


def rewrite(
    model: keras.Model,
    images: npt.NDArray[np.floating[Any]] | None = None,
    *,
    tolerance: float = _TOLERANCE,
    seed: int = 0,
) -> Rewritten:
    """Makes the simplest model that gives the same: batch normalisation folded, nested models opened.

    What `trimtab.quantization.fold` does, compared with the model on random images (in 0..1, or in 0..255
    where the model scales bytes itself) and on those given. A softmax at the end stays where it is, and what
    goes into it is compared too. For deployment: a folded model has no batch normalisation left to train
    with. The given model stays as it is.

    Args:
        model: a built Functional or Sequential classifier.
        images: float32 (n, height, width, channels), to compare with besides.
        tolerance: largest difference of the outputs, as a share of the largest output.
        seed: of the random images.

    Raises:
        ConfigError: the tolerance is not above 0.
        ModelError: the model is no image classifier, has no graph, or cannot be made again.

    Returns:
        The model, what was done, and how far its outputs are; or why there is none.

    Example:
        >>> trimtab.doctor.rewrite(keras.applications.MobileNetV2(weights=None)).done
        ('52 batch normalisations became part of the layers beside them.',)
    """
    if not tolerance > 0:
        raise ConfigError(f"tolerance is a share above 0, such as 1e-5. Received: tolerance={tolerance!r}.")
    check_model(model)
    check_has_graph(model, "layers")
    shape = image_shape_of(model, _shape(model, images))
    folded = fold(model)
    done = changes(model, folded)
    if not done:
        return Rewritten(None, reason="There is nothing to fix: the model is as simple as it can be.")
    noise = np.random.default_rng(seed).random((_IMAGES, *shape), dtype=np.float32)
    sets = [noise * np.float32(_brightest(model))]
    if images is not None and len(images):
        sets.append(np.asarray(images, np.float32))
    pairs = [(model, folded.model)]
    if has_softmax(model):  # which hides differences where it is all but even, or all but sure
        pairs.append((without_softmax(model), without_softmax(folded.model)))
    difference = max(
        _difference(predict(before, one), predict(after, one)) for before, after in pairs for one in sets
    )
    if not difference <= tolerance:
        return Rewritten(
            None,
            done,
            difference,
            f"The rewritten model's outputs differ by {difference:.2g} of the largest, and at most "
            f"{tolerance:.2g} is allowed.",
            folded.kept,
        )
    return Rewritten(folded.model, done, difference, None, folded.kept)


def _shape(model: Any, images: npt.NDArray[np.floating[Any]] | None) -> tuple[int, ...] | None:
    """Returns the shape of the images to compare with, for a model that leaves its size open."""
    if images is not None:
        return tuple(images.shape[1:])
    graph = _keras_internals.graph_of(model)
    taken = tuple(graph.inputs[0].shape[1:]) if graph is not None else ()
    if len(taken) == 3 and None in taken:
        return tuple(_OPEN_SIZE if side is None else int(side) for side in taken)
    return None


def _brightest(model: keras.Model) -> float:
    """Returns the brightest pixel that a model is made for: far beyond it, rounding grows without meaning."""
    for layer in _keras_internals.all_layers(model):
        if isinstance(layer, keras.layers.Rescaling):
            return _BYTES if np.max(np.abs(np.asarray(layer.scale, np.float64))) < _SMALL else 1.0
        if isinstance(layer, keras.layers.Normalization):
            mean = np.asarray(keras.ops.convert_to_numpy(layer.mean), np.float64)
            return _BYTES if np.max(np.abs(mean)) > 1 else 1.0
    return 1.0


def _difference(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> float:
    """Returns the largest difference as a share of the largest output; NaN where numbers are not finite."""
    largest = float(np.abs(before).max())
    return float(np.abs(before - after).max()) / max(largest, float(np.finfo(np.float32).tiny))

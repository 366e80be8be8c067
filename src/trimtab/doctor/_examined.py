"""A model under examination: what checks ask about it, each found out once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import keras

from trimtab import _keras_internals, channels, litert, models, quantization
from trimtab.doctor._files import Files
from trimtab.errors import ConfigError, ModelError
from trimtab.litert import Scheme
from trimtab.litert._signature import image_shape_of
from trimtab.models import LayerCost
from trimtab.quantization import Folded
from trimtab.quantization._placement import Placement, place
from trimtab.quantization._steps import Steps, steps_of

if TYPE_CHECKING:
    from trimtab.channels import ChannelGraph
    from trimtab.data import ImageData
    from trimtab.progress import Progress

__all__ = ["Examined"]


class Examined:
    """A model, and what there is to know about it; nothing is worked out before it is asked for.

    Attributes:
        model: the model; it stays as it is.
        schemes: those that files are made of.
        data: images, where there are any.
        files: the files that the model makes, and why it makes none.
        reasons: why something could not be found out, by its name: ``{"folded": "..."}``.
    """

    def __init__(
        self,
        model: keras.Model,
        schemes: Sequence[Scheme],
        data: ImageData | None,
        seed: int,
        progress: Progress,
    ) -> None:
        self.model = model
        self.schemes = tuple(schemes)
        self.data = data
        self.reasons: dict[str, str] = {}
        self.files = Files(self, seed, progress)

    @property
    def has_graph(self) -> bool:
        """Whether the model can be looked into: False for a class whose own code runs."""
        return _keras_internals.graph_of(self.model) is not None

    @cached_property
    def image_shape(self) -> tuple[int, int, int] | None:
        """(height, width, channels) of an image; None where the model leaves it open or takes several."""
        try:
            return image_shape_of(self.model, self.data.image_shape if self.data is not None else None)
        except (ConfigError, ModelError) as error:
            self.reasons["image_shape"] = str(error)
            return None

    @cached_property
    def calls(self) -> tuple[_keras_internals.Call, ...]:
        """Each call of a layer or operator, in order, nested models opened; none without a graph."""
        found: list[_keras_internals.Call] = []
        if self.has_graph:
            _keras_internals.walk_graph(self.model, list(self.model.inputs), found.append)
        return tuple(found)

    def calls_of(self, kinds: type | tuple[type, ...]) -> list[_keras_internals.Call]:
        """Lists the calls of layers of some classes."""
        return [call for call in self.calls if isinstance(call.operation, kinds)]

    @staticmethod
    def paths(calls: Sequence[_keras_internals.Call]) -> tuple[str, ...]:
        """Returns the path of each layer that is called, once: ``"base/conv_1"``."""
        return tuple(dict.fromkeys("/".join(call.path) for call in calls))

    def maker(self, tensor: Any) -> _keras_internals.Call | None:
        """Returns the call that gives a tensor of the graph; None for an input."""
        return self._makers.get(id(tensor))

    @cached_property
    def _makers(self) -> dict[int, _keras_internals.Call]:
        return {id(tensor): call for call in self.calls for tensor in call.given}

    @cached_property
    def costs(self) -> tuple[LayerCost, ...]:
        """Parameters and multiply-accumulates of each call."""
        try:
            return models.macs_per_layer(self.model, self.image_shape)
        except ModelError as error:
            self.reasons["costs"] = str(error)
            return ()

    @cached_property
    def macs(self) -> int | None:
        """Multiply-accumulates of an image; None where they cannot be told."""
        counts = [cost.macs for cost in self.costs]
        return None if not counts or None in counts else sum(count for count in counts if count)

    @cached_property
    def channels(self) -> ChannelGraph | None:
        """Which channels live and die together; None where that cannot be followed."""
        try:
            return channels.find_groups(self.model)
        except ModelError as error:
            self.reasons["channels"] = str(error)
            return None

    @cached_property
    def folded(self) -> Folded | None:
        """The flat model with batch normalisation folded; None where it cannot be made."""
        try:
            return quantization.fold(self.model)
        except ModelError as error:
            self.reasons["folded"] = str(error)
            return None

    @cached_property
    def placed(self) -> tuple[Steps, Placement] | None:
        """The calls of the folded model, and which of them compute in integers."""
        if self.folded is None:
            return None
        steps = steps_of(self.folded.model)
        return steps, place(steps, lambda _: None)

    @cached_property
    def kept_float(self) -> Mapping[str, str]:
        """Layers (of the model as it was given) that stay float in an int8 file, each with the reason."""
        if self.placed is None or self.folded is None or litert.carries_ranges(self.model):
            return {}  # a model with quantizers has them where they belong
        kept: dict[str, str] = {}
        for name, why in self.placed[1].kept_float.items():
            for path in self.folded.origin.get(name, (name,)):
                kept[path] = self.folded.kept.get(path, why)
        return kept

    @cached_property
    def ends_in_softmax(self) -> bool:
        """Whether the model gives probabilities."""
        return self.image_shape is not None and models.has_softmax(self.model)

    @cached_property
    def logits(self) -> keras.Model:
        """The model without the softmax that it ends in: what integer files are made of."""
        return models.without_softmax(self.model) if self.ends_in_softmax else self.model

    @cached_property
    def operations(self) -> Mapping[str, Any]:
        """Each layer and operator by its path: ``examined.operations["base/conv_1"]``."""
        return {"/".join(call.path): call.operation for call in self.calls}

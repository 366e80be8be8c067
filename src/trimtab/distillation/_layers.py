"""Which layer of the student learns from which layer of the teacher, and what of it is compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from trimtab._keras_internals import graph_of, run_graph
from trimtab.distillation._maps import as_map, attention, pooled
from trimtab.errors import ConfigError, ModelError, nearest

__all__ = ["Place", "Reading", "Segment", "matched"]


@dataclass(frozen=True)
class Place:
    """A layer whose output is looked at.

    Args:
        path: its name, after the names of the models it is nested in.
        shape: (height, width, channels) of what it gives, see `as_map`.
        channels_first: it gives its channels right after the batch.
    """

    path: tuple[str, ...]
    shape: tuple[int, int, int]
    channels_first: bool = False


@dataclass(frozen=True)
class Segment:
    """One pair of layers that are compared, by the mean of the squared differences.

    Args:
        kind: "features" (the maps themselves) or "attention".
        student: the layer that learns.
        teacher: the layer that it learns from.
        weight: what the loss is multiplied with.
    """

    kind: str
    student: Place
    teacher: Place
    weight: float

    @property
    def size(self) -> tuple[int, int]:
        """Height and width at which they are compared: along each side, the smaller of the two."""
        rows, columns = zip(self.student.shape[:2], self.teacher.shape[:2], strict=True)
        return min(rows), min(columns)

    @property
    def width(self) -> int:
        """How many numbers of an image are compared."""
        channels = self.teacher.shape[2] if self.kind == "features" else 1
        return self.size[0] * self.size[1] * channels

    @property
    def projected(self) -> bool:
        """Whether a learned projection takes the student's channels to the teacher's."""
        return self.kind == "features" and self.student.shape[2] != self.teacher.shape[2]

    def taken(self, maps: Any, projection: Callable[[Any], Any] | None = None) -> Any:
        """Returns what is compared (batch, `width`) of what a layer gave."""
        if self.kind == "attention":
            return attention(maps, self.size)
        maps = pooled(maps, self.size)  # first: averaging and projecting are linear, and this is the cheaper
        return ops.reshape(maps if projection is None else projection(maps), (-1, self.width))


@dataclass(frozen=True, eq=False)
class Reading:
    """A model that also tells what some of its layers give.

    Args:
        model: the model.
        places: the layers; none: the model is called as it is, and may be of any kind.
    """

    model: Any
    places: tuple[Place, ...] = ()

    def __call__(self, images: Any, training: bool) -> tuple[Any, list[Any]]:
        """Returns the model's output, and the map of each place."""
        if not self.places:
            return self.model(images, training=training), []
        wanted = {place.path: place for place in self.places}
        found: dict[tuple[str, ...], Any] = {}

        def visit(path: tuple[str, ...], operation: Any, outputs: Any) -> None:  # noqa: ARG001
            if path in wanted:
                found[path] = as_map(outputs, wanted[path].channels_first)

        output = run_graph(self.model, images, visit, training=training)
        return output, [found[place.path] for place in self.places]


def matched(
    student: Any,
    teacher: Any,
    image_shape: tuple[int, ...],
    features: tuple[tuple[tuple[str, str], ...], float],
    attentions: tuple[tuple[tuple[str, str], ...], float],
) -> tuple[Segment, ...]:
    """Finds the layers that are named, and says what of them is compared.

    Args:
        student: the model that learns.
        teacher: the model that it learns from.
        image_shape: (height, width, channels) of the images.
        features: pairs (layer of the student, layer of the teacher), and the weight of their loss.
        attentions: the same for attention.

    Raises:
        ConfigError: a layer does not exist, is not the only one of its name, is called several times, or
            gives nothing that can be compared.
        ModelError: a model runs code of its own, so that its layers cannot be watched.
    """
    asked = [("features", pair, features[1]) for pair in features[0]]
    asked += [("attention", pair, attentions[1]) for pair in attentions[0]]
    if not asked:
        return ()
    own, other = _outputs(student, image_shape, "student"), _outputs(teacher, image_shape, "teacher")
    segments = []
    for kind, (mine, its), weight in asked:
        segment = Segment(kind, _place(own, mine, student), _place(other, its, teacher), weight)
        if kind == "attention" and segment.size == (1, 1):
            raise ConfigError(
                f"attention names ({mine!r}, {its!r}), which have one place in common (maps of "
                f"{segment.student.shape[:2]} and {segment.teacher.shape[:2]}): there is nowhere to look. "
                "Name layers before the pooling, or use features."
            )
        segments.append(segment)
    return tuple(segments)


Found = dict[str, tuple[Any, str]]
"""For the path of each layer: what it gives, as `keras.KerasTensor` (None: nothing usable), and why not."""


def _outputs(model: Any, image_shape: tuple[int, ...], role: str) -> Found:
    """Looks at what each layer of a model gives for one image, without computing it."""
    if graph_of(model) is None:
        raise ModelError(
            f"The {role} {model.name!r} runs code of its own ({type(model).__name__}), so that what its "
            "layers give cannot be watched. Leave features and attention out, or build it as a Functional "
            "or Sequential model."
        )
    calls: Counter[str] = Counter()
    formats: dict[str, str] = {}

    def run(images: Any) -> dict[str, Any]:
        given: dict[str, Any] = {}
        calls.clear()

        def visit(path: tuple[str, ...], operation: Any, outputs: Any) -> None:
            name = "/".join(path)
            calls[name] += 1
            formats[name] = str(getattr(operation, "data_format", None))
            if hasattr(outputs, "shape"):
                given[name] = outputs

        run_graph(model, images, visit, training=False)
        return given

    given = _Traced(run).compute_output_spec(keras.KerasTensor((1, *image_shape), dtype="float32"))
    found: Found = {}
    for path, times in calls.items():
        if times > 1:
            found[path] = None, f"is called {times} times"
        elif path not in given:
            found[path] = None, "gives several tensors, or none"
        else:
            found[path] = given[path], formats[path]
    return found


class _Traced(keras.layers.Layer):
    """A function as a layer, so that Keras tells what it gives without computing it."""

    def __init__(self, function: Callable[[Any], dict[str, Any]]) -> None:
        super().__init__(dtype="float32")
        self._function = function

    def call(self, images: Any) -> dict[str, Any]:
        return self._function(images)


def _place(found: Found, name: str, model: Any) -> Place:
    """Finds a layer by its path, or by its name where no other has it."""
    paths = [name] if name in found else [path for path in found if path.split("/")[-1] == name]
    if not paths:
        known = {*found, *(path.split("/")[-1] for path in found)}
        raise ConfigError(
            f"{model.name!r} has no layer {name!r} to learn from or with.{nearest(name, known)} "
            "Its summary() lists the names; those in a nested model may be given as 'model/layer'."
        )
    if len(paths) > 1:
        raise ConfigError(
            f"{model.name!r} has {len(paths)} layers called {name!r}; say which: {', '.join(paths[:3])}."
        )
    tensor, told = found[paths[0]]
    shape = () if tensor is None else tuple(tensor.shape[1:])
    if tensor is None or not 1 <= len(shape) <= 3 or None in shape:
        reason = told if tensor is None else f"gives outputs of shape {('batch', *shape)}"
        raise ConfigError(
            f"The layer {name!r} of {model.name!r} {reason}; one output of (batch, channels), (batch, steps, "
            "channels) or (batch, height, width, channels) is needed. Name another layer."
        )
    first = told == "channels_first" and len(shape) > 1
    shape = (*shape[1:], shape[0]) if first else shape
    places = (1,) * (3 - len(shape)) if len(shape) == 1 else shape[:-1] + (1,) * (3 - len(shape))
    return Place(tuple(paths[0].split("/")), (places[0], places[1], shape[-1]), first)

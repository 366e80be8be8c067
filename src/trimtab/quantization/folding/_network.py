"""A model as a flat list of calls, to be rewritten call by call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import keras

from trimtab.quantization.folding._affine import Affine, Array

__all__ = ["Network", "Part", "Step", "Taken", "Tensor"]


@dataclass(eq=False)
class Tensor:
    """What passes between two calls.

    Attributes:
        shape: with the batch.
        dtype: its number type.
    """

    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True, eq=False)
class Taken:
    """What a kernel has taken in, without which it is trained best.

    Attributes:
        norm: the batch normalisation that comes right after it, and alone; None: there is none, or it is
            not trained.
        scale: the factor (of one input channel, in the geometric mean) of what came before it.
    """

    norm: keras.layers.BatchNormalization | None = None
    scale: float = 1.0


@dataclass(eq=False)
class Part:
    """A layer or operator of the flat model; two calls that share it share its weights.

    Attributes:
        layer: says its class and config; it is only read.
        name: the name that it should have.
        origin: paths of the original layers that it stands for.
        kind: the class of Keras that it is made as; None: that of `layer`.
        config: entries that replace those of the layer's config.
        weights: by attribute, where they differ from those of `layer`.
        taken: what its kernel has taken in.
    """

    layer: Any
    name: str
    origin: tuple[str, ...]
    kind: type | None = None
    config: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, Array] | None = None
    taken: Taken = Taken()

    @property
    def trainable(self) -> bool:
        """Whether it has weights that are trained."""
        return bool(self.config.get("trainable", getattr(self.layer, "trainable_weights", ())))


@dataclass(eq=False)
class Step:
    """One call of a part.

    Attributes:
        part: what is called.
        args: positional arguments: `Tensor` objects, in structures, and constants beside them.
        kwargs: those by name.
        outputs: what comes out.
        affine: what it computes, where that is an affine map of each channel of its only tensor.
    """

    part: Part
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Tensor, ...]
    affine: Affine | None = None

    def __post_init__(self) -> None:
        self.note_inputs()

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Each tensor that goes in, as often as it does."""
        return self._inputs

    @property
    def input(self) -> Tensor:
        """The first tensor that goes in."""
        return self._inputs[0]

    @property
    def output(self) -> Tensor:
        """The first tensor that comes out."""
        return self.outputs[0]

    @property
    def layer(self) -> Any:
        """The layer or operator, which is only read."""
        return self.part.layer

    def swap(self, old: Tensor, new: Tensor) -> None:
        """Takes another tensor in."""
        if old in self._inputs:
            self.args, self.kwargs = keras.tree.map_structure(
                lambda part: new if part is old else part, (self.args, self.kwargs)
            )
            self.note_inputs()

    def note_inputs(self) -> None:
        """Looks again which tensors go in."""
        flat = keras.tree.flatten((self.args, self.kwargs))
        self._inputs = tuple(part for part in flat if isinstance(part, Tensor))


class Network:
    """A model as a flat list of calls.

    Attributes:
        inputs: what goes in, in the structure in which the model takes it.
        names: name of each input layer, in the order of the flattened inputs.
        outputs: what comes out, in the structure in which the model gives it.
        steps: the calls; each comes after those whose outputs it takes.
        kept: original layers that should have been rewritten, but could not, with the reason.
        notes: what is worth saying, in plain sentences.
    """

    def __init__(self, inputs: Any, names: list[str], outputs: Any, steps: list[Step]) -> None:
        self.inputs = inputs
        self.names = names
        self.outputs = outputs
        self.steps = steps
        self.kept: dict[str, str] = {}
        self.notes: list[str] = []
        self._readers: dict[Tensor, list[Step]] | None = None

    @property
    def parts(self) -> list[Part]:
        """Each layer once, in the order of their first calls."""
        return list(dict.fromkeys(step.part for step in self.steps))

    def calls(self, part: Part) -> list[Step]:
        """Lists the calls of a layer."""
        return [step for step in self.steps if step.part is part]

    def producer(self, tensor: Tensor) -> Step | None:
        """Returns the call that gives a tensor; None for an input of the model."""
        return next((step for step in self.steps if tensor in step.outputs), None)

    def readers(self, tensor: Tensor) -> list[Step]:
        """Lists the calls that take a tensor in, each as often as it does."""
        if self._readers is None:
            self._readers = {}
            for step in self.steps:
                for taken in step.inputs:
                    self._readers.setdefault(taken, []).append(step)
        return self._readers.get(tensor, [])

    def is_output(self, tensor: Tensor) -> bool:
        """Says whether the model gives this tensor."""
        return any(tensor is given for given in keras.tree.flatten(self.outputs))

    def is_input(self, tensor: Tensor) -> bool:
        """Says whether the model takes this tensor."""
        return any(tensor is taken for taken in keras.tree.flatten(self.inputs))

    def only_reader(self, tensor: Tensor) -> Step | None:
        """Returns the call that alone sees a tensor, or None."""
        readers = self.readers(tensor)
        return readers[0] if len(readers) == 1 and not self.is_output(tensor) else None

    def insert(self, step: Step, *, before: Step | None = None, after: Step | None = None) -> None:
        """Adds a call next to another one."""
        place = self.steps.index(before or after)  # type: ignore[arg-type]  # one of them is given
        self.steps.insert(place + (before is None), step)
        self._readers = None

    def follow(self, step: Step, part: Part, affine: Affine | None = None) -> Step:
        """Adds a call of `part` on what a call gives; who took that takes what comes out instead."""
        old, new = step.output, Tensor(step.output.shape, step.output.dtype)
        self.redirect(old, new)
        added = Step(part, (old,), {}, (new,), affine)
        self.insert(added, after=step)
        return added

    def redirect(self, old: Tensor, new: Tensor) -> None:
        """Lets all who take a tensor take another one."""
        for step in self.readers(old):
            step.swap(old, new)
        self.outputs = keras.tree.map_structure(lambda given: new if given is old else given, self.outputs)
        self._readers = None

    def replace(self, step: Step, part: Part, *args: Any) -> None:
        """Makes a call one of another part, on these arguments."""
        step.part, step.args, step.kwargs = part, args, {}
        step.note_inputs()
        self._readers = None

    def drop(self, step: Step) -> None:
        """Takes a call away whose results another one gives."""
        self.steps.remove(step)
        self._readers = None

    def remove(self, step: Step) -> None:
        """Takes a call out of the way: who took what it gave takes what it took."""
        self.steps.remove(step)
        self._readers = None
        self.redirect(step.output, step.input)

    def sweep(self) -> None:
        """Drops the calls whose results nobody takes."""
        needed = set(keras.tree.flatten(self.outputs))
        alive: list[Step] = []
        for step in reversed(self.steps):
            if needed.intersection(step.outputs):
                needed.update(step.inputs)
                alive.append(step)
        self.steps = alive[::-1]
        self._readers = None

    def __iter__(self) -> Iterator[Step]:
        """Yields the calls as they are now; they may be changed meanwhile."""
        return iter(tuple(self.steps))

"""The only file that touches private Keras API: one function a touch, one test a function."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras

__all__ = [
    "Call",
    "all_layers",
    "application_layers",
    "deserialized",
    "forgotten",
    "graph_of",
    "made_by",
    "moving_averages",
    "noted_references",
    "optimized",
    "run_graph",
    "serialized",
    "sublayers",
    "walk_graph",
]


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer or operation inside a model's graph.

    Attributes:
        operation: the Keras layer or operation that is called.
        path: its name, after the names of the models it is nested in.
        inputs: shape of each tensor that goes in.
        outputs: shape of each tensor that comes out.
        taken: the tensors that go in, as `keras.KerasTensor`: each is one that an earlier call has given,
            or an input of the model.
        given: the tensors that come out.
        arguments: what it is called with, positional and by name: tensors, and constants beside them.
    """

    operation: Any
    path: tuple[str, ...]
    inputs: tuple[tuple[int | None, ...], ...]
    outputs: tuple[tuple[int | None, ...], ...]
    taken: tuple[Any, ...] = ()
    given: tuple[Any, ...] = ()
    arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})


def serialized(model: keras.Model) -> dict[str, Any]:
    """Returns the model's config as plain data, as a ``.keras`` file holds it, without the compile state.

    The private `ObjectSharingScope` makes a layer that stands in two places come back as one layer.
    """
    from keras.src.saving.serialization_lib import ObjectSharingScope

    compiled = [layer for layer in all_layers(model) if getattr(layer, "compiled", False)]
    for layer in compiled:
        layer.compiled = False  # what `get_compile_config` looks at: a loss may have no config
    try:
        with ObjectSharingScope():
            return dict(keras.saving.serialize_keras_object(model))
    finally:
        for layer in compiled:
            layer.compiled = True


def deserialized(config: dict[str, Any], custom_objects: dict[str, Any]) -> Any:
    """Makes the object that `serialized` described in this process. Never for configs read from files."""
    from keras.src.saving.serialization_lib import ObjectSharingScope

    with ObjectSharingScope():
        return keras.saving.deserialize_keras_object(config, custom_objects=custom_objects, safe_mode=False)


def all_layers(model: keras.Model) -> list[Any]:
    """Lists the model and all layers in it, however deeply they are nested, each once."""
    return list(model._flatten_layers())


def graph_of(operation: Any) -> Any | None:
    """Returns the graph that a Functional or Sequential model runs, or None where a class's own code runs."""
    from keras.src.models.functional import Functional

    if isinstance(operation, keras.Sequential):
        return operation._functional if type(operation).call is keras.Sequential.call else None
    if isinstance(operation, Functional) and type(operation).call is Functional.call:
        return operation
    return None


def walk_graph(
    model: keras.Model,
    inputs: Any,
    visit: Callable[[Call], None],
    path: tuple[str, ...] = (),
    *,
    enter: Callable[[Call], None] | None = None,
) -> Any:
    """Calls `visit` for each call in the model's graph, from inputs to outputs, nested models included.

    Nothing is computed and the model stays as it is; shapes are worked out for the given inputs.

    Args:
        model: a model that `graph_of` knows.
        inputs: its inputs, as `keras.KerasTensor`.
        visit: is told of each call of a layer or operation.
        path: names of the models around it.
        enter: is told of each call of a nested model, before the calls in it; nothing has come out yet.

    Returns:
        The model's outputs, as `keras.KerasTensor`.
    """

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        here = (*path, operation.name)
        if graph_of(operation) is not None:
            given = args[0] if args else kwargs["inputs"]
            if enter is not None:
                tensors = _tensors(given)
                enter(Call(operation, here, _shapes(tensors), (), tensors, (), (args, kwargs)))
            return walk_graph(operation, given, visit, here, enter=enter)
        outputs = operation.compute_output_spec(*args, **kwargs)
        taken, given = _tensors((args, kwargs)), _tensors(outputs)
        visit(Call(operation, here, _shapes(taken), _shapes(given), taken, given, (args, kwargs)))
        return outputs

    return graph_of(model)._run_through_graph(inputs, call_fn=call)  # type: ignore[union-attr]


def run_graph(
    model: keras.Model,
    inputs: Any,
    visit: Callable[[tuple[str, ...], Any, Any], None],
    *,
    training: bool,
    path: tuple[str, ...] = (),
) -> Any:
    """Computes what calling a model would give, and hands on what each layer inside gives meanwhile.

    Unlike a second model over the same layers it adds nothing to them, so that the model stays as it is.

    Args:
        model: a model that `graph_of` knows.
        inputs: its inputs, as tensors.
        visit: is told of each call, those of nested models too: its path (see `Call`), the layer or
            operation, and what it gave.
        training: whether the layers run as they do in training.
        path: names of the models around it.
    """
    from keras.src.models.functional import operation_fn

    def told(operation: Any) -> Callable[..., Any]:
        plain, here = operation_fn(operation, training=training), (*path, operation.name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if graph_of(operation) is None:
                outputs = plain(*args, **kwargs)
            else:
                given = args[0] if args else kwargs["inputs"]
                outputs = run_graph(operation, given, visit, training=training, path=here)
            visit(here, operation, outputs)
            return outputs

        return call

    graph: Any = graph_of(model)
    outputs = graph._run_through_graph(graph._standardize_inputs(inputs), operation_fn=told)
    return outputs[0] if isinstance(outputs, list | tuple) and len(outputs) == 1 else outputs


def made_by(tensor: Any) -> tuple[Any, tuple[Any, ...]] | None:
    """Returns the layer or operation that gave a symbolic tensor, and the tensors that it was given.

    None for what is no symbolic tensor, or was not given by anything. An input of a model is given by its
    input layer, which takes nothing.
    """
    history = getattr(tensor, "_keras_history", None)
    if history is None:
        return None
    node = history.operation._inbound_nodes[history.node_index]
    return history.operation, tuple(node.input_tensors)


def _tensors(structure: Any) -> tuple[Any, ...]:
    """Lists all tensors in a nested structure."""
    return tuple(part for part in keras.tree.flatten(structure) if isinstance(part, keras.KerasTensor))


def _shapes(tensors: Sequence[Any]) -> tuple[tuple[int | None, ...], ...]:
    """Lists the shapes of tensors."""
    return tuple(tuple(tensor.shape) for tensor in tensors)


def sublayers(layer: Any) -> list[Any]:
    """Lists the layers that sit directly in a model or layer, whether or not it is a `keras.Model`."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def moving_averages(optimizer: Any, variables: Sequence[Any]) -> list[Any]:
    """Returns the moving average that a built optimizer keeps of each variable; None where it keeps none."""
    if not optimizer.use_ema:
        return [None] * len(variables)
    return list(optimizer._model_variables_moving_average)


def optimized(optimizer: Any) -> list[Any]:
    """Returns the variables that a built optimizer trains, in the order in which it was built on them."""
    while getattr(optimizer, "inner_optimizer", None) is not None:
        optimizer = optimizer.inner_optimizer
    return list(optimizer._trainable_variables)


@contextlib.contextmanager
def noted_references(optimizer: Any) -> Iterator[dict[int, Any]]:
    """Notes of which variable each variable tells that an optimizer, or one inside it, makes in the block.

    Yields:
        By the id of the optimizer's variable (such as a momentum), the variable that it was made for.
    """
    noted: dict[int, Any] = {}
    levels = [optimizer]
    while getattr(levels[-1], "inner_optimizer", None) is not None:
        levels.append(levels[-1].inner_optimizer)

    def noting(make: Callable[..., Any]) -> Callable[..., Any]:
        def call(reference_variable: Any, *args: Any, **kwargs: Any) -> Any:
            made = make(reference_variable, *args, **kwargs)
            noted[id(made)] = reference_variable
            return made

        return call

    try:
        for level in levels:  # past the tracking of attributes
            own = level.add_variable_from_reference
            object.__setattr__(level, "add_variable_from_reference", noting(own))
        yield noted
    finally:
        for level in levels:
            if "add_variable_from_reference" in vars(level):
                object.__delattr__(level, "add_variable_from_reference")


def forgotten(variables: Sequence[Any]) -> list[Any]:
    """Returns the variables whose gradients Keras on torch may forget to reset between two steps.

    It files the parameters of a model by their paths. Nested models that were loaded from a file may give
    several variables one path; all but the last are lost there, and their gradients add up over the steps.
    """
    if keras.backend.backend() != "torch":
        return []
    paths = [variable.path for variable in variables]
    return [variable for variable in variables if paths.count(variable.path) > 1]


def application_layers() -> dict[str, type]:
    """Returns the layer classes that `keras.applications` defines for itself, by name."""
    from keras.src.applications.convnext import LayerScale, StochasticDepth
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    return {
        "CustomScaleLayer": CustomScaleLayer,
        "LayerScale": LayerScale,
        "StochasticDepth": StochasticDepth,
    }

"""Each touch of private Keras API, so that a new Keras that moves one is noticed here."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trimtab import _keras_internals


def nested() -> keras.Model:
    shared = keras.layers.Dense(4, name="shared")
    base = keras.Sequential([keras.Input((6,)), shared, keras.layers.ReLU(name="relu")], name="base")
    inputs = keras.Input((6,))
    outputs = keras.layers.Dense(2, name="head")(base(inputs) + base(inputs))
    return keras.Model(inputs, outputs, name="outer")


def test_serialized_leaves_the_compile_state_out_and_in_place() -> None:
    model = nested()
    model.compile("adam", loss=lambda truth, guess: guess)  # such a loss has no config
    config = _keras_internals.serialized(model)
    assert not config.get("compile_config")
    assert model.compiled
    assert model.optimizer is not None


def test_deserialized_makes_what_serialized_described_with_shared_parts_shared() -> None:
    class Holder(keras.layers.Layer):
        def __init__(self, first, second, **options):
            super().__init__(**options)
            self.first, self.second = first, second

        def get_config(self):
            parts = {
                name: keras.saving.serialize_keras_object(getattr(self, name)) for name in ("first", "second")
            }
            return {**super().get_config(), **parts}

        @classmethod
        def from_config(cls, config):
            for name in ("first", "second"):
                config[name] = keras.saving.deserialize_keras_object(config[name])
            return cls(**config)

        def call(self, inputs):
            return self.second(self.first(inputs))

    shared = keras.layers.Dense(3)
    model = keras.Sequential([keras.Input((3,)), Holder(shared, shared)])
    config = _keras_internals.serialized(model)
    copy = _keras_internals.deserialized(config, {"Holder": Holder})
    assert copy.layers[0].first is copy.layers[0].second


def test_all_layers_are_found_once_however_deep() -> None:
    names = [layer.name for layer in _keras_internals.all_layers(nested())]
    assert {"outer", "base", "shared", "relu", "head"} <= set(names)
    assert len(names) == len(set(names))


def test_graph_of_knows_functional_and_sequential_models_only() -> None:
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    class Overridden(keras.Sequential):
        def call(self, inputs, training=None, mask=None):
            return inputs

    assert _keras_internals.graph_of(nested()) is not None
    assert _keras_internals.graph_of(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])) is not None
    assert _keras_internals.graph_of(Own()) is None
    assert _keras_internals.graph_of(Overridden([keras.Input((2,)), keras.layers.Dense(1)])) is None
    assert _keras_internals.graph_of(keras.layers.Dense(1)) is None


def test_walk_graph_visits_each_call_in_order_and_changes_nothing() -> None:
    model = nested()
    nodes = [len(layer._inbound_nodes) for layer in _keras_internals.all_layers(model)]
    calls: list[_keras_internals.Call] = []
    outputs = _keras_internals.walk_graph(model, [keras.KerasTensor((1, 6))], calls.append)
    paths = ["/".join(call.path) for call in calls]
    assert paths[:4] == ["base/shared", "base/relu", "base/shared", "base/relu"]
    assert paths[-1] == "head"
    assert calls[0].inputs == ((1, 6),)
    assert calls[0].outputs == ((1, 4),)
    assert outputs.shape == (1, 2)
    assert [len(layer._inbound_nodes) for layer in _keras_internals.all_layers(model)] == nodes
    assert model(np.zeros((1, 6), np.float32)).shape == (1, 2)


def test_walk_graph_tells_which_call_gave_which_tensor() -> None:
    calls: list[_keras_internals.Call] = []
    start = keras.KerasTensor((1, 6))
    end = _keras_internals.walk_graph(nested(), [start], calls.append)
    first, _, second, _, add, head = calls
    assert first.taken[0] is start
    assert second.taken[0] is start
    assert [tensor is call.given[0] for tensor, call in zip(add.taken, calls[1:4:2], strict=True)] == [
        True
    ] * 2
    assert head.taken[0] is add.given[0]
    assert head.given[0] is end


def test_walk_graph_tells_of_each_call_of_a_nested_model_before_the_calls_in_it() -> None:
    heard: list[str] = []
    start = keras.KerasTensor((1, 6))
    entered: list[_keras_internals.Call] = []

    def enter(call: _keras_internals.Call) -> None:
        heard.append(call.path[-1])
        entered.append(call)

    model = nested()
    _keras_internals.walk_graph(model, [start], lambda call: heard.append(call.path[-1]), enter=enter)
    assert heard[:4] == ["base", "shared", "relu", "base"]
    assert entered[0].operation is model.get_layer("base")
    assert entered[0].taken[0] is start
    assert entered[0].inputs == ((1, 6),)


def test_sublayers_are_the_direct_ones() -> None:
    model = nested()
    assert {layer.name for layer in _keras_internals.sublayers(model)} >= {"base", "head"}
    assert "shared" not in {layer.name for layer in _keras_internals.sublayers(model)}
    assert [layer.name for layer in _keras_internals.sublayers(model.get_layer("base"))].count("shared") == 1


def test_moving_averages_are_those_of_the_optimizer_or_none() -> None:
    variables = [keras.Variable([1.0, 2.0]), keras.Variable([3.0])]
    plain = keras.optimizers.SGD()
    plain.build(variables)
    assert _keras_internals.moving_averages(plain, variables) == [None, None]
    averaging = keras.optimizers.SGD(use_ema=True)
    averaging.build(variables)
    averages = _keras_internals.moving_averages(averaging, variables)
    assert [average.shape for average in averages] == [(2,), (1,)]


def test_sublayers_are_those_directly_inside() -> None:
    class Block(keras.layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.inside = keras.layers.Dense(2, name="inside")

    model = nested()
    assert [layer.name for layer in _keras_internals.sublayers(model.get_layer("base"))][-2:] == [
        "shared",
        "relu",
    ]
    assert "shared" not in [layer.name for layer in _keras_internals.sublayers(model)]
    assert [layer.name for layer in _keras_internals.sublayers(Block())] == ["inside"]
    assert _keras_internals.sublayers(keras.layers.ReLU()) == []


def test_moving_averages_are_those_of_an_optimizer_that_keeps_them() -> None:
    variables = [keras.Variable(np.ones(3, "float32"), name="kernel")]
    for use_ema in (True, False):
        optimizer = keras.optimizers.SGD(0.1, use_ema=use_ema)
        optimizer.build(variables)
        (average,) = _keras_internals.moving_averages(optimizer, variables)
        assert (average is not None) == use_ema
        if use_ema:
            assert average.shape == (3,)
            assert average is not variables[0]


def test_gradients_are_forgotten_only_by_torch_and_where_paths_are_the_same() -> None:
    twice = [keras.Variable([1.0], name="kernel") for _ in range(2)]
    variables = [keras.Variable([1.0], name="bias"), *twice]
    expected = twice if keras.backend.backend() == "torch" else []
    assert [id(v) for v in _keras_internals.forgotten(variables)] == [id(v) for v in expected]


def test_optimized_are_the_variables_that_an_optimizer_was_built_on() -> None:
    model = nested()
    inner = keras.optimizers.Adam()
    outer = keras.optimizers.LossScaleOptimizer(inner)
    outer.build(model.trainable_variables)
    found = _keras_internals.optimized(outer)
    assert [id(variable) for variable in found] == [id(variable) for variable in model.trainable_variables]


def test_noted_references_tell_which_variable_a_momentum_belongs_to() -> None:
    model = nested()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(momentum=0.9))
    with _keras_internals.noted_references(optimizer) as noted:
        optimizer.build(model.trainable_variables)
    told = [noted.get(id(variable)) for variable in optimizer.variables]
    assert [id(one) for one in told if one is not None] == [id(v) for v in model.trainable_variables]
    assert "add_variable_from_reference" not in vars(optimizer.inner_optimizer)


def test_application_layers_are_those_that_keras_applications_uses() -> None:
    kinds = _keras_internals.application_layers()
    assert set(kinds) == {"CustomScaleLayer", "LayerScale", "StochasticDepth"}
    assert all(issubclass(kind, keras.Layer) for kind in kinds.values())
    scaled = kinds["CustomScaleLayer"](0.5)([np.ones((1, 2), "float32"), np.ones((1, 2), "float32")])
    assert keras.ops.convert_to_numpy(scaled).tolist() == [[1.5, 1.5]]


def test_a_call_tells_its_constants() -> None:
    inputs = keras.Input((3,))
    calls: list[_keras_internals.Call] = []
    _keras_internals.walk_graph(keras.Model(inputs, inputs + 3.0), [inputs], calls.append)
    assert calls[0].arguments[0][1] == 3.0
    assert calls[0].taken == (inputs,)


def test_run_graph_computes_what_the_model_computes_and_tells_each_call_by_its_path() -> None:
    inputs = keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="inside")], name="inner")
    outputs = keras.layers.Dropout(0.5, seed=1, name="drop")(inner(inputs) * 2.0)
    model = keras.Model(inputs, outputs)
    images = keras.ops.convert_to_tensor(np.ones((2, 4), np.float32))
    told: dict[str, Any] = {}

    def visit(path: tuple[str, ...], operation: Any, given: Any) -> None:
        told["/".join(path)] = operation, given

    found = _keras_internals.run_graph(model, images, visit, training=False)
    np.testing.assert_array_equal(found, model(images, training=False))
    assert list(told)[:2] == ["inner/inside", "inner"]
    assert told["inner/inside"][0] is inner.layers[0]
    np.testing.assert_array_equal(told["inner"][1], inner(images))
    dropped = _keras_internals.run_graph(model, images, visit, training=True)
    assert np.any(keras.ops.convert_to_numpy(dropped) != keras.ops.convert_to_numpy(found))


def test_made_by_tells_what_a_symbolic_tensor_came_from():
    images = keras.Input((4,))
    dense = keras.layers.Dense(3)
    inside = dense(images)
    relu = keras.layers.ReLU()
    operation, taken = _keras_internals.made_by(relu(inside))
    assert operation is relu
    assert taken == (inside,)
    operation, taken = _keras_internals.made_by(inside)
    assert (operation, taken) == (dense, (images,))
    assert _keras_internals.made_by(images)[1] == ()
    assert _keras_internals.made_by(np.zeros(3)) is None

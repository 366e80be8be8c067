"""Saved in the middle of its schedule and loaded again, a training ends with the same bits."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.errors import ConfigError, ModelError
from trimtab.pruning import (
    ConstantSparsity,
    FunctionImportance,
    KeepZeros,
    OneShotSparsity,
    PolynomialSparsity,
    PruningOptimizer,
    Taylor,
)

pytestmark = pytest.mark.backend

X = np.random.default_rng(0).normal(size=(96, 8)).astype("float32")
Y = (X[:, 0] > 0).astype("int32") + (X[:, 1] > 0)
CLIMB = PolynomialSparsity(0.0, 0.5, begin=0, end=8, frequency=3)
LATE = PolynomialSparsity(0.0, 0.5, begin=3, end=9, frequency=3)
LOSS = keras.losses.SparseCategoricalCrossentropy


@keras.saving.register_keras_serializable(package="trimtab_tests")
class Two(keras.Model):
    """A model whose layers Keras names anew when it is loaded."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = keras.layers.Dense(16, activation="relu")
        self.last = keras.layers.Dense(3)

    def call(self, inputs):
        return self.last(self.first(inputs))


@keras.saving.register_keras_serializable(package="trimtab_tests")
def square(weight):
    return ops.square(weight)


def sequential():
    return keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu", name="first"),
            keras.layers.Dense(3, name="last"),
        ]
    )


def nested():
    """Two inner models whose layers have the same name: paths of variables are no identity."""
    inner = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16, name="same")], name="inner")
    other = keras.Sequential([keras.Input((16,)), keras.layers.Dense(3, name="same")], name="other")
    inputs = keras.Input((8,))
    return keras.Model(inputs, other(ops.relu(inner(inputs))))


def subclassed():
    model = Two()
    model(X[:1])
    return model


def images():
    return keras.Sequential(
        [
            keras.Input((2, 2, 2)),
            keras.layers.Conv2D(8, 2, padding="same", activation="relu", name="conv"),
            keras.layers.DepthwiseConv2D(2, padding="same", name="depthwise"),
            keras.layers.Flatten(),
            keras.layers.Dense(3, name="last"),
        ]
    )


def compiled(make, schedule=CLIMB, inner=None, **options):
    keras.utils.set_random_seed(0)
    model = make()
    optimizer = PruningOptimizer.for_model(
        model, inner() if inner else keras.optimizers.Adam(0.01), schedule, **options
    )
    model.compile(optimizer, LOSS(from_logits=True))
    return model


def fit(model, start=0, stop=96):
    x = X[start:stop].reshape(-1, *model.input_shape[1:]) if hasattr(model, "input_shape") else X[start:stop]
    model.fit(x, Y[start:stop], batch_size=8, verbose=0, shuffle=False)
    return model


def numpy(variables):
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


def zeros(model):
    return [int(np.sum(v == 0)) for v in numpy(model.trainable_variables) if v.ndim >= 2]


def assert_resumes(make, path, **options):
    """Trains one model to the end, and from the middle on also what was saved of it there."""
    whole = fit(compiled(make, **options), 0, 40)
    whole.save(path)
    loaded = keras.saving.load_model(path)
    assert isinstance(loaded.optimizer, PruningOptimizer)
    assert loaded.optimizer.criterion == whole.optimizer.criterion
    for model in (whole, loaded):
        fit(model, 40, 96)
    assert_same(whole, loaded)
    return whole


def assert_same(left, right):
    for kind in ("weights", "optimizer"):
        ours, theirs = (m.weights if kind == "weights" else m.optimizer.variables for m in (left, right))
        for one, other in zip(numpy(ours), numpy(theirs), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=kind)


@pytest.mark.parametrize("make", [sequential, nested, subclassed])
def test_each_kind_of_model_resumes(make, tmp_path):
    resumed = assert_resumes(make, tmp_path / "half.keras")
    assert zeros(resumed) == [64, 24]
    assert_same(fit(compiled(make)), resumed)  # trained without a break


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"granularity": "4x1"}, [64, 24]),
        ({"granularity": "2:4"}, [64, 24]),
        ({"ranking": "global"}, None),
        ({"importance": "taylor", "schedule": LATE}, [64, 24]),
        ({"importance": Taylor(0.5), "granularity": "2:4", "ranking": "global", "schedule": LATE}, [64, 24]),
        ({"importance": "random"}, [64, 24]),
        ({"importance": square}, [64, 24]),
        ({"targets": {"first": 0.75, "last": 0.25}}, [96, 12]),
        (
            {
                "inner": lambda: keras.optimizers.SGD(0.05, gradient_accumulation_steps=2),
                "importance": "taylor",
                "schedule": LATE,
            },
            [64, 24],
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_each_way_to_choose_resumes(options, expected, tmp_path):
    found = zeros(assert_resumes(sequential, tmp_path / "half.keras", **options))
    assert found == expected if expected else sum(found) == 88


def test_images_in_blocks_resume(tmp_path):
    # (2, 2, 2, 8) in blocks of 2x2, (2, 2, 8, 1) and (32, 3): blocks at the edge are smaller.
    whole = assert_resumes(
        images, tmp_path / "half.keras", granularity="2x2", importance="taylor", schedule=LATE
    )
    assert zeros(whole)[0] == 32


def test_the_state_is_saved_once():
    for options, each in (({}, 1), ({"importance": "taylor", "schedule": LATE}, 2)):
        model = fit(compiled(sequential, **options), 0, 8)
        store = {}
        model.optimizer.save_own_variables(store)
        weights, counters = 2, 2
        assert len(store) == each * weights + counters
        assert len({id(v) for v in model.optimizer.variables}) == len(model.optimizer.variables)


def test_scores_given_at_the_start_are_not_needed_to_go_on(tmp_path):
    scores = [np.random.default_rng(1).random((8, 16)), np.random.default_rng(2).random((16, 3))]
    options = {"importance": "taylor", "initial_scores": scores, "schedule": OneShotSparsity(0.5)}
    assert zeros(assert_resumes(sequential, tmp_path / "half.keras", **options)) == [64, 24]


def test_scores_that_were_not_saved_are_asked_for(tmp_path):
    scores = [np.ones((8, 16)), np.ones((16, 3))]
    model = compiled(sequential, OneShotSparsity(0.5), importance="taylor", initial_scores=scores)
    optimizer = PruningOptimizer.from_config(model.optimizer.get_config())  # data only: no scores in it
    optimizer.build(model.trainable_variables)
    gradients = [ops.ones(v.shape) for v in model.trainable_variables]
    with pytest.raises(ConfigError, match=r"seen no gradients .* initial_scores=taylor_scores"):
        optimizer.apply(gradients)


def test_an_optimizer_that_an_earlier_release_saved_still_loads():
    model = sequential()
    new = PruningOptimizer.for_model(model, keras.optimizers.SGD(0.1), CLIMB)
    old = {key: new.get_config()[key] for key in ("name", "inner_optimizer", "schedule")}
    old["positions"] = [[0, [8, 16]], [2, [16, 3]]]
    loaded = PruningOptimizer.from_config(old)
    assert loaded.criterion == new.criterion
    assert loaded.get_config() == {
        **new.get_config(),
        "positions": [[0, [8, 16], None, None], [2, [16, 3], None, None]],
    }
    by_name = PruningOptimizer.from_config({**old, "positions": None})
    for optimizer in (loaded, by_name):
        optimizer.build(model.trainable_variables)
        assert [row.shape for row in optimizer.state()] == [(8, 16), (16, 3)]


def test_what_a_position_remembers_comes_back():
    model = sequential()
    optimizer = PruningOptimizer.for_model(
        model, keras.optimizers.SGD(0.1), CLIMB, granularity="2:4", targets={"last": 0.5}
    )
    config = optimizer.get_config()
    assert config["positions"] == [[2, [16, 3], -2, 0.5]]
    assert PruningOptimizer.from_config(config).get_config() == config


def test_a_function_of_ones_own_must_be_given_when_loading():
    def secret(weight):
        return ops.abs(weight)

    optimizer = PruningOptimizer(keras.optimizers.SGD(0.1), CLIMB, importance=secret)
    config = optimizer.get_config()
    with pytest.raises(ConfigError, match="'secret', which is not saved"):
        PruningOptimizer.from_config(config)
    loaded = PruningOptimizer.from_config(config, custom_objects={"secret": secret})
    assert loaded.criterion.importance == FunctionImportance(secret)


def test_masks_of_other_weights_are_refused():
    optimizer = PruningOptimizer(keras.optimizers.SGD(0.1), CLIMB)
    optimizer.build(sequential().trainable_variables)
    with pytest.raises(ModelError, match="saved pruning state has 1 variables"):
        optimizer.load_own_variables({"0": np.zeros(())})


def test_fine_tuning_resumes_with_its_zeros(tmp_path):
    pruned = fit(compiled(sequential))

    def again():
        model = sequential()
        model.set_weights(pruned.get_weights())
        return model

    assert zeros(assert_resumes(again, tmp_path / "half.keras", schedule=KeepZeros())) == [64, 24]


def test_masks_from_before_training_stay_as_they_were_saved(tmp_path):
    options = {"schedule": ConstantSparsity(0.5, begin=1, end=2), "granularity": "4x1"}
    assert zeros(assert_resumes(sequential, tmp_path / "half.keras", **options)) == [64, 24]

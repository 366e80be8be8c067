from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.errors import ConfigError
from trimtab.pruning import (
    ConstantSparsity,
    KeepZeros,
    OneShotSparsity,
    PolynomialSparsity,
    PruningOptimizer,
    Schedule,
    prunable_weights,
)

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras
]

X = np.random.default_rng(0).normal(size=(96, 6)).astype("float32")
Y = (X[:, 0] > 0).astype("int32") + (X[:, 1] > 0)
CLIMB = PolynomialSparsity(0.0, 0.75, begin=0, end=8, frequency=3)


@keras.saving.register_keras_serializable(package="trimtab_tests")
class Subclassed(keras.Model):
    """A model whose layers Keras names anew when it is loaded."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = keras.layers.Dense(16, activation="relu")
        self.last = keras.layers.Dense(3)

    def call(self, inputs):
        return self.last(self.first(inputs))


def sequential():
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(16, activation="relu", name="first"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(3, name="last"),
        ]
    )


def functional():
    inputs = keras.Input((6,))
    left = keras.layers.Dense(16, activation="relu", name="first")(inputs)
    right = keras.layers.Dense(16, name="second")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, name="last")(keras.layers.add([left, right])))


def nested():
    inner = keras.Sequential([keras.Input((6,)), keras.layers.Dense(16, name="first")], name="inner")
    # The same name twice on purpose: names and paths of variables are no identity.
    other = keras.Sequential([keras.Input((16,)), keras.layers.Dense(3, name="first")], name="other")
    inputs = keras.Input((6,))
    return keras.Model(inputs, other(ops.relu(inner(inputs))))


def subclassed():
    model = Subclassed()
    model(X[:1])
    return model


@keras.saving.register_keras_serializable(package="trimtab_tests")
class Twice(keras.layers.Layer):
    """A layer of one's own, with a kernel of another name and one of which nothing is known."""

    def build(self, shape):
        self.mixing = self.add_weight(shape=(shape[-1], 16), name="mixing")
        self.table = self.add_weight(shape=(shape[-1], 16), name="table")

    def call(self, inputs):
        return ops.relu(inputs @ self.mixing) + inputs @ self.table


@prunable_weights.register(Twice)
def _(layer):
    return (layer.mixing,)


def custom_layer():
    return keras.Sequential([keras.Input((6,)), Twice(name="twice"), keras.layers.Dense(3, name="last")])


def compiled(make, schedule=CLIMB, inner=None, layers=None, jit="auto", **options):
    keras.utils.set_random_seed(0)
    model = make()
    inner = inner or keras.optimizers.Adam(0.01)
    optimizer = PruningOptimizer.for_model(model, inner, schedule, layers, **options)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=jit)
    return model


def fit(model, start=0, stop=96, epochs=1):
    model.fit(X[start:stop], Y[start:stop], batch_size=8, epochs=epochs, verbose=0, shuffle=False)
    return model


def numpy(variables):
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


def sparsities(model):
    return {
        v.path: float(np.mean(ops.convert_to_numpy(v) == 0))
        for v in model.trainable_variables
        if v.name == "kernel"
    }


def assert_same(left, right):
    for one, other in zip(numpy(left), numpy(right), strict=True):
        np.testing.assert_array_equal(one, other)


def test_fit_prunes_each_kernel_and_nothing_else():
    model = fit(compiled(functional))
    assert set(sparsities(model).values()) == {0.75}
    biases = [v for v in model.trainable_variables if v.name == "bias"]
    assert all(np.count_nonzero(bias) == bias.size for bias in numpy(biases))
    assert not [v for v in model.variables if "mask" in v.path]
    kernels = [v for v in numpy(model.trainable_variables) if v.ndim == 2]
    assert not any(np.signbit(kernel[kernel == 0]).any() for kernel in kernels)  # minus zero packs badly


def test_only_the_layers_asked_for_are_pruned():
    model = fit(compiled(nested, layers=["other"]))
    assert list(sparsities(model).values()) == [0.0, 0.75]


def test_without_a_model_the_kernels_are_told_by_their_names():
    model = sequential()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(PruningOptimizer(keras.optimizers.SGD(0.1), CLIMB), loss)
    assert set(sparsities(fit(model)).values()) == {0.75}


@pytest.mark.parametrize(
    "options",
    [
        {
            "learning_rate": keras.optimizers.schedules.ExponentialDecay(0.01, 5, 0.9),
            "weight_decay": 0.1,
            "clipnorm": 0.1,
        },
        {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 5},
        {"gradient_accumulation_steps": 2, "global_clipnorm": 0.1},
    ],
    ids=lambda options: "+".join(options),
)
def test_what_the_inner_optimizer_offers_still_works(options):
    inner = keras.optimizers.SGD(**{"learning_rate": 0.05, "momentum": 0.9, **options})
    model = fit(compiled(functional, inner=inner))
    assert set(sparsities(model).values()) == {0.75}
    batches = 12
    assert int(model.optimizer.iterations) == batches // options.get("gradient_accumulation_steps", 1)


def test_without_pruning_it_trains_as_the_inner_optimizer_does():
    nothing = ConstantSparsity(0.0)
    wrapped = fit(compiled(functional, nothing, keras.optimizers.Adam(0.01, clipnorm=0.5)))
    keras.utils.set_random_seed(0)
    plain = functional()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    plain.compile(keras.optimizers.Adam(0.01, clipnorm=0.5), loss)
    for one, other in zip(numpy(fit(plain).weights), numpy(wrapped.weights), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_the_learning_rate_is_that_of_the_inner_optimizer():
    model = compiled(functional)
    rates = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    model.fit(X, Y, batch_size=32, epochs=2, verbose=0, callbacks=[rates])
    assert float(ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.0025)
    assert float(ops.convert_to_numpy(model.optimizer.inner_optimizer.learning_rate)) == pytest.approx(0.0025)


def test_mixed_precision_scales_the_loss_around_it():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = compiled(functional)
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    fit(model, epochs=3)
    assert set(sparsities(model).values()) == {0.75}
    assert all(v.dtype == "float32" for v in model.trainable_variables)


def test_a_fixed_loss_scale_reaches_the_inner_optimizer():
    optimizer = PruningOptimizer(keras.optimizers.SGD(0.1, loss_scale_factor=8.0), CLIMB)
    assert optimizer.loss_scale_factor == 8.0
    assert float(optimizer.scale_loss(2.0)) == 16.0
    keras.optimizers.LossScaleOptimizer(optimizer)
    assert optimizer.inner_optimizer.loss_scale_factor is None


def test_zeros_that_are_there_are_kept():
    model = fit(compiled(functional))
    before = [np.array(ops.convert_to_numpy(v)) == 0 for v in model.trainable_variables if v.name == "kernel"]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(PruningOptimizer.for_model(model, keras.optimizers.Adam(0.01), KeepZeros()), loss)
    fit(model)
    after = [np.array(ops.convert_to_numpy(v)) == 0 for v in model.trainable_variables if v.name == "kernel"]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_zeros_of_weights_that_were_loaded_after_building_are_kept():
    pruned = fit(compiled(functional))
    model = compiled(functional, KeepZeros())
    model.optimizer.build(model.trainable_variables)  # sees random weights without zeros
    model.set_weights(pruned.get_weights())
    assert set(sparsities(fit(model)).values()) == {0.75}


def test_pruning_at_step_one_happens_before_the_first_forward_pass():
    model = compiled(functional, ConstantSparsity(0.5, begin=1, frequency=1000))
    model.optimizer.build(model.trainable_variables)
    assert set(sparsities(model).values()) == {0.5}
    assert set(sparsities(fit(model)).values()) == {0.5}


def test_a_pruned_weight_may_come_back():
    weight = keras.Variable(np.array([1.0, 0.1], "float32"), name="kernel")
    optimizer = PruningOptimizer(keras.optimizers.SGD(1.0), ConstantSparsity(0.5, begin=1, frequency=2))
    optimizer.build([weight])
    seen = []
    for _ in range(3):
        optimizer.apply([ops.convert_to_tensor(np.array([0.0, -3.0], "float32"))], [weight])
        seen.append(ops.convert_to_numpy(weight.value).tolist())
    # Step 1: masked still. Before step 3 the masks are chosen from what step 2 left: [1, 3].
    assert seen == [[1.0, 0.0], [0.0, 3.0], [0.0, 6.0]]


@pytest.mark.parametrize("jit", [True, False])
def test_with_and_without_the_compiler(jit):
    if jit and keras.backend.backend() == "torch":
        pytest.skip("torch.compile needs a C++ compiler")
    assert set(sparsities(fit(compiled(functional, jit=jit))).values()) == {0.75}


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match=r"no layer 'frist' .* Did you mean 'first'"):
        compiled(sequential, layers=["frist"])


def test_variables_that_are_not_trained_are_refused():
    model, other = functional(), functional()
    optimizer = PruningOptimizer.for_model(model, keras.optimizers.SGD(0.1), CLIMB)
    optimizer._positions = None
    with pytest.raises(ConfigError, match="3 of 3 weights to prune are not among"):
        optimizer.build(other.trainable_variables)


def test_a_saved_optimizer_refuses_another_model():
    model = functional()
    config = PruningOptimizer.for_model(model, keras.optimizers.SGD(0.1), CLIMB, ["last"]).get_config()
    optimizer = PruningOptimizer.from_config(config)
    with pytest.raises(ConfigError, match=r"weight of shape \(16, 3\)"):
        optimizer.build(nested().trainable_variables)


def test_nothing_to_prune_is_an_error():
    with pytest.raises(ConfigError, match="nothing would be pruned"):
        PruningOptimizer(keras.optimizers.SGD(0.1), CLIMB).build([keras.Variable([1.0], name="scale")])


def test_weights_without_a_place_cannot_be_saved_yet():
    model = functional()
    optimizer = PruningOptimizer(keras.optimizers.SGD(0.1), CLIMB, [model.trainable_variables[0]])
    with pytest.raises(ConfigError, match="can be saved once it is built"):
        optimizer.get_config()
    optimizer.build(model.trainable_variables)
    assert optimizer.get_config()["positions"] == [[0, [6, 16], None, None]]


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        (lambda: "adam", "needs a Keras 3 optimizer"),
        (lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)), "Put it around instead"),
        (lambda: PruningOptimizer(keras.optimizers.SGD(0.1), CLIMB), "cannot hold another one"),
    ],
)
def test_what_cannot_be_wrapped_is_refused(inner, message):
    with pytest.raises(ConfigError, match=message):
        PruningOptimizer(inner(), CLIMB)


def test_a_number_is_no_schedule():
    with pytest.raises(ConfigError, match="needs a schedule"):
        PruningOptimizer(keras.optimizers.SGD(0.1), 0.8)


def test_a_schedule_of_ones_own_serves():
    class Halves(Schedule):
        def updates(self, step):
            return ops.equal(step, 4)

        def at(self, step):
            return 0.5

        @property
        def target(self):
            return 0.5

        @property
        def reached_at(self):
            return 4

    assert set(sparsities(fit(compiled(functional, Halves()))).values()) == {0.5}


HALF = PolynomialSparsity(0.0, 0.5, begin=2, end=8, frequency=3)


@pytest.mark.parametrize(
    ("make", "sizes"),
    [(functional, [96, 96, 48]), (sequential, [96, 48]), (nested, [96, 48]), (subclassed, [96, 48])],
)
def test_blocks_are_pruned_in_each_kind_of_model(make, sizes):
    model = fit(compiled(make, HALF, granularity="2x1", importance="taylor"))
    kernels = [v for v in numpy(model.trainable_variables) if v.ndim == 2]
    for kernel, size in zip(kernels, sizes, strict=True):
        np.testing.assert_array_equal(kernel[::2] == 0, kernel[1::2] == 0)
        assert np.sum(kernel == 0) == size / 2


def test_two_of_four_along_the_inputs():
    model = fit(compiled(functional, HALF, layers=["last"], granularity="2:4"))
    kernel = numpy(model.trainable_variables)[-2]
    assert (np.sum(kernel.reshape(4, 4, 3) == 0, axis=1) == 2).all()
    assert list(sparsities(model).values())[:2] == [0.0, 0.0]


def test_a_layer_of_ones_own_is_pruned_where_it_says():
    model = compiled(custom_layer, ranking="global")
    kernel = model.trainable_variables[2]
    kernel.assign(3 * kernel.value)  # ranked together, so that fewer of these go
    fit(model)
    mixing, table, last, _ = numpy(model.trainable_variables)
    assert np.all(table)
    assert np.sum(mixing == 0) + np.sum(last == 0) == 0.75 * (96 + 48)
    assert np.mean(mixing == 0) > np.mean(last == 0)


def test_each_layer_comes_to_its_own_target():
    model = compiled(functional, HALF, targets={"first": 0.75, "last": 0.25})
    fit(model, 0, 32)  # four batches: the latest update was for step 5, at 7/16 of the schedule's way
    on_the_way = float(ops.convert_to_numpy(HALF.at(5)))
    assert [round(share * 96) for share in sparsities(model).values()][:2] == [
        round(0.75 / 0.5 * on_the_way * 96),
        0,
    ]
    fit(model, 32, 96)
    assert list(sparsities(model).values()) == [0.75, 0.0, 0.25]


def test_the_scores_that_were_given_choose_the_first_masks():
    scores = [np.random.default_rng(i).random(shape) for i, shape in enumerate([(6, 16), (16, 3)])]
    options = {"importance": "taylor", "initial_scores": scores}
    model = compiled(sequential, OneShotSparsity(0.5), **options)
    model.optimizer.build(model.trainable_variables)
    for score, kernel in zip(scores, [v for v in numpy(model.weights) if v.ndim == 2], strict=True):
        np.testing.assert_array_equal(kernel != 0, score >= np.median(score))
    before = sparsities(model)
    assert sparsities(fit(model)) == before


def test_without_a_model_blocks_are_made_of_what_blocks_fit():
    model = sequential()
    optimizer = PruningOptimizer(keras.optimizers.SGD(0.1), HALF, granularity="2x1", ranking="global")
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert sum(np.sum(v == 0) for v in numpy(fit(model).trainable_variables) if v.ndim == 2) == 72


def test_the_state_tells_what_was_asked_and_what_there_is():
    model = compiled(functional, targets={"first": 0.75, "last": 0.375})
    assert model.optimizer.state() == ()
    fit(model, 0, 8)  # one batch: the first update, for step 3, is to come
    first, last = model.optimizer.state()
    assert (first.asked, first.zeros, first.shape, first.index) == (0.0, 0, (6, 16), 0)
    fit(model, 8, 24)  # three: the latest update was for step 3, the next is for step 6
    first, last = model.optimizer.state()
    assert first.asked == pytest.approx(float(ops.convert_to_numpy(CLIMB.at(3))))
    assert last.asked == pytest.approx(first.asked / 2)
    assert first.zeros == round(first.asked * 96)
    fit(model, 24, 96)
    first, last = model.optimizer.state()
    assert (first.asked, first.zeros, last.asked, last.zeros) == (0.75, 72, 0.375, 18)
    kernel = numpy(model.trainable_variables)[0]
    assert first.threshold == np.abs(kernel[kernel != 0]).min()
    assert first.path.endswith("kernel")
    assert model.optimizer.steps == 12


def test_the_state_of_blocks_patterns_and_kept_zeros():
    (blocks, *_), (pattern, *_) = (
        fit(compiled(functional, HALF, granularity=kind, ranking="global")).optimizer.state()
        for kind in ("2x4", "2:4")
    )
    assert blocks.threshold > 0.02  # the mean of a block, not its smallest weight
    assert pattern.threshold is None
    assert pattern.asked == 0.5
    (kept, *_) = fit(compiled(functional, KeepZeros())).optimizer.state()
    assert (kept.asked, kept.zeros) == (None, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"granularity": "2:4"}, r"'2:4' makes a sparsity of 0.5, no more and no less, but 0.75 was asked"),
        ({"granularity": "2:4", "schedule": HALF, "targets": {"first": 0.3}}, "but 0.3 was asked"),
        ({"granularity": "4:2"}, "4:2|4 of"),
        ({"importance": "magnitud"}, "Did you mean 'magnitude'"),
        ({"ranking": "locally"}, "ranking is 'layer' or 'global'"),
        ({"targets": {"frist": 0.5}}, "Did you mean 'first'"),
        ({"targets": {"first": 1.0}}, r"target of layer 'first' must be a share of zeros .* got 1.0"),
        ({"targets": {}}, "targets needs layer names"),
        ({"targets": {"first": 0.5}, "ranking": "global"}, "takes no targets"),
        ({"targets": {"first": 0.5}, "schedule": KeepZeros()}, "asks for none"),
        ({"targets": {"first": 0.5}, "layers": ["first", "last"]}, "no sparsity for layer 'last'"),
        ({"importance": "taylor", "schedule": OneShotSparsity(0.5)}, "seen no gradients by then"),
        ({"importance": "taylor", "initial_scores": [np.ones((6, 16))]}, "1 arrays, but 3 weights"),
        ({"importance": "taylor", "initial_scores": [np.ones((6, 15))] * 3}, r"shape \(6, 16\), but are"),
        ({"importance": "taylor", "initial_scores": [-np.ones((6, 16))] * 3}, "below 0, infinite or NaN"),
        ({"initial_scores": [np.ones((6, 16))] * 3}, "'magnitude' makes its own"),
        ({"schedule": lambda step: 0.5}, r"got a function.*TabulatedSparsity\.from_function"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_what_makes_no_sense_is_refused_before_training(options, message):
    options = dict(options)
    with pytest.raises(ConfigError, match=message):
        compiled(functional, options.pop("schedule", CLIMB), **options)


def test_a_granularity_that_needs_the_layers_says_so():
    kernel = keras.Variable(np.ones((8, 4), "float32"), name="kernel")
    by_name = PruningOptimizer(keras.optimizers.SGD(0.1), HALF, granularity="2:4")
    given = PruningOptimizer(keras.optimizers.SGD(0.1), HALF, [kernel], granularity="2:4")
    for optimizer in (by_name, given):
        with pytest.raises(ConfigError, match=r"cannot be pruned with granularity '2:4': .*for_model sees"):
            optimizer.build([kernel])


def test_the_plain_default_keeps_masks_and_nothing_more():
    model = fit(compiled(functional), 0, 8)
    plain = keras.optimizers.Adam(0.01)
    plain.build(model.trainable_variables)
    masks, counters = 3, 2
    assert len(model.optimizer.variables) == len(plain.variables) + masks + counters

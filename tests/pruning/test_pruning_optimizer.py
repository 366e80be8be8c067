from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.errors import ConfigError, ModelError
from trimtab.pruning import ConstantSparsity, KeepZeros, PolynomialSparsity, PruningOptimizer, Schedule

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
    # The same name twice on purpose: paths of variables are no identity. Keras on torch then forgets to
    # reset one gradient once the model is loaded, with any optimizer.
    name = "last" if keras.backend.backend() == "torch" else "first"
    other = keras.Sequential([keras.Input((16,)), keras.layers.Dense(3, name=name)], name="other")
    inputs = keras.Input((6,))
    return keras.Model(inputs, other(ops.relu(inner(inputs))))


def subclassed():
    model = Subclassed()
    model(X[:1])
    return model


def compiled(make, schedule=CLIMB, inner=None, layers=None, **options):
    keras.utils.set_random_seed(0)
    model = make()
    optimizer = PruningOptimizer.for_model(model, inner or keras.optimizers.Adam(0.01), schedule, layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, **options)
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


def test_only_the_layers_asked_for_are_pruned():
    model = fit(compiled(nested, layers=["other"]))
    assert list(sparsities(model).values()) == [0.0, 0.75]


def test_without_a_model_the_kernels_are_told_by_their_names():
    model = sequential()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(PruningOptimizer(keras.optimizers.SGD(0.1), CLIMB), loss)
    assert set(sparsities(fit(model)).values()) == {0.75}


@pytest.mark.parametrize("make", [sequential, nested, subclassed])
def test_saved_in_the_middle_and_resumed_it_ends_with_the_same_bits(make, tmp_path):
    whole = fit(compiled(make))
    fit(compiled(make), 0, 40).save(tmp_path / "half.keras")
    loaded = keras.saving.load_model(tmp_path / "half.keras")
    assert isinstance(loaded.optimizer, PruningOptimizer)
    assert loaded.optimizer.schedule == CLIMB
    fit(loaded, 40, 96)
    assert [float(np.mean(kernel == 0)) for kernel in numpy(loaded.weights) if kernel.ndim == 2] == [0.75] * 2
    assert_same(whole.weights, loaded.weights)
    assert_same(whole.optimizer.variables, loaded.optimizer.variables)


def test_the_state_is_saved_once():
    model = fit(compiled(sequential), 0, 8)
    store = {}
    model.optimizer.save_own_variables(store)
    masks, counters = 2, 2
    assert len(store) == masks + counters
    assert len({id(v) for v in model.optimizer.variables}) == len(model.optimizer.variables)


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


def custom_loop(model, optimizer, steps):
    """The plain loop of each backend."""
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer.build(model.trainable_variables)
    batches = [(X[i * 8 : i * 8 + 8], Y[i * 8 : i * 8 + 8]) for i in range(steps)]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        @tf.function
        def step(x, y):
            with tf.GradientTape() as tape:
                loss = loss_of(y, model(x, training=True))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

        for x, y in batches:
            step(tf.constant(x), tf.constant(y))
    elif keras.backend.backend() == "jax":
        import jax

        def compute(trainable, fixed, x, y):
            outputs, fixed = model.stateless_call(trainable, fixed, x, training=True)
            return loss_of(y, outputs), fixed

        @jax.jit
        def step(trainable, fixed, state, x, y):
            gradients, fixed = jax.grad(compute, has_aux=True)(trainable, fixed, x, y)
            trainable, state = optimizer.stateless_apply(state, gradients, trainable)
            return trainable, fixed, state

        trainable = [v.value for v in model.trainable_variables]
        fixed = [v.value for v in model.non_trainable_variables]
        state = [v.value for v in optimizer.variables]
        for x, y in batches:
            trainable, fixed, state = step(trainable, fixed, state, x, y)
        for variables, values in ((model.trainable_variables, trainable), (optimizer.variables, state)):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
    else:
        import torch

        for x, y in batches:
            model.zero_grad()
            loss_of(y, model(x, training=True)).backward()
            gradients = [v.value.grad for v in model.trainable_variables]
            with torch.no_grad():
                optimizer.apply(gradients, model.trainable_variables)


def test_a_loop_of_ones_own_gives_what_fit_gives():
    fitted = fit(compiled(functional))
    keras.utils.set_random_seed(0)
    model = functional()
    custom_loop(model, PruningOptimizer.for_model(model, keras.optimizers.Adam(0.01), CLIMB), 12)
    for one, other in zip(numpy(fitted.weights), numpy(model.weights), strict=True):
        np.testing.assert_array_equal(one == 0, other == 0)
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_eager_apply_builds_by_itself():
    model = functional()
    optimizer = PruningOptimizer(keras.optimizers.SGD(0.1), ConstantSparsity(0.5, frequency=1))
    random = np.random.default_rng(0)  # all different, so that no magnitudes tie
    gradients = [
        ops.convert_to_tensor(random.normal(size=v.shape).astype("float32"))
        for v in model.trainable_variables
    ]
    for _ in range(3):
        optimizer.apply(gradients, model.trainable_variables)
    assert set(sparsities(model).values()) == {0.5}
    assert optimizer.built
    optimizer.apply([])  # nothing to do, as with any Keras optimizer
    assert int(optimizer.iterations) == 3


@pytest.mark.parametrize("jit", [True, False])
def test_with_and_without_the_compiler(jit):
    if jit and keras.backend.backend() == "torch":
        pytest.skip("torch.compile needs a C++ compiler")
    assert set(sparsities(fit(compiled(functional, jit_compile=jit))).values()) == {0.75}


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
    assert optimizer.get_config()["positions"] == [[0, [6, 16]]]


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


def test_masks_of_other_weights_are_refused():
    optimizer = PruningOptimizer(keras.optimizers.SGD(0.1), CLIMB)
    optimizer.build(functional().trainable_variables)
    with pytest.raises(ModelError, match="saved pruning state has 1 variables"):
        optimizer.load_own_variables({"0": np.zeros(())})


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

from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError, OutputError
from trimtab.pruning import (
    ConstantSparsity,
    KeepZeros,
    PolynomialSparsity,
    PruningOptimizer,
    PruningSummaries,
)

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras
]

X = np.random.default_rng(0).normal(size=(48, 6)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")
CLIMB = PolynomialSparsity(0.0, 0.75, begin=0, end=4, frequency=2)


def fitted(folder, every="epoch", schedule=CLIMB, epochs=2, wrap=lambda optimizer: optimizer, **options):
    """Trains 6 batches an epoch with summaries; returns the model and the callback."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(16, "relu", name="first"), keras.layers.Dense(2, name="last")]
    )
    optimizer = wrap(PruningOptimizer.for_model(model, keras.optimizers.Adam(0.01), schedule))
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), **options)
    callback = PruningSummaries(folder, every)
    model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, shuffle=False, callbacks=[callback])
    return model, callback


def read(folder):
    """Reads all event files of a folder back: step -> name -> number."""
    import tensorflow as tf

    found = {}
    for path in sorted((folder / "pruning").iterdir()):
        assert "tfevents" in path.name  # what TensorBoard looks for
        records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
        events = [tf.compat.v1.Event.FromString(record) for record in records]
        assert events[0].file_version == "brain.Event:2"
        for event in events[1:]:
            assert event.wall_time > 1.6e9
            assert event.step not in found
            found[event.step] = {value.tag: value.simple_value for value in event.summary.value}
    return found


def kernel(model, name):
    return np.asarray(keras.ops.convert_to_numpy(model.get_layer(name).kernel.value))


def test_each_epoch_is_written_with_the_numbers_that_the_model_has(tmp_path):
    model, _ = fitted(tmp_path)
    found = read(tmp_path)
    assert sorted(found) == [6, 12]
    last = found[12]
    first_layer = [name for name in last if name.endswith("first/kernel")]
    assert sorted(name.split("/")[0] for name in first_layer) == ["asked", "sparsity", "threshold"]
    weights = kernel(model, "first")
    by_kind = {name.split("/")[0]: last[name] for name in first_layer}
    assert by_kind["sparsity"] == pytest.approx(np.mean(weights == 0)) == 0.75
    assert by_kind["asked"] == pytest.approx(0.75)
    assert by_kind["threshold"] == pytest.approx(np.abs(weights[weights != 0]).min(), rel=1e-5)
    zeros = sum(np.count_nonzero(kernel(model, name) == 0) for name in ("first", "last"))
    assert last["sparsity/total"] == pytest.approx(zeros / (6 * 16 + 16 * 2))
    assert last["asked/total"] == pytest.approx(0.75)


def test_every_so_many_batches_and_once_at_the_end(tmp_path):
    fitted(tmp_path, every=4, epochs=3)
    found = read(tmp_path)
    assert sorted(found) == [4, 8, 12, 16, 18]
    sparsities = [found[step]["sparsity/total"] for step in sorted(found)]
    assert sparsities == sorted(sparsities)
    assert sparsities[-1] == pytest.approx(0.75)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras on torch has no steps_per_execution")
def test_batches_count_where_several_are_one_call(tmp_path):
    fitted(tmp_path, every=4, steps_per_execution=3)
    assert sorted(read(tmp_path)) == [6, 9, 12]


def test_a_second_fit_goes_on_where_the_first_ended(tmp_path):
    model, callback = fitted(tmp_path, epochs=1)
    model.fit(X, Y, batch_size=8, verbose=0, callbacks=[callback])
    assert sorted(read(tmp_path)) == [6, 12]


def test_the_pruning_optimizer_is_found_inside_a_loss_scale_optimizer(tmp_path):
    fitted(tmp_path, wrap=lambda optimizer: keras.optimizers.LossScaleOptimizer(optimizer, 2.0))
    assert sorted(read(tmp_path)) == [6, 12]


def test_what_nobody_asked_for_is_left_out(tmp_path):
    fitted(tmp_path, schedule=KeepZeros(), epochs=1)
    names = read(tmp_path)[6]
    assert names["sparsity/total"] == 0
    assert not [name for name in names if name.startswith("asked")]


def test_two_weights_of_one_path_have_two_curves(tmp_path):
    inner = [
        keras.Sequential([keras.Input((6,)), keras.layers.Dense(6, name="dense")], name="same") for _ in "ab"
    ]
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, name="last")])
    optimizer = PruningOptimizer(
        keras.optimizers.SGD(0.1),
        ConstantSparsity(0.5, begin=1),
        weights=[part.layers[0].kernel for part in inner] + [model.layers[0].kernel],
    )
    variables = [variable for part in (*inner, model) for variable in part.trainable_variables]
    optimizer.build(variables)
    from trimtab.pruning.optimizer._summaries import _scalars

    names = [name for name in _scalars(optimizer.state()) if name.startswith("sparsity/")]
    assert len(names) == len(set(names)) == 4


def test_without_a_pruning_optimizer_training_does_not_begin(tmp_path):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ConfigError, match=r"compiled with Adam, not with a PruningOptimizer.*for_model"):
        model.fit(X, Y, verbose=0, callbacks=[PruningSummaries(tmp_path)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("every", [0, -1, 2.5, True, "batch", None])
def test_an_interval_that_makes_no_sense_is_refused(tmp_path, every):
    with pytest.raises(ConfigError, match="every=" + repr(every)):
        PruningSummaries(tmp_path, every)


@pytest.mark.parametrize("folder", ["", None, 3])
def test_a_folder_that_is_none_is_refused(folder):
    with pytest.raises(ConfigError, match="needs a folder"):
        PruningSummaries(folder)


def test_a_file_in_the_way_is_told_before_training(tmp_path):
    (tmp_path / "pruning").write_text("mine")
    with pytest.raises(OutputError, match="in the way"):
        fitted(tmp_path)
    assert (tmp_path / "pruning").read_text() == "mine"

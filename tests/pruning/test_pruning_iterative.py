from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError, ModelError
from trimtab.models import clone
from trimtab.pruning import prune, sparsity_table
from trimtab.training import train

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras

OPTIONS = {"sparsity": 0.8, "schedule": "iterative", "rounds": 3, "epochs": 2, "batch_size": 64}
TAYLOR = {**OPTIONS, "importance": "taylor", "rewind": "weights"}


@pytest.fixture(scope="module")
def digits():
    """Few of the digits: much is trained here."""
    from trimtab.data import load_data

    return load_data("digits", limit=256)


@pytest.fixture(scope="module")
def trained(digits):
    """A small CNN with batch normalisation, as it began and as it ended."""
    from trimtab.zoo import cnn

    early = cnn(digits.image_shape, digits.classes, filters=(8, 16), dense=16, batch_norm=True, seed=0)
    train(early, digits, epochs=1, batch_size=64, learning_rate=3e-3)
    late = clone(early)
    train(late, digits, epochs=3, batch_size=64, learning_rate=3e-3)
    return early, late


class Watch(keras.callbacks.Callback):
    """Keeps the weights that each training begins with, before its first step, and may fail on the way."""

    def __init__(self, fail_in: int = 0, epoch: int = 1) -> None:
        super().__init__()
        self.starts, self.ends, self.fail_in, self.epoch = [], [], fail_in, epoch

    def on_train_begin(self, logs=None):
        self.starts.append([np.array(weight) for weight in self.model.get_weights()])

    def on_epoch_begin(self, epoch, logs=None):
        if len(self.starts) == self.fail_in and epoch == self.epoch:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append([np.array(weight) for weight in self.model.get_weights()])


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_each_round_removes_the_same_share_and_the_last_reaches_the_end(trained, digits):
    result = prune(trained[1], digits, **OPTIONS)
    density = [1 - entry.asked for entry in result.rounds]
    np.testing.assert_allclose(density, [0.2 ** (r / 3) for r in (1, 2, 3)], atol=2e-3)
    assert [entry.sparsity for entry in result.rounds] == [entry.asked for entry in result.rounds]
    assert {row.asked for row in result.layers} == {0.8}
    assert result.missed == ()
    assert [epoch.epoch for epoch in result.history.epochs] == [1, 2, 3, 4, 5, 6]
    assert [(e.first_epoch, e.last_epoch) for e in result.rounds] == [(1, 2), (3, 4), (5, 6)]
    assert result.history.best_epoch == result.rounds[-1].best_epoch in (5, 6)
    # The rate begins anew in each round.
    rates = [epoch.learning_rate for epoch in result.history.epochs]
    assert rates[0] == rates[2] == rates[4] > rates[1]
    assert "the learning rate rewound in each round" in result.notes[0]


def test_rewinding_is_exact_for_all_variables(trained, digits):
    early, late = trained
    for to in (early, None):
        watch = Watch()
        prune(late, digits, **OPTIONS, rewind="weights", rewind_to=to, callbacks=[watch])
        origin = (to or late).get_weights()
        assert len(watch.starts) == 3
        for start in watch.starts:
            for value, wanted in zip(start, origin, strict=True):
                kept = value != 0 if value.ndim > 1 else np.ones_like(value, bool)
                assert np.array_equal(value, np.where(kept, wanted, 0))
                assert kept.mean() > 0.1
        zeros = [[value == 0 for value in start if value.ndim > 1] for start in watch.starts]
        for before, after in itertools.pairwise(zeros):  # what went stays away
            assert all(not (a & ~b).any() for a, b in zip(before, after, strict=True))
            assert sum(map(np.sum, after)) > sum(map(np.sum, before))


def test_the_zeros_hold_while_a_round_trains(trained, digits):
    watch = Watch()
    prune(trained[1], digits, **{**OPTIONS, "rounds": 1}, callbacks=[watch])
    for end in watch.ends:
        for value, start in zip(end, watch.starts[0], strict=True):
            if value.ndim > 1:
                assert np.array_equal(value == 0, start == 0)


@pytest.fixture(scope="module")
def whole(trained, digits):
    """What a pruning gives that nothing stopped."""
    return prune(trained[1], digits, **TAYLOR)


@pytest.mark.parametrize(("fail_in", "epoch"), [(1, 1), (2, 0), (2, 1)])
def test_a_killed_run_goes_on_and_ends_the_same(trained, digits, whole, tmp_path, fail_in, epoch):
    model, path, options = trained[1], tmp_path / "state.npz", TAYLOR
    with pytest.raises(KeyboardInterrupt):
        prune(model, digits, **options, checkpoint=path, callbacks=[Watch(fail_in, epoch)])
    assert len(list(tmp_path.glob("state.round-*.npz"))) == fail_in - 1
    watch = Watch()
    resumed = prune(model, digits, **options, checkpoint=path, callbacks=[watch])
    assert len(watch.starts) == 4 - fail_in  # finished rounds are not trained again
    assert same(resumed.model.get_weights(), whole.model.get_weights())
    assert resumed.layers == whole.layers
    assert resumed.rounds == whole.rounds
    assert [(e.loss, e.val_loss) for e in resumed.history.epochs] == [
        (e.loss, e.val_loss) for e in whole.history.epochs
    ]
    assert not list(tmp_path.iterdir())


def test_a_kept_checkpoint_gives_the_result_at_once(trained, digits, tmp_path):
    model, path = trained[1], tmp_path / "state.npz"
    first = prune(model, digits, **OPTIONS, checkpoint=path, keep_checkpoint=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "state.npz", "state.round-1.npz", "state.round-2.npz",
    ]  # fmt: skip
    watch = Watch()
    again = prune(model, digits, **OPTIONS, checkpoint=path, keep_checkpoint=True, callbacks=[watch])
    assert not watch.starts
    assert same(first.model.get_weights(), again.model.get_weights())
    assert (again.history, again.layers, again.rounds) == (first.history, first.layers, first.rounds)


@pytest.mark.parametrize(
    "options",
    [
        {"granularity": "2:4", "sparsity": None},
        {"granularity": "4x1", "sparsity": 0.7},
        {"ranking": "global", "sparsity": 0.7},
        {"importance": "random", "sparsity": 0.7},
        {"sparsity": {"dense": 0.9, "conv_2": 0.4}},
    ],
)
def test_each_kind_reaches_what_was_asked(trained, digits, options):
    result = prune(trained[1], digits, **{**OPTIONS, "rounds": 2, "epochs": 1, **options})
    assert result.missed == ()
    assert result.sparsity == pytest.approx(result.asked, abs=0.005)
    assert len(result.rounds) == 2


def test_a_sparse_model_is_pruned_on_from_the_zeros_it_has(trained, digits):
    sparse = prune(trained[1], digits, **{**OPTIONS, "sparsity": 0.5, "rounds": 1}).model
    before = {row.name: row.zeros for row in sparsity_table(sparse)}
    result = prune(sparse, digits, **{**OPTIONS, "sparsity": 0.875, "rounds": 2})
    density = [1 - entry.asked for entry in result.rounds]
    np.testing.assert_allclose(density, [0.25, 0.125], atol=3e-3)
    less = prune(sparse, digits, **{**OPTIONS, "sparsity": 0.2, "rounds": 1})
    assert {row.name: row.zeros for row in less.layers} == before


def test_zeros_in_the_weights_rewound_to_are_told(trained, digits):
    early = clone(trained[0])
    kernel = early.get_layer("dense").kernel
    kernel.assign(np.where(np.arange(kernel.shape[1]) < 3, 0, np.array(kernel)))
    options = {**OPTIONS, "rounds": 1, "epochs": 1, "sparsity": 0.2}
    result = prune(trained[1], digits, **options, rewind="weights", rewind_to=early)
    told = [note for note in result.notes if "zero in the weights rewound to" in note]
    assert len(told) == 1
    assert told[0].startswith("round 1: ")


def test_another_model_to_rewind_to_is_refused(trained, digits):
    from trimtab.zoo import cnn

    other = cnn(digits.image_shape, digits.classes, filters=(8, 16), dense=24, batch_norm=True)
    fewer = cnn(digits.image_shape, digits.classes, filters=(8, 16), dense=16)
    broken = clone(trained[0])
    broken.get_layer("dense").bias.assign(np.full(16, np.nan))
    for to, message in [
        (other, "another architecture: its weight .* of shape"),
        (fewer, "another architecture: it has 8 weights"),
        (broken, "rewind_to holds NaN"),
        ("model.keras", "needs a built Keras 3 model"),
    ]:
        with pytest.raises(ModelError, match=message):
            prune(trained[1], digits, **OPTIONS, rewind="weights", rewind_to=to)
    with pytest.raises(ConfigError, match="rewind='rate' keeps the weights"):
        prune(trained[1], digits, **OPTIONS, rewind_to=trained[0])
    with pytest.raises(ConfigError, match="rewind belongs to schedule='iterative'"):
        prune(trained[1], digits, rewind="weights", rewind_to=trained[0])

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from trimtab.errors import ConfigError
from trimtab.pruning import ConstantSparsity, Criterion, KeepZeros, PolynomialSparsity
from trimtab.pruning.optimizer._share import check_targets, shares

pytestmark = pytest.mark.backend


def test_without_targets_the_share_is_that_of_the_schedule():
    assert shares(0.3, [None, None], 0.8) == 0.3
    assert shares(0.3, [0.5], None) == 0.3


def test_all_weights_arrive_together_and_exactly():
    for final in (0.1, 0.8, 0.9, 0.95):
        targets = [0.3, None, 0.7, 0.99, 0.0]
        arrived = ops.convert_to_numpy(shares(np.float32(final), targets, final))
        np.testing.assert_array_equal(arrived, np.float32([0.3, final, 0.7, 0.99, 0.0]))
        half = ops.convert_to_numpy(shares(np.float32(final / 2), targets, final))
        np.testing.assert_allclose(half, arrived / 2, rtol=1e-6)


def test_a_weight_whose_target_is_the_schedules_follows_it_bit_by_bit():
    climb = PolynomialSparsity(0.0, 0.8, 0, 100)
    for step in range(1, 101):
        asked = climb.at(step)
        own = ops.convert_to_numpy(shares(asked, [0.8, None], climb.target))
        assert own[0] == own[1] == ops.convert_to_numpy(asked)


@pytest.mark.parametrize(
    ("schedule", "criterion", "targets", "message"),
    [
        (KeepZeros(), Criterion(), [0.5], "asks for none"),
        (ConstantSparsity(0.0), Criterion(), [0.5], "asks for none"),
        (ConstantSparsity(0.5), Criterion(ranking="global"), [0.5], "takes no targets"),
        (ConstantSparsity(0.8), Criterion("2:4"), [None], "Let the schedule end at 0.5"),
        (ConstantSparsity(0.5), Criterion("1:4"), [None], "makes a sparsity of 0.75"),
        (ConstantSparsity(0.8), Criterion("2:4"), [0.5, 0.6], "but 0.6 was asked"),
    ],
)
def test_contradictions_are_told(schedule, criterion, targets, message):
    with pytest.raises(ConfigError, match=message):
        check_targets(schedule, criterion, targets)


def test_what_fits_together_is_let_through():
    check_targets(ConstantSparsity(0.5), Criterion("2:4", ranking="global"), [None])
    check_targets(ConstantSparsity(0.8), Criterion("2:4"), [0.5, 0.0])
    check_targets(KeepZeros(), Criterion("2:4"), [None])
    check_targets(ConstantSparsity(1 / 3), Criterion("2:3"), [None])

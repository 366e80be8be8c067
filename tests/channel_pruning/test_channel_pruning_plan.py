from __future__ import annotations

import itertools

import pytest

from trimtab.channel_pruning._plan import Plan
from trimtab.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "iteratve"}, "Did you mean 'iterative'"),
        ({"epochs": -1}, "epochs=-1 must be a whole number of at least 0"),
        ({"epochs": True}, "epochs=True"),
        ({"rounds": 3}, "rounds belongs to schedule='iterative'"),
        ({"schedule": "iterative", "rounds": 0}, "rounds=0 must be a whole number of at least 1"),
        ({"schedule": "iterative", "epochs": 0}, "asks for no training"),
        ({"sparsity_learning": "bnn"}, "Did you mean 'bn'"),
        ({"sparsity_learning": "bn", "strength": 0}, "strength=0 must be a number above 0"),
        ({"sparsity_learning": "bn", "strength": float("nan")}, "strength=nan"),
        ({"sparsity_learning": "bn", "sparsity_epochs": 0}, "sparsity_epochs=0"),
        ({"strength": 0.1}, "strength belongs to sparsity learning"),
        ({"sparsity_epochs": 3}, "sparsity_epochs belongs to sparsity learning"),
        ({"alpha": 0.5}, "alpha belongs to fine-tuning with a teacher"),
        ({"temperature": 2.0}, "temperature belongs to fine-tuning with a teacher"),
        ({"teacher": True, "epochs": 0}, "nothing would be learnt"),
        ({"recalibrate": "yes"}, "recalibrate='yes' must be True or False"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(options, message):
    with pytest.raises(ConfigError) as error:
        Plan(**options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_rounds_remove_equal_shares_of_what_is_left_and_end_where_asked():
    plan = Plan(schedule="iterative", rounds=4)
    kept = [1 - plan.ratio_after(number, 0.6) for number in range(5)]
    assert kept[0] == 1
    assert kept[4] == pytest.approx(0.4)
    assert [b / a for a, b in itertools.pairwise(kept)] == pytest.approx([0.4**0.25] * 4)


def test_the_usual_plan_is_one_shot_and_trains():
    plan = Plan()
    assert (plan.number_of_rounds, plan.trains, plan.epochs_of_sparsity) == (1, True, 0)
    assert Plan(schedule="iterative").number_of_rounds == 5
    assert not Plan(epochs=0).trains
    assert Plan(epochs=0, sparsity_learning="bn").trains

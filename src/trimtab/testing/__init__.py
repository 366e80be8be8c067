"""The contracts of pruning as code: checks for schedules, granularities, importances and layers of your own.

Each check raises `AssertionError` with a sentence that says what is wrong, so that a test is one line::

    def test_my_schedule():
        trimtab.testing.check_schedule(MySchedule(final=0.8))

What ships with Trimtab passes the same checks, on TensorFlow, JAX and torch.
"""

from __future__ import annotations

from trimtab.testing._channels_check import ChannelsCheck, check_channels
from trimtab.testing._granularity_check import check_granularity
from trimtab.testing._importance_check import check_importance
from trimtab.testing._schedule_check import check_schedule

__all__ = ["ChannelsCheck", "check_channels", "check_granularity", "check_importance", "check_schedule"]

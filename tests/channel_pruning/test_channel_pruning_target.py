"""One target, in the units that people write."""

from __future__ import annotations

import pytest

from trimtab._records import to_plain
from trimtab._units import Amount
from trimtab.channel_pruning import Target
from trimtab.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "quantity", "limit", "measured"),
    [
        ({"ratio": 0.5}, "ratio", Amount(0.5, relative=True), False),
        ({"parameters": 50_000}, "parameters", Amount(50_000), False),
        ({"macs": "0.5x"}, "macs", Amount(0.5, relative=True), False),
        ({"size": "50kB"}, "size", Amount(50_000), True),
        ({"latency": "2ms"}, "latency", Amount(2), True),
    ],
)
def test_targets(options, quantity, limit, measured):
    target = Target(**options)
    assert (target.quantity, target.limit, target.measured) == (quantity, limit, measured)
    assert str(target) == f"{quantity}={next(iter(options.values()))}"
    assert to_plain(target)[quantity] == next(iter(options.values()))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "Give one target: .* Received: none"),
        ({"ratio": 0.5, "macs": "50%"}, "Give one target: .* Received: ratio=0.5 and macs='50%'"),
        ({"ratio": 1.0}, "ratio=1.0 must be a share"),
        ({"ratio": "half"}, "ratio='half' must be a share"),
        ({"size": "50 pages"}, "size='50 pages' is no amount"),
        ({"latency": "200%"}, "latency='200%' asks for all that there is, or more"),
    ],
)
def test_targets_that_make_no_sense(options, told):
    with pytest.raises(ConfigError, match=told):
        Target(**options)

"""Quantities as people write them."""

from __future__ import annotations

import pytest

from trimtab._units import QUANTITIES, Amount, amount, minutes, points, share
from trimtab.errors import ConfigError


@pytest.mark.parametrize(
    ("quantity", "written", "value"),
    [
        ("parameters", 50_000, 50_000),
        ("parameters", "50_000", 50_000),
        ("parameters", "50k", 50_000),
        ("parameters", " 1.5 M ", 1_500_000),
        ("macs", 12e6, 12_000_000),
        ("macs", "12e6", 12_000_000),
        ("macs", "2G", 2_000_000_000),
        ("size", 50_000, 50_000),
        ("size", "50kB", 50_000),
        ("size", "50 KB", 50_000),
        ("size", "50 KiB", 51_200),
        ("size", "1.2MB", 1_200_000),
        ("size", "800 bytes", 800),
        ("latency", 2, 2),
        ("latency", "2ms", 2),
        ("latency", ".5 ms", 0.5),
        ("latency", 0.25, 0.25),
        ("latency", "250us", 0.25),
        ("latency", "0.002s", 2),
    ],
)
def test_amounts(quantity, written, value):
    found = amount(quantity, written)
    assert not found.relative
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.of(10) == found.value


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize(
    ("written", "share"), [("50%", 0.5), ("0.5x", 0.5), ("33.3 %", 0.333), ("0.25×", 0.25)]
)
def test_shares(quantity, written, share):
    assert amount(quantity, written) == Amount(pytest.approx(share), relative=True)
    assert amount(quantity, written).of(200) == pytest.approx(200 * share)


@pytest.mark.parametrize(
    ("quantity", "written", "told"),
    [
        ("size", "fifty", r"size='fifty' is no amount. Give for example 50000 \(bytes\), '50kB'"),
        ("size", "50ms", "size='50ms' is no amount"),
        ("latency", "2kB", "latency='2kB' is no amount"),
        ("parameters", "50kB", "parameters='50kB' is no amount"),
        ("parameters", True, "parameters=True is no amount"),
        ("parameters", 0, "parameters=0 is no amount"),
        ("macs", -5, "macs=-5 is no amount"),
        ("macs", float("nan"), "macs=nan is no amount"),
        ("macs", float("inf"), "macs=inf is no amount"),
        ("macs", None, "macs=None is no amount"),
        ("macs", "1.2.3M", "macs='1.2.3M' is no amount"),
        ("size", "100%", "size='100%' asks for all that there is, or more"),
        ("latency", "2x", "latency='2x' asks for all that there is, or more"),
        ("parameters", 0.5, "parameters=0.5 is less than one. A share is written '50%' or '0.5x'"),
    ],
)
def test_what_is_no_amount_is_refused_in_one_line(quantity, written, told):
    with pytest.raises(ConfigError, match=told) as error:
        amount(quantity, written)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("written", "value"), [(0.91, 0.91), ("0.91", 0.91), ("91%", 0.91), ("91 %", 0.91), (1, 1.0)]
)
def test_shares_of_images(written, value):
    assert share("min_accuracy", written) == pytest.approx(value)


@pytest.mark.parametrize(
    ("written", "value"), [(0.5, 0.5), ("0.5", 0.5), ("1 point", 1), ("0.5%", 0.5), (0, 0)]
)
def test_points(written, value):
    assert points("max_drop", written) == pytest.approx(value)


@pytest.mark.parametrize(
    ("written", "value"), [(30, 30), ("30", 30), ("90s", 1.5), ("2h", 120), ("5 min", 5)]
)
def test_minutes(written, value):
    assert minutes("minutes", written) == pytest.approx(value)


@pytest.mark.parametrize(
    ("read", "written"),
    [
        (share, 91),
        (share, "91kB"),
        (share, True),
        (points, "2ms"),
        (points, -1),
        (minutes, 0),
        (minutes, "soon"),
    ],
)
def test_what_is_none_of_these(read, written):
    with pytest.raises(ConfigError, match="this="):
        read("this", written)

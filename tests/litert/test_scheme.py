from __future__ import annotations

import dataclasses

import pytest

from trimtab.errors import ConfigError
from trimtab.litert import SCHEMES, Scheme, scheme


def test_every_scheme_is_found_by_its_name():
    assert list(SCHEMES) == [
        "float32", "float16", "dynamic-int8", "int8", "int8-float-io", "int16x8", "int16x8-float-io", "int4",
        "int4-float-io", "dynamic-int4", "dynamic-int4-block32",
    ]  # fmt: skip
    for name, entry in SCHEMES.items():
        assert entry.name == name
        assert scheme(name) is entry
        assert scheme(entry) is entry


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("float16", ("float16", "float32", "float32", None)),
        ("dynamic-int8", ("int8", "float32", "float32", None)),
        ("int8", ("int8", "int8", "int8", None)),
        ("int8-float-io", ("int8", "int8", "float32", None)),
        ("int16x8", ("int8", "int16", "int16", None)),
        ("int4-float-io", ("int4", "int8", "float32", None)),
        ("dynamic-int4-block256", ("int4", "float32", "float32", 256)),
    ],
)
def test_the_name_says_the_numbers(name, numbers):
    entry = scheme(name)
    assert (entry.weights, entry.activations, entry.io, entry.block) == numbers


def test_what_follows_from_the_numbers():
    static = [name for name, entry in SCHEMES.items() if entry.static]
    assert static == ["int8", "int8-float-io", "int16x8", "int16x8-float-io", "int4", "int4-float-io"]
    assert [name for name, entry in SCHEMES.items() if not entry.quantized] == ["float32", "float16"]
    assert [scheme(name).bytes_per_weight for name in ("float32", "float16", "int8", "int4")] == [
        4,
        2,
        1,
        0.5,
    ]
    routes = {name: entry.route for name, entry in SCHEMES.items() if entry.route != "converter"}
    assert routes == {
        "int4": "fake-quantized", "int4-float-io": "fake-quantized", "dynamic-int4": "edge-quantizer",
        "dynamic-int4-block32": "edge-quantizer",
    }  # fmt: skip


def test_traps_are_told():
    assert {name for name, entry in SCHEMES.items() if entry.caution is None} == {
        "float32", "float16", "int8", "int8-float-io",
    }  # fmt: skip
    assert "times slower" in scheme("int16x8").caution
    assert "depthwise" in scheme("dynamic-int8").caution
    assert "download" in scheme("int4").caution


@pytest.mark.parametrize(
    ("name", "meant"),
    [("int-8", "int8"), ("int4-floatio", "int4-float-io"), ("dynamic-int4-blok32", "dynamic-int4-block32")],
)
def test_an_unknown_name_gets_the_nearest(name, meant):
    with pytest.raises(ConfigError) as caught:
        scheme(name)
    assert meant in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "int8-block32", "dynamic-int16x8", "dynamic-int8-float-io", "int2", 8])
def test_what_the_grammar_does_not_make_is_refused(name):
    with pytest.raises(ConfigError, match="No scheme is called"):
        scheme(name)


def test_blocks_that_no_kernel_has_are_refused():
    with pytest.raises(ConfigError, match=r"blocks of 32, 64, 128, 256 .* Received: 33"):
        scheme("dynamic-int4-block33")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": "int3"}, "weights are one of"),
        ({"activations": "int4"}, "activations are one of"),
        ({"weights": "float16"}, "int8 activations need integer weights"),
        ({"weights": "int4", "activations": "int16", "io": "int16"}, "int16 activations have kernels"),
        ({"io": "int16"}, "input and output have"),
        ({"block": 32}, "blocks of 32, 64, 128, 256 weights are for dynamic int4"),
        ({"error_limit": 0.0}, "error_limit is a share above 0"),
    ],
)
def test_a_scheme_that_cannot_be_made_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(SCHEMES["int8"], **change)


def test_schemes_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SCHEMES["int8"].name = "mine"  # type: ignore[misc]
    with pytest.raises(TypeError):
        SCHEMES["mine"] = Scheme("mine", "int8", "int8", "int8", 0.1)  # type: ignore[index]

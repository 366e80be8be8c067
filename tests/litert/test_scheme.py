from __future__ import annotations

import dataclasses

import pytest

from trimtab.errors import ConfigError
from trimtab.litert import SCHEMES, Scheme, scheme


def test_every_scheme_is_found_by_its_name():
    assert list(SCHEMES) == ["float32", "float16", "dynamic-int8", "int8"]
    for name, entry in SCHEMES.items():
        assert entry.name == name
        assert scheme(name) is entry
        assert scheme(entry) is entry


def test_only_the_int8_scheme_is_static():
    assert [name for name, entry in SCHEMES.items() if entry.static] == ["int8"]
    assert [name for name, entry in SCHEMES.items() if entry.quantized] == ["dynamic-int8", "int8"]
    assert [entry.bytes_per_weight for entry in SCHEMES.values()] == [4, 2, 1, 1]


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigError, match=r"No scheme is called 'int-8'.* Did you mean 'int8'\?"):
        scheme("int-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": "int3"}, "weights are one of"),
        ({"activations": "int16"}, "activations are one of"),
        ({"weights": "float16"}, "int8 activations need int8 weights"),
        ({"io": "float32"}, "input and output have"),
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

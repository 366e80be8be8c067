"""Architectures by name."""

from __future__ import annotations

import pytest

from trimtab import zoo
from trimtab.errors import ConfigError


@pytest.mark.parametrize("name", list(zoo.architectures()))
def test_every_architecture_builds_with_its_defaults_and_ends_in_logits(name: str) -> None:
    model = zoo.build(name, (8, 8, 1), 3)
    assert model.output_shape == (None, 3)
    assert model.layers[-1].name == "logits"


def test_options_reach_the_builder() -> None:
    assert zoo.build("resnet", (8, 8, 1), 3, depth=20, width=2).name == "resnet_20"


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'resnt' is not an architecture.*Did you mean 'resnet'"):
        zoo.build("resnt", (8, 8, 1), 3)


def test_an_unknown_option_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"cnn has no option 'filter'.*Did you mean 'filters'"):
        zoo.build("cnn", (8, 8, 1), 3, filter=(8,))

"""The architectures by name, as recipes ask for them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras

from trimtab.errors import ConfigError, nearest
from trimtab.zoo._cnn import cnn
from trimtab.zoo._resnet import resnet

__all__ = ["architectures", "build"]


def architectures() -> dict[str, Callable[..., keras.Model]]:
    """Lists the architectures that `build` knows: name to builder."""
    return {"cnn": cnn, "resnet": resnet}


def build(name: str, image_shape: Sequence[int], classes: int, **config: Any) -> keras.Model:
    """Builds an architecture by its name.

    Args:
        name: ``"cnn"`` or ``"resnet"``; see `architectures`.
        image_shape: (height, width, channels) of one image.
        classes: how many classes it tells apart.
        **config: the architecture's own options, such as ``filters=(32, 64)``.

    Raises:
        ConfigError: the name or an option is unknown, or an option's value makes no sense.
    """
    known = architectures()
    if name not in known:
        raise ConfigError(
            f"{name!r} is not an architecture; there are: {', '.join(known)}.{nearest(str(name), known)}"
        )
    builder = known[name]
    options = [
        option
        for option, parameter in inspect.signature(builder).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    for option in config:
        if option not in options:
            raise ConfigError(
                f"{name} has no option {option!r}; it has: {', '.join(options)}.{nearest(option, options)}"
            )
    return builder(image_shape, classes, **config)

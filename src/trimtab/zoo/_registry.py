"""The architectures by name, as recipes ask for them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras

from trimtab.errors import ConfigError, nearest
from trimtab.zoo._cnn import cnn
from trimtab.zoo._ds_cnn import ds_cnn
from trimtab.zoo._efficientnet import efficientnet
from trimtab.zoo._mobilenet_v2 import mobilenet_v2
from trimtab.zoo._mobilenet_v3 import mobilenet_v3
from trimtab.zoo._resnet import resnet
from trimtab.zoo._resnet50 import resnet50
from trimtab.zoo._vgg import vgg

__all__ = ["architectures", "build", "builder"]


def architectures() -> dict[str, Callable[..., keras.Model]]:
    """Lists the architectures that `build` knows: name to builder."""
    return {
        "cnn": cnn,
        "ds_cnn": ds_cnn,
        "efficientnet": efficientnet,
        "mobilenet_v2": mobilenet_v2,
        "mobilenet_v3": mobilenet_v3,
        "resnet": resnet,
        "resnet50": resnet50,
        "vgg": vgg,
    }


def builder(name: str) -> Callable[..., keras.Model]:
    """Returns the function that builds an architecture.

    Raises:
        ConfigError: there is no architecture of that name; says which there are.
    """
    known = architectures()
    if name not in known:
        raise ConfigError(
            f"{name!r} is not an architecture; there are: {', '.join(known)}.{nearest(str(name), known)}"
        )
    return known[name]


def build(name: str, image_shape: Sequence[int], classes: int, **config: Any) -> keras.Model:
    """Builds an architecture by its name.

    Args:
        name: such as ``"cnn"`` or ``"mobilenet_v2"``; see `architectures`.
        image_shape: (height, width, channels) of one image.
        classes: how many classes it tells apart.
        **config: the architecture's own options, such as ``filters=(32, 64)``.

    Raises:
        ConfigError: the name or an option is unknown, or an option's value makes no sense.
    """
    build_it = builder(name)
    options = [
        option
        for option, parameter in inspect.signature(build_it).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    for option in config:
        if option not in options:
            raise ConfigError(
                f"{name} has no option {option!r}; it has: {', '.join(options)}.{nearest(option, options)}"
            )
    return build_it(image_shape, classes, **config)

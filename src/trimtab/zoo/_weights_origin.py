"""Where a new model's weights come from, for the record."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass
from typing import Any, Literal

from trimtab.errors import ConfigError
from trimtab.zoo._pretrained import checked_weights
from trimtab.zoo._registry import builder

__all__ = ["WeightsOrigin", "weights_origin"]


@dataclass(frozen=True)
class WeightsOrigin:
    """Where the weights of a model come from that `build` has made.

    Args:
        kind: ``"random"``: drawn from the seed; ``"imagenet"``: the ones that Keras publishes; ``"file"``.
        file: the file's name, without its folder; None for the other kinds.
        sha256: of the file's content, in hex; None for the other kinds.
    """

    kind: Literal["random", "imagenet", "file"]
    file: str | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        if (self.kind == "file") != (self.file is not None and self.sha256 is not None):
            raise ConfigError(
                "weights from a file have its name and SHA-256, others do not. "
                f"Received: kind={self.kind!r}, file={self.file!r}, sha256={self.sha256!r}."
            )

    def __str__(self) -> str:
        if self.kind == "imagenet":
            return "pretrained on ImageNet (keras.applications)"
        if self.file is not None and self.sha256 is not None:
            return f"from the file {self.file} (SHA-256 {self.sha256[:12]})"
        return "random, from the seed"


def weights_origin(name: str, **config: Any) -> WeightsOrigin:
    """Tells where `build` takes the weights of an architecture from, to put it on record.

    Args:
        name: the architecture, as `build` takes it.
        **config: the options that `build` is given; only ``weights`` matters.

    Raises:
        ConfigError: the architecture is unknown, or the weights are neither a file nor a word that is known.

    Example:
        >>> str(weights_origin("cnn", filters=(8, 16)))
        'random, from the seed'
    """
    option = inspect.signature(builder(name)).parameters.get("weights")
    source = None if option is None else checked_weights(config.get("weights", option.default))
    if source is None:
        return WeightsOrigin("random")
    if isinstance(source, str):
        return WeightsOrigin("imagenet")
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return WeightsOrigin("file", source.name, digest)

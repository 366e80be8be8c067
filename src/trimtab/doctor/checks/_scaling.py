"""Images that are scaled otherwise than those of the training."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.doctor._examined import Examined
from trimtab.doctor._finding import Finding
from trimtab.doctor._register import register_check
from trimtab.errors import ConfigError
from trimtab.models._scaling import check_scaling

__all__ = ["image_scaling"]

_IMAGES = 32


@register_check("image-scaling")
def image_scaling(examined: Examined) -> Iterator[Finding]:
    """Only where there are images: do they fit what the model remembers of its own?"""
    if examined.data is None or examined.image_shape is None:
        return
    try:
        check_scaling(examined.model, examined.files.images(_IMAGES))
    except ConfigError as error:
        yield Finding(
            "images-scaled-otherwise",
            "problem",
            str(error).split("; ")[0].rstrip(".") + ".",
            cost="Ranges that such images give are of no use, and accuracies that they give are wrong.",
            remedy="Load the data with the input_range of the training.",
        )

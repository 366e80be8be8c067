"""Whether there is a LiteRT file at all: operators that only TensorFlow has (Flex), and other refusals."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab import litert
from trimtab.doctor._examined import Examined
from trimtab.doctor._finding import Finding
from trimtab.doctor._register import register_check

__all__ = ["conversion"]

_LACKS = re.compile(r"LiteRT has no builtin operator for (?P<ops>[\w, ]+?)(?: \(at (?P<place>[^)]*)\))?,")


@register_check("conversion")
def conversion(examined: Examined) -> Iterator[Finding]:
    """A float32 file that cannot be made."""
    refusal = examined.files.of("float32")
    if isinstance(refusal, bytes) or examined.image_shape is None:
        return  # that there is no image size is told elsewhere
    if litert.carries_ranges(examined.model):
        return  # and so is that it has no float file
    lacks = _LACKS.match(refusal)
    if lacks is None:
        yield Finding(
            "does-not-convert",
            "problem",
            refusal,
            cost="There is no file of it in any scheme.",
            remedy="Replace what is named, or export another format (trimtab export --format).",
        )
        return
    ops = lacks["ops"]
    yield Finding(
        "flex-operator",
        "problem",
        f"LiteRT has no operator for {ops}: only TensorFlow has (Flex).",
        layers=_layers(examined, lacks["place"] or ""),
        cost="There is no file of it in any scheme.",
        remedy="Write the layer with operators that LiteRT has, such as add, multiply, relu, tanh or exp.",
    )


def _layers(examined: Examined, place: str) -> tuple[str, ...]:
    """Finds the Keras layers that the converter's name for a place is made of."""
    parts = {re.sub(r"_\d+$", "", part) for part in re.split(r"[/;]", place)} | set(re.split(r"[/;]", place))
    paths = examined.paths([call for call in examined.calls if call.operation.name in parts])
    return paths or ((place,) if place else ())

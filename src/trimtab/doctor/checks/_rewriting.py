"""Whether the model itself could be simpler and give the same."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.doctor._examined import Examined
from trimtab.doctor._finding import Finding
from trimtab.doctor._folding import changes
from trimtab.doctor._register import register_check

__all__ = ["rewriting"]


@register_check("rewriting")
def rewriting(examined: Examined) -> Iterator[Finding]:
    """What `rewrite` would do."""
    done = changes(examined.model, examined.folded) if examined.folded is not None else ()
    if done:
        yield Finding(
            "could-be-simpler",
            "hint",
            "Folded, the model would give the same: " + " ".join(done),
            cost="In Keras each of these is computed by itself; a float file has them folded already.",
            remedy="After training: trimtab doctor MODEL --fix OUT.keras, or doctor.rewrite(model).",
        )

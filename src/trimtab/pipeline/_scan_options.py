"""How a scan looks for the layers that pruning hurts: the options of recipes and of the command line."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, model_validator

from trimtab._choices import LARGEST_TARGET, Importance, pattern_sparsity
from trimtab.errors import ConfigError
from trimtab.pipeline._layer_options import LayerOptions
from trimtab.pipeline._section import Speech, spoken

__all__ = ["SensitivityOptions", "check_total"]


class SensitivityOptions(LayerOptions):
    """How layers are scanned; the arguments of `trimtab.pruning.sensitivity`, layers aside."""

    levels: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.25, 0.5, 0.75, 0.9, 0.95), min_length=1
    )
    importance: Importance = "magnitude"
    images: int = Field(2000, ge=1)
    batch_size: int = Field(256, ge=1)

    @model_validator(mode="after")
    def _levels_can_be_made(self, info: ValidationInfo) -> Self:
        """Refuses levels that a pattern makes nowhere."""
        fixed = pattern_sparsity(self.granularity)
        if fixed is not None and (problem := self._too_high(fixed, spoken(info))):
            raise ValueError(problem)
        return self

    def _too_high(self, most: float, said: Speech) -> str:
        """Says that no level can be tried where a layer has at most the share `most`; empty if one can."""
        if min(self.levels) <= most + 1e-9:
            return ""
        return (
            f"the granularity {self.granularity} makes at most {most:.4g} of a layer zero, but the lowest of "
            f"{said('levels')} is {min(self.levels):.4g}; give lower ones, or choose another granularity"
        )

    def sensitivity_arguments(self, model: Any) -> dict[str, Any]:
        """Returns the keyword arguments of `trimtab.pruning.sensitivity`.

        Args:
            model: the model that will be scanned.

        Raises:
            ConfigError: no layer of the model is of a class that `types` names.
        """
        names = ("levels", "granularity", "importance", "images", "batch_size")
        return {**{name: getattr(self, name) for name in names}, **self.where(model)}

    def check_model(self, model: Any, total: float | None = None, speech: Speech = str) -> None:
        """Refuses what cannot be done with a model, before anything is measured.

        Args:
            model: the model that will be scanned; it need not be trained.
            total: share of zeros that will be shared out over the layers; None: none will.
            speech: what the user calls each field, and the total, "sparsity".

        Raises:
            ConfigError: nothing is left to scan, or no layer can have so many zeros.
        """
        from trimtab.pruning import granularity
        from trimtab.pruning.where._where import choose_weights

        what = granularity(self.granularity)
        limits: dict[str, list[tuple[int, float]]] = {}
        for weight in choose_weights(model, **self.where(model), granularity=what)[0]:
            limits.setdefault(weight.layer, []).append((weight.size, what.limit(weight.shape, weight.axis)))
        sizes = [sum(size for size, _ in weights) for weights in limits.values()]
        shares = [
            sum(own * share for own, share in weights) / size
            for weights, size in zip(limits.values(), sizes, strict=True)
        ]
        if problem := self._too_high(max(shares), speech):
            raise ConfigError(f"{problem}.")
        most = [size * min(share, LARGEST_TARGET) for size, share in zip(sizes, shares, strict=True)]
        reach = sum(most) / sum(sizes)
        if total is not None and total > reach + 1e-12:
            raise ConfigError(
                f"{speech('sparsity')} {total:.4g} cannot be shared out: with the granularity "
                f"{self.granularity} the scanned layers can have at most {reach:.4g} zeros together. Ask "
                "for less, or choose another granularity."
            )


def check_total(total: float, granularity: str, speech: Speech = str) -> None:
    """Refuses a total that can be shared out over the layers of no model.

    Raises:
        ConfigError: no layer may go so far, or the granularity lets none go further than another.
    """
    if pattern_sparsity(granularity) is not None:
        raise ConfigError(
            f"with the granularity {granularity} all layers go equally far; leave {speech('sparsity')} out."
        )
    if total > LARGEST_TARGET:
        raise ConfigError(
            f"{speech('sparsity')}: no layer goes further than {LARGEST_TARGET}, so {total:.6g} cannot be "
            f"shared out. Give at most {LARGEST_TARGET}."
        )

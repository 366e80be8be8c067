"""How a scan looks for the layers that hurt: the options of recipes and of the command line."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from trimtab._choices import LARGEST_TARGET, Importance, ScanScheme, pattern_sparsity
from trimtab.errors import ConfigError
from trimtab.pipeline._layer_options import LayerOptions
from trimtab.pipeline._quantization_options import CalibrationOptions
from trimtab.pipeline._section import Speech, spoken

__all__ = ["SensitivityOptions", "check_total"]


_LARGEST_DROP = 0.5
_PRUNING = ("levels", "granularity", "importance", "layers", "types", "policy", "exclude", "skip_ends")
_QUANTIZATION = ("max_drop", "calibration", "calibration_method", "percentile")


class SensitivityOptions(LayerOptions, CalibrationOptions):
    """How layers are scanned: each pruned, or with a `scheme` each quantized.

    The arguments of `trimtab.pruning.sensitivity`, or of `trimtab.quantization.sensitivity` and `mixed`.
    """

    scheme: ScanScheme | None = None
    max_drop: float | None = None
    """Also find the fewest layers to keep float, so that no more accuracy than this share is lost."""

    @field_validator("max_drop", mode="before")
    @classmethod
    def _share(cls, value: Any) -> Any:
        """Accepts a share; half a point is easily written as 0.5, which would allow 50."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and 0 <= value < _LARGEST_DROP):
            raise ValueError(
                f"a drop is a share of accuracy below {_LARGEST_DROP}; 0.005 is half a point. Received: "
                f"{value!r}"
            )
        return value

    levels: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.25, 0.5, 0.75, 0.9, 0.95), min_length=1
    )
    importance: Importance = "magnitude"
    images: int = Field(2000, ge=1)
    batch_size: int = Field(256, ge=1)

    @model_validator(mode="after")
    def _one_scan(self, info: ValidationInfo) -> Self:
        """Refuses what belongs to the other kind of scan.

        What was said is seen by its value: a run's own recipe says every default.
        """
        said = spoken(info)
        for name in _QUANTIZATION if self.scheme is None else _PRUNING:
            if getattr(self, name) == type(self).model_fields[name].default:
                continue
            if self.scheme is None:
                raise ValueError(
                    f"{said(name)} is for a scan of quantization; say {said('scheme')} int8 or int4, or "
                    "leave it out"
                )
            raise ValueError(
                f"{said(name)} is for a scan of pruning, and with {said('scheme')} {self.scheme} every layer "
                "is quantized; leave one out"
            )
        return self

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

    def quantization_arguments(self) -> dict[str, Any]:
        """Returns the keyword arguments of `trimtab.quantization.sensitivity` and `mixed`, the drop aside."""
        names = ("scheme", "images", "batch_size")
        return {**{name: getattr(self, name) for name in names}, **self.calibration_arguments()}

    def check_quantizable(self, model: Any) -> None:
        """Refuses a model that cannot be scanned for quantization, before anything is measured.

        Args:
            model: the model that will be scanned; it need not be trained.

        Raises:
            ConfigError: its quantizers are of another scheme.
            ModelError: it has no graph that could be followed, or layers are to be kept float in a model
                that has quantizers.
        """
        from trimtab.models import has_softmax, without_softmax
        from trimtab.quantization._assembly import Settings
        from trimtab.quantization._judged_model import Judging, check_bits
        from trimtab.quantization._mixed import check_plain
        from trimtab.quantization._prepared import uncalibrated
        from trimtab.quantization._switches import quantizers

        how = Judging(self.scheme or "int8")
        if self.max_drop is not None:
            check_plain(model)
        if quantizers(model):
            check_bits(model, how)
        else:
            uncalibrated(without_softmax(model) if has_softmax(model) else model, Settings(how.bits))

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

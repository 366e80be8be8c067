"""Which weights: the options about layers and granularity that several commands and steps share."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from trimtab._choices import Policy, Ranking, granularity_name, pattern_sparsity
from trimtab.pipeline._section import Section, spoken

__all__ = ["LayerOptions", "SparsityOptions", "WhereOptions", "chosen_layers"]


class WhereOptions(Section):
    """Which layers: chosen by name (`layers`) or by class (`types`)."""

    layers: tuple[str, ...] | None = Field(default=None, min_length=1)
    types: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    skip_ends: bool = False

    def where(self, model: Any) -> dict[str, Any]:
        """Returns the arguments `layers`, `exclude` and `skip_ends` that the verbs take.

        Args:
            model: its layers give the classes that `types` names.

        Raises:
            ConfigError: no layer of the model is of such a class.
        """
        layers = chosen_layers(model, self.layers, self.types, None)
        return {"layers": layers, "exclude": self.exclude, "skip_ends": self.skip_ends}


class LayerOptions(WhereOptions):
    """Which layers, by a `policy` too, and what goes together in them."""

    granularity: str = "unstructured"
    policy: Policy | None = None

    @field_validator("granularity", mode="before")
    @classmethod
    def _known_granularity(cls, value: Any) -> Any:
        """Checks the name; YAML takes an unquoted 2:4 for minutes and seconds, the number 124."""
        if isinstance(value, int) and not isinstance(value, bool):
            value = f"{value // 60}:{value % 60}" if value >= 60 else str(value)
        if isinstance(value, str):
            pattern_sparsity(value)
            return granularity_name(value)
        return value

    @model_validator(mode="after")
    def _one_choice(self, info: ValidationInfo) -> Self:
        """Refuses two ways of choosing layers."""
        said = spoken(info)
        if self.policy is not None and (self.layers is not None or self.types):
            raise ValueError(
                f"the policy {self.policy} chooses the layers; leave out {said('layers')} and {said('types')}"
            )
        return self

    def where(self, model: Any) -> dict[str, Any]:
        """Returns the arguments `layers`, `exclude` and `skip_ends`, chosen by the policy if there is one."""
        layers = chosen_layers(model, self.layers, self.types, self.policy)
        return {**super().where(model), "layers": layers}


class SparsityOptions(LayerOptions):
    """How many zeros are asked for, and where."""

    sparsity: float | dict[str, float] | None = None
    """One share of zeros, or one for each of some layers, the others being left alone."""
    ranking: Ranking = "layer"

    @field_validator("sparsity", mode="before")
    @classmethod
    def _share(cls, value: Any) -> Any:
        """Accepts one share of zeros, or one for each layer."""
        for share in value.values() if isinstance(value, dict) else [] if value is None else [value]:
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
                raise ValueError(
                    f"a share of zeros is a number, at least 0 and less than 1. Received: {share!r}"
                )
        if not isinstance(value, dict):
            return value
        if not value or not all(isinstance(name, str) for name in value):
            raise ValueError(
                f"name the layers, as in {{conv2d: 0.5}}, or give one number for all. Received: {value!r}"
            )
        if not any(value.values()):
            raise ValueError(
                "no layer with a share of zeros above 0 is named, so nothing is asked for. "
                f"Received: {value!r}"
            )
        return value

    @model_validator(mode="after")
    def _shares_agree(self, info: ValidationInfo) -> Self:
        """Refuses shares that granularity, ranking or the choice of layers contradict."""
        said = spoken(info)
        fixed, asked = self.pattern, self.sparsity
        by_layer = isinstance(asked, dict)
        # A layer with a share of 0 is left alone: it need not have the pattern.
        shares = [share for share in asked.values() if share] if isinstance(asked, dict) else [asked]
        for share in shares:
            if fixed is not None and share is not None and abs(share - fixed) > 1e-6:
                raise ValueError(
                    f"the granularity {self.granularity} makes {fixed:.4g} of the weights zero, but "
                    f"{said('sparsity')} asks for {share:.4g}; leave {said('sparsity')} out, or choose "
                    "another granularity"
                )
        if self.ranking == "global" and by_layer:
            raise ValueError(
                "the global ranking finds out by itself how far each layer goes; give one share for all, "
                "or rank by layer"
            )
        if by_layer and (self.layers is not None or self.types or self.policy):
            raise ValueError(
                f"{said('sparsity')} names the layers; leave out {said('layers')}, {said('types')} and "
                f"{said('policy')}"
            )
        return self

    @property
    def pattern(self) -> float | None:
        """The share of zeros that the granularity fixes; None where it takes any."""
        return pattern_sparsity(self.granularity)


def chosen_layers(
    model: Any, names: tuple[str, ...] | None, types: tuple[str, ...], policy: str | None = None
) -> Any:
    """Returns what the pruning room takes as `layers`: names, classes, a policy, or None for all."""
    from trimtab import pruning

    if policy is not None:
        return {"xnnpack": pruning.ForXNNPACK}[policy]()
    return None if names is None and not types else (*(names or ()), *pruning.layer_types(model, types))

"""Where a step's model comes from: built anew, taken from an earlier step, or a narrower copy of that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trimtab._records import to_plain
from trimtab.errors import ConfigError
from trimtab.pipeline.steps._bench import Bench, Preview
from trimtab.pipeline.steps._step import StepSettings

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["ModelConfig", "OriginSettings", "expected", "own_model", "told_origin"]

WORDS_FOR_WEIGHTS = ("imagenet", "none")
"""What `weights` may say; anything else is a file."""


class ModelConfig(BaseModel):
    """An architecture of `trimtab.zoo` and its options; the options are checked by the zoo."""

    model_config = ConfigDict(extra="allow", frozen=True)

    architecture: str = "cnn"

    @property
    def options(self) -> dict[str, Any]:
        """The architecture's own options, as they were written."""
        return dict(self.model_extra or {})

    @property
    def weights_file(self) -> Path | None:
        """The file that the weights to start from are in, if there is one."""
        weights = self.options.get("weights")
        return Path(weights) if isinstance(weights, str) and weights not in WORDS_FOR_WEIGHTS else None


class OriginSettings(StepSettings):
    """A step that trains a new model (`model`), or one that an earlier step made (`from`)."""

    model: ModelConfig | None = None
    from_: str | None = Field(None, alias="from")
    shrink: float | None = Field(None, gt=0, lt=1)
    """With `from`: not that model, but its architecture with so many times the channels, and new weights."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.model is None) == (self.from_ is None):
            raise ValueError(
                "say either 'model' (an architecture to build) or 'from' (an earlier step), and not both"
            )
        if self.shrink is not None and self.from_ is None:
            raise ValueError("shrink makes a narrower copy of an earlier step's model: say 'from' whose")
        return self

    @property
    def parents(self) -> tuple[str, ...]:
        """The step whose model is trained further, or made narrower, if there is one."""
        return (self.from_,) if self.from_ else ()

    @property
    def reads(self) -> tuple[Path, ...]:
        """The file of the weights that the architecture starts with, if there is one."""
        path = self.model.weights_file if self.model is not None else None
        return (path,) if path is not None else ()


def own_model(step: OriginSettings, bench: Bench) -> Any:
    """Returns the model that a step begins with."""
    return _model(step, bench.data, bench.seed, bench.parent_model)


def expected(step: OriginSettings, preview: Preview) -> Any:
    """Returns a model shaped like the one that a step will begin with; None where that cannot be told."""
    return _model(step, preview.data, 0, preview.models.get)


def told_origin(step: OriginSettings) -> dict[str, Any]:
    """Returns what the record says of the weights that a new model started with; nothing where it is not new.

    Returns:
        ``weights``: "random", "imagenet" or "file", with the file's name and digest, and ``weights_told``,
        the same in words.
    """
    from trimtab import zoo

    if step.model is None:
        return {}
    origin = zoo.weights_origin(step.model.architecture, **step.model.options)
    return {"weights": to_plain(origin), "weights_told": str(origin)}


def _model(step: OriginSettings, data: ImageData, seed: int, earlier: Callable[[str], Any]) -> Any:
    """Builds, takes or narrows the model; None where the earlier one is not known."""
    from trimtab import zoo

    try:
        if step.model is not None:
            return _built(step.model, data, seed)
        model = earlier(step.from_ or "")
        return model if model is None or step.shrink is None else zoo.shrink(model, step.shrink, seed=seed)
    except ConfigError as error:
        raise ConfigError(f"step {step.name!r}: {error}") from None


def _built(config: ModelConfig, data: ImageData, seed: int) -> Any:
    """Builds the architecture that a step names; its options are checked by the zoo."""
    from trimtab import zoo

    options = {
        name: tuple(value) if isinstance(value, list) else value for name, value in config.options.items()
    }
    return zoo.build(config.architecture, data.image_shape, data.classes, **{"seed": seed, **options})

"""What a setting means: an architecture with its options, and how it is trained."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trimtab.errors import ConfigError, nearest
from trimtab.tuning._space import Space, setting_key

if TYPE_CHECKING:
    from trimtab.data import Augmentation, ImageData

__all__ = ["Setting", "check_names", "check_space"]

ARCHITECTURE = "model.architecture"
TRAINING = (
    *("epochs", "batch_size", "optimizer", "learning_rate", "schedule", "weight_decay"),
    *("label_smoothing", "patience"),
)
AUGMENTATION = ("flip", "shift", "cutout")
_MODEL, _AUGMENTATION = "model.", "augmentation."


@dataclass(frozen=True)
class Setting:
    """A setting, taken apart.

    Args:
        architecture: a name of `trimtab.zoo`.
        options: the architecture's own.
        training: arguments of `trimtab.train`, but for the augmentation.
        augmentation: what may happen to training images.
    """

    architecture: str
    options: Mapping[str, Any]
    training: Mapping[str, Any]
    augmentation: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Setting:
        """Takes a setting apart: ``model.filters``, ``augmentation.shift``, ``learning_rate``."""
        parts: dict[str, dict[str, Any]] = {"model": {}, "augmentation": {}, "": {}}
        for name, value in values.items():
            part, _, rest = name.rpartition(".")
            parts[part][rest] = value
        architecture = parts["model"].pop("architecture", "cnn")
        return cls(architecture, parts["model"], parts[""], parts["augmentation"])

    def build(self, data: ImageData, seed: int) -> Any:
        """Builds the model, untrained.

        Raises:
            ConfigError: an option makes no sense, or does not fit the images.
        """
        from trimtab import zoo

        return zoo.build(self.architecture, data.image_shape, data.classes, **{"seed": seed, **self.options})

    def train_arguments(self) -> dict[str, Any]:
        """Returns the keyword arguments of `trimtab.train`."""
        return {**self.training, "augmentation": self._augmentation()}

    def _augmentation(self) -> Augmentation | None:
        from trimtab.data import Augmentation

        made = Augmentation(**self.augmentation)
        return made or None


def check_names(space: Space) -> None:
    """Refuses a space with names that no training knows, without a backend.

    Raises:
        ConfigError: names the first, and the nearest that is known.
    """
    known = [ARCHITECTURE, *TRAINING, *(_AUGMENTATION + name for name in AUGMENTATION)]
    for name in space.names:
        if name in known or (name.startswith(_MODEL) and "." not in name.removeprefix(_MODEL)):
            continue
        raise ConfigError(
            f"the space has an unknown parameter {name!r}.{nearest(name, known)} Known: "
            f"{', '.join(known)}, and options of the architecture such as model.filters."
        )


def check_space(space: Space, data: ImageData) -> None:
    """Refuses a space that holds settings with which nothing can be trained on these images.

    Each value is tried in a setting that is otherwise the default; of ranges both ends. A model is built for
    each that concerns the architecture, none is trained.

    Raises:
        ConfigError: says which value, and why.
    """
    check_names(space)
    seen: set[str] = set()
    for name, values in _probes(space):
        setting = Setting.of(values)
        try:
            _check_training(setting)
            built = setting_key({"architecture": setting.architecture, **setting.options})
            if built not in seen:
                seen.add(built)
                setting.build(data, 0)
        except ConfigError as error:
            place = f"the space's {name} = {values.get(name)!r}" if name else "the defaults of the space"
            raise ConfigError(f"{place}: {error}") from None


def _probes(space: Space) -> Iterator[tuple[str, dict[str, Any]]]:
    """Goes through settings that are the default but for one value, with the name of that one.

    What depends on a choice is probed where that has the first value that lets it matter.
    """
    yield "", space.defaults()
    for name, dimension in space.dimensions.items():
        for value in dimension.extremes():
            wanted = {name: value}
            _make_matter(space, name, wanted)
            yield (
                name,
                space.setting(lambda other, kind, wanted=wanted: wanted.get(other, kind.default)),  # type: ignore[misc]
            )


def _make_matter(space: Space, name: str, wanted: dict[str, Any]) -> None:
    """Adds the values of other dimensions that a dimension waits for."""
    for other, values in space.dimensions[name].when.items():
        if other in space.dimensions and other not in wanted:
            kind = space.dimensions[other]
            wanted[other] = kind.default if kind.default in values else values[0]
            _make_matter(space, other, wanted)


def _check_training(setting: Setting) -> None:
    """Refuses what `trimtab.train` would refuse."""
    from trimtab.data import Augmentation
    from trimtab.training import train
    from trimtab.training._settings import Settings

    arguments = inspect.signature(train).parameters
    usual = {name: arguments[name].default for name in Settings.__dataclass_fields__}
    Settings(**{**usual, **setting.training})
    flip = setting.augmentation.get("flip", False)
    if not isinstance(flip, bool):
        raise ConfigError(f"flip must be true or false. Received: flip={flip!r}.")
    Augmentation(**setting.augmentation)

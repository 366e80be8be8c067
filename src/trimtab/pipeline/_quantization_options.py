"""How numbers become integers: the options that recipes and the command line share."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from trimtab._choices import CalibrationMethod, Ranges
from trimtab.pipeline._options import TrainingOptions
from trimtab.pipeline._section import Section, spoken
from trimtab.pipeline._teacher_options import TeacherOptions

__all__ = ["CalibrationOptions", "FloatLayersOptions", "PostTrainingOptions", "QuantizeAwareOptions"]


class CalibrationOptions(Section):
    """How ranges are found with training images."""

    calibration: int = Field(200, ge=10)
    """How many training images; fewer than ten clip what the others hold."""
    calibration_method: CalibrationMethod = "minmax"
    percentile: float | None = Field(None, gt=50, le=100)
    """For that method, in percent."""

    @model_validator(mode="after")
    def _method_agrees(self, info: ValidationInfo) -> Self:
        """Refuses a percentile that nothing has a use for."""
        said = spoken(info)
        if self.percentile is not None and self.calibration_method != "percentile":
            raise ValueError(
                f"{said('percentile')} belongs to {said('calibration_method')} percentile, not to "
                f"{self.calibration_method}; choose that method, or leave it out"
            )
        return self

    def calibration_arguments(self) -> dict[str, Any]:
        """Returns the keyword arguments that say how ranges are found."""
        arguments = {name: getattr(self, name) for name in CalibrationOptions.model_fields}
        # Where nobody said, the verb's own default holds.
        return {name: value for name, value in arguments.items() if value is not None}


class FloatLayersOptions(Section):
    """Which layers stay float."""

    keep_float: tuple[str, ...] = ()
    """Names, or patterns such as "block_1*"."""

    @field_validator("keep_float", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        """Accepts one name for a list of one."""
        return (value,) if isinstance(value, str) else value


class PostTrainingOptions(CalibrationOptions, FloatLayersOptions):
    """How a model is quantized without training; arguments of `trimtab.export`."""

    equalize: bool = False
    """Try cross-layer equalisation, and take it where it helps."""
    correct_bias: bool | None = None
    """Try bias correction, and take it where it helps; None: for int4."""

    def post_training_arguments(self) -> dict[str, Any]:
        """Returns the keyword arguments of `trimtab.export` that say how integers are made."""
        correct_bias: Literal[False, "auto"] | None = "auto" if self.correct_bias else False
        return {
            **self.calibration_arguments(),
            "keep_float": self.keep_float,
            "equalize": "auto" if self.equalize else False,
            "correct_bias": None if self.correct_bias is None else correct_bias,
        }


class QuantizeAwareOptions(TrainingOptions, TeacherOptions, CalibrationOptions, FloatLayersOptions):
    """How a model is trained for its integers; the arguments of `trimtab.quantize_aware` but the teacher."""

    weights_bits: Literal[8, 4] = 8
    ranges: Ranges = "moving-average"
    freeze_ranges: float = Field(0.8, ge=0, le=1)
    """Share of the epochs after which ranges stand still."""
    freeze_batch_norm: float = Field(0.6, ge=0, le=1)
    """Share of the epochs after which batch normalisation stands still."""
    keep_zeros: bool = True
    keep_clusters: bool = True
    epochs: int = Field(5, ge=0)
    learning_rate: float = Field(1e-4, gt=0)

    @property
    def trains(self) -> bool:
        """Whether there is any training that a teacher could teach in."""
        return self.epochs > 0

    def quantize_aware_arguments(self) -> dict[str, Any]:
        """Returns the keyword arguments of `trimtab.quantize_aware`, but for the teacher."""
        arguments = {name: getattr(self, name) for name in QuantizeAwareOptions.model_fields}
        arguments |= self.train_arguments()
        return {name: value for name, value in arguments.items() if value is not None}

    def check_model(self, model: Any) -> Any:
        """Refuses what cannot be done with a model, before anything is trained.

        Args:
            model: the model that will be prepared; it need not be trained.

        Returns:
            A model of the layers that there will be, whose ranges fit no images yet.

        Raises:
            ConfigError: a layer that shall stay float is not there.
            ModelError: the model has no graph that could be followed, or is quantized already.
        """
        from trimtab.models import has_softmax, without_softmax
        from trimtab.quantization._assembly import Settings
        from trimtab.quantization._prepared import uncalibrated

        plain = without_softmax(model) if has_softmax(model) else model
        settings = Settings(self.weights_bits, self.ranges, self.keep_zeros)
        return uncalibrated(plain, settings, self.keep_float).model

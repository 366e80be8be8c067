"""Training with integers in mind, for as many steps as are asked for: by Trimtab and by TFMOT."""

from __future__ import annotations

from typing import Any

import _nets
import _steps
from _steps import Steps

__all__ = ["aware", "tfmot"]

_RATE = 1e-3


def aware(spec: dict[str, Any]) -> Steps:
    """`trimtab.quantize_aware` itself, held between two epochs, in its first or its last part."""
    import keras

    from trimtab import quantize_aware

    model = _nets.build(keras, spec["net"], spec["scale"])
    data = _nets.image_data(spec["net"], spec["steps"] * spec["batch"])

    def train(gate: Any) -> None:
        quantize_aware(
            model,
            data,
            weights_bits=spec["bits"],
            calibration=spec["batch"],
            epochs=_steps.LONG,
            batch_size=spec["batch"],
            learning_rate=_RATE,
            freeze_batch_norm=1.0 if spec["live"] else 0.0,
            callbacks=[gate],
        )

    return _steps.held(keras, spec["steps"], train)


def tfmot(spec: dict[str, Any]) -> Steps:
    """tf_keras with TFMOT's quantizing wrappers around the layers."""
    import tensorflow_model_optimization
    import tf_keras

    model = tensorflow_model_optimization.quantization.keras.quantize_model(
        _nets.build(tf_keras, spec["net"], spec["scale"])
    )
    return _steps.fit(tf_keras, model, tf_keras.optimizers.Adam(_RATE), spec)

"""Does a model take these images and tell these classes apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from trimtab.errors import ModelError

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["check_fits"]


def check_fits(model: keras.Model, data: ImageData) -> None:
    """Makes sure that a model takes the data's images and gives one number for each of its classes.

    Raises:
        ModelError: the model is not built, has several inputs or outputs, takes images of another shape, or
            its output is not (batch, classes).
    """
    if not isinstance(model, keras.Model):
        raise ModelError(f"A Keras model is needed. Received: {type(model).__name__}.")
    if not model.built:
        raise ModelError(
            f"The model {model.name!r} has no weights yet: call it on one batch of images first, "
            "or give it an Input layer."
        )
    image, classes = tuple(data.image_shape), int(data.classes)
    taken, given = _shapes(model, image)
    _check_input(model.name, taken, image, data.name)
    _check_output(model.name, given, classes, data.name)


def _shapes(model: keras.Model, image: tuple[int, ...]) -> tuple[Any, Any]:
    """Returns the shapes of what the model takes and of what it gives for such images, without the batch."""
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if inputs and outputs:  # Functional and Sequential models
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"An image classifier has one input and one output; {model.name!r} has {len(inputs)} and "
                f"{len(outputs)}. Make a model of the part that classifies: keras.Model(input, output)."
            )
        return tuple(inputs[0].shape[1:]), tuple(outputs[0].shape[1:])
    try:
        given = model.compute_output_spec(keras.KerasTensor((1, *image), dtype="float32"))
    except Exception as error:
        raise ModelError(
            f"The model {model.name!r} does not take images of shape {image} "
            f"({str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__})."
        ) from error
    if not isinstance(given, keras.KerasTensor):
        raise ModelError(f"An image classifier has one output; {model.name!r} gives several.")
    return image, tuple(given.shape[1:])


def _check_input(name: str, taken: tuple[Any, ...], image: tuple[int, ...], source: str) -> None:
    """Compares the images that the model takes with those that there are."""
    fits = len(taken) == len(image) and all(
        size is None or size == there for size, there in zip(taken, image, strict=True)
    )
    if fits:
        return
    advice = "Load the data with size=(height, width) and channels= to suit the model"
    if len(taken) == 3 and taken == (image[2], image[0], image[1]):
        advice = "The model wants the channels first; rebuild it with data_format='channels_last'"
    elif len(taken) == 3:
        height, width, channels = taken
        wanted = [] if None in (height, width) else [f"size=({height}, {width})"]
        wanted += [] if channels is None else [f"channels={channels}"]
        advice = f"Load the data with {', '.join(wanted)}, or use another model"
    elif len(taken) != 3:
        advice = "Give a model that takes (height, width, channels), say with a Reshape or Flatten first"
    raise ModelError(
        f"The model {name!r} takes inputs of shape {taken}, but the images of {source} are {image}. {advice}."
    )


def _check_output(name: str, given: tuple[Any, ...], classes: int, source: str) -> None:
    """Compares the outputs of the model with the classes that there are."""
    if given == (classes,):
        return
    if len(given) != 1:
        raise ModelError(
            f"A classifier's output is (batch, classes); {name!r} gives {('batch', *given)}. "
            f"Add GlobalAveragePooling2D or Flatten, and Dense({classes})."
        )
    if given == (1,) and classes == 2:
        advice = "Two classes need two outputs here: end in Dense(2) instead of one sigmoid unit"
    else:
        advice = f"Replace the last layer by Dense({classes}), or use the data that the model was made for"
    raise ModelError(
        f"The model {name!r} has {given[0]} outputs, but {source} has {classes} classes. {advice}."
    )

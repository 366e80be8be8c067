"""`quantize_aware`: trains a model on the very numbers that its int8 file will compute with."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from trimtab import _keras_internals
from trimtab.data._splitting import stratified
from trimtab.data._variety import check_calibration_count, check_variety
from trimtab.distillation import distill
from trimtab.errors import ConfigError, DataError
from trimtab.models import check_fits, clone, has_softmax, without_softmax
from trimtab.models._scaling import check_scaling
from trimtab.progress import Progress
from trimtab.quantization._assembly import Settings as LayerSettings
from trimtab.quantization._calibration import Calibration
from trimtab.quantization._fake_quantizer import FakeQuantizer
from trimtab.quantization._freezing import FreezeRanges
from trimtab.quantization._prepared import Prepared, check_images, prepared
from trimtab.quantization._result import QuantizeAwareResult, RangeRecord
from trimtab.quantization._training_form import FreezeNorms, fold_into, training_form
from trimtab.training import train
from trimtab.training._keep_clusters import keep_clusters as keep_clusters_of
from trimtab.training._settings import Settings
from trimtab.training._sharing_optimizer import found_shared
from trimtab.training._train import check_data

if TYPE_CHECKING:
    from trimtab.data import Augmentation, ImageData

__all__ = ["quantize_aware"]


@dataclass(frozen=True)
class _Asked:
    """What is not told to the training itself, checked."""

    epochs: int
    calibration: int
    freeze: float
    norms: float

    def __post_init__(self) -> None:
        if isinstance(self.epochs, bool) or not isinstance(self.epochs, int) or self.epochs < 0:
            raise ConfigError(f"epochs must be a whole number of at least 0. Received: {self.epochs!r}.")
        check_calibration_count(self.calibration)
        for name, what, share in (
            ("freeze_ranges", "ranges stand", self.freeze),
            ("freeze_batch_norm", "batch normalisation stands", self.norms),
        ):
            number = isinstance(share, int | float) and not isinstance(share, bool)
            if not number or not 0 <= share <= 1:
                raise ConfigError(
                    f"{name} is the share of the epochs after which {what} still, 0 to 1. "
                    f"Received: {share!r}."
                )

    @property
    def live(self) -> int:
        """How many epochs batch normalisation sees each batch."""
        return math.ceil(self.norms * self.epochs)

    @property
    def moving(self) -> int:
        """How many epochs the ranges move."""
        return math.ceil(self.freeze * self.epochs)


def quantize_aware(
    model: keras.Model,
    data: ImageData | None = None,
    *,
    images: Any = None,
    weights_bits: int = 8,
    ranges: str = "moving-average",
    calibration: int = 200,
    calibration_method: str = "minmax",
    percentile: float = 99.99,
    keep_float: Sequence[str] = (),
    freeze_ranges: float = 0.8,
    freeze_batch_norm: float = 0.6,
    keep_zeros: bool = True,
    keep_clusters: bool = True,
    teacher: str | keras.Model | Sequence[keras.Model] | None = None,
    temperature: float = 4.0,
    alpha: float = 0.1,
    epochs: int = 5,
    batch_size: int = 128,
    optimizer: str = "adam",
    learning_rate: float = 1e-4,
    schedule: str = "cosine",
    weight_decay: float = 0.0,
    label_smoothing: float = 0.0,
    patience: int | None = None,
    augmentation: Augmentation | None = None,
    from_logits: bool | None = None,
    seed: int = 0,
    callbacks: Sequence[Any] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    keep_checkpoint: bool = False,
    progress: Progress | None = None,
    label: str = "quantize-aware",
) -> QuantizeAwareResult:
    """Returns a new model with fake-quantizers, trained so that rounding to integers costs it nothing.

    The model is made flat, its batch normalisation is folded into the kernels, as in a converted file, and
    whatever an int8 file rounds is rounded: kernels for each output channel, activations for each tensor.
    The ranges of the activations are calibrated first and then follow the training; in its last epochs they
    stand still. In the first epochs batch normalisation sees each batch, as in float training; then it stands
    still too, folded. At inference the model computes in whole numbers as LiteRT does, so that what is
    measured on it is what the file does. It is exported without calibration; `strip` makes an ordinary model
    of it. The given model is untouched.

    With 8 bits, calibration alone (``epochs=0``) costs most models nothing that could be measured, and what
    training gains any training of the same length would; 4-bit kernels need it.

    While it trains, callbacks see the model in a form whose batch normalisation is not folded for good.

    Example::

        result = trimtab.quantize_aware(model, data, epochs=3)
        trimtab.export(result.model, "model.tflite", scheme="int8", data=data)

    Args:
        model: a built Functional or Sequential classifier, trained already. A softmax at the end is left out.
        data: the images to calibrate and train with; needed unless there are `images` and ``epochs=0``.
        images: float32 (n, height, width, channels), scaled as the model takes them, to calibrate with;
            None: training images, the same share of each class.
        weights_bits: bits of the kernels: 8, or 4.
        ranges: of the activations: ``"moving-average"`` of the batches' extremes, or ``"learned"`` by
            gradient (the steps of the kernels too).
        calibration: training images to calibrate with.
        calibration_method: how the first ranges are chosen: ``"minmax"``, ``"percentile"`` or ``"mse"``. A
            moving average keeps the share of the extremes that was chosen.
        percentile: for that method, in percent.
        keep_float: layers that stay float: names, or patterns such as ``"block_1*"``.
        freeze_ranges: share of the epochs after which ranges stand still, 0 to 1; 1: never.
        freeze_batch_norm: share of the epochs after which the statistics of batch normalisation stand still
            and are folded into the kernels in training too, 0 to 1. 1: never; 0: from the first epoch on. It
            is for what comes right after a kernel and is trained; all else is folded at once. Steps before it
            cost more than those after it, and both more than float steps (docs/results/qat_vs_ptq.md).
        keep_zeros: weights that are 0, as pruning leaves them, stay 0.
        keep_clusters: weights that share values, as clustering leaves them, go on sharing.
        teacher: ``"itself"`` (the given model, which is exact), a trained model or several, whose answers are
            learned beside the labels, as `trimtab.distill` does; None: the labels alone.
        temperature: see `trimtab.distill`.
        alpha: share of the labels in the loss with a teacher.
        epochs: passes over the training images; 0: only prepared and calibrated.
        batch_size: images in one step.
        optimizer: "adam", "adamw" or "sgd".
        learning_rate: the rate of the first step; that of the end of the float training, or less.
        schedule: of the learning rate: "cosine" or "constant".
        weight_decay: see `trimtab.train`, as for all that follow.
        label_smoothing: share of each label spread over all classes.
        patience: stop after so many epochs without a better one; None: never.
        augmentation: random changes to the training images; None: none.
        from_logits: whether the model gives logits; None: look.
        seed: decides the choice and order of the images, their augmentation and dropout.
        callbacks: Keras callbacks.
        checkpoint: file that keeps the state after each epoch, to continue from.
        keep_checkpoint: leave the checkpoint of a finished training in place.
        progress: where progress is shown; None: nowhere.
        label: what progress calls this training.

    Returns:
        The aware model, its history, ranges, what stays float and why, and notes.

    Raises:
        ConfigError: an argument has a value that makes no sense, or names a layer that does not exist; or
            the images cannot calibrate (too few, of one class, scaled otherwise than in training).
        DataError: there is no data to train or calibrate with.
        ModelError: the model has no graph, does not fit the data, or is quantized already.
        RunError: the checkpoint belongs to another training, or cannot be read.
        OutputError: the checkpoint cannot be written.

    References:
        Jacob et al.: Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
        Inference, CVPR 2018. Krishnamoorthi: Quantizing deep convolutional networks for efficient inference,
        2018 (section 3.2, batch normalisation that is frozen late).
    """
    asked = _Asked(epochs, calibration, freeze_ranges, freeze_batch_norm)
    training: dict[str, Any] = {
        "epochs": max(epochs, 1),
        "batch_size": batch_size,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "schedule": schedule,
        "weight_decay": weight_decay,
        "label_smoothing": label_smoothing,
        "patience": patience,
        "augmentation": augmentation,
        "seed": seed,
    }
    Settings(**training, restore_best=True, first_best_epoch=1)  # refuses before anything is computed
    _check(model, data, images, asked)
    notes: list[str] = []
    plain = model
    if has_softmax(model):
        plain = without_softmax(model)
        notes.append("the softmax at the end was taken off: the model gives logits, with the same classes")
        from_logits = None
    chosen = _images(data, images, asked.calibration, seed)
    check_images(plain, chosen)
    check_scaling(plain, chosen)
    whole = prepared(
        plain,
        chosen,
        LayerSettings(weights_bits, ranges, keep_zeros),
        Calibration(calibration_method, percentile),
        keep_float,
    )
    notes += [*whole.notes, *whole.folded.notes]
    notes += [f"{name} stays float: {why}" for name, why in whole.kept_float.items()]
    history = None
    if epochs and data is not None:
        training |= {"from_logits": from_logits, "checkpoint": checkpoint, "progress": progress}
        training |= {"keep_checkpoint": keep_checkpoint, "label": label}
        form = training_form(whole.model, whole.folded.taken)
        freezing = [FreezeNorms(form, asked.live), FreezeRanges(form, asked.moving)]
        training["callbacks"] = [*callbacks, *freezing]
        training["wrap_optimizer"] = _keeping(form, keep_clusters, keep_zeros, notes)
        wise = _teacher(teacher, plain)
        if wise is None:
            trained: Any = train(form, data, **training)
        else:
            trained = distill(form, wise, data, temperature=temperature, alpha=alpha, **training)
        if form is not whole.model:
            fold_into(form, whole.model)
        history = trained.history
        notes += trained.notes
    frozen = asked.moving + 1 if history is not None and asked.moving < len(history.epochs) else None
    return QuantizeAwareResult(
        whole.model,
        history,
        weights_bits,
        ranges,
        calibration_method,
        len(chosen),
        frozen,
        whole.kept_float,
        _ranges(whole),
        _name(teacher),
        tuple(notes),
    )


def _check(model: Any, data: ImageData | None, images: Any, asked: _Asked) -> None:
    """Refuses what there is nothing to train or calibrate with."""
    if data is None and (asked.epochs or images is None):
        raise DataError(
            "quantize_aware() needs data= to train with. Give it, or images= and epochs=0 to calibrate only."
        )
    if data is not None and isinstance(model, keras.Model):
        check_fits(model, data)
        if asked.epochs:
            check_data(data)


def _images(data: ImageData | None, images: Any, count: int, seed: int) -> Any:
    """Returns the images to calibrate with."""
    if images is not None or data is None:
        return images
    if not len(data.train):
        raise DataError(f"{data.name} has no training images; some are needed to calibrate the ranges with.")
    _, taken = stratified(data.train.labels, count, seed, "calibration", data.class_names, spare=0)
    check_variety(data, data.train.labels[taken])
    return data.train.take(taken[:count] if len(taken) > count else taken).inputs()


def _keeping(
    model: keras.Model, clusters: bool, zeros: bool, notes: list[str]
) -> Callable[[Any], Any] | None:
    """Returns the optimizer that keeps clusters, where there are some; zeros are kept by the layers."""
    if not clusters:
        return None
    shared = found_shared(model.trainable_variables, zeros=False)
    if not shared:
        return None
    notes.append(f"weights that share values go on sharing them in {len(shared)} kernels")
    return keep_clusters_of(model, zeros=zeros)


def _teacher(teacher: Any, model: keras.Model) -> Any:
    """Returns the model to learn from; None for the labels alone."""
    if isinstance(teacher, str):
        if teacher != "itself":
            raise ConfigError(f"teacher is 'itself', a model, or None. Received: {teacher!r}.")
        return clone(model)
    return teacher


def _name(teacher: Any) -> str | None:
    """Returns what a teacher is called."""
    if teacher is None or isinstance(teacher, str):
        return teacher
    several = teacher if isinstance(teacher, list | tuple) else [teacher]
    return ", ".join(one.name for one in several)


def _ranges(whole: Prepared) -> tuple[RangeRecord, ...]:
    """Lists the ranges as they are."""
    return tuple(
        RangeRecord(
            layer.name,
            layer.origin,
            *layer.range(),
            step=float(np.asarray(keras.ops.convert_to_numpy(layer.grid()[0]))),
            fixed=layer.fixed is not None,
        )
        for layer in _keras_internals.all_layers(whole.model)
        if isinstance(layer, FakeQuantizer)
    )

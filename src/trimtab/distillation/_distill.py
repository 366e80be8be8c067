"""`distill`: trains a student on a teacher's answers beside the labels."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras

from trimtab._atomic import make_folder
from trimtab.distillation._cached_logits import Answers
from trimtab.distillation._keeping import Keeping, chosen_keeping
from trimtab.distillation._layers import Segment, matched
from trimtab.distillation._loss import DistillationLoss, StudentAccuracy
from trimtab.distillation._options import Options
from trimtab.distillation._pupil import Pupil
from trimtab.distillation._result import DistillationResult
from trimtab.distillation._teachers import Teacher, TeacherAccuracy, checked_teachers, examined, teaching
from trimtab.models import check_fits
from trimtab.progress import Progress
from trimtab.training import train
from trimtab.training._losses import gives_logits
from trimtab.training._objective import Objective
from trimtab.training._sample_weights import checked_weights
from trimtab.training._settings import Settings
from trimtab.training._train import check_data

if TYPE_CHECKING:
    import numpy as np

    from trimtab.data import Augmentation, ImageData

__all__ = ["distill"]

_PROBED = 4  # images to look at the outputs of a model with


def distill(
    student: keras.Model,
    teacher: keras.Model | Sequence[keras.Model],
    data: ImageData,
    *,
    temperature: float = 4.0,
    alpha: float = 0.1,
    features: Sequence[tuple[str, str]] = (),
    feature_weight: float = 1.0,
    attention: Sequence[tuple[str, str]] = (),
    attention_weight: float = 1000.0,
    cache: str = "auto",
    views: int = 8,
    cache_folder: str | os.PathLike[str] | None = None,
    epochs: int = 10,
    batch_size: int = 128,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    schedule: str = "cosine",
    weight_decay: float = 0.0,
    label_smoothing: float = 0.0,
    patience: int | None = None,
    restore_best: bool = True,
    first_best_epoch: int = 1,
    augmentation: Augmentation | None = None,
    from_logits: bool | None = None,
    trainable: str | int | Sequence[str] = "all",
    seed: int = 0,
    sample_weight: np.ndarray | None = None,
    wrap_optimizer: Callable[[Any], Any] | None = None,
    callbacks: Sequence[Any] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    keep_checkpoint: bool = False,
    progress: Progress | None = None,
    label: str = "distill",
) -> DistillationResult:
    """Trains a student, in place, on what a teacher says of the images beside the labels.

    The loss of an image is ``alpha * cross-entropy of the label + (1 - alpha) * T^2 * KL`` between the
    teacher's and the student's answers, both softened by the temperature T (Hinton et al. 2015), plus what
    `features` and `attention` ask for. Models that end in a softmax are seen, and their probabilities taken
    back to logits. The teacher is never changed.

    The teacher is asked once, before the training: then an epoch costs what it costs without a teacher. With
    augmentation it is asked about `views` augmented versions of each image, and the epochs take these in turn
    (Beyer et al. 2022 show why both must see the very same image). Features are kept beside the logits as
    long as all fits into 1 GiB, else as float16, else the teacher is asked at each step.

    Example::

        student = trimtab.zoo.resnet(data.image_shape, data.classes, width=8)
        result = trimtab.distill(student, teacher, data, epochs=20)
        print(result.history.best.val_accuracy, result.teachers[0].accuracy)

    Args:
        student: a built classifier; it is trained as `trimtab.train` would, and is the model of the result.
        teacher: a trained classifier of the same images and classes, or several: then their softened
            probabilities are averaged, and features come from the first.
        data: the images; `data.train` is learned, `data.validation` judges, by its labels alone.
        temperature: T, above 0; the higher, the more the small probabilities count.
        alpha: share of the labels in the loss, 0 to 1: 0 learns from the teacher alone.
        features: pairs (layer of the student, layer of the teacher): the mean squared difference of what they
            give is added to the loss (Romero et al. 2015). Where channels differ, a projection is learned and
            thrown away after the training; where sizes differ, the larger is averaged down. Layers of nested
            models may be given as "model/layer".
        feature_weight: what it is multiplied with.
        attention: pairs of layers: the mean squared difference of where they look (see
            `trimtab.distillation.attention`) is added to the loss (Zagoruyko and Komodakis 2017).
        attention_weight: what it is multiplied with; 1000 as in the authors' code.
        cache: "auto" (see above), "logits" (kept answers, without augmentation), "views" (kept answers to
            augmented versions), or "off": the teacher is asked at each step, and with augmentation sees a new
            version in each epoch.
        views: how many augmented versions of each image are kept, never more than there are epochs.
        cache_folder: where the teacher's answers are kept as files, so that a continued training or another
            student need not ask again; None: only in memory.
        epochs: see `trimtab.train`, as for all that follow.
        batch_size: images in one step.
        optimizer: "adam", "adamw" or "sgd".
        learning_rate: the rate of the first step.
        schedule: of the learning rate: "cosine" or "constant".
        weight_decay: decoupled decay of the kernels.
        label_smoothing: share of each label spread over all classes.
        patience: stop after so many epochs without a better one; None: never.
        restore_best: end with the weights of the best epoch.
        first_best_epoch: epochs before this one cannot be the best.
        augmentation: random changes to the training images; teacher and student see the same ones.
        from_logits: whether the student gives logits; None: look.
        trainable: which layers of the student learn.
        seed: decides the order of the images, their augmentation, dropout and the projections.
        sample_weight: (n,), how much each training image counts, in all parts of its loss.
        wrap_optimizer: makes an optimizer around the one asked for (`trimtab.pruning.keep_zeros`, say).
        callbacks: Keras callbacks. With features, attention or cache="off" their model is one that holds the
            student, as `model.student`.
        checkpoint: file that keeps the state after each epoch, to continue from; it belongs to this teacher.
        keep_checkpoint: leave the checkpoint of a finished training in place.
        progress: where progress is shown; None: nowhere.
        label: what progress calls this training.

    Returns:
        The student, its history, how good the teachers are, and notes.

    Raises:
        ConfigError: an argument has a value that makes no sense, or names a layer that does not exist.
        DataError: there are no training or no validation images.
        ModelError: student and teacher take other images or classes than the data has, a teacher is worse
            than chance or gives NaN, or layers are named in a model that runs code of its own.
        RunError: the checkpoint belongs to another training, or cannot be read.
        OutputError: the checkpoint or the folder cannot be written.

    References:
        G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network", 2015.
        L. Beyer et al., "Knowledge distillation: a good teacher is patient and consistent", CVPR 2022.
    """
    training: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "schedule": schedule,
        "weight_decay": weight_decay,
        "label_smoothing": label_smoothing,
        "patience": patience,
        "restore_best": restore_best,
        "first_best_epoch": first_best_epoch,
        "augmentation": augmentation,
        "seed": seed,
        "trainable": trainable,
    }
    Settings(**training)
    options = Options(
        temperature, alpha, features, feature_weight, attention, attention_weight, cache, views,
        bool(augmentation),
    )  # fmt: skip
    check_fits(student, data)
    check_data(data)
    checked_weights(sample_weight, len(data.train))
    logits = gives_logits(student, from_logits, data.train.inputs(0, _PROBED))
    lesson = _Lesson(student, checked_teachers(teacher, data, student), data, options, training, logits)
    objective = lesson.prepared(cache_folder, progress, label)
    training |= {"from_logits": from_logits, "sample_weight": sample_weight, "callbacks": callbacks}
    trained = train(
        student,
        data,
        **training,
        wrap_optimizer=wrap_optimizer,
        checkpoint=checkpoint,
        keep_checkpoint=keep_checkpoint,
        progress=progress,
        label=label,
        objective=objective,
    )
    return lesson.result(trained.history, trained.notes)


class _Lesson:
    """A distillation whose arguments are checked: what the student is given to learn."""

    def __init__(
        self,
        student: Any,
        teachers: tuple[Teacher, ...],
        data: ImageData,
        options: Options,
        training: dict[str, Any],
        logits: bool,
    ) -> None:
        self._student, self._teachers, self._data = student, teachers, data
        self._options, self._training, self._logits = options, training, logits
        self._segments: tuple[Segment, ...] = matched(
            student,
            teachers[0].model,
            data.image_shape,
            (options.features, options.feature_weight),
            (options.attention, options.attention_weight),
        )
        self._keeping: Keeping = chosen_keeping(
            options.cache,
            options.views,
            options.augmented,
            training["epochs"],
            len(data.train),
            data.classes,
            sum(segment.width for segment in self._segments),
        )
        self._exams: tuple[TeacherAccuracy, ...] = ()
        self._seconds = 0.0

    def prepared(
        self, folder: str | os.PathLike[str] | None, progress: Progress | None, label: str
    ) -> Objective:
        """Examines the teachers, and returns what `train` needs."""
        if folder is not None:
            make_folder(folder)
        began = time.perf_counter()
        self._exams = tuple(examined(teacher, self._data) for teacher in self._teachers)
        self._seconds = time.perf_counter() - began
        return Objective(
            self._learner(),
            self._loss(),
            self._accuracy,
            lambda: self._asked(folder, progress, label),
            self._keeping.views if self._keeping.cache == "views" else None,
            belongs_to=self._told(),
        )

    def _asked(
        self, folder: str | os.PathLike[str] | None, progress: Progress | None, label: str
    ) -> tuple[Any, ...]:
        """Asks the teachers for the answers that are kept."""
        if not self._keeping.views:
            return ()
        began = time.perf_counter()
        answers = Answers(
            self._teachers,
            self._data,
            self._options.temperature,
            self._training["augmentation"],
            self._training["seed"],
            folder,
            self._segments,
            self._keeping.half,
        )
        targets = answers.targets(self._keeping.views, progress, f"{label}: ask the teacher")
        self._seconds += time.perf_counter() - began
        return targets

    def _learner(self) -> Any:
        """Returns the model whose steps are run: the student itself, where nothing else is needed."""
        live = self._keeping.cache == "off"
        if not live and not self._segments:
            return self._student
        taught = teaching(self._teachers, self._segments, self._options.temperature) if live else None
        return Pupil(self._student, self._segments, self._training["seed"], taught)

    def _loss(self) -> DistillationLoss:
        """Returns the loss."""
        return DistillationLoss(
            self._data.classes,
            self._options.temperature,
            self._options.alpha,
            self._logits,
            self._training["label_smoothing"],
            [(segment.width, segment.weight) for segment in self._segments],
        )

    def _accuracy(self) -> StudentAccuracy:
        """Makes the metric."""
        return StudentAccuracy(self._data.classes)

    def _told(self) -> dict[str, Any]:
        """Returns what makes this distillation this one."""
        kept = {"cache": self._keeping.cache, "views": self._keeping.views, "half": self._keeping.half}
        return {**self._options.told(), **kept, "teachers": [teacher.digest for teacher in self._teachers]}

    def result(self, history: Any, notes: Sequence[str]) -> DistillationResult:
        """Returns what was done."""
        chance = 1 / self._data.classes
        unsure = [
            f"the teacher {exam.name!r} is not surely better than chance: it classifies {exam.accuracy:.1%} "
            f"of the {exam.images} validation images rightly"
            for exam in self._exams
            if exam.low <= chance
        ]
        return DistillationResult(
            self._student,
            history,
            self._exams,
            float(self._options.temperature),
            float(self._options.alpha),
            self._options.features,
            self._options.attention,
            self._keeping.cache,
            self._keeping.views,
            self._keeping.bytes,
            self._seconds,
            (self._keeping.note, *unsure, *notes),
        )

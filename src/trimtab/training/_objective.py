"""What a training learns beside the labels: the seam through which another verb uses `train`'s one loop."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from trimtab.data._batches import Draws

__all__ = ["Objective"]


@dataclass(frozen=True, eq=False)
class Objective:
    """What to learn beside the labels, and by which loss.

    Args:
        learner: the model whose steps are run: the one that `train` is given, or one that holds it. All its
            trainable variables are trained, and all its variables are in the checkpoint.
        loss: the Keras loss of (labels or targets, outputs of the learner); where it is given bare labels, as
            for the validation images, it is the cross-entropy that `train` itself would show.
        accuracy: makes the metric "accuracy" of the same two.
        targets: gives what is learnt of each training image beside its label, see `trimtab.data.batches`. It
            is called once, before the first step, and not at all where a checkpoint has nothing left to do.
        views: how many augmentations of each image there are, see there; None: new ones in each epoch.
        draws: what augmentation is drawn for, see there; None: for the training images, with its seed.
        sample_weight: (n,), how much each training image counts in the loss; None: all the same.
        belongs_to: what makes this training this one, as plain data: a checkpoint of another is refused.
    """

    learner: Any = field(repr=False)
    loss: Any
    accuracy: Callable[[], Any]
    targets: Callable[[], tuple[np.ndarray, ...]] = field(default=tuple, repr=False)
    views: int | None = None
    draws: Draws | None = None
    sample_weight: np.ndarray | None = field(default=None, repr=False)
    belongs_to: Mapping[str, Any] = field(default_factory=dict)

    def weighted(self, sample_weight: np.ndarray | None) -> Objective:
        """Returns the same objective with these weights, which a checkpoint of it knows."""
        if sample_weight is None:
            return self
        told = {"sample weights": hashlib.sha256(sample_weight.tobytes()).hexdigest()[:16]}
        return dataclasses.replace(self, sample_weight=sample_weight, belongs_to={**self.belongs_to, **told})

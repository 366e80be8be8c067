"""Training: one call that fits a Keras model to image data, and can be killed and continued."""

from trimtab.training._history import Epoch, History
from trimtab.training._train import TrainingResult, train

__all__ = ["Epoch", "History", "TrainingResult", "train"]

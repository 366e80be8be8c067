"""The confusion matrix and what is read off it: confused pairs, precision, recall, F1."""

from __future__ import annotations

import numpy as np

from trimtab.reporting._data import ClassScore, ConfusedPair, Confusion

__all__ = ["confusion_of", "count_matrix"]


def count_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts images by true and predicted class.

    Args:
        labels: (n,) true class numbers, 0 <= label < classes.
        predicted: (n,) predicted class numbers.
        classes: how many classes there are.

    Returns:
        (classes, classes) counts: rows are true classes, columns predicted ones.
    """
    flat = np.bincount(labels.astype(np.int64) * classes + predicted.astype(np.int64), minlength=classes**2)
    return flat.reshape(classes, classes)


def confusion_of(
    row: str, labels: np.ndarray, predicted: np.ndarray, names: tuple[str, ...], pairs: int = 10
) -> Confusion:
    """Builds the confusion matrix of one model with the pairs most confused and each class's scores."""
    matrix = count_matrix(labels, predicted, len(names))
    return Confusion(
        row=row,
        counts=tuple(tuple(int(cell) for cell in line) for line in matrix),
        pairs=_most_confused(matrix, names, pairs),
        scores=tuple(_score(matrix, number, name) for number, name in enumerate(names)),
    )


def _most_confused(matrix: np.ndarray, names: tuple[str, ...], most: int) -> tuple[ConfusedPair, ...]:
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    found = []
    for true, predicted in zip(*np.unravel_index(order, wrong.shape), strict=True):
        if wrong[true, predicted]:
            total = int(matrix[true].sum())
            number = int(wrong[true, predicted])
            found.append(ConfusedPair(names[true], names[predicted], number, number / total))
    return tuple(found)


def _score(matrix: np.ndarray, number: int, name: str) -> ClassScore:
    right = int(matrix[number, number])
    images, predicted = int(matrix[number].sum()), int(matrix[:, number].sum())
    return ClassScore(
        name=name,
        images=images,
        precision=right / predicted if predicted else None,
        recall=right / images if images else None,
        f1=2 * right / (images + predicted) if images + predicted else None,
    )

from __future__ import annotations

from typing import Any

from trimtab.training._history import Epoch
from trimtab.training._settings import Settings
from trimtab.training._state import TrainingState


def _settings(**changes: Any) -> Settings:
    arguments: dict[str, Any] = {
        "epochs": 10, "batch_size": 8, "optimizer": "adam", "learning_rate": 0.1, "schedule": "cosine",
        "weight_decay": 0.0, "label_smoothing": 0.0, "patience": None, "restore_best": True,
        "first_best_epoch": 1, "augmentation": None, "seed": 0,
    }  # fmt: skip
    return Settings(**{**arguments, **changes})


def _run(scores: list[tuple[float, float]], **changes: Any) -> TrainingState:
    state, settings = TrainingState(), _settings(**changes)
    for number, (accuracy, loss) in enumerate(scores, 1):
        if not state.stopped:
            state.add(Epoch(number, 1.0, 0.5, loss, accuracy, 0.1, 1.0), [], settings)
    return state


def test_accuracy_picks_the_best_epoch_and_loss_decides_between_equals() -> None:
    assert _run([(0.5, 1.0), (0.7, 2.0), (0.6, 0.1)]).best_epoch == 2
    assert _run([(0.7, 1.0), (0.7, 0.9), (0.7, 0.95)]).best_epoch == 2
    assert _run([(0.7, 1.0), (0.7, 1.0)]).best_epoch == 1


def test_epochs_before_the_first_candidate_are_never_the_best() -> None:
    state = _run([(0.9, 0.1), (0.8, 0.1), (0.7, 0.1), (0.75, 0.1)], first_best_epoch=3, patience=1)
    assert state.best_epoch == 4
    assert state.done == 4
    assert _run([(0.9, 0.1)], first_best_epoch=3).history().best_epoch == 1


def test_patience_counts_epochs_without_a_better_one() -> None:
    state = _run([(0.5, 1.0), (0.6, 1.0), (0.6, 1.1), (0.5, 1.0), (0.9, 0.1)], patience=2)
    assert state.done == 4
    assert state.best_epoch == 2
    assert state.stopped == (
        "stopped after epoch 4 of 10: validation had not improved for 2 epochs "
        "(best: epoch 2, accuracy 0.6000)"
    )


def test_plain_form_gives_the_same_state_back() -> None:
    state = _run([(0.5, 1.0), (0.6, 1.0), (0.6, 1.1)], patience=2)
    again = TrainingState()
    again.become(TrainingState.of_plain(state.to_plain(), state.best_weights))
    assert again == state

"""What an answer leaves in the run folder."""

from __future__ import annotations

import json
from pathlib import Path

from trimtab.compression import Answer, Point
from trimtab.compression._measuring import written


def test_a_choice_of_an_earlier_process_does_not_outlive_an_answer_without_one(tmp_path: Path) -> None:
    file, model = tmp_path / "model.tflite", tmp_path / "model.keras"
    file.write_bytes(b"file")
    model.write_bytes(b"model")
    point = Point("cnn-7", "cnn", file, model, 0.9, 1000, 4, 4, 1, 0.1, 1)
    written(Answer((point,), "cnn-7", "it fits"), tmp_path)
    assert (tmp_path / "best.tflite").read_bytes() == b"file"
    assert (tmp_path / "best.keras").read_bytes() == b"model"
    written(Answer((point,), None, "nothing fits"), tmp_path)
    assert json.loads((tmp_path / "front.json").read_text())["chosen"] is None
    assert not list(tmp_path.glob("best.*"))

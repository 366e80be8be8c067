"""The scripts about distillation run, and what they end with is what they promise."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

Show = Callable[[str], str]
Shares = Callable[[str, str], list[float]]
Right = Callable[[str], list[float]]


def test_with_and_without_teacher(show: Show, right: Right) -> None:
    output = show("distillation/with_and_without_teacher.py")
    teacher, alone, taught = right(output)
    assert teacher > 0.9
    assert min(alone, taught) > 0.7
    assert "the teacher's answers were asked for once and kept" in output
    assert re.search(r"^teacher: [\d.]+% \([\d.]+% to [\d.]+%\) of the validation images$", output, re.M)


def test_several_teachers(show: Show, shares: Shares, right: Right) -> None:
    output = show("distillation/several_teachers.py")
    assert output.count("2 teachers, 2 files of answers") == 2  # the second student asked nobody
    assert len(list(Path("answers").iterdir())) == 2
    assert shares(output, r"([\d.]+)% match the label")[0] > 0.9
    assert min(right(output)) > 0.7


def test_features(show: Show, right: Right) -> None:
    output = show("distillation/features.py")
    assert [line.split(":")[0] for line in output.splitlines()] == ["answers", "feature maps", "attention"]
    assert output.count("parameters, as before") == 3
    kept = [int(number.replace(",", "")) for number in re.findall(r"kept ([\d,]+) bytes", output)]
    assert kept[0] < kept[2] < kept[1]
    assert min(right(output)) > 0.6


def check_fit(output: str, right: Right) -> None:
    teacher, student = right(output)
    assert teacher > 0.9
    assert student > 0.8


def test_plain_fit(show: Show, right: Right) -> None:
    check_fit(show("distillation/plain_fit.py"), right)


def test_plain_fit_on_torch(show_on: Callable[[str, str], str], right: Right) -> None:
    check_fit(show_on("distillation/plain_fit.py", "torch"), right)


def test_sparse_student(show: Show, shares: Shares, right: Right) -> None:
    output = show("distillation/sparse_student.py")
    assert all(0.895 < zeros < 0.905 for zeros in shares(output, r"([\d.]+)% zeros"))
    pruned, taught = right(output)
    assert taught >= pruned

"""The error tree is what its docstring draws."""

from __future__ import annotations

import re

from trimtab import errors


def test_the_drawing_shows_every_error_under_its_parent() -> None:
    drawn = re.findall(r"^    ([│ ├└─]*)(\w+Error)", errors.__doc__ or "", flags=re.MULTILINE)
    assert {name for _, name in drawn} == {name for name in errors.__all__ if name.endswith("Error")}
    stack: list[type] = []
    for indent, name in drawn:
        depth = len(indent) // 4
        kind = getattr(errors, name)
        del stack[depth:]
        if stack:
            assert issubclass(kind, stack[-1]), f"{name} is drawn under {stack[-1].__name__}"
        stack.append(kind)


def test_a_missing_extra_names_the_extra() -> None:
    error = errors.MissingExtraError("jax", "jax", "to train on a GPU")
    assert "pip install 'trimtab[jax]'" in str(error)
    assert isinstance(error, ImportError)


def test_the_first_line_of_an_error_is_one_line_whatever_it_says() -> None:
    assert errors.first_line(ValueError("\n  too long.\nand more")) == "too long"
    assert errors.first_line(MemoryError()) == "MemoryError"
    assert errors.first_line("") == "it gave no reason"
    assert errors.first_line(ValueError("x" * 300), 100) == "x" * 97 + "..."


def test_nearest_offers_only_what_is_near() -> None:
    assert errors.nearest("sparsty", ["sparsity", "epochs"]) == " Did you mean 'sparsity'?"
    assert errors.nearest("zzz", ["sparsity", "epochs"]) == ""

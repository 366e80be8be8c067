"""Every error that Trimtab raises on purpose.

Each message is one line that says what came, what was needed, and what to do. The command line
prints it and exits with code 2; a Python caller catches the class that fits::

    TrimtabError
    ├── DataError              the images or labels cannot be used
    │   └── DataNotFoundError  no place that was looked in holds the data
    ├── ModelError             the Keras model cannot be used
    ├── ConfigError            an argument has a value that makes no sense (also a ValueError)
    │   └── RecipeError        a recipe says something that Trimtab does not understand
    ├── ConversionError        the converter refused the model
    │   └── ParityError        the file does not compute what the model computes
    ├── OutputError            a file cannot be written
    ├── RunError               a run folder is damaged, or belongs to another run
    ├── WorkerError            worker processes or a cluster cannot be used
    └── MissingExtraError      an optional dependency is not installed (also an ImportError)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ConfigError",
    "ConversionError",
    "DataError",
    "DataNotFoundError",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "ParityError",
    "RecipeError",
    "RunError",
    "TrimtabError",
    "WorkerError",
    "first_line",
    "nearest",
]


class TrimtabError(Exception):
    """Root of the tree: catch it to catch everything that Trimtab raises on purpose."""


class DataError(TrimtabError):
    """The images or labels cannot be used as they are."""


class DataNotFoundError(DataError):
    """No place that was looked in holds the data."""


class ModelError(TrimtabError):
    """The Keras model cannot be used for what was asked."""


class ConfigError(TrimtabError, ValueError):
    """An argument has a value that makes no sense."""


class RecipeError(ConfigError):
    """A recipe says something that Trimtab does not understand."""


class ConversionError(TrimtabError):
    """The converter refused the model, or made a file that must not be shipped."""


class ParityError(ConversionError):
    """The converted file does not compute what the model computes."""


class OutputError(TrimtabError):
    """A file or folder cannot be written."""


class RunError(TrimtabError):
    """A run folder is damaged, or belongs to another run."""


class WorkerError(TrimtabError):
    """Worker processes or a cluster cannot be used."""


class MissingExtraError(TrimtabError, ImportError):
    """An optional dependency is not installed.

    Args:
        package: name of the package that is missing, as it is imported.
        extra: Trimtab's extra that installs it.
        purpose: what it is needed for, to end the sentence "... is needed ...".
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{package} is not installed; it is needed {purpose}. "
            f"Install it with: pip install 'trimtab[{extra}]'"
        )


def first_line(error: object, longest: int = 240) -> str:
    """Says what another library's error says, in at most one line and without a full stop.

    An error that says nothing is told by its type, such as ``"MemoryError"``.
    """
    lines = (line.strip() for line in str(error).splitlines())
    text = next((line for line in lines if line), "")
    if not text:
        text = "it gave no reason" if isinstance(error, str) else type(error).__name__
    text = text.rstrip(".:")
    return text[: longest - 3] + "..." if len(text) > longest else text


def nearest(name: str, known: Iterable[str]) -> str:
    """Says which known name was probably meant: ``" Did you mean 'x'?"``, or an empty string."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]!r}?" if matches else ""

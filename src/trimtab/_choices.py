"""The words that options may take and the usual values, said once: for recipes and for the command line.

Nothing heavy is imported here, so that a wrong word is refused at once. The verbs have the same words and
values; the tests compare.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast, get_args

from trimtab.errors import ConfigError, nearest

__all__ = [
    "FORMAT_ENDINGS",
    "LARGEST_TARGET",
    "USUAL_ROUNDS",
    "USUAL_SPARSITY",
    "CalibrationMethod",
    "ChannelImportance",
    "ChannelNormalization",
    "ChannelRanking",
    "ChannelSchedule",
    "ClusterInit",
    "ClusterPer",
    "FileFormat",
    "Importance",
    "LogitCache",
    "Optimizer",
    "Policy",
    "Ranges",
    "Ranking",
    "RateSchedule",
    "Resize",
    "Rewind",
    "ScanScheme",
    "Scheme",
    "SharedGradients",
    "Softmax",
    "SparsityLearning",
    "SparsitySchedule",
    "file_format",
    "granularity_name",
    "pattern_sparsity",
]

Optimizer = Literal["adam", "adamw", "sgd"]
RateSchedule = Literal["cosine", "constant"]
SparsitySchedule = Literal["polynomial", "constant", "one-shot", "iterative"]
Importance = Literal["magnitude", "taylor", "random"]
Ranking = Literal["layer", "global"]
Rewind = Literal["rate", "weights"]
Policy = Literal["xnnpack"]
Scheme = Literal[
    "float32",
    "float16",
    "dynamic-int8",
    "int8",
    "int8-float-io",
    "int16x8",
    "int16x8-float-io",
    "int4",
    "int4-float-io",
    "dynamic-int4",
    "dynamic-int4-block32",
]
Softmax = Literal["refuse", "strip", "keep"]
FileFormat = Literal["litert", "onnx", "openvino", "torch", "c"]
Resize = Literal["now", "on-the-fly"]
ChannelImportance = Literal["l1", "l2", "bn_scale", "taylor", "fpgm", "random"]
ChannelRanking = Literal["group", "global"]
ChannelNormalization = Literal["mean", "max", "none"]
ChannelSchedule = Literal["one-shot", "iterative"]
SparsityLearning = Literal["bn", "kernels"]
LogitCache = Literal["auto", "logits", "views", "off"]
CalibrationMethod = Literal["minmax", "percentile", "mse"]
Ranges = Literal["moving-average", "learned"]
ScanScheme = Literal["int8", "int4"]
ClusterInit = Literal["kmeans++", "linear", "density"]
ClusterPer = Literal["layer", "channel"]
SharedGradients = Literal["sum", "mean"]

USUAL_SPARSITY = 0.8
"""The share of zeros that pruning makes where nobody says."""
USUAL_ROUNDS = 5
"""The rounds of iterative pruning where nobody says."""
LARGEST_TARGET = 0.98
"""The largest share of zeros that a scan gives to one layer."""

FORMAT_ENDINGS: Mapping[FileFormat, str] = MappingProxyType(
    {"litert": ".tflite", "onnx": ".onnx", "openvino": ".xml", "torch": ".pt2", "c": ".c"}
)
"""How the name of a file of each format ends."""

_FREE = re.compile(r"unstructured|0*[1-9]\d*x0*[1-9]\d*(-max)?")
_PATTERN = re.compile(r"(\d{1,6}):(\d{1,6})")


def granularity_name(granularity: str) -> str:
    """Returns the one way of writing a granularity's name: "04X1" and " 4x1" are both "4x1"."""
    name = re.sub(r"(?<!\d)0+(?=\d)", "", granularity.strip().lower())
    return "unstructured" if name in ("1x1", "1x1-max") else name  # blocks of one weight


def pattern_sparsity(granularity: str) -> float | None:
    """Checks the name of a granularity, and returns the sparsity that it fixes.

    Args:
        granularity: "unstructured", blocks such as "4x1", or a pattern such as "2:4".

    Returns:
        ``1 - n/m`` for the pattern ``n:m``; None for the others, which take any sparsity.

    Raises:
        ConfigError: it is no such name, or a pattern that removes nothing or everything.
    """
    name = granularity_name(granularity)
    if _FREE.fullmatch(name):
        return None
    pattern = _PATTERN.fullmatch(name)
    if pattern is None:
        raise ConfigError(
            f"There is no granularity {granularity!r}.{nearest(name, ['unstructured'])} Give unstructured, "
            "HEIGHTxWIDTH such as 4x1 (blocks go as a whole), or N:M such as 2:4 (two of four weights stay)."
        )
    stay, group = int(pattern[1]), int(pattern[2])
    if not 0 < stay < group:
        raise ConfigError(
            f"The granularity {granularity!r} is no pattern: in N:M, N of each M weights stay, so N is above "
            "0 and below M, as in 2:4."
        )
    return 1 - stay / group


def file_format(path: str | os.PathLike[str], name: str | None = None) -> FileFormat:
    """Returns the format that a deployable file is to have.

    Args:
        path: the file to write.
        name: of the format, such as ``"onnx"``; None goes by the file's ending.

    Raises:
        ConfigError: there is no such format, no format has this ending, or the two do not fit.

    Example:
        >>> file_format("digits.onnx")
        'onnx'
    """
    path, known = Path(path), get_args(FileFormat)
    if name is not None and name not in known:
        raise ConfigError(
            f"No format is called {name!r}; there are {', '.join(known)}.{nearest(name, known)}"
        )
    by_ending = next((one for one, ending in FORMAT_ENDINGS.items() if ending == path.suffix), None)
    if by_ending is not None and name in (None, by_ending):
        return by_ending
    wanted = cast("FileFormat", name or "litert")
    title = "LiteRT" if wanted == "litert" else wanted
    others = ", ".join(ending for one, ending in FORMAT_ENDINGS.items() if one != "litert")
    raise ConfigError(
        f"The name of a {title} file ends in {FORMAT_ENDINGS[wanted]}. Received: {str(path)!r}. Write "
        f"{str(path.with_suffix(FORMAT_ENDINGS[wanted]))!r}, say"
        + ("." if name else f" (or another format's ending: {others}).")
    )

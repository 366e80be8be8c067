"""C: a LiteRT file as an array in source code, for devices that have no file system."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from trimtab._version import __version__
from trimtab.litert import LiteRTModel

__all__ = ["array_files", "array_name"]

_ALIGNMENT = 16
"""Bytes. TensorFlow Lite Micro reads tensors in place, and wants the file to begin on such a boundary."""
_A_LINE = 16
_TYPES = {"float32": "float", "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t"}
_HEX = tuple(f"0x{value:02x}" for value in range(256))


def array_files(path: Path, content: bytes, title: str) -> dict[Path, bytes]:
    """Returns the source and the header that hold a LiteRT file.

    The array is aligned to 16 bytes and declared with its length, so that source and header cannot be mixed
    up. The header has the sizes and the quantization of input and output as macros.

    Args:
        path: the `.c` file; the header lies beside it as `.h`.
        content: the LiteRT file.
        title: what the comment says of it, such as ``"model 'net', scheme int8"``.

    Returns:
        Content of the two files, the source first.
    """
    header = path.with_suffix(".h")
    name = array_name(path)
    # What is said in a comment may not end it.
    comment = f"/* Written by Trimtab {__version__}: {title.replace('*/', '* /')}.\n"
    return {
        path: (comment + _source(content, name, header.name)).encode(),
        header: (comment + _header(content, name)).encode(),
    }


def array_name(path: Path) -> str:
    """Returns what the array in a `.c` file is called: the file's name as C takes it, and that it is a model.

    Example:
        >>> array_name(Path("my digits-int8.c"))
        'my_digits_int8_model'
    """
    name = re.sub(r"[^0-9A-Za-z]+", "_", path.stem).strip("_")
    if not name.endswith("model"):
        name = f"{name}_model"  # so it cannot be a keyword: "int.c" is a fine name
    return name if name[0].isalpha() else f"model_{name.lstrip('_')}"


def _source(content: bytes, name: str, header: str) -> str:
    """Writes the array."""
    rows = (content[at : at + _A_LINE] for at in range(0, len(content), _A_LINE))
    array = ",\n".join("  " + ", ".join([_HEX[value] for value in row]) for row in rows)
    return f"""\
 * Needs C11 or C++11. Do not edit: export the model again. */
#include "{header}"

#ifndef __cplusplus
#include <stdalign.h>
#endif

/* TensorFlow Lite Micro reads the tensors in place: the alignment is needed. */
alignas({name.upper()}_ALIGNMENT) const unsigned char {name}[{name.upper()}_BYTES] = {{
{array}
}};
"""


def _header(content: bytes, name: str) -> str:
    """Writes the header: guard, sizes, quantization, declaration."""
    upper = name.upper()
    edges = "\n".join(_edges(LiteRTModel(content), upper))
    return f"""\
 * A LiteRT file (TensorFlow Lite) for images of height x width x channels, channels last. */
#ifndef {upper}_H
#define {upper}_H

#include <stdint.h>

#define {upper}_BYTES {len(content)}
#define {upper}_ALIGNMENT {_ALIGNMENT}

{edges}

#ifdef __cplusplus
extern "C" {{
#endif

extern const unsigned char {name}[{upper}_BYTES];

#ifdef __cplusplus
}}
#endif

#endif /* {upper}_H */
"""


def _edges(model: LiteRTModel, upper: str) -> list[str]:
    """Writes what goes in and comes out as macros."""
    height, width, channels = model.input_shape
    return [
        f"#define {upper}_INPUT_HEIGHT {height}",
        f"#define {upper}_INPUT_WIDTH {width}",
        f"#define {upper}_INPUT_CHANNELS {channels}",
        f"#define {upper}_INPUT_SIZE {height * width * channels}",
        *_numbers(upper + "_INPUT", model.input_dtype, model.input_quantization),
        f"#define {upper}_OUTPUT_SIZE {model.classes}",
        *_numbers(upper + "_OUTPUT", model.output_dtype, model.output_quantization),
    ]


def _numbers(prefix: str, dtype: np.dtype, quantization: tuple[float, int]) -> list[str]:
    """Writes the type of one edge and, where it is of integers, what they mean."""
    lines = [f"#define {prefix}_TYPE {_TYPES[dtype.name]}"]
    scale, zero_point = quantization
    if scale:
        # Nine digits give back the same float32. The zero point in brackets: it may be negative.
        digits = f"{float(np.float32(scale)):.9g}"
        point = "" if "." in digits or "e" in digits else ".0"
        lines.append(f"/* real number = {prefix}_SCALE * (integer - {prefix}_ZERO_POINT) */")
        lines.append(f"#define {prefix}_SCALE {digits}{point}f")
        lines.append(f"#define {prefix}_ZERO_POINT ({int(zero_point)})")
    return lines

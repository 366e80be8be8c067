"""C: the array and its header, compiled."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from trimtab import litert
from trimtab.exporting._formats import array_files, array_name

EXAMPLE = Path(__file__).parents[2] / "examples" / "c" / "load_model.c"
COMPILER = shutil.which("gcc") or shutil.which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler is installed")


@pytest.fixture(scope="module")
def content(digits):
    """An int8 file of an untrained net."""
    from trimtab.zoo import cnn

    model = cnn(digits.image_shape, digits.classes, filters=(4,), dense=0)
    return litert.convert(model, "int8", digits.train.inputs(0, 20))


@pytest.fixture(scope="module")
def folder(content, tmp_path_factory):
    """Source and header of that file, as model.c."""
    folder = tmp_path_factory.mktemp("c")
    for path, text in array_files(folder / "model.c", content, "a test */ of comments").items():
        path.write_bytes(text)
    return folder


def _compiled(folder: Path, *sources: Path | str, standard: str = "c11") -> subprocess.CompletedProcess[str]:
    words = [str(COMPILER), f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{folder}"]
    return subprocess.run(
        [*words, *map(str, sources), "-o", str(folder / "program"), "-lm"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_array_is_the_file(content, folder):
    text = (folder / "model.c").read_text()
    array = text[text.index("= {") :]
    assert bytes(int(value, 16) for value in re.findall(r"0x([0-9a-f]{2})", array)) == content
    assert "alignas(MODEL_ALIGNMENT) const unsigned char model[MODEL_BYTES]" in text


def test_the_header_says_what_goes_in_and_comes_out(content, folder):
    text = (folder / "model.h").read_text()
    said = dict(re.findall(r"^#define (\w+) (\S+)$", text, re.MULTILINE))
    model = litert.LiteRTModel(content)
    assert said["MODEL_BYTES"] == str(len(content))
    assert (said["MODEL_INPUT_HEIGHT"], said["MODEL_INPUT_CHANNELS"]) == ("8", "1")
    assert (said["MODEL_INPUT_SIZE"], said["MODEL_OUTPUT_SIZE"]) == ("64", "10")
    assert said["MODEL_INPUT_TYPE"] == said["MODEL_OUTPUT_TYPE"] == "int8_t"
    for edge, (scale, zero_point) in (
        ("INPUT", model.input_quantization), ("OUTPUT", model.output_quantization)
    ):  # fmt: skip
        assert np.float32(said[f"MODEL_{edge}_SCALE"].rstrip("f")) == np.float32(scale)
        assert said[f"MODEL_{edge}_ZERO_POINT"] == f"({zero_point})"
    assert text.startswith("/* ")
    assert text.count("#ifndef MODEL_H") == 1


def test_a_float_file_has_no_scales(digits):
    from trimtab.zoo import cnn

    plain = litert.convert(cnn(digits.image_shape, digits.classes, filters=(2,), dense=0))
    header = array_files(Path("net.c"), plain, "net")[Path("net.h")].decode()
    assert "#define NET_MODEL_INPUT_TYPE float\n" in header
    assert "SCALE" not in header


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("digits.c", "digits_model"), ("my digits-int8.c", "my_digits_int8_model"), ("int.c", "int_model"),
        ("model.c", "model"), ("3d.c", "model_3d_model"), ("_x.c", "x_model"), ("ä.c", "model_model"),
    ],
)  # fmt: skip
def test_names_that_c_takes(name, array):
    assert array_name(Path(name)) == array


@needs_compiler
def test_the_example_loads_it(content, folder):
    built = _compiled(folder, EXAMPLE, folder / "model.c")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(folder / "program")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    black, white = litert.LiteRTModel(content).quantize(
        np.stack([np.zeros((8, 8, 1), np.float32), np.ones((8, 8, 1), np.float32)])
    )[:, 0, 0, 0]
    assert done.stdout.splitlines() == [
        f"{len(content)} bytes, whole",
        "input 8 x 8 x 1, 64 bytes",
        f"black {black}, white {white}",
        "10 classes",
    ]


@needs_compiler
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda whole: whole[:4] + b"XXXX" + whole[8:], "it is no LiteRT file"),
        (lambda whole: whole[:6], "it is too short"),
        (lambda whole: b"\xff\xff\xff\x7f" + whole[4:], "it has another version"),
        (lambda whole: whole[:-16], "cut short|another version"),
        (lambda whole: whole[:-32], "cut short|another version"),
        (lambda whole: whole[: len(whole) // 2], "cut short|another version"),
    ],
)
def test_the_example_refuses_a_damaged_one(content, folder, tmp_path, damage, said):
    damaged = damage(content)
    shutil.copy(folder / "model.h", tmp_path / "model.h")
    header = (tmp_path / "model.h").read_text()
    (tmp_path / "model.h").write_text(header.replace(f"BYTES {len(content)}", f"BYTES {len(damaged)}"))
    array = ", ".join(map(str, damaged))
    (tmp_path / "model.c").write_text(
        f'#include "model.h"\n#include <stdalign.h>\n'
        f"alignas(16) const unsigned char model[MODEL_BYTES] = {{{array}}};\n"
    )
    built = _compiled(tmp_path, EXAMPLE, tmp_path / "model.c", "-fsanitize=address,undefined")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(tmp_path / "program")], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert re.search(said, done.stdout)


@needs_compiler
def test_a_header_of_another_model_does_not_compile(content, folder, tmp_path):
    for name in ("model.c", "model.h"):
        shutil.copy(folder / name, tmp_path / name)
    header = (tmp_path / "model.h").read_text()
    (tmp_path / "model.h").write_text(header.replace(f"BYTES {len(content)}", f"BYTES {len(content) - 1}"))
    built = _compiled(tmp_path, EXAMPLE, tmp_path / "model.c")
    assert built.returncode != 0
    assert "excess elements" in built.stderr


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler is installed")
def test_it_is_c_plus_plus_too(folder, tmp_path):
    (tmp_path / "main.cc").write_text(
        '#include "model.h"\n'
        "int main() { return model[4] == 'T' && sizeof model == MODEL_BYTES ? 0 : 1; }\n"
    )
    words = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{folder}", "-x", "c++"]
    program = tmp_path / "program"
    subprocess.run(
        [*words, str(tmp_path / "main.cc"), str(folder / "model.c"), "-o", str(program)], check=True
    )
    assert subprocess.run([str(program)], check=False).returncode == 0

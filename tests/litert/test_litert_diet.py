from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from trimtab import litert, zoo
from trimtab.errors import ConversionError

SCHEMES = [name for name, entry in litert.SCHEMES.items() if entry.route == "converter"]


def unpacked(content: bytes) -> Any:
    """The file as LiteRT's own classes read it."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(bytearray(content))


def interpreter(content: bytes, delegates: bool = True) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.BUILTIN if delegates else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    found = Interpreter(model_content=content, experimental_op_resolver_type=kind)
    found.allocate_tensors()
    return found


def outputs(content: bytes, delegates: bool = True, runs: int = 8) -> list[np.ndarray]:
    """What a file gives for random inputs, bit for bit."""
    runner, random = interpreter(content, delegates), np.random.default_rng(0)
    given_to = runner.get_input_details()
    answers = []
    for _ in range(runs):
        for details in given_to:
            numbers = random.normal(0, 40, details["shape"]).clip(-127, 127)
            runner.set_tensor(details["index"], numbers.astype(details["dtype"]))
        runner.invoke()
        answers += [runner.get_tensor(details["index"]) for details in runner.get_output_details()]
    return answers


def assert_same_outputs(before: bytes, after: bytes, delegates: bool = True) -> None:
    for wanted, got in zip(outputs(before, delegates), outputs(after, delegates), strict=True):
        np.testing.assert_array_equal(wanted, got)


def described(content: bytes) -> list[tuple[Any, ...]]:
    """What LiteRT says of each tensor, but for its name."""
    return [
        (
            *(details["index"], details["dtype"], details["quantization"]),
            *(details[key].tolist() for key in ("shape", "shape_signature")),
            *(np.asarray(part).tolist() for part in details["quantization_parameters"].values()),
            str(details["sparsity_parameters"]),
        )
        for details in interpreter(content, delegates=False).get_tensor_details()
    ]


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """The fields of two unpacked objects that differ, by their path without places in lists."""
    if isinstance(before, np.ndarray) or isinstance(after, np.ndarray):
        if not np.array_equal(before, after) or (before is None) != (after is None):
            yield path
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            yield from differences(one, other, path)
    elif hasattr(before, "__dict__") and type(before) is type(after):
        for name in vars(before):
            yield from differences(getattr(before, name), getattr(after, name), f"{path}.{name}")
    elif before != after:
        yield path


@pytest.fixture(scope="module")
def slim(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: litert.diet(content) for name, content in files.items()}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_file_is_smaller_and_gives_the_same_bits(files, slim, scheme, proof):
    before, after = files[scheme], slim[scheme]
    assert len(after) < len(before)
    for delegates in (True, False):
        assert_same_outputs(before, after, delegates)
    assert described(before) == described(after)
    old, new = litert.LiteRTModel(before), litert.LiteRTModel(after)
    np.testing.assert_array_equal(old(proof), new(proof))
    assert dict(old.summary.ops) == dict(new.summary.ops)
    assert (old.summary.parameters, old.summary.non_zeros) == (new.summary.parameters, new.summary.non_zeros)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_second_diet_finds_nothing(slim, scheme):
    assert litert.diet(slim[scheme]) == slim[scheme]


@pytest.fixture(scope="module")
def residual(pictures) -> bytes:
    """The int8 file of a net of 11,500 parameters with nine convolutions and additions between them."""
    model = zoo.resnet((8, 8, 1), 10, width=6)
    for variable in model.weights:  # as training leaves them: no two vectors are equal
        if len(variable.shape) == 1:
            variable.assign(np.random.default_rng(variable.shape[0]).uniform(0.5, 1.5, variable.shape))
    return litert.convert(model, "int8", pictures)


def test_a_small_int8_file_loses_a_fifth(residual):
    after = litert.diet(residual)
    assert 20_000 < len(residual) < 26_000
    assert len(after) < 0.8 * len(residual)
    for delegates in (True, False):
        assert_same_outputs(residual, after, delegates)
    assert described(residual) == described(after)


def test_only_what_nobody_reads_is_gone(files, slim):
    before, after = unpacked(files["int8"]), unpacked(slim["int8"])
    for model in (before, after):  # by content, since their numbers change
        for graph in model.subgraphs:
            for tensor in graph.tensors:
                data = model.buffers[tensor.buffer].data
                tensor.buffer = None if data is None else bytes(data)
            for operator in graph.operators:
                operator.opcodeIndex = vars(model.operatorCodes[operator.opcodeIndex])
        model.buffers = model.operatorCodes = []
    assert set(differences(before, after)) == {
        ".description",
        ".metadata",
        ".subgraphs.name",
        ".subgraphs.tensors.name",
        ".subgraphs.tensors.quantization",
    }
    found = zip(before.subgraphs[0].tensors, after.subgraphs[0].tensors, strict=True)
    dropped = [one.quantization for one, other in found if one.quantization and not other.quantization]
    assert dropped
    assert all(one.scale is None and one.min is None for one in dropped)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_rules_of_microcontrollers_are_kept(slim, scheme):
    from ai_edge_litert import schema_py_generated as schema

    content = slim[scheme]
    assert content[4:8] == b"TFL3"
    assert len(content) % 16 == 0
    model = unpacked(content)
    assert model.version == 3
    assert model.buffers[0].data is None
    for code in model.operatorCodes:
        assert code.deprecatedBuiltinCode == min(code.builtinCode, 127)
        assert code.version >= 1
    for tensor in model.subgraphs[0].tensors:
        if tensor.quantization is not None:
            assert len(tensor.quantization.zeroPoint) == len(tensor.quantization.scale)
    raw = schema.Model.GetRootAs(content, 0)
    start = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    places = [raw.Buffers(at).DataAsNumpy() for at in range(1, raw.BuffersLength())]
    assert all((place.__array_interface__["data"][0] - start) % 16 == 0 for place in places)
    graph = raw.Subgraphs(0)
    for at in range(graph.TensorsLength()):
        quantization = graph.Tensors(at).Quantization()
        if quantization is not None:
            zeros = quantization.ZeroPointAsNumpy().__array_interface__["data"][0]
            assert (zeros - start) % 8 == 0


def test_signatures_still_run(files, slim):
    answers = []
    for content in (files["float32"], slim["float32"]):
        found = interpreter(content)
        ((key, names),) = found.get_signature_list().items()
        image = np.full((1, 8, 8, 1), 0.5, np.float32)
        answers.append((key, names, found.get_signature_runner(key)(**{names["inputs"][0]: image})))
    assert answers[0][:2] == answers[1][:2]
    np.testing.assert_array_equal(*(next(iter(answer[2].values())) for answer in answers))


def test_the_compiled_model_still_runs(files, slim, tmp_path):
    from ai_edge_litert.compiled_model import CompiledModel

    answers = []
    for name, content in (("before", files["float32"]), ("after", slim["float32"])):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(content)
        model = CompiledModel.from_file(str(path))
        given_to, made = model.create_input_buffers(0), model.create_output_buffers(0)
        given_to[0].write(np.linspace(0, 1, 64, dtype=np.float32))
        model.run_by_index(0, given_to, made)
        answers.append((model.get_signature_list(), made[0].read(10, np.float32)))
    assert answers[0][0] == answers[1][0]
    np.testing.assert_array_equal(answers[0][1], answers[1][1])


def test_tensors_without_names_are_called_after_their_operators(slim):
    names = [tensor.name for tensor in litert.inspect(slim["int8"]).tensors]
    assert {"conv_2d_0/kernel", "conv_2d_0/bias", "conv_2d_0/output", "fully_connected_4/kernel"} <= set(
        names
    )
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"hello, I am no model", bytes(64)])
def test_what_is_no_file_is_refused(content):
    with pytest.raises(ConversionError, match="is not a LiteRT file"):
        litert.diet(content)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_refused(files, share):
    content = files["int8"]
    with pytest.raises(ConversionError, match="damaged or truncated") as caught:
        litert.diet(content[: max(8, int(len(content) * share))])
    assert "\n" not in str(caught.value)

"""A diet for files that no converter of ours writes, made by hand, and for damaged ones."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab import litert
from trimtab.errors import ConversionError


def unpacked(content: bytes) -> Any:
    """The file as LiteRT's own classes read it."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(bytearray(content))


def packed(model: Any, behind: bytes = b"") -> bytes:
    """A file as LiteRT's own classes write it."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output()) + behind


def interpreter(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    found = Interpreter(model_content=content)
    found.allocate_tensors()
    return found


def assert_same_outputs(before: bytes, after: bytes) -> None:
    answers = []
    for content in (before, after):
        runner = interpreter(content)
        for number, details in enumerate(runner.get_input_details()):
            runner.set_tensor(details["index"], np.arange(4, dtype=np.float32)[None] / 3 + number)
        runner.invoke()
        answers.append([runner.get_tensor(details["index"]) for details in runner.get_output_details()])
    np.testing.assert_array_equal(*answers)


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


def add_net(**changes: Any) -> Any:
    """A file of one operator: its two inputs added, then a constant."""
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: str, **more: Any) -> Any:
        return schema.TensorT(shape=[1, 4], name=name, hasRank=True, **more)

    tensors = [
        tensor("left", buffer=1),
        tensor("right", buffer=2),
        tensor("sum", buffer=3),
        tensor("constant", buffer=4),
        tensor("result", buffer=5),
    ]
    operators = [
        schema.OperatorT(opcodeIndex=code, inputs=inputs, outputs=outputs, **options())
        for code, inputs, outputs in ((1, [0, 1], [2]), (2, [2, 3], [4]))
    ]
    graph = schema.SubGraphT(
        tensors=tensors, inputs=[0, 1], outputs=[4], operators=operators, name="main", debugMetadataIndex=-1
    )
    codes = [schema.OperatorCodeT(deprecatedBuiltinCode=18, builtinCode=18)]  # MUL, which nothing uses
    codes += [schema.OperatorCodeT(deprecatedBuiltinCode=0, builtinCode=0) for _ in range(2)]
    buffers = [schema.BufferT() for _ in range(6)]
    buffers[4].data = np.arange(4, dtype=np.float32).view(np.uint8)
    parts = {"version": 3, "operatorCodes": codes, "subgraphs": [graph], "buffers": buffers}
    return schema.ModelT(**(parts | changes))


def options() -> dict[str, Any]:
    from ai_edge_litert import schema_py_generated as schema

    return {"builtinOptionsType": schema.BuiltinOptions.AddOptions, "builtinOptions": schema.AddOptionsT()}


def test_spare_operator_codes_and_buffers_go():
    before = packed(add_net())
    after = litert.diet(before)
    model = unpacked(after)
    assert [code.builtinCode for code in model.operatorCodes] == [0]
    assert [tensor.buffer for tensor in model.subgraphs[0].tensors] == [0, 0, 0, 1, 0]
    assert len(model.buffers) == 2
    assert_same_outputs(before, after)


def test_without_signatures_inputs_and_outputs_keep_their_names():
    after = interpreter(litert.diet(packed(add_net())))
    names = [details["name"] for details in after.get_tensor_details()]
    assert names == ["left", "right", "", "", "result"]


def test_equal_constants_become_one():
    model = add_net()
    model.subgraphs[0].operators[1].inputs = [3, 5]
    model.subgraphs[0].tensors.append(type(model.subgraphs[0].tensors[3])(shape=[1, 4], buffer=6))
    model.buffers.append(type(model.buffers[0])(data=model.buffers[4].data.copy()))
    before = packed(model)
    after = litert.diet(before)
    assert len(unpacked(after).buffers) == 2
    assert_same_outputs(before, after)


def test_metadata_of_others_is_kept_and_still_finds_its_buffer():
    from ai_edge_litert import schema_py_generated as schema

    model = add_net()
    for name, content in ((b"min_runtime_version", b"2.0"), (b"TFLITE_METADATA", b"labels"), (b"mine", b"")):
        model.metadata = [*(model.metadata or []), schema.MetadataT(name=name, buffer=len(model.buffers))]
        model.buffers.append(schema.BufferT(data=np.frombuffer(content, np.uint8) if content else None))
    before = packed(model)
    after = litert.diet(before)
    found = unpacked(after)
    kept = {entry.name: found.buffers[entry.buffer].data for entry in found.metadata}
    assert set(kept) == {b"TFLITE_METADATA", b"mine"}
    assert bytes(kept[b"TFLITE_METADATA"]) == b"labels"
    assert kept[b"mine"] is None
    assert_same_outputs(before, after)


def test_ranges_of_quantized_tensors_go_and_their_scales_stay():
    from ai_edge_litert import schema_py_generated as schema

    model = add_net()
    model.subgraphs[0].tensors[3].quantization = schema.QuantizationParametersT(
        min=[-1.0], max=[1.0], scale=[0.5], zeroPoint=[3], quantizedDimension=1
    )
    model.subgraphs[0].tensors[2].quantization = schema.QuantizationParametersT(min=[-1.0], max=[1.0])
    graph = unpacked(litert.diet(packed(model))).subgraphs[0]
    kept = graph.tensors[3].quantization
    assert (kept.min, kept.max, kept.quantizedDimension) == (None, None, 1)
    assert (kept.scale.tolist(), kept.zeroPoint.tolist()) == ([0.5], [3])
    assert graph.tensors[2].quantization is None


def test_blockwise_sparse_and_packed_tensors_are_carried_whole():
    from ai_edge_litert import schema_py_generated as schema

    model = add_net()
    left, right, total, constant, _ = model.subgraphs[0].tensors
    constant.type, constant.shape = schema.TensorType.INT4, [1, 32]
    total.quantization = schema.QuantizationParametersT(
        detailsType=schema.QuantizationDetails.BlockwiseQuantization,
        details=schema.BlockwiseQuantizationT(scales=3, zeroPoints=-1, blockSize=32),
    )
    dense = schema.DimensionMetadataT(format=schema.DimensionType.DENSE, denseSize=1)
    compressed = schema.DimensionMetadataT(
        format=schema.DimensionType.SPARSE_CSR,
        arraySegmentsType=schema.SparseIndexVector.Uint8Vector,
        arraySegments=schema.Uint8VectorT(values=np.array([0, 2], np.uint8)),
        arrayIndicesType=schema.SparseIndexVector.Uint16Vector,
        arrayIndices=schema.Uint16VectorT(values=np.array([1, 3], np.uint16)),
    )
    left.sparsity = schema.SparsityParametersT(traversalOrder=[0, 1], dimMetadata=[dense, compressed])
    right.shapeSignature = [-1, 4]
    right.isVariable = True
    right.variantTensors = [schema.VariantSubTypeT(shape=[2], type=schema.TensorType.INT8, hasRank=True)]
    before, after = packed(model), litert.diet(packed(model))
    assert len(after) < len(before)
    assert set(differences(unpacked(before).subgraphs[0], unpacked(after).subgraphs[0])) <= {
        ".name",
        ".tensors.name",
        ".tensors.buffer",
        ".operators.opcodeIndex",
    }
    assert bytes(unpacked(after).buffers[1].data) == bytes(model.buffers[4].data)


def test_custom_operators_keep_their_code_and_options():
    from ai_edge_litert import schema_py_generated as schema

    model = add_net()
    model.operatorCodes[2] = schema.OperatorCodeT(
        deprecatedBuiltinCode=32, builtinCode=32, customCode="ethos-u", version=1
    )
    custom = model.subgraphs[0].operators[1]
    custom.builtinOptionsType, custom.builtinOptions = 0, None
    custom.customOptions = np.arange(21, dtype=np.uint8)
    custom.mutatingVariableInputs = [False, True]
    custom.intermediates = []
    found = unpacked(litert.diet(packed(model)))
    after = found.subgraphs[0].operators[1]
    assert found.operatorCodes[after.opcodeIndex].customCode == b"ethos-u"
    assert after.customOptions.tolist() == list(range(21))
    assert after.mutatingVariableInputs.tolist() == [False, True]
    assert after.intermediates is None


def test_all_graphs_and_what_joins_them_are_kept():
    from ai_edge_litert import schema_py_generated as schema

    model = add_net()
    body, other = add_net().subgraphs[0], add_net().subgraphs[0]
    body.name, other.name = "body", "other"
    model.subgraphs += [body, other]
    call = model.subgraphs[0].operators[1]
    call.builtinOptionsType = schema.BuiltinOptions.WhileOptions
    call.builtinOptions = schema.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=2)
    model.signatureDefs = [
        schema.SignatureDefT(
            inputs=[schema.TensorMapT(name="a", tensorIndex=0), schema.TensorMapT(name="b", tensorIndex=1)],
            outputs=[schema.TensorMapT(name="c", tensorIndex=4)],
            signatureKey=key,
            subgraphIndex=graph,
        )
        for key, graph in (("first", 0), ("second", 2))
    ]
    before, after = unpacked(packed(model)), unpacked(litert.diet(packed(model)))
    assert [graph.name for graph in after.subgraphs] == [b"main", b"body", b"other"]
    assert not list(differences(before.signatureDefs, after.signatureDefs))
    kept = after.subgraphs[0].operators[1].builtinOptions
    assert (kept.condSubgraphIndex, kept.bodySubgraphIndex) == (1, 2)
    assert all(tensor.name is None for graph in after.subgraphs for tensor in graph.tensors)


def with_constant_behind() -> tuple[bytes, bytes]:
    """A file whose constant lies behind the flatbuffer, as in huge files, and the same with it inside."""
    model = add_net()
    inside, constant = packed(model), model.buffers[4]
    data, constant.data = bytes(constant.data), None
    constant.size, constant.offset = len(data), 2**20  # of as many bytes as the right number
    constant.offset = -(-len(packed(model)) // 16) * 16
    return packed(model).ljust(constant.offset, b"\0") + data, inside


def test_buffers_behind_the_flatbuffer_are_brought_inside():
    before, inside = with_constant_behind()
    after = litert.diet(before)
    assert after == litert.diet(inside)
    assert_same_outputs(before, after)
    with pytest.raises(ConversionError, match="damaged or truncated"):
        litert.diet(before[:-1])


@pytest.mark.parametrize("change", ["zip", "field", "union", "buffer"])
def test_what_is_not_understood_is_left_as_it_is(change, monkeypatch):
    model = add_net()
    if change == "buffer":
        model.buffers[0].data = np.ones(4, np.uint8)
    content = packed(model, behind=b"PK\3\4 labels" if change == "zip" else b"")
    if change == "field":
        monkeypatch.setattr("trimtab.litert._tables.fields_of", known_fields(lambda fields: fields[:4]))
    if change == "union":
        monkeypatch.setattr("trimtab.litert._tables.members_of", lambda union: {})
    assert litert.diet(content) == content


def known_fields(cut: Callable[[Any], Any]) -> Callable[[str], Any]:
    """A schema of before some fields of operators were added."""
    from trimtab.litert._schema import fields_of

    return lambda table: cut(fields_of(table)) if table == "Operator" else fields_of(table)


def test_padding_behind_the_flatbuffer_goes():
    assert litert.diet(packed(add_net(), behind=bytes(64))) == litert.diet(packed(add_net()))


def test_nothing_is_gained_by_growing():
    import flatbuffers

    builder = flatbuffers.Builder(0)
    builder.StartObject(8)
    builder.PrependUint32Slot(0, 3, 0)
    builder.Finish(builder.EndObject(), file_identifier=b"TFL3")
    least = bytes(builder.Output())
    assert litert.diet(least) == least


@pytest.mark.parametrize("field", ["buffer", "opcodeIndex", "metadata"])
def test_a_place_that_is_not_there_is_refused(field):
    from ai_edge_litert import schema_py_generated as schema

    model = add_net()
    if field == "buffer":
        model.subgraphs[0].tensors[3].buffer = 6
    elif field == "opcodeIndex":
        model.subgraphs[0].operators[0].opcodeIndex = 3
    else:
        model.metadata = [schema.MetadataT(name="mine", buffer=99)]
    with pytest.raises(ConversionError, match=r"(buffer|operator code) \d+ is needed, and there are \d"):
        litert.diet(packed(model))


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_damage_is_told_or_carried_and_never_a_crash(data):
    content = bytearray(packed(add_net()))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 4))
        content[at : at + 4] = struct.pack("<I", data.draw(st.sampled_from([0, 1, 7, 400, 2**31, 2**32 - 1])))
    try:
        after = litert.diet(bytes(content))
    except ConversionError:
        return
    assert len(after) <= len(content)
    assert litert.diet(after) == after

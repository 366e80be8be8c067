from __future__ import annotations

from trimtab.litert._tensor_names import names_by_operators


def test_tensors_are_named_after_who_makes_and_reads_them():
    operators = [
        ("DEPTHWISE_CONV_2D", (0, 1, 2), (3,)),
        ("ADD", (3, 0), (4,)),
        ("SPLIT", (5, 4), (6, 7)),
    ]
    assert names_by_operators(9, operators) == (
        "depthwise_conv_2d_0/input",
        "depthwise_conv_2d_0/kernel",
        "depthwise_conv_2d_0/bias",
        "depthwise_conv_2d_0/output",
        "add_1/output",
        "split_2/input_0",
        "split_2/output",
        "split_2/output_1",
        "tensor_8",
    )


def test_a_constant_keeps_the_name_of_its_first_reader_and_what_is_left_out_has_none():
    operators = [("CONV_2D", (0, 1, -1), (2,)), ("CONV_2D", (2, 1, 9), (3,))]
    assert names_by_operators(4, operators) == (
        "conv_2d_0/input",
        "conv_2d_0/kernel",
        "conv_2d_0/output",
        "conv_2d_1/output",
    )

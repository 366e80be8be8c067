from __future__ import annotations

import os

import pytest

from trimtab._quiet import quiet_native_logs

LOG = b"I0000 00:00:1795166054.298199    9843 reader.cc:83] Reading SavedModel from: /tmp/x\n"


def test_native_log_lines_are_dropped_and_the_rest_is_passed_on_in_order(capfd):
    with quiet_native_logs():
        os.write(2, b"\rbar 50 %" + LOG)
        os.write(2, b"a line of Python's\n")
        os.write(2, b"E0000 00:00:1795166054.298199    9843 x.cc:83] an error\n")
        os.write(2, b"fully_quantize: 0, inference_type: 6\nend")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == (
        "\rbar 50 %a line of Python's\nE0000 00:00:1795166054.298199    9843 x.cc:83] an error\nend"
    )


def test_standard_error_is_back_after_an_exception(capfd):
    with pytest.raises(ValueError, match="inside"), quiet_native_logs():
        raise ValueError("inside")
    os.write(2, LOG)
    assert capfd.readouterr().err == LOG.decode()


def test_blocks_may_nest(capfd):
    with quiet_native_logs(), quiet_native_logs():
        os.write(2, b"kept" + LOG)
    assert capfd.readouterr().err == "kept"

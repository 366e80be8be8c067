"""Silence for native code that writes to standard error whatever Python says."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator

from trimtab.errors import ConfigError, MissingExtraError

__all__ = ["import_backend", "quiet_native_logs"]

# What TensorFlow's and LiteRT's C++ parts say: "I0000 00:00:1795166054.297714  9843 reader.cc:83] ...".
_LOG_LINE = re.compile(
    rb"[IW]\d{4} \d\d:\d\d:[\d.]+ +\d+ [^\]\n]+\][^\n]*\n"
    rb"|WARNING: All log messages before absl::InitializeLog\(\)[^\n]*\n"
    rb"|E\d{4} [^\n]*cuda_platform\.cc[^\n]*\n"  # there is no GPU, which is no error
    rb"|To enable the following instructions: [^\n]*rebuild TensorFlow[^\n]*\n"  # ends an "I" line
    rb"|fully_quantize: [^\n]*\n"
    rb"|INFO: [^\n]*(?:XNNPACK|TensorFlow Lite)[^\n]*\n"
)

_ONE_AT_A_TIME = threading.RLock()


@contextlib.contextmanager
def quiet_native_logs() -> Iterator[None]:
    """Keeps the converter's chatter off standard error while the block runs.

    The C++ code writes to file descriptor 2 and takes its log level from the environment at
    import, which a library must not touch. So the descriptor points to a temporary file meanwhile;
    at the end, everything in it that is not a log line of informational or warning level is passed on,
    in order: nothing that somebody else wrote (a progress bar, say) and no error is lost, it is late by
    as long as the block runs. One thread at a time. Where there is no such descriptor, nothing happens.
    """
    with _ONE_AT_A_TIME:
        try:
            saved = os.dup(2)
        except OSError:
            yield
            return
        with tempfile.TemporaryFile() as captured:
            _flush()
            os.dup2(captured.fileno(), 2)
            try:
                yield
            finally:
                _flush()
                os.dup2(saved, 2)
                os.close(saved)
                captured.seek(0)
                _pass_on(_LOG_LINE.sub(b"", captured.read()))


def import_backend() -> None:
    """Imports Keras and its backend without the greetings of their native parts.

    Raises:
        MissingExtraError: the environment asks for a backend that is not installed.
        ConfigError: it asks for one that there is not.
    """
    with quiet_native_logs():
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        if backend not in ("tensorflow", "jax", "torch"):
            raise ConfigError(
                f"KERAS_BACKEND is {backend!r}. Set it to tensorflow, jax or torch, or unset it."
            )
        try:
            import keras  # noqa: F401
        except ImportError as error:
            if error.name != backend:
                raise
            raise MissingExtraError(backend, backend, "because KERAS_BACKEND names it") from None
        if backend == "tensorflow":
            import tensorflow as tf

            # Looks for a GPU now: its complaint that there is none would come with the first operation.
            tf.config.list_physical_devices("GPU")


def _flush() -> None:
    """Writes out what Python still holds for standard error, so that the order is kept."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()


def _pass_on(left: bytes) -> None:
    """Writes bytes to standard error, as far as it takes them."""
    with contextlib.suppress(OSError):
        while left:
            left = left[os.write(2, left) :]

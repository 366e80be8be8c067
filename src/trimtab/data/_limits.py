"""What is refused because no honest data set needs it: more memory than there is, zip bombs."""

from __future__ import annotations

import os

from trimtab.errors import DataError

__all__ = ["check_memory"]


def check_memory(needed: int, what: str, advice: str) -> None:
    """Refuses to fill more than half of the machine's memory with one thing.

    Args:
        needed: bytes.
        what: what needs them, to begin the sentence.
        advice: what to do about it, to end it.

    Raises:
        DataError: `needed` is more than half of the memory.
    """
    allowed = _machine_memory() // 2
    if needed > allowed:
        raise DataError(
            f"{what} would take {needed / 2**30:.1f} GiB of memory; at most half of this machine's, "
            f"{allowed / 2**30:.1f} GiB, may be used. {advice}"
        )


def _machine_memory() -> int:
    """Returns the machine's memory in bytes; 16 GiB where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return 16 * 2**30

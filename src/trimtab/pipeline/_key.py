"""Stage keys: a stage is done again exactly when something that it depends on has changed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from trimtab._records import to_plain
from trimtab._version import __version__

__all__ = ["stage_key"]


def stage_key(config: Any, inputs: dict[str, str], seed: int) -> str:
    """Returns the key of a stage, 64 hexadecimal digits.

    Args:
        config: the stage's settings, as plain data.
        inputs: digests of what it reads: the data, the models of the steps it starts from.
        seed: the run's seed.
    """
    content = {"config": to_plain(config), "inputs": inputs, "seed": seed, "trimtab": __version__}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

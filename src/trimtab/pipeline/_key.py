"""Stage keys: a stage is done again exactly when something that it depends on has changed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from trimtab._records import to_plain
from trimtab._version import __version__

__all__ = ["stage_key"]


def stage_key(config: Any, inputs: dict[str, Any], seed: int) -> str:
    """Returns the key of a stage, 64 hexadecimal digits.

    Args:
        config: the stage's settings, as plain data.
        inputs: what it reads and runs on: digests of the data and of the models it starts from, versions.
        seed: the run's seed.
    """
    content = {"config": to_plain(config), "inputs": to_plain(inputs), "seed": seed, "trimtab": __version__}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

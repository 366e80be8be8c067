"""The file of `--targets`: how far each layer shall go, or was to go."""

from __future__ import annotations

import json
from pathlib import Path

from trimtab._choices import USUAL_SPARSITY, granularity_name
from trimtab.errors import ConfigError, first_line

__all__ = ["read_targets"]


def read_targets(path: Path, granularity: str) -> dict[str, float]:
    """Reads the share of zeros of each layer from a JSON file.

    Args:
        path: the file: names and shares, or what `trimtab sensitivity --json` printed.
        granularity: what goes together; a scan of anything else says nothing about it.

    Raises:
        ConfigError: the file holds no shares by layer, or those of another granularity.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"--targets: {path} is not JSON: {first_line(error)}.") from None
    scan = isinstance(content, dict) and "targets" in content
    found = content["targets"] if scan else content
    if scan and found is None:
        raise ConfigError(
            f"--targets: {path} was printed without --sparsity, so it holds no shares by layer. Scan again "
            f"with --sparsity {USUAL_SPARSITY}, or another total."
        )
    if not isinstance(found, dict):
        raise ConfigError(
            f'--targets: {path} holds no shares by layer. Give a file such as {{"dense": 0.9}}, or what '
            f"`trimtab sensitivity --sparsity {USUAL_SPARSITY} --json` printed."
        )
    asked = granularity_name(granularity)
    if scan and (scanned := content.get("granularity", asked)) != asked:
        raise ConfigError(
            f"--targets: {path} comes from a scan with granularity {scanned}, not {asked}. "
            f"Add --granularity {scanned}, or scan again."
        )
    return found

"""Layers that stand in several places of a model, told in its config in the same way in every process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["with_sharing_told"]

_ID = "shared_object_id"


def with_sharing_told(config: dict[str, Any]) -> dict[str, Any]:
    """Returns a config in which each shared object has a small number, in all of its places.

    Keras tells shared objects by their address in memory, which differs from process to process, and forgets
    to mark the first place of a layer that stands in two nested models, so that it would come back as two
    layers. That two layers happen to use one data type policy object means nothing, and is left out.
    """
    numbers: dict[str, int] = {}
    for entry in _entries(config):
        if _ID in entry and "DTypePolicy" not in str(entry["class_name"]):
            numbers.setdefault(_identity(entry), len(numbers))
    return dict(_numbered(config, numbers))


def _numbered(config: Any, numbers: dict[str, int]) -> Any:
    """Copies a config with the numbers of shared objects in place of their addresses."""
    if isinstance(config, list | tuple):
        return [_numbered(value, numbers) for value in config]
    if not isinstance(config, dict):
        return config
    copy = {key: _numbered(value, numbers) for key, value in config.items() if key != _ID}
    if numbers and "class_name" in config and _identity(config) in numbers:
        copy[_ID] = numbers[_identity(config)]
    return copy


def _entries(config: Any) -> Iterator[dict[str, Any]]:
    """Yields each object that a config describes, in the order in which they stand there."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _entries(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _entries(value)


def _identity(entry: dict[str, Any]) -> str:
    """Describes an object by its class and settings, name included: equal in each place where it stands."""
    return json.dumps([entry["class_name"], _numbered(entry.get("config"), {})], sort_keys=True)

"""What a model's config may hold: no code, and no class that is not known here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from trimtab.errors import ModelError
from trimtab.models._own_layers import import_own_layers

__all__ = ["check_classes_known", "check_runs_no_code"]

# Layers whose config is code, or points at files of code.
_CODE = {"FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper", "__lambda__"}


def check_runs_no_code(config: Any, subject: str) -> None:
    """Refuses a config with a layer that is Python code, such as a Lambda; names the layer.

    Args:
        config: a model's config, as plain data.
        subject: what the message is about, such as a path.

    Raises:
        ModelError: there is one.
    """
    for entry, layer in _entries(config):
        kind = entry["class_name"]
        if kind in _CODE:
            what = "a lambda" if kind == "__lambda__" else f"a {kind} layer"
            raise ModelError(
                f"{subject} holds {what} ({layer!r}), which is code that loading would run. Replace it by "
                "Keras layers or a registered layer class, and save the model again."
            )


def check_classes_known(config: Any, subject: str) -> None:
    """Refuses a config that names a class or function neither of Keras nor registered; names it.

    Raises:
        ModelError: there is one.
    """
    for entry, layer in _entries(config):
        kind, module = entry["class_name"], entry.get("module", "keras")
        if kind.startswith("__") or (isinstance(module, str) and module.split(".")[0] == "keras"):
            continue
        if kind == "function":
            name = entry.get("config")
            if module == "builtins" or keras.saving.get_registered_object(name) is not None:
                continue  # Keras looks such a name up among its own functions and the registered ones
        else:
            name = kind
            registered = entry.get("registered_name") or kind
            import_own_layers(registered)
            if keras.saving.get_registered_object(registered) is not None:
                continue
        raise ModelError(unknown_name(subject, str(name), layer))


def unknown_name(subject: str, name: str, layer: str | None) -> str:
    """Says that a class or function is not known here, and what to do about it."""
    where = f" (layer {layer!r})" if layer else ""
    return (
        f"{subject} uses {name!r}{where}, which is not part of Keras. Register it with "
        "@keras.saving.register_keras_serializable(), and import its module before loading."
    )


def _entries(config: Any) -> Iterator[tuple[dict[str, Any], str | None]]:
    """Yields each object described in a config, with the name of the layer it belongs to.

    Walks without recursion: a file may nest deeper than Python can. The compile state is left out, since
    models are loaded without it.
    """
    stack: list[tuple[Any, str | None]] = [(config, None)]
    while stack:
        item, layer = stack.pop()
        if isinstance(item, list | tuple):
            stack.extend((part, layer) for part in reversed(item))
        elif isinstance(item, dict):
            inner = item.get("config")
            if isinstance(inner, dict) and isinstance(inner.get("name"), str):
                layer = inner["name"]
            if isinstance(item.get("class_name"), str):
                yield item, layer
            stack.extend((part, layer) for key, part in item.items() if key != "compile_config")

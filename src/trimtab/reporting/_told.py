"""What a step did, in a line of words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trimtab.reporting._aware import quantized_aware
from trimtab.reporting._channel_words import channel_rounds, channels_pruned
from trimtab.reporting._clustering import clustered
from trimtab.reporting._distillation import distilled
from trimtab.reporting._export_words import export_remarks, exported
from trimtab.reporting._fields import Fields
from trimtab.reporting._formats import NOTHING, count, percent, share
from trimtab.reporting._pruned import pruned, rounds
from trimtab.reporting._quantization_words import scanned

__all__ = ["remarks", "told"]


def told(do: str, source: str | None, config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Says in one line what a step does or did."""
    of = source or "the model"
    if do == "train":
        return _trained(source, config, record)
    if do == "prune":
        return f"{of}, {pruned(config, record)}{_epochs(config, record)}"
    if do == "prune_channels":
        return f"{of}, {channels_pruned(config, record)}{_epochs(config, record)}"
    if do == "distill":
        return f"{_origin(source, config)}, {distilled(config)}{_epochs(config, record)}"
    if do == "quantize_aware":
        return f"{of}, {quantized_aware(config)}{_epochs(config, record)}"
    if do == "cluster":
        return f"{of}, {clustered(config, record)}{_epochs(config, record)}"
    if do == "export":
        return exported(of, config)
    if do == "select":
        among = config.get("among")
        names = f" of {', '.join(map(str, among))}" if isinstance(among, list) else ""
        chosen = f": {record['selected']}" if record.get("selected") else ""
        return f"best{names} by {record.get('by', 'validation accuracy')}{chosen}"
    if do == "sensitivity":
        return scanned(of, config)
    if do == "tune":
        return _tuned(config, record)
    if do == "load":
        return f"loaded from {record.get('origin') or config.get('path') or 'a file'}"
    return f"{do} from {source}" if source else do


def _tuned(config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Says how many settings were tried, and which was the best."""
    space = config.get("space")
    family = f" of {space}" if isinstance(space, str) else ""
    if "best_trial" not in record:
        return f"the best of {config.get('trials', 'some')} settings{family}"
    return f"trial {record['best_trial']}, the best of {record.get('trials')} settings{family}"


def _trained(source: str | None, config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    origin = _origin(source, config)
    if not isinstance(config.get("model"), Mapping) or source:
        origin += ", trained" + (" with its zeros kept" if config.get("keep_zeros") else "")
    return f"{origin}{_part(config)}{_epochs(config, record)}"


def _origin(source: str | None, config: Mapping[str, Any]) -> str:
    """Says what a step begins with: an earlier model, a narrower copy of it, or an architecture."""
    model, shrink = config.get("model"), config.get("shrink")
    if source and isinstance(shrink, int | float):
        return f"{source} with {share(shrink)} of its channels and new weights"
    if source or not isinstance(model, Mapping):
        return source or "a model"
    shown = {key: value for key, value in model.items() if key not in ("architecture", "weights")}
    options = [_option(key, value) for key, value in shown.items()]
    how = f" ({'; '.join(options)})" if options else ""
    return f"{model.get('architecture', 'model')}{how}"


def _part(config: Mapping[str, Any]) -> str:
    """Says which layers learned, where not all of them did."""
    part = config.get("trainable")
    if part == "head":
        return ", its head alone"
    if isinstance(part, list):
        return f", only {', '.join(map(str, part))}"
    whole = part is None or part == "all" or isinstance(part, bool)
    return "" if whole else f", its last {part} layers and the head"


def _epochs(config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    epochs = record.get("epochs") or config.get("epochs")
    return f", {epochs} epoch{'s' if epochs != 1 else ''}" if epochs and isinstance(epochs, int) else ""


def remarks(do: str, record: Fields) -> tuple[tuple[str, str], ...]:
    """Returns what a step recorded beyond what the report shows elsewhere, as pairs of words.

    Args:
        do: the kind of step.
        record: what it recorded.
    """
    found = [
        ("validation accuracy", percent(record.number("val_accuracy"))),
        ("validation loss", _shown(record.number("val_loss"))),
    ]
    for name, facts in record.fields("candidates").content.items():
        if isinstance(facts, Mapping):
            accuracy, parameters = facts.get("val_accuracy"), facts.get("parameters")
            found.append(
                (name, f"{percent(accuracy)} on the validation images, {count(parameters)} parameters")
            )
    if do == "export":
        found += export_remarks(record)
    if (softmax := record.text("softmax", "none")) != "none":
        found.append(("softmax", softmax))
    if weights := record.text("weights_told"):
        found.append(("starting weights", weights))
    found += channel_rounds(record) if record.content.get("tied") is not None else rounds(record)
    return tuple((name, value) for name, value in found if value != NOTHING)


def _shown(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _option(key: str, value: Any) -> str:
    """Shows an option of an architecture: "filters 32, 64", "batch norm", "no batch norm"."""
    words = key.replace("_", " ")
    if isinstance(value, bool):
        return words if value else f"no {words}"
    if isinstance(value, list):
        return f"{words} {', '.join(map(str, value))}"
    return f"{words} {value}"

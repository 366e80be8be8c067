"""Which groups may lose channels: those that are not locked, scored, and asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from trimtab.channel_pruning._rule import SelectionRule
from trimtab.errors import ConfigError, ModelError, nearest
from trimtab.litert import carries_ranges
from trimtab.pruning.where._where import goes_by, paths_of

if TYPE_CHECKING:
    import keras

    from trimtab.channels import ChannelGraph, ChannelGroup

__all__ = ["check_without_quantizers", "chosen_groups"]


def chosen_groups(
    graph: ChannelGraph, scored: Collection[str], rule: SelectionRule
) -> tuple[list[ChannelGroup], list[tuple[str, str]]]:
    """Chooses the groups that may lose channels.

    Args:
        graph: all groups.
        scored: names of the groups that have scores.
        rule: names the layers to prune, and those to leave alone.

    Returns:
        The groups, and (name, reason) of each that is left whole.

    Raises:
        ConfigError: a name is unknown, or no group is left.
    """
    paths = paths_of(path for group in graph.groups for path in group.layers)
    for argument, names in (("layers", rule.layers or ()), ("exclude", rule.exclude)):
        _check_names(graph, argument, names, paths)
    chosen, left = [], []
    for group in graph.groups:
        reason = group.locked
        if reason is None and group.name not in scored:
            reason = "it has no scores"
        if reason is None and rule.layers is not None and not _is_meant(group, rule.layers, paths):
            reason = "not among the layers asked for"
        if reason is None and _is_meant(group, rule.exclude, paths):
            reason = "excluded"
        if reason is None:
            chosen.append(group)
        else:
            left.append((group.name, reason))
    if not chosen:
        told = "; ".join(f"{name}: {reason}" for name, reason in left[:3]) or "it has no groups of channels"
        more = f"; and {len(left) - 3} more" if len(left) > 3 else ""
        raise ConfigError(f"No channel of the model {graph.model.name!r} may be removed ({told}{more}).")
    return chosen, left


def check_without_quantizers(model: keras.Model) -> None:
    """Refuses a model that was trained for integers: its layers are tied to their ranges.

    Raises:
        ModelError: it has fake-quantizers.
    """
    if carries_ranges(model):
        raise ModelError(
            f"Model {model.name!r} has fake-quantizers, so no channels can be taken out of it. Remove "
            "channels first and quantize after, or take them from trimtab.quantization.strip(model)."
        )


def _is_meant(group: ChannelGroup, names: Iterable[str], paths: Collection[str]) -> bool:
    """Tells whether a group is meant by one of the names: its own, or that of a layer that makes it."""
    return any(name == group.name or any(goes_by(own, name, paths) for own in group.layers) for name in names)


def _check_names(graph: ChannelGraph, argument: str, names: Iterable[str], paths: Collection[str]) -> None:
    """Raises `ConfigError` for a name that no group or layer goes by."""
    known = {*paths, *(piece for path in paths for piece in path.split("/"))}
    known |= {group.name for group in graph.groups}
    for name in names:
        if name not in known:
            groups = [group.name for group in graph.groups]
            more = f" and {len(groups) - 8} more" if len(groups) > 8 else ""
            raise ConfigError(
                f"{argument}: the model {graph.model.name!r} has no layer {name!r} that makes channels."
                f"{nearest(name, known)} Its groups: {', '.join(groups[:8])}{more}."
            )

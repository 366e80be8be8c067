"""How many units must go to meet a target, found on the one order in which all of them go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trimtab.channel_pruning._bracket import Bracket, first_within, narrowed
from trimtab.channel_pruning._chosen import Costs, Selection
from trimtab.channel_pruning._importance import Floats
from trimtab.channel_pruning._probe import PROBED, Latency, Probes
from trimtab.channel_pruning._rule import SelectionRule
from trimtab.channel_pruning._selection import RemovalOrder, removal_order
from trimtab.channel_pruning._target import Target
from trimtab.errors import ConfigError
from trimtab.progress import Progress

if TYPE_CHECKING:
    from trimtab.channels import ChannelGraph

__all__ = ["solve"]

_UNITS = {"parameters": "parameters", "macs": "MACs", "size": "bytes", "latency": "ms"}
_VERIFIED = 3  # times that a latency found may be moved on, until it holds when it is measured again


def solve(
    graph: ChannelGraph,
    scores: Mapping[str, Floats],
    target: Target,
    rule: SelectionRule | None = None,
    *,
    probes: Probes | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Selection:
    """Chooses the units that stay so that a target is met, removing no more than that takes.

    Units go in the order that `scores` and `rule` make. Parameters and MACs are counted without building
    anything. For size and latency, candidates are really made, converted to int8 and (for latency) timed on
    this machine; neither depends on training. Few are needed, and the last one is inside the limit: of its
    size exactly, of its latency with the upper end of the interval, measured twice.

    Args:
        graph: what `trimtab.channels.find_groups` gave.
        scores: what `trimtab.channel_pruning.scores` gave; a group without scores stays whole.
        target: what to meet.
        rule: what is compared with what, in which steps, what is left alone; None: the usual.
        probes: converts and measures candidates, and remembers what it measured; None: new ones.
        seed: of new probes.
        progress: told of new probes.

    Raises:
        ConfigError: the target cannot be met, or is met by the model as it is; a layer name is unknown.
        ConversionError: the model cannot be converted (for size and latency).
        ModelError: it is no image classifier (for size and latency).

    Example:
        >>> selection = solve(graph, scores(graph, "l2"), Target(size="50kB"))
        >>> smaller = trimtab.channels.remove(model, selection.keep)
    """
    order = removal_order(graph, scores, rule)
    if probes is None and target.measured:
        probes = Probes(graph, seed=seed, progress=progress)
    search = _Search(graph, order, target, SelectionRule() if rule is None else rule, probes)
    place, limit = search.found()
    state = search.state(place)
    keep, counts = order.keep(state), order.counts(state)
    return Selection(
        keep=keep,
        groups=tuple((name, len(units), counts[name]) for name, units in order.units.items()),
        target=target,
        limit=limit,
        before=search.costs(0),
        after=search.costs(place),
        left=order.left,
        tried=search.tried(),
        notes=(PROBED, *search.notes) if target.measured else tuple(search.notes),
    )


class _Search:
    """The search for the first state of an order that meets a target.

    Args:
        graph: the groups.
        order: the states are its beginnings.
        target: what to meet.
        rule: told where the target cannot be met.
        probes: converts and measures.
    """

    def __init__(
        self,
        graph: ChannelGraph,
        order: RemovalOrder,
        target: Target,
        rule: SelectionRule,
        probes: Probes | None,
    ) -> None:
        self._graph, self._order, self._target, self._rule = graph, order, target, rule
        # A limit stops between blocks that go at one ratio: groups of equal size would all lose a step else.
        equal_shares = target.quantity == "ratio"
        self._states = order.states if equal_shares else tuple(range(len(order.blocks) + 1))
        self._probes: Any = probes  # there are some where the target is measured
        self._tried: dict[int, Costs] = {}
        self.notes: list[str] = []

    def found(self) -> tuple[int, float]:
        """Returns the place of the state that meets the target, and the limit in the plain unit."""
        if self._target.quantity == "ratio":
            return self._nearest_ratio(), self._target.limit.value
        whole, last = self._cost(0), len(self._states) - 1
        limit = self._target.limit.of(whole)
        if whole <= limit:
            raise ConfigError(
                f"{self._target} asks for no less than there is: the model {self._graph.model.name!r} has "
                f"{self._told(whole)}. Ask for less."
            )
        if self._cost(last, upper=True) > limit:
            raise self._refusal(limit, self._cost(last, upper=True))
        if not self._target.measured:
            return first_within(last + 1, limit, self._cost), limit
        within = narrowed(Bracket(0, last), limit, self._inside, self._estimate).within
        return (self._verified(within, limit) if self._target.quantity == "latency" else within), limit

    def state(self, place: int) -> int:
        """Returns the state at a place of the search."""
        return self._states[place]

    def costs(self, place: int) -> Costs:
        """Returns what a state costs, with what was measured of it."""
        if place in self._tried:
            return self._tried[place]
        state = self._states[place]
        counts = self._order.counts(state)
        return Costs(self._order.ratio(state), self._graph.parameters(counts), self._graph.macs(counts))

    def tried(self) -> tuple[Costs, ...]:
        """Lists the candidates that were converted."""
        return tuple(self._tried.values())

    def _nearest_ratio(self) -> int:
        """Returns the place of the state nearest to a ratio."""
        wanted, order = self._target.limit.value, self._order
        state, most = order.state(wanted), order.ratio(order.states[-1])
        half_a_step = (order.blocks[-1].before - order.blocks[-1].after) / 2 / order.size
        # A group at its floor loses less than its share, as `least` says; of all together, that is a miss.
        if self._rule.ranking == "global" and most + half_a_step + 1e-9 < wanted:
            raise self._refusal(wanted, most)
        if not state:
            raise ConfigError(
                f"{self._target} removes nothing: the smallest step that round_to={self._rule.round_to} and "
                f"least={self._rule.least} allow is {order.ratio(order.states[1]):.3g}. Ask for more, or "
                "give a smaller round_to."
            )
        if abs(order.ratio(state) - wanted) > 0.02:
            self.notes.append(
                f"{self._target} was asked for; the steps and floors of the groups allow "
                f"{order.ratio(state):.3g}."
            )
        return order.states.index(state)

    def _cost(self, place: int, *, upper: bool = False) -> float:
        """Returns what a state costs, in the unit of the target.

        Args:
            place: of the state.
            upper: of what has an interval, its upper end.
        """
        quantity, state = self._target.quantity, self._states[place]
        if quantity == "parameters":
            return self._graph.parameters(self._order.counts(state))
        if quantity == "macs":
            return self._macs(self._order.counts(state))
        measured = self._measured(place)
        if quantity == "size":
            return float(measured.size or 0)
        latency: Any = measured.latency
        if self._target.limit.relative and place:
            # Shares pair up round by round; times of different minutes do not.
            share: Any = measured.latency_share
            return self._cost(0) * float(share.high if upper else share.value)
        return float(latency.high if upper else latency.value)

    def _inside(self, place: int) -> float:
        """Returns the cost that must be inside the limit."""
        return self._cost(place, upper=True)

    def _estimate(self, place: int) -> float:
        """Returns what size or latency grows with."""
        counts = self._order.counts(self._states[place])
        if self._target.quantity == "latency":
            macs = self._graph.macs(counts)
            if macs is not None:
                return macs
        return self._graph.parameters(counts)

    def _macs(self, counts: Mapping[str, int]) -> int:
        """Counts the multiply-accumulates."""
        macs = self._graph.macs(counts)
        if macs is None:
            raise ConfigError(
                f"The MACs of the model {self._graph.model.name!r} cannot be counted (trimtab.models."
                "macs_per_layer names the layer), so it cannot be pruned to them. Give parameters= or "
                "latency=."
            )
        return macs

    def _measured(self, place: int, *, again: bool = False) -> Costs:
        """Converts a candidate, and times it where the target is a latency."""
        if place not in self._tried or again:
            keep = self._order.keep(self._states[place])
            costs = replace(self.costs(place), size=self._probes.size(keep))
            if self._target.quantity == "latency":
                times = 2.0 if again else 1.0
                costs = _with_latency(costs, self._probes.latency(keep, again=again, times=times))
            self._tried[place] = costs
        return self._tried[place]

    def _verified(self, place: int, limit: float) -> int:
        """Measures a latency again, for longer, and moves on where it does not hold."""
        last = len(self._states) - 1
        for attempt in range(_VERIFIED + 1):
            self._measured(place, again=True)
            cost = self._cost(place, upper=True)
            if cost <= limit:
                return place
            if place == last or attempt == _VERIFIED:
                break
            place = self._further(place, last, 0.98 * limit / cost)
        self.notes.append(
            f"The latency was within the limit at first, and up to {self._told(cost)} when it was measured "
            "again: other work may have run on this machine."
        )
        return place

    def _further(self, place: int, last: int, share: float) -> int:
        """Returns a later place that should take such a share of the time of this one."""
        wanted, ahead = self._estimate(place) * share, range(place + 1, last + 1)
        return ahead[first_within(len(ahead), wanted, lambda offset: self._estimate(ahead[offset]))]

    def _told(self, value: float) -> str:
        """Says an amount with its unit."""
        unit = _UNITS[self._target.quantity]
        return f"{value:.4g} {unit}" if unit == "ms" else f"{value:,.0f} {unit}"

    def _refusal(self, limit: float, least: float) -> ConfigError:
        """Returns an error that says that the target cannot be met, what can, and what to change."""
        rule = self._rule
        floors = f"least={rule.least}, round_to={rule.round_to}, max_ratio={rule.max_ratio:g}"
        whole = sum(group.locked is not None for group in self._graph.groups)
        if self._target.quantity == "ratio":
            met = f"at most {least:.3g} of the channels may go"
        else:
            met = f"with all gone that may go, {self._told(least)} are left; asked for: {self._told(limit)}"
        cost: float | None = None
        if self._target.quantity in ("parameters", "macs"):
            ones = dict.fromkeys(self._order.units, 1)
            cost = self._graph.parameters(ones) if self._target.quantity == "parameters" else self._macs(ones)
            met += f" (even one channel of each group leaves {self._told(cost)})"
        advice = ["lower least or round_to", "raise max_ratio"]
        excluded = len(self._order.left) - whole
        if excluded > 0:
            advice.append(
                f"exclude fewer layers ({excluded} group{'s' if excluded > 1 else ''} more could go)"
            )
        if cost is not None and cost > limit:
            advice = []
        advice.append("start from a narrower model")
        told = ", or ".join([*([", ".join(advice[:-1])] if advice[1:] else []), advice[-1]])
        return ConfigError(
            f"{self._target} cannot be met under {floors}: {met}. {told[0].upper()}{told[1:]}."
        )


def _with_latency(costs: Costs, latency: Latency) -> Costs:
    """Adds a latency to what a candidate costs."""
    return replace(costs, latency=latency.milliseconds, latency_share=latency.share)

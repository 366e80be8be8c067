"""From a target to the units that stay."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from trimtab import channels, export, models, zoo
from trimtab._records import to_plain
from trimtab._statistics import Interval
from trimtab.benchmarking import Measurement
from trimtab.channel_pruning import Probes, SelectionRule, Target, removal_order, scores, solve
from trimtab.channel_pruning._probe import Latency
from trimtab.errors import ConfigError

RULE = SelectionRule(round_to=4, least=4)


@pytest.fixture(scope="module")
def graph():
    return channels.find_groups(zoo.resnet((16, 16, 3), 10, depth=8))


@pytest.fixture(scope="module")
def found(graph):
    return scores(graph, "l2")


class FakeProbes:
    """Sizes and times as a formula of the counts; the times with noise, none twice the same."""

    def __init__(self, graph, noise=0.0, overhead=20_000):
        self.graph, self.noise, self.overhead = graph, noise, overhead
        self.random, self.asked = np.random.default_rng(0), []

    def counts(self, keep):
        return {name: len(kept) for name, kept in keep.items()}

    def size(self, keep):
        if self.counts(keep) not in self.asked:
            self.asked.append(self.counts(keep))
        return int(self.overhead + 1.3 * self.graph.parameters(self.counts(keep)))

    def latency(self, keep, *, again=False, times=1.0):
        self.size(keep)
        drawn = 1 + self.noise * self.random.uniform(-1, 1)
        own = (0.02 + 1e-7 * self.graph.macs(self.counts(keep))) * drawn
        share = own / (0.02 + 1e-7 * self.graph.macs({}))
        return Latency(
            Measurement("latency_ms", own, "ms", own * 0.98, own * 1.02),
            Interval(share, share * 0.98, share * 1.02),
        )


def test_a_limit_stops_between_groups_that_lose_the_same_share():
    whole = channels.find_groups(zoo.resnet((16, 16, 3), 10, depth=8))
    rule = SelectionRule(ranking="group")
    selection = solve(whole, scores(whole, "l2"), Target(macs="75%"), rule)
    halved = [before // 2 for _, before, _ in selection.groups]
    assert 0.5 < selection.reached / whole.macs({}) <= 0.75
    assert [after for _, _, after in selection.groups] != halved  # one step of every group goes too far


@pytest.mark.parametrize(
    ("target", "cost"),
    [
        (Target(parameters=30_000), models.parameters),
        (Target(parameters="50%"), models.parameters),
        (Target(macs="0.4x"), models.macs),
        (Target(macs="1.5M"), models.macs),
    ],
)
@pytest.mark.parametrize("ranking", ["global", "group"])
def test_parameters_and_macs_are_met_by_the_model_that_is_made(graph, found, target, cost, ranking):
    rule = SelectionRule(round_to=4, least=4, ranking=ranking)
    selection = solve(graph, found, target, rule)
    smaller = channels.remove(graph, selection.keep)
    assert cost(smaller) == selection.reached <= selection.limit
    assert (selection.after.parameters, selection.after.macs) == (
        models.parameters(smaller),
        models.macs(smaller),
    )
    assert (selection.before.parameters, selection.before.macs) == (
        models.parameters(graph.model),
        models.macs(graph.model),
    )
    assert selection.limit == pytest.approx(target.limit.of(cost(graph.model)))
    # No more goes than that takes: one step less is over the limit.
    order = removal_order(graph, found, rule)
    states = range(len(order.blocks) + 1)
    place = next(state for state in states if order.counts(state) == selection.counts)
    before = channels.remove(graph, order.keep(place - 1)) if place > 1 else graph.model
    assert cost(before) > selection.limit


def test_a_ratio_is_met_as_nearly_as_the_steps_allow(graph, found):
    selection = solve(graph, found, Target(ratio=0.5), RULE)
    sizes = [(before, after) for _, before, after in selection.groups]
    gone = sum(before - after for before, after in sizes) / sum(before for before, _ in sizes)
    assert selection.ratio == selection.reached == pytest.approx(gone)
    assert abs(gone - 0.5) < 0.02
    assert selection.notes == ()
    json.dumps(to_plain(selection))


def test_a_ratio_between_coarse_steps_is_told(graph, found):
    only = SelectionRule(layers=("stage_1_block_1_conv_1",))
    selection = solve(graph, found, Target(ratio=0.4), only)
    assert selection.ratio == 0.5
    assert selection.notes == ("ratio=0.4 was asked for; the steps and floors of the groups allow 0.5.",)
    with pytest.raises(ConfigError, match=r"ratio=0.1 removes nothing: the smallest step that round_to=8"):
        solve(graph, found, Target(ratio=0.1), only)


@pytest.mark.parametrize("share", [0.35, 0.5, 0.8])
def test_size_is_met_in_few_conversions(graph, found, share):
    probes = FakeProbes(graph)
    selection = solve(graph, found, Target(size=f"{100 * share}%"), RULE, probes=probes)
    assert len(selection.tried) == len(probes.asked) <= 7
    assert selection.limit == pytest.approx(share * probes.size({}))
    assert 0.95 * selection.limit < selection.after.size <= selection.limit
    assert selection.after.size == probes.size(selection.keep)
    assert selection.before in selection.tried
    assert "parity check" in selection.notes[0]


@pytest.mark.parametrize("target", [Target(latency="50%"), Target(latency=0.3), Target(latency="300us")])
def test_latency_is_met_with_its_interval_in_spite_of_noise(graph, found, target):
    probes = FakeProbes(graph, noise=0.03)
    selection = solve(graph, found, target, RULE, probes=probes)
    whole = selection.before.latency.value
    upper = (
        selection.after.latency_share.high * whole if target.limit.relative else selection.after.latency.high
    )
    assert upper <= selection.limit
    assert selection.after.latency.value > 0.6 * selection.limit
    assert len(probes.asked) <= 14


def test_a_latency_that_does_not_hold_when_measured_again_is_told(graph, found):
    class Slowing(FakeProbes):
        """Each candidate takes far longer the second time."""

        def latency(self, keep, *, again=False, times=1.0):
            first = super().latency(keep)
            slow = 100.0 if again else 1.0
            value = first.milliseconds.value * slow
            return Latency(Measurement("latency_ms", value, "ms", value, value), first.share)

    selection = solve(graph, found, Target(latency=0.3), RULE, probes=Slowing(graph))
    assert "within the limit at first, and up to" in selection.notes[-1]


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (
            {"parameters": 100},
            r"parameters=100 cannot be met under least=4, round_to=4, max_ratio=0.9: with all",
        ),
        ({"parameters": 100}, r"\(even one channel of each group leaves [\d,]+ parameters\)"),
        ({"macs": 10}, "macs=10 cannot be met under .* MACs are left; asked for: 10 MACs"),
        ({"size": "1kB"}, "size=1kB cannot be met under .* bytes are left; asked for: 1,000 bytes"),
        ({"latency": "1us"}, "latency=1us cannot be met under .* ms are left; asked for: 0.001 ms"),
        ({"ratio": 0.97}, r"ratio=0.97 cannot be met under .*: at most 0\.\d+ of the channels may go"),
        ({"parameters": "9M"}, "parameters=9M asks for no less than there is: the model 'resnet_8' has"),
        ({"size": "9MB"}, "size=9MB asks for no less than there is"),
    ],
)
def test_targets_that_cannot_be_met(graph, found, target, told):
    with pytest.raises(ConfigError, match=told) as error:
        solve(graph, found, Target(**target), RULE, probes=FakeProbes(graph))
    assert "\n" not in str(error.value)


def test_groups_that_stay_whole_are_named_with_the_reason(graph, found):
    selection = solve(graph, found, Target(ratio=0.3), SelectionRule(exclude=("stem",), round_to=4, least=4))
    left = dict(selection.left)
    assert "excluded" in left.values()
    assert not set(left) & {name for name, before, after in selection.groups if after < before}
    assert {name for name, *_ in selection.groups} | set(left) == {group.name for group in graph.groups}


def test_larger_targets_remove_less(graph, found):
    kept = [solve(graph, found, Target(macs=f"{share}%"), RULE).keep for share in (70, 50, 30)]
    for more, less in pairwise(kept):
        for name in more:
            assert set(less[name]) <= set(more[name])


def test_sizes_and_times_are_those_of_real_files(digits, tmp_path):
    """The candidate that is chosen converts to just the size that was told, and it is timed."""
    model = zoo.cnn(digits.image_shape, digits.classes, filters=(16, 32), dense=0)
    own = channels.find_groups(model)
    probes = Probes(own, seconds=0.1, rounds=10)
    selection = solve(own, scores(own, "l2"), Target(size="60%"), RULE, probes=probes)
    assert selection.after.size <= selection.limit < selection.before.size
    made = probes.conversions
    latency = probes.latency(selection.keep)
    assert probes.conversions == made  # what was converted once is not converted again
    assert 0 < latency.milliseconds.low <= latency.milliseconds.value <= latency.milliseconds.high
    assert 0 < latency.share.low <= latency.share.value <= latency.share.high

    smaller = channels.remove(model, selection.keep)
    random = np.random.default_rng(1)
    smaller.set_weights(
        [weight + 0.05 * random.normal(size=weight.shape) for weight in smaller.get_weights()]
    )
    artifact = export(smaller, tmp_path / "a.tflite", "int8", digits, calibration=20)
    # Training changes the numbers in the file and not how many there are.
    assert abs(artifact.bytes - selection.after.size) <= 64

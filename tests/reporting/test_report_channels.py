"""Channels that went, as the report shows them: read back, drawn, told in words, drawn alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trimtab.errors import ConfigError, OutputError, RunError
from trimtab.reporting import collect, draw_channels
from trimtab.reporting._channel_verdict import Gain, about_channels, gone
from trimtab.reporting._channel_words import channel_rounds, channels_gone, channels_pruned, reasons
from trimtab.reporting._channels import ChannelPruning, read_pruning
from trimtab.reporting._chart import GroupRow, Groups
from trimtab.reporting._charts import charts
from trimtab.reporting._data import Number, ResultRow, Step
from trimtab.reporting._fields import Fields
from trimtab.reporting._page import page
from trimtab.reporting._plotly import figure


@pytest.fixture
def again(compressed: Path, tmp_path: Path) -> Path:
    """A copy of the run, to damage."""
    return Path(shutil.copytree(compressed, tmp_path / "run"))


def maps(folder: Path) -> dict[str, Groups]:
    """The charts of groups, by name."""
    return {chart.key: chart for chart in charts(collect(folder)) if isinstance(chart, Groups)}


def test_what_went_is_read_back(compressed: Path) -> None:
    step = collect(compressed).step("channel-pruned")
    assert step is not None
    assert step.channels is not None
    assert step.did == (
        "teacher, 25 % of its channels removed (asked: MACs 50%, by their L2 norm, with help from teacher), "
        "5 epochs"
    )
    pruned = step.channels
    assert pruned.channels == (132, 107)
    assert pruned.told_asked == "MACs: at most 50 % of before"
    assert pruned.told_reached == "19.9 M (49 % of before)"
    stem, *_, logits = pruned.groups
    assert (stem.counted, stem.layers[2], stem.locked) == ("16 → 8", "stage_1_conv_2", "")
    assert (logits.after, logits.locked) == (None, "leads to the model's output")
    heads = pruned.groups[3]
    assert (heads.counted, heads.size) == ("4 → 3 units", "512 channels in 4 units")


def test_each_group_is_a_row_with_its_channels(compressed: Path) -> None:
    chart = maps(compressed)["channels_channel-pruned"]
    stem, *_, left, logits = chart.rows
    assert stem.words(80) == ("stem", "with stage_1_conv_2")  # its normalizations go without saying
    assert [(strip.series, strip.start, strip.length, strip.shown) for strip in stem.strips] == [
        (0, 0.0, 50.0, ""),
        (1, 50.0, 50.0, "16 → 8"),
    ]
    for row in (left, logits):
        assert [strip.series for strip in row.strips] == [2]  # grey
        assert row.words(200)[1].startswith("left alone: ")
    assert logits.words(80)[1] == "left alone: leads to the model's output"
    assert "ties stem, stem_bn, stage_1_conv_2, stage_1_conv_2_bn" in stem.hover
    assert chart.subtitle == (
        "Left: 81 % of the channels that may go, 64 % of the parameters, 49 % of the MACs"
    )
    assert "stem 16 → 8" in chart.alt


def test_what_halving_saves_is_a_share_of_the_model(compressed: Path) -> None:
    chart = maps(compressed)["savings_channel-pruned"]
    assert [name for name, *_ in chart.series] == ["parameters", "MACs"]
    stem, *_, logits = chart.rows
    assert [strip.shown for strip in stem.strips] == ["3.3 %", "15.3 %"]
    assert stem.words(80) == ("stem", "16 channels, with stage_1_conv_2")
    assert logits.strips == ()
    assert logits.reason == "leads to the model's output"
    assert chart.rows[4].reason == ""  # what one pruning left alone may go all the same
    assert max(chart.ticks) <= chart.end


def test_normalizations_go_without_saying() -> None:
    from trimtab.reporting._channel_maps import kept_map
    from trimtab.reporting._channels import ChannelGroup

    hidden = ("bn_Conv1", "conv_bn", "base/batch_normalization_3", "layer_norm", "block_BN", "bn2")
    shown = ("depthwise", "norma", "bn/conv", "unbnd")
    group = ChannelGroup("Conv1", 8, 4, layers=("Conv1", *hidden, *shown))
    (row,) = kept_map(ChannelPruning((group,)), "key", "title").rows
    assert row.others == shown


@pytest.mark.parametrize(
    ("others", "reason", "room", "expected"),
    [
        ((), "", 40, ("name", "")),
        (("a", "b"), "", 40, ("name", "with a, b")),
        (("aaaaaaaa", "bbbbbbbb", "cccccccc"), "", 31, ("name", "with aaaaaaaa and 2 more")),
        (("a" * 40, "b"), "", 28, ("name", "with 2 more")),
        (("a",), "some long reason", 24, ("name", "left alone: some …")),
    ],
)
def test_words_fit_their_room(
    others: tuple[str, ...], reason: str, room: int, expected: tuple[str, str]
) -> None:
    row = GroupRow("name", others, reason, (), ())
    assert row.words(room) == expected
    assert len("  ".join(expected)) <= room
    long = GroupRow("x" * 50 + "_end", others, reason, (), ())
    assert long.words(40)[0].endswith("_end")


def test_figures_are_valid_plotly(compressed: Path) -> None:
    from plotly.graph_objects import Figure

    for chart in maps(compressed).values():
        made = figure(chart)
        assert len(Figure(made).data) == len(made["data"]) > 2


def test_the_page_has_section_table_and_pictures(compressed: Path) -> None:
    text = (compressed / "report.html").read_text()
    section = text[text.index('<section id="channels"') : text.index('<section id="distillation"')]
    for part in (
        'data-chart="channels_channel-pruned"',
        'data-chart="savings_channel-pruned"',
        "MACs: at most 50 % of before",
        "L2 norm of its weights, against the channels of all groups",
        "its normalization counts the channels",
        "leads to the model&#39;s output",
        "stem, stem_bn, stage_1_conv_2",
        "−15 %",
    ):
        assert part in section, part
    assert '<a href="#channels">' in text
    for name in ("channels_channel-pruned", "savings_channel-pruned"):
        with Image.open(compressed / "plots" / f"{name}.png") as image:
            assert min(image.size) > 400
            assert np.asarray(image.convert("L")).std() > 5


def test_without_channels_there_is_no_section(shared_run: Path) -> None:
    data = collect(shared_run)
    text = page(data, charts(data))
    assert 'id="channels"' not in text
    assert 'id="distillation"' not in text


def test_the_browser_draws_it(compressed: Path, open_page: Callable[..., Any]) -> None:
    for width, scheme in ((1300, "dark"), (400, "light")):
        seen = open_page(compressed / "report.html", width, scheme)
        assert seen.get_log("browser") == []
        drawn = seen.execute_script(
            "return ['channels_channel-pruned', 'savings_channel-pruned'].map(name => {"
            "const c = document.querySelector(`[data-chart=${name}]`);"
            "return [c.querySelectorAll('.bars .point').length, c.querySelector('svg').clientWidth <= "
            "c.clientWidth + 1]})"
        )
        assert drawn == [[10, True], [10, True]]
        assert seen.execute_script("return document.documentElement.scrollWidth") <= width


test_the_browser_draws_it = pytest.mark.browser(test_the_browser_draws_it)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("result.json", lambda it: it["record"].update(groups=[["stem", 16]])),
        ("result.json", lambda it: it["record"].update(parameters=[1, 2, 3])),
        ("result.json", lambda it: it["record"].update(macs=["many", 2])),
        ("result.json", lambda it: it["record"].update(skipped=["stem"])),
        ("channels.json", lambda it: it.update(groups=["stem"])),
        ("channels.json", lambda it: it["groups"][0].update(units="many")),
    ],
)
def test_a_damaged_record_is_one_clear_line(
    again: Path, file: str, change: Callable[[dict[str, Any]], None]
) -> None:
    path = again / "steps/channel-pruned" / file
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"\.json.* was needed") as caught:
        collect(again)
    assert "\n" not in str(caught.value)


def test_what_is_not_known_is_left_out(again: Path, fake_compression: ModuleType) -> None:
    path = again / "steps/channel-pruned/result.json"
    result = json.loads(path.read_text())
    del result["files"]["groups"]
    result["record"] |= {"macs": [None, None], "reached": None, "asked": "beauty=much"}
    path.write_text(json.dumps(result))
    drawn = maps(again)
    assert list(drawn) == ["channels_channel-pruned"]
    assert "MACs" not in drawn["channels_channel-pruned"].subtitle
    step = collect(again).step("channel-pruned")
    assert step is not None
    assert step.channels is not None
    assert (step.channels.told_asked, step.channels.told_reached) == ("beauty=much", "")
    data = collect(again)
    assert 'data-chart="savings' not in page(data, charts(data))


@pytest.mark.parametrize(
    ("asked", "reached", "told"),
    [
        ("ratio=0.5", 0.48, ("channels to remove: 50 %", "48 %")),
        ("parameters=50000", 47_178.0, ("parameters: at most 50.0 k", "47.2 k (60 % of before)")),
        ("size=50kB", 48_100.0, ("int8 file: at most 50.0 kB", "48.1 kB")),
        ("latency=2ms", 1.875, ("latency: at most 2.00 ms", "1.88 ms")),
        ("latency=0.5x", None, ("latency: at most 50 % of before", "")),
    ],
)
def test_targets_are_told_in_their_units(asked: str, reached: float | None, told: tuple[str, str]) -> None:
    pruned = ChannelPruning((), parameters=(78_426, 47_178), asked=asked, reached=reached)
    assert (pruned.told_asked, pruned.told_reached) == told


def test_how_channels_went_in_words() -> None:
    config = {"ratio": 0.5, "importance": "taylor", "channel_schedule": "iterative", "rounds": 3}
    assert channels_pruned(config, {}) == (
        "channels removed (asked: channels to remove 50 %, by weight times gradient, in 3 rounds)"
    )
    told = channels_pruned(
        {"ranking": "group", "sparsity_learning": "bn"}, {"ratio": 0.25, "asked": "macs=1M"}
    )
    assert told == (
        "25 % of its channels removed (asked: macs=1M, group by group, after learning sparse scales of batch "
        "normalization)"
    )
    assert channels_gone(0.5) == "half the channels are gone"
    assert channels_gone(0.31) == "31 % of the channels are gone"
    assert reasons([("a", "x"), ("b", "y"), ("c", "x")], most=1) == [("a and 1 more", "x"), ("b", "y")]


def test_several_rounds_are_remarks() -> None:
    turn = {"number": 1, "ratio": 0.25, "parameters": 60_000, "macs": None, "val_accuracy": 0.9}
    assert channel_rounds(Fields({"rounds": [turn]}, "here")) == []
    assert channel_rounds(Fields({"rounds": [turn, {**turn, "number": 2}]}, "here"))[0] == (
        "round 1",
        "25 % of the channels gone, 60.0 k parameters, – MACs, 90.0 % on the validation images",
    )


BEFORE = ResultRow("before", "keras", numbers={"accuracy": Number(0.9, 0.89, 0.91)})
AFTER = ResultRow("after", "keras", numbers={"accuracy": Number(0.9, 0.89, 0.91)})
PRUNED = Step(
    "after", "prune_channels", "before", channels=ChannelPruning((), (100, 40), (1000, 500), ratio=0.5)
)


@pytest.mark.parametrize(
    ("bought", "told", "not_told"),
    [
        (
            [Gain("in Keras", "keras", 2.0, 1.3), Gain("as int8 file", "litert", 1.8, 1.7)],
            "smaller and faster on every runtime measured here (in Keras 2.0× smaller and 1.30× faster; as "
            "int8 file 1.80× smaller and 1.70× faster)",
            "slower",
        ),
        (
            [Gain("in Keras", "keras", 2.0, 0.9), Gain("as int8 file", "litert", 1.8, 1.7)],
            "smaller on every runtime measured here (in Keras 2.0× smaller and 1.11× slower; as",
            "smaller and faster on every",
        ),
        ([Gain("in Keras", "keras", 2.0, 1.3)], "in Keras 2.0× smaller and 1.30× faster", "every"),
        (
            [Gain("in Keras", "keras", 2.0, None), Gain("as int8 file", "litert", 1.8, 1.7)],
            "smaller on every runtime",
            "faster on every",
        ),
        ([Gain("in Keras", "keras", 1.01, 1.02)], "in Keras as large and as fast", "every"),
        ([], "60 % of the parameters and 50 % of the MACs; the same accuracy", "faster"),
    ],
)
def test_words_go_no_further_than_what_was_measured(bought: list[Gain], told: str, not_told: str) -> None:
    words = about_channels(AFTER, BEFORE, PRUNED, None, bought)
    assert words.startswith("half the channels are gone, and with them 60 % of the parameters")
    assert told in words
    assert not_told not in words


def test_a_missed_target_is_part_of_the_verdict() -> None:
    step = Step("after", "prune_channels", "before", missed=("60 parameters are left, 50 were asked for",))
    assert about_channels(AFTER, BEFORE, step, None).endswith(
        "it missed its target: 60 parameters are left, 50 were asked for"
    )
    assert gone(step) == "channels are gone"


def test_verdicts_of_a_run(compressed: Path) -> None:
    rows = {row.name: row.verdict for row in collect(compressed).rows}
    assert "smaller and faster on every runtime measured here" in rows["channel-pruned"]
    assert rows["channel-pruned-float32"].startswith(
        "a quarter of the channels are gone, and with them 36 % of the parameters and 51 % of the MACs: "
        "1.56× smaller and 1.82× faster than teacher-float32"
    )
    assert rows["channel-pruned-int8"].startswith("8-bit integers throughout")


def test_batch_and_percent_have_their_columns(compressed: Path) -> None:
    from trimtab.reporting import result_rows

    headers, rows = result_rows(collect(compressed))
    last = dict(zip(headers, rows[-1], strict=True))
    assert last["Batch latency (ms/batch)"] == "7.04 (32 images, 0.220 each)"
    assert last["Size reduction"] == "19.1× (−95 %)"


def test_it_is_drawn_alone(tmp_path: Path, fake_compression: ModuleType) -> None:
    records = (fake_compression.explanation(), fake_compression.pruning_record())
    many = fake_compression.explanation()
    many["groups"] = [{**many["groups"][number % 6], "name": f"block_{number}"} for number in range(60)]
    odd = fake_compression.explanation()
    for group, name in zip(odd["groups"], ("$x^2$", "衬衫", "</b>", "", "é\nx", "a/" * 90), strict=True):
        group.update(name=name, layers=[name, "layer_" * 30])
    measured = fake_compression.explanation() | {"size": 300_000}
    for group in measured["groups"][:3]:
        group["half"] |= {"size": 9_000, "latency": {"value": 0.9, "low": 0.88, "high": 0.92}}
    heights = []
    for number, record in enumerate((*records, many, odd, measured)):
        path = draw_channels(record, tmp_path / "deep" / f"{number}.PNG", title="Groups")
        with Image.open(path) as image:
            assert image.format == "PNG"
            heights.append(image.height)
    assert heights[2] > 3500  # sixty groups still have a readable line each


def test_what_the_verbs_return_is_drawn(tmp_path: Path) -> None:
    from trimtab.channel_pruning import ChannelPruningResult, Explanation
    from trimtab.channel_pruning._explanation import GroupExplanation, Saving
    from trimtab.channel_pruning._result import GroupChange

    half = Saving(4, 10, 100)
    group = GroupExplanation("conv", 8, 8, ("conv",), ("dense",), None, True, half, half)
    explained = Explanation("m", 100, 1000, None, None, (group,))
    assert draw_channels(explained, tmp_path / "a.png").is_file()
    result = ChannelPruningResult(
        None, (GroupChange("conv", 8, 4),), (100, 60), (1000, 500), 0.5, (("out", "leads out"),), None
    )
    assert draw_channels(result, tmp_path / "b.png").is_file()


def test_bad_pictures_are_refused(tmp_path: Path, fake_compression: ModuleType) -> None:
    record = fake_compression.explanation()
    with pytest.raises(ConfigError, match=r"'x\.pdf'\. End it in \.png"):
        draw_channels(record, tmp_path / "x.pdf")
    with pytest.raises(RunError, match="the record of channels: 'groups' is 'none'"):
        draw_channels({"groups": "none"}, tmp_path / "x.png")
    with pytest.raises(RunError, match="holds no group"):
        draw_channels({}, tmp_path / "x.png")
    for other in (object(), 3, "channels.json", [record], None):
        with pytest.raises(RunError, match=f"is a {type(other).__name__}, and not one"):
            draw_channels(other, tmp_path / "x.png")  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        draw_channels(record, tmp_path / "file" / "x.png")


def test_a_record_without_explanation_names_what_was_left_alone(fake_compression: ModuleType) -> None:
    pruned = read_pruning(Fields(fake_compression.pruning_record(), "here"))
    assert [group.name for group in pruned.groups][-1] == "logits"
    assert pruned.groups[-1].locked == "leads to the model's output"
    assert pruned.groups[0].layers[0] == "stem"

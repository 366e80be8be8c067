"""The picture of the front: what stands where, from one candidate to two hundred, and in a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from trimtab.reporting import collect
from trimtab.reporting._front import Front, front_charts
from trimtab.reporting._plotly import figure


@pytest.fixture
def fronts(
    tmp_path: Path, fake_run: ModuleType, fake_search: ModuleType
) -> Callable[..., tuple[Front | None, ...]]:
    """Writes a search and returns its two pictures, by size and by latency."""

    def made(**options: Any) -> tuple[Front | None, ...]:
        folder = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        return tuple(front_charts(collect(fake_search.write_search(folder, fake_run, **options))))

    return made


def roles(chart: Front) -> dict[str, int]:
    """How many marks of each kind there are."""
    kinds = [mark.role for mark in chart.marks]
    return {kind: kinds.count(kind) for kind in kinds}


def test_every_candidate_and_file_has_its_mark(fronts: Callable[..., Any]) -> None:
    size, latency = fronts()
    counts = {"refused": 11, "below": 6, "tried": 19, "file": 1, "baseline": 1, "front": 2, "chosen": 1}
    for chart in (size, latency):
        seen = roles(chart)
        assert sum(seen.values()) == sum(counts.values())
        assert {kind: seen[kind] for kind in ("refused", "file", "baseline", "front", "chosen")} == {
            kind: counts[kind] for kind in ("refused", "file", "baseline", "front", "chosen")
        }
        assert seen["below"] + seen["tried"] == 25
    assert [mark.name for mark in size.marks if mark.role == "chosen"] == ["resnet-12"]
    assert {mark.name for mark in size.marks if not mark.keeps} == {
        "cnn-7",
        "narrowed-15",
        "mobilenet-9",
        "baseline-int8",
    }
    assert (size.most, size.least) == ((20.0, "at most 20 kB"), (91.35, "at least 91.35 %"))
    assert latency.most is None


@pytest.mark.parametrize("candidates", [0, 1, 8, 200])
def test_everything_lies_inside_the_picture(fronts: Callable[..., Any], candidates: int) -> None:
    for chart in fronts(candidates=candidates):
        left, right = chart.ends
        low, high = chart.y_range
        lanes = {height for height, _ in chart.lanes}
        for mark in chart.marks:
            assert left < mark.x < right
            assert low < mark.y < high
            in_lane = mark.role in ("refused", "below")
            assert (mark.y in lanes) == in_lane
            assert mark.y >= chart.floor or in_lane
            for end in mark.y_interval or ():
                assert chart.floor < end < high
        assert all(chart.floor <= tick <= high for tick in chart.y_ticks)
        assert 3 <= len(chart.y_ticks) <= 10
        assert len({mark.id for mark in chart.marks}) == len(chart.marks)


def test_line_rises_with_what_is_spent(fronts: Callable[..., Any]) -> None:
    size, latency = fronts()
    for chart in (size, latency):
        xs, ys = zip(*chart.steps, strict=True)
        assert list(xs) == sorted(xs)
        assert list(ys) == sorted(ys)
        assert xs[-1] == chart.ends[1]
        for mark in chart.strong:
            reachable = max(y for x, y in chart.steps if x <= mark.x)
            assert mark.y <= reachable or mark.role == "file"


def test_no_lines_without_limits_and_no_picture_without_numbers(fronts: Callable[..., Any]) -> None:
    size, latency = fronts(budget={"max_download": "1MB"}, latencies=False, candidates=12)
    assert (size.most, size.least) == (None, None)
    assert all(mark.keeps for mark in size.marks)
    assert set(roles(latency)) == {"file", "baseline", "front", "chosen"}
    assert fronts(until="files", latencies=False)[1] is None  # nothing was timed yet
    assert fronts(until="baseline", candidates=0) == (None, None)


def test_search_under_way_shows_its_candidates(fronts: Callable[..., Any]) -> None:
    assert fronts(until="files")[0].steps == ()
    size, _ = fronts(until="trials")
    assert size.steps == ()
    assert set(roles(size)) <= {"refused", "below", "tried"}
    assert size.most == (20.0, "at most 20 kB")


def test_figure_ties_each_mark_to_its_chain(fronts: Callable[..., Any]) -> None:
    size, _ = fronts()
    drawn = json.loads(json.dumps(figure(size), allow_nan=False))
    tied = [word for trace in drawn["data"] for word in trace.get("customdata", [])]
    assert sorted(tied) == sorted(mark.id for mark in size.marks)
    assert drawn["data"][-1]["meta"] == {"picked": True}


@pytest.mark.browser
def test_click_on_a_mark_shows_its_chain(searched: Path, open_page: Callable[..., Any]) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select, WebDriverWait

    page = open_page(searched / "report.html")
    assert page.get_log("browser") == []

    def shown() -> str:
        return "\n".join(
            each.text for each in page.find_elements(By.CSS_SELECTOR, ".chain") if each.is_displayed()
        )

    assert shown().startswith("resnet-12 chosen")
    chart = page.find_element(By.CSS_SELECTOR, "[data-chart=front_size]")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
    place = page.execute_script(
        "const host = arguments[0];"
        "const trace = host.data.findIndex(t => (t.hovertext ?? []).some(h => h.includes('narrowed-15')));"
        "const at = host.data[trace].hovertext.findIndex(h => h.includes('narrowed-15'));"
        "const box = host.querySelector('.nsewdrag').getBoundingClientRect();"
        "const {xaxis, yaxis} = host._fullLayout;"
        "return [box.left + xaxis.c2p(xaxis.d2c(host.data[trace].x[at])),"
        " box.top + yaxis.c2p(host.data[trace].y[at])];",
        chart,
    )
    pointer = ActionChains(page)
    pointer.w3c_actions.pointer_action.move_to_location(*map(round, place))
    pointer.w3c_actions.pointer_action.click()
    pointer.perform()
    WebDriverWait(page, 20).until(lambda _: shown().startswith("narrowed-15"))
    for part in ("Channels removed", "Taught", "8-bit integers", "points", "3.8× smaller", "83.5 kB"):
        assert part in shown()
    # Without a mouse: the list is an ordinary one, and the ring in the pictures follows it.
    pick = Select(page.find_element(By.ID, "pick"))
    assert pick.first_selected_option.text.startswith("narrowed-15")
    pick.select_by_value("trial-1")
    WebDriverWait(page, 20).until(lambda _: shown().startswith("candidate 1 cut short"))
    assert "place 1 of 40" in shown()
    rings = page.execute_script(
        "return ['front_size', 'front_latency'].map(k => document.querySelector(`[data-chart=${k}]`)"
        ".data.find(t => t.meta?.picked).x.length)"
    )
    assert rings == [1, 1]


@pytest.mark.browser
def test_phone_has_room_for_all_of_it(searched: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(searched / "report.html", 400, "dark")
    assert page.get_log("browser") == []
    assert page.execute_script("return document.documentElement.scrollWidth") <= 400
    assert (
        page.execute_script("return [...document.images].filter(i => !i.naturalWidth).map(i => i.src)") == []
    )

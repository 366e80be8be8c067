"""The page as a reader meets it: in a real browser, on a phone, in the dark, with hostile names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from trimtab.reporting import report

pytestmark = pytest.mark.browser

HOSTILE = (
    "<script>window.harmed=1</script>",
    "</script><img src=x onerror=window.harmed=1>",
    "$x^2$ & 100 %",
    "{{ 7*7 }}",
    "衬衫",
    "%{x}<br>",
    "'\"`",
    "né\nedge",
    "🙂",
    "x" * 200,
)


def requested(browser: Any) -> list[str]:
    """The addresses that the page asked for since the log was last read."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (1400, "dark"), (400, "light")])
def test_page_renders_cleanly(reported: Path, open_page: Callable[..., Any], width: int, scheme: str) -> None:
    page = open_page(reported / "report.html", width, scheme)
    assert page.get_log("browser") == []
    hosts = page.execute_script(
        "return [...document.querySelectorAll('[data-chart]')].map(h => [h.dataset.chart, "
        "h.querySelectorAll('svg.main-svg').length, h.clientWidth, h.querySelector('svg').clientWidth])"
    )
    assert len(hosts) == 10
    for name, drawings, room, drawn in hosts:
        assert drawings > 0, name
        assert 0 < drawn <= room + 1, f"{name} is drawn {drawn} px wide into {room} px"
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    assert (
        page.execute_script("return [...document.images].filter(i => !i.naturalWidth).map(i => i.src)") == []
    )
    wanted = [url for url in requested(page) if not url.startswith(("file:", "data:", "blob:"))]
    assert wanted == []


def test_hover_shows_everything(reported: Path, open_page: Callable[..., Any]) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    page = open_page(reported / "report.html")
    chart = page.find_element(By.CSS_SELECTOR, "[data-chart=accuracy_against_size]")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
    point = chart.find_elements(By.CSS_SELECTOR, ".scatterlayer .point")[-1]
    ActionChains(page).move_to_element(point).perform()
    WebDriverWait(page, 20).until(lambda _: chart.find_elements(By.CSS_SELECTOR, ".hoverlayer .hovertext"))
    told = chart.find_element(By.CSS_SELECTOR, ".hoverlayer .hovertext").text
    for part in ("pruned-int8", "accuracy 91.3 %", "97.4 kB", "ms per image", "18.1 k non-zeros"):
        assert part in told


def test_names_are_never_code(tmp_path: Path, fake_run: ModuleType, open_page: Callable[..., Any]) -> None:
    folder = fake_run.write_run(tmp_path / "run", classes=HOSTILE, title="<script>window.harmed=1</script>")
    page = open_page(report(folder))
    assert page.execute_script("return window.harmed === undefined")
    assert page.get_log("browser") == []
    text = page.execute_script("return document.body.innerText")
    assert "<script>window.harmed=1</script>" in text
    assert "{{ 7*7 }}" in text
    labels = page.execute_script(
        "return [...document.querySelectorAll('[data-chart*=confusion] .ytick text')].map(t => t.textContent)"
    )
    assert labels[0].startswith("<script>")


def test_pictures_stand_in_without_scripts(reported: Path, browser: Any) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get((reported / "report.html").as_uri())
        stills = browser.execute_cdp_cmd(
            "Runtime.evaluate",
            {
                "expression": "[...document.querySelectorAll('.still')].map(i => i.clientWidth)",
                "returnByValue": True,
            },
        )["result"]["value"]
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert len(stills) == 10
    assert min(stills) > 200

"""Fake runs to report on, and a browser to look at the page with."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _loaded(name: str) -> ModuleType:
    """Loads a module beside this one by its place: tests are no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{name}.py is missing beside conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def fake_run() -> ModuleType:
    """The module that writes fake run folders."""
    return _loaded("fake_run")


@pytest.fixture(scope="session")
def fake_compression() -> ModuleType:
    """The module that writes a fake run with channels removed and a student taught."""
    return _loaded("fake_compression")


@pytest.fixture(scope="session")
def fake_behaviour() -> ModuleType:
    """The module that adds to a fake run what was compared beside accuracy."""
    return _loaded("fake_behaviour")


@pytest.fixture(scope="session")
def compressed(
    tmp_path_factory: pytest.TempPathFactory, fake_run: ModuleType, fake_compression: ModuleType
) -> Path:
    """The folder of such a run with its report drawn; tests only read it."""
    from trimtab.reporting import report

    folder = Path(
        fake_compression.write_compressed_run(tmp_path_factory.mktemp("compressed") / "run", fake_run)
    )
    report(folder)
    return folder


@pytest.fixture(scope="session")
def fake_quantization() -> ModuleType:
    """The module that writes a fake run of quantization and clustering."""
    return _loaded("fake_quantization")


@pytest.fixture(scope="session")
def few_bits(
    tmp_path_factory: pytest.TempPathFactory, fake_run: ModuleType, fake_quantization: ModuleType
) -> Path:
    """The folder of such a run with its report drawn; tests only read it."""
    from trimtab.reporting import report

    folder = Path(
        fake_quantization.write_quantized_run(tmp_path_factory.mktemp("few_bits") / "run", fake_run)
    )
    report(folder)
    return folder


@pytest.fixture(scope="session")
def fake_search() -> ModuleType:
    """The module that writes the folder of a search for a budget."""
    return _loaded("fake_search")


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory, fake_run: ModuleType, fake_search: ModuleType) -> Path:
    """The folder of such a search with its report drawn; tests only read it."""
    from trimtab.reporting import report

    folder = Path(fake_search.write_search(tmp_path_factory.mktemp("searched") / "run", fake_run))
    report(folder)
    return folder


@pytest.fixture
def run_folder(tmp_path: Path, fake_run: ModuleType) -> Path:
    """A complete fake run, that a test may damage."""
    return Path(fake_run.write_run(tmp_path / "run"))


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory: pytest.TempPathFactory, fake_run: ModuleType) -> Path:
    """A complete fake run that tests only read."""
    return Path(fake_run.write_run(tmp_path_factory.mktemp("runs") / "run"))


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory, fake_run: ModuleType) -> Path:
    """The folder of a complete fake run with its report drawn."""
    from trimtab.reporting import report

    folder = Path(fake_run.write_run(tmp_path_factory.mktemp("reported") / "run"))
    report(folder)
    return folder


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real, headless Chromium."""
    import shutil

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs chromium and chromedriver, and one of them is not installed")
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    quiet = (
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    )
    profile = tmp_path_factory.mktemp("profile")
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", *quiet, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield running
    finally:
        running.quit()


@pytest.fixture
def open_page(browser: Any) -> Callable[..., Any]:
    """Opens a report at a width, light or dark, and waits until its charts are drawn."""
    from selenium.webdriver.support.ui import WebDriverWait

    def open_at(page: Path, width: int = 1400, scheme: str = "light") -> Any:
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        browser.get_log("browser")
        browser.get_log("performance")
        browser.get(page.as_uri())
        WebDriverWait(browser, 90).until(
            lambda seen: seen.execute_script("return document.documentElement.dataset.charts") == "drawn"
        )
        return browser

    return open_at

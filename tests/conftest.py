"""For every test: one thread each, no display, no downloads, and property tests that repeat exactly."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

# Before anything imports NumPy or torch: pytest runs one process per core (see the Makefile).
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="module")  # while it is open no other test can run an event loop
def browser() -> Iterator[Browser]:
    """A headless Chromium: of the system, or Playwright's own. Tests of pages are skipped without one."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed (extra `dev`)"
    )
    with playwright.sync_playwright() as driver:
        installed = shutil.which("chromium") or shutil.which("google-chrome")
        try:
            opened = driver.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        except playwright.Error:
            pytest.skip("no Chromium: apt install chromium, or playwright install chromium")
        yield opened
        opened.close()


@pytest.fixture
def complaints(browser: Browser) -> Iterator[tuple[BrowserContext, list[str]]]:
    """A new browser window, and all that its pages complain of or ask the network for."""
    context = browser.new_context()
    found: list[str] = []
    context.on("console", lambda message: found.append(f"{message.type}: {message.text}"))
    context.on("weberror", lambda error: found.append(str(error.error)))
    yield context, found
    context.close()

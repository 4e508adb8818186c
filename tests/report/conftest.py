"""A real browser without a window, where there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser; tests that need it are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install -e '.[browser]' for tests in a browser")
    with playwright.sync_playwright() as api:
        own = api.chromium.executable_path
        program = next(filter(None, map(shutil.which, _NAMES)), own if Path(own).is_file() else None)
        if program is None:
            pytest.skip("no Chromium here: apt-get install chromium, or playwright install chromium")
        # A browser refuses to confine itself as root.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = api.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()

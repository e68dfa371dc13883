"""The built book in a real browser: a server on this machine, and Chromium.

These tests read `_build/html`, which `make book` writes, and are skipped where it is not built, or
where the machine has no Chromium (RISBOOK_CHROMIUM names the program if it has another name).
"""

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from book_config import ROOT

HTML = ROOT / "_build" / "html"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """A handler that prints no line per request."""

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing."""


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the built book."""
    if not (HTML / "index.html").is_file():
        pytest.skip("the book is not built: make book")
    return HTML


@pytest.fixture(scope="session")
def site(html: Path) -> Iterator[str]:
    """The address of the built book on a server of this machine, without a slash at its end."""
    handler = functools.partial(QuietHandler, directory=str(html))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser(html: Path) -> Iterator[Any]:
    """A headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    named = os.environ.get("RISBOOK_CHROMIUM", "")
    program = named or next(filter(None, map(shutil.which, PROGRAMS)), "")
    if not program:
        pytest.skip(f"there is no Chromium on this machine ({', '.join(PROGRAMS)})")
    with sync_api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()

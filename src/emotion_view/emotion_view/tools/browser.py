"""A real browser without a screen: the system's Chromium."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from emotion_core.errors import EmotionError
from emotion_view.web.access import HOST

COMMANDS = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')


class BrowserError(EmotionError):
    """There is no browser to look at the page with, or no page."""


@contextmanager
def headless_browser() -> Iterator[Any]:
    """
    Run Chromium; gives a ``playwright.sync_api.Browser``.

    :raises BrowserError: when it is not installed.
    """
    command = next(filter(None, map(shutil.which, COMMANDS)), None)
    if command is None:
        raise BrowserError('a real browser is needed: sudo apt install chromium')
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise BrowserError(f'playwright is needed ({error}): `./emotion test` installs it') from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=command)
        yield browser
        browser.close()


def open_page(page: Any, port: int, seconds: float) -> None:
    """
    Open the page of this host as soon as it is served.

    :param page: A ``playwright.sync_api.Page``.
    :raises BrowserError: when that takes too long.
    """
    from playwright.sync_api import Error

    deadline = time.monotonic() + seconds
    while True:
        try:
            page.goto(f'http://{HOST}:{port}/')
            return
        except Error as error:
            if time.monotonic() > deadline:
                raise BrowserError(f'nothing is served on port {port} after {seconds:.0f} s') from error
            time.sleep(0.1)

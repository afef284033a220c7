"""A real browser without a screen: the system's Chromium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from emotion_core.errors import EmotionError

COMMANDS = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')


class BrowserError(EmotionError):
    """There is no browser to look at the page with."""


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

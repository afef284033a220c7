"""Help for tests with the page: ``from emotion_view.testing import browser  # noqa: F401`` gives the fixture."""

from collections.abc import Iterator
from typing import Any

import pytest

from emotion_view.tools.browser import BrowserError, headless_browser


@pytest.fixture(scope='module')
def browser() -> Iterator[Any]:
    """Give a real browser, or skip the test where there is none."""
    try:
        with headless_browser() as running:
            yield running
    except BrowserError as error:
        pytest.skip(str(error))

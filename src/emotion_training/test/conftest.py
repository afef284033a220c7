"""Where the real corpora are, when they are there."""

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[4] / 'shared' / 'data'


@pytest.fixture(scope='session')
def data() -> Path:
    """The folder of the corpora; the test is skipped when it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"the corpora are not on this machine ('{DATA}')")
    return DATA

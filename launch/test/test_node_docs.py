from pathlib import Path

import pytest
import rclpy

from emotion_bringup.node_docs import render
from emotion_core.testing import ros  # noqa: F401

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'nodes.md'


def test_page_is_what_the_code_says(ros):
    if not PAGE.is_file():
        pytest.skip('docs/nodes.md is only in a checkout')
    assert rclpy.ok()
    assert PAGE.read_text() == render(), 'run `python -m emotion_bringup.node_docs > docs/nodes.md`'

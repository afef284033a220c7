"""The Foxglove layout, against the topics that the nodes really have."""

import json
import re
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image

DOCS = Path(__file__).resolve().parents[2] / 'docs'
ROW = re.compile(
    r'^\| `([\w/]+)` \| (\w+)/(\w+) \| (in|out) \|', re.MULTILINE
)  # of docs/nodes.md, itself made from the code
SHOWS = {  # panel -> what it can show
    'Image': Image,
    'Plot': (int, float, np.number),
    'Gauge': (int, float, np.number),
    'Indicator': (bool, int, float, str),
    'StateTransitions': (bool, int, str),
    'DiagnosticSummary': DiagnosticArray,
    'RawMessages': object,
}
DIAGNOSTICS = {'/diagnostics': ('diagnostic_msgs', 'DiagnosticArray')}


@pytest.fixture(scope='module')
def layout():
    if not (DOCS / 'foxglove_layout.json').is_file():
        pytest.skip('docs/ is only in a checkout')
    return json.loads((DOCS / 'foxglove_layout.json').read_text())


@pytest.fixture(scope='module')
def topics():
    rows = ROW.findall((DOCS / 'nodes.md').read_text())
    return DIAGNOSTICS | {f'/{topic}': (package, kind) for topic, package, kind, _ in rows}


def paths(value):
    """Give every message path of a panel's settings."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ('imageTopic', 'topicToRender', 'topicPath', 'path') or (
                key == 'value' and isinstance(item, str)
            ):
                yield item
            else:
                yield from paths(item)
    elif isinstance(value, list):
        for item in value:
            yield from paths(item)


def panels(tree):
    """Give the panels of a layout, in the order of the screen."""
    if isinstance(tree, str):
        yield tree
    else:
        yield from panels(tree['first'])
        yield from panels(tree['second'])


def test_every_path_leads_to_a_field_that_its_panel_can_show(layout, topics):
    found = [(panel, path) for panel, settings in layout['configById'].items() for path in paths(settings)]
    assert len(found) > 20
    for panel, path in found:
        topic, *fields = path.split('.')
        assert topic in topics, f'{path}: no node has this topic'
        package, kind = topics[topic]
        value = getattr(import_module(f'{package}.msg'), kind)()
        for field in fields:
            name, _, index = field.rstrip(']').partition('[')
            assert hasattr(value, name), f'{path}: {kind} has no {name}'
            value = getattr(value, name)
            if index:
                value = value[int(index)]
        shown = SHOWS[panel.split('!')[0]]
        assert isinstance(value, shown), f'{panel}: {path} is {type(value).__name__}'


def test_bags_have_what_the_layout_shows_but_the_drawing(layout):
    from emotion_evaluation.recorder import DEFAULT_TOPICS
    from emotion_evaluation.topics import DRAWN

    for path in paths(layout['configById']):
        topic = path.split('.')[0].removeprefix('/')
        recorded = any(fnmatch(topic, pattern.removeprefix('/')) for pattern in DEFAULT_TOPICS)
        drawn = any(fnmatch(topic, pattern) for pattern in DRAWN)
        assert recorded and (not drawn or topic == 'emotion/overlay'), topic


def test_colours_and_order_of_the_emotions_are_right(layout):
    from emotion_core.emotions import EMOTIONS

    for panel in ('Plot!fused', 'Plot!face', 'Plot!voice'):
        lines = layout['configById'][panel]['paths']
        assert [line['label'] for line in lines] == list(EMOTIONS)
        assert [line['value'].rpartition('[')[2] for line in lines] == [f'{index}]' for index in range(6)]
        rules = layout['configById']['Indicator!label']['rules']
        assert [(rule['rawValue'], rule['color']) for rule in rules] == [
            (line['label'], line['color']) for line in lines
        ]


def test_every_panel_is_on_the_screen_once(layout):
    tabs = [tab['layout'] for panel in layout['configById'].values() for tab in panel.get('tabs', ())]
    shown = [name for tree in (layout['layout'], *tabs) for name in panels(tree)]
    assert sorted(shown) == sorted(layout['configById'])

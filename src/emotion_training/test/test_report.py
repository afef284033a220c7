"""The report says what was measured, and its page needs nothing but itself."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest

pytest.importorskip('matplotlib', reason='a report needs matplotlib')
pytest.importorskip('jinja2', reason='a report needs Jinja')

from emotion_core.emotions import EMOTIONS
from emotion_core.figures import confusion
from emotion_core.model_card import ModelCard
from emotion_core.onnx_model import OnnxModel
from emotion_training import measure, report, report_plots
from emotion_training.fer import FerRecipe
from emotion_training.recipe import HeldOut

MODEL = files('emotion_face') / 'models' / 'fer_compact'
WITHOUT_END = {'meta', 'path', 'use', 'rect'}


class Noise:
    """A recipe whose pictures are noise; the model sees something else in each."""

    name, task, input = 'noise', 'fer', FerRecipe.input

    def __init__(self, seed=0):
        """Draw 60 pictures."""
        rng = np.random.default_rng(seed)
        self._pictures = rng.normal(0, 1, (60, 1, 48, 48)).cumsum(axis=3).astype(np.float32)
        self._labels = rng.integers(6, size=60)

    def labels(self, side):
        return self._labels[: {'train': 60, 'validation': 30, 'test': 60}[side]]

    def held_out(self, side):
        groups = {'all': np.ones(60, bool), 'first_half': np.arange(60) < 30}
        return HeldOut(np.split(self._pictures, 4), self._labels, groups, np.arange(60) // 2)


class Page(HTMLParser):
    """Reads ids and addresses, and checks that what is opened is closed."""

    def __init__(self, text):
        """Read a page."""
        super().__init__()
        self.open, self.ids, self.addresses = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids += [attributes['id']] if 'id' in attributes else []
        self.addresses += [attributes[key] for key in ('src', 'href', 'xlink:href') if key in attributes]
        if tag not in WITHOUT_END:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in WITHOUT_END:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in WITHOUT_END:
            assert self.open.pop() == tag


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """Give the folder of a report."""
    run = tmp_path_factory.mktemp('run')
    assert report.write_report(Noise(), run, MODEL, 'the command') == run / 'report.html'
    return run


def test_figures_are_those_that_the_card_would_get(made):
    figures = json.loads((made / 'report.json').read_text())
    model, recipe = OnnxModel(MODEL, 'fer'), Noise()
    assert figures['test'] == measure.test_figures(model, recipe.held_out('test'))
    assert figures['test']['all']['interval']['sources'] == 30
    assert figures['calibration']['after']['error'] == figures['test']['all']['calibration_error']
    assert figures['calibration']['before'] != figures['calibration']['after']
    assert np.sum(figures['confusion']['first_half']) == 30
    assert np.trace(figures['confusion']['all']) / 60 == pytest.approx(figures['test']['all']['accuracy'], abs=1e-4)
    assert sum(figures['counts']['validation'].values()) == 30
    assert figures['model']['sha256'] == model.card.sha256
    assert figures['made']['command'] == 'the command'


def test_hash_of_the_data_tells_other_data(made, tmp_path):
    digest = json.loads((made / 'report.json').read_text())['made']['data_sha256']
    again, other = (report.gather(Noise(seed), tmp_path, MODEL, '')['made']['data_sha256'] for seed in (0, 1))
    assert digest == again != other


def test_page_stands_alone_and_is_whole(made):
    text = (made / 'report.html').read_text()
    page = Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert page.addresses and all(address.startswith('#') and address[1:] in page.ids for address in page.addresses)
    assert set(re.findall(r'url\(#([^)]*)\)', text)) <= set(page.ids)
    assert not re.search(r'<script|<link|@import|url\((?!#)', text)
    assert '#0101' not in text and '#0202' not in text, 'a stand-in of a colour is left'
    assert 'prefers-color-scheme: dark' in text


def test_page_shows_the_figures_of_the_json(made):
    text = re.sub(r'\s+', ' ', re.sub(r'<[^>]*>', ' ', (made / 'report.html').read_text()))
    figures = json.loads((made / 'report.json').read_text())
    for group in figures['test'].values():
        assert f'{100 * group["accuracy"]:.1f}' in text
        assert '{:.1f} to {:.1f}'.format(*(100 * bound for bound in group['interval']['macro_f1'])) in text
        assert f'always ‘{group["majority"]["label"]}’' in text
    for name, row in figures['per_class']['all'].items():
        numbers = ' '.join(f'{100 * row[key]:.1f}' for key in ('precision', 'recall', 'f1'))
        assert f'{name} {row["support"]} {numbers}' in text
    assert figures['card']['not_for'] in text and figures['made']['data_sha256'] in text
    assert 'chance' in text and 'Learning curves' in text


def test_curves_come_from_the_logs_of_the_run_when_the_card_has_none(tmp_path):
    lines = [{'epoch': epoch, 'loss': 2 / epoch, 'macro_f1': epoch / 10, 'seconds': 1.0} for epoch in (1, 2, 3)]
    for member in ('member1', 'member2'):
        (tmp_path / member).mkdir()
        (tmp_path / member / 'log.jsonl').write_text('\n'.join(map(json.dumps, lines)) + '\n')
    card = OnnxModel(MODEL, 'fer').card
    card.training.pop('epochs')
    found = report._curves(card, tmp_path)
    assert found['source'] == 'member1/log.jsonl, member2/log.jsonl'
    assert found['runs'] == {'member1': lines, 'member2': lines}
    drawn = report_plots.curves(found['runs'], None)
    assert 'member1' in drawn and 'macro-F1 on validation data' in drawn
    assert report_plots.curves({}, None) == ''


def test_matrix_shows_counts_and_shares():
    drawn = confusion('all', np.diag([9] * len(EMOTIONS)) + 1)
    assert drawn.count('67 %') == 6 and drawn.count('>10<') == 6
    assert 'aria-label="confusion matrix: all"' in drawn


def test_model_that_knows_voices_has_its_figures_of_known_voices_too(tmp_path):
    folder = tmp_path / 'model'
    shutil.copytree(MODEL, folder)
    card = ModelCard.load(folder)
    figures = measure.test_figures(OnnxModel(MODEL, 'fer'), Noise(1).held_out('test'))
    points = [{'heard_before': 0, 'n': 9, 'accuracy': 0.5}, {'heard_before': 10, 'n': 9, 'accuracy': 0.75}]
    curve = {name: points for name in figures}
    one = {'all': figures['all'], 'heard_before': 4}
    warm = figures | {'heard_before': 10, 'orders': 3, 'curve': curve, 'change': {}, 'one_emotion': one}
    replace(card, metrics=card.metrics | {'warm': warm}).save(folder)
    page = report.write_report(Noise(), tmp_path, folder, '').read_text()
    part = page[page.index('Once the voice is known') : page.index('Classes: all')]
    assert f'{100 * figures["first_half"]["accuracy"]:.1f}' in part and '10 times or more' in part
    assert 'accuracy by utterances heard before' in part
    assert Page(page).open == []

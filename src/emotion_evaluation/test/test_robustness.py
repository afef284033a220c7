"""The matrix: its figures on distributions that are known, and a short run on real pairs."""

import json
from pathlib import Path

import numpy as np
import pytest

from emotion_core.evidence import Evidence
from emotion_evaluation import robustness, robustness_docs
from emotion_evaluation.cli import main
from emotion_evaluation.datasets import Dataset, Item
from emotion_evaluation.errors import BagError

DOCS = Path(__file__).resolve().parents[3] / 'docs'
DATA = Path(__file__).resolve().parents[4] / 'shared' / 'data'
SPEAKERS = 4


def dataset(name, count, task='ser', missing=None):
    items = [
        Item(f'{name} {i}', i % 6, f'{name}/{i % SPEAKERS}', lambda: np.zeros(1))
        for i in range(count)
        if i % 6 != missing
    ]
    return Dataset(name, name, task, items)


def pairs(count=48):
    return robustness.choose_pairs(dataset('faces', 96, 'fer'), [dataset('one', 60), dataset('two', 36)], count)


class Scripted:
    """Nodes whose face is right at even pairs and whose voice is right at odd ones; a dark face is never right."""

    def __init__(self, chosen):
        self._pairs = chosen

    def face(self, number, cell):
        if cell.face is None:
            return None
        is_dark = cell.face != robustness.CLEAR
        return self._say('face', number, not is_dark and number % 2 == 0, 0.9 if number % 2 == 0 else 0.4)

    def speech(self, number, cell):
        return None if cell.speech is None else self._say('speech', number, number % 2 == 1, 0.7)

    def _say(self, source, number, is_right, confidence):
        label = (self._pairs[number].label + (0 if is_right else 1)) % 6
        probabilities = np.full(6, (1 - confidence) / 5)
        probabilities[label] = confidence
        now = robustness.NOW_NS
        name = robustness.FACE_ID if source == 'face' else ''
        evidence = Evidence(now, now, source, probabilities, confidence, subject_id=name)
        return robustness.Said(evidence, probabilities[::-1])


def test_pairs_are_balanced_repeatable_and_use_everything_before_anything_twice():
    chosen = pairs()
    one, other = ([(p.face.name, p.earlier.name, p.voice.name) for p in some] for some in (chosen, pairs()))
    assert one == other
    assert np.bincount([pair.label for pair in chosen]).tolist() == [8] * 6
    assert sum(pair.corpus == 'one' for pair in chosen) == 24
    assert all(pair.label == pair.face.label == pair.voice.label for pair in chosen)
    assert len({pair.face.name for pair in chosen}) == len({pair.voice.name for pair in chosen}) == 48
    assert any(pair.earlier.label != pair.label for pair in chosen)
    with pytest.raises(BagError, match="'two' has nothing surprise"):
        robustness.choose_pairs(dataset('faces', 96), [dataset('one', 60), dataset('two', 60, missing=5)], 48)


def test_figures_of_each_row_are_those_of_what_was_said():
    chosen = pairs()
    cells = [
        robustness.CELLS[0],
        robustness.CELLS[1],
        robustness.Cell('deaf', speech=None),
        robustness.Cell('blind', None),
    ]
    done = []
    table = robustness.measure(chosen, Scripted(chosen), cells, lambda: done.append(1))
    clean, dark, deaf, blind = (table['cells'][cell.name] for cell in cells)
    assert len(done) == 4 * 48 and table['speakers'] == 2 * SPEAKERS
    assert clean['rows']['face']['accuracy'] == clean['rows']['speech']['accuracy'] == 0.5
    assert clean['rows']['oracle']['accuracy'] == 1 and clean['rows']['log_linear']['accuracy'] == 1
    assert dark['rows']['face']['accuracy'] == 0 and dark['rows']['oracle']['accuracy'] == 0.5
    by_itself = [5 - (pair.label + number % 2) % 6 == pair.label for number, pair in enumerate(chosen)]
    assert deaf['rows']['plain']['accuracy'] == pytest.approx(np.mean(by_itself), abs=1e-4)
    for cell, there in ((deaf, 'face'), (blind, 'speech')):
        assert {cell['rows'][row]['macro_f1'] for row in (there, 'fixed', 'dynamic', 'log_linear')} == {
            cell['rows'][there]['macro_f1']
        }
        assert cell['over_single'] == 0 and cell['single'] == there
    assert blind['coverage'] == {'face': 0, 'speech': 1}
    assert (blind['face_weight'], blind['speech_weight'], deaf['speech_weight']) == (0, 1, 0)
    assert blind['reasons'] == {'face': 'no face', 'speech': 'clear'}
    told = {target['target'][:5]: target for target in robustness.targets(table)}
    assert told['clean']['met']
    assert told['clean']['reached'] == pytest.approx(1 - clean['rows'][clean['single']]['macro_f1'])


def test_cell_that_loses_is_named():
    chosen = pairs()

    class Misled(Scripted):
        def face(self, number, cell):
            return self._say('face', number, False, 0.99)

    cells = [robustness.CELLS[0], robustness.CELLS[1]]
    table = robustness.measure(chosen, Misled(chosen), cells)
    every = next(target for target in robustness.targets(table) if target['target'].startswith('every'))
    assert not every['met'] and every['missed'] == ['clean', 'dark'] and every['reached'] < -0.3


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the corpora are not on this machine ('{DATA}')")
def test_matrix_of_real_pairs(tmp_path, capsys):
    arguments = ['--robustness', '--data', str(DATA), '--pairs', '24', '--out', str(tmp_path)]
    assert main('evaluate', arguments) == 0
    table = json.loads((tmp_path / 'metrics.json').read_text())
    assert list(table['cells']) == [cell.name for cell in robustness.CELLS] and table['pairs'] == 24
    assert table['made']['models'].keys() == {'face', 'speech'} and len(table['made']['data_sha256']) == 64
    clean, silent = table['cells']['clean'], table['cells']['silence']
    assert clean['rows']['log_linear']['macro_f1'] > 0.5  # chance is a sixth
    assert silent['face_weight'] > clean['face_weight'] + 0.1 and 'dB' in silent['reasons']['speech']
    assert table['cells']['missing face']['reasons']['face'] == 'no face'
    for row in ('fixed', 'dynamic', 'log_linear'):
        assert table['cells']['missing face']['rows'][row] == table['cells']['missing face']['rows']['speech']
    page = (tmp_path / 'report.html').read_text()
    assert page.count('<svg') == 1 and '{{' not in page and 'half profile' in page
    assert 'frozen camera' in capsys.readouterr().out


def test_too_few_pairs_get_a_sentence(tmp_path, capsys):
    assert main('evaluate', ['--robustness', '--pairs', '1', '--out', str(tmp_path)]) == 1
    assert '--pairs must be at least' in capsys.readouterr().err


def test_page_is_what_the_figures_say():
    page = DOCS / 'evaluation.md'
    if not page.is_file():
        pytest.skip('docs/evaluation.md is only in a checkout')
    table = json.loads((DOCS / robustness_docs.FIGURES).read_text())
    assert robustness_docs.render(table) in page.read_text(), 'run `python -m emotion_evaluation.robustness_docs`'
    assert robustness_docs.replaced(page.read_text(), table) == page.read_text()
    assert set(table['made']) == {'command', 'commit', 'versions', 'models', 'data_sha256'}
    assert 'dirty' not in table['made']['commit']

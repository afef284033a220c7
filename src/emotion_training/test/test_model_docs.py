"""The page of the models is what their cards say."""

from pathlib import Path

import pytest

from emotion_core.emotions import EMOTIONS
from emotion_training import model_docs

PAGE = Path(__file__).resolve().parents[3] / 'docs' / 'models.md'


def test_page_is_what_the_cards_say():
    if not PAGE.is_file():
        pytest.skip('docs/models.md is only in a checkout')
    assert PAGE.read_text() == model_docs.render(), 'run `python -m emotion_training.model_docs > docs/models.md`'


def test_page_tells_of_every_model_what_a_person_must_know():
    page = model_docs.render()
    found = model_docs.cards()
    assert {card.name for _, card in found} >= {'fer_compact', 'ser_compact'}
    for _, card in found:
        part = page[page.index(f'## {card.name}\n') :]
        for text in (card.sha256, card.licence, card.under_represented, card.limits, card.not_for):
            assert text and text in part
        for figures in model_docs.test_groups(card).values():
            assert f'| {figures["n"]} | {figures["interval"]["sources"]} | {figures["accuracy"]:.3f}' in part
            assert all(label in part for label in model_docs.weak_classes(figures))
        assert all(source in part for source in card.training['data'])
        assert card.training['command'] in part
    assert page.count('Intervals of fewer than 10 speakers are too narrow') == 1  # the pictures are many


def test_weak_classes_are_those_of_which_less_than_half_is_recognised_weakest_first():
    figures = {'recall': dict(zip(EMOTIONS, (0.6, 0.33, 0.88, 0.5, 0.2, 0.79)))}
    assert model_docs.weak_classes(figures) == ['sad', 'fear']

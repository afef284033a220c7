import pytest

from emotion_session.prompts import PROMPTS, choose_language, prompt


@pytest.mark.parametrize(
    'wanted, language',
    [(['de-AT', 'en'], 'de'), (['ja', 'pl_PL'], 'pl'), (['ja'], 'en'), ([], 'en'), ([''], 'en'), (['FR'], 'fr')],
)
def test_first_wanted_language_that_is_known(wanted, language):
    assert choose_language(wanted) == language


def test_every_language_has_every_sentence():
    for language, texts in PROMPTS.items():
        assert texts.keys() == PROMPTS['en'].keys(), language
        assert len(texts['emotions']) == 6
        assert '{' not in prompt(language, 'locked', 'happy')

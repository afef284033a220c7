import pytest

from emotion_core.errors import InputError
from emotion_core.layout import label_and_person


@pytest.mark.parametrize(
    'path, label, person',
    [
        ('angry', 'angry', ''),
        ('angry/anna', 'angry', 'anna'),
        ('anna/Anger', 'Anger', 'anna'),
        ('anna/monday/angry', 'angry', 'anna'),
        ('angry/anna/monday', 'angry', 'anna'),
        ('disgust/anna', 'disgust', 'anna'),
        ('anna/froh', 'froh', 'anna'),
        ('colour/anna', 'colour', 'anna'),
    ],
)
def test_emotion_is_the_folder_that_names_one_and_the_other_is_of_whom(path, label, person):
    assert label_and_person(path.split('/'), {'froh'}) == (label, person)


def test_file_in_no_folder_has_neither():
    assert label_and_person([]) == ('', '')


def test_two_emotions_on_one_path_are_told():
    with pytest.raises(InputError, match="both 'joy' and 'angry' name an emotion"):
        label_and_person(['joy', 'angry'])

import pytest

from emotion_core.errors import InputError
from emotion_core.layout import files_below, label_and_person, labelled_files


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


@pytest.mark.parametrize(
    'table, sentence',
    [
        ('file\nx.wav\n', "begins with the line 'file': path,label and perhaps speaker are needed"),
        ('path;label\nx.wav;sad\n', "begins with the line 'path;label'"),
        ('path,label\n', 'a line for each file is needed'),
        ('path,label\nx.wav,sad\n./x.wav,happy\n', r"line 3: './x.wav' was named before \(.*line 2\)"),
        ('label,path\nsad,x.wav\nsad\n', 'line 3: a path and a label are needed'),
        ('path,label\nx.wav\n', 'line 2: a path and a label are needed'),
    ],
)
def test_table_that_lacks_something_gets_a_sentence(tmp_path, table, sentence):
    (tmp_path / 'table.csv').write_text(table)
    with pytest.raises(InputError, match=sentence):
        labelled_files(tmp_path / 'table.csv', ())


def test_links_to_folders_are_followed_and_loops_are_not(tmp_path):
    (tmp_path / 'all' / 'angry').mkdir(parents=True)
    (tmp_path / 'all' / 'angry' / '1.wav').touch()
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'angry').symlink_to(tmp_path / 'all' / 'angry')
    (tmp_path / 'all' / 'angry' / 'again').symlink_to(tmp_path / 'all')
    (tmp_path / 'mine' / 'dead').symlink_to(tmp_path / 'nowhere')
    assert files_below(tmp_path / 'mine') == [
        tmp_path / 'mine' / 'angry' / '1.wav',
    ]

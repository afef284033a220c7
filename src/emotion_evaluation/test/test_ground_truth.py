import pytest
from bags import write_strings

from emotion_evaluation.cli import main
from emotion_evaluation.errors import LabelError
from emotion_evaluation.ground_truth import Interval, Mark, intervals_of, marks_of, read_csv, write_csv
from emotion_evaluation.run_evaluate import labels_of
from emotion_evaluation.run_label import Labeller, label_in_name

S = 1_000_000_000


def read(tmp_path, text, origin=100 * S):
    path = tmp_path / 'labels.csv'
    path.write_text(text)
    return read_csv(path, origin)


def test_times_count_from_the_bag_or_from_the_epoch(tmp_path):
    rows = 'start,end,subject,label\n1.5,2,anna,joy\n1700000000,1700000001.25,,calm\n'
    assert read(tmp_path, rows) == [
        Interval(101_500_000_000, 102 * S, 'anna', 'happy'),
        Interval(1_700_000_000 * S, 1_700_000_001_250_000_000, '', 'neutral'),
    ]


def test_open_end_lasts_until_the_next_label_of_the_same_subject(tmp_path):
    found = read(tmp_path, 'start,end,subject,label\n0,,a,sad\n1,2,b,fear\n3,4,a,happy\n')
    assert [(item.start_ns // S - 100, item.end_ns // S - 100, item.label) for item in found] == [
        (0, 3, 'sad'),
        (1, 2, 'fear'),
        (3, 4, 'happy'),
    ]


@pytest.mark.parametrize(
    'rows, sentence',
    [
        ('0,1,,cheerful\n', "line 2: 'cheerful' is none of"),
        ('0,1,,sad\n2,1,,sad\n', 'line 3: the end 1 is not after'),
        ('0,1,,sad\nnan,1,,sad\n', "line 3: 'nan' is no time"),
        ('0,,,sad\n', 'needs an end'),
        ('0,5,a,sad\n1,2,b,fear\n4,6,a,happy\n', "subject 'a' overlap, sad and happy at 4.000 s"),
    ],
)
def test_bad_line_is_named(tmp_path, rows, sentence):
    with pytest.raises(LabelError, match=sentence):
        read(tmp_path, 'start,end,subject,label\n' + rows)


@pytest.mark.parametrize('rows', ['0,1,sad\n', ''])
def test_missing_columns_are_named(tmp_path, rows):
    with pytest.raises(LabelError, match='start,end,subject,label, it has from,to,label'):
        read(tmp_path, 'from,to,label\n' + rows)


def test_marks_and_intervals_are_the_same_thing(tmp_path):
    intervals = [Interval(0, 2 * S, 'a', 'sad'), Interval(2 * S, 3 * S, 'a', 'happy'), Interval(S, 4 * S, 'b', 'fear')]
    marks = marks_of(intervals)
    assert [mark.label for mark in marks] == ['sad', 'fear', 'happy', '', '']
    assert intervals_of(marks, 9 * S) == sorted(intervals)
    write_csv(tmp_path / 'x.csv', intervals, 0)
    assert read_csv(tmp_path / 'x.csv', 0) == sorted(intervals)


def test_emotion_that_is_left_out_is_no_label(tmp_path):
    table = read(tmp_path, 'start,end,subject,label\n0,,anna,happy\n1,2,anna,disgust\n2,3,anna,sad\n', origin=0)
    assert [(item.start_ns, item.end_ns, item.label) for item in table] == [(0, S, 'happy'), (2 * S, 3 * S, 'sad')]
    marks = [Mark(0, 'anna', 'happy'), Mark(S, 'anna', 'disgust'), Mark(2 * S, 'anna', 'sad')]
    assert intervals_of(marks, 3 * S) == table


def test_last_mark_lasts_to_the_end_of_the_bag():
    assert intervals_of([Mark(S, '', 'sad')], 5 * S) == [Interval(S, 5 * S, '', 'sad')]


def test_keys_become_marks_and_undo_takes_the_last_back():
    labeller = Labeller('anna')
    pressed = [labeller.press(key, number) for number, key in enumerate('33x5u0')]
    assert [mark and mark.label for mark in pressed] == ['happy', None, None, 'sad', 'happy', '']
    assert [(mark.stamp_ns, mark.label) for mark in labeller.marks] == [(0, 'happy'), (5, '')]


def test_what_is_published_while_somebody_types_says_the_same_as_the_table():
    labeller = Labeller('anna')
    published = [labeller.press(key, number * S) for number, key in enumerate('35u62uu45u', start=1)]
    assert intervals_of(published, 60 * S) == intervals_of(labeller.marks, 60 * S)
    assert [(item.start_ns // S, item.label) for item in intervals_of(published, 60 * S)] == [
        (1, 'happy'),
        (8, 'neutral'),
    ]


def test_bags_whose_names_have_dots_have_labels_of_their_own(tmp_path):
    for name in ('1_happy', '2_sad'):
        write_strings(tmp_path / f'walk.{name}', 3)
    names = [tmp_path / f'walk.{name}' for name in ('1_happy', '2_sad')]
    assert main('label', ['--names', *map(str, names)]) == 0
    names.append(names[0] / 'walk.1_happy.mcap')
    assert [labels_of(bag, None, 3) for bag in names] == [
        tmp_path / 'walk.1_happy.csv',
        tmp_path / 'walk.2_sad.csv',
        None,
    ]
    assert labels_of(names[1], tmp_path, 3) == tmp_path / 'walk.2_sad.csv'
    assert labels_of(names[2], tmp_path, 3) == tmp_path / 'walk.1_happy.csv'
    assert [read_csv(labels_of(bag, None, 3), 0)[0].label for bag in names[:2]] == ['happy', 'sad']


def test_labels_that_are_there_are_not_overwritten_by_those_in_names(tmp_path, capsys):
    for name in ('happy', 'sad'):
        write_strings(tmp_path / name, 3)
    (tmp_path / 'sad.csv').write_text('typed by hand')
    assert main('label', ['--names', str(tmp_path / 'happy'), str(tmp_path / 'sad')]) == 1
    assert f"'{tmp_path / 'sad.csv'}' is there already" in capsys.readouterr().err
    assert (tmp_path / 'sad.csv').read_text() == 'typed by hand' and not (tmp_path / 'happy.csv').exists()


@pytest.mark.parametrize('name, label', [('happy_03.mcap', 'happy'), ('anna-Sadness', 'sad'), ('02_calm_x', 'neutral')])
def test_name_tells_the_label(tmp_path, name, label):
    assert label_in_name(tmp_path / name) == label


@pytest.mark.parametrize('name', ['walk', 'happy_to_sad'])
def test_name_that_tells_none_or_two_is_refused(tmp_path, name):
    with pytest.raises(LabelError, match=name):
        label_in_name(tmp_path / name)


def test_label_that_lasts_an_instant_is_read_as_it_was_written(tmp_path):
    begin = 1_795_749_974_371_200_300  # since the epoch
    held = [Interval(begin, begin + 200, 'anna', 'happy'), Interval(begin + 200, begin + 300, 'anna', 'sad')]
    write_csv(tmp_path / 'labels.csv', held, 0)
    assert read_csv(tmp_path / 'labels.csv', 0) == held

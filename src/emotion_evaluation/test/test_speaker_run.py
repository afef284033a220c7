"""Scenes of two people, and whose a voice is taken for in them."""

import re

import cv2
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from emotion_drivers.scenario import ASSETS, HEIGHT, WIDTH
from emotion_evaluation import speaker_run, two_people
from emotion_evaluation.scenario_bag import to_utterance
from emotion_evaluation.speaker_run import Outcome, figures, share
from emotion_evaluation.two_people import BEHAVIOURS, MOUTHS, OFF_CAMERA, STILL, Portrait, make_meeting, move_mouth
from emotion_fusion.speaker import LARGEST, MOUTH

FACE = slice(40, 190), slice(150, 300)  # of the demo's portrait
CORNERS = np.array([(204.0, 139.0), (247.0, 139.0)]) - (150, 40)


@pytest.fixture(scope='module')
def portraits():
    picture = cv2.imread(str(ASSETS / 'portrait.jpg'))[FACE]
    mirrored = np.array((149.0, 0.0)) + CORNERS[::-1] * (-1, 1)
    return Portrait(picture, CORNERS), Portrait(np.ascontiguousarray(picture[:, ::-1]), mirrored)


@pytest.fixture(scope='module')
def voices():
    return [to_utterance(*soundfile.read(ASSETS / f'{name}.ogg', dtype='float32')) for name in ('glad', 'plain')]


def test_the_same_arguments_make_the_same_meeting(portraits, voices):
    one, other = (make_meeting(MOUTHS, 3, portraits, *voices) for _ in range(2))
    np.testing.assert_array_equal(two_people.draw(one, 20), two_people.draw(other, 20))
    np.testing.assert_array_equal(one.sound, other.sound)
    assert two_people.draw(one, 20).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize('condition', BEHAVIOURS)
def test_the_larger_one_speaks_in_every_second_meeting(condition, portraits, voices):
    meetings = [make_meeting(condition, number, portraits, *voices) for number in range(8)]
    assert [meeting.speaker == meeting.largest for meeting in meetings] == [True, False] * 4
    assert {meeting.speaker for meeting in meetings} == {0, 1}
    assert make_meeting(OFF_CAMERA, 0, portraits, *voices).speaker is None


def test_only_the_mouth_of_the_speaker_follows_the_voice(portraits, voices):
    follows = []
    for number in range(8):
        meeting = make_meeting(MOUTHS, number, portraits, *voices)
        envelope = two_people._envelope(meeting.sound)
        rows = [np.corrcoef(actor.opening, envelope)[0, 1] for actor in meeting.actors]
        follows.append((rows[meeting.speaker], rows[1 - meeting.speaker]))
    theirs, others = np.mean(follows, axis=0)
    assert 0.5 < theirs < 0.97  # imperfectly
    assert abs(others) < 0.3


def test_a_mouth_opens_downwards_and_nothing_above_the_nose_moves(portraits):
    portrait = portraits[0]
    as_it_is, opened = move_mouth(portrait, 0.0, 0.0), move_mouth(portrait, 1.0, 0.0)
    np.testing.assert_array_equal(as_it_is, portrait.picture)
    changed = np.abs(opened.astype(int) - as_it_is).max(axis=(1, 2))
    assert not changed[: round(CORNERS[0, 1]) - 15].any()
    assert changed[round(CORNERS[0, 1]) :].max() > 30


@given(st.integers(0, 50), st.integers(1, 50))
def test_an_interval_is_around_its_share_and_inside_0_and_1(part, more):
    row = share(part, part + more)
    low, high = row['interval']
    assert 0 <= low <= row['share'] <= high <= 1


def test_the_interval_is_that_of_wilson():
    assert share(5, 10) == {'n': 10, 'share': 0.5, 'interval': [0.2366, 0.7634]}
    assert share(0, 0) == {'n': 0}


def outcome(condition=STILL, speaker=0, given=0, rule=MOUTH, correlations=(0.9, 0.1)):
    return Outcome(condition, speaker, 1, given, rule, 1, correlations)


def test_figures_count_by_rule_and_condition():
    outcomes = [
        outcome(),
        outcome(given=1, rule=LARGEST, correlations=(0.3, 0.1)),
        outcome(MOUTHS, given=1),
        outcome(OFF_CAMERA, None, given=1, rule=LARGEST),
        outcome(given=None, rule=''),  # no voice was found
    ]
    table = figures(outcomes)
    rows = table['conditions']
    assert (table['meetings'], table['without_voice']) == (5, 1)
    assert (rows['all']['right']['n'], rows['all']['right']['share']) == (3, 0.3333)
    assert rows['all']['largest_face']['share'] == 0
    assert rows[STILL]['by_mouth']['share'] == 0.5 and rows[STILL]['right_by_mouth']['share'] == 1
    assert rows[OFF_CAMERA]['by_mouth']['share'] == 0
    assert rows['all, the smaller speaks']['right']['n'] == 3


def test_thresholds_are_those_that_tell_speakers_from_voices_of_nobody():
    seen = [outcome(correlations=(0.62, 0.1))] * 9 + [outcome(correlations=(0.3, 0.2))]
    off = [outcome(OFF_CAMERA, None, correlations=(0.48, 0.1))] * 5
    chosen = speaker_run._chosen(seen + off)
    assert 0.48 < chosen['correlation'] <= 0.62 and chosen['mean_share'] == 0.95


def test_the_smaller_face_gets_the_voice_that_its_mouth_moves_with(portraits, voices):
    meeting = make_meeting(STILL, 1, portraits, *voices)
    found = speaker_run.attend(meeting)
    assert (found.given, found.rule) == (meeting.speaker, MOUTH)
    assert found.fallback == meeting.largest != meeting.speaker


def test_an_odd_number_of_scenes_is_refused_with_a_sentence(capsys):
    from emotion_evaluation.cli import main

    assert main('evaluate', ['--speakers', '3']) == 1
    assert re.search('must be even', capsys.readouterr().err)

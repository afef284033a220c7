import json
import math

import pytest

from emotion_view.web.board import HISTORY_S, Board, plain
from emotion_view.web.node_health import FORGET_S, SILENT_S, NodeHealth

TOPICS = {
    'image': '/image_raw',
    'audio': '/audio',
    'faces': '/emotion/faces',
    'activity': '/emotion/speech/activity',
    'fused': '/emotion/fused',
}


def estimate(subject, label='happy', happy=0.8):
    p = [(1 - happy) / 5] * 6
    p[2] = happy
    return {'id': subject, 'label': label, 'fused': p, 'models': {'face': 'fer@1', 'voice': '', 'fusion': 'dynamic'}}


def test_what_is_no_number_becomes_null():
    assert json.dumps(plain({'a': (math.inf, -math.inf, math.nan, 0.123456, 3, 'x', None)}), allow_nan=False) == (
        '{"a": [null, null, null, 0.1235, 3, "x", null]}'
    )


def test_largest_face_comes_first_and_a_voice_without_face_last():
    board = Board()
    board.add_faces(['f0002', 'f0001'], 'yunet', 0.0)
    for subject in ('', 'f0001', 'f0002'):
        board.add_estimate(estimate(subject), 0.1)
    assert [shown['id'] for shown in board.estimates(0.2)] == ['f0002', 'f0001', '']


def test_old_estimates_and_sounds_are_not_shown():
    board = Board(max_age=2.0)
    board.add_estimate(estimate('f0001'), 0.0)
    board.keep('hearing', {'level': -20.0}, 0.0)
    assert board.parts(1.9)['estimates'] and board.parts(1.9)['hearing'] == {'level': -20.0}
    assert board.parts(2.1)['estimates'] == [] and board.parts(2.1)['hearing'] is None


def test_game_that_is_not_heard_of_does_not_go_on():
    board = Board(max_age=2.0)
    board.keep('game', {'active': True, 'round': 2}, 0.0)
    assert board.parts(1.9)['game'] == {'active': True, 'round': 2}
    assert board.parts(2.1)['game'] == {'active': False, 'round': 2}
    assert board.parts(2.1)['session'] is None


def test_history_is_the_last_minute_of_the_largest_face_four_points_a_second():
    board = Board()
    board.add_faces(['f0001', 'f0002'], 'yunet', 0.0)
    for step in range(1000):
        board.add_estimate(estimate('f0001', 'happy' if step < 900 else 'uncertain'), step / 10)
        board.add_estimate(estimate('f0002', 'sad'), step / 10)
    points = board.history(99.9)
    assert max(point[0] for point in points) <= HISTORY_S
    assert len(points) == pytest.approx(HISTORY_S / 0.3, rel=0.02)  # the first multiple of 0.1 s from 0.25 s on
    assert {point[1] for point in points} == {2, -1}
    assert points[-1][2:] == estimate('')['fused']
    board.forget()
    assert board.history(100.0) == [] and board.estimates(100.0) == []


def test_newest_models_are_kept_when_a_modality_is_silent():
    board = Board()
    board.add_estimate(estimate(''), 0.0)
    board.add_estimate({**estimate(''), 'models': {'face': '', 'voice': 'ser@2', 'fusion': 'dynamic'}}, 0.1)
    assert board.parts(0.1)['models'] == {'face': 'fer@1', 'voice': 'ser@2', 'fusion': 'dynamic'}


def test_what_is_missing_is_said_with_what_to_do():
    board = Board()
    said = board.missing(TOPICS, set(), 0.0, 1.0)
    assert said['picture'] == 'no image on /image_raw: is a camera running? try `./emotion devices`'
    assert all(sentence.startswith('no ') for sentence in said.values())
    assert set(said) == {'picture', 'face', 'voice', 'fused'}
    said = board.missing(TOPICS, set(TOPICS), 0.0, 1.0)
    assert 'picture' not in said and 'fused' not in said
    there = 'a microphone node is there, but no sound comes on /audio: '
    assert said['voice'] == there + 'try `./emotion devices`'
    said = board.missing(TOPICS, set(TOPICS) - {'audio'}, 0.0, 1.0)
    assert said['voice'] == 'no sound on /audio: is a microphone running? try `./emotion devices`'
    board.health.add('microphone', 1, 'there is no microphone: plug one in', {}, 0.0)
    assert board.missing(TOPICS, set(TOPICS), 0.0, 1.0)['voice'] == there + 'there is no microphone: plug one in'
    board.health.add('camera', 1, "cannot open '0'", {}, 0.0)
    assert board.missing(TOPICS, set(TOPICS), 5.0, 1.0)['picture'].endswith("comes on /image_raw: cannot open '0'")
    nothing = board.missing(TOPICS, set(), 0.0, 1.0)
    assert nothing['picture'] == "no image on /image_raw: cannot open '0'", 'it could not even be configured'
    board.add_faces([], 'yunet', 1.0)
    board.keep('hearing', {}, 1.0)
    assert board.missing(TOPICS, set(TOPICS), 0.0, 1.0) == {'face': 'nobody in the picture'}


def test_command_that_starts_a_node_names_the_namespace():
    told = [Board(namespace).missing(TOPICS, set(), 0.0, 1.0)['face'] for namespace in ('/', '/robot1')]
    assert told == [
        'no face node is running: `./emotion up` starts it',
        'no face node is running: `./emotion up namespace:=robot1` starts it',
    ]


def test_node_is_well_while_it_speaks_and_silent_after():
    health = NodeHealth()
    health.add('emotion_face', 0, 'active', {}, 0.0)
    health.add('camera', 1, 'no source', {}, 0.0)
    assert [(row['name'], row['state']) for row in health.view(SILENT_S)] == [
        ('camera', 'warn'),
        ('emotion_face', 'ok'),
    ]
    row = health.view(SILENT_S + 1)[1]
    assert (row['state'], row['message']) == ('silent', f'silent for {SILENT_S + 1:.0f} s')
    assert health.is_silent('/emotion_face', SILENT_S + 1) and not health.is_silent('/unheard_of', 99.0)
    health.add('emotion_face', 2, 'cannot configure', {}, 9.0)
    assert health.view(9.0)[1]['state'] == 'error'
    assert health.view(9.0 + FORGET_S) == []


def test_only_nodes_of_the_own_namespace_are_listed():
    health = NodeHealth('/robot1')
    for name in ('robot1/camera', 'robot10/camera', 'camera'):
        health.add(name, 0, 'active', {}, 0.0)
    assert [row['name'] for row in health.view(0.0)] == ['camera']
    health.add('robot1/camera', 1, 'warm', {}, 0.1)
    assert health.message('camera') == 'warm'


def test_what_others_say_of_themselves_is_not_listed():
    health = NodeHealth()
    for name in ('battery', 'camera: device', 'robot1/camera', 'emotion_face'):
        health.add(name, 0, 'charged', {'cells': '²', 'latency_ms_p50': 'low', 'latency_ms_p95': '1'}, 0.0)
    assert [row['name'] for row in health.view(0.0)] == ['emotion_face', 'robot1/camera']
    assert health.is_silent('battery', SILENT_S + 1)


def test_rate_is_that_of_the_busiest_count_and_survives_a_restart():
    health = NodeHealth()
    values = {
        'received image_raw': '10',
        'published': '1',
        'problem: x': '900',
        'latency_ms_p50': '11.0',
        'latency_ms_p95': '28.5',
    }
    health.add('camera', 0, 'active', values, 0.0)
    later = {**values, 'received image_raw': '70', 'published': '3', 'problem: x': '990'}
    health.add('camera', 0, 'active', later, 2.0)
    row = health.view(2.0)[0]
    assert (row['rate'], row['rate_of'], row['p50'], row['p95']) == (30.0, 'image_raw', 11.0, 28.5)
    health.add('camera', 0, 'active', {'received image_raw': '5'}, 3.0)
    assert 'rate' not in health.view(3.0)[0]

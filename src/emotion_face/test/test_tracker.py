import numpy as np
import pytest

from emotion_face.detector import Detection
from emotion_face.tracker import Tracker, looks_of

S = 1_000_000_000
FRAME = S // 30
ANN, BOB, EVE = np.eye(3, dtype=np.float32)  # looks that have nothing in common


def at(x, y=100.0, size=80.0):
    return Detection((x, y, size, size * 1.2), 0.9)


def ids(tracks):
    return [track.id for track in tracks]


def test_new_faces_are_numbered_from_the_left_and_given_largest_first():
    tracks = Tracker().update([at(300, size=80), at(100, size=60), at(500, size=100)], [ANN, BOB, EVE], 0)
    assert ids(tracks) == ['f0003', 'f0002', 'f0001']


@pytest.mark.parametrize('hz', [0.5, 2, 5, 30, 120])
def test_a_walking_face_keeps_its_id_at_any_frame_rate(hz):
    tracker = Tracker()
    speed = min(150.0, 30.0 * hz)  # px/s; at 0.5 Hz no more than a third of a box from frame to frame
    for number in range(20):
        tracks = tracker.update([at(speed * number / hz)], [ANN], int(number / hz * S))
        assert ids(tracks) == ['f0001']


@pytest.mark.parametrize(
    'lost,expected', [(0.1, 'f0001'), (0.5, 'f0001'), (0.95, 'f0001'), (1.1, 'f0002'), (4.0, 'f0002')]
)
def test_a_face_keeps_its_id_through_a_short_loss_only(lost, expected):
    tracker = Tracker(max_lost=1.0)
    stamp = 0
    for _ in range(10):
        stamp += FRAME
        tracker.update([at(100)], [ANN], stamp)
    end = stamp + int(lost * S)
    while stamp + FRAME < end:
        stamp += FRAME
        tracker.update([], [], stamp)
    assert ids(tracker.update([at(110)], [ANN], end)) == [expected]


@pytest.mark.parametrize('gap,expected', [(2.0, 'f0001'), (10.0, 'f0002')])
def test_a_long_pause_of_the_camera_ends_all_tracks(gap, expected):
    tracker = Tracker()
    tracker.update([at(100)], [ANN], 0)
    assert ids(tracker.update([at(100)], [ANN], int(gap * S))) == [expected]


def test_face_found_too_long_after_its_loss_is_new_though_few_frames_came():
    tracker = Tracker(max_lost=1.0)
    tracker.update([at(100)], [ANN], 0)
    tracker.update([], [], S // 10)
    assert ids(tracker.update([at(100)], [ANN], 2 * S)) == ['f0002']


def test_no_loss_at_all_may_be_allowed():
    tracker = Tracker(max_lost=0.0)
    assert [ids(tracker.update([at(100)], [ANN], number * FRAME)) for number in range(3)] == [['f0001']] * 3
    tracker.update([], [], 3 * FRAME)
    assert ids(tracker.update([at(100)], [ANN], 4 * FRAME)) == ['f0002']


def test_a_missing_face_is_carried_on_for_a_moment_then_not_shown():
    tracker = Tracker(coast=0.25)
    for number in range(31):
        tracker.update([at(100 + 5 * number)], [ANN], number * FRAME)
    (track,) = tracker.update([], [], 31 * FRAME)
    assert track.id == 'f0001' and not track.is_seen
    assert track.detection.box[0] == pytest.approx(100 + 5 * 31, abs=1.5)
    shown = [len(tracker.update([], [], number * FRAME)) for number in range(32, 60)]
    assert shown == [1] * 6 + [0] * 22


def test_landmarks_are_carried_along():
    tracker = Tracker()
    for number in range(20):
        corner = 100.0 + 5 * number
        face = Detection((corner, corner, 80, 96), 0.9, np.full((5, 2), corner))
        tracker.update([face], [ANN], number * FRAME)
    (track,) = tracker.update([], [], 20 * FRAME)
    assert track.detection.landmarks == pytest.approx(np.full((5, 2), 200.0), abs=2)
    assert track.seen.landmarks[0, 0] == 195.0


@pytest.mark.parametrize('hz', [5, 10, 30])
@pytest.mark.parametrize('looks', [(ANN, BOB), (ANN, ANN)], ids=['different', 'alike'])
@pytest.mark.parametrize('seed', range(5))
def test_two_who_cross_keep_their_ids(seed, looks, hz):
    random = np.random.default_rng(seed)
    tracker = Tracker()
    seen = {}
    for number in range(int(3 * hz)):
        seconds = number / hz
        left, right = 100 + 120 * seconds, 460 - 120 * seconds  # they meet after 1.5 s
        faces = [(left, looks[0]), (right, looks[1])]
        if abs(left - right) < 40:
            faces = faces[:1]  # the front one hides the other
        detections = [at(x + random.normal(0, 2), 100 + random.normal(0, 2)) for x, _ in faces]
        tracks = tracker.update(detections, [look for _, look in faces], int(seconds * S))
        seen = {track.id: track.detection.box[0] for track in tracks}
        assert set(seen) <= {'f0001', 'f0002'}
    assert seen['f0001'] > seen['f0002']


def test_looks_decide_when_two_turn_round_behind_each_other():
    tracker = Tracker()
    for number in range(90):
        seconds = number / 30
        left = 200 + 60 * min(seconds, 3 - seconds)  # both come to the middle and go back
        right = 400 - 60 * min(seconds, 3 - seconds)
        faces = [(at(left), ANN), (at(right), BOB)] if right - left > 60 else [(at(left), ANN)]
        tracks = tracker.update([face for face, _ in faces], [look for _, look in faces], number * FRAME)
    assert {track.id: track.detection.box[0] < 300 for track in tracks} == {'f0001': True, 'f0002': False}


def test_someone_else_far_away_gets_an_id_of_their_own():
    tracker = Tracker()
    tracker.update([at(100)], [ANN], 0)
    assert ids(tracker.update([at(100), at(400)], [ANN, BOB], FRAME)) == ['f0001', 'f0002']


def test_hidden_face_is_not_shown_on_top_of_the_one_in_front():
    tracker = Tracker()
    tracker.update([at(100), at(190)], [ANN, BOB], 0)
    assert len(tracker.update([at(110), at(180)], [ANN, BOB], FRAME)) == 2
    for number in range(2, 4):
        tracks = tracker.update([at(145)], [ANN], number * FRAME)
    assert ids(tracks) == ['f0001']


def test_candidates_get_an_id_only_after_enough_hits_in_a_row():
    tracker = Tracker(confirmations=3)
    assert tracker.update([at(100)], [ANN], 0) == []
    assert tracker.update([], [], FRAME) == []
    assert tracker.update([at(100)], [ANN], 2 * FRAME) == []
    assert tracker.update([at(100)], [ANN], 3 * FRAME) == []
    assert ids(tracker.update([at(100)], [ANN], 4 * FRAME)) == ['f0001']


def test_a_sure_candidate_is_believed_at_once():
    tracker = Tracker(confirmations=3, sure=0.8)
    assert ids(tracker.update([Detection((100, 100, 80, 80), 0.8)], [ANN], 0)) == ['f0001']
    assert ids(tracker.update([at(100), Detection((300, 100, 80, 80), 0.7)], [ANN, BOB], FRAME)) == ['f0001']


def test_reset_forgets_faces_but_no_id_is_given_twice():
    tracker = Tracker()
    tracker.update([at(100)], [ANN], 100 * S)
    tracker.reset()
    assert tracker.expected(0) == []
    assert ids(tracker.update([at(100)], [ANN], 0)) == ['f0002']


def test_two_frames_with_one_stamp_do_no_harm():
    tracker = Tracker()
    for _ in range(3):
        tracks = tracker.update([at(100)], [ANN], S)
    assert ids(tracks) == ['f0001'] and np.isfinite(tracks[0].velocity).all()


def test_the_same_input_gives_the_same_ids():
    def run():
        random = np.random.default_rng(3)
        tracker = Tracker()
        log = []
        for number in range(100):
            faces = [at(float(x)) for x in random.uniform(0, 600, random.integers(0, 5))]
            log.append(ids(tracker.update(faces, [ANN] * len(faces), number * FRAME)))
        return log

    assert run() == run()


def test_looks_of_a_brighter_picture_are_the_same_and_of_another_are_not():
    random = np.random.default_rng(0)
    one, other = random.integers(0, 100, (2, 48, 48), dtype=np.uint8)
    assert looks_of(one) @ looks_of(one * 2 + 20) == pytest.approx(1, abs=5e-3)
    assert looks_of(one) @ looks_of(other) < 0.5
    assert (looks_of(np.zeros((48, 48), np.uint8)) == 0).all()

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion_face.alignment import CANONICAL
from emotion_face.mouth import LONGEST_GAP_S, Mouths, face_of, mouth_motion

S = 1_000_000_000
FRAME = S // 15
SIDE = 128


def draw(opening=0.0, seed=0, shift=(0.0, 0.0), turn=0.0, gain=1.0, offset=0.0, blur=0.0, noise=2.0):
    """Draw a face with shading in an aligned crop: how far its mouth is open, and what else happens to it."""
    canvas = np.full((SIDE, SIDE), 120, np.uint8)
    cv2.ellipse(canvas, (SIDE // 2, 66), (47, 60), 0, 0, 360, 190, -1)
    for u, v in CANONICAL[:2]:
        cv2.circle(canvas, (round(u * SIDE), round(v * SIDE)), 7, 40, -1)
        cv2.line(canvas, (round(u * SIDE) - 10, 36), (round(u * SIDE) + 10, 35), 90, 3)
    cv2.line(canvas, (SIDE // 2, 52), (SIDE // 2 - 3, 74), 140, 4)
    cv2.ellipse(canvas, (SIDE // 2, 97), (19, 2 + round(12 * opening)), 0, 0, 360, 60, -1)
    place = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), turn, 1.0)
    place[:, 2] += shift
    image = cv2.warpAffine(canvas, place, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    image = cv2.GaussianBlur(image, (0, 0), 1 + blur) * gain + offset
    image += np.random.default_rng(seed).normal(0, noise, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def motion(before, now):
    return mouth_motion(face_of(before), face_of(now))


def test_a_mouth_that_opens_moves_and_one_that_does_not_is_still():
    assert motion(draw(seed=1), draw(0.5, seed=2)) > 3
    assert motion(draw(seed=1), draw(seed=2)) < 1.5
    assert motion(draw(seed=1), draw(seed=1)) == 0  # the same frame once more


def test_the_further_it_opens_the_more_it_moves():
    motions = [motion(draw(seed=1), draw(opening, seed=2)) for opening in (0.0, 0.2, 0.5, 1.0)]
    assert motions == sorted(motions)


@settings(max_examples=40, deadline=None)
@given(
    shift=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    turn=st.floats(-4, 4),
    gain=st.floats(0.6, 1.2),
    offset=st.floats(-20, 20),
    seed=st.integers(0, 1000),
)
def test_head_motion_and_light_move_a_mouth_less_than_speech(shift, turn, gain, offset, seed):
    still = motion(draw(seed=1), draw(seed=seed + 2, shift=shift, turn=turn, gain=gain, offset=offset))
    speaking = motion(draw(seed=1), draw(1.0, seed=seed + 2, shift=shift, turn=turn, gain=gain, offset=offset))
    assert 0 <= 1.3 * still < speaking


def test_blur_that_comes_moves_a_mouth_less_than_speech():
    assert motion(draw(seed=1), draw(seed=2, blur=1.5)) < 0.7 * motion(draw(seed=1), draw(0.5, seed=2))


@pytest.mark.parametrize(
    'other', [np.zeros((SIDE, SIDE), np.uint8), np.full((3, 3), 255, np.uint8), np.eye(48, dtype=np.uint8) * 255]
)
def test_anything_else_is_no_error(other):
    for pair in ((draw(), other), (other, draw()), (other, other)):
        assert 0 <= motion(*pair) < 100


def test_each_face_is_compared_with_itself():
    mouths = Mouths()
    assert mouths.update([('f0001', draw(seed=1)), ('f0002', draw(1.0, seed=2))], 0) == {'f0001': 0.0, 'f0002': 0.0}
    moved = mouths.update([('f0002', draw(1.0, seed=3)), ('f0001', draw(0.6, seed=4)), ('f0003', draw())], FRAME)
    assert moved['f0003'] == 0
    assert moved['f0001'] > 3 > 1.5 > moved['f0002'] > 0


def test_a_face_that_was_away_for_a_moment_is_compared_and_one_that_was_longer_is_new():
    mouths = Mouths()
    mouths.update([('f0001', draw(seed=1))], 0)
    mouths.update([], FRAME)
    assert mouths.update([('f0001', draw(seed=2))], 2 * FRAME)['f0001'] > 0
    late = 2 * FRAME + int((LONGEST_GAP_S + 0.1) * S)
    assert mouths.update([('f0001', draw(seed=3))], late)['f0001'] == 0
    mouths.reset()
    assert mouths.update([('f0001', draw(seed=4))], late + FRAME)['f0001'] == 0

import numpy as np
import pytest

from emotion_view.canvas import FACE_COLOR, PANEL_COLOR, SPEECH_COLOR
from emotion_view.drawing import PANEL_WIDTH, draw
from emotion_view.scene import FaceView, FusedView, Hearing, Scene

FRAME = np.full((480, 640, 3), 120, np.uint8)


def fused(face_weight, happy=0.9):
    p = np.full(6, (1 - happy) / 5)
    p[2] = happy
    return FusedView('f0001', 'happy', happy, p, p, None, face_weight, 1 - face_weight, 'clear', 'no voice')


def count(picture, color):
    return int((picture == np.array(color, np.uint8)).all(axis=-1).sum())


def test_frame_stays_whole_and_is_not_changed():
    before = FRAME.copy()
    picture = draw(FRAME, Scene())
    np.testing.assert_array_equal(FRAME, before)
    np.testing.assert_array_equal(picture[:, :640], FRAME)
    assert picture.shape == (480, 640 + PANEL_WIDTH, 3)
    assert tuple(picture[470, 830]) == PANEL_COLOR


def test_face_is_marked_where_it_is():
    picture = draw(FRAME, Scene((FaceView((100, 150, 80, 100), 'f0001', 'happy', 0.9),)))
    assert tuple(picture[200, 100]) == FACE_COLOR
    np.testing.assert_array_equal(picture[160:240, 110:170], FRAME[160:240, 110:170])


def test_name_of_a_face_at_the_edge_is_in_the_picture():
    inside, edge = (draw(FRAME, Scene((FaceView((x, 150, 40, 100), 'f0001', 'surprise', 0.9),))) for x in (300, 600))
    whole, at_edge = (count(picture[132:150, :640], FACE_COLOR) for picture in (inside, edge))
    assert at_edge == pytest.approx(whole, abs=40) and whole


def test_who_speaks_is_marked():
    faces = (FaceView((100, 150, 80, 100), 'f0001', 'happy', 0.9), FaceView((300, 150, 80, 100), 'f0002', 'sad', 0.9))
    picture = draw(FRAME, Scene(faces, hearing=Hearing(-20, speaking=True), speaker_id='f0002'))
    assert tuple(picture[200, 100]) == FACE_COLOR
    assert tuple(picture[200, 300]) == SPEECH_COLOR


@pytest.mark.parametrize('share', [0.25, 0.5, 1.0])
def test_weights_bar_is_as_long_as_the_weight(share):
    difference = count(draw(FRAME, Scene(fused=fused(share))), FACE_COLOR) - count(
        draw(FRAME, Scene(fused=fused(0.0))), FACE_COLOR
    )
    assert difference == pytest.approx(share * (PANEL_WIDTH - 16) * 10, rel=0.05)


def test_bar_of_an_emotion_is_as_long_as_its_probability():
    happy_row = slice(94, 99)  # the face's bar in the third row
    lengths = [count(draw(FRAME, Scene(fused=fused(0.0, happy)))[happy_row], FACE_COLOR) / 5 for happy in (0.4, 0.8)]
    assert lengths[1] == pytest.approx(2 * lengths[0], abs=1)


@pytest.mark.parametrize('shape', [(1, 1), (120, 160), (240, 320), (1080, 1920)])
def test_any_size_is_drawn(shape):
    frame = np.zeros((*shape, 3), np.uint8)
    scene = Scene((FaceView((-20, -20, 5000, 5000), 'f0001', 'happy', 1.0),), fused(0.5), Hearing(float('-inf'), False))
    picture = draw(frame, scene)
    assert picture.shape[0] == shape[0] and picture.shape[1] > shape[1]

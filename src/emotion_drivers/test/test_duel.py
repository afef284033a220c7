import cv2
import numpy as np
import pytest

from emotion_core.stamps import NS_PER_S
from emotion_drivers.duel import RATE_HZ, SECONDS, Duel, make
from emotion_drivers.video import open_video


@pytest.fixture(scope='module')
def duel():
    return Duel()


@pytest.mark.parametrize('seconds', [0.0, 1.0, 3.0, 5.0])
def test_a_detector_finds_one_face_in_each_half_whatever_they_show(duel, seconds):
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + 'haarcascade_frontalface_default.xml')
    gray = cv2.cvtColor(duel.draw(seconds), cv2.COLOR_BGR2GRAY)
    boxes = cascade.detectMultiScale(gray, 1.1, 5, minSize=(60, 60))
    centres = sorted(x + width / 2 for x, _, width, _ in boxes)
    assert len(centres) == 2 and centres[0] < 320 < centres[1]


def test_expressions_change_the_faces_alone(duel):
    smile, amazed = duel.draw(1.0).astype(int), duel.draw(3.0).astype(int)
    assert np.abs(smile - amazed)[100:260, 80:250].mean() > 5
    assert np.abs(smile - amazed)[:60].mean() < 4


def test_clip_ends_as_it_begins(duel, tmp_path):
    assert np.abs(duel.draw(0.0).astype(int) - duel.draw(SECONDS)).mean() < 2.5
    make(tmp_path / 'duel.mkv')
    assert [path.name for path in tmp_path.iterdir()] == ['duel.mkv']
    video = open_video(str(tmp_path / 'duel.mkv'))
    assert video.duration_ns == pytest.approx(SECONDS * NS_PER_S, abs=NS_PER_S / RATE_HZ)

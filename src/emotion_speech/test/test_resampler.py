import numpy as np
import pytest
import soxr
from speech_sounds import RATE

from emotion_speech.resampler import Resampler


def sweep(rate: int, seconds: float = 1.0) -> np.ndarray:
    t = np.arange(int(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 + 1000 * t) * t)).astype(np.float32)


def in_blocks(samples: np.ndarray, rate: int, block: int) -> np.ndarray:
    resample = Resampler(RATE)
    return np.concatenate([resample(samples[start : start + block], rate) for start in range(0, len(samples), block)])


@pytest.mark.parametrize('rate', [8000, 11025, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize('block_s', [0.00001, 0.01, 0.0317, 1.0])
def test_blocks_of_any_size_give_what_one_shot_gives(rate, block_s):
    samples = sweep(rate)
    given = in_blocks(samples, rate, max(int(block_s * rate), 1))
    expected = soxr.resample(samples, rate, RATE)
    assert len(given) > len(expected) - 0.13 * RATE  # the rest waits for more to come
    np.testing.assert_allclose(given, expected[: len(given)], atol=1e-5)


def test_audio_at_the_right_rate_is_left_as_it_is():
    samples = sweep(RATE)
    np.testing.assert_array_equal(in_blocks(samples, RATE, 100), samples)


def test_when_the_rate_changes_no_time_is_lost_and_no_click_is_made():
    def tone(rate: int) -> np.ndarray:
        return (0.5 * np.sin(2 * np.pi * 100 * np.arange(rate) / rate)).astype(np.float32)

    resample = Resampler(RATE)
    given = np.concatenate([resample(tone(rate), rate) for rate in (48000, 8000, 16000)])
    assert len(given) == 3 * RATE
    expected = np.tile(tone(RATE), 3)
    assert np.abs(given - expected).max() < 0.1  # a click would be about 0.5
    assert np.abs(np.diff(given)).max() < 2 * np.abs(np.diff(expected)).max()

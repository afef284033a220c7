import numpy as np
import pytest
from speech_sounds import RATE, tone_voice

from emotion_speech.quality import FLOOR_DBFS, TERMS, segment_quality


def voice(seconds: float = 1.0, level: float = 0.1, rate: int = RATE) -> np.ndarray:
    """Give a voice with half a second of silence on both sides."""
    return np.pad(tone_voice(seconds, level, rate=rate), int(0.5 * rate))


def noise(samples: np.ndarray, level: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, level, len(samples)).astype(np.float32)


@pytest.mark.parametrize('snr_db', [5, 10, 20, 30])
def test_snr_of_a_voice_in_white_noise_is_measured(snr_db):
    clean = voice()
    measured = segment_quality(clean + noise(clean, 0.1 / 10 ** (snr_db / 20)), RATE)
    assert measured['snr_db'] == pytest.approx(snr_db, abs=1)
    assert measured['noise'] == pytest.approx(1 / (1 + 10 ** (snr_db / 10)), rel=0.2)


def test_level_and_length_are_those_of_the_speech_not_of_the_silence_around_it():
    measured = segment_quality(voice(seconds=2.0, level=0.1), RATE)
    assert measured['level_dbfs'] == pytest.approx(-20, abs=0.5)
    assert measured['seconds'] == pytest.approx(2.0, abs=0.05)


def test_level_does_not_change_snr_or_confidence():
    quiet, loud = (segment_quality(gain * (voice() + noise(voice(), 0.01)), RATE) for gain in (0.05, 1))
    assert quiet['snr_db'] == pytest.approx(loud['snr_db'], abs=0.1)
    assert quiet['voice_confidence'] == pytest.approx(loud['voice_confidence'], abs=0.01)


def test_the_offset_of_a_microphone_changes_nothing():
    clean = voice() + noise(voice(), 0.001)
    centred, off = segment_quality(clean, RATE), segment_quality(clean + 0.03, RATE)
    assert off == pytest.approx(centred | {'clipping': off['clipping']}, rel=1e-3)
    assert off['clipping'] < 0.02


def test_brevity_tells_a_word_from_a_syllable_and_hardly_one_sentence_from_another():
    segments = [np.pad(tone_voice(seconds, 0.1), int(0.2 * RATE)) for seconds in (0.2, 0.6, 2.0, 4.0)]
    syllable, word, sentence, long = (segment_quality(segment, RATE)['brevity'] for segment in segments)
    assert syllable - word > 0.3 and word - sentence > 0.1 and 0 <= sentence - long < 0.01


def test_noise_makes_nothing_shorter():
    clean, noisy = (segment_quality(voice() + noise(voice(), level), RATE) for level in (0.001, 0.2))
    assert noisy['seconds'] < clean['seconds'] / 2 and noisy['brevity'] == clean['brevity']


def test_sample_rate_does_not_change_the_terms():
    low, high = (segment_quality(voice(rate=rate), rate) for rate in (RATE, 48000))
    for name in ('level_dbfs', 'seconds', 'voice_confidence'):
        assert low[name] == pytest.approx(high[name], abs=0.1), name


def test_clipping_is_seen_at_full_scale_and_after_an_attenuator():
    clean = voice(level=0.3)
    assert segment_quality(clean, RATE)['clipping'] < 0.02
    clipped = np.clip(8 * clean, -1, 1)
    assert segment_quality(clipped, RATE)['clipping'] > 0.2
    assert segment_quality(0.1 * clipped, RATE)['clipping'] > 0.2


def test_a_voice_is_periodic_and_bursts_of_noise_are_not():
    assert segment_quality(voice(), RATE)['voice_confidence'] > 0.9
    burst = np.pad(noise(np.zeros(RATE), 0.1), RATE // 2)
    assert segment_quality(burst, RATE)['voice_confidence'] < 0.25


@pytest.mark.parametrize(
    'samples', [np.zeros(0), np.zeros(1), np.zeros(RATE), np.ones(RATE), noise(np.zeros(RATE), 0.1)]
)
def test_without_speech_every_term_is_finite_and_says_nothing_was_heard(samples):
    measured = segment_quality(samples, RATE)
    assert tuple(measured) == TERMS and np.isfinite(list(measured.values())).all()
    assert measured['snr_db'] == measured['seconds'] == measured['voice_confidence'] == 0
    assert measured['level_dbfs'] >= FLOOR_DBFS

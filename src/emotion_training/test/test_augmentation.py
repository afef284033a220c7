"""Changes of voices keep what they must, and corruption does what its name says."""

import cv2
import numpy as np
import pytest

from emotion_face.quality import crop_quality
from emotion_speech.quality import segment_quality
from emotion_training import corruption
from emotion_training.speech_augmentation import (
    SpeechAugmentation,
    Surroundings,
    active_part,
    add_at_snr,
    change_bands,
    coloured_noise,
)

RATE = 16000


def _face() -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=(48, 48)).astype(np.float32)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 40, 210, cv2.NORM_MINMAX).astype(np.uint8)


def _voice(seconds: float = 1.5, hz: float = 150) -> np.ndarray:
    """Make a buzz in syllables with half a second of near silence on both sides."""
    time = np.arange(int(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * hz * k * time + k * k) / k for k in range(1, 20))
    buzz *= 0.1 * np.clip(1 + np.sin(2 * np.pi * 3 * time), 0.3, None)
    quiet = np.random.default_rng(0).normal(0, 1e-4, len(buzz) + RATE)
    quiet[RATE // 2 : -RATE // 2] += buzz
    return quiet.astype(np.float32)


def _said_somewhere(augmentation: SpeechAugmentation, rng: np.random.Generator) -> np.ndarray:
    return augmentation(1, Surroundings.draw(rng, RATE), rng)


def test_same_seed_gives_the_same_augmentation():
    augmentation = SpeechAugmentation([_voice(hz=hz) for hz in (120, 150, 200)], RATE)
    once, again = (_said_somewhere(augmentation, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(once, again)


def test_augmented_voice_is_finite_and_varies_in_length():
    augmentation, rng = SpeechAugmentation([_voice(hz=hz) for hz in (120, 150, 200)], RATE), np.random.default_rng(0)
    changed = [_said_somewhere(augmentation, rng) for _ in range(60)]
    assert all(np.isfinite(samples).all() and samples.dtype == np.float32 for samples in changed)
    assert min(map(len, changed)) >= 1.3 * RATE
    assert len({len(samples) for samples in changed}) > 30


def test_surroundings_stay_while_a_speaker_speaks():
    voice = _voice()
    telephone = Surroundings(speed=1.0, echo=None, band_hz=(200, 3500))
    augmentation, rng = SpeechAugmentation([voice], RATE), np.random.default_rng(0)
    for _ in range(10):
        samples = augmentation(0, telephone, rng)
        power = np.abs(np.fft.rfft(samples)) ** 2
        high = np.fft.rfftfreq(len(samples), 1 / RATE) > 3800
        assert power[high].sum() < 0.02 * power.sum()


def test_shifted_spectrum_has_its_peak_higher_and_the_pitch_stays():
    mel = np.zeros((80, 3), np.float32)
    mel[[2, 50]] = 1.0
    moved = change_bands(mel, shift=2, tilt=0)
    assert moved[:10, 0].argmax() == 2
    assert moved[30:, 0].argmax() + 30 == 48
    tilted = change_bands(mel, shift=0, tilt=0.5)
    assert tilted[-1, 0] - tilted[0, 0] == pytest.approx(1.0)


def test_active_part_leaves_the_silence_out():
    first, last = active_part(_voice())
    assert first == pytest.approx(0.5 * RATE, abs=800)
    assert last == pytest.approx(2.0 * RATE, abs=0.2 * RATE)
    assert active_part(np.zeros(100, np.float32)) == (0, 100)


@pytest.mark.parametrize('snr_db', [-5, 0, 20])
def test_noise_is_added_at_the_ratio_asked_for(snr_db):
    voice = _voice()
    noisy = add_at_snr(voice, coloured_noise(len(voice), 1.0, np.random.default_rng(0)), snr_db)
    ratio = 10 * np.log10(np.mean(voice**2) / np.mean((noisy - voice) ** 2))
    assert ratio == pytest.approx(snr_db, abs=0.1)


@pytest.mark.parametrize(
    'kind, term, sign',
    [
        ('blur', 'sharpness', -1),
        ('dark', 'brightness', -1),
        ('bright', 'brightness', 1),
        ('noise', 'noise', 1),
        ('far', 'resolution', -1),
    ],
)
def test_corrupted_face_shows_in_its_quality_term(kind, term, sign):
    face, rng = _face(), np.random.default_rng(0)
    clean, bad = (
        crop_quality(image, len(image))[term] for image in (face, corruption.corrupt_face(face, kind, 0.8, rng))
    )
    assert sign * (bad - clean) > 0.05


def test_covered_face_loses_one_side_only():
    face = _face()
    covered = corruption.corrupt_face(face, 'covered', 0.5, np.random.default_rng(0))
    same = covered == face
    assert 0.4 < same.mean() < 0.75
    assert max(same[0].mean(), same[-1].mean(), same[:, 0].mean(), same[:, -1].mean()) == 1


@pytest.mark.parametrize(
    'kind, term, sign',
    [
        ('white_noise', 'snr_db', -1),
        ('babble', 'snr_db', -1),
        ('clipped', 'clipping', 1),
        ('short', 'seconds', -1),
        ('short', 'brevity', 1),
        ('quiet', 'level_dbfs', -1),
    ],
)
def test_corrupted_voice_shows_in_its_quality_term(kind, term, sign):
    voice, others = _voice(), [_voice(hz=hz) for hz in (110, 170, 230)]
    worse = corruption.corrupt_speech(voice, kind, 0.8, np.random.default_rng(0), others)
    assert worse.dtype == np.float32
    clean, bad = segment_quality(voice, RATE)[term], segment_quality(worse, RATE)[term]
    assert sign * (bad - clean) > 0.1 * abs(clean)


def test_short_voice_keeps_the_background_around_it():
    voice = np.pad(_voice(), RATE // 2)
    worse = corruption.corrupt_speech(voice, 'short', 1.0, np.random.default_rng(0), [])
    quiet = np.zeros(RATE // 2 - RATE // 20)
    assert (worse[: len(quiet)] == quiet).all() and (worse[-len(quiet) :] == quiet).all()
    assert len(quiet) * 2 < len(worse) < len(voice)


def test_unknown_corruption_is_refused():
    with pytest.raises(ValueError, match="'rain' is not one of"):
        corruption.corrupt_face(_face(), 'rain', 0.5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="'rain' is not one of"):
        corruption.corrupt_speech(_voice(), 'rain', 0.5, np.random.default_rng(0), [])

"""Sounds that the tests listen to."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).resolve().parents[4] / 'shared' / 'data'
RATE = 16000


def tone_voice(seconds: float = 1.0, level: float = 0.1, pitch_hz: float = 150.0, rate: int = RATE) -> np.ndarray:
    """Give harmonics of a falling pitch, float32 of RMS ``level``."""
    t = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * pitch_hz * (t - 0.1 * t**2)
    samples = sum(np.sin(k * phase) / k for k in range(1, 12))
    return (samples * level / np.sqrt(np.mean(samples**2))).astype(np.float32)


def room(seconds: float, level: float = 3e-4, rate: int = RATE) -> np.ndarray:
    """Give the noise of a quiet room, float32 of RMS ``level``."""
    return np.random.default_rng(0).normal(0, level, int(seconds * rate)).astype(np.float32)


def talk(*parts: tuple[float, float], rate: int = RATE) -> np.ndarray:
    """Give (silence, voice) seconds in turn, with a room around them."""
    samples = np.concatenate(
        [
            np.concatenate((np.zeros(int(silence * rate), np.float32), tone_voice(voice, rate=rate)))
            for silence, voice in parts
        ]
        + [np.zeros(rate, np.float32)]
    )
    return samples + room(len(samples) / rate, rate=rate)[: len(samples)]


def real_clips(count: int) -> list[np.ndarray]:
    """Give real speech, mono float32 at RATE; skips the test where the recordings are not there."""
    soundfile = pytest.importorskip('soundfile')
    path = DATA / 'av_sample.tar'
    if not path.is_file():
        pytest.skip(f'no recordings: {path} is missing')
    clips = []
    with tarfile.open(path) as tar:
        names = sorted(name for name in tar.getnames() if name.endswith('.flac'))
        for name in names[:: max(len(names) // count, 1)][:count]:
            samples, rate = soundfile.read(io.BytesIO(tar.extractfile(name).read()), dtype='float32')
            assert rate == RATE and samples.ndim == 1
            clips.append(samples / np.abs(samples).max() * 0.5)
    return clips

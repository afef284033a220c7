"""Random changes to a training utterance that the world makes: pauses, speed, rooms, noise, microphones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FRAME = 400  # samples, 25 ms at 16 kHz
ACTIVE_DB = 35  # below the loudest frame a frame counts as silence


def active_part(samples: np.ndarray) -> tuple[int, int]:
    """Give the first and past-the-last sample of the speech in a clip, by its level alone (the corpora are quiet)."""
    count = len(samples) // FRAME
    if count == 0:
        return 0, len(samples)
    level = np.sqrt((samples[: count * FRAME].reshape(count, FRAME) ** 2).mean(axis=1))
    active = np.flatnonzero(level >= level.max() * 10 ** (-ACTIVE_DB / 20))
    return int(active[0]) * FRAME, int(active[-1] + 1) * FRAME


def add_at_snr(samples: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise (as long as the samples) so that the whole has this signal-to-noise ratio [dB]."""
    power, noise_power = np.mean(samples**2), np.mean(noise**2)
    if power == 0 or noise_power == 0:
        return samples
    return samples + noise * np.float32(np.sqrt(power / noise_power / 10 ** (snr_db / 10)))


def coloured_noise(count: int, exponent: float, rng: np.random.Generator) -> np.ndarray:
    """Give noise whose power falls with frequency to this exponent: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(rng.standard_normal(_fft_size(count)))
    spectrum[1:] *= np.arange(1, len(spectrum)) ** (-exponent / 2)
    return np.fft.irfft(spectrum)[:count].astype(np.float32)


def babble(count: int, voices: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Mix the given utterances, each brought to one level, repeated and shifted to fill the time."""
    noise = np.zeros(count, np.float32)
    for voice in voices:
        repeated = np.resize(voice, count + len(voice))
        start = rng.integers(len(voice))
        noise += repeated[start : start + count] / np.float32(np.sqrt(np.mean(voice**2)) + 1e-6)
    return noise


@dataclass(frozen=True)
class Surroundings:
    """What stays the same while one speaker speaks: how high and fast the voice is, the room, the microphone."""

    speed: float  # of speech and pitch together; makes another voice of a speaker
    echo: np.ndarray | None  # impulse response of the room
    band_hz: tuple[float, float] | None  # what the microphone leaves

    @classmethod
    def draw(cls, rng: np.random.Generator, sample_rate: int) -> 'Surroundings':
        """Give random ones."""
        return cls(
            speed=rng.uniform(0.86, 1.16),
            echo=_echo(rng, sample_rate) if rng.random() < 0.35 else None,
            band_hz=(rng.uniform(0, 250), rng.uniform(3400, 8000)) if rng.random() < 0.25 else None,
        )


class SpeechAugmentation:
    """Changes training utterances; other voices for the babble come from the same training clips."""

    def __init__(self, clips: Sequence[np.ndarray], sample_rate: int):
        """Find the speech in each clip once."""
        self._clips = clips
        self._rate = sample_rate
        self._active = [active_part(clip) for clip in clips]

    def __call__(self, index: int, around: Surroundings, rng: np.random.Generator) -> np.ndarray:
        """Give clip ``index`` changed at random, of any length; surroundings are the same for all of a speaker."""
        first, last = self._active[index]
        before, after = (rng.uniform(0, 0.5, 2) * self._rate).astype(int)  # a live segment has little silence
        samples = self._clips[index][max(first - before, 0) : last + after]
        factor = around.speed * rng.uniform(0.97, 1.03)
        samples = np.interp(np.arange(0, len(samples) - 1, factor), np.arange(len(samples)), samples).astype(np.float32)
        if around.echo is not None:
            size = _fft_size(len(samples) + len(around.echo))
            echo = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(around.echo, size), size)
            samples = echo[: len(samples)].astype(np.float32)
        if rng.random() < 0.55:
            samples = self._noise(samples, rng)
        if around.band_hz is not None:
            samples = _cut_off(samples, around.band_hz, self._rate)
        if rng.random() < 0.08:
            peak = np.abs(samples).max() * rng.uniform(0.2, 0.8)
            samples = np.clip(samples, -peak, peak)
        return samples

    def _noise(self, samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if rng.random() < 0.3:
            voices = [self._clips[i] for i in rng.integers(len(self._clips), size=rng.integers(3, 7))]
            noise = babble(len(samples), voices, rng)
        else:
            noise = coloured_noise(len(samples), rng.uniform(0, 2), rng)
        return add_at_snr(samples, noise, rng.uniform(2, 35))


def change_bands(mel: np.ndarray, shift: float, tilt: float) -> np.ndarray:
    """
    Change the vocal tract and the microphone in log-mel bands.

    :param mel: (bands, frames).
    :param shift: Bands that the spectrum is moved by; less in the lowest quarter, where the pitch is.
    :param tilt: Added to the logarithm of the power in the highest band, taken away in the lowest.
    """
    count = len(mel)
    band = np.arange(count)
    place = np.clip(band + shift * np.minimum(1, band / (count / 4)), 0, count - 1)
    low = place.astype(int)
    part = (place - low).astype(np.float32)[:, None]
    moved = mel[low] * (1 - part) + mel[np.minimum(low + 1, count - 1)] * part
    return moved + np.float32(tilt) * np.linspace(-1, 1, count, dtype=np.float32)[:, None]


def _echo(rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    """Draw the impulse response of a room: exponentially decaying noise after the direct sound."""
    seconds = rng.uniform(0.1, 0.5)  # until the echo is 60 dB down
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    response = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    response *= rng.uniform(0.2, 1.0) / np.sqrt(np.sum(response**2))
    response[0] += 1
    return response


def _cut_off(samples: np.ndarray, band_hz: tuple[float, float], sample_rate: int) -> np.ndarray:
    """Lose the lows and highs that a cheap microphone or a telephone loses."""
    size = _fft_size(len(samples))
    spectrum = np.fft.rfft(samples, size)
    frequency = np.fft.rfftfreq(size, 1 / sample_rate)
    spectrum[(frequency < band_hz[0]) | (frequency > band_hz[1])] = 0
    return np.fft.irfft(spectrum)[: len(samples)].astype(np.float32)


def _fft_size(count: int) -> int:
    """Give the next power of two: an odd length can take ten times as long."""
    return 1 << (count - 1).bit_length()

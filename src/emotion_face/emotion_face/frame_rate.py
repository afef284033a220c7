"""What the stamps of the frames that were processed tell about those that were not."""

from collections import deque

from emotion_core.stamps import NS_PER_S

WINDOW = 60  # frames


class FrameRate:
    """Estimates the rate of processed frames, and how many of the camera's were missed between them."""

    def __init__(self) -> None:
        """Start without frames."""
        self.reset()

    def reset(self) -> None:
        """Forget all stamps: the clock jumped."""
        self._stamps_ns: deque[int] = deque(maxlen=WINDOW)

    def add(self, stamp_ns: int) -> int:
        """
        Take the next frame's stamp.

        :return: How many frames came between it and the one before, going by the camera's usual interval. That is the
            lower quartile of the intervals seen: a node that is too slow sees many larger ones.
        """
        if self._stamps_ns and stamp_ns <= self._stamps_ns[-1]:
            return 0
        self._stamps_ns.append(stamp_ns)
        if len(self._stamps_ns) < 3:
            return 0
        stamps = list(self._stamps_ns)
        intervals = sorted(after - before for before, after in zip(stamps, stamps[1:]))
        # Drivers' stamps jitter: a gap counts from 1.75 intervals on.
        return max(0, int((stamps[-1] - stamps[-2]) / intervals[len(intervals) // 4] - 0.75))

    @property
    def hz(self) -> float:
        """Processed frames a second; 0 while that is unknown."""
        if len(self._stamps_ns) < 2:
            return 0.0
        return (len(self._stamps_ns) - 1) * NS_PER_S / (self._stamps_ns[-1] - self._stamps_ns[0])

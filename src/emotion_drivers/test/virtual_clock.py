"""A clock that the tests wind."""

from emotion_core.stamps import NS_PER_S
from emotion_drivers.timeline import PlayClock


class VirtualClock(PlayClock):
    """Time that passes only while somebody waits for it."""

    def __init__(self, now_s: float = 0.0):
        """Begin at a time [s]."""
        super().__init__(lambda: self.time_ns)
        self.time_ns = round(now_s * NS_PER_S)

    def sleep(self, seconds: float) -> bool:
        """Let time pass."""
        self.time_ns += max(round(seconds * NS_PER_S), 1)
        return super().sleep(0)

"""Where a file is at a given time: position and stamp as functions of the clock alone."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from emotion_core.stamps import JUMP_NS, NS_PER_S

LONGEST_WAIT_S = 0.1  # between two looks at the clock, so that a jump is noticed
SIMULATED_WAIT_S = 0.005  # the same where the clock may run faster than real time


class ClockJumped(Exception):
    """The clock was set back, or simulated time began again: what was due is no longer."""


@dataclass(frozen=True)
class Timeline:
    """A file of ``duration_ns`` that begins at ``start_ns``, once or again and again; times in ns."""

    start_ns: int
    duration_ns: int
    loop: bool = False

    def locate(self, now_ns: int) -> tuple[int, int] | None:
        """
        Give where the file is now.

        :return: Stamp of the beginning of this lap and position within it, or None when the file has ended.
        """
        elapsed = max(now_ns - self.start_ns, 0)
        if not self.loop:
            return (self.start_ns, elapsed) if elapsed < self.duration_ns else None
        lap, position = divmod(elapsed, self.duration_ns)
        return self.start_ns + lap * self.duration_ns, position

    def next_lap(self, lap_ns: int) -> tuple[int, int] | None:
        """Give the place right after the lap that began at ``lap_ns``, or None when that was the last."""
        return (lap_ns + self.duration_ns, 0) if self.loop else None


class PlayClock:
    """A clock to wait on, that can be stopped from another thread."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns, simulated: Callable[[], bool] = lambda: False):
        """
        Wrap a clock.

        :param now_ns: Gives the time in ns.
        :param simulated: Whether that time may run faster or slower than real time.
        """
        self.now_ns = now_ns
        self._simulated = simulated
        self._seen_ns = 0  # the last time that was waited on: a jump between two waits counts as well
        self._stopped = threading.Event()

    @property
    def stopped(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End every wait, now and later."""
        self._stopped.set()

    def sleep(self, seconds: float) -> bool:
        """Wait in real time; False when stopped."""
        return not self._stopped.wait(seconds)

    def wait_until(self, due_ns: int) -> int | None:
        """
        Wait for a time and give the time it is then; None when stopped.

        :raises ClockJumped: when the clock fell back, since the last wait or meanwhile.
        """
        while (now_ns := self._look()) < due_ns:
            longest = SIMULATED_WAIT_S if self._simulated() else LONGEST_WAIT_S
            if not self.sleep(min((due_ns - now_ns) / NS_PER_S, longest)):
                return None
        return None if self.stopped else now_ns

    def _look(self) -> int:
        before_ns, self._seen_ns = self._seen_ns, self.now_ns()
        if self._seen_ns < before_ns - JUMP_NS:
            raise ClockJumped(f'the clock jumped back by {(before_ns - self._seen_ns) / NS_PER_S:.3f} s')
        return self._seen_ns

"""Pairs frames with the faces that were found in them, by stamp; no ROS."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from emotion_core.stamps import NS_PER_S

PENDING_NS = NS_PER_S  # how long a frame waits for its faces, before it is shown without
PENDING_FRAMES = 40  # and how many may


class Pairing:
    """Frames that wait for their faces."""

    def __init__(self):
        """Begin with nothing."""
        self._pending: OrderedDict[int, Any] = OrderedDict()

    def clear(self) -> None:
        """Forget the frames that wait."""
        self._pending.clear()

    def add(self, stamp_ns: int, frame: Any) -> Iterator[Any]:
        """Let a frame wait for its faces; gives those that have waited too long."""
        self._pending[stamp_ns] = frame
        while len(self._pending) > PENDING_FRAMES or next(iter(self._pending)) < stamp_ns - PENDING_NS:
            yield self._pending.popitem(last=False)[1]

    def pop(self, stamp_ns: int) -> Any:
        """Give the frame with this stamp, or None; earlier ones are forgotten."""
        frame = self._pending.pop(stamp_ns, None)
        if frame is not None:
            self._pending = OrderedDict((ns, waiting) for ns, waiting in self._pending.items() if ns > stamp_ns)
        return frame

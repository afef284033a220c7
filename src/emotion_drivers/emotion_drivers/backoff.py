"""How long to wait before a device is tried again."""


class Backoff:
    """A delay that doubles with each failure in a row."""

    def __init__(self, first_s: float = 0.5, longest_s: float = 8.0):
        """Begin with ``first_s`` and never exceed ``longest_s``, in seconds."""
        self._first_s = first_s
        self._longest_s = longest_s
        self._next_s = first_s

    def next(self) -> float:
        """Give the delay after one more failure [s]."""
        delay, self._next_s = self._next_s, min(2 * self._next_s, self._longest_s)
        return delay

    def reset(self) -> None:
        """Begin again with the shortest: the device works."""
        self._next_s = self._first_s

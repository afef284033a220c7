"""The newest audio, and when each of its samples was heard."""

import numpy as np

from emotion_core.stamps import NS_PER_S


class RingBuffer:
    """Holds the newest samples of a stream; a sample's index counts from the start of the stream."""

    def __init__(self, capacity: int):
        """Hold ``capacity`` samples."""
        # Twice the room, so that the newest samples always lie in one piece and are moved only now and then.
        self._samples = np.zeros(2 * capacity, np.float32)
        self._capacity = capacity
        self._used = 0
        self.end = 0  # index after the newest sample

    @property
    def start(self) -> int:
        """Index of the oldest sample held."""
        return self.end - min(self._used, self._capacity)

    def append(self, samples: np.ndarray) -> None:
        """Add samples of shape (samples,)."""
        self.end += len(samples)
        samples = samples[-self._capacity :]
        if self._used + len(samples) > len(self._samples):
            keep = min(self._capacity - len(samples), self._used)
            self._samples[:keep] = self._samples[self._used - keep : self._used]
            self._used = keep
        self._samples[self._used : self._used + len(samples)] = samples
        self._used += len(samples)

    def __getitem__(self, span: slice) -> np.ndarray:
        """Copy the samples from one index to another, as far as they are still held."""
        first, last = max(span.start, self.start), min(span.stop, self.end)
        offset = self._used - self.end
        return self._samples[first + offset : max(last, first) + offset].copy()

    def reset(self) -> None:
        """Forget everything; indices start at 0 again."""
        self._used = self.end = 0


class StreamClock:
    """
    Tells when each moment of an audio stream was heard, from the stamps of its blocks.

    A stamp can be late (the driver took it after a delay), never early, so the earliest ones are the true ones: an
    early stamp moves the clock at once, late ones pull it only slowly, which follows a sound card that runs fast or
    slow.
    """

    PULL = 0.2  # share of a lasting delay that the clock follows in a second

    def __init__(self) -> None:
        """Start with the next block."""
        self._anchor_ns: int | None = None
        self._seconds = 0.0

    def lateness_s(self, stamp_ns: int) -> float:
        """Give how much later than expected a next block with this stamp starts [s]; negative when it is early."""
        return 0.0 if self._anchor_ns is None else (stamp_ns - self.at(self._seconds)) / NS_PER_S

    def advance(self, stamp_ns: int, seconds: float) -> None:
        """Take a block: the stamp of its first sample, and its length."""
        if self._anchor_ns is None:
            self._anchor_ns = stamp_ns
        late = stamp_ns - self.at(self._seconds)
        self._anchor_ns += late if late < 0 else int(late * min(self.PULL * seconds, 1))
        self._seconds += seconds

    def at(self, seconds: float) -> int:
        """Give the stamp [ns] of a moment, in seconds from the start of the stream."""
        return (self._anchor_ns or 0) + round(seconds * NS_PER_S)

    def reset(self) -> None:
        """Start a new stream with the next block."""
        self._anchor_ns, self._seconds = None, 0.0

"""Evidence of one modality about one subject, in the order of its stamps."""

import bisect
from dataclasses import replace

import numpy as np

from emotion_core.emotions import normalise
from emotion_core.evidence import Evidence


class Timeline:
    """Keeps the evidence of the last seconds, whatever order it arrives in."""

    def __init__(self, max_age_ns: int):
        """Keep evidence up to this age behind the newest [ns]."""
        self.max_age_ns = max_age_ns
        self._evidence: list[Evidence] = []

    def __bool__(self) -> bool:
        return bool(self._evidence)

    def add(self, evidence: Evidence) -> None:
        """Sort evidence in; it replaces what has the same stamp, and a final result the running ones of its segment."""
        if evidence.is_final:
            self._evidence = [item for item in self._evidence if item.is_final or item.stamp_ns < evidence.start_ns]
        stamps = [item.stamp_ns for item in self._evidence]
        index = bisect.bisect_left(stamps, evidence.stamp_ns)
        same = index < len(stamps) and stamps[index] == evidence.stamp_ns
        self._evidence[index : index + same] = [evidence]
        oldest_ns = self._evidence[-1].stamp_ns - self.max_age_ns
        self._evidence = [item for item in self._evidence if item.stamp_ns >= oldest_ns]

    @property
    def newest(self) -> Evidence | None:
        """The evidence with the latest stamp."""
        return self._evidence[-1] if self._evidence else None

    def recent(self, window_ns: int) -> Evidence | None:
        """
        Average the evidence in the window that ends at the newest stamp, by quality.

        :param window_ns: 0: the newest alone.
        :return: Evidence with the stamp of the newest and the start of the oldest that went in.
        """
        newest = self.newest
        if newest is None:
            return None
        items = [item for item in self._evidence if item.stamp_ns >= newest.stamp_ns - window_ns]
        if len(items) == 1:
            return newest
        qualities = np.array([item.quality for item in items])
        shares = normalise(qualities)
        return replace(
            newest,
            start_ns=min(item.start_ns for item in items),
            probabilities=normalise(shares @ np.stack([item.probabilities for item in items])),
            quality=float(qualities.mean()),
        )

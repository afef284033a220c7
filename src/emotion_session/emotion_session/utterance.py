"""Segments of speech to one utterance."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from emotion_core.emotions import normalise
from emotion_core.evidence import Evidence


def join(segments: Sequence[Evidence]) -> Evidence:
    """
    Give segments of speech with short pauses between them as one utterance: each counts by its length.

    :param segments: At least one, in order.
    """
    if len(segments) == 1:
        return segments[0]
    shares = normalise(np.array([max(segment.stamp_ns - segment.start_ns, 0) for segment in segments]))
    longest = segments[int(np.argmax(shares))]
    return replace(
        longest,
        stamp_ns=segments[-1].stamp_ns,
        start_ns=segments[0].start_ns,
        probabilities=normalise(shares @ np.stack([segment.probabilities for segment in segments])),
        quality=float(shares @ np.array([segment.quality for segment in segments])),
        is_final=segments[-1].is_final,
    )

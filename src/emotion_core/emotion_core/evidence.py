"""One statement about one subject's emotion: what a recogniser says and how far to trust it."""

from dataclasses import dataclass, field

import numpy as np

from emotion_core.emotions import EMOTIONS
from emotion_core.errors import InputError

FACE, SPEECH = 'face', 'speech'  # the sources of what recognisers say
SUM_TOLERANCE = 1e-3  # float32 on the wire


@dataclass(frozen=True)
class Evidence:
    """A distribution over EMOTIONS with its window, source and quality; times in ns since the epoch."""

    stamp_ns: int
    start_ns: int
    source: str  # FACE, SPEECH, or what was made of them
    probabilities: np.ndarray  # (6,), sum 1
    quality: float = 1.0  # how often inputs of this quality are told right on average, [0, 1]
    quality_terms: dict[str, float] = field(default_factory=dict)
    quality_reason: str = ''  # what lowers the quality most, such as 'blurred, 34 px'
    subject_id: str = ''
    model: str = ''
    is_final: bool = True
    frame_id: str = ''
    mouth_motion: float = 0.0  # of a face, since the frame before, as emotion_face.mouth measures it; 0: unknown

    @property
    def label(self) -> str:
        """The most probable emotion."""
        return EMOTIONS[int(np.argmax(self.probabilities))]

    def check(self) -> None:
        """
        Refuse what cannot be fused.

        :raises InputError: when probabilities are not six numbers in [0, 1] with sum 1, quality is not in
            [0, 1], the mouth's motion is not finite and at least 0, or a face has no id.
        """
        p = np.asarray(self.probabilities)
        if p.shape != (len(EMOTIONS),) or not np.isfinite(p).all() or (p < 0).any() or abs(p.sum() - 1) > SUM_TOLERANCE:
            raise InputError(
                'bad probabilities',
                f'{self.source} evidence has probabilities {p.tolist()}: six numbers in [0, 1] with sum 1 are needed',
            )
        if not 0 <= self.quality <= 1:  # also false for NaN
            raise InputError('bad quality', f'{self.source} evidence has quality {self.quality}: it must be in [0, 1]')
        if not 0 <= self.mouth_motion < float('inf'):
            raise InputError('bad mouth motion', f'{self.source} evidence has mouth motion {self.mouth_motion}')
        if self.source == FACE and not self.subject_id:
            raise InputError('face without an id', 'a face has no subject_id: that is what it is followed by')

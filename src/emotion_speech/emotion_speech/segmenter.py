"""From the voice probability of each frame to segments of speech."""

from dataclasses import dataclass

HYSTERESIS = 0.15  # a voice that has started goes on down to this much under the threshold
TAIL_S = 0.1  # silence that is kept after a voice, and that makes a pause


@dataclass(frozen=True)
class Span:
    """A piece of the stream to classify, in frames from its start."""

    start: int
    end: int
    voice_end: int  # after the last frame with a voice
    is_final: bool  # False: somebody is still speaking, or may go on


@dataclass(frozen=True)
class Segmentation:
    """When speech starts, ends and is worth a look; durations in seconds."""

    threshold: float = 0.5  # voice probability from which a frame is a voice, [0, 1]
    min_speech: float = 0.2  # less voice than this is a click or a cough
    pre_roll: float = 0.3  # kept before the first voice, so that a soft first syllable is not lost
    hang_over: float = 0.22  # silence that ends a segment
    max_segment: float = 8.0  # longer speech is split
    update_period: float = 0.8  # between two looks while somebody speaks on


class Segmenter:
    """
    Cuts a stream into segments.

    A segment is looked at (a span that is not final) every update period, and whenever a pause begins. The pause that
    lasts for the hang-over ends the segment with the very span that was looked at when it began: a final result is
    known before it is due.
    """

    def __init__(self, settings: Segmentation, frame_s: float):
        """Cut a stream of frames that are ``frame_s`` seconds long."""

        def frames(seconds: float) -> int:
            return max(round(seconds / frame_s), 1)

        self._threshold = settings.threshold
        self._min_speech = frames(settings.min_speech)
        self._pre_roll = round(settings.pre_roll / frame_s)
        self._tail = frames(TAIL_S)
        self._hang_over = max(frames(settings.hang_over), self._tail)
        self._max_segment = frames(settings.max_segment)
        self._update_period = frames(settings.update_period)
        self.reset()

    def reset(self) -> None:
        """Start a new stream."""
        self._index = 0  # of the next frame
        self._free = 0  # first frame that no segment has taken
        self._split = -1  # where speech that was too long was split last
        self._start: int | None = None
        self._voiced = 0
        self._voice_end = 0
        self._looked = 0

    @property
    def speaking(self) -> bool:
        """Whether somebody is known to speak."""
        return self._start is not None and (self._confirmed or self._start == self._split)

    @property
    def segment_frames(self) -> int:
        """Length of the segment so far; 0 when nobody is known to speak."""
        return self._index - self._start if self.speaking else 0

    def push(self, voice_probability: float) -> Span | None:
        """Take the next frame; give a span when there is one to classify."""
        speaking = self._start is not None
        voice = voice_probability >= self._threshold - (HYSTERESIS if speaking else 0)
        if not speaking:
            if voice:
                self._begin(max(self._index - self._pre_roll, self._free))
            else:
                self._index += 1
                return None
        self._index += 1
        if voice:
            self._voiced += 1
            self._voice_end = self._index
        silence = self._index - self._voice_end
        if silence >= self._hang_over:
            return self.flush()
        if not self._confirmed:
            return None
        if self._index - self._start >= self._max_segment:
            span = Span(self._start, self._index, self._voice_end, is_final=True)
            self._free = self._split = self._index
            self._begin(self._index)
            return span
        due = self._index - self._looked >= self._update_period
        if silence == self._tail or voice and due:
            self._looked = self._index
            return Span(self._start, self._index, self._voice_end, is_final=False)
        return None

    def flush(self) -> Span | None:
        """End the segment now, because nothing more comes; give it when there is one."""
        if self._start is None:
            return None
        start, self._start = self._start, None
        if not self._confirmed:
            return None
        self._free = min(self._voice_end + self._tail, self._index)
        return Span(start, self._free, self._voice_end, is_final=True)

    @property
    def _confirmed(self) -> bool:
        return self._voiced >= self._min_speech

    def _begin(self, start: int) -> None:
        self._start, self._voiced, self._voice_end, self._looked = start, 0, self._index, self._index

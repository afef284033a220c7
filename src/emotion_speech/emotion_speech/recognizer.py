"""A stream of audio to evidence about the speaker's emotion; works in plain Python."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from emotion_core.errors import ModelError
from emotion_core.evidence import SPEECH, Evidence
from emotion_core.stamps import NS_PER_S
from emotion_speech.classifier import Opinion, SpeechClassifier
from emotion_speech.quality import FLOOR_DBFS, to_dbfs
from emotion_speech.resampler import Resampler
from emotion_speech.ring_buffer import RingBuffer, StreamClock
from emotion_speech.segmenter import Segmentation, Segmenter, Span
from emotion_speech.vad import FRAME, RATE, NoiseFloor, VoiceActivityDetector

STAMP_JITTER_S = 0.2  # stamps of a driver that are off by more mean that audio is missing: it would end a word
ARRIVAL_JITTER_S = 1.0  # the same for times of arrival: a busy machine delivers late
ACTIVITY_FRAMES = 3  # about 0.1 s, that the level is taken of
MUTED_S = 5.0  # of zeros in a row are worth a warning
ACTIVITY_PERIOD_NS = NS_PER_S // 11  # at least; frames then make it about 10 Hz
UPDATE_LOAD = 0.5  # share of the time that updates may take: a slow model must not fall behind the audio
CLIPPED = 0.02  # share of clipped samples in a segment that is worth a warning


@dataclass(frozen=True)
class Activity:
    """What is heard now; levels in dB relative to full scale."""

    stamp_ns: int  # end of the audio that was looked at
    level_dbfs: float
    noise_floor_dbfs: float
    voice_probability: float
    speaking: bool
    segment_seconds: float


class Recognizer:
    """Listens to one stream of blocks."""

    def __init__(
        self,
        classifier: SpeechClassifier,
        vad: VoiceActivityDetector,
        settings: Segmentation = Segmentation(),
        problem: Callable[[str, str], None] = lambda kind, sentence: None,
        clock: Callable[[], float] = time.perf_counter,
    ):
        """
        Start with an empty stream.

        :param classifier: Says what a segment expresses.
        :param vad: Says where there is a voice.
        :param problem: Called with a constant name and a sentence about audio that is usable, yet not as it should be.
        :param clock: Seconds, to see how long the classifier takes.
        :raises ModelError: when the classifier wants another rate than RATE.
        """
        if classifier.sample_rate != RATE:
            raise ModelError(
                f"model '{classifier.identity}' wants {classifier.sample_rate} Hz: only {RATE} Hz is supported"
            )
        self._classifier = classifier
        self._vad = vad
        self._problem = problem
        self._time = clock
        self._segmenter = Segmenter(settings, FRAME / RATE)
        self._resample = Resampler(RATE)
        self._ring = RingBuffer(int((settings.max_segment + 2) * RATE))
        self._clock = StreamClock()
        self._floor = NoiseFloor()
        self.reset()

    def reset(self) -> None:
        """Forget the stream so far, and who spoke; the next block starts a new one."""
        self._classifier.forget()
        self._told_ns = 0  # stamp of the last activity that was given
        self._restart()

    def _restart(self) -> None:
        for part in (self._vad, self._segmenter, self._resample, self._ring, self._clock, self._floor):
            part.reset()
        self._heard = 0  # samples that the detector has heard
        self._powers: deque[float] = deque(maxlen=ACTIVITY_FRAMES)
        self._noise_floor_dbfs = FLOOR_DBFS
        self._voice_probability = 0.0
        self._muted_frames = 0
        self._last: tuple[Span, Opinion, Evidence] | None = None
        self._next_update = 0.0  # sample before which an update would make the node fall behind

    @property
    def activity(self) -> Activity | None:
        """What is heard now; None before the first frame."""
        if not self._heard:
            return None
        return Activity(
            stamp_ns=self._at(self._heard),
            level_dbfs=float(to_dbfs(np.mean(self._powers))),
            noise_floor_dbfs=self._noise_floor_dbfs,
            voice_probability=self._voice_probability,
            speaking=self._segmenter.speaking,
            segment_seconds=self._segmenter.segment_frames * FRAME / RATE,
        )

    def tell_activity(self) -> Activity | None:
        """Give what is heard now, at most every ACTIVITY_PERIOD_NS; None in between."""
        return self._due(self.activity)

    def tell_silence(self, stamp_ns: int) -> Activity | None:
        """Say as often that nothing is heard, of sound that is not listened to; ``stamp_ns`` is of that sound."""
        return self._due(Activity(stamp_ns, FLOOR_DBFS, FLOOR_DBFS, 0.0, speaking=False, segment_seconds=0.0))

    def _due(self, activity: Activity | None) -> Activity | None:
        if activity is None or 0 <= activity.stamp_ns - self._told_ns < ACTIVITY_PERIOD_NS:
            return None
        self._told_ns = activity.stamp_ns
        return activity

    def feed(self, samples: np.ndarray, rate: int, stamp_ns: int, jitter_s: float = STAMP_JITTER_S) -> list[Evidence]:
        """
        Take one block.

        :param samples: Mono float32 of shape (samples,) in [-1, 1], any number of them.
        :param rate: [Hz]; may change between blocks.
        :param stamp_ns: When the first sample was heard.
        :param jitter_s: How far stamps may be off before they mean that audio is missing [s].
        :return: Evidence that is due now, oldest first: updates while somebody speaks, and a final one per segment,
            each stamped with the end of its voice.
        """
        results = []
        late_s = self._clock.lateness_s(stamp_ns)
        if abs(late_s) > jitter_s:
            self._problem(
                'gap in the audio',
                f'{late_s:.3f} s of audio are missing'
                if late_s > 0
                else f'audio came that is {-late_s:.3f} s older than expected',
            )
            results = self.flush()
        return results + self._take(samples, rate, stamp_ns)

    def flush(self) -> list[Evidence]:
        """End the stream; give the segment that was going on. Whoever spoke may go on in the next one."""
        span = self._segmenter.flush()
        results = [] if span is None else [self._look(span)]
        self._restart()
        return results

    def _take(self, samples: np.ndarray, rate: int, stamp_ns: int) -> list[Evidence]:
        results = []
        self._clock.advance(stamp_ns, len(samples) / rate)
        for start in range(0, len(samples), rate):  # in pieces that the ring has room for beside the longest segment
            self._ring.append(self._resample(samples[start : start + rate], rate))
            while self._ring.end - self._heard >= FRAME:
                span = self._hear(self._ring[self._heard : self._heard + FRAME])
                if span is not None and (span.is_final or self._heard >= self._next_update):
                    results.append(self._look(span))
        return results

    def _hear(self, frame: np.ndarray) -> Span | None:
        self._heard += FRAME
        power = float(np.square(frame, dtype=np.float64).mean())
        self._powers.append(power)
        self._noise_floor_dbfs = self._floor.update(float(to_dbfs(power)))
        self._voice_probability = self._vad(frame)
        self._muted_frames = 0 if power else self._muted_frames + 1
        if self._muted_frames * FRAME >= MUTED_S * RATE:
            self._muted_frames = 0
            self._problem('digital silence', f'{MUTED_S:g} s of nothing but zeros: is the microphone muted?')
        return self._segmenter.push(self._voice_probability)

    def _look(self, span: Span) -> Evidence:
        """Classify a span, unless it is the one that was classified last; remember the voice of a final one."""
        if self._last is not None and replace(self._last[0], is_final=span.is_final) == span:
            _, opinion, evidence = self._last
            evidence = replace(evidence, is_final=span.is_final)
        else:
            begin = self._time()
            start_ns = self._at(span.start * FRAME)
            opinion = self._classifier(self._ring[span.start * FRAME : span.end * FRAME], start_ns)
            self._next_update = self._heard + (self._time() - begin) / UPDATE_LOAD * RATE
            evidence = Evidence(
                stamp_ns=self._at(span.voice_end * FRAME),  # the silence after it tells nothing
                start_ns=start_ns,
                source=SPEECH,
                model=self._classifier.identity,
                is_final=span.is_final,
                probabilities=opinion.probabilities,
                quality=opinion.quality,
                quality_terms=opinion.quality_terms,
                quality_reason=opinion.quality_reason,
            )
        self._last = (span, opinion, evidence)
        if span.is_final:
            self._classifier.remember(opinion, evidence.stamp_ns)
            if evidence.quality_terms['clipping'] > CLIPPED:
                self._problem('clipping', 'the speech is clipped: lower the gain of the microphone')
        return evidence

    def _at(self, sample: int) -> int:
        return self._clock.at(sample / RATE)

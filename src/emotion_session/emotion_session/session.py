"""The flow of a session as a state machine; no ROS, and no clock but the times it is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from emotion_core.emotions import UNCERTAIN
from emotion_core.evidence import Evidence
from emotion_core.stamps import NS_PER_S
from emotion_fusion.fuser import Fused
from emotion_fusion.smoothing import LabelSmoother
from emotion_fusion.timeline import Timeline
from emotion_session.utterance import join

GAP_S = 1.0  # without a frame, or without the subject in it: what was held is held no more
NEAR_S = 0.3  # of the time between two looks counts as held: all of it for most cameras
THERE_S = 1.0  # a face that was seen within this is there
CAMERA, MICROPHONE = 'camera', 'microphone'
NEVER = float('-inf')


class State(IntEnum):
    """Where a capture is; the numbers of SessionState."""

    WAITING_FACE = 0
    LOCKED = 1
    LISTENING = 2
    SHOW_RESULT = 3


class Outcome(IntEnum):
    """How a capture ended; the numbers of SessionState."""

    NONE = 0
    SUCCESS = 1
    NO_FACE = 2
    NO_LOCK = 3
    NO_SPEECH = 4
    SUBJECT_CHANGED = 5
    NO_CAMERA = 6
    NO_MICROPHONE = 7
    CANCELED = 8
    PREEMPTED = 9
    NODE_LOST = 10
    INVALID_GOAL = 11


@dataclass(frozen=True)
class Request:
    """What one capture is asked for; durations in seconds."""

    lock_seconds: float = 1.5
    min_confidence: float = 0.45
    face_timeout: float = 30.0
    speech_timeout: float = 15.0


@dataclass(frozen=True)
class Rules:
    """What holds for every capture; durations in seconds."""

    locked_seconds: float = 0.7  # until it listens, unless somebody speaks before
    early_start: float = 1.0  # an utterance that began this long before the lock counts
    end_pause: float = 0.5  # after the end of a segment, until the utterance is over
    longest_utterance: float = 15.0
    show_seconds: float = 5.0
    subject_grace: float = 1.0  # another face may be alone in the picture for this long
    input_timeout: float = 3.0  # without a frame, or without sound
    smoothing: float = 0.4  # time constant
    switch_margin: float = 0.08


@dataclass
class Session:
    """
    One capture after another: ``begin``, then ``see``, ``hear``, ``listen`` and ``tick`` until it is not ``active``.

    All times and stamps are of one clock, in ns.
    """

    rules: Rules
    pair: Callable[[Evidence, Evidence], Fused]
    active: bool = field(default=False, init=False)
    state: State = field(default=State.WAITING_FACE, init=False)
    outcome: Outcome = field(default=Outcome.NONE, init=False)
    lock_progress: float = field(default=0.0, init=False)  # [0, 1]
    speaking: bool = field(default=False, init=False)
    level_dbfs: float = field(default=NEVER, init=False)
    face: Evidence | None = field(default=None, init=False)
    speech: Evidence | None = field(default=None, init=False)
    fused: Fused | None = field(default=None, init=False)

    def __post_init__(self):
        """Begin at rest."""
        self._clear()

    @property
    def is_open(self) -> bool:
        """Whether a capture goes on that has no outcome yet."""
        return self.active and self.outcome is Outcome.NONE

    @property
    def subject_id(self) -> str:
        """Whose face it is about; '' while there is none."""
        return self.face.subject_id if self.face else ''

    def begin(self, request: Request, now_ns: int) -> None:
        """Start a capture."""
        self._clear()
        self.active, self._request = True, request
        self._heard_of = {CAMERA: now_ns, MICROPHONE: now_ns}
        self._enter(State.WAITING_FACE, now_ns, request.face_timeout)

    def end(self, outcome: Outcome, now_ns: int) -> None:
        """End the capture that goes on, with an outcome; what is known so far stays."""
        self.outcome = outcome
        self._enter(State.SHOW_RESULT, now_ns, self.rules.show_seconds)

    def rest(self) -> None:
        """Go back to waiting for a goal."""
        self._clear()

    def silent(self, now_ns: int) -> str:
        """Give the input that has said nothing for too long: CAMERA, MICROPHONE or ''."""
        longest_ns = self.rules.input_timeout * NS_PER_S
        return next((name for name, ns in self._heard_of.items() if now_ns - ns > longest_ns), '')

    def seconds_left(self, now_ns: int) -> float:
        """Give the time until this state is over by itself [s]; -1: it stays."""
        return max(self._deadline_ns - now_ns, 0) / NS_PER_S if self.active else -1.0

    def see(self, faces: Sequence[Evidence], stamp_ns: int, now_ns: int) -> None:
        """
        Take the faces of a frame.

        :param faces: Largest first; empty when there is none.
        :param stamp_ns: When the frame was taken.
        """
        if not self.is_open:
            return
        self._heard_of[CAMERA] = now_ns
        present = {face.subject_id: face for face in faces}
        if self.state is State.WAITING_FACE:
            self._see_waiting(present, stamp_ns, now_ns)
        elif not present or self.subject_id in present:
            self._others_ns = None
        elif self._others_ns is None:
            self._others_ns = stamp_ns
        elif stamp_ns - self._others_ns > self.rules.subject_grace * NS_PER_S:
            self.end(Outcome.SUBJECT_CHANGED, now_ns)

    def listen(self, level_dbfs: float, speaking: bool, now_ns: int) -> None:
        """Take what the microphone gives now."""
        if not self.is_open:
            return
        self._heard_of[MICROPHONE] = now_ns
        self.level_dbfs, self.speaking = level_dbfs, speaking
        if self.state is State.LOCKED and speaking:
            self._enter(State.LISTENING, now_ns, self._request.speech_timeout)

    def hear(self, evidence: Evidence, now_ns: int) -> None:
        """Take evidence about a voice: an update of a segment of speech, or its end."""
        if not self.is_open or self.state not in (State.LOCKED, State.LISTENING):
            return
        if evidence.start_ns < self._lock_ns - self.rules.early_start * NS_PER_S or evidence.stamp_ns < self._lock_ns:
            return  # somebody spoke before
        if self.state is State.LOCKED:
            self._enter(State.LISTENING, now_ns, self._request.speech_timeout)
        if self.speech is None:
            self._speech_ns = now_ns
        self.speech = join([*self._segments, evidence])
        self._heard_ns = now_ns
        if evidence.is_final:
            self._segments.append(evidence)

    def tick(self, now_ns: int) -> None:
        """Let time pass."""
        if not self.active:
            return
        is_due = now_ns >= self._deadline_ns
        if self.state is State.WAITING_FACE and is_due:
            is_there = now_ns - self._face_ns <= THERE_S * NS_PER_S
            self.end(Outcome.NO_LOCK if is_there else Outcome.NO_FACE, now_ns)
        elif self.state is State.LOCKED and is_due:
            self._enter(State.LISTENING, now_ns, self._request.speech_timeout)
        elif self.state is State.LISTENING:
            self._tick_listening(is_due, now_ns)
        elif self.state is State.SHOW_RESULT and is_due:
            self.rest()

    def _clear(self) -> None:
        self.active, self.state, self.outcome = False, State.WAITING_FACE, Outcome.NONE
        self.lock_progress, self.speaking, self.level_dbfs = 0.0, False, NEVER
        self.face = self.speech = self.fused = None
        self._face_ns = self._subject_ns = NEVER
        self._others_ns: int | None = None  # since when there are other faces, and not the subject's
        self._deadline_ns = self._lock_ns = self._speech_ns = self._heard_ns = 0
        self._segments: list[Evidence] = []
        self._smoother: LabelSmoother | None = None
        self._held: Timeline | None = None
        self._held_label = UNCERTAIN
        self._held_ns = 0  # for how long it was seen
        self._is_missed = False  # a frame came without the subject since the last look

    def _enter(self, state: State, now_ns: int, seconds: float) -> None:
        self.state, self._deadline_ns = state, now_ns + round(seconds * NS_PER_S)

    def _see_waiting(self, present: dict[str, Evidence], stamp_ns: int, now_ns: int) -> None:
        if present:
            self._face_ns = now_ns
        since_ns = stamp_ns - self._subject_ns
        is_gone = since_ns > GAP_S * NS_PER_S
        face = present.get(self.subject_id)
        if face is None and is_gone:
            self.face, self.lock_progress, self._smoother = None, 0.0, None
            face = next(iter(present.values()), None)
        if face is None:
            self._is_missed = True
            return
        near_ns = NEAR_S * NS_PER_S
        was_away = is_gone or since_ns < 0 or (self._is_missed and since_ns > near_ns)
        seen_ns = 0 if was_away else min(since_ns, near_ns)
        if self._smoother is None or is_gone:
            rules = self.rules
            self._smoother = LabelSmoother(rules.smoothing, rules.switch_margin, self._request.min_confidence)
            self._held_label = UNCERTAIN
        self.face, self._subject_ns, self._is_missed = face, stamp_ns, False
        self._hold(face, stamp_ns, now_ns, seen_ns)

    def _hold(self, face: Evidence, stamp_ns: int, now_ns: int, seen_ns: int) -> None:
        """
        Take one more look at the subject's face, and lock when it was the same for long enough.

        :param seen_ns: For how long it was seen since the last look; 0 when it may have been away.
        """
        label, _ = self._smoother.update(face.probabilities, stamp_ns)
        if label != self._held_label:
            self._held_label, self._held_ns = label, 0
            self._held = Timeline(round(self._request.lock_seconds * NS_PER_S))
        else:
            self._held_ns += seen_ns
        if label == UNCERTAIN:
            self.lock_progress = 0.0
            return
        self._held.add(face)
        self.lock_progress = min(self._held_ns / (self._request.lock_seconds * NS_PER_S), 1.0)
        if self.lock_progress >= 1:
            self.face = self._held.recent(self._held.max_age_ns)
            self._lock_ns = stamp_ns
            self._enter(State.LOCKED, now_ns, self.rules.locked_seconds)

    def _tick_listening(self, is_due: bool, now_ns: int) -> None:
        if self.speech is None:
            too_late_ns = self._deadline_ns + (self.rules.longest_utterance * NS_PER_S if self.speaking else 0)
            if now_ns >= too_late_ns:
                self.end(Outcome.NO_SPEECH, now_ns)
            return
        is_over = self.speech.is_final and now_ns - self._heard_ns >= self.rules.end_pause * NS_PER_S
        is_too_long = now_ns - self._speech_ns >= self.rules.longest_utterance * NS_PER_S
        if (is_over and not self.speaking) or is_too_long:
            self.fused = self.pair(self.face, self.speech)
            self.end(Outcome.SUCCESS, now_ns)

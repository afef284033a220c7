import numpy as np
import pytest

from emotion_core.emotions import EMOTIONS
from emotion_core.evidence import Evidence
from emotion_fusion.parameters import FusionParameters
from emotion_session.pairing import pair
from emotion_session.session import Outcome, Request, Rules, Session, State

S = 1_000_000_000
FRAME_NS = S // 25
REQUEST = Request(lock_seconds=1.0, min_confidence=0.5, face_timeout=10.0, speech_timeout=6.0)


def evidence(source, emotion, stamp_ns, subject='', p=0.8, seconds=0.0, final=True):
    probabilities = np.full(6, (1 - p) / 5)
    probabilities[EMOTIONS.index(emotion)] = p
    return Evidence(
        stamp_ns, stamp_ns - round(seconds * S), source, probabilities, 0.7, subject_id=subject, is_final=final
    )


class Person:
    """Drives a session frame by frame, with sound that comes as often."""

    def __init__(self, rules=Rules()):
        self.session = Session(rules, lambda face, speech: pair(face, speech, FusionParameters()))
        self.now = 100 * S
        self.states = []
        self.session.begin(REQUEST, self.now)

    def live(self, seconds, faces=(('f0001', 'happy'),), speaking=False, sound=True, frames=True):
        for _ in range(round(seconds * S / FRAME_NS)):
            self.now += FRAME_NS
            if frames:
                seen = [evidence('face', emotion, self.now, subject) for subject, emotion in faces]
                self.session.see(seen, self.now, self.now)
            if sound:
                self.session.listen(-30.0, speaking, self.now)
            self.session.tick(self.now)
            if self.states[-1:] != [self.session.state]:
                self.states.append(self.session.state)

    def say(self, emotion='happy', seconds=1.0, final=True, ago=0.0):
        end = self.now - round(ago * S)
        self.session.hear(evidence('speech', emotion, end, seconds=seconds, final=final), self.now)

    def lock(self):
        self.live(1.2)
        assert self.session.state is State.LOCKED
        self.live(1.0)
        assert self.session.state is State.LISTENING


def test_hold_speak_and_see_both():
    person = Person()
    person.lock()
    person.live(1.0, speaking=True)
    person.say('angry', seconds=1.3)
    person.live(1.0)
    session = person.session
    assert person.states == [State.WAITING_FACE, State.LOCKED, State.LISTENING, State.SHOW_RESULT]
    assert (session.outcome, session.face.label, session.speech.label) == (Outcome.SUCCESS, 'happy', 'angry')
    assert session.face.stamp_ns - session.face.start_ns == pytest.approx(S, abs=2 * FRAME_NS)
    assert session.fused.face_weight == pytest.approx(0.5) and session.fused.face is session.face
    assert session.fused.evidence.start_ns == session.face.start_ns
    person.live(6.0)
    assert not session.active and session.state is State.WAITING_FACE and session.face is None


def test_progress_grows_and_falls_back_when_the_expression_changes():
    person = Person()
    person.live(0.6)
    assert person.session.lock_progress == pytest.approx(0.6, abs=0.1)
    person.live(0.9, faces=(('f0001', 'sad'),))
    assert 0 < person.session.lock_progress < 0.8
    person.live(0.7, faces=(('f0001', 'sad'),))
    assert person.session.state is State.LOCKED and person.session.face.label == 'sad'


def test_weak_expression_does_not_lock():
    person = Person()
    for _ in range(100):
        person.now += FRAME_NS
        person.session.see([evidence('face', 'happy', person.now, 'f0001', p=0.4)], person.now, person.now)
        person.session.tick(person.now)
    assert person.session.state is State.WAITING_FACE and person.session.lock_progress == 0


def test_one_flickering_frame_does_not_restart_the_hold():
    person = Person()
    person.live(0.5)
    person.live(0.04, faces=(('f0001', 'fear'),))
    person.live(0.7)
    assert person.session.state is State.LOCKED


def test_hold_is_about_one_subject():
    person = Person()
    person.live(0.8, faces=(('f0001', 'happy'), ('f0002', 'sad')))
    person.live(0.8, faces=(('f0002', 'happy'),))
    assert person.session.state is State.WAITING_FACE
    person.live(1.3, faces=(('f0002', 'happy'),))
    assert person.session.subject_id == 'f0002' and person.session.state is State.LOCKED


def test_gap_in_the_frames_is_not_held_time():
    person = Person()
    person.live(0.5)
    person.live(1.0, frames=False)
    person.live(0.3)
    assert person.session.state is State.WAITING_FACE


def test_time_between_looks_that_are_far_apart_is_not_held_time():
    person, progress = Person(), [0.0]
    for _ in range(4):
        for faces, seconds in (((('f0001', 'happy'),), 0.08), ((), 0.8)):
            person.live(seconds, faces=faces)
            progress.append(person.session.lock_progress)
    assert person.session.state is State.WAITING_FACE
    assert 0.1 < progress[-1] < 0.3 and max(np.diff(progress)) < 0.1


@pytest.mark.parametrize('rate, seconds', [(2, 2.5), (4, 1.3), (5, 1.3), (30, 1.3)])
def test_expression_locks_at_any_rate_of_frames(rate, seconds):
    person = Person()
    for _ in range(round(seconds * rate)):
        person.now += S // rate
        person.session.see([evidence('face', 'happy', person.now, 'f0001')], person.now, person.now)
    assert person.session.state is State.LOCKED


@pytest.mark.parametrize('began_before_lock, counts', [(0.3, True), (0.9, True), (1.5, False)])
def test_utterance_that_began_just_before_the_lock_counts(began_before_lock, counts):
    person = Person()
    person.live(1.2)
    person.live(0.5, speaking=True)
    since_lock = (person.now - person.session.face.stamp_ns) / S
    person.say(seconds=since_lock + began_before_lock)
    person.live(0.8)
    assert (person.session.outcome is Outcome.SUCCESS) == counts


def test_speaking_in_the_locked_moment_listens_at_once():
    person = Person()
    person.live(1.08)
    assert person.session.state is State.LOCKED
    person.live(0.04, speaking=True)
    assert person.session.state is State.LISTENING


def test_words_with_short_pauses_are_one_utterance_weighed_by_length():
    person = Person()
    person.lock()
    person.live(1.0, speaking=True)
    person.say('sad', seconds=0.9)
    person.live(0.3)
    person.live(0.3, speaking=True)
    person.say('happy', seconds=0.3, final=False)
    person.live(0.2, speaking=True)
    person.say('happy', seconds=0.3)
    person.live(0.8)
    speech = person.session.speech
    assert person.session.outcome is Outcome.SUCCESS and speech.is_final
    assert speech.probabilities[EMOTIONS.index('sad')] == pytest.approx(0.75 * 0.8 + 0.25 * 0.04)


def test_who_speaks_when_the_time_is_over_is_heard_out():
    person = Person()
    person.lock()
    person.live(5.5)
    person.live(2.0, speaking=True)
    person.say('fear')
    person.live(0.8)
    assert person.session.outcome is Outcome.SUCCESS


def test_endless_speech_is_ended():
    person = Person(Rules(longest_utterance=4.0))
    person.lock()
    for _ in range(6):
        person.live(1.0, speaking=True)
        person.say('happy', final=False)
    assert person.session.outcome is Outcome.SUCCESS and not person.session.speech.is_final


def test_nobody_there():
    person = Person()
    person.live(10.2, faces=())
    assert person.session.outcome is Outcome.NO_FACE


def test_nobody_holds_an_expression():
    person = Person()
    for emotion in ('happy', 'sad') * 7:
        person.live(0.8, faces=(('f0001', emotion),))
    assert person.session.outcome is Outcome.NO_LOCK


def test_nobody_speaks():
    person = Person()
    person.lock()
    person.live(6.2)
    assert person.session.outcome is Outcome.NO_SPEECH and person.session.face.label == 'happy'


def test_another_face_alone_is_a_change_of_subject_and_a_look_away_is_not():
    person = Person()
    person.lock()
    person.live(1.2, faces=())
    person.live(0.5, faces=(('f0002', 'sad'),))  # a look away leaves them as much time as ever
    assert person.session.is_open
    person.live(0.5, faces=(('f0002', 'sad'), ('f0001', 'happy')))
    person.live(0.8, faces=(('f0002', 'sad'),))
    person.live(0.2, faces=())
    person.live(0.8, faces=(('f0002', 'sad'),))
    assert person.session.is_open
    person.live(0.2, faces=(('f0001', 'happy'),))
    person.live(1.2, faces=(('f0002', 'sad'),))
    assert person.session.outcome is Outcome.SUBJECT_CHANGED


@pytest.mark.parametrize('missing, name', [('frames', 'camera'), ('sound', 'microphone')])
def test_input_that_stops_is_named(missing, name):
    person = Person()
    person.live(0.5)
    assert person.session.silent(person.now) == ''
    person.live(3.2, **{missing: False}, faces=())
    assert person.session.silent(person.now) == name


def test_ended_capture_takes_no_more_input():
    person = Person()
    person.lock()
    person.session.end(Outcome.CANCELED, person.now)
    person.say()
    person.live(2.0)
    assert person.session.outcome is Outcome.CANCELED and person.session.speech is None

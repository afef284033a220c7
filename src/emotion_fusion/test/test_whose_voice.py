import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion_core.evidence import Evidence
from emotion_fusion.fuser import Fuser
from emotion_fusion.speaker import (
    CORRELATION,
    LAG_S,
    LARGEST,
    MARGIN,
    MOUTH,
    NO_FACE,
    NOBODY,
    ONLY,
    Loudness,
    Speaker,
    Synchrony,
    choose,
)
from emotion_fusion.stream import FusionStream

S = 1_000_000_000
T0 = 1_700_000_000 * S
FRAME, PERIOD = S // 15, S // 10
BEGIN, END = T0 + 1 * S, T0 + 3 * S  # of the voice


def syllables(seconds, seed=0):
    """Give how loud a voice is at a time, 0 … 1: nothing but from 1 s to 3 s, and then syllables."""
    rng = np.random.default_rng(seed)
    beats = np.cumsum(rng.uniform(0.2, 0.45, 12)) + 0.9
    strengths = rng.uniform(0.4, 1.0, len(beats))
    loud = sum(strength * np.exp(-(((seconds - beat) / 0.07) ** 2)) for beat, strength in zip(beats, strengths))
    return loud * ((seconds > 1) & (seconds < 3))


def level(seconds, seed=0):
    return -60 + 35 * np.minimum(syllables(seconds, seed), 1)


def mouth(seconds, seed=0, late=0.0):
    """Give the motion of the mouth that a voice comes from."""
    return 1 + 5 * syllables(seconds - late, seed)


def chewing(seconds):
    return 3 + 2 * np.sin(2 * np.pi * 2.3 * seconds)


def still(seconds):
    return 1 + 0.1 * np.random.default_rng(round(seconds * 1000)).normal()


def times(step_ns, end_s=3.3):
    return [index * step_ns for index in range(int(end_s * S / step_ns))]


def synchrony(mouths, seed=0, ahead_ns=0, shuffle=None):
    """Give what was seen of some mouths, by function of time, and heard of a voice that is ahead by ``ahead_ns``."""
    found = Synchrony()
    seen = [(name, at) for name in mouths for at in times(FRAME)]
    heard = times(PERIOD)
    if shuffle is not None:
        shuffle.shuffle(seen)
        shuffle.shuffle(heard)
    for name, at in seen:
        found.see(name, T0 + at, float(mouths[name](at / S)))
    for at in heard:
        found.hear(Loudness(T0 + at + ahead_ns, float(level(at / S, seed))))
    return found


def test_the_mouth_that_a_voice_comes_from_moves_with_it_and_no_other_does():
    found = synchrony({'f0001': chewing, 'f0002': mouth, 'f0003': still}).correlations(BEGIN, END)
    assert found['f0002'] > 0.8 > 0.5 > max(found['f0001'], found['f0003'])
    assert choose(found) == 'f0002'


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 500),
    late=st.floats(-LAG_S + 0.05, LAG_S - 0.05),
    gain=st.floats(0.1, 50),
    offset=st.floats(0, 20),
    random=st.randoms(use_true_random=False),
)
def test_neither_delay_nor_scale_nor_order_of_arrival_matters(seed, late, gain, offset, random):
    def scaled(seconds):
        return offset + gain * mouth(seconds, seed, late)

    in_order = synchrony({'f0001': scaled}, seed).correlations(BEGIN, END)
    assert in_order['f0001'] > 0.7
    shuffled = synchrony({'f0001': scaled}, seed, shuffle=random).correlations(BEGIN, END)
    assert shuffled == pytest.approx(in_order)


@settings(max_examples=25, deadline=None)
@given(values=st.lists(st.floats(0, 1e6), min_size=50, max_size=50), levels=st.lists(st.floats(-120, 0), min_size=33))
def test_a_correlation_is_in_its_range_whatever_comes(values, levels):
    found = Synchrony()
    for index, value in enumerate(values):
        found.see('f0001', T0 + index * FRAME, value)
    for index, value in enumerate(levels):
        found.hear(Loudness(T0 + index * PERIOD, value))
    assert all(-1 - 1e-9 <= value <= 1 + 1e-9 for value in found.correlations(BEGIN, END).values())


def test_clocks_that_differ_are_brought_together():
    ahead_ns = 1000 * S
    found = synchrony({'f0001': mouth}, ahead_ns=ahead_ns)
    assert found.correlations(BEGIN + ahead_ns, END + ahead_ns) == {}
    assert found.correlations(BEGIN + ahead_ns, END + ahead_ns, ahead_ns=ahead_ns)['f0001'] > 0.8


def test_what_was_before_the_voice_before_does_not_count():
    def spoke_before(seconds):
        return 6.0 if seconds < 0.8 else 1 + 5 * syllables(seconds)

    found = synchrony({'f0001': spoke_before})
    assert found.correlations(BEGIN, END, quiet_ns=T0 + 9 * S // 10)['f0001'] > 0.7
    assert found.correlations(BEGIN, END)['f0001'] < 0.5


@pytest.mark.parametrize('motion', [lambda seconds: 0.0, lambda seconds: 1.0 if seconds > 2.8 else 0.0])
def test_a_mouth_that_was_hardly_seen_is_not_compared(motion):
    assert synchrony({'f0001': motion}).correlations(BEGIN, END) == {}


def test_without_sound_or_with_an_even_one_nothing_is_compared():
    found = Synchrony()
    for at in times(FRAME):
        found.see('f0001', T0 + at, float(mouth(at / S)))
    assert found.correlations(BEGIN, END) == {}
    for at in times(PERIOD):
        found.hear(Loudness(T0 + at, -40.0))
    found.hear(Loudness(T0, float('-inf')))
    assert found.correlations(BEGIN, END) == {}


def test_only_the_last_seconds_are_kept():
    found = Synchrony()
    for index in range(60 * 15):
        found.see('f0001' if index < 300 else 'f0002', T0 + index * FRAME, 1.0)
        found.hear(Loudness(T0 + index * FRAME, -40.0))
    assert set(found._motion) == {'f0002'}
    assert len(found._motion['f0002']) <= 12 * 15 + 1 >= len(found._level)


@given(st.dictionaries(st.sampled_from(['f1', 'f2', 'f3']), st.floats(-1, 1)))
def test_a_mouth_is_chosen_only_when_it_is_clear_which(correlations):
    chosen = choose(correlations)
    if chosen:
        others = [value for name, value in correlations.items() if name != chosen]
        assert correlations[chosen] >= CORRELATION
        assert all(correlations[chosen] - value >= MARGIN for value in others)
    else:
        first, second = sorted([*correlations.values(), -1, -1], reverse=True)[:2]
        assert first < CORRELATION or first - second < MARGIN


def face(name, at_ns, size_px, motion=0.0):
    terms = {'size_px': size_px}
    p = np.full(6, 1 / 6)
    return Evidence(at_ns, at_ns, 'face', p, 0.8, terms, subject_id=name, mouth_motion=motion)


def voice(start_ns=BEGIN, end_ns=END, final=True):
    return Evidence(end_ns, start_ns, 'speech', np.full(6, 1 / 6), 0.8, is_final=final)


def fuser_with(mouths, offset_ns=0, fuser=None):
    """Give a fuser that has seen faces, the first 200 px and each next one half of that, and heard a voice."""
    fuser = fuser or Fuser()
    for at in times(FRAME):
        for index, (name, motion) in enumerate(mouths.items()):
            fuser.add(face(name, T0 + at, 200 / 2**index, float(motion(at / S))), offset_ns)
    for at in times(PERIOD):
        fuser.hear(Loudness(T0 + at, float(level(at / S))))
    return fuser


def test_a_voice_is_given_to_the_smaller_face_when_its_mouth_moves_with_it():
    fuser = fuser_with({'f0001': chewing, 'f0002': mouth})
    fuser.add(voice())
    theirs, other = fuser.fuse('f0002', END), fuser.fuse('f0001', END)
    assert fuser.speaker == 'f0002' and theirs.is_speaker and not other.is_speaker
    assert theirs.speech_weight > 0 == other.speech_weight
    assert theirs.speaker.rule == other.speaker.rule == MOUTH
    assert re.fullmatch(r'f0002: its mouth moves with it \(r \d\.\d\d\)', theirs.speaker.reason)


def test_a_voice_of_nobody_in_view_goes_to_the_largest_face_and_says_why():
    fuser = fuser_with({'f0001': chewing, 'f0002': still})
    fuser.add(voice())
    speaker = fuser.fuse('f0001', END).speaker
    assert (speaker.subject_id, speaker.rule) == ('f0001', LARGEST)
    assert speaker.reason == 'f0001: largest face, as no mouth stands out'


def test_mouths_that_move_alike_decide_nothing():
    fuser = fuser_with({'f0001': mouth, 'f0002': mouth})
    fuser.add(voice())
    assert fuser.fuse('f0001', END).speaker.rule == LARGEST


def test_without_mouths_it_is_the_largest_face():
    fuser = fuser_with({'f0001': lambda seconds: 0.0, 'f0002': lambda seconds: 0.0})
    fuser.add(voice())
    assert fuser.fuse('f0001', END).speaker.reason == 'f0001: largest face'


def test_one_face_alone_has_the_voice_however_its_mouth_moves():
    fuser = fuser_with({'f0001': still})
    fuser.add(voice())
    assert fuser.fuse('f0001', END).speaker == Speaker('f0001', ONLY, fuser.fuse('f0001', END).speaker.correlations)


def test_nobody_in_view_and_no_voice_are_said():
    fuser = Fuser()
    fuser.add(voice())
    assert fuser.fuse(NOBODY, END).speaker == Speaker(NOBODY, NO_FACE)
    assert fuser.fuse(NOBODY, END).speaker.reason == 'no face'
    fuser = fuser_with({'f0001': still})
    assert fuser.fuse('f0001', END).speaker is None


def test_who_spoke_and_left_keeps_the_voice():
    fuser = fuser_with({'f0001': chewing, 'f0002': mouth})
    fuser.forget('f0002')
    fuser.add(voice())
    assert fuser.speaker == NOBODY
    assert not fuser.fuse('f0001', END).is_speaker
    assert fuser.fuse(NOBODY, END).speaker.reason.startswith('f0002: its mouth')


def test_what_the_mouths_told_of_a_voice_stays_while_it_goes_on_and_must_hold_for_the_whole():
    fuser = fuser_with({'f0001': chewing, 'f0002': mouth})
    fuser.add(voice(end_ns=END - S // 2, final=False))
    assert fuser.speaker == 'f0002'
    fuser._synchrony = Synchrony()  # nothing more is known
    fuser.add(voice(end_ns=END - S // 4, final=False))
    assert fuser.fuse('f0002', END).speaker.rule == MOUTH
    fuser.add(voice())
    assert fuser.fuse('f0001', END).speaker.reason == 'f0001: largest face'


def test_pictures_of_another_clock_are_compared_all_the_same():
    stream = FusionStream(Fuser().parameters)
    behind_ns = 500 * S
    for at in times(S // 30):
        now = T0 + at
        if at % (2 * (S // 30)) == 0:
            for name, size_px, motion in (('f0001', 200.0, chewing), ('f0002', 100.0, mouth)):
                stream.take(face(name, now - behind_ns, size_px, float(motion(at / S))), now + S // 20)
        if at % (3 * (S // 30)) == 0:
            stream.hear(Loudness(now, float(level(at / S))), now)
    fused = stream.take(voice(), T0 + 33 * S // 10)
    assert (fused.evidence.subject_id, fused.speaker.rule) == ('f0002', MOUTH)

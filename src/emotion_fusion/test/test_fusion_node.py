import re

import numpy as np
import pytest
from rclpy.parameter import Parameter

from emotion_core import qos
from emotion_core.emotions import EMOTIONS, UNCERTAIN
from emotion_core.evidence import Evidence
from emotion_core.messages import to_header, to_ns, to_probs, to_stamp
from emotion_core.testing import ros  # noqa: F401
from emotion_fusion.node import FusionNode
from emotion_msgs.msg import EmotionProbs, FusedEmotion, QualityTerm, SpeechActivity

S = 1_000_000_000
FIXED = '-p', 'method:=fixed', '-p', 'face_weight:=0.8', '-p', 'speech_weight:=0.4'


def probs(source, emotion, stamp_ns, subject=''):
    p = np.full(6, 0.05)
    p[EMOTIONS.index(emotion)] = 0.75
    return to_probs(Evidence(stamp_ns, stamp_ns - S, source, p, quality=0.8, subject_id=subject, model='m@12345678'))


def start(ros):
    node = ros.add(FusionNode())
    node.autostart()
    fused = ros.collect(FusedEmotion, 'emotion/fused', qos.RESULT)
    return (
        node,
        fused,
        ros.publisher(EmotionProbs, 'emotion/face', qos.RESULT),
        ros.publisher(EmotionProbs, 'emotion/speech', qos.RESULT),
    )


def test_both_modalities_with_weights_reasons_and_the_stamps_of_the_input(ros):
    node, fused, face, speech = start(ros)
    now = node.now_ns()
    speech.publish(probs('speech', 'happy', now - S // 10))
    face.publish(probs('face', 'happy', now, 'f0001'))
    both = ros.spin_until(lambda: [msg for msg in fused if msg.face_weight > 0 and msg.speech_weight > 0])[0]
    assert to_ns(both.header.stamp) == to_ns(both.face.header.stamp) == now
    assert to_ns(both.speech.header.stamp) == now - S // 10
    assert abs(sum(both.fused.probabilities) - 1) < 1e-6 and len(both.fused.probabilities) == 6
    assert (both.label, both.subject_id, both.method, both.is_speaker) == ('happy', 'f0001', 'log_linear', True)
    assert 'quality 0.80' in both.face_reason and 'quality 0.80' in both.speech_reason
    assert both.face.model == 'm@12345678'
    assert both.speaker_reason == 'f0001: only face'


@pytest.mark.parametrize('ros', [FIXED], indirect=True)
def test_method_and_weights_are_those_of_the_parameters(ros):
    node, fused, face, speech = start(ros)
    now = node.now_ns()
    speech.publish(probs('speech', 'sad', now))
    face.publish(probs('face', 'happy', now, 'f0001'))
    both = ros.spin_until(lambda: [msg for msg in fused if msg.face_weight > 0 and msg.speech_weight > 0])[0]
    assert (both.method, both.face_weight, both.speech_weight) == ('fixed', pytest.approx(2 / 3), pytest.approx(1 / 3))
    expected = (2 * both.face.probabilities + both.speech.probabilities) / 3
    assert both.fused.probabilities == pytest.approx(expected, abs=1e-6)


def test_the_voice_is_given_to_the_face_whose_mouth_moves_with_it(ros):
    node, fused, face, speech = start(ros)
    activity = ros.publisher(SpeechActivity, 'emotion/speech/activity', qos.RESULT)
    begin = node.now_ns() - 3 * S
    for step in range(30):  # a second of silence, and then syllables
        stamp_ns, loud = begin + step * S // 10, step >= 10 and step % 4 < 2
        activity.publish(SpeechActivity(header=to_header(stamp_ns), level_dbfs=-25.0 if loud else -60.0))
        for name, size_px, motion in (('f0001', 200.0, 1.0 + step % 3), ('f0002', 80.0, 6.0 if loud else 1.0)):
            msg = probs('face', 'happy', stamp_ns, name)
            msg.quality_terms, msg.mouth_motion = [QualityTerm(name='size_px', value=size_px)], motion
            face.publish(msg)
        ros.spin_for(0.02)
    ros.spin_until(lambda: [msg for msg in fused if to_ns(msg.header.stamp) == stamp_ns and msg.subject_id == 'f0002'])
    voice = probs('speech', 'happy', stamp_ns)
    voice.evidence_start = to_stamp(begin + S)
    speech.publish(voice)
    theirs = ros.spin_until(lambda: [msg for msg in fused if msg.is_speaker and msg.speech_weight > 0])[0]
    assert theirs.subject_id == 'f0002'
    assert theirs.speaker_reason.startswith('f0002: its mouth moves with it')


def test_face_goes_voice_stays_then_all_is_uncertain_then_silence(ros):
    node, fused, face, speech = start(ros)
    now = node.now_ns()
    face.publish(probs('face', 'sad', now, 'f0001'))
    speech.publish(probs('speech', 'angry', now - 5 * S))  # has 3 of its 8 seconds left
    ros.spin_until(
        lambda: [msg for msg in fused if msg.subject_id == '' and msg.face_weight == 0 and msg.speech_weight == 1],
        'the voice goes on alone',
    )
    ros.spin_until(lambda: fused[-1].label == UNCERTAIN and fused[-1].speech_weight == 0, 'nothing is left')
    ros.spin_for(0.5)
    count = len(fused)
    ros.spin_for(0.6)
    assert len(fused) == count


def test_bad_evidence_is_counted_and_the_next_is_fused(ros):
    node, fused, face, _ = start(ros)
    now = node.now_ns()
    bad = probs('face', 'happy', now, 'f0001')
    bad.probabilities = np.full(6, np.nan, np.float32)
    face.publish(bad)
    face.publish(probs('face', 'surprise', now, 'f0001'))
    ros.spin_until(lambda: fused)
    assert fused[0].label == 'surprise'
    assert node.health.problems['bad probabilities'] == 1


def test_stamps_of_another_clock_still_fuse_with_a_warning(ros):
    node, fused, face, speech = start(ros)
    speech.publish(probs('speech', 'happy', 1000 * S))
    face.publish(probs('face', 'happy', 1000 * S, 'f0001'))
    ros.spin_until(lambda: [msg for msg in fused if msg.face_weight > 0 and msg.speech_weight > 0])
    assert node.health.problems['another clock'] >= 1


@pytest.mark.parametrize(
    'age, kind, sentence',
    [
        (-3.0, 'another clock', r"face stamps are [23]\.\d s ahead of this node's clock"),
        (4.0, 'late evidence', r'face results are [4-7]\.\d s old'),
    ],
)
def test_clocks_that_are_a_little_out_of_step_are_told(ros, age, kind, sentence):
    node, fused, face, _ = start(ros)
    face.publish(probs('face', 'happy', node.now_ns() - round(age * S), 'f0001'))
    ros.spin_until(lambda: fused)
    assert node.health.problems[kind] == 1 and re.match(sentence, node.health.last_problem)


def test_jump_back_forgets_the_future(ros):
    node, fused, face, _ = start(ros)
    now = node.now_ns()
    face.publish(probs('face', 'happy', now, 'f0001'))
    face.publish(probs('face', 'sad', now - 9 * S // 10, 'f0001'))
    ros.spin_until(lambda: [msg for msg in fused if msg.fused.probabilities[4] > 0.7], 'the later message is believed')
    assert node.health.problems['clock jumped back'] == 1


def test_last_word_is_uncertain_whatever_the_phase(ros):
    node, fused, face, _ = start(ros)
    node.set_parameters([Parameter('face_max_age', value=0.3)])
    for trial in range(6):
        del fused[:]
        ros.spin_for(0.03 * trial)
        face.publish(probs('face', 'happy', node.now_ns(), f'f{trial:04d}'))
        ros.spin_until(lambda: fused and fused[-1].label == UNCERTAIN, 'the estimate ends with uncertain')
        assert (fused[-1].face_weight, fused[-1].speech_weight) == (0.0, 0.0)
    assert node._stream._given_ns == {}

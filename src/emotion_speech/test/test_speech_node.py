import time

import numpy as np
import pytest
from audio_common_msgs.msg import AudioData, AudioDataStamped, AudioInfo
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from speech_sounds import RATE, room, talk

from emotion_core import qos
from emotion_core.messages import to_evidence, to_header, to_ns
from emotion_core.testing import ros  # noqa: F401
from emotion_msgs.msg import EmotionProbs, SpeechActivity
from emotion_speech.node import SpeechNode
from emotion_speech.parameters import SpeechParameters
from emotion_speech.quality import TERMS
from emotion_speech.segmenter import Segmentation

NS = 10**9
T0 = 1_700_000_000 * NS
RELIABLE = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)  # a busy machine must lose nothing
INFO = AudioInfo(channels=1, sample_rate=RATE, sample_format='S16LE', coding_format='wave')
BLOCK_S = 0.05


class Rig:
    """An active speech node, with publishers to feed it and lists of what it says."""

    def __init__(self, ros):
        self.ros = ros
        self.node = ros.add(SpeechNode())
        self.node.set_parameters([Parameter('vad', value='rms')])  # the test's voice is none that a network knows
        self.node.autostart()
        self.health = self.node.health
        self.results = ros.collect(EmotionProbs, 'emotion/speech', qos.RESULT)
        self.activity = ros.collect(SpeechActivity, 'emotion/speech/activity', qos.RESULT)
        self.diagnostics = ros.collect(DiagnosticArray, '/diagnostics', QoSProfile(depth=10))
        self.audio = ros.publisher(AudioData, 'audio', RELIABLE)
        self.stamped = ros.publisher(AudioDataStamped, 'audio_stamped', RELIABLE)

    def announce(self, msg: AudioInfo, profile: QoSProfile = qos.LATCHED) -> None:
        publisher = self.ros.node.create_publisher(AudioInfo, 'audio_info', profile)
        before = self.health.counts['received audio_info']
        self.ros.spin_until(lambda: publisher.get_subscription_count() > 0, 'the node asks for the format')
        publisher.publish(msg)
        self.ros.spin_until(lambda: self.health.counts['received audio_info'] > before, 'the format has come')

    def say(self, samples: np.ndarray, start_ns: int = T0, rate: int = RATE) -> None:
        """Publish stamped audio, as fast as it is taken."""
        topic, block = 'received audio_stamped', int(BLOCK_S * rate)
        for start in range(0, len(samples), block):
            before = self.health.counts[topic]
            self.stamped.publish(
                AudioDataStamped(
                    header=to_header(start_ns + start * NS // rate, 'mic'),
                    audio=self.block(samples[start : start + block]),
                )
            )
            self.ros.spin_until(lambda: self.health.counts[topic] > before, 'the audio has come')

    def say_unstamped(self, samples: np.ndarray) -> None:
        """Publish audio at the speed of time."""
        begin = time.monotonic()
        for start in range(0, len(samples), int(BLOCK_S * RATE)):
            self.audio.publish(self.block(samples[start : start + int(BLOCK_S * RATE)]))
            self.ros.spin_for(max(begin + start / RATE + BLOCK_S - time.monotonic(), 0.001))

    @staticmethod
    def block(samples: np.ndarray) -> AudioData:
        return AudioData(data=(samples * 32767).astype('<i2').tobytes())

    def finals(self) -> list[EmotionProbs]:
        return [msg for msg in self.results if msg.is_final]

    def wait_for_final(self, count: int = 1) -> list[EmotionProbs]:
        return self.ros.spin_until(lambda: len(self.finals()) >= count and self.finals(), f'{count} final results come')

    def status(self) -> DiagnosticStatus:
        self.diagnostics.clear()
        self.node.publish_diagnostics()
        return self.ros.spin_until(lambda: self.diagnostics and self.diagnostics[-1], 'diagnostics come').status[0]


@pytest.fixture
def rig(ros):
    return Rig(ros)


def test_a_sentence_becomes_probabilities_with_the_stamps_of_its_audio(rig):
    rig.announce(INFO)
    rig.say(talk((2.0, 1.0)))
    (msg,) = rig.wait_for_final()
    to_evidence(msg).check()
    assert msg.source == 'speech' and msg.header.frame_id == 'mic'
    assert (to_ns(msg.evidence_start) - T0) / NS == pytest.approx(1.7, abs=0.07)
    assert (to_ns(msg.header.stamp) - T0) / NS == pytest.approx(3.0, abs=0.07)
    assert tuple(term.name for term in msg.quality_terms) == (*TERMS, 'speaker_known')
    assert [update.is_final for update in rig.results][-2:] == [False, True]


def test_activity_is_told_ten_times_a_second(rig):
    rig.announce(INFO)
    rig.say(talk((2.0, 1.0)))
    rig.wait_for_final()
    stamps = [(to_ns(msg.header.stamp) - T0) / NS for msg in rig.activity]
    assert 8 <= len(stamps) / 4.0 <= 11
    speaking = [stamp for stamp, msg in zip(stamps, rig.activity) if msg.speaking]
    assert 2.1 < min(speaking) < 2.5 and 2.9 < max(speaking) < 3.3


def test_audio_without_stamps_is_stamped_by_its_arrival(rig):
    rig.announce(INFO)
    begin_ns = time.time_ns()
    rig.say_unstamped(talk((1.0, 1.0)))
    (msg,) = rig.wait_for_final()
    assert (to_ns(msg.evidence_start) - begin_ns) / NS == pytest.approx(0.7, abs=0.3)
    assert (to_ns(msg.header.stamp) - to_ns(msg.evidence_start)) / NS == pytest.approx(1.3, abs=0.15)


def test_an_empty_stamp_is_none(rig):
    rig.announce(INFO)
    begin_ns = time.time_ns()
    for start in range(0, 2 * RATE, 1600):
        rig.stamped.publish(AudioDataStamped(audio=rig.block(room(0.1))))
    stamps = rig.ros.spin_until(lambda: rig.activity, 'activity comes')
    assert (to_ns(stamps[0].header.stamp) - begin_ns) / NS == pytest.approx(0, abs=0.5)


def test_a_block_on_both_topics_counts_once(rig):
    rig.announce(INFO)
    samples = talk((2.0, 1.0))
    for start in range(0, len(samples), 800):
        block = rig.block(samples[start : start + 800])
        rig.audio.publish(block)
        rig.stamped.publish(AudioDataStamped(header=to_header(T0 + start * NS // RATE), audio=block))
        rig.ros.spin_until(
            lambda: (
                min(rig.health.counts['received audio'], rig.health.counts['received audio_stamped']) > start // 800
            ),
            'both have come',
        )
    (msg,) = rig.wait_for_final()
    assert (to_ns(msg.header.stamp) - T0) / NS == pytest.approx(3.0, abs=0.07)
    rig.ros.spin_for(0.2)
    assert len(rig.finals()) == 1


@pytest.mark.parametrize('durability', [DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE])
def test_the_format_is_taken_from_latched_and_from_repeated_announcements(rig, durability):
    rig.announce(
        AudioInfo(channels=1, sample_rate=48000, sample_format='S16LE', coding_format='wave'),
        QoSProfile(depth=1, durability=durability),
    )
    rig.say(talk((2.0, 1.0), rate=48000), rate=48000)
    (msg,) = rig.wait_for_final()
    assert (to_ns(msg.header.stamp) - T0) / NS == pytest.approx(3.0, abs=0.07)


def test_a_format_that_was_latched_before_the_node_was_active_is_known(rig):
    rig.node.trigger_deactivate()
    latched = rig.ros.node.create_publisher(AudioInfo, 'audio_info', qos.LATCHED)
    latched.publish(INFO)
    rig.ros.spin_for(0.2)
    rig.node.trigger_activate()
    rig.ros.spin_until(lambda: rig.health.counts['received audio_info'] == 1, 'the format has come')


@pytest.mark.parametrize(
    'announced, block, kind, sentence',
    [
        (INFO, AudioData(), 'empty audio', 'no samples'),
        (INFO, AudioData(data=[1, 2, 3]), 'partial frame', 'does the driver send what it says'),
        (
            AudioInfo(channels=1, sample_rate=RATE, sample_format='F32LE', coding_format='wave'),
            AudioData(data=np.full(800, np.nan, '<f4').tobytes()),
            'not finite',
            'NaN',
        ),
        (
            AudioInfo(channels=1, sample_rate=RATE, sample_format='S16LE', coding_format='mp3'),
            AudioData(data=[255, 251, 144, 0]),
            'mp3 audio',
            "set its format to 'wave'",
        ),
        (
            AudioInfo(channels=1, sample_rate=RATE, sample_format='S20BE', coding_format='wave'),
            AudioData(data=[0] * 10),
            'wrong sample format',
            'use one of',
        ),
    ],
)
def test_audio_that_cannot_be_read_is_counted_and_told_and_the_node_goes_on(rig, announced, block, kind, sentence):
    rig.announce(announced)
    before = rig.health.problems[kind]
    rig.audio.publish(block)
    rig.ros.spin_until(lambda: rig.health.problems[kind] > before, f'{kind} is counted')
    status = rig.status()
    assert status.level == DiagnosticStatus.WARN and sentence in status.message
    assert int({value.key: value.value for value in status.values}[f'problem: {kind}']) >= 1
    rig.announce(INFO)
    rig.say(talk((2.0, 0.5)))
    rig.wait_for_final()


def test_speech_that_is_cut_off_has_a_result_too(rig):
    rig.announce(INFO)
    rig.say(talk((2.0, 1.0))[: int(2.8 * RATE)])
    assert not rig.finals()
    assert rig.activity[-1].speaking
    (msg,) = rig.wait_for_final()
    assert (to_ns(msg.header.stamp) - T0) / NS == pytest.approx(2.8, abs=0.07)
    rig.ros.spin_until(lambda: not rig.activity[-1].speaking, 'nobody speaks any more')
    assert to_ns(rig.activity[-1].header.stamp) >= to_ns(rig.activity[-2].header.stamp)


def test_muted_it_ends_what_was_said_and_goes_on_with_the_same_voice(rig):
    rig.announce(INFO)
    sentence = talk((2.0, 1.0))
    rig.say(sentence[: int(2.8 * RATE)])
    rig.node.set_parameters([Parameter('mute', value=True)])
    (first,) = rig.wait_for_final()
    rig.activity.clear()
    rig.say(sentence, start_ns=T0 + 4 * NS)
    rig.ros.spin_until(lambda: len(rig.activity) > 10, 'silence is told')
    assert not any(msg.speaking for msg in rig.activity) and rig.finals() == [first]
    assert 'mute is set' in rig.status().message
    rig.node.set_parameters([Parameter('mute', value=False)])
    rig.say(sentence, start_ns=T0 + 10 * NS)
    _, second = rig.wait_for_final(2)
    assert speaker_known(second) > 0 and not rig.health.problems['gap in the audio']


def speaker_known(msg: EmotionProbs) -> float:
    return {term.name: term.value for term in msg.quality_terms}['speaker_known']


@pytest.mark.parametrize('adapt', [True, False])
def test_a_voice_is_compared_with_what_it_said_before_where_that_is_wanted(rig, adapt):
    rig.node.set_parameters([Parameter('adapt', value=adapt)])
    rig.announce(INFO)
    rig.say(np.tile(talk((2.0, 1.0)), 2))
    first, second = rig.wait_for_final(2)
    assert speaker_known(first) == 0 and (speaker_known(second) > 0) == adapt


def test_parameters_say_when_speech_starts_and_ends():
    asked = {'vad_threshold': 0.3, 'min_speech': 0.1, 'pre_roll': 0.2, 'hang_over': 0.4, 'max_segment': 5.0}
    asked['update_period'] = 0.6
    segmentation = SpeechParameters(**asked).segmentation
    assert segmentation == Segmentation(threshold=asked.pop('vad_threshold'), **asked)


def test_a_clock_that_jumps_back_starts_a_new_stream(rig):
    rig.announce(INFO)
    rig.say(talk((2.0, 0.5)))
    rig.say(talk((2.0, 0.5)), start_ns=T0 - 3600 * NS)
    first, second = rig.wait_for_final(2)
    assert rig.health.problems['clock jumped back'] == 1
    assert to_ns(first.header.stamp) - to_ns(second.header.stamp) == pytest.approx(3600 * NS, abs=1e6)


def test_without_audio_the_node_says_what_is_missing(rig):
    assert 'no audio on /audio or /audio_stamped: is a microphone running?' in rig.status().message
    rig.announce(INFO)
    rig.say(room(1.0))
    assert rig.status().level == DiagnosticStatus.OK


def test_the_node_can_be_taken_down_and_brought_up_again(rig):
    rig.announce(INFO)
    rig.say(talk((2.0, 0.5)))
    rig.wait_for_final()
    for transition in ('deactivate', 'cleanup', 'configure', 'activate'):
        assert getattr(rig.node, f'trigger_{transition}')() == TransitionCallbackReturn.SUCCESS
    rig.ros.spin_until(lambda: rig.stamped.get_subscription_count() == 1, 'the node listens again')
    rig.announce(INFO)
    rig.ros.spin_for(0.5)  # until the new publisher is known everywhere
    rig.say(talk((2.0, 0.5)), start_ns=T0 + 60 * NS)
    assert to_ns(rig.wait_for_final(2)[1].header.stamp) > T0 + 60 * NS


def test_what_is_not_active_publishes_nothing(rig):
    rig.announce(INFO)
    rig.node.trigger_deactivate()
    rig.stamped.publish(AudioDataStamped(header=to_header(T0), audio=rig.block(talk((1.0, 1.0)))))
    rig.ros.spin_for(0.3)
    assert not rig.results and not rig.activity


def test_an_unknown_model_fails_the_transition_with_its_sentence(rig):
    rig.node.trigger_deactivate()
    rig.node.trigger_cleanup()
    rig.node.set_parameters([Parameter('model', value='nonsense')])
    assert rig.node.trigger_configure() == TransitionCallbackReturn.FAILURE
    status = rig.status()
    assert status.level == DiagnosticStatus.ERROR and "no model 'nonsense'" in status.message


def test_parameters_are_checked_and_taken_over_while_running(rig):
    (refused,) = rig.node.set_parameters([Parameter('hang_over', value=9.0)])
    assert not refused.successful and 'hang_over' in refused.reason
    (refused,) = rig.node.set_parameters([Parameter('model', value='nonsense')])
    assert not refused.successful and "no model 'nonsense'" in refused.reason
    (accepted,) = rig.node.set_parameters([Parameter('max_segment', value=1.0)])
    assert accepted.successful
    rig.announce(INFO)
    rig.say(talk((2.0, 2.5)))
    assert len(rig.wait_for_final(3)) == 3

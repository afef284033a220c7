"""The SER node: audio in, probabilities over the six emotions out."""

import time
from dataclasses import replace

from audio_common_msgs.msg import AudioData, AudioDataStamped, AudioInfo
from rclpy.qos import DurabilityPolicy, QoSProfile

from emotion_core import qos
from emotion_core.errors import InputError
from emotion_core.evidence import Evidence
from emotion_core.messages import to_ns, to_probs
from emotion_core.node import EmotionNode, run
from emotion_core.stamps import NS_PER_S
from emotion_core.store import ModelStore
from emotion_msgs.msg import EmotionProbs, SpeechActivity
from emotion_speech.audio_format import AudioFormat, to_mono
from emotion_speech.classifier import SpeechClassifier
from emotion_speech.messages import to_activity, to_format
from emotion_speech.parameters import SpeechParameters
from emotion_speech.recognizer import ARRIVAL_JITTER_S, STAMP_JITTER_S, Activity, Recognizer
from emotion_speech.vad import DETECTORS

AUDIO, STAMPED, INFO = 'audio', 'audio_stamped', 'audio_info'
RESULTS, ACTIVITY = 'emotion/speech', 'emotion/speech/activity'
INFO_QOS = QoSProfile(
    history=qos.LATCHED.history,
    depth=qos.LATCHED.depth,
    reliability=qos.LATCHED.reliability,
    durability=DurabilityPolicy.VOLATILE,
)
STAMPED_GONE_S = 2.5  # after this long without stamped audio the unstamped counts
AUDIO_GONE_S = 2.0
INFO_WAIT_S = 6.0  # a driver that does not latch its format repeats it every 5 s
CHECK_PERIOD_S = 0.25


class SpeechNode(EmotionNode):
    """Feeds a Recognizer."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__('emotion_speech', SpeechParameters)
        self._recognizer: Recognizer | None = None
        self._first_audio_s: float | None = None  # since the node is active [s, monotonic]
        self._source = ''  # topic that audio is taken from
        self._frame_id = ''

    def setup(self) -> None:
        """Load the model."""
        self._recognizer = self._make_recognizer(self.parameters)
        self._announced: AudioFormat | InputError | None = None  # by the driver
        self._asks_for_latched = False
        self._results_pub = self.advertise(EmotionProbs, RESULTS, qos.RESULT)
        self._activity_pub = self.advertise(SpeechActivity, ACTIVITY, qos.RESULT)
        self.subscribe(AudioData, AUDIO, self._on_audio, qos.AUDIO)
        self.subscribe(AudioDataStamped, STAMPED, self._on_stamped, qos.AUDIO)
        self.subscribe(AudioInfo, INFO, self._on_info, INFO_QOS, always=True)
        self.every(CHECK_PERIOD_S, self._ask_for_latched_info, steady=True)
        self.every(CHECK_PERIOD_S, self._end_what_was_cut_off, steady=True)

    def stop(self) -> None:
        """Forget the stream: what comes after a pause does not follow it."""
        self._first_audio_s = None
        self.reset()

    def teardown(self) -> None:
        """Let go of the model."""
        self._recognizer = None

    def validate(self, parameters: SpeechParameters) -> None:
        """Refuse a model or a detector that cannot be loaded."""
        if (parameters.model, parameters.vad) != (self.parameters.model, self.parameters.vad):
            self._make_recognizer(parameters)

    def apply(self, old: SpeechParameters) -> None:
        """Start anew with the new parameters; only muted, the node goes on with what it knows of the voice."""
        if self.parameters != replace(old, mute=self.parameters.mute):
            self._recognizer = self._make_recognizer(self.parameters)
        elif self.parameters.mute:
            self._end_stream()

    def reset(self) -> None:
        """Forget the stream, and who spoke."""
        self._recognizer.reset()
        self._source = ''

    def waiting_for(self) -> str:
        """Say when no audio comes, or none is wanted."""
        if self.parameters.mute:
            return 'the parameter mute is set: no notice is taken of sound'
        if not self._audio_is_gone():
            return ''
        topics = ' or '.join(self.resolve_topic_name(topic) for topic in (AUDIO, STAMPED))
        return f'no audio on {topics}: is a microphone running? try `./emotion devices`'

    def _audio_is_gone(self) -> bool:
        return min(self.health.seconds_since(f'received {topic}') for topic in (AUDIO, STAMPED)) > AUDIO_GONE_S

    def _end_what_was_cut_off(self) -> None:
        """Give the result of speech after which no more audio came, not even silence."""
        if self._source and self._audio_is_gone():
            self._end_stream()

    def _end_stream(self) -> None:
        """Give the result of speech that was going on, and say that nobody speaks; who spoke may go on later."""
        heard = self._recognizer.activity
        self._publish(self._recognizer.flush())
        if heard is not None:
            self._tell(replace(heard, speaking=False, segment_seconds=0.0))
        self._source = ''

    def _tell(self, activity: Activity | None) -> None:
        if activity is not None:
            self._activity_pub.publish(to_activity(activity, self._frame_id))

    def _make_recognizer(self, parameters: SpeechParameters) -> Recognizer:
        classifier = SpeechClassifier(ModelStore().find(parameters.model), parameters.adapt, parameters.forget_after)
        return Recognizer(classifier, DETECTORS[parameters.vad](), parameters.segmentation, self.problem)

    def _ask_for_latched_info(self) -> None:
        """
        Subscribe for what was announced earlier, once a driver latches it.

        Some drivers announce their format once, latched, others every now and then, not latched. A subscription for
        latched messages gets none of the others, only warnings.
        """
        if not self._asks_for_latched and any(
            info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
            for info in self.get_publishers_info_by_topic(self.resolve_topic_name(INFO))
        ):
            self._asks_for_latched = True
            self.subscribe(AudioInfo, INFO, self._on_info, qos.LATCHED, always=True)

    def _on_info(self, msg: AudioInfo) -> None:
        try:
            self._announced = to_format(msg)
        except InputError as error:
            self._announced = error  # until the driver says otherwise no block of it can be read
            raise

    def _on_audio(self, msg: AudioData) -> None:
        if self.health.seconds_since(f'received {STAMPED}') < STAMPED_GONE_S:
            return  # the driver sends each block on both topics
        self._hear(msg, AUDIO)

    def _on_stamped(self, msg: AudioDataStamped) -> None:
        stamp_ns = to_ns(msg.header.stamp) or None  # some drivers leave it empty
        self._hear(msg.audio, STAMPED, stamp_ns, msg.header.frame_id)

    def _hear(self, audio: AudioData, topic: str, stamp_ns: int | None = None, frame_id: str = '') -> None:
        if self.parameters.mute:
            return self._tell(self._recognizer.tell_silence(stamp_ns or self.now_ns()))
        if isinstance(self._announced, InputError):
            raise self._announced.with_traceback(None)  # it is raised for every block: do not let its traceback grow
        if self._announced is None and self._may_be_announced():
            self.health.count('blocks before audio_info')  # at the wrong rate they would make confident nonsense
            return
        p = self.parameters
        spec = self._announced or AudioFormat(p.sample_rate, p.channels, p.sample_format)
        samples = to_mono(spec.decode(audio.data), p.channel)
        jitter_s = STAMP_JITTER_S
        if stamp_ns is None:  # the last sample was heard just before the block came
            stamp_ns, jitter_s = self.now_ns() - len(samples) * NS_PER_S // spec.sample_rate, ARRIVAL_JITTER_S
        if topic != self._source:
            self._publish(self._recognizer.flush())
            if self._source:
                self.reset()  # another microphone
            self._source = topic
        self._frame_id = frame_id
        results = self._recognizer.feed(samples, spec.sample_rate, stamp_ns, jitter_s)
        self._publish(results)
        for evidence in results:
            if evidence.is_final:
                self.health.observe('latency_ms', (self.now_ns() - evidence.stamp_ns) / 1e6)
        self._tell(self._recognizer.tell_activity())

    def _may_be_announced(self) -> bool:
        """Tell whether a driver that is there may still say its format."""
        now = time.monotonic()
        self._first_audio_s = now if self._first_audio_s is None else self._first_audio_s
        return now - self._first_audio_s < INFO_WAIT_S and self.count_publishers(self.resolve_topic_name(INFO)) > 0

    def _publish(self, results: list[Evidence]) -> None:
        for evidence in results:
            self._results_pub.publish(to_probs(replace(evidence, frame_id=self._frame_id)))
            if evidence.is_final:
                self.health.count('segments')


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    run(SpeechNode, args)


if __name__ == '__main__':
    main()

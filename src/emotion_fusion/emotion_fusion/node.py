"""The fusion node: emotion/face, emotion/speech and how loud it is in, emotion/fused out."""

from math import inf

from emotion_core import qos
from emotion_core.evidence import Evidence
from emotion_core.messages import to_evidence
from emotion_core.node import EmotionNode
from emotion_core.node import run as run_node
from emotion_core.stamps import NS_PER_S, other_clock_ns
from emotion_fusion.fuser import Fused
from emotion_fusion.messages import to_fused_emotion, to_loudness
from emotion_fusion.parameters import FusionParameters
from emotion_fusion.stream import TICK_S, FusionStream
from emotion_msgs.msg import EmotionProbs, FusedEmotion, SpeechActivity

QUIET_S = 5.0
FUTURE_S = 0.2  # stamps further ahead are of a clock that is not in step


class FusionNode(EmotionNode):
    """Publishes an estimate for a face whenever there is new evidence about it, and while evidence ages."""

    def __init__(self):
        """Make the node; ``setup`` does the rest."""
        super().__init__('emotion_fusion', FusionParameters)

    def setup(self) -> None:
        """Make the fuser and the topics."""
        self._stream = FusionStream(self.parameters)
        self._fused = self.advertise(FusedEmotion, 'emotion/fused', qos.RESULT)
        self.subscribe(EmotionProbs, 'emotion/face', self._on_evidence, qos.FACE)
        self.subscribe(EmotionProbs, 'emotion/speech', self._on_evidence, qos.RESULT)
        self.subscribe(SpeechActivity, 'emotion/speech/activity', self._on_activity, qos.RESULT)
        self.every(TICK_S, self._on_tick)

    def apply(self, old: FusionParameters) -> None:
        """Go on with the new parameters; evidence stays."""
        self._stream.configure(self.parameters)

    def reset(self) -> None:
        """Forget evidence of a time that has not come yet."""
        self._stream.reset()

    def waiting_for(self) -> str:
        """Say when neither modality has been heard of."""
        topics = {topic: self.resolve_topic_name(topic) for topic in ('emotion/face', 'emotion/speech')}
        quiet = [name for topic, name in topics.items() if self.health.seconds_since(f'received {topic}') > QUIET_S]
        if len(quiet) < 2:
            return ''
        return f'nothing on {" and ".join(quiet)}: are the face and speech nodes running, with camera and microphone?'

    def _on_evidence(self, msg: EmotionProbs) -> None:
        evidence, now_ns = to_evidence(msg), self.now_ns()
        self._check_age(evidence, now_ns)
        self._publish(self._stream.take(evidence, now_ns))

    def _check_age(self, evidence: Evidence, now_ns: int) -> None:
        """Tell of stamps that cannot be of this clock, and of evidence that is too old to count when it comes."""
        source, age_s = evidence.source, (now_ns - evidence.stamp_ns) / NS_PER_S
        if other_clock_ns(evidence.stamp_ns, now_ns) or age_s < -FUTURE_S:
            where = 'behind' if age_s > 0 else 'ahead of'
            self.problem(
                'another clock',
                f"{source} stamps are {abs(age_s):.1f} s {where} this node's clock: "
                'set use_sim_time when a bag is played, synchronise the clocks of the machines otherwise',
            )
        elif age_s > getattr(self.parameters, f'{source}_max_age', inf):
            self.problem(
                'late evidence',
                f'{source} results are {age_s:.1f} s old when they come, too old to count: is their node too slow, or '
                'the clock of its machine behind?',
            )

    def _on_activity(self, msg: SpeechActivity) -> None:
        self._stream.hear(to_loudness(msg), self.now_ns())

    def _on_tick(self) -> None:
        for fused in self._stream.tick(self.now_ns()):
            self._publish(fused)

    def _publish(self, fused: Fused) -> None:
        self._fused.publish(to_fused_emotion(fused))
        self.health.count('published')


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    run_node(FusionNode, args)


if __name__ == '__main__':
    main()

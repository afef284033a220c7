"""The fusion node: emotion/face and emotion/speech in, emotion/fused out."""

from emotion_core import qos
from emotion_core.messages import to_evidence
from emotion_core.node import EmotionNode
from emotion_core.node import run as run_node
from emotion_core.stamps import NS_PER_S
from emotion_fusion.fuser import SPEECH, Fuser
from emotion_fusion.messages import to_fused_emotion
from emotion_fusion.parameters import FusionParameters
from emotion_msgs.msg import EmotionProbs, FusedEmotion

TICK_S = 0.2  # how often estimates age without new evidence
SAME_CLOCK_NS = 10 * NS_PER_S  # stamps further than this from the node's clock are of another clock
QUIET_S = 5.0


class FusionNode(EmotionNode):
    """Publishes an estimate for a face whenever there is new evidence about it, and while evidence ages."""

    def __init__(self):
        """Make the node; ``setup`` does the rest."""
        super().__init__('emotion_fusion', FusionParameters)

    def setup(self) -> None:
        """Make the fuser and the topics."""
        self._fuser = Fuser(self.parameters)
        self._published_ns: dict[str, int] = {}
        self._fused = self.advertise(FusedEmotion, 'emotion/fused', qos.RESULT)
        self.subscribe(EmotionProbs, 'emotion/face', self._on_evidence, qos.RESULT)
        self.subscribe(EmotionProbs, 'emotion/speech', self._on_evidence, qos.RESULT)
        self.every(TICK_S, self._on_tick)

    def apply(self, old: FusionParameters) -> None:
        """Go on with the new parameters; evidence stays."""
        self._fuser.configure(self.parameters)

    def reset(self) -> None:
        """Forget evidence of a time that has not come yet."""
        self._fuser.reset()
        self._published_ns.clear()

    def waiting_for(self) -> str:
        """Say when neither modality has been heard of."""
        topics = {topic: self.resolve_topic_name(topic) for topic in ('emotion/face', 'emotion/speech')}
        quiet = [name for topic, name in topics.items() if self.health.seconds_since(f'received {topic}') > QUIET_S]
        return f'nothing on {" and ".join(quiet)}: are the face and speech nodes running?' if len(quiet) == 2 else ''

    def _on_evidence(self, msg: EmotionProbs) -> None:
        evidence = to_evidence(msg)
        behind_ns = self.now_ns() - evidence.stamp_ns
        is_other_clock = abs(behind_ns) > SAME_CLOCK_NS
        if is_other_clock:
            where = 'behind' if behind_ns > 0 else 'ahead of'
            self.problem(
                'another clock',
                f"{evidence.source} stamps are {abs(behind_ns) / NS_PER_S:.0f} s {where} this node's clock: "
                'set use_sim_time when a bag is played, synchronise the clocks of the machines otherwise',
            )
        self._fuser.add(evidence, behind_ns if is_other_clock else 0)
        self._publish(self._fuser.speaker if evidence.source == SPEECH else evidence.subject_id)

    def _on_tick(self) -> None:
        now_ns = self.now_ns()
        stale = self._fuser.stale(now_ns)
        for subject_id in self._fuser.subjects:
            # Half a period: the last estimate came a little after a tick.
            if subject_id in stale or now_ns - self._published_ns.get(subject_id, 0) >= TICK_S * NS_PER_S / 2:
                self._publish(subject_id)
        for subject_id in stale:
            self._fuser.forget(subject_id)
        kept = self._fuser.subjects
        self._published_ns = {name: ns for name, ns in self._published_ns.items() if name in kept}

    def _publish(self, subject_id: str) -> None:
        now_ns = self.now_ns()
        self._fused.publish(to_fused_emotion(self._fuser.fuse(subject_id, now_ns)))
        self._published_ns[subject_id] = now_ns
        self.health.count('published')


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    run_node(FusionNode, args)


if __name__ == '__main__':
    main()

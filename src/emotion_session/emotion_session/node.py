"""The session node: hold an expression until it locks, speak, and see face and voice side by side."""

from dataclasses import replace

from emotion_core import qos
from emotion_core.evidence import Evidence
from emotion_core.goal_node import GoalNode
from emotion_core.messages import to_evidence, to_ns
from emotion_core.node import run as run_node
from emotion_core.stamps import other_clock_ns
from emotion_fusion.fuser import Fused
from emotion_msgs.action import CaptureEmotion
from emotion_msgs.msg import EmotionProbs, FaceEmotions, SessionState, SpeechActivity
from emotion_session.messages import to_request, to_state
from emotion_session.pairing import pair
from emotion_session.parameters import SessionParameters
from emotion_session.prompts import choose_language, prompt
from emotion_session.session import CAMERA, MICROPHONE, Outcome, Session, State

FACES, ACTIVITY = 'emotion/faces', 'emotion/speech/activity'

# Outcome -> key of the prompt, sentence for whoever runs the robot.
ENDINGS = {
    Outcome.SUCCESS: ('success', 'face and voice were captured'),
    Outcome.NO_FACE: ('no_face', 'nobody was in the picture'),
    Outcome.NO_LOCK: ('no_lock', 'somebody was there, but no expression was held for long enough'),
    Outcome.NO_SPEECH: ('no_speech', 'an expression locked, but nobody spoke'),
    Outcome.SUBJECT_CHANGED: ('changed', 'after the expression had locked, another face was in the picture alone'),
    Outcome.NO_CAMERA: ('no_camera', 'no image reaches the face node: is a camera running?'),
    Outcome.NO_MICROPHONE: ('no_microphone', 'no audio reaches the speech node: is a microphone running?'),
    Outcome.CANCELED: ('stopped', 'the capture was cancelled'),
    Outcome.PREEMPTED: ('stopped', 'another goal took the place of this one'),
    Outcome.NODE_LOST: ('broken', 'the session node was stopped'),
}
INPUTS = {CAMERA: ('emotion_face', Outcome.NO_CAMERA), MICROPHONE: ('emotion_speech', Outcome.NO_MICROPHONE)}


class SessionNode(GoalNode):
    """Feeds a Session."""

    outcomes, successes = Outcome, frozenset({Outcome.SUCCESS})

    def __init__(self):
        """Make the node; ``setup`` does the rest."""
        super().__init__('emotion_session', SessionParameters)

    def setup(self) -> None:
        """Make the session, the topics and the action."""
        self._session = Session(self.parameters.rules, self._pair)
        self._language = choose_language(self.parameters.languages.split(','))
        self.subscribe(FaceEmotions, FACES, self._on_faces, qos.RESULT)
        self.subscribe(EmotionProbs, 'emotion/speech', self._on_speech, qos.RESULT)
        self.subscribe(SpeechActivity, ACTIVITY, self._on_activity, qos.RESULT)
        needs = [node for node, _ in INPUTS.values()]
        self.serve(self._session, 'capture', 'capture_emotion', CaptureEmotion, 'emotion/session', SessionState, needs)

    def apply(self, old: SessionParameters) -> None:
        """Use the new parameters: the rules at once, the rest from the next capture on."""
        self._session.rules = self.parameters.rules

    def waiting_for(self) -> str:
        """Say which input is silent."""
        longest = self.parameters.input_timeout
        topics = [t for t in (FACES, ACTIVITY) if self.health.seconds_since(f'received {t}') > longest]
        names = ' and '.join(self.resolve_topic_name(topic) for topic in topics)
        return (
            f'nothing on {names}: are the face and speech nodes running, with camera and microphone?' if names else ''
        )

    # What comes in.

    def _on_faces(self, msg: FaceEmotions) -> None:
        now_ns = self.now_ns()
        faces = [self._on_our_clock(to_evidence(face.emotion), now_ns) for face in msg.faces]
        stamp_ns = to_ns(msg.header.stamp)
        stamp_ns += other_clock_ns(stamp_ns, now_ns)
        before = self._session.state
        self._session.see(faces, stamp_ns, now_ns)
        if before is State.WAITING_FACE and self._session.state is State.LOCKED:
            self.get_logger().info(f'locked: {self._session.face.label} of {self._session.subject_id}')
        self.settle()

    def _on_speech(self, msg: EmotionProbs) -> None:
        now_ns = self.now_ns()
        self._session.hear(self._on_our_clock(to_evidence(msg), now_ns), now_ns)

    def _on_activity(self, msg: SpeechActivity) -> None:
        self._session.listen(msg.level_dbfs, msg.speaking, self.now_ns())

    @staticmethod
    def _on_our_clock(evidence: Evidence, now_ns: int) -> Evidence:
        shift_ns = other_clock_ns(evidence.stamp_ns, now_ns)
        return replace(evidence, stamp_ns=evidence.stamp_ns + shift_ns, start_ns=evidence.start_ns + shift_ns)

    # What goes on.

    def begin(self, goal: CaptureEmotion.Goal | None) -> None:
        """Begin a capture, in the first language asked for that there is."""
        request = to_request(goal, self.parameters) if goal else self.parameters.request
        languages = goal.languages if goal else []
        self._language = choose_language([*languages, *self.parameters.languages.split(',')])
        self._session.begin(request, self.now_ns())

    def conclude(self, outcome: Outcome) -> None:
        """End the capture."""
        self._session.end(outcome, self.now_ns())

    def go_on(self) -> None:
        """End a capture of which an input is silent; let time pass."""
        now_ns = self.now_ns()
        silent = self._session.silent(now_ns) if self._session.is_open else ''
        if silent:
            self.end(*self.why_silent(*INPUTS[silent]))
        self._session.tick(now_ns)

    def sentence(self, outcome: Outcome) -> str:
        """Say it to whoever runs the robot."""
        return ENDINGS[outcome][1]

    def summary(self, message: str) -> str:
        """Give the labels, or why there are none."""
        session = self._session
        if session.outcome is not Outcome.SUCCESS:
            return f'no result: {message}'
        return (
            f'face {session.face.label}, voice {session.speech.label}, both {session.fused.label} '
            f'{session.fused.confidence:.0%}'
        )

    def state(self, message: str) -> SessionState:
        """Give where the session is."""
        return to_state(self._session, self.now_ns(), self._prompt(), message)

    def _pair(self, face: Evidence, speech: Evidence) -> Fused:
        return pair(face, speech, self.parameters.fusion)

    def _prompt(self) -> str:
        session = self._session
        if not session.active:
            key = 'idle'
        elif not session.is_open:
            key = ENDINGS.get(session.outcome, ('broken', ''))[0]
        elif session.state is State.WAITING_FACE:
            key = 'hold' if session.face else 'come'
        elif session.state is State.LOCKED:
            key = 'locked'
        else:
            key = 'hearing' if session.speaking or session.speech else 'speak'
        return prompt(self._language, key, session.face.label if key == 'locked' else '')


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    run_node(SessionNode, args)


if __name__ == '__main__':
    main()

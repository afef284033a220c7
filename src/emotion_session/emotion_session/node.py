"""The session node: hold an expression until it locks, speak, and see face and voice side by side."""

from dataclasses import replace

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from std_srvs.srv import Trigger

from emotion_core import qos
from emotion_core.actions import Ending, ExclusiveServer
from emotion_core.errors import EmotionError
from emotion_core.evidence import Evidence
from emotion_core.messages import to_evidence, to_ns
from emotion_core.node import EmotionNode
from emotion_core.node import run as run_node
from emotion_core.stamps import NS_PER_S
from emotion_msgs.action import CaptureEmotion
from emotion_msgs.msg import EmotionProbs, FaceEmotions, SessionState, SpeechActivity
from emotion_session.messages import to_request, to_result, to_state
from emotion_session.pairing import pair
from emotion_session.parameters import SessionParameters
from emotion_session.prompts import choose_language, prompt
from emotion_session.session import CAMERA, Outcome, Session, State

FACES, ACTIVITY = 'emotion/faces', 'emotion/speech/activity'
TICK_S = 0.06  # also of what is published: more often than ten times a second
SAME_CLOCK_NS = 10 * NS_PER_S  # stamps further than this from the node's clock are of another clock

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
INPUTS = {CAMERA: ('emotion_face', Outcome.NO_CAMERA), 'microphone': ('emotion_speech', Outcome.NO_MICROPHONE)}
BEATING_S = 2.5  # a node whose diagnostics came within this is alive


class SessionNode(EmotionNode):
    """Feeds a Session, and gives its state to a topic and to the client of the action."""

    def __init__(self):
        """Make the node; ``setup`` does the rest."""
        super().__init__('emotion_session', SessionParameters)

    def setup(self) -> None:
        """Make the session, the topics and the action."""
        self._session = Session(self.parameters.rules, self._pair)
        self._language = choose_language(self.parameters.languages.split(','))
        self._message = ''
        self._complaints: dict[str, str] = {}  # of the nodes that we need: what they say is wrong
        self._states = self.advertise(SessionState, 'emotion/session', qos.LATCHED)
        self.subscribe(FaceEmotions, FACES, self._on_faces, qos.RESULT)
        self.subscribe(EmotionProbs, 'emotion/speech', self._on_speech, qos.RESULT)
        self.subscribe(SpeechActivity, ACTIVITY, self._on_activity, qos.RESULT)
        self.subscribe(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.RESULT, in_order=False)
        self.offer(Trigger, 'abort_capture', self._on_abort)
        self._action = self.keep(
            ExclusiveServer(self, CaptureEmotion, 'capture_emotion', self._make_room, self._on_goal)
        )
        self.every(TICK_S, self._on_tick, steady=True)

    def start(self) -> None:
        """Say that it waits for a goal."""
        self._publish()

    def stop(self) -> None:
        """End what goes on, so that nobody waits for it."""
        self._end(Outcome.NODE_LOST)
        self._session.rest()
        self._publish()

    def teardown(self) -> None:
        """As ``stop``, when the process ends while a capture goes on."""
        if self.context.ok() and hasattr(self, '_session') and self._session.active:
            self.stop()

    def apply(self, old: SessionParameters) -> None:
        """Use the new parameters: the rules at once, the rest from the next capture on."""
        self._session.rules = self.parameters.rules

    def reset(self) -> None:
        """End a capture whose clock jumped back."""
        self._break_off('the clock jumped back')

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
        stamp_ns = faces[0].stamp_ns if faces else _on_clock(to_ns(msg.header.stamp), now_ns)
        before = self._session.state
        self._session.see(faces, stamp_ns, now_ns)
        if before is State.WAITING_FACE and self._session.state is State.LOCKED:
            self.get_logger().info(f'locked: {self._session.face.label} of {self._session.subject_id}')

    def _on_speech(self, msg: EmotionProbs) -> None:
        now_ns = self.now_ns()
        self._session.hear(self._on_our_clock(to_evidence(msg), now_ns), now_ns)

    def _on_activity(self, msg: SpeechActivity) -> None:
        self._session.listen(msg.level_dbfs, msg.speaking, self.now_ns())

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            for node, _ in INPUTS.values():
                if status.name == self._beside(node):
                    self.health.count(f'diagnostics of {node}')
                    self._complaints[node] = '' if status.level == DiagnosticStatus.OK else status.message

    @staticmethod
    def _on_our_clock(evidence: Evidence, now_ns: int) -> Evidence:
        shift_ns = _on_clock(evidence.stamp_ns, now_ns) - evidence.stamp_ns
        if not shift_ns:
            return evidence
        return replace(evidence, stamp_ns=evidence.stamp_ns + shift_ns, start_ns=evidence.start_ns + shift_ns)

    def _beside(self, node: str) -> str:
        """Give the full name of a node in our namespace, as diagnostics have it."""
        return f'{self.get_namespace().strip("/")}/{node}'.lstrip('/')

    # What goes on.

    def _make_room(self) -> None:
        if self._session.is_capturing:
            self._end(Outcome.PREEMPTED)
            self._publish()

    def _on_goal(self, goal: CaptureEmotion.Goal) -> None:
        try:
            request = to_request(goal, self.parameters)
        except EmotionError as error:
            self._session.begin(self.parameters.request, self.now_ns())
            self._end(Outcome.INVALID_GOAL, str(error))
            return
        self._begin(request, list(goal.languages))

    def _begin(self, request, languages: list[str]) -> None:
        self._language = choose_language([*languages, *self.parameters.languages.split(',')])
        self._message = ''
        self._session.begin(request, self.now_ns())
        self._publish()

    def _on_abort(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self.active and self._session.is_capturing
        response.message = 'the capture is ended' if response.success else 'no capture goes on'
        if response.success:
            self._end(Outcome.CANCELED, 'the capture was ended with abort_capture')
        return response

    def _on_tick(self) -> None:
        session, now_ns = self._session, self.now_ns()
        stopped = self.stopped_clock()
        if not session.active:
            if self.parameters.continuous and not stopped and not self.waiting_for():
                self._begin(self.parameters.request, [])
            return
        if stopped:
            return self._break_off(stopped)
        if session.is_capturing:
            silent = session.silent(now_ns)
            if self._action.is_cancel_requested:
                self._end(Outcome.CANCELED)
            elif silent:
                self._end(*self._blame(silent))
        session.tick(now_ns)
        if session.active and not session.is_capturing and not self._message:
            self._end(session.outcome)
        self._publish()

    def _blame(self, silent: str) -> tuple[Outcome, str]:
        """Say why an input is silent: the node is gone, or it gets nothing."""
        node, outcome = INPUTS[silent]
        if self.health.seconds_since(f'diagnostics of {node}') > BEATING_S:
            return Outcome.NODE_LOST, f'the node {self._beside(node)} is gone: nothing of it on /diagnostics'
        return outcome, self._complaints.get(node) or ENDINGS[outcome][1]

    def _end(self, outcome: Outcome, message: str = '') -> None:
        """Give the capture that goes on its outcome and tell its client."""
        session = self._session
        if session.is_capturing:
            session.end(outcome, self.now_ns())
        elif self._message or not session.active:
            return
        self._message = message or ENDINGS[outcome][1]
        self._publish()
        ending = {Outcome.SUCCESS: Ending.SUCCEEDED, Outcome.CANCELED: Ending.CANCELED}.get(outcome, Ending.ABORTED)
        self._action.finish(ending, **to_result(session, self._message))
        if outcome is Outcome.SUCCESS:
            self.get_logger().info(
                f'face {session.face.label}, voice {session.speech.label}, both {session.fused.label} '
                f'{session.fused.confidence:.0%}'
            )
        else:
            self.get_logger().info(f'no result: {self._message}')
        self.health.count(f'outcome {outcome.name.lower()}')

    def _break_off(self, reason: str) -> None:
        """End what goes on at once, for time cannot be told any more."""
        self._end(Outcome.NODE_LOST, reason)
        self._session.rest()
        self._publish()

    def _pair(self, face: Evidence, speech: Evidence):
        return pair(face, speech, self.parameters.fusion)

    def _prompt(self) -> str:
        session = self._session
        if not session.active:
            key = 'idle'
        elif not session.is_capturing:
            key = ENDINGS.get(session.outcome, ('broken', ''))[0]
        elif session.state is State.WAITING_FACE:
            key = 'hold' if session.face else 'come'
        elif session.state is State.LOCKED:
            key = 'locked'
        else:
            key = 'hearing' if session.speaking or session.speech else 'speak'
        return prompt(self._language, key, session.face.label if key == 'locked' else '')

    def _publish(self) -> None:
        """Give the state to the topic and to the client, the same to both."""
        if not self._session.active:
            self._message = ''
        state = to_state(self._session, self.now_ns(), self._prompt(), self._message)
        self._states.publish(state)
        self._action.give_feedback(state=state)


def _on_clock(stamp_ns: int, now_ns: int) -> int:
    """Give a stamp, or the present time where the stamp is of another clock."""
    return stamp_ns if abs(now_ns - stamp_ns) <= SAME_CLOCK_NS else now_ns


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    run_node(SessionNode, args)


if __name__ == '__main__':
    main()

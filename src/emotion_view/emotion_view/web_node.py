"""The web node: the page that shows all nodes at work; it takes `image_raw` only while a browser shows pictures."""

import time
from concurrent.futures import Future
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CompressedImage, Image

from emotion_core import qos
from emotion_core.emotions import EMOTIONS
from emotion_core.errors import InputError
from emotion_core.messages import to_ns, to_pixels
from emotion_core.node import EmotionNode
from emotion_core.node import run as run_node
from emotion_core.stamps import other_clock_ns
from emotion_msgs.action import CaptureEmotion, PlayGame
from emotion_msgs.msg import EmotionProbs, FaceEmotions, FusedEmotion, GameState, SessionState, SpeechActivity
from emotion_view.camera import Camera
from emotion_view.parameters import WebParameters
from emotion_view.web import messages
from emotion_view.web.access import Access
from emotion_view.web.action_control import ActionControl, ControlError
from emotion_view.web.board import Board
from emotion_view.web.pictures import Frame
from emotion_view.web.server import Look, WebServer

SHOW_S = 0.1  # how often the page is told what is new
HISTORY_S = 5.0  # how often the page gets the last minute anew, since a browser that was asleep has missed some of it
LOOK_S = 0.5  # how often to look who publishes, and whether somebody watches
AGES = {'face_ms': 'faces', 'voice_ms': 'hearing'}  # how old results come -> what their node says all the time
ACTIONS = (  # noun, type, action, service that aborts it
    ('session', CaptureEmotion, 'capture_emotion', 'abort_capture'),
    ('game', PlayGame, 'play_game', 'abort_game'),
)


class WebNode(EmotionNode):
    """Keeps the newest of everything, and hands it to the server's thread ten times a second."""

    def __init__(self):
        """Make the node; ``setup`` does the rest."""
        super().__init__('emotion_web', WebParameters)
        self._server: WebServer | None = None
        self._controls: dict[str, ActionControl] = {}
        self._camera = Camera(self, self._offer)

    def setup(self) -> None:
        """Make the topics; the camera's only while somebody watches."""
        self._board = Board(self.get_namespace(), self.parameters.max_age)
        self._topics = {
            name: self.resolve_topic_name(topic)
            for name, topic in (
                ('image', self._camera.topic),
                ('audio', 'audio'),
                ('faces', 'emotion/faces'),
                ('activity', 'emotion/speech/activity'),
                ('fused', 'emotion/fused'),
            )
        }
        self._published: set[str] = set()
        self.subscribe(FaceEmotions, 'emotion/faces', self._on_faces, qos.RESULT)
        self.subscribe(EmotionProbs, 'emotion/speech', self._on_speech, qos.RESULT)
        self.subscribe(FusedEmotion, 'emotion/fused', self._on_fused, qos.RESULT, in_order=False)
        self.subscribe(SpeechActivity, 'emotion/speech/activity', self._on_activity, qos.RESULT)
        self.subscribe(SessionState, 'emotion/session', self._on_session, qos.LATCHED)
        self.subscribe(GameState, 'emotion/game', self._on_game, qos.LATCHED)
        self.subscribe(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.RESULT, in_order=False)
        self._controls = {noun: ActionControl(self, noun, *names) for noun, *names in ACTIONS}
        self.every(SHOW_S, self._show, steady=True)
        self.every(LOOK_S, self._look_around, steady=True)
        self.every(HISTORY_S, self._remind, steady=True)

    def start(self) -> None:
        """Begin to serve."""
        access = Access(self.parameters.address, self.parameters.token, self.parameters.host_names)
        server = WebServer(access, self._look(), self._welcome, self._command, self._on_bad_frame)
        link = server.start(self.parameters.port)
        self._server = server
        self.get_logger().info(f'the web page is at {link}')

    def stop(self) -> None:
        """End serving."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        self._camera.watch(False)

    def teardown(self) -> None:
        """End serving where nobody deactivated the node before, and let the action servers go."""
        self.stop()
        for control in self._controls.values():
            control.close()
        self._controls = {}

    def apply(self, old: WebParameters) -> None:
        """Go on with the new parameters."""
        self._board.max_age = self.parameters.max_age
        self._topics['image'] = self._camera.topic
        self._camera.watch(False)
        if self._server is not None:
            self._server.look = self._look()

    def reset(self) -> None:
        """Forget what was said at a time that has not come yet."""
        self._board.forget()
        self._camera.forget()

    def _look(self) -> Look:
        return Look(self.parameters.picture_width, self.parameters.jpeg_quality, self.parameters.picture_rate)

    # What comes in.

    def _on_faces(self, msg: FaceEmotions) -> None:
        self._board.add_faces([face.emotion.subject_id for face in msg.faces], msg.detector, time.monotonic())
        self._observe_age('face_ms', msg.header.stamp)
        self._camera.add_faces(msg)

    def _on_speech(self, msg: EmotionProbs) -> None:
        self._observe_age('voice_ms', msg.header.stamp)

    def _on_fused(self, msg: FusedEmotion) -> None:
        self._board.add_estimate(messages.estimate(msg), time.monotonic())

    def _on_activity(self, msg: SpeechActivity) -> None:
        self._board.keep('hearing', messages.hearing(msg), time.monotonic())

    def _on_session(self, msg: SessionState) -> None:
        self._board.keep('session', messages.session(msg), time.monotonic())

    def _on_game(self, msg: GameState) -> None:
        self._board.keep('game', messages.game(msg), time.monotonic())

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        now = time.monotonic()
        for status in msg.status:
            values = {pair.key: pair.value for pair in status.values}
            self._board.health.add(status.name.lstrip('/'), status.level[0], status.message, values, now)

    def _observe_age(self, name: str, stamp: Any) -> None:
        """Keep how old a result is on arrival, from the acquisition of its input."""
        stamp_ns, now_ns = to_ns(stamp), self.now_ns()
        if stamp_ns <= now_ns and not other_clock_ns(stamp_ns, now_ns):
            self.health.observe(name, (now_ns - stamp_ns) / 1e6)

    # What goes out.

    def _offer(self, msg: Image | CompressedImage, found: FaceEmotions | None) -> None:
        if self._server is not None:
            pixels = (lambda: bytes(msg.data)) if isinstance(msg, CompressedImage) else (lambda: to_pixels(msg))
            self._server.offer(Frame(pixels, messages.faces(found) if found else []))

    def _on_bad_frame(self, error: Exception) -> None:
        kind = error.kind if isinstance(error, InputError) else type(error).__name__
        self.problem(kind, f'{self._topics["image"]}: {error}')

    def _welcome(self) -> dict[str, Any]:
        """Give what a browser gets once; called in the server's thread."""
        return {
            'about': {'emotions': EMOTIONS, 'namespace': self.get_namespace()},
            'history': self._history(),
        }

    def _history(self) -> list[list[float]]:
        return self._board.history(time.monotonic())

    def _show(self) -> None:
        now = time.monotonic()
        heard = tuple(age for age, name in AGES.items() if self._board.since(name, now) < self.parameters.max_age)
        ages = {name: value for name, value in self.health.values().items() if name.startswith(heard)}
        self._server.show(
            {
                **self._board.parts(now),
                'ages': ages,
                'missing': self._board.missing(self._topics, self._published, self._camera.silence, now),
                'reasons': {
                    noun: control.reason(self._board.health.is_silent(control.server, now))
                    for noun, control in self._controls.items()
                },
            }
        )

    def _remind(self) -> None:
        """Send the last minute, and a time: to a browser a connection that never brings anything new is dead."""
        self._server.show({'history': self._history(), 'alive': time.monotonic()})

    def _look_around(self) -> None:
        self._published = {name for name, topic in self._topics.items() if self.count_publishers(topic)}
        for control in self._controls.values():
            control.look()
        self._camera.watch(self._server is not None and self._server.is_watched)

    def _command(self, noun: str, verb: str) -> 'Future[str]':
        """Carry out a button in the executor; called in the server's thread."""
        done: Future[str] = Future()
        done.set_running_or_notify_cancel()
        control = self._controls.get(noun)
        if control is None or verb not in ('start', 'abort'):
            done.set_exception(ControlError(f"there is no button '{noun} {verb}'"))
        else:
            self.executor.create_task(control.start if verb == 'start' else control.abort, done)
        return done


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    run_node(WebNode, args)


if __name__ == '__main__':
    main()

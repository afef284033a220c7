"""The overlay node: draws faces, bars and weights on `image_raw`, which it takes only while somebody watches."""

import array
import time
from typing import Any

from sensor_msgs.msg import CompressedImage, Image

from emotion_core import qos
from emotion_core.messages import to_pixels
from emotion_core.node import EmotionNode
from emotion_core.node import run as run_node
from emotion_msgs.msg import FaceEmotions, FusedEmotion, GameState, SessionState, SpeechActivity
from emotion_view.camera import Camera
from emotion_view.drawing import draw
from emotion_view.messages import to_face_alone, to_faces, to_fused_view, to_game_view, to_hearing, to_session_view
from emotion_view.parameters import OverlayParameters
from emotion_view.scene import FusedView, GameView, Hearing, Scene, SessionView

WATCH_S = 0.5  # how often to look whether somebody subscribes


class OverlayNode(EmotionNode):
    """Pairs each frame with the faces that were found in it, by stamp."""

    def __init__(self):
        """Make the node; ``setup`` does the rest."""
        super().__init__('emotion_overlay', OverlayParameters)
        self._camera = Camera(self, self._draw)
        self._fused_views: dict[str, tuple[float, FusedView]] = {}  # subject -> when [s, monotonic], what
        self._hearing: tuple[float, Hearing] | None = None
        self._session: tuple[float, SessionView | None] | None = None
        self._game: tuple[float, GameView | None] | None = None
        self._speaker_id = ''

    def setup(self) -> None:
        """Make the topics; the camera's only while somebody watches."""
        self._overlay = self.advertise(Image, 'emotion/overlay', qos.SENSOR)
        self.subscribe(FaceEmotions, 'emotion/faces', self._camera.add_faces, qos.RESULT)
        self.subscribe(FusedEmotion, 'emotion/fused', self._on_fused, qos.RESULT, in_order=False)
        self.subscribe(SpeechActivity, 'emotion/speech/activity', self._on_activity, qos.RESULT)
        self.subscribe(SessionState, 'emotion/session', self._on_session, qos.LATCHED)
        self.subscribe(GameState, 'emotion/game', self._on_game, qos.LATCHED)
        self.every(WATCH_S, self._on_watch, steady=True)

    def reset(self) -> None:
        """Forget frames of a time that has not come yet."""
        self._camera.forget()

    def stop(self) -> None:
        """Let the camera go."""
        self._camera.watch(False)

    def teardown(self) -> None:
        """Let the camera go where nobody deactivated the node before."""
        self.stop()

    def apply(self, old: OverlayParameters) -> None:
        """Subscribe anew where the transport changed."""
        self._camera.watch(False)

    def _on_watch(self) -> None:
        self._camera.watch(self._overlay.get_subscription_count() > 0)

    def _on_fused(self, msg: FusedEmotion) -> None:
        now = time.monotonic()
        self._fused_views = {
            subject: (when, view)
            for subject, (when, view) in self._fused_views.items()
            if now - when < self.parameters.max_age
        }
        self._fused_views[msg.subject_id] = now, to_fused_view(msg)
        if msg.is_speaker:
            self._speaker_id = msg.subject_id

    def _on_activity(self, msg: SpeechActivity) -> None:
        self._hearing = time.monotonic(), to_hearing(msg)

    def _on_session(self, msg: SessionState) -> None:
        self._session = time.monotonic(), to_session_view(msg)

    def _on_game(self, msg: GameState) -> None:
        self._game = time.monotonic(), to_game_view(msg)

    def _recent(self, kept: tuple[float, Any] | None) -> Any:
        return kept[1] if kept and time.monotonic() - kept[0] < self.parameters.max_age else None

    def _draw(self, msg: Image | CompressedImage, found: FaceEmotions | None) -> None:
        faces = to_faces(found) if found else ()
        # The panel is about the largest face; without one about whoever is heard.
        shown = next((face.subject_id for face in faces if face.subject_id in self._fused_views), '')
        fused = self._recent(self._fused_views.get(shown))
        if fused is None and faces:
            fused = to_face_alone(found.faces[0].emotion)
        scene = Scene(
            faces,
            fused,
            self._recent(self._hearing),
            self._speaker_id,
            self._recent(self._session),
            self._recent(self._game),
        )
        picture = draw(to_pixels(msg), scene)
        height, width = picture.shape[:2]
        data = array.array('B')
        data.frombytes(picture.tobytes())
        overlay = Image(header=msg.header, height=height, width=width, encoding='bgr8', step=3 * width)
        overlay.data = data  # the constructor would copy it item by item
        self._overlay.publish(overlay)
        self.health.count('drawn')


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    run_node(OverlayNode, args)


if __name__ == '__main__':
    main()

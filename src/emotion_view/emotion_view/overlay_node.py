"""The overlay node: draws faces, bars and weights on `image_raw`, which it takes only while somebody watches."""

import array
import time
from typing import Any

from sensor_msgs.msg import CompressedImage, Image

from emotion_core import qos
from emotion_core.images import decode, decode_compressed
from emotion_core.messages import to_ns
from emotion_core.node import EmotionNode
from emotion_core.node import run as run_node
from emotion_msgs.msg import FaceEmotions, FusedEmotion, GameState, SessionState, SpeechActivity
from emotion_view.drawing import draw
from emotion_view.messages import to_faces, to_fused_view, to_game_view, to_hearing, to_session_view
from emotion_view.pairing import Pairing
from emotion_view.parameters import OverlayParameters
from emotion_view.scene import FaceView, FusedView, GameView, Hearing, Scene, SessionView

WATCH_S = 0.5  # how often to look whether somebody subscribes
FACES_SILENT_S = 0.5  # without face messages for this long, frames are drawn as they come


class OverlayNode(EmotionNode):
    """Pairs each frame with the faces that were found in it, by stamp."""

    def __init__(self):
        """Make the node; ``setup`` does the rest."""
        super().__init__('emotion_overlay', OverlayParameters)
        self._pairing = Pairing()
        self._fused_views: dict[str, tuple[float, FusedView]] = {}  # subject -> when [s, monotonic], what
        self._hearing: tuple[float, Hearing] | None = None
        self._session: tuple[float, SessionView | None] | None = None
        self._game: tuple[float, GameView | None] | None = None
        self._speaker_id = ''
        self._images = None

    def setup(self) -> None:
        """Make the topics; the camera's only while somebody watches."""
        self._overlay = self.advertise(Image, 'emotion/overlay', qos.SENSOR)
        self.subscribe(FaceEmotions, 'emotion/faces', self._on_faces, qos.RESULT)
        self.subscribe(FusedEmotion, 'emotion/fused', self._on_fused, qos.RESULT, in_order=False)
        self.subscribe(SpeechActivity, 'emotion/speech/activity', self._on_activity, qos.RESULT)
        self.subscribe(SessionState, 'emotion/session', self._on_session, qos.LATCHED)
        self.subscribe(GameState, 'emotion/game', self._on_game, qos.LATCHED)
        self.every(WATCH_S, self._on_watch, steady=True)

    def reset(self) -> None:
        """Forget frames of a time that has not come yet."""
        self._pairing.clear()

    def teardown(self) -> None:
        """Let the camera go."""
        self._unsubscribe_images()

    def apply(self, old: OverlayParameters) -> None:
        """Subscribe anew where the transport changed."""
        self._unsubscribe_images()

    def _on_watch(self) -> None:
        watched = self._overlay.get_subscription_count() > 0
        if watched and self._images is None:
            compressed = self.parameters.image_transport == 'compressed'
            kind, topic = (CompressedImage, 'image_raw/compressed') if compressed else (Image, 'image_raw')
            self._images = self.subscribe(kind, topic, self._on_image, qos.SENSOR)
        elif not watched:
            self._unsubscribe_images()

    def _unsubscribe_images(self) -> None:
        if self._images is not None:
            self.unsubscribe(self._images)
            self._images = None
            self._pairing.clear()

    def _on_image(self, msg: Image | CompressedImage) -> None:
        if self.health.seconds_since('received emotion/faces') > FACES_SILENT_S:
            self._draw(msg, ())
            return
        for image in self._pairing.add(to_ns(msg.header.stamp), msg):
            self._draw(image, ())

    def _on_faces(self, msg: FaceEmotions) -> None:
        image = self._pairing.pop(to_ns(msg.header.stamp))
        if image is not None:
            self._draw(image, to_faces(msg))

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

    def _draw(self, msg: Image | CompressedImage, faces: tuple[FaceView, ...]) -> None:
        if isinstance(msg, CompressedImage):
            frame = decode_compressed(msg.data)
        else:
            frame = decode(msg.data, msg.width, msg.height, msg.encoding, msg.step, bool(msg.is_bigendian))
        # The panel is about the largest face; without one about whoever is heard.
        shown = next((face.subject_id for face in faces if face.subject_id in self._fused_views), '')
        fused = self._recent(self._fused_views.get(shown))
        scene = Scene(
            faces,
            fused,
            self._recent(self._hearing),
            self._speaker_id,
            self._recent(self._session),
            self._recent(self._game),
        )
        picture = draw(frame, scene)
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

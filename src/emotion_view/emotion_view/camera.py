"""The camera for views: taken only while somebody watches, each frame with the faces that were found in it."""

import time
from collections.abc import Callable

from sensor_msgs.msg import CompressedImage, Image

from emotion_core import qos
from emotion_core.messages import IMAGES, to_ns
from emotion_core.node import EmotionNode
from emotion_msgs.msg import FaceEmotions
from emotion_view.pairing import Pairing

FACES_SILENT_S = 0.5  # without faces for this long, frames are shown as they come


class Camera:
    """The images of a node that has the parameter ``image_transport``."""

    def __init__(self, node: EmotionNode, show: Callable[[Image | CompressedImage, FaceEmotions | None], None]):
        """
        Take nothing yet.

        :param show: Gets each frame with its faces, or None where they do not come in time.
        """
        self._node, self._show = node, show
        self._pairing = Pairing()
        self._images = None
        self._heard_at = self._faces_at = float('-inf')

    @property
    def topic(self) -> str:
        """Full name of the image topic."""
        return self._node.resolve_topic_name(IMAGES[self._node.parameters.image_transport][1])

    @property
    def silence(self) -> float:
        """How long a frame has been waited for [s]; 0 while nobody watches."""
        return time.monotonic() - self._heard_at if self._images else 0.0

    def watch(self, is_watched: bool) -> None:
        """Take the images, or let go of them."""
        if is_watched and self._images is None:
            self._heard_at = time.monotonic()
            kind, topic = IMAGES[self._node.parameters.image_transport]
            self._images = self._node.subscribe(kind, topic, self._on_image, qos.SENSOR)
        elif not is_watched and self._images is not None:
            self._node.unsubscribe(self._images)
            self._images = None
            self.forget()

    def forget(self) -> None:
        """Forget the frames that wait for their faces."""
        self._pairing.clear()

    def add_faces(self, msg: FaceEmotions) -> None:
        """Take the faces of a frame, and show it."""
        self._faces_at = time.monotonic()
        image = self._pairing.pop(to_ns(msg.header.stamp))
        if image is not None:
            self._show(image, msg)

    def _on_image(self, msg: Image | CompressedImage) -> None:
        self._heard_at = time.monotonic()
        if self._heard_at - self._faces_at > FACES_SILENT_S:
            self._show(msg, None)
            return
        for image in self._pairing.add(to_ns(msg.header.stamp), msg):
            self._show(image, None)

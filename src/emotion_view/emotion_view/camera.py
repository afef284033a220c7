"""The camera for views: taken only while somebody watches, each frame with the faces that were found in it."""

import time
from collections.abc import Callable

from sensor_msgs.msg import CompressedImage, Image

from emotion_core import qos
from emotion_core.errors import InputError
from emotion_core.messages import IMAGES, to_ns
from emotion_core.node import EmotionNode
from emotion_core.stamps import NS_PER_S
from emotion_msgs.msg import FaceEmotions
from emotion_view.messages import to_faces
from emotion_view.pairing import Pairing

FACES_SILENT_S = 0.5  # without faces for this long, frames do not wait for theirs


class Camera:
    """The images of a node that has the parameters ``image_transport`` and ``max_age`` [s]."""

    def __init__(self, node: EmotionNode, show: Callable[[Image | CompressedImage, FaceEmotions | None], None]):
        """
        Take nothing yet.

        :param show: Gets each frame with its faces, with the last ones where its own do not come in time, or with None.
        """
        self._node, self._show = node, show
        self._pairing = Pairing()
        self._images = None
        self._faces: FaceEmotions | None = None  # the last ones
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
        self._faces = None

    def add_faces(self, msg: FaceEmotions) -> None:
        """
        Take the faces of a frame, and show it.

        :raises InputError: when they cannot be shown; their frame is shown without them.
        """
        image = self._pairing.pop(to_ns(msg.header.stamp))
        try:
            to_faces(msg)
        except InputError:
            if image is not None:
                self._show(image, None)
            raise
        self._faces, self._faces_at = msg, time.monotonic()
        if image is not None:
            self._show(image, msg)

    def _on_image(self, msg: Image | CompressedImage) -> None:
        self._heard_at = time.monotonic()
        if self._heard_at - self._faces_at > FACES_SILENT_S:
            self._pairing.clear()
            self._show(msg, self._last_faces(msg))
            return
        for image in self._pairing.add(to_ns(msg.header.stamp), msg):
            self._show(image, self._last_faces(image))

    def _last_faces(self, image: Image | CompressedImage) -> FaceEmotions | None:
        """Give the last faces, when they are not too old for an image: a slow machine finds fewer than it shows."""
        if self._faces is None:
            return None
        age_ns = to_ns(image.header.stamp) - to_ns(self._faces.header.stamp)
        return self._faces if abs(age_ns) < self._node.parameters.max_age * NS_PER_S else None

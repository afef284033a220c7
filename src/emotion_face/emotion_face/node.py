"""The FER node: images in, the emotion of every face out."""

import time

import cv2
from sensor_msgs.msg import CompressedImage, Image

from emotion_core import qos
from emotion_core.errors import InputError
from emotion_core.messages import IMAGES, to_ns, to_pixels
from emotion_core.node import EmotionNode, run
from emotion_core.store import ModelStore
from emotion_face.classifier import FaceClassifier
from emotion_face.detector import FaceDetector, make_detector
from emotion_face.frame_rate import FrameRate
from emotion_face.messages import to_face_emotions
from emotion_face.parameters import FaceParameters
from emotion_face.recognizer import Recognizer, Settings
from emotion_msgs.msg import EmotionProbs, FaceEmotions

QUIET_S = 3.0  # without an image


class FaceNode(EmotionNode):
    """Feeds a Recognizer."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__('emotion_face', FaceParameters)
        # Two threads find a face hardly faster than one, and take the core that the other nodes need.
        cv2.setNumThreads(1)

    def setup(self) -> None:
        """Load classifier and detector."""
        self._loaded: tuple[tuple[str, str], FaceClassifier, FaceDetector] | None = None
        self._recognizer = Recognizer(*self._load(self.parameters))
        self._rate = FrameRate()
        self._face_pub = self.advertise(EmotionProbs, 'emotion/face', qos.FACE)
        self._faces_pub = self.advertise(FaceEmotions, 'emotion/faces', qos.RESULT)
        kind, self._topic = IMAGES[self.parameters.image_transport]
        self.subscribe(kind, self._topic, self._on_image, qos.SENSOR)

    def start(self) -> None:
        """Forget the faces that were there before a pause."""
        self.reset()

    def validate(self, parameters: FaceParameters) -> None:
        """Refuse a model or a detector that cannot be loaded."""
        self._load(parameters)

    def apply(self, old: FaceParameters) -> None:
        """Go on with the new parameters; faces keep their ids."""
        self._recognizer.configure(*self._load(self.parameters))

    def reset(self) -> None:
        """Forget the faces of a time that has not come yet."""
        self._recognizer.reset()
        self._rate.reset()

    def waiting_for(self) -> str:
        """Say when no image comes."""
        if self.health.seconds_since(f'received {self._topic}') < QUIET_S:
            return ''
        return f'no image on {self.resolve_topic_name(self._topic)}: is a camera running? try `./emotion devices`'

    def _load(self, parameters: FaceParameters) -> tuple[FaceClassifier, FaceDetector, Settings]:
        names = parameters.model, parameters.detector
        if self._loaded is None or self._loaded[0] != names:
            store = ModelStore()
            detector = make_detector(store, parameters.detector, self.get_logger().info)
            self._loaded = names, FaceClassifier(store.find(parameters.model)), detector
        return self._loaded[1], self._loaded[2], parameters.settings

    def _on_image(self, msg: Image | CompressedImage) -> None:
        image, stamp_ns = to_pixels(msg), to_ns(msg.header.stamp)
        if stamp_ns == 0:
            raise InputError(
                'missing stamp',
                'the image has no stamp, and faces are followed by time: '
                'the driver must set header.stamp to when it was taken',
            )
        begin = time.perf_counter()
        result = self._recognizer.predict(image, stamp_ns, msg.header.frame_id)
        self.health.observe('processing_ms', (time.perf_counter() - begin) * 1e3)
        msg = to_face_emotions(result)
        for face in msg.faces:
            self._face_pub.publish(face.emotion)
        self._faces_pub.publish(msg)
        self.health.observe('latency_ms', (self.now_ns() - stamp_ns) / 1e6)
        self.health.observe('faces', len(result.faces))
        self.health.counts['missed frames'] += self._rate.add(stamp_ns)
        self.health.observe('fps', self._rate.hz)


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    run(FaceNode, args)


if __name__ == '__main__':
    main()

"""
Two figures for a model on a data set: on the crops or clips as they are, and through the node.

Through the node a picture is seen by a camera: small ones (crops) are enlarged and pasted into a frame, which stands
still for FRAMES frames; detector, tracker, alignment, classifier and the smoothing of the fusion say a label at the
end. A sound is heard by a microphone, between two seconds of room tone: the segmenter finds the speech.
"""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from emotion_core.emotions import EMOTIONS, UNCERTAIN
from emotion_core.errors import EmotionError
from emotion_core.evidence import Evidence
from emotion_core.stamps import NS_PER_S
from emotion_core.store import ModelStore
from emotion_evaluation.datasets import FACE, Dataset, Item
from emotion_evaluation.measure import scores
from emotion_face.classifier import FaceClassifier
from emotion_face.detector import make_detector
from emotion_face.parameters import FaceParameters
from emotion_face.recognizer import Recognizer as FaceRecognizer
from emotion_fusion.parameters import FusionParameters
from emotion_fusion.stream import FusionStream
from emotion_speech.classifier import SpeechClassifier
from emotion_speech.parameters import SpeechParameters
from emotion_speech.recognizer import Recognizer as SpeechRecognizer
from emotion_speech.vad import RATE, SileroVad

FRAME = 640, 480  # px
CROP_PX = 160  # a picture with no side over this is a crop of a face
CROP_SHOWN_PX = 240
FRAMES, FRAME_NS = 8, NS_PER_S // 15
QUIET_S = 2.0  # room tone before and after a clip
ROOM_TONE = 0.0005  # standard deviation, about -66 dBFS
BLOCK_S = 0.05
START_NS = 1_700_000_000 * NS_PER_S


def measure(
    dataset: Dataset,
    model: str = '',
    detector: str = 'auto',
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """
    Measure a model in both ways.

    :param model: Name or folder; by default the bundled one for the data.
    :return: 'model'; 'alone' and 'through_node', each with the figures of ``measure.scores`` and 'coverage'; and
        'unread': what could not be read.
    :raises ModelError: when the model cannot be used.
    """
    if dataset.task == FACE:
        node = _Faces(model or FaceParameters().model, detector)
    else:
        node = _Voices(model or SpeechParameters().model)
    alone: list[tuple[Item, np.ndarray, int]] = []
    through: list[tuple[Item, np.ndarray, int]] = []
    unread: list[str] = []
    # One speaker after the other, as a robot meets them.
    for done, item in enumerate(sorted(dataset.items, key=lambda item: (item.source, item.name))):
        progress(done)
        try:
            data = item.read()
            probabilities = node.alone(data)
        except EmotionError as error:
            unread.append(str(error))
            continue
        alone.append((item, probabilities, int(np.argmax(probabilities))))
        said = node.through(data, item.source)
        if said is not None:
            through.append((item, *said))
    total = len(alone)
    return {
        'model': node.identity,
        **node.notes,
        'alone': _figures(alone, total),
        'through_node': _figures(through, total),
        **({'unread': unread} if unread else {}),
    }


def _figures(results: Sequence[tuple[Item, np.ndarray, int]], total: int) -> dict[str, Any]:
    table: dict[str, Any] = {'coverage': round(len(results) / total, 4) if total else 0.0}
    if results:
        truth = np.array([item.label for item, _, _ in results])
        predicted = np.array([label for _, _, label in results])
        sources = np.array([item.source for item, _, _ in results])
        table |= scores(truth, np.stack([p for _, p, _ in results]), sources, predicted)
        table['accuracy_of_all'] = round(float((predicted == truth).sum() / total), 4)  # no answer counts as wrong
    return table


class _Faces:
    def __init__(self, model: str, detector: str):
        store = ModelStore()
        cv2.setNumThreads(1)
        self._classifier = FaceClassifier(store.find(model))
        found_by = make_detector(store, detector)
        self._recognizer = FaceRecognizer(self._classifier, found_by)
        self._now_ns = START_NS
        self.identity = self._classifier.identity
        self.notes = {'detector': found_by.name}

    def alone(self, image: np.ndarray) -> np.ndarray:
        return self._classifier([_square(image)])[0][0]

    def through(self, image: np.ndarray, source: str) -> tuple[np.ndarray, int] | None:
        """Give the distribution and the label after some frames; None when no face was found."""
        frame = to_frame(image)
        self._recognizer.reset()
        stream = FusionStream(FusionParameters(speech_weight=0.0))
        fused = None
        for _ in range(FRAMES):
            self._now_ns += FRAME_NS
            result = self._recognizer.predict(frame, self._now_ns)
            if result.faces:
                fused = stream.take(result.faces[0].evidence, self._now_ns)
        self._now_ns += NS_PER_S
        if fused is None:
            return None
        probabilities = fused.evidence.probabilities
        label = int(np.argmax(probabilities)) if fused.label == UNCERTAIN else EMOTIONS.index(fused.label)
        return probabilities, label


class _Voices:
    def __init__(self, model: str):
        self._classifier = SpeechClassifier(ModelStore().find(model))
        self._source: str | None = None
        self._now_ns = START_NS
        self._tone = np.random.default_rng(0).normal(0, ROOM_TONE, round(QUIET_S * RATE)).astype(np.float32)
        self.identity = self._classifier.identity
        self.notes: dict[str, str] = {}

    def alone(self, samples: np.ndarray) -> np.ndarray:
        return self._classifier(samples).probabilities

    def through(self, samples: np.ndarray, source: str) -> tuple[np.ndarray, int] | None:
        """Give what the segments say together, each by its length; None when no speech was found."""
        if source != self._source:  # a recognizer may get to know its speaker
            self._recognizer = SpeechRecognizer(self._classifier, SileroVad(), clock=lambda: 0.0)
            self._source = source
        sound = np.concatenate([self._tone, samples, self._tone])
        block = round(BLOCK_S * RATE)
        found: list[Evidence] = []
        for first in range(0, len(sound), block):
            piece = sound[first : first + block]
            found += self._recognizer.feed(piece, RATE, self._now_ns)
            self._now_ns += len(piece) * NS_PER_S // RATE
        final = [evidence for evidence in found + self._recognizer.flush() if evidence.is_final]
        self._now_ns += 10 * NS_PER_S
        if not final:
            return None
        lengths = np.array([evidence.stamp_ns - evidence.start_ns for evidence in final], float)
        probabilities = lengths / lengths.sum() @ np.stack([evidence.probabilities for evidence in final])
        return probabilities, int(np.argmax(probabilities))


def to_frame(image: np.ndarray) -> np.ndarray:
    """
    Give what a camera would see of a picture.

    A crop is enlarged to 240 px (cubic) in the middle of a 640x480 frame whose rest repeats its edges, blurred: a
    detector needs something around a face. A larger picture is what was seen already.
    """
    if max(image.shape[:2]) > CROP_PX:
        return image
    scale = CROP_SHOWN_PX / max(image.shape[:2])
    face = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    width, height = FRAME
    left, top = (width - face.shape[1]) // 2, (height - face.shape[0]) // 2
    frame = cv2.copyMakeBorder(
        face, top, height - top - face.shape[0], left, width - left - face.shape[1], cv2.BORDER_REPLICATE
    )
    frame = cv2.GaussianBlur(frame, (0, 0), 15)
    frame[top : top + face.shape[0], left : left + face.shape[1]] = face
    return frame


def _square(image: np.ndarray) -> np.ndarray:
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])

"""Frames in, the emotions of all faces out: detection, tracking, alignment, quality and classification together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from emotion_core.evidence import FACE, Evidence
from emotion_core.stamps import NS_PER_S
from emotion_face.alignment import Crop, crop_face
from emotion_face.classifier import FaceClassifier
from emotion_face.detector import Detection, FaceDetector
from emotion_face.mouth import Mouths
from emotion_face.quality import face_quality
from emotion_face.tracker import Tracker, looks_of

NEAR_FACES = 6  # more faces than this are found faster anywhere than one by one


@dataclass(frozen=True)
class Settings:
    """How faces are followed."""

    search_period: float = 0.4  # [s] between two searches of the whole frame
    max_lost: float = 1.0  # [s] after which a face gets a new id
    max_faces: int = 10  # the largest ones of a frame
    min_face: float = 0.5  # what looks less like a face than this is dropped, see FaceClassifier


@dataclass(frozen=True)
class Face:
    """One face of one frame."""

    detection: Detection
    detected: bool  # False: not found in this frame, carried on by the tracker
    evidence: Evidence


@dataclass(frozen=True)
class FrameResult:
    """All faces of one frame, largest first."""

    stamp_ns: int
    frame_id: str
    width: int  # [px]
    height: int  # [px]
    detector: str
    faces: list[Face]


class _Look(NamedTuple):
    """A detection, and what is to be seen there."""

    detection: Detection
    crop: Crop
    gray: np.ndarray  # the crop's pixels
    probabilities: np.ndarray  # (6,)
    faceness: float  # how much it looks like a face, in [0, 1]


class Recognizer:
    """Recognises the emotions of all faces, frame after frame."""

    def __init__(self, classifier: FaceClassifier, detector: FaceDetector, settings: Settings = Settings()):
        """Start without faces."""
        self._tracker = Tracker()
        self._mouths = Mouths()
        self._searched_ns: int | None = None
        self._shape: tuple[int, int] | None = None  # of the frame before [px]
        self.configure(classifier, detector, settings)

    def configure(self, classifier: FaceClassifier, detector: FaceDetector, settings: Settings) -> None:
        """Go on with these from the next frame on; faces keep their ids."""
        self._classifier, self._detector, self._settings = classifier, detector, settings
        self._tracker.confirmations, self._tracker.sure = detector.confirmations, detector.sure
        self._tracker.max_lost = settings.max_lost

    def reset(self) -> None:
        """Forget all faces, because time jumped or the picture is another; ids go on."""
        self._tracker.reset()
        self._mouths.reset()
        self._searched_ns = None

    def predict(self, image: np.ndarray, stamp_ns: int, frame_id: str = '') -> FrameResult:
        """
        Recognise the faces of the next frame.

        :param image: uint8 of shape (height, width, 3), BGR.
        :param stamp_ns: When it was taken [ns since the epoch]; at or after the one before.
        :param frame_id: The camera's frame, given on.
        """
        if image.shape[:2] != self._shape:  # where faces were says nothing about it
            self.reset()
            self._shape = image.shape[:2]
        found = self._detect(image, stamp_ns)
        # A weak detector makes faces up: what is none must not become a track.
        seen = [look for look in self._look(image, found) if look.faceness >= self._settings.min_face]
        detections, grays = [look.detection for look in seen], [looks_of(look.gray) for look in seen]
        tracks = self._tracker.update(detections, grays, stamp_ns)[: self._settings.max_faces]
        carried = [track.detection for track in tracks if not any(track.detection is item for item in detections)]
        by_id = {id(look.detection): look for look in [*seen, *self._look(image, carried)]}
        looks = [by_id[id(track.detection)] for track in tracks]
        terms = [_quality(image, look) for look in looks]
        trusted = [self._classifier.trust(look.probabilities, term) for look, term in zip(looks, terms)]
        mouths = [(track.id, look.gray) for track, look in zip(tracks, looks) if track.is_seen]
        # Of one face alone: whose voice it is is no question then.
        moved = self._mouths.update(mouths if len(tracks) > 1 else [], stamp_ns)
        faces = [
            Face(
                track.detection,
                track.is_seen,
                Evidence(
                    stamp_ns=stamp_ns,
                    start_ns=stamp_ns,
                    source=FACE,
                    probabilities=distribution,
                    quality=quality,
                    quality_terms=quality_terms,
                    quality_reason=reason,
                    subject_id=track.id,
                    model=self._classifier.identity,
                    frame_id=frame_id,
                    mouth_motion=moved.get(track.id, 0.0),
                ),
            )
            for track, quality_terms, (distribution, quality, reason) in zip(tracks, terms, trusted)
        ]
        height, width = image.shape[:2]
        return FrameResult(stamp_ns, frame_id, width, height, self._detector.name, faces)

    def _detect(self, image: np.ndarray, stamp_ns: int) -> list[Detection]:
        """Search the whole frame when it is time to, and otherwise near the faces that are known."""
        expected = self._tracker.expected(stamp_ns)
        waited_ns = None if self._searched_ns is None else stamp_ns - self._searched_ns
        is_due = waited_ns is None or not 0 <= waited_ns < self._settings.search_period * NS_PER_S
        if not is_due and len(expected) <= NEAR_FACES:
            return self._detector.search_near(image, expected)
        self._searched_ns = stamp_ns
        found = sorted(self._detector.search(image), key=lambda item: -item.box[2] * item.box[3])
        return found[: self._settings.max_faces]

    def _look(self, image: np.ndarray, detections: Sequence[Detection]) -> list[_Look]:
        """Cut the faces out, and say what each shows."""
        if not detections:
            return []
        crops = [crop_face(image, item, self._detector.name, self._classifier.side) for item in detections]
        grays = [cv2.cvtColor(crop.pixels, cv2.COLOR_BGR2GRAY) for crop in crops]
        judged = self._classifier([crop.pixels for crop in crops])
        return [_Look(*look) for look in zip(detections, crops, grays, *judged)]


def _quality(image: np.ndarray, look: _Look) -> dict[str, float]:
    face, size = look.detection, (image.shape[1], image.shape[0])
    terms = face_quality(look.gray, look.crop.size_px, face.box, size, face.score, face.landmarks)
    return terms | {'face': float(look.faceness)}

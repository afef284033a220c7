"""Where the faces are: YuNet, and Haar cascades where its file is missing, behind one protocol."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from emotion_core.errors import ModelError
from emotion_core.model_card import ModelCard
from emotion_core.store import ModelStore
from emotion_core.yunet import YuNet

DARK_LEVEL = 50  # mean gray level under which an image is brightened
GAIN_LEVEL = 110  # and the one that it gets
DARK_BLUR_PX = 5
FIRST, SECOND = 'haarcascade_frontalface_default.xml', 'haarcascade_frontalface_alt2.xml'

Box = tuple[float, float, float, float]  # x, y, width, height in pixels of the frame; may reach beyond it


@dataclass(frozen=True)
class Detection:
    """One face that a detector found."""

    box: Box
    score: float  # [0, 1]
    # (5, 2) in pixels of the frame: right eye, left eye, nose tip, right and left mouth corner (the subject's sides).
    landmarks: np.ndarray | None = None


class FaceDetector(Protocol):
    """
    Finds faces in two ways: anywhere, which is slow, and near boxes where they are expected, which is fast.

    Images are uint8 of shape (height, width, 3), BGR.
    """

    name: str
    confirmations: int  # how often a new face must be found before it is believed ...
    sure: float  # ... unless it is found with this score

    def search(self, image: np.ndarray) -> list[Detection]:
        """Find faces anywhere."""

    def search_near(self, image: np.ndarray, boxes: Sequence[Box]) -> list[Detection]:
        """Find faces that have about the place and size of one of these boxes."""


def make_detector(
    store: ModelStore, name: str = 'auto', log: Callable[[str], None] = lambda sentence: None
) -> FaceDetector:
    """
    Make a detector.

    :param name: 'auto' (YuNet where it can be used, otherwise Haar), 'haar', or the name or folder of a YuNet model.
    :param log: Told why 'auto' became Haar.
    :raises ModelError: when the model cannot be used.
    """
    if name == 'haar':
        return HaarDetector()
    try:
        model = 'yunet' if name == 'auto' else name
        store.verify(model)
        return YuNetDetector(store.find(model))
    except ModelError as error:
        if name != 'auto':
            raise
        log(f'faces are found by Haar cascades, which see fewer of them and no landmarks: {error}')
        return HaarDetector()


class YuNetDetector:
    """YuNet: five landmarks, hardly a false box; 10 ms for 640x480, 2 ms near a box."""

    name = 'yunet'
    confirmations = 1
    sure = 1.0

    SCORE = 0.6
    OVERLAP = 0.3  # of two boxes that count as one face
    LONG_SIDE_PX = 640  # larger frames are searched at this size: faces under 1/30 of the frame carry no emotion
    SHORT_SIDE_PX = 96  # smaller frames are enlarged, for a face of few pixels is not found
    LONGEST_PX = 2560  # no frame is searched at more, however narrow it is
    NEAR_SCORE = 0.45  # less is enough where a face is expected
    # The patch around an expected face: its side, and its side in the frame in longer sides of the box. Of 108 faces
    # that the whole frame shows it misses none; with 160 px it misses 6, with 2.0 boxes 5.
    NEAR_PX = 192
    NEAR_BOXES = 1.5

    def __init__(self, folder: Path):
        """
        Load the model.

        :param folder: Holds model.onnx and model.json.
        :raises ModelError: when it is not YuNet.
        """
        card = ModelCard.load(folder)
        if card.task != 'face_detection':
            raise ModelError(f"model '{card.name}' in '{folder}' is for {card.task}, not for face_detection")
        self._network = YuNet(folder)

    def search(self, image: np.ndarray) -> list[Detection]:
        """Find faces anywhere; those under about 1/30 of the frame's width are missed."""
        height, width = image.shape[:2]
        scale = min(1.0, self.LONG_SIDE_PX / max(height, width))
        scale = max(scale, min(self.SHORT_SIDE_PX / min(height, width), self.LONGEST_PX / max(height, width)))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if size != (width, height):
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        return self._detect(image, self.SCORE, (width / size[0], height / size[1]), (0.0, 0.0))

    def search_near(self, image: np.ndarray, boxes: Sequence[Box]) -> list[Detection]:
        """Find faces near these boxes, with landmarks."""
        found = []
        for box in boxes:
            side = self.NEAR_BOXES * max(box[2:])
            left, top = box[0] + box[2] / 2 - side / 2, box[1] + box[3] / 2 - side / 2
            patch = _patch(image, left, top, side, self.NEAR_PX)
            scale = side / self.NEAR_PX
            found += [
                detection
                for detection in self._detect(patch, self.NEAR_SCORE, (scale, scale), (left, top))
                if _is_about(detection.box, box)
            ]
        return _distinct(found, self.OVERLAP)

    def _detect(
        self, image: np.ndarray, least: float, scale: tuple[float, float], offset: tuple[float, float]
    ) -> list[Detection]:
        rows = self._network(brighten(image), least).astype(np.float64)
        points = rows[:, 4:14].reshape(-1, 5, 2) * scale + offset
        corners, sizes = rows[:, :2] * scale + offset, rows[:, 2:4] * scale
        found = [
            Detection((*corner, *size), score, landmarks)
            for corner, size, landmarks, score in zip(corners.tolist(), sizes.tolist(), points, rows[:, 14].tolist())
        ]
        return _distinct(found, self.OVERLAP)


class HaarDetector:
    """
    OpenCV's Haar cascades: no landmarks, no file to fetch, frontal faces from about 48 px.

    A box counts only where a second cascade, trained otherwise, sees a face too, and unless the first one is sure of it
    only after it was found several times. The second opinion takes the false boxes from 0.12 to 0 a photograph (16) and
    from 0.07 to 0.03 a random texture (40), at the same recall.
    """

    name = 'haar'
    confirmations = 3
    sure = 0.75  # three of four true boxes have it; of 200 random textures none has more than 0.69

    LONG_SIDE_PX = 320  # frames are searched at this size: 20 ms instead of 50 ms for 640x480
    SMALLEST_PX = 24  # at that size
    STEP = 1.2  # between two sizes that are searched
    NEIGHBOURS = 3  # overlapping hits that make a box
    PATCH_PX = 96  # side of the patch for the second opinion and near an expected face
    PATCH_BOXES = 1.6  # and its side in the frame, in sides of the box
    OVERLAP = 0.3
    SURE = 5.0  # hits beyond the needed ones at which the score is a half

    def __init__(self):
        """Load the cascades that come with OpenCV 4; OpenCV 5 has none."""
        self._first = cascade(FIRST)
        self._second = cascade(SECOND)

    def search(self, image: np.ndarray) -> list[Detection]:
        """Find faces anywhere; those under about 48 px in 640x480 are missed."""
        height, width = image.shape[:2]
        scale = min(1.0, self.LONG_SIDE_PX / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        gray = cv2.cvtColor(brighten(small), cv2.COLOR_BGR2GRAY)
        boxes, hits = self._first.detectMultiScale2(
            gray, self.STEP, self.NEIGHBOURS, minSize=(self.SMALLEST_PX, self.SMALLEST_PX)
        )
        candidates = [
            Detection(tuple(float(value) / scale for value in box), self._score(hit))
            for box, hit in zip(boxes, np.ravel(hits))
        ]
        agreed = [candidate for candidate in candidates if self._near(self._second, image, candidate.box)]
        return _distinct(agreed, self.OVERLAP)

    def search_near(self, image: np.ndarray, boxes: Sequence[Box]) -> list[Detection]:
        """Find faces near these boxes, without a second opinion: one was asked when they were first found."""
        return _distinct([found for box in boxes for found in self._near(self._first, image, box)], self.OVERLAP)

    def _near(self, cascade: 'cv2.CascadeClassifier', image: np.ndarray, box: Box) -> list[Detection]:
        side = self.PATCH_BOXES * max(box[2:])
        left, top = box[0] + box[2] / 2 - side / 2, box[1] + box[3] / 2 - side / 2
        patch = cv2.cvtColor(brighten(_patch(image, left, top, side, self.PATCH_PX)), cv2.COLOR_BGR2GRAY)
        face_px, scale = self.PATCH_PX / self.PATCH_BOXES, side / self.PATCH_PX
        boxes, hits = cascade.detectMultiScale2(
            patch, 1.1, self.NEIGHBOURS, minSize=(round(face_px * 0.67),) * 2, maxSize=(round(face_px * 1.4),) * 2
        )
        boxes = np.reshape(boxes, (-1, 4)) * scale + (left, top, 0, 0)
        found = [Detection(tuple(map(float, box)), self._score(hit)) for box, hit in zip(boxes, np.ravel(hits))]
        return [detection for detection in found if _is_about(detection.box, box)]

    def _score(self, hits: int) -> float:
        """Squeeze the number of overlapping hits into [0, 1): cascades know no confidence."""
        return float(1 - self.SURE / (self.SURE + hits))


def brighten(image: np.ndarray) -> np.ndarray:
    """Blur and brighten a dark image, and leave others alone; detectors find more in it, whatever the noise."""
    level = float(image[::8, ::8].mean())
    if level >= DARK_LEVEL:
        return image
    gray = cv2.blur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (DARK_BLUR_PX, DARK_BLUR_PX))
    return cv2.cvtColor(cv2.convertScaleAbs(gray, alpha=GAIN_LEVEL / max(level, 1.0)), cv2.COLOR_GRAY2BGR)


def cascade(file: str) -> 'cv2.CascadeClassifier':
    """Load one of OpenCV's cascades; raises ModelError when it is not there."""
    folder = cv2.data.haarcascades if hasattr(cv2, 'data') else '/usr/share/opencv4/haarcascades'  # PyPI's, apt's
    path = os.path.join(folder, file)
    loaded = cv2.CascadeClassifier(path) if hasattr(cv2, 'CascadeClassifier') else None
    if loaded is None or loaded.empty():
        raise ModelError(
            f"OpenCV's Haar cascade '{path}' cannot be loaded: install opencv-python-headless<5 "
            '(apt: opencv-data), or get the better detector with `./emotion models fetch yunet`'
        )
    return loaded


def _patch(image: np.ndarray, left: float, top: float, side: float, side_px: int) -> np.ndarray:
    """Cut a square and scale it; black where it reaches beyond the frame."""
    scale = side_px / side
    if scale < 0.5:
        # Shrink by whole pixels first: a warp alone would skip pixels and see noise.
        x, y = max(0, int(left)), max(0, int(top))
        cut = image[y : max(y, int(top + side)), x : max(x, int(left + side))]
        if cut.size == 0:
            return np.zeros((side_px, side_px, 3), np.uint8)
        size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
        image = cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
        left, top, scale = (left - x) * scale, (top - y) * scale, 1.0
    matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    return cv2.warpAffine(image, matrix, (side_px, side_px), flags=cv2.INTER_LINEAR)


def _is_about(found: Box, expected: Box) -> bool:
    """Whether a box has about the place and size of another one."""
    size, wanted = max(found[2:]), max(expected[2:])
    dx = found[0] + found[2] / 2 - expected[0] - expected[2] / 2
    dy = found[1] + found[3] / 2 - expected[1] - expected[3] / 2
    return 0.6 < size / wanted < 1.67 and max(abs(dx), abs(dy)) < 0.5 * wanted


def overlap(a: Box, b: Box) -> float:
    """Give the intersection over union of two boxes, [0, 1]."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)


def _distinct(detections: list[Detection], limit: float) -> list[Detection]:
    """Keep the best of those that overlap: faces near each other are found from both of their patches."""
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda item: -item.score):
        if all(overlap(detection.box, other.box) < limit for other in kept):
            kept.append(detection)
    return kept

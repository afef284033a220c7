"""From a face in a frame to the upright square crop that classifiers of the FER2013 kind are trained on."""

from dataclasses import dataclass

import cv2
import numpy as np

from emotion_face.detector import Box, Detection

# Where the landmarks are in the crop, in sides of the crop: mean over what YuNet finds on FER2013 training images
# (every sixth without exact duplicates, 4329 of 4516 with one face, enlarged to 240 px with a border of 40 px),
# made symmetric. Rows: right eye, left eye, nose tip, right and left mouth corner; right is the subject's, on the left.
CANONICAL = np.array(
    [
        (0.320, 0.369),
        (0.680, 0.369),
        (0.500, 0.587),
        (0.353, 0.761),
        (0.647, 0.761),
    ]
)
# Side of the crop, in geometric means of a box's width and height: median over the same images. Haar's boxes are the
# crop (0.99 with 1629 boxes of 2258 images).
CROP_BOXES = {'yunet': 1.08, 'haar': 1.0}
MAX_OVERSAMPLING = 8  # a larger face is cut coarser than the frame has it


@dataclass(frozen=True)
class Crop:
    """An aligned face."""

    pixels: np.ndarray  # uint8 (side, side, 3), BGR; the side is a multiple of the one asked for
    size_px: float  # its side in pixels of the frame


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """
    Give the rotation, uniform scale and shift that best maps points onto others (least squares, no reflection).

    :param source: Points of shape (n, 2), not all the same.
    :param target: Where they should go, of the same shape.
    :return: Matrix of shape (2, 3).
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    from_centre, to_centre = source.mean(axis=0), target.mean(axis=0)
    # As complex numbers a similarity is one factor and one shift.
    points, goals = ((values - centre) @ (1, 1j) for values, centre in ((source, from_centre), (target, to_centre)))
    factor = np.vdot(points, goals) / np.vdot(points, points).real
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([linear, to_centre - linear @ from_centre])


def crop_face(image: np.ndarray, detection: Detection, detector: str, side: int) -> Crop:
    """
    Cut a face out: upright by its landmarks where it has them, otherwise around its box.

    :param image: uint8 of shape (height, width, 3), BGR; pixels beyond its border repeat those at the border.
    :param detector: Name of the detector that made the box, one of CROP_BOXES.
    :param side: Input side of the classifier [px].
    """
    matrix = _by_landmarks(detection.landmarks, detection.box) if detection.landmarks is not None else None
    if matrix is None:
        matrix = _by_box(detection.box, CROP_BOXES[detector])
    size_px = 1 / float(np.hypot(matrix[0, 0], matrix[1, 0]))
    # A warp alone would skip pixels of a large face: cut it finer by a whole factor, and let the classifier's
    # preprocessing average.
    side *= int(np.clip(np.ceil(size_px / side), 1, MAX_OVERSAMPLING))
    # cv2 puts pixel centres at whole numbers; the crop's corners are the corners of its outer pixels.
    matrix = matrix * side
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    pixels = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Crop(pixels, size_px)


def _by_landmarks(landmarks: np.ndarray, box: Box) -> np.ndarray | None:
    """Map landmarks to CANONICAL; None when they are so close together that they must be wrong."""
    spread = float(np.ptp(landmarks, axis=0).max())
    if not np.isfinite(landmarks).all() or spread < 0.1 * max(box[2:]):
        return None
    return similarity(landmarks, CANONICAL)


def _by_box(box: Box, boxes: float) -> np.ndarray:
    side = boxes * float(np.sqrt(box[2] * box[3]))
    left, top = box[0] + box[2] / 2 - side / 2, box[1] + box[3] / 2 - side / 2
    return np.array([[1 / side, 0, -left / side], [0, 1 / side, -top / side]])

"""How much the mouth of a face moves from frame to frame, more than the rest of the face does: a sign of speech."""

from collections.abc import Iterable

import cv2
import numpy as np

from emotion_core.stamps import NS_PER_S

SIDE_PX = 48  # faces are compared at this one size, so that near and far ones move alike
BLUR_PX = 0.75  # standard deviation; the noise of a camera is finer than a lip that moves
# Parts of the aligned crop (alignment.CANONICAL has the corners of the mouth at 0.353, 0.647 across and 0.761 down):
# rows and columns in its sides.
MOUTH = (0.62, 0.94), (0.26, 0.74)
UPPER = (0.12, 0.62), (0.12, 0.88)  # from the brow to the tip of the nose, which speech hardly moves
ALIGN = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 8, 1e-3)
REST = 0.02  # what the upper face counts at least, so that a still picture divides by no zero
LONGEST_GAP_S = 0.5  # frames further apart tell nothing about how fast a mouth moves


def mouth_motion(before: np.ndarray, now: np.ndarray) -> float:
    """
    Give how much a mouth moved between two frames, in multiples of how much the upper face did.

    The frames are laid on each other by the upper face (Evangelidis and Psarakis 2008, 'Parametric image alignment
    using enhanced correlation coefficient maximization'), so that the head's motion and the jitter of the landmarks
    cancel; what then still differs at the mouth is its own (Everingham, Sivic and Zisserman 2006, '"Hello! My name
    is... Buffy"', take the same difference after a search by translation). Each part is brought to mean 0 and standard
    deviation 1 first: light and contrast cancel. Blur and noise are in both parts, and cancel by the division.

    :param before: Aligned face as ``face_of`` gives it.
    :param now: The same face in the next frame.
    :return: At least 0, without a unit: about 1 for a face that is still, 1 to 10 for one that speaks; 0 when the
        frames are the same, or cannot be laid on each other.
    """
    rows, columns = (_part(span) for span in UPPER)
    move = np.eye(2, 3, dtype=np.float32)
    try:
        _, move = cv2.findTransformECC(
            before[rows, columns], now[rows, columns], move, cv2.MOTION_AFFINE, ALIGN, None, 1
        )
    except cv2.error:  # nothing to hold on to: a blank face, or quite another one
        return 0.0
    # From the upper part's own corner to that of the crop.
    corner = np.array([columns.start, rows.start])
    move[:, 2] += corner - move[:, :2] @ corner
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    now = cv2.warpAffine(now, move, now.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return _difference(before, now, MOUTH) / (_difference(before, now, UPPER) + REST)


def face_of(gray: np.ndarray) -> np.ndarray:
    """
    Bring a face to what ``mouth_motion`` compares.

    :param gray: Aligned crop, uint8 of shape (height, width), any size.
    :return: float32 of shape (SIDE_PX, SIDE_PX).
    """
    shrinks = gray.shape[0] > SIDE_PX
    face = cv2.resize(gray, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return cv2.GaussianBlur(face.astype(np.float32), (0, 0), BLUR_PX)


class Mouths:
    """Remembers each face as it was in the frame before."""

    def __init__(self) -> None:
        """Know nobody."""
        self._before: dict[str, tuple[int, np.ndarray]] = {}

    def reset(self) -> None:
        """Forget all faces."""
        self._before.clear()

    def update(self, faces: Iterable[tuple[str, np.ndarray]], stamp_ns: int) -> dict[str, float]:
        """
        Take the faces that were found in a frame, and give how much the mouth of each moved since the one before.

        :param faces: Their ids and aligned crops, uint8 of shape (height, width).
        :param stamp_ns: Time of the frame.
        :return: By id, see ``mouth_motion``; 0 for a face that was not found within LONGEST_GAP_S before.
        """
        oldest_ns = stamp_ns - LONGEST_GAP_S * NS_PER_S
        before = {name: seen for name, seen in self._before.items() if seen[0] >= oldest_ns}
        now = {name: (stamp_ns, face_of(gray)) for name, gray in faces}
        self._before = before | now
        return {name: mouth_motion(before[name][1], face) if name in before else 0.0 for name, (_, face) in now.items()}


def _part(span: tuple[float, float]) -> slice:
    return slice(round(span[0] * SIDE_PX), round(span[1] * SIDE_PX))


def _difference(before: np.ndarray, now: np.ndarray, part: tuple[tuple[float, float], tuple[float, float]]) -> float:
    """Give the root mean square difference of two standardised parts, in [0, 2]; 0 where one is blank."""
    rows, columns = (_part(span) for span in part)
    a, b = (image[rows, columns] - image[rows, columns].mean() for image in (before, now))
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.sqrt(max(2 - 2 * float((a * b).sum()) / scale, 0.0))) if scale > 0 else 0.0

"""Quality terms of a face: what says, before any label is known, how far its emotion can be trusted."""

import cv2
import numpy as np

SIDE_PX = 48  # terms are measured at this one size, so that near and far faces compare
BLUR_PX = 9  # width of the reference blur, as in Crété et al. 2007, 'The blur effect'
DARK, BRIGHT = 5, 250  # gray levels beyond which a pixel holds no detail
SOBEL_GAIN = 8  # of the 3x3 Sobel filter on a slope of 1
FLAT_SLOPE = 0.03  # standard deviations of the crop a pixel
MAD_TO_SIGMA = 1 / 0.6745  # median absolute deviation to standard deviation of a normal distribution

# What a low and a high value of a term means in words; see ``Reliability.reason``.
PHRASES = {
    'sharpness': ('blurred, {size_px:.0f} px', ''),  # far away or out of focus: the size tells
    'brightness': ('dark', 'bright'),
    'contrast': ('pale', ''),
    'clipped': ('', 'badly exposed'),
    'flat': ('', 'covered'),
    'noise': ('', 'noisy'),
    'symmetry': ('turned or lit from one side', ''),
}

# Landmark rows, as YuNet gives them; right and left are the subject's.
RIGHT_EYE, LEFT_EYE, NOSE, RIGHT_MOUTH, LEFT_MOUTH = range(5)


def crop_quality(gray: np.ndarray, size_px: float) -> dict[str, float]:
    """
    Measure what the pixels of an aligned face crop tell; all terms are in [0, 1].

    ==========  =====================================================================================================
    resolution  pixels that the frame has for the crop, relative to 48 a side; more than that counts as 1
    sharpness   how much of the detail a reference blur would take away; independent of contrast
    brightness  mean gray level: 0 black, 1 white
    contrast    span between the 5th and the 95th percentile of the gray levels
    clipped     share of pixels that are black or white
    flat        share of pixels without detail around them: a mask, a hand, deep shadow, a background
    noise       standard deviation of the finest diagonal detail, relative to that of the crop
    symmetry    correlation with the mirrored crop; a turned, half covered or side-lit face has little
    ==========  =====================================================================================================

    :param gray: uint8 of shape (height, width), any size.
    :param size_px: Side of the crop in pixels of the frame that it was cut from; 48 for a FER2013 image as it is.
    """
    shrinking = gray.shape[0] > SIDE_PX
    if gray.shape != (SIDE_PX, SIDE_PX):
        gray = cv2.resize(gray, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    levels = np.bincount(gray.ravel(), minlength=256).cumsum() / gray.size
    low, high = np.searchsorted(levels, (0.05, 0.95))
    pixels = gray.astype(np.float32)
    mean, spread = float(pixels.mean()), float(pixels.std())
    return {
        'resolution': float(np.clip(size_px / SIDE_PX, 0, 1)),
        'sharpness': _sharpness(pixels),
        'brightness': mean / 255,
        'contrast': float(high - low) / 255,
        'clipped': float(levels[DARK] + 1 - levels[BRIGHT - 1]),
        'flat': _flat(pixels, spread),
        'noise': _noise(pixels, spread),
        'symmetry': _symmetry(pixels - mean, spread),
    }


def face_quality(
    gray: np.ndarray,
    size_px: float,
    box: tuple[float, float, float, float],
    frame_size: tuple[int, int],
    detection_score: float,
    landmarks: np.ndarray | None = None,
) -> dict[str, float]:
    """
    Add to ``crop_quality`` what detection and landmarks tell.

    ===============  ================================================================================================
    size_px          side of the crop in pixels of the frame
    detection_score  the detector's confidence, [0, 1]
    inside           share of the box that is inside the frame, [0, 1]
    yaw              nose off the middle of the eyes, in eye distances: 0 frontal, 0.5 and more a profile, at most 1
    pitch            nose off its usual height between eyes and mouth, in eye-to-mouth heights, at most 1
    roll_deg         tilt of the line through the eyes, [0, 90]
    ===============  ================================================================================================

    :param gray: Aligned crop, uint8 of shape (height, width).
    :param size_px: Side of the crop in pixels of the frame.
    :param box: x, y, width, height in pixels of the frame; may reach beyond it.
    :param frame_size: Width and height of the frame [px].
    :param landmarks: (5, 2) in pixels of the frame, or None: then there are no pose terms.
    """
    x, y, width, height = box
    seen_width = max(0.0, min(x + width, frame_size[0]) - max(x, 0))
    seen_height = max(0.0, min(y + height, frame_size[1]) - max(y, 0))
    terms = crop_quality(gray, size_px) | {
        'size_px': float(size_px),
        'detection_score': float(detection_score),
        'inside': seen_width * seen_height / max(width * height, 1e-6),
    }
    if landmarks is not None:
        terms |= pose(landmarks)
    return terms


def pose(landmarks: np.ndarray) -> dict[str, float]:
    """Give the pose terms ``yaw``, ``pitch`` and ``roll_deg`` of (5, 2) landmarks; see ``face_quality``."""
    points = np.asarray(landmarks, np.float64)
    across = points[LEFT_EYE] - points[RIGHT_EYE]
    eyes = (points[LEFT_EYE] + points[RIGHT_EYE]) / 2
    down = (points[LEFT_MOUTH] + points[RIGHT_MOUTH]) / 2 - eyes
    nose = points[NOSE] - eyes
    # Along and across the face's own axis, so that a tilted head is not taken for a turned one.
    eye_distance, height = float(np.hypot(*across)), float(np.hypot(*down))
    cross = float(down[0] * nose[1] - down[1] * nose[0])
    along = float(nose @ down) / max(height**2, 1e-6)
    return {
        'yaw': min(1.0, abs(cross) / max(height * eye_distance, 1e-6)),
        'pitch': min(1.0, abs(along - NOSE_HEIGHT)),
        'roll_deg': float(np.degrees(np.arctan2(abs(across[1]), abs(across[0])))),
    }


# Where the nose tip lies on the way from the eyes (0) to the mouth (1) of the average face: see alignment.CANONICAL.
NOSE_HEIGHT = 0.556


def _sharpness(pixels: np.ndarray) -> float:
    """Blur effect of Crété et al. 2007, reversed: 0 no detail is left to lose, 1 all of it would go."""
    sharpness = 1.0
    for axis, kernel in ((0, (1, BLUR_PX)), (1, (BLUR_PX, 1))):
        variation = np.abs(np.diff(pixels, axis=axis))
        blurred = np.abs(np.diff(cv2.blur(pixels, kernel), axis=axis))
        total = float(variation.sum())
        lost = float(np.maximum(variation - blurred, 0).sum())
        sharpness = min(sharpness, lost / total if total > 0 else 0.0)
    return sharpness


def _flat(pixels: np.ndarray, spread: float) -> float:
    smooth = cv2.GaussianBlur(pixels, (0, 0), 1)  # else noise would pass for detail
    slope = sum(np.abs(cv2.Sobel(smooth, cv2.CV_32F, *axis, scale=1 / SOBEL_GAIN)) for axis in ((1, 0), (0, 1)))
    return float((slope < FLAT_SLOPE * spread).mean()) if spread > 0 else 1.0


def _noise(pixels: np.ndarray, spread: float) -> float:
    """Noise by the median of the diagonal Haar wavelet (Donoho and Johnstone 1994), relative to the spread."""
    diagonal = (pixels[::2, ::2] - pixels[1::2, ::2] - pixels[::2, 1::2] + pixels[1::2, 1::2]) / 2
    sigma = float(np.median(np.abs(diagonal))) * MAD_TO_SIGMA
    return min(1.0, sigma / spread) if spread > 0 else 0.0


def _symmetry(centred: np.ndarray, spread: float) -> float:
    if spread == 0:
        return 0.0
    return max(0.0, float((centred * centred[:, ::-1]).mean()) / spread**2)

"""Random changes to a training face that the world makes: place in the crop, light, optics, sensor, cover."""

import cv2
import numpy as np


def augment(face: np.ndarray, rng: np.random.Generator, size: int | None = None, strength: float = 1.0) -> np.ndarray:
    """
    Change a gray face at random.

    :param face: uint8 of shape (n, n).
    :param size: Side of the result [px]; n by default.
    :param strength: In [0, 1]; how far it is moved, and how often it is changed in another way.
    :return: uint8 of shape (size, size).
    """
    face = _frame(face, rng, size or len(face), strength)
    if rng.random() < 0.6 * strength:
        face = _light(face, rng)
    if rng.random() < 0.4 * strength:
        face = (_blur, _shrink, _noise)[rng.integers(3)](face, rng)
    if rng.random() < 0.25 * strength:
        face = _cover(face, rng)
    return face


def _frame(face: np.ndarray, rng: np.random.Generator, result: int, strength: float) -> np.ndarray:
    """Flip, turn, scale, shift and resize: the crop of a detector is never exact."""
    size = len(face)
    angle, scale = strength * rng.uniform(-15, 15), rng.uniform(0.85, 1.2) ** strength
    matrix = cv2.getRotationMatrix2D((size / 2 - 0.5, size / 2 - 0.5), angle, scale)
    matrix[:, 2] += strength * rng.uniform(-0.08, 0.08, 2) * size
    matrix[0] *= rng.uniform(0.93, 1.07) ** strength  # faces are wider or narrower than the corpus's
    if rng.random() < 0.5:
        matrix[0] = -matrix[0]
        matrix[0, 2] += size - 1
    matrix *= result / size
    matrix[:, 2] += (result / size - 1) / 2  # pixel centres stay pixel centres
    return cv2.warpAffine(face, matrix, (result, result), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _light(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change gamma, contrast and brightness."""
    values = np.linspace(0, 1, 256) ** np.exp(rng.uniform(-0.6, 0.6))
    values = (values - 0.5) * rng.uniform(0.6, 1.4) + 0.5 + rng.uniform(-0.2, 0.2)
    return cv2.LUT(face, np.clip(values * 255, 0, 255).astype(np.uint8))


def _blur(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(face, (0, 0), rng.uniform(0.4, 1.6))


def _shrink(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lose the detail that a far face does not have."""
    small = cv2.resize(face, (rng.integers(16, 40),) * 2, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, face.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _noise(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noisy = face + rng.normal(0, rng.uniform(3, 18), face.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _cover(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put a plain patch over up to about a sixth of the face (random erasing)."""
    size = len(face)
    height, width = rng.integers(size // 8, int(size * 0.42), 2)
    top, left = rng.integers(0, size - height), rng.integers(0, size - width)
    face = face.copy()
    face[top : top + height, left : left + width] = rng.integers(256)
    return face

"""From aligned face crops to the input of a FER model; training and the node share it."""

from collections.abc import Sequence

import cv2
import numpy as np

from emotion_core.model_card import ImageInput

CONVERSIONS = {
    ('gray', 3): cv2.COLOR_BGR2GRAY,
    ('rgb', 2): cv2.COLOR_GRAY2RGB,
    ('rgb', 3): cv2.COLOR_BGR2RGB,
    ('bgr', 2): cv2.COLOR_GRAY2BGR,
}  # by the color of the input, and the dimensions of a crop; others are as they are


def to_batch(crops: Sequence[np.ndarray], spec: ImageInput) -> np.ndarray:
    """
    Resize and normalise face crops as the model card says.

    :param crops: uint8 images, each (height, width) gray or (height, width, 3) BGR, of any size.
    :return: float32 of shape (faces, channels, height, width).
    """
    batch = np.empty((len(crops), len(spec.mean), spec.height, spec.width), np.float32)
    for target, crop in zip(batch, crops):
        if (spec.color, crop.ndim) in CONVERSIONS:
            crop = cv2.cvtColor(crop, CONVERSIONS[spec.color, crop.ndim])
        interpolation = cv2.INTER_AREA if crop.shape[0] > spec.height else cv2.INTER_LINEAR
        crop = cv2.resize(crop, (spec.width, spec.height), interpolation=interpolation)
        target[:] = np.moveaxis(crop.reshape(spec.height, spec.width, -1), -1, 0) / np.float32(255)
    mean = np.asarray(spec.mean, np.float32).reshape(-1, 1, 1)
    std = np.asarray(spec.std, np.float32).reshape(-1, 1, 1)
    return (batch - mean) / std

"""Pixels of an image message to BGR, for every encoding that camera drivers send."""

from pathlib import Path

import cv2
import numpy as np

from emotion_core.errors import InputError

SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')  # of files with pictures
# encoding -> (bytes per pixel and channel, channels, OpenCV conversion to BGR or None)
# OpenCV names a Bayer pattern by its second row and column, ROS by its first: 'rggb' is OpenCV's BayerBG.
_ENCODINGS = {
    'bgr8': (1, 3, None),
    '8uc3': (1, 3, None),
    'rgb8': (1, 3, cv2.COLOR_RGB2BGR),
    'bgra8': (1, 4, cv2.COLOR_BGRA2BGR),
    'rgba8': (1, 4, cv2.COLOR_RGBA2BGR),
    'mono8': (1, 1, cv2.COLOR_GRAY2BGR),
    '8uc1': (1, 1, cv2.COLOR_GRAY2BGR),
    'mono16': (2, 1, cv2.COLOR_GRAY2BGR),
    '16uc1': (2, 1, cv2.COLOR_GRAY2BGR),
    'bgr16': (2, 3, None),
    'rgb16': (2, 3, cv2.COLOR_RGB2BGR),
    'yuv422_yuy2': (1, 2, cv2.COLOR_YUV2BGR_YUY2),
    'yuyv': (1, 2, cv2.COLOR_YUV2BGR_YUY2),
    'yuv422': (1, 2, cv2.COLOR_YUV2BGR_UYVY),
    'uyvy': (1, 2, cv2.COLOR_YUV2BGR_UYVY),
    'bayer_rggb8': (1, 1, cv2.COLOR_BayerBG2BGR),
    'bayer_bggr8': (1, 1, cv2.COLOR_BayerRG2BGR),
    'bayer_gbrg8': (1, 1, cv2.COLOR_BayerGR2BGR),
    'bayer_grbg8': (1, 1, cv2.COLOR_BayerGB2BGR),
    'bayer_rggb16': (2, 1, cv2.COLOR_BayerBG2BGR),
    'bayer_bggr16': (2, 1, cv2.COLOR_BayerRG2BGR),
    'bayer_gbrg16': (2, 1, cv2.COLOR_BayerGR2BGR),
    'bayer_grbg16': (2, 1, cv2.COLOR_BayerGB2BGR),
}
ENCODINGS = tuple(_ENCODINGS)


def decode(data: bytes, width: int, height: int, encoding: str, step: int = 0, big_endian: bool = False) -> np.ndarray:
    """
    Decode a raw image.

    :param data: The message's bytes; not copied where the encoding allows.
    :param width: [px].
    :param height: [px].
    :param encoding: One of ENCODINGS, in any case.
    :param step: Bytes per row with padding; 0: no padding.
    :param big_endian: Byte order of 16-bit encodings.
    :return: uint8 of shape (height, width, 3), BGR; possibly a read-only view of ``data``.
    :raises InputError: when encoding, size or amount of data do not fit.
    """
    if encoding.lower() not in _ENCODINGS:
        raise InputError(
            'wrong encoding', f"image encoding '{encoding}' is not supported; use one of {', '.join(ENCODINGS)}"
        )
    if width <= 0 or height <= 0:
        raise InputError('empty image', f'the image is {width}x{height} px: it has no pixels')
    depth, channels, conversion = _ENCODINGS[encoding.lower()]
    row = width * channels * depth
    step = step or row
    buffer = np.frombuffer(data, np.uint8)
    # The last row needs no padding; some drivers leave it out.
    needed = step * (height - 1) + row
    if step < row or len(buffer) < needed:
        raise InputError(
            'truncated image',
            f'a {width}x{height} {encoding} image with step {step} needs {max(needed, row * height)} '
            f'bytes, {len(buffer)} came',
        )
    pixels = np.lib.stride_tricks.as_strided(buffer, (height, row), (step, 1))
    if depth == 2:
        # The high byte alone: 8 bits are what detector and classifier see.
        pixels = pixels[:, 0 if big_endian else 1 :: 2]
    image = pixels.reshape(height, width, channels) if channels > 1 else pixels
    if encoding.lower() in ('yuv422_yuy2', 'yuyv', 'yuv422', 'uyvy') and width % 2:
        raise InputError('odd width', f'a {encoding} image must have an even width, not {width} px')
    return image if conversion is None else cv2.cvtColor(np.ascontiguousarray(image), conversion)


def read(path: Path, flags: int = cv2.IMREAD_COLOR) -> np.ndarray | None:
    """
    Read a picture file.

    :param flags: As ``cv2.imread`` takes them.
    :return: uint8 as ``cv2.imread`` gives it; None for a file that is none, is damaged, or is larger than OpenCV takes.
    """
    try:
        return cv2.imread(str(path), flags)
    except cv2.error:
        return None


def decode_compressed(data: bytes) -> np.ndarray:
    """
    Decode a JPEG or PNG file.

    :return: uint8 of shape (height, width, 3), BGR.
    :raises InputError: when it is neither, or damaged.
    """
    buffer = np.frombuffer(data, np.uint8)
    try:
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR) if len(buffer) else None
    except cv2.error:  # it says that it is larger than any picture may be
        image = None
    if image is None:
        raise InputError(
            'damaged image', f'{len(buffer)} bytes of compressed image could not be decoded: JPEG or PNG is needed'
        )
    return image

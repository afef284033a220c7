"""Pictures for browsers: JPEG files of a bounded size with the faces that are in them; no ROS."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from emotion_core.images import decode_compressed

JPEG_START = b'\xff\xd8'


@dataclass(frozen=True)
class Frame:
    """One frame with its faces; ``pixels`` does the slow part, whenever somebody wants to see it."""

    pixels: Callable[[], np.ndarray | bytes]  # BGR of shape (height, width, 3), or a JPEG or PNG file
    faces: list[dict[str, Any]]  # see ``web.messages.faces``

    def encode(self, largest_width: int, quality: int) -> bytes:
        """
        Give what is sent to a browser: length of a JSON header (4 bytes, big endian), the header, a JPEG file.

        :param largest_width: Wider frames are made smaller [px].
        :param quality: Of the JPEG file, [1, 100].
        :raises InputError: when the frame cannot be decoded.
        """
        pixels = self.pixels()
        image = decode_compressed(pixels) if isinstance(pixels, bytes) else pixels
        height, width = image.shape[:2]
        if isinstance(pixels, bytes) and pixels.startswith(JPEG_START) and width <= largest_width:
            jpeg = pixels
        else:
            if width > largest_width:
                size = largest_width, max(round(height * largest_width / width), 1)
                image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            jpeg = cv2.imencode('.jpg', image, (cv2.IMWRITE_JPEG_QUALITY, quality))[1].tobytes()
        header = json.dumps({'width': width, 'height': height, 'faces': self.faces}).encode()
        return struct.pack('>I', len(header)) + header + jpeg

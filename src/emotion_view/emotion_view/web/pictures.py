"""Pictures for browsers: which faces belong to which frame, and JPEG files of a bounded size; no ROS."""

import json
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from emotion_core.images import decode_compressed
from emotion_core.stamps import NS_PER_S

JPEG_START = b'\xff\xd8'
PENDING_NS = NS_PER_S  # how long a frame waits for its faces, before it is shown without
PENDING_FRAMES = 40  # and how many may


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


class Pairing:
    """Pairs frames with the faces that were found in them, by stamp."""

    def __init__(self):
        """Begin with nothing."""
        self._pending: OrderedDict[int, Any] = OrderedDict()

    def clear(self) -> None:
        """Forget the frames that wait."""
        self._pending.clear()

    def add(self, stamp_ns: int, frame: Any) -> Iterator[Any]:
        """Let a frame wait for its faces; gives those that have waited too long."""
        self._pending[stamp_ns] = frame
        while len(self._pending) > PENDING_FRAMES or next(iter(self._pending)) < stamp_ns - PENDING_NS:
            yield self._pending.popitem(last=False)[1]

    def pop(self, stamp_ns: int) -> Any:
        """Give the frame with this stamp, or None; earlier ones are forgotten."""
        frame = self._pending.pop(stamp_ns, None)
        if frame is not None:
            self._pending = OrderedDict((ns, waiting) for ns, waiting in self._pending.items() if ns > stamp_ns)
        return frame

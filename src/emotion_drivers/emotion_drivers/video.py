"""Sources of images: video files, folders of images, streams and cameras."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from emotion_core import images
from emotion_core.errors import DeviceError
from emotion_core.images import SUFFIXES
from emotion_core.stamps import NS_PER_S
from emotion_drivers.media import Media, is_url
from emotion_drivers.player import Frame
from emotion_drivers.timeline import PlayClock

FOLDER_RATE_HZ = 30.0  # as a camera
SLOT_TOLERANCE_NS = NS_PER_S // 1000  # containers round positions to as much as 1 ms
CREDIT = 2  # periods by which frames of a stream may come early: networks deliver in bursts
LONGEST_AGE_S = 1.0  # of a frame that a camera gives; a larger difference means that its clock is another
RAW_PIXELS = 640 * 480  # more do not fit USB 2 uncompressed at 30 Hz


def fit(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """
    Scale an image, keeping its proportions, with a black border where they differ.

    :param width: Wanted width [px]; 0: as height demands, or unchanged when both are 0.
    :param height: Wanted height [px], likewise.
    """
    own_height, own_width = image.shape[:2]
    width = width or (round(own_width * height / own_height) if height else own_width)
    height = height or round(own_height * width / own_width)
    if (own_width, own_height) == (width, height):
        return image
    scale = min(width / own_width, height / own_height)
    inner = max(round(own_width * scale), 1), max(round(own_height * scale), 1)
    image = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    return cv2.copyMakeBorder(image, top, height - inner[1] - top, left, width - inner[0] - left, cv2.BORDER_CONSTANT)


class _Thinner:
    """Keeps at most ``rate_hz`` of the positions it is asked about; 0 keeps all."""

    def __init__(self, rate_hz: float):
        self._rate_hz = rate_hz
        self._slot = None

    def __call__(self, position_ns: int) -> bool:
        slot = int((position_ns + SLOT_TOLERANCE_NS) * self._rate_hz // NS_PER_S)
        if self._rate_hz and slot == self._slot:
            return False
        self._slot = slot
        return True


class _Pacer:
    """Keeps at most ``rate_hz`` of the frames that arrive, and loses none of such a stream to jitter; 0 keeps all."""

    def __init__(self, rate_hz: float):
        self._period_ns = round(NS_PER_S / rate_hz) if rate_hz else 0
        self._due_ns = 0

    def __call__(self, stamp_ns: int) -> bool:
        latest_ns = stamp_ns + CREDIT * self._period_ns
        if latest_ns < self._due_ns <= latest_ns + self._period_ns:  # beyond that the clock was set back
            return False
        self._due_ns = min(max(self._due_ns, stamp_ns), latest_ns) + self._period_ns
        return True


def _to_bgr(frame: Any) -> np.ndarray:
    # A telephone held upright says so beside the pixels; PyAV tells from version 14 on.
    quarter_turns = round(getattr(frame, 'rotation', 0) / 90) % 4
    image = frame.to_ndarray(format='bgr24')
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image


class VideoFile:
    """The video of a file."""

    def __init__(self, path: str, width: int = 0, height: int = 0, frame_rate: float = 0.0):
        """
        Open a file.

        :param width: See ``fit``.
        :param height: See ``fit``.
        :param frame_rate: Most frames per second that are taken [Hz]; 0: all.
        :raises DeviceError: when it cannot be opened, has no video or no duration.
        """
        self._media = Media(path, 'video')
        self.name = path
        self.duration_ns = self._media.duration_ns
        self._size = width, height
        self._frame_rate = frame_rate
        if not self.duration_ns:
            self.close()
            raise DeviceError(f"'{path}' does not say how long it is: put it into a container such as MKV or MP4")

    def pictures(self, start_ns: int) -> Iterator[tuple[int, Callable[[], np.ndarray]]]:
        """Give position and decoder of each picture from ``start_ns`` on."""
        wanted = _Thinner(self._frame_rate)
        for position_ns, frame in self._media.decode(start_ns):
            if position_ns >= start_ns and wanted(position_ns):
                yield position_ns, lambda frame=frame: fit(_to_bgr(frame), *self._size)

    def close(self) -> None:
        """Let go of the file."""
        self._media.close()


class ImageFolder:
    """The images of a folder in the order of their names, or one image, each shown for a while."""

    def __init__(self, path: str, seconds_per_image: float, width: int = 0, height: int = 0, frame_rate: float = 0.0):
        """
        List the images.

        :param frame_rate: Frames per second [Hz]; 0: 30.
        :raises DeviceError: when there are none.
        """
        folder = Path(path)
        found = folder.iterdir() if folder.is_dir() else [folder]
        self._paths = sorted(item for item in found if item.suffix.lower() in SUFFIXES and item.is_file())
        if not self._paths:
            raise DeviceError(f"the folder '{path}' has no images ({', '.join(SUFFIXES)})")
        self.name = path
        self._size = width, height
        self._rate_hz = frame_rate or FOLDER_RATE_HZ
        self._hold_ns = round(seconds_per_image * NS_PER_S)
        self.duration_ns = self._hold_ns * len(self._paths)
        self._shown: tuple[Path, np.ndarray] | None = None

    def pictures(self, start_ns: int) -> Iterator[tuple[int, Callable[[], np.ndarray]]]:
        """Give position and decoder of each picture from ``start_ns`` on."""
        index = max(int(start_ns * self._rate_hz / NS_PER_S) - 1, 0)
        while (position_ns := round(index * NS_PER_S / self._rate_hz)) < self.duration_ns:
            if position_ns >= start_ns:
                yield position_ns, lambda path=self._paths[position_ns // self._hold_ns]: self._load(path)
            index += 1

    def _load(self, path: Path) -> np.ndarray:
        if self._shown is None or self._shown[0] != path:
            image = images.read(path)
            if image is None:
                raise DeviceError(f"'{path}' is not an image that can be read: mend or remove it")
            self._shown = path, fit(image, *self._size)
        return self._shown[1]

    def close(self) -> None:
        """Let go of the images."""
        self._shown = None


class VideoStream:
    """A stream from the network."""

    def __init__(self, url: str, width: int = 0, height: int = 0, frame_rate: float = 0.0):
        """
        Connect.

        :raises DeviceError: when nothing answers, or it has no video.
        """
        self._media = Media(url, 'video')
        self.name = url
        self._size = width, height
        self._frame_rate = frame_rate

    def capture(self, clock: PlayClock) -> Iterator[Frame]:
        """Give frames as they come, stamped with their arrival: the sender's clock is not known."""
        wanted = _Pacer(self._frame_rate)
        for _, frame in self._media.decode(seek=False):
            stamp_ns = clock.now_ns()
            if wanted(stamp_ns):
                yield Frame(stamp_ns, fit(_to_bgr(frame), *self._size))
            if clock.stopped:
                return
        raise DeviceError(f"the stream '{self.name}' has ended")

    def close(self) -> None:
        """Hang up."""
        self._media.close()


class Camera:
    """A camera of this machine (Video4Linux)."""

    def __init__(self, source: str, width: int = 0, height: int = 0, frame_rate: float = 0.0):
        """
        Open a camera by index or device path; size and rate are wishes that the camera may not grant.

        :raises DeviceError: when it is not there, or does not open.
        """
        self.name = f'/dev/video{source}' if source.isdecimal() else source
        if not Path(self.name).exists():
            raise DeviceError(f'there is no camera {self.name}: plug it in, or choose another')
        path = str(Path(self.name).resolve())  # of a link such as /dev/v4l/by-id/…
        self._capture = cv2.VideoCapture(path, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            raise DeviceError(
                f'camera {self.name} does not open: another program may use it, or you may not be '
                'allowed to (`sudo usermod -aG video $USER`, and log in again)'
            )
        if width * height > RAW_PIXELS:
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*'MJPG'))
        for wish, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, frame_rate),
        ):
            if value:
                self._capture.set(wish, value)

    def capture(self, clock: PlayClock) -> Iterator[Frame]:
        """Give frames stamped with when they were taken."""
        while not clock.stopped:
            if not self._capture.grab():
                raise DeviceError(f'camera {self.name} gives no more images: is it unplugged?')
            now_ns, age_s = clock.now_ns(), self._age_s()
            taken, image = self._capture.retrieve()
            if taken:
                yield Frame(now_ns - int(age_s * NS_PER_S), image)

    def _age_s(self) -> float:
        """Give how long ago the grabbed frame was taken [s]; 0 where the driver does not tell."""
        # V4L2 stamps buffers on the monotonic clock.
        age_s = time.monotonic() - self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        return age_s if 0 < age_s < LONGEST_AGE_S else 0.0

    def close(self) -> None:
        """Let go of the camera."""
        self._capture.release()


def open_video(
    source: str, *, seconds_per_image: float = 2.0, **wishes: Any
) -> VideoFile | ImageFolder | VideoStream | Camera:
    """
    Open whatever a source names.

    :param source: Camera index, device path, video file, image, folder of images, or URL.
    :param wishes: ``width``, ``height`` and ``frame_rate``, see ``fit`` and the classes.
    :raises DeviceError: with a sentence that says what to do.
    """
    if is_url(source):
        return VideoStream(source, **wishes)
    if source.isdecimal() or source.startswith('/dev/'):
        return Camera(source, **wishes)
    path = Path(source).expanduser()
    if not path.exists():
        raise DeviceError(f"there is no file or folder '{source}'")
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        return ImageFolder(str(path), seconds_per_image, **wishes)
    return VideoFile(str(path), **wishes)

"""What video and the audio of a video file share: opening a container with PyAV, and its time line."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from emotion_core.errors import DeviceError
from emotion_core.stamps import NS_PER_S

TIMEOUTS_S = (5.0, 3.0)  # to open a stream, and between two packets
SEEK_BACK_NS = (0, 15 * NS_PER_S)  # where the first lands too late, the second does not in most files
NS_PER_AV_TIME = 1000  # FFmpeg counts the duration of a container in microseconds


def is_url(source: str) -> bool:
    """Whether a source is a stream's URL."""
    return '://' in source


@contextmanager
def media_errors(name: str) -> Iterator[None]:
    """Turn what PyAV raises into a DeviceError that names the file or stream."""
    try:
        import av
    except ImportError as error:
        raise DeviceError(f"'{name}' needs PyAV: `pip install av`") from error
    try:
        yield
    except (av.error.FFmpegError, ValueError) as error:  # ValueError: PyAV itself refuses the file
        reason = getattr(error, 'strerror', None) or str(error)
        raise DeviceError(f"cannot read '{name}': {reason}") from error


class Media:
    """An open container with one stream of it, seekable to a position on the container's time line."""

    def __init__(self, name: str, kind: str):
        """
        Open a file or stream.

        :param name: Path or URL.
        :param kind: 'video' or 'audio'.
        :raises DeviceError: when it cannot be opened or has no such stream.
        """
        self.name = name
        self._kind = kind
        self._open()
        # Negative is what a codec needs to settle, and not to be seen or heard.
        self.origin_ns = max(self.container.start_time or 0, 0) * NS_PER_AV_TIME

    def _open(self) -> None:
        with media_errors(self.name):
            import av

            options = {'rtsp_transport': 'tcp'} if is_url(self.name) else {}
            self.container = av.open(self.name, options=options, timeout=TIMEOUTS_S if is_url(self.name) else None)
        streams = getattr(self.container.streams, self._kind)
        if not streams:
            self.close()
            raise DeviceError(f"'{self.name}' has no {self._kind}")
        self.stream = streams[0]

    @property
    def duration_ns(self) -> int:
        """Duration of the longest stream [ns], the same for the audio and the video of a file; 0 when it has no end."""
        return (self.container.duration or 0) * NS_PER_AV_TIME

    def decode(self, start_ns: int = 0, seek: bool = True) -> Iterator[tuple[int, Any]]:
        """
        Give position [ns] and frame, from a little before ``start_ns`` on.

        :param seek: False for a live stream: every frame as it comes, with position 0, since raw ones have none.

        :raises DeviceError: where the file is damaged or the stream has gone.
        """
        with media_errors(self.name):
            if not seek:
                yield from ((0, frame) for frame in self.container.decode(self.stream))
                return
            for back_ns in SEEK_BACK_NS:
                at_ns = max(start_ns - back_ns, 0) + self.origin_ns
                self.container.seek(math.floor(at_ns / (NS_PER_S * self.stream.time_base)), stream=self.stream)
                frames = self._frames()
                first = next(frames, None)
                if first is not None and not self._skips(start_ns, first[0]):
                    yield first
                    break
            else:  # some containers do not find where decoding must begin: from the very beginning then
                self.close()
                self._open()
                frames = self._frames()
            yield from frames

    def _skips(self, start_ns: int, first_ns: int) -> bool:
        """Tell whether a frame from ``start_ns`` on is missing before the first one."""
        rate = getattr(self.stream, 'average_rate', None)  # sound has none
        begin_ns = (self.stream.start_time or 0) * self.stream.time_base * NS_PER_S - self.origin_ns
        return first_ns - max(start_ns, begin_ns) >= (NS_PER_S / rate if rate else NS_PER_S)

    def _frames(self) -> Iterator[tuple[int, Any]]:
        tick = self.stream.time_base
        for frame in self.container.decode(self.stream):
            if frame.pts is not None:
                yield frame.pts * tick.numerator * NS_PER_S // tick.denominator - self.origin_ns, frame

    def close(self) -> None:
        """Let go of the file."""
        self.container.close()

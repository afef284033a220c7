"""Sources of sound: sound files, the sound of video files, folders of sound files, and microphones."""

import math
import queue
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from emotion_core.errors import DeviceError
from emotion_core.stamps import NS_PER_S
from emotion_drivers.devices import CaptureDevice, capture_devices, silent_device
from emotion_drivers.media import Media
from emotion_drivers.player import Block
from emotion_drivers.timeline import PlayClock

SOUND_SUFFIXES = ('.aac', '.aif', '.aiff', '.flac', '.m4a', '.mp3', '.oga', '.ogg', '.opus', '.wav')
READ_SAMPLES = 4096
FULL_SCALE = 32768  # of int16
GAP_S = 0.03  # between two decoded frames; less is the container's rounding
SILENT_S = 2.0  # a device that gives nothing for this long has gone
DRIFT_GAIN = 0.02  # of the sample clock; the arrival of blocks jitters, the sound card's clock hardly


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Turn float samples in [-1, 1] into int16, clipping what is beyond."""
    return np.clip(np.rint(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def mix(samples: np.ndarray, channels: int) -> np.ndarray:
    """Turn samples of shape (samples, any) into (samples, channels): the mean for one, otherwise repeated or cut."""
    own = samples.shape[1]
    if own == channels:
        return samples
    if channels == 1:
        return samples.mean(axis=1, keepdims=True)
    return samples[:, np.arange(channels) % own]


def open_sound(path: str) -> '_SoundFile | _MediaSound':
    """Open a sound file with libsndfile, or whatever that does not know, such as a video file, with FFmpeg."""
    try:
        return _SoundFile(path)
    except DeviceError as unknown:
        try:
            return _MediaSound(path)
        except DeviceError as error:
            raise error from unknown


class _SoundFile:
    """Float samples of a file that libsndfile reads."""

    def __init__(self, path: str):
        try:
            import soundfile
        except (ImportError, OSError) as error:  # OSError: the C library is missing
            raise DeviceError(f"'{path}' needs soundfile: `pip install soundfile`") from error
        try:
            self._file = soundfile.SoundFile(path)
        except soundfile.LibsndfileError as error:
            raise DeviceError(f"cannot read '{path}': {error.error_string}") from error
        self.sample_rate = self._file.samplerate
        self.channels = self._file.channels
        self.duration_ns = self._file.frames * NS_PER_S // self.sample_rate

    def floats(self, start: int) -> Iterator[np.ndarray]:
        """Give float32 arrays (samples, channels), beginning exactly with sample ``start``."""
        if start >= self._file.frames:
            return
        self._file.seek(start)
        while len(samples := self._file.read(READ_SAMPLES, 'float32', always_2d=True)):
            yield samples

    def close(self) -> None:
        self._file.close()


class _MediaSound:
    """Float samples of a file that FFmpeg reads."""

    def __init__(self, path: str):
        self._media = Media(path, 'audio')
        context = self._media.stream.codec_context
        self.sample_rate = context.sample_rate
        self.channels = context.channels
        self.duration_ns = self._media.duration_ns

    def floats(self, start: int) -> Iterator[np.ndarray]:
        """Give float32 arrays (samples, channels), beginning with sample ``start``; gaps are filled with silence."""
        index = None
        for position_ns, frame in self._media.decode(start * NS_PER_S // self.sample_rate):
            samples = self._to_floats(frame)
            stamped = round(position_ns * self.sample_rate / NS_PER_S)
            if index is None or abs(stamped - index) > GAP_S * self.sample_rate:
                gap = stamped - (start if index is None else index)
                if gap > 0:
                    yield np.zeros((gap, self.channels), np.float32)
                index = stamped
            elif index is not None:
                stamped = index
            if stamped < start:
                samples = samples[start - stamped :]
            if len(samples):
                yield samples
            index = stamped + frame.samples

    def _to_floats(self, frame: Any) -> np.ndarray:
        samples = frame.to_ndarray()
        samples = samples.T if frame.format.is_planar else samples.reshape(-1, self.channels)
        if samples.dtype.kind == 'f':
            return samples.astype(np.float32)
        half = -float(np.iinfo(samples.dtype).min) or 128.0  # unsigned: silence is the middle
        return ((samples - (half if samples.dtype.kind == 'u' else 0.0)) / half).astype(np.float32)

    def close(self) -> None:
        self._media.close()


class SoundFile:
    """One sound file, or the sound of a video file, at the rate and with the channels that are wanted."""

    def __init__(self, path: str, sample_rate: int = 0, channels: int = 0):
        """
        Open a file.

        :param sample_rate: [Hz]; 0: the file's own.
        :param channels: See ``mix``; 0: the file's own.
        :raises DeviceError: when it cannot be opened or has no sound.
        """
        self._source = open_sound(path)
        self.name = path
        self.sample_rate = sample_rate or self._source.sample_rate
        self.channels = channels or self._source.channels
        self.duration_ns = self._source.duration_ns
        if not self.duration_ns:
            self.close()
            raise DeviceError(f"'{path}' has no sound in it")

    def samples(self, start: int) -> Iterator[np.ndarray]:
        """
        Give int16 arrays of shape (samples, channels), beginning exactly with sample ``start``.

        :raises DeviceError: where samples are no numbers.
        """
        for floats in self._resampled(start):
            if not np.isfinite(floats).all():
                raise DeviceError(f"'{self.name}' holds samples that are no numbers (NaN or infinite): it is damaged")
            yield to_int16(mix(floats, self.channels))

    def _resampled(self, start: int) -> Iterator[np.ndarray]:
        own, wanted = self._source.sample_rate, self.sample_rate
        if own == wanted:
            yield from self._source.floats(start)
            return
        try:
            import soxr
        except ImportError as error:
            raise DeviceError(f"'{self.name}' has {own} Hz: to play it at {wanted} Hz, `pip install soxr`") from error
        # Begin where a sample of both rates coincides, so that every sample is what it is without seeking.
        common = math.gcd(own, wanted)
        whole, surplus = divmod(start, wanted // common)
        stream = soxr.ResampleStream(own, wanted, self._source.channels, dtype='float32')
        for floats in self._source.floats(whole * own // common):
            out = stream.resample_chunk(np.ascontiguousarray(floats))
            yield out[surplus:]
            surplus = max(surplus - len(out), 0)
        yield stream.resample_chunk(np.zeros((0, self._source.channels), np.float32), last=True)[surplus:]

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()


class SoundFolder:
    """The sound files of a folder in the order of their names, with silence between."""

    def __init__(
        self,
        path: str,
        sample_rate: int = 0,
        channels: int = 0,
        gap_seconds: float = 1.0,
        seconds_per_file: float = 0.0,
    ):
        """
        List the files.

        :param sample_rate: [Hz]; 0: that of the first file.
        :param channels: See ``mix``; 0: those of the first file.
        :param gap_seconds: Silence after each file [s].
        :param seconds_per_file: One begins every so many seconds, cut where it is longer [s]; 0: after the gap.
        :raises DeviceError: when there are none, or one cannot be read.
        """
        found = Path(path).iterdir()
        paths = sorted(item for item in found if item.suffix.lower() in SOUND_SUFFIXES and item.is_file())
        if not paths:
            raise DeviceError(f"the folder '{path}' has no sound files ({', '.join(SOUND_SUFFIXES)})")
        self.name = path
        self.sample_rate, self.channels = sample_rate, channels
        self._entries: list[tuple[Path, int]] = []  # with the samples from its beginning to that of the next
        for item in paths:
            sound = SoundFile(str(item), self.sample_rate, self.channels)
            self.sample_rate, self.channels = sound.sample_rate, sound.channels
            seconds = seconds_per_file or sound.duration_ns / NS_PER_S + gap_seconds
            self._entries.append((item, round(seconds * self.sample_rate)))
            sound.close()
        self.duration_ns = sum(length for _, length in self._entries) * NS_PER_S // self.sample_rate

    def samples(self, start: int) -> Iterator[np.ndarray]:
        """Give int16 arrays of shape (samples, channels), beginning exactly with sample ``start``."""
        for path, length in self._entries:
            if start < length:
                yield from self._entry(path, start, length)
            start = max(start - length, 0)

    def _entry(self, path: Path, start: int, length: int) -> Iterator[np.ndarray]:
        sound = SoundFile(str(path), self.sample_rate, self.channels)
        try:
            for samples in sound.samples(start):
                yield samples[: length - start]
                start += len(samples)
                if start >= length:
                    return
        finally:
            sound.close()
        while start < length:
            silence = np.zeros((min(READ_SAMPLES, length - start), self.channels), np.int16)
            yield silence
            start += len(silence)

    def close(self) -> None:
        """Nothing is held open between two files."""


class SampleClock:
    """Stamps blocks of samples evenly, however unevenly they arrive."""

    def __init__(self, sample_rate: int):
        """Begin without a block."""
        self._rate = sample_rate
        self._end_ns: int | None = None

    def stamp(self, now_ns: int, count: int) -> int:
        """Give when the first of ``count`` samples was taken, that arrived at ``now_ns`` right after those before."""
        length_ns = count * NS_PER_S // self._rate
        expected_ns = now_ns if self._end_ns is None else self._end_ns + length_ns
        error_ns = now_ns - expected_ns
        if abs(error_ns) > NS_PER_S // 5:  # samples were lost, or the clock was set
            expected_ns, error_ns = now_ns, 0
        self._end_ns = expected_ns + int(DRIFT_GAIN * error_ns)
        return self._end_ns - length_ns


class Microphone:
    """A microphone of this machine."""

    def __init__(self, source: str = 'default', sample_rate: int = 0, channels: int = 0, block_seconds: float = 0.05):
        """
        Open a microphone by index or name; rates and channels that it lacks are converted.

        :raises DeviceError: when it is not there, or does not open.
        """
        device = _find(source)
        import miniaudio

        self.name = device.name
        self.sample_rate = sample_rate or device.sample_rate
        self.channels = channels or device.channels
        self._queue: queue.Queue[tuple[float, bytes]] = queue.Queue(maxsize=1000)
        self._block_samples = round(block_seconds * self.sample_rate)
        try:
            self._device = miniaudio.CaptureDevice(
                miniaudio.SampleFormat.SIGNED16,
                self.channels,
                self.sample_rate,
                buffersize_msec=round(block_seconds * 1000),
                device_id=device.id,
                backends=[device.backend],
                app_name='emotion_ros',
            )
            receiver = self._receive()
            next(receiver)
            self._device.start(receiver)
        except miniaudio.MiniaudioError as error:
            raise DeviceError(
                f"microphone '{self.name}' does not open ({error}): another program may use it"
            ) from error

    def _receive(self) -> Iterator[None]:
        """Take samples in the sound card's thread."""
        while True:
            data = yield
            try:
                self._queue.put_nowait((time.monotonic(), bytes(data)))
            except queue.Full:
                pass  # nobody reads: ``capture`` was stopped

    def capture(self, clock: PlayClock) -> Iterator[Block]:
        """Give blocks of equal length as they come."""
        sample_clock = SampleClock(self.sample_rate)
        pending = np.zeros((0, self.channels), np.int16)
        while not clock.stopped:
            try:
                arrived_s, data = self._queue.get(timeout=SILENT_S)
            except queue.Empty:
                raise DeviceError(f"microphone '{self.name}' gives no more sound: is it unplugged?") from None
            samples = np.frombuffer(data, np.int16).reshape(-1, self.channels)
            arrived_ns = clock.now_ns() - int((time.monotonic() - arrived_s) * NS_PER_S)
            stamp_ns = sample_clock.stamp(arrived_ns, len(samples)) - len(pending) * NS_PER_S // self.sample_rate
            pending = np.concatenate((pending, samples))
            while len(pending) >= self._block_samples:
                yield Block(stamp_ns, pending[: self._block_samples])
                pending = pending[self._block_samples :]
                stamp_ns += self._block_samples * NS_PER_S // self.sample_rate

    def close(self) -> None:
        """Let go of the microphone."""
        self._device.close()


def _find(source: str) -> CaptureDevice:
    """Give the capture device that an index or (part of) a name means."""
    if source == 'null':
        return silent_device()
    found = capture_devices()
    if source in ('', 'default'):
        if not found:
            raise DeviceError('there is no microphone: plug one in, or pass a sound file')
        return replace(found[0], name='default', id=None)
    if source.isdecimal():
        matching = found[int(source) : int(source) + 1]
    else:
        matching = [device for device in found if device.name == source] or [
            device for device in found if source.lower() in device.name.lower()
        ]
    if not matching:
        names = ', '.join(f"{index} '{device.name}'" for index, device in enumerate(found)) or 'none'
        raise DeviceError(f"there is no file and no microphone '{source}'; microphones there are: {names}")
    return matching[0]


def open_audio(
    source: str,
    *,
    sample_rate: int = 0,
    channels: int = 0,
    block_seconds: float = 0.05,
    gap_seconds: float = 1.0,
    seconds_per_file: float = 0.0,
) -> SoundFile | SoundFolder | Microphone:
    """
    Open whatever a source names.

    :param source: 'default', device index or name, 'null' for silence, sound or video file, folder of sound files.
    :raises DeviceError: with a sentence that says what to do.
    """
    path = Path(source).expanduser()
    if source and path.is_dir():
        return SoundFolder(str(path), sample_rate, channels, gap_seconds, seconds_per_file)
    if source and path.exists():
        return SoundFile(str(path), sample_rate, channels)
    if '/' in source:
        raise DeviceError(f"there is no file or folder '{source}'")
    return Microphone(source, sample_rate, channels, block_seconds)

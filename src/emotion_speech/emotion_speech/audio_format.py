"""Bytes of an audio message to samples, for every PCM format that audio drivers send."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emotion_core.errors import InputError

RATES = (4000, 384000)  # [Hz] that a microphone can have
MAX_CHANNELS = 64
ALL_CHANNELS = -1
MAX_FLOAT = 8.0  # float audio beyond this is not scaled to [-1, 1]
PLAIN_CODINGS = ('', 'wave', 'wav', 'pcm', 'raw')


def _from_s24(data: bytes) -> np.ndarray:
    """Widen packed 24-bit integers to 32 bits, the new low byte 0."""
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view('<i4')[:, 0]


# name -> (bytes per sample, reader, zero level, full scale)
_FORMATS: dict[str, tuple[int, Callable[[bytes], np.ndarray], float, float]] = {
    'U8': (1, lambda data: np.frombuffer(data, np.uint8), 128, 1 << 7),
    'S16LE': (2, lambda data: np.frombuffer(data, '<i2'), 0, 1 << 15),
    'S24LE': (3, _from_s24, 0, 1 << 31),
    'S32LE': (4, lambda data: np.frombuffer(data, '<i4'), 0, 1 << 31),
    'F32LE': (4, lambda data: np.frombuffer(data, '<f4'), 0, 1),
}
SAMPLE_FORMATS = tuple(_FORMATS)


@dataclass(frozen=True)
class AudioFormat:
    """How bytes become samples; interleaved channels."""

    sample_rate: int  # [Hz]
    channels: int
    sample_format: str  # one of SAMPLE_FORMATS

    @classmethod
    def parse(cls, sample_rate: int, channels: int, sample_format: str, coding_format: str = '') -> 'AudioFormat':
        """
        Check what a driver says about its audio.

        :param sample_format: One of SAMPLE_FORMATS, in any case.
        :param coding_format: One of PLAIN_CODINGS, in any case.
        :raises InputError: when such audio cannot be read.
        """
        name, coding = sample_format.strip().upper(), coding_format.strip().lower()
        if 'mp3' in (coding, name.lower()):
            raise InputError(
                'mp3 audio', "the driver sends MP3; set its format to 'wave' (audio_capture: `-p format:=wave`)"
            )
        if coding not in PLAIN_CODINGS:
            raise InputError(
                'wrong coding', f"audio coding '{coding_format}' is not supported; set the driver's format to 'wave'"
            )
        if name not in _FORMATS:
            raise InputError(
                'wrong sample format',
                f"sample format '{sample_format}' is not supported; use one of {', '.join(SAMPLE_FORMATS)}",
            )
        if not RATES[0] <= sample_rate <= RATES[1]:
            raise InputError('wrong sample rate', f'{sample_rate} Hz is not in [{RATES[0]}, {RATES[1]}]')
        if not 1 <= channels <= MAX_CHANNELS:
            raise InputError('wrong channels', f'{channels} channels are not in [1, {MAX_CHANNELS}]')
        return cls(sample_rate, channels, name)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return _FORMATS[self.sample_format][0] * self.channels

    def decode(self, data: bytes) -> np.ndarray:
        """
        Give the samples of one block.

        A block that ends inside a frame is refused as a whole: each message stands alone, so its odd bytes belong to no
        other one, and most often they mean that the format is not what the driver really sends.

        :return: float32 of shape (frames, channels), full scale 1.
        :raises InputError: when the block is empty, ends inside a frame, or has samples that are not numbers in range.
        """
        if not len(data):
            raise InputError('empty audio', 'the audio block has no samples')
        if len(data) % self.frame_bytes:
            raise InputError(
                'partial frame',
                f'a block of {len(data)} bytes is no whole number of '
                f'{self.frame_bytes}-byte frames ({self.sample_format}, {self.channels} channels): '
                'does the driver send what it says?',
            )
        _, read, zero, scale = _FORMATS[self.sample_format]
        samples = ((read(data) - np.float32(zero)) / np.float32(scale)).astype(np.float32, copy=False)
        if self.sample_format == 'F32LE':
            largest = float(np.abs(samples).max())
            if not np.isfinite(largest):
                raise InputError('not finite', 'the audio block has samples that are NaN or infinite')
            if largest > MAX_FLOAT:
                raise InputError('out of range', f'float samples reach {largest:.6g}: they must be scaled to [-1, 1]')
        return samples.reshape(-1, self.channels)


def to_mono(samples: np.ndarray, channel: int = ALL_CHANNELS) -> np.ndarray:
    """
    Give one channel of samples of shape (frames, channels), or the mean of all.

    :raises InputError: when there is no such channel.
    """
    if channel == ALL_CHANNELS:
        return samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]
    if channel >= samples.shape[1]:
        raise InputError(
            'no such channel',
            f'channel {channel} was asked for, the audio has {samples.shape[1]} '
            f'(the first is 0; {ALL_CHANNELS} takes the mean of all)',
        )
    return samples[:, channel]

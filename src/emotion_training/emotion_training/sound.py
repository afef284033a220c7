"""Sound files and the sound of video files, as mono samples of one rate."""

import io
import struct

import numpy as np
import soundfile
import soxr

from emotion_training.corpus_source import IS_POINTER, POINTER
from emotion_training.errors import TrainingError

SAMPLE_RATE = 16000  # [Hz] that the networks take
SOUND = ('.wav', '.flac', '.ogg', '.opus', '.mp3')  # what libsndfile reads
VIDEO = ('.mp4', '.m4a', '.mkv', '.webm', '.mov', '.avi', '.flv', '.aac')  # what FFmpeg reads, through PyAV
SUFFIXES = SOUND + VIDEO
OTHER = (
    '.aif',
    '.aiff',
    '.aifc',
    '.amr',
    '.3gp',
    '.wma',
    '.oga',
    '.spx',
    '.au',
    '.caf',
    '.mp2',
    '.ac3',
    '.mpg',
    '.wmv',
)
STREAMED = (0, 0xFFFFFFFF)  # lengths in the header of a WAV that was written to a pipe
PAGE = b'OggS'  # how a page of Ogg begins; its header has 27 bytes and a length of each segment
CUT_OFF = 0.95  # of the duration that a file says it has; what holds less is cut off
LAST_PAGE = 4  # in the sixth byte of a page


def decode(encoded: bytes, name: str) -> tuple[np.ndarray, int]:
    """
    Decode a whole file.

    :param encoded: Its content.
    :param name: Its name; the suffix decides who decodes it.
    :return: Mono float32 samples of shape (n,) in [-1, 1], channels averaged, and their rate [Hz].
    :raises TrainingError: when it is no sound, is damaged or cut off, is empty, or holds nothing but silence.
    """
    if not encoded:
        raise TrainingError(f"'{name}' is empty: get it again")
    if encoded.startswith(POINTER):
        raise TrainingError(f"'{name}' {IS_POINTER}")
    if encoded[:4] == b'RIFF' and len(encoded) < _wav_length(encoded):
        raise TrainingError(f"'{name}' is cut off after {len(encoded)} of {_wav_length(encoded)} bytes: get it again")
    if encoded.startswith(PAGE) and not _ends_with_last_page(encoded):
        raise TrainingError(f"'{name}' is cut off: its last page is not there; get it again")
    samples, rate = _with_libsndfile(encoded, name) if name.lower().endswith(SOUND) else _with_ffmpeg(encoded, name)
    samples = samples.mean(axis=1)
    if not np.isfinite(samples).all():
        raise TrainingError(f"'{name}' holds samples that are no numbers (NaN or infinite): it is damaged")
    if not samples.any():
        raise TrainingError(f"'{name}' holds {'nothing but silence' if len(samples) else 'no samples'}")
    return samples, rate


def load(encoded: bytes, name: str) -> np.ndarray:
    """Decode a whole file to mono float32 samples of shape (n,) at SAMPLE_RATE; raises as ``decode`` does."""
    samples, rate = decode(encoded, name)
    return samples if rate == SAMPLE_RATE else soxr.resample(samples, rate, SAMPLE_RATE)


def _with_libsndfile(encoded: bytes, name: str) -> tuple[np.ndarray, int]:
    try:
        with soundfile.SoundFile(io.BytesIO(encoded)) as file:
            samples = file.read(dtype='float32', always_2d=True)
            if len(samples) < file.frames:
                raise TrainingError(f"'{name}' is cut off: get it again")
            return samples, file.samplerate
    except soundfile.LibsndfileError as error:
        raise TrainingError(f"'{name}' cannot be decoded: {error.error_string.rstrip('.')}") from error


def _with_ffmpeg(encoded: bytes, name: str) -> tuple[np.ndarray, int]:
    import av

    try:
        with av.open(io.BytesIO(encoded)) as container:
            if not container.streams.audio:
                raise TrainingError(f"'{name}' has no sound")
            stream = container.streams.audio[0]
            planar = av.AudioResampler(format='fltp')  # another format of samples, the same rate and channels
            blocks = [
                block.to_ndarray().T
                for frame in (*container.decode(stream), None)  # None: what waits inside
                for block in planar.resample(frame)
            ]
            samples = np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)
            # Only Matroska that is cut off can still be opened; with a picture its sound may well be shorter.
            if container.format.name.startswith('matroska') and container.duration and not container.streams.video:
                if len(samples) / stream.rate < CUT_OFF * container.duration / av.time_base:
                    raise TrainingError(f"'{name}' is cut off: get it again")
            return samples, stream.rate
    except (av.error.FFmpegError, ValueError) as error:  # ValueError: PyAV itself refuses the file
        raise TrainingError(f"'{name}' cannot be decoded: {getattr(error, 'strerror', None) or error}") from error


def _wav_length(encoded: bytes) -> int:
    """Give the length [bytes] that a WAV says it has; 0 when it was streamed and does not know."""
    if len(encoded) < 8:
        return 8
    (length,) = struct.unpack('<I', encoded[4:8])
    return 0 if length in STREAMED else length + 8


def _ends_with_last_page(encoded: bytes) -> bool:
    """Tell whether an Ogg file ends with a whole page that says that it is the last one."""
    page = encoded[encoded.rfind(PAGE) :]
    if len(page) < 27 or not page[5] & LAST_PAGE:
        return False
    lengths = page[27 : 27 + page[26]]
    return len(lengths) == page[26] and len(page) >= 27 + len(lengths) + sum(lengths)

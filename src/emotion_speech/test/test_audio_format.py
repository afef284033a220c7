import numpy as np
import pytest

from emotion_core.errors import InputError
from emotion_speech.audio_format import AudioFormat, to_mono

VALUES = np.array([[0.0, 0.5], [-0.5, -1.0], [0.25, 0.75]], np.float32)  # (frames, channels)


def encode(samples: np.ndarray, sample_format: str) -> bytes:
    """Write samples in [-1, 1) as a driver does."""
    if sample_format == 'U8':
        return (samples * 128 + 128).astype(np.uint8).tobytes()
    if sample_format == 'F32LE':
        return samples.astype('<f4').tobytes()
    bits = int(sample_format[1:3])
    integers = np.rint(samples.astype(np.float64) * (1 << (bits - 1))).astype('<i8')
    return b''.join(int(value).to_bytes(bits // 8, 'little', signed=True) for value in integers.ravel())


@pytest.mark.parametrize('sample_format', ['U8', 'S16LE', 'S24LE', 'S32LE', 'F32LE'])
@pytest.mark.parametrize('channels', [1, 2, 6])
def test_every_format_and_channel_count_comes_back(sample_format, channels):
    samples = np.resize(VALUES, (100, channels))
    decoded = AudioFormat(16000, channels, sample_format).decode(encode(samples, sample_format))
    assert decoded.dtype == np.float32 and decoded.shape == (100, channels)
    np.testing.assert_allclose(decoded, samples, atol=1 / 128 if sample_format == 'U8' else 1e-4)


def test_one_sample_is_a_block():
    assert AudioFormat(16000, 1, 'S16LE').decode(b'\x00\x40') == 0.5


@pytest.mark.parametrize(
    'data, sample_format, channels, kind',
    [
        (b'', 'S16LE', 1, 'empty audio'),
        (b'\0' * 3, 'S16LE', 1, 'partial frame'),
        (b'\0' * 6, 'S16LE', 2, 'partial frame'),
        (b'\0' * 4, 'S24LE', 1, 'partial frame'),
        (np.array([0, np.nan], '<f4').tobytes(), 'F32LE', 1, 'not finite'),
        (np.array([0, -np.inf], '<f4').tobytes(), 'F32LE', 1, 'not finite'),
        (np.array([0, 12000], '<f4').tobytes(), 'F32LE', 1, 'out of range'),
    ],
)
def test_a_block_that_cannot_be_trusted_is_refused(data, sample_format, channels, kind):
    with pytest.raises(InputError) as refused:
        AudioFormat(16000, channels, sample_format).decode(data)
    assert refused.value.kind == kind


@pytest.mark.parametrize(
    'announced, kind',
    [
        ((16000, 1, 'S16LE', 'mp3'), 'mp3 audio'),
        ((16000, 1, 'MP3', ''), 'mp3 audio'),
        ((16000, 1, 'S16LE', 'opus'), 'wrong coding'),
        ((16000, 1, 'S16BE', 'wave'), 'wrong sample format'),
        ((0, 1, 'S16LE', 'wave'), 'wrong sample rate'),
        ((16000, 0, 'S16LE', 'wave'), 'wrong channels'),
    ],
)
def test_a_format_that_cannot_be_read_is_refused(announced, kind):
    with pytest.raises(InputError) as refused:
        AudioFormat.parse(*announced)
    assert refused.value.kind == kind


def test_mp3_is_refused_with_the_mending():
    with pytest.raises(InputError, match='format:=wave'):
        AudioFormat.parse(16000, 1, 'S16LE', 'MP3')


def test_names_of_a_format_are_taken_in_any_case():
    assert AudioFormat.parse(48000, 2, 's16le', 'WAVE') == AudioFormat(48000, 2, 'S16LE')


def test_channels_are_averaged_or_picked():
    np.testing.assert_allclose(to_mono(VALUES), [0.25, -0.75, 0.5])
    np.testing.assert_allclose(to_mono(VALUES, 1), VALUES[:, 1])
    with pytest.raises(InputError, match='channel 2 was asked for'):
        to_mono(VALUES, 2)

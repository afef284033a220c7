import array
import struct
import zlib

import cv2
import numpy as np
import pytest

from emotion_core import images
from emotion_core.errors import InputError
from emotion_core.images import ENCODINGS, decode, decode_compressed

WIDTH, HEIGHT = 6, 4
random = np.random.default_rng(0)
BGR = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
GRAY = random.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
DEEP = random.integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)


def pack(rows, padding=0):
    """Give the bytes of an image with so many bytes of rubbish after each row, and its step."""
    flat = np.ascontiguousarray(rows).view(np.uint8).reshape(HEIGHT, -1)
    padded = np.concatenate([flat, np.full((HEIGHT, padding), 0xAB, np.uint8)], axis=1)
    return padded.tobytes(), padded.shape[1]


def with_alpha(pixels):
    return np.concatenate([pixels, np.full((HEIGHT, WIDTH, 1), 7, np.uint8)], axis=2)


def gray3(gray):
    return np.repeat(gray[..., np.newaxis], 3, axis=2)


EXACT = {
    'bgr8': (BGR, BGR),
    '8UC3': (BGR, BGR),
    'rgb8': (BGR[..., ::-1], BGR),
    'bgra8': (with_alpha(BGR), BGR),
    'rgba8': (with_alpha(BGR[..., ::-1]), BGR),
    'mono8': (GRAY, gray3(GRAY)),
    '8UC1': (GRAY, gray3(GRAY)),
    'mono16': (DEEP[..., 0], gray3((DEEP[..., 0] >> 8).astype(np.uint8))),
    '16UC1': (DEEP[..., 0], gray3((DEEP[..., 0] >> 8).astype(np.uint8))),
    'bgr16': (DEEP, (DEEP >> 8).astype(np.uint8)),
    'rgb16': (DEEP[..., ::-1], (DEEP >> 8).astype(np.uint8)),
}


@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize('big_endian', [False, True])
@pytest.mark.parametrize('encoding', EXACT)
def test_packed_encodings_are_exact(encoding, padding, big_endian):
    pixels, expected = EXACT[encoding]
    if pixels.dtype == np.uint16:
        pixels = pixels.astype('>u2' if big_endian else '<u2')
    data, step = pack(pixels, padding)
    image = decode(data, WIDTH, HEIGHT, encoding, step, big_endian)
    assert image.dtype == np.uint8 and np.array_equal(image, expected)
    assert cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).shape == (HEIGHT, WIDTH)  # OpenCV takes it, view or not


def yuv_to_bgr(y, u, v):
    """Convert BT.601 video range to BGR, as ITU-R writes it."""
    y, u, v = (y - 16.0) * 255 / 219, (u - 128.0) * 255 / 224, (v - 128.0) * 255 / 224
    return np.array([y + 1.772 * u, y - 0.344136 * u - 0.714136 * v, y + 1.402 * v]).clip(0, 255)


@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize(
    'encoding,order', [('yuv422_yuy2', 'yuyv'), ('yuyv', 'yuyv'), ('uyvy', 'uyvy'), ('yuv422', 'uyvy')]
)
def test_yuv_agrees_with_the_standard(encoding, order, padding):
    luma = random.integers(16, 236, (HEIGHT, WIDTH))
    chroma = random.integers(90, 166, (2, HEIGHT, WIDTH // 2))
    rows = np.zeros((HEIGHT, WIDTH // 2, 4), np.uint8)
    first, second = [place for place, letter in enumerate(order) if letter == 'y']
    rows[..., first], rows[..., second] = luma[:, ::2], luma[:, 1::2]
    rows[..., order.index('u')], rows[..., order.index('v')] = chroma
    data, step = pack(rows, padding)
    image = decode(data, WIDTH, HEIGHT, encoding, step)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            assert image[y, x] == pytest.approx(yuv_to_bgr(luma[y, x], *chroma[:, y, x // 2]), abs=3)


@pytest.mark.parametrize('depth', [8, 16])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_gives_each_colour_back(pattern, depth):
    bgr = {'b': 30, 'g': 120, 'r': 240}
    mosaic = np.zeros((8, 8), np.uint8)
    for place, letter in enumerate(pattern):  # ROS names the top left square of four, row by row
        mosaic[place // 2 :: 2, place % 2 :: 2] = bgr[letter]
    rows = mosaic if depth == 8 else (mosaic.astype('<u2') << 8 | 99)
    image = decode(rows.tobytes(), 8, 8, f'bayer_{pattern}{depth}')
    assert (image[1:-1, 1:-1] == list(bgr.values())).all()
    assert image.shape == (8, 8, 3)


def test_bayer_edge_is_where_it_was():
    scene = np.zeros((16, 16), np.uint8)
    scene[:, 8:] = 200  # a gray step looks the same through any filter
    image = decode(scene.tobytes(), 16, 16, 'bayer_rggb8')
    assert (image[2:-2, :6] == 0).all() and (image[2:-2, 10:] == 200).all()


@pytest.mark.parametrize('encoding', [name for name in ENCODINGS if 'yu' not in name and 'yv' not in name])
@pytest.mark.parametrize('size', [(1, 1), (3, 1), (1, 3), (5, 7)])
def test_odd_and_tiny_sizes(encoding, size):
    width, height = size
    image = decode(bytes(range(256)) * 8, width, height, encoding)
    assert image.shape == (height, width, 3)


def test_every_encoding_of_the_table_was_tested():
    tested = {name.lower() for name in EXACT} | {'yuv422_yuy2', 'yuyv', 'uyvy', 'yuv422'}
    tested |= {f'bayer_{pattern}{depth}' for pattern in ('rggb', 'bggr', 'gbrg', 'grbg') for depth in (8, 16)}
    assert tested == set(ENCODINGS)


def test_plain_bgr_is_not_copied():
    data = array.array('B', BGR.tobytes())
    image = decode(data, WIDTH, HEIGHT, 'bgr8')
    data[0] ^= 0xFF
    assert image[0, 0, 0] == data[0]


def test_last_row_may_lack_its_padding():
    data, step = pack(BGR, 5)
    assert np.array_equal(decode(data[:-5], WIDTH, HEIGHT, 'bgr8', step), BGR)


@pytest.mark.parametrize(
    'kind,arguments',
    [
        ('wrong encoding', (BGR.tobytes(), WIDTH, HEIGHT, 'nv12x')),
        ('wrong encoding', (BGR.tobytes(), WIDTH, HEIGHT, '')),
        ('empty image', (b'', 0, 0, 'bgr8')),
        ('empty image', (b'', WIDTH, 0, 'bgr8')),
        ('truncated image', (b'', WIDTH, HEIGHT, 'bgr8')),
        ('truncated image', (BGR.tobytes()[:-1], WIDTH, HEIGHT, 'bgr8')),
        ('truncated image', (BGR.tobytes(), WIDTH, HEIGHT, 'bgr8', WIDTH * 3 - 1)),
        ('truncated image', (BGR.tobytes(), WIDTH, HEIGHT, 'bgr8', WIDTH * 3 + 1)),
        ('truncated image', (BGR.tobytes(), WIDTH, HEIGHT, 'bgr16')),
        ('truncated image', (BGR.tobytes(), 2**32 - 1, 2**32 - 1, 'bgr8')),
        ('odd width', (BGR.tobytes(), 5, HEIGHT, 'uyvy')),
        ('odd width', (BGR.tobytes(), 5, HEIGHT, 'yuv422_yuy2')),
    ],
)
def test_unusable_images_are_refused_with_their_kind(kind, arguments):
    with pytest.raises(InputError) as error:
        decode(*arguments)
    assert error.value.kind == kind and len(str(error.value)) > 20


SMOOTH = cv2.resize(BGR, (64, 48), interpolation=cv2.INTER_CUBIC)


def test_png_is_exact_and_jpeg_is_close():
    assert np.array_equal(decode_compressed(cv2.imencode('.png', SMOOTH)[1].tobytes()), SMOOTH)
    jpeg = cv2.imencode('.jpg', SMOOTH, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    assert np.abs(decode_compressed(jpeg).astype(int) - SMOOTH).mean() < 8
    assert decode_compressed(array.array('B', jpeg)).shape == SMOOTH.shape
    assert decode_compressed(jpeg + bytes(500)).shape == SMOOTH.shape  # cameras pad


@pytest.mark.parametrize('extension', ['.jpg', '.png'])
@pytest.mark.parametrize('part', [0.0, 0.02, 0.5, 0.95])
def test_cut_off_files_are_refused(extension, part):
    file = cv2.imencode(extension, SMOOTH)[1].tobytes()
    with pytest.raises(InputError) as error:
        decode_compressed(file[: int(len(file) * part)])
    assert error.value.kind == 'damaged image'


def test_rubbish_is_refused():
    with pytest.raises(InputError):
        decode_compressed(random.bytes(1000))


def test_picture_that_says_it_is_larger_than_any_is_refused():
    file = cv2.imencode('.png', SMOOTH)[1].tobytes()
    header = b'IHDR' + struct.pack('>II', 100_000, 100_000) + file[24:29]
    with pytest.raises(InputError, match='could not be decoded'):
        decode_compressed(file[:12] + header + struct.pack('>I', zlib.crc32(header)) + file[33:])


def test_picture_that_says_it_is_huge_is_none(tmp_path):
    head = b'IHDR' + struct.pack('>IIBBBBB', 60000, 60000, 8, 2, 0, 0, 0)
    path = tmp_path / 'huge.png'
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + head + struct.pack('>I', zlib.crc32(head)))
    assert images.read(path) is None
    assert images.read(tmp_path / 'nowhere.png') is None
    cv2.imwrite(str(path), np.full((2, 3, 3), 7, np.uint8))
    assert images.read(path).tolist() == [[[7, 7, 7]] * 3] * 2

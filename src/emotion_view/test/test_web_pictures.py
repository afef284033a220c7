import json
import struct

import cv2
import numpy as np
import pytest

from emotion_core.errors import InputError
from emotion_view.web.pictures import Frame


def unpack(picture):
    length = struct.unpack('>I', picture[:4])[0]
    return json.loads(picture[4 : 4 + length]), picture[4 + length :]


def test_picture_comes_with_its_size_and_faces():
    image = np.full((40, 60, 3), (10, 120, 200), np.uint8)
    header, jpeg = unpack(Frame(lambda: image, [{'id': 'f0001'}]).encode(960, 90))
    assert header == {'width': 60, 'height': 40, 'faces': [{'id': 'f0001'}]}
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_allclose(decoded, image, atol=4)


def test_wide_picture_is_made_smaller_and_named_with_its_own_size():
    header, jpeg = unpack(Frame(lambda: np.zeros((500, 1000, 3), np.uint8), []).encode(100, 80))
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (50, 100, 3)
    assert header['width'] / header['height'] == 2


def test_jpeg_of_a_camera_goes_through_as_it_is_and_png_becomes_one():
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    jpeg, png = (cv2.imencode(suffix, image)[1].tobytes() for suffix in ('.jpg', '.png'))
    assert unpack(Frame(lambda: jpeg, []).encode(960, 80))[1] == jpeg
    assert unpack(Frame(lambda: png, []).encode(960, 80))[1].startswith(b'\xff\xd8')
    assert unpack(Frame(lambda: jpeg, []).encode(30, 80))[1] != jpeg


def test_damaged_picture_is_an_input_error():
    with pytest.raises(InputError):
        Frame(lambda: b'\xff\xd8 no picture', []).encode(960, 80)

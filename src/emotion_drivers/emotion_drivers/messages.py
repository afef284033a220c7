"""Frames and blocks as the messages that the usual drivers publish."""

from array import array

import cv2
import numpy as np
from audio_common_msgs.msg import AudioData, AudioInfo
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

JPEG_QUALITY = 95  # image_transport's default
BITS = 16


def _bytes(values: np.ndarray) -> array:
    """Give the bytes of an array in the one type that rclpy takes over without looking at each of them."""
    data = array('B')
    data.frombytes(np.ascontiguousarray(values).data.cast('B'))
    return data


def to_image(image: np.ndarray, header: Header) -> Image:
    """Give an image of shape (height, width, 3), BGR."""
    height, width = image.shape[:2]
    message = Image(header=header, height=height, width=width, encoding='bgr8', is_bigendian=0, step=3 * width)
    message.data = _bytes(image)  # as an argument it would be copied, byte by byte
    return message


def to_compressed(image: np.ndarray, header: Header) -> CompressedImage:
    """Give an image as JPEG, as image_transport's compressed publisher does."""
    _, encoded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    message = CompressedImage(header=header, format='bgr8; jpeg compressed bgr8')
    message.data = _bytes(encoded)
    return message


def to_camera_info(image: np.ndarray, header: Header) -> CameraInfo:
    """Give size and frame of an uncalibrated camera."""
    height, width = image.shape[:2]
    return CameraInfo(header=header, height=height, width=width)


def to_audio(samples: np.ndarray) -> AudioData:
    """Give int16 samples of shape (samples, channels) as S16LE."""
    message = AudioData()
    message.data = _bytes(samples.astype('<i2', copy=False))
    return message


def to_audio_info(sample_rate: int, channels: int) -> AudioInfo:
    """Describe what ``to_audio`` gives."""
    return AudioInfo(
        channels=channels,
        sample_rate=sample_rate,
        sample_format='S16LE',
        bitrate=sample_rate * channels * BITS,
        coding_format='wave',
    )

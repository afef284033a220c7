"""Pictures for the tests: real faces of the developer data pack where it is there, and frames made from them."""

import csv
import tarfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

DATA = Path(__file__).resolve().parents[4] / 'shared' / 'data'
SAMPLE = DATA / 'av_sample.tar'
YUNET = DATA / 'yunet' / 'face_detection_yunet_2023mar.onnx'

needs_faces = pytest.mark.skipif(not SAMPLE.is_file(), reason=f'{SAMPLE} is missing')
needs_yunet = pytest.mark.skipif(not YUNET.is_file(), reason=f'{YUNET} is missing')


@dataclass(frozen=True)
class Sample:
    """A picture with one face."""

    image: np.ndarray  # uint8 (320, 320, 3), BGR
    label: str
    box: tuple[float, float, float, float]


@lru_cache(maxsize=1)
def samples() -> list[Sample]:
    """Give the 60 pictures of the sample."""
    with tarfile.open(SAMPLE) as tar:
        rows = csv.DictReader(tar.extractfile('av_sample/av_pairs.csv').read().decode().splitlines())
        files = [(row, tar.extractfile(f'av_sample/{row["image"]}').read()) for row in rows]
    return [
        Sample(
            cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR),
            row['label'],
            tuple(float(row[key]) for key in 'xywh'),
        )
        for row, file in files
    ]


def place(frame: np.ndarray, picture: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """Paste a picture into a frame, in place; parts beyond the frame are cut off."""
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = max(0, left), max(0, top), min(width, left + side), min(height, top + side)
    if x0 < x1 and y0 < y1:
        frame[y0:y1, x0:x1] = small[y0 - top : y1 - top, x0 - left : x1 - left]
    return frame


def blank(width: int = 640, height: int = 480, level: int = 90) -> np.ndarray:
    """Give a gray frame."""
    return np.full((height, width, 3), level, np.uint8)


def clouds(seed: int, width: int = 640, height: int = 480) -> np.ndarray:
    """Give a random texture with detail at every scale, as walls, trees and clothes have it, and no face."""
    random = np.random.default_rng(seed)
    sheet = np.zeros((height, width), np.float32)
    for octave in range(1, 8):
        cells = 2**octave
        grain = random.normal(size=(max(2, height * cells // 256), max(2, width * cells // 256))).astype(np.float32)
        sheet += cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC) / cells**0.8
    sheet = (sheet - sheet.min()) / np.ptp(sheet) * 255
    return cv2.cvtColor(sheet.astype(np.uint8), cv2.COLOR_GRAY2BGR)

"""Clips for the tests: written on the spot, with a flash and a click at one moment."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT = 160, 120
RATE_HZ = 25
SAMPLE_RATE = 48_000
FLASH_S = 1.0
SECONDS = 2.0
WHITE, DARK = 255, 20
LOUD = 16_000  # of int16


def write_clip(path: Path, seconds: float = SECONDS, codec: str = 'flac') -> Path:
    """Write a dark, silent clip with one white frame and 20 ms of full sound at FLASH_S."""
    sound = np.zeros(int(seconds * SAMPLE_RATE), np.int16)
    click = int(FLASH_S * SAMPLE_RATE)
    sound[click : click + SAMPLE_RATE // 50] = LOUD
    with av.open(str(path), 'w') as container:
        video = container.add_stream('libx264', rate=RATE_HZ)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        audio = container.add_stream(codec, rate=SAMPLE_RATE)
        audio.layout = 'mono'
        for index in range(int(seconds * RATE_HZ)):
            level = WHITE if index == int(FLASH_S * RATE_HZ) else DARK
            frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), level, np.uint8), format='bgr24')
            frame.pts, frame.time_base = index, Fraction(1, RATE_HZ)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for first in range(0, len(sound), 1024):
            block = av.AudioFrame.from_ndarray(sound[np.newaxis, first : first + 1024], format='s16', layout='mono')
            block.sample_rate, block.pts, block.time_base = SAMPLE_RATE, first, Fraction(1, SAMPLE_RATE)
            container.mux(audio.encode(block))
        container.mux(audio.encode())
    return path

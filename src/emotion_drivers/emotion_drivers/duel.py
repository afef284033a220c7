"""Two faces that show the same expressions, each in another order and strength: they play the demo of the game."""

import functools
import os
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from emotion_drivers.scenario import ASSETS, ENCODER, HEAD, HEIGHT, RATE_HZ, SENSOR_NOISE, WIDTH

SECONDS = 6.0  # of the clip, which can be looped: it ends as it begins
SCALE = 1.05
Y = 190.0  # of the heads [px]
BLEND_S = 0.3  # until an expression is there

# How a face changes, in pixels of the portrait: place, move, how far around it.
MOUTH = (((204, 139), (4, 6), 9), ((247, 139), (-4, 6), 9), ((225, 143), (0, -3), 8), ((225, 154), (0, -4), 9))
SMILE = ()
STERN = (*MOUTH, ((213, 92), (2, 6), 8), ((233, 93), (-2, 6), 8))
AMAZED = (
    ((200, 91), (0, -6), 11),
    ((248, 92), (0, -6), 11),
    ((225, 156), (0, 6), 12),
    ((204, 140), (5, 2), 9),
    ((247, 140), (-5, 2), 9),
)

FACE = slice(50, 190), slice(150, 300)  # rows and columns of the portrait that move
GRID = np.mgrid[FACE][::-1]  # x and y of their pixels

# For each person: place [px], mirrored, and what is shown when: begin [s], expression, strength.
PEOPLE = (
    (165.0, False, ((0.0, SMILE, 1.0), (2.0, AMAZED, 1.3), (4.0, STERN, 0.8))),
    (475.0, True, ((0.0, STERN, 1.15), (2.0, SMILE, 1.0), (4.0, AMAZED, 0.7))),
)


class Duel:
    """Draws the picture of any moment of the clip."""

    def __init__(self):
        """Load the portrait."""
        self._portrait = cv2.imread(str(ASSETS / 'portrait.jpg'))
        self._mask = cv2.imread(str(ASSETS / 'portrait_mask.png'))
        shade = 200 - 50 * np.mgrid[0:HEIGHT, 0:WIDTH][0].astype(np.float32) / HEIGHT
        self._room = np.stack([shade * 0.98, shade, shade * 0.94], axis=-1).astype(np.uint8)
        self._noise = np.random.default_rng(0).normal(0, SENSOR_NOISE, (HEIGHT, WIDTH, 3)).round().astype(np.int16)

    def draw(self, seconds: float) -> np.ndarray:
        """Give the picture at a time [s]: uint8 of shape (480, 640, 3), BGR."""
        picture = self._room
        for number, (x, is_mirrored, shown) in enumerate(PEOPLE):
            portrait = self._make_face(shown, seconds % SECONDS)
            mask = self._mask
            if is_mirrored:
                portrait, mask = portrait[:, ::-1], mask[:, ::-1]
            head = (portrait.shape[1] - 1 - HEAD[0], HEAD[1]) if is_mirrored else HEAD
            phase = 2 * np.pi * (seconds / SECONDS + number / 3)
            place = cv2.getRotationMatrix2D(head, 2.5 * np.sin(phase), SCALE)
            place[:, 2] += np.array([x + 6 * np.cos(phase), Y + 3 * np.sin(2 * phase)]) - head
            # Each in a half of the picture: shoulders of one must not cover the other.
            half = slice(0, WIDTH // 2) if x < WIDTH / 2 else slice(WIDTH // 2, WIDTH)
            person = cv2.warpAffine(cv2.multiply(portrait, mask, scale=1 / 255), place, (WIDTH, HEIGHT))
            around = cv2.bitwise_not(cv2.warpAffine(mask, place, (WIDTH, HEIGHT)))
            both = cv2.add(person, cv2.multiply(picture, around, scale=1 / 255))
            picture = picture.copy()
            picture[:, half] = both[:, half]
        return cv2.add(picture, np.roll(self._noise, int(seconds * RATE_HZ) * 37, axis=1), dtype=cv2.CV_8U)

    def _make_face(self, shown: tuple, seconds: float) -> np.ndarray:
        """Give the portrait with the expression of a moment."""
        portrait = self._portrait.copy()
        for index, (begin, expression, strength) in enumerate(shown):
            end = shown[index + 1][0] if index + 1 < len(shown) else SECONDS
            share = strength * float(np.clip(min(seconds - begin, end - seconds) / BLEND_S, 0, 1))
            if share > 0 and expression:
                x, y = ((grid - share * move).astype(np.float32) for grid, move in zip(GRID, _moves(expression)))
                portrait[FACE] = cv2.remap(self._portrait, x, y, cv2.INTER_LINEAR)
        return portrait


@functools.cache
def _moves(expression: tuple) -> np.ndarray:
    """Give how far each pixel of FACE moves in an expression: x and y, shape (2, height, width)."""
    moves = np.zeros((2, *GRID[0].shape))
    for (x, y), move, reach in expression:
        near = np.exp(-((GRID[0] - x - move[0]) ** 2 + (GRID[1] - y - move[1]) ** 2) / (2 * reach**2))
        moves += near * np.reshape(move, (2, 1, 1))
    return moves


def make(path: Path) -> None:
    """
    Write the clip, MKV with H.264; a file that is there is complete.

    :param path: Where to; the folder must be there.
    """
    import av

    path = Path(path)
    partial = path.with_name(f'.{os.getpid()}.{path.name}')
    duel = Duel()
    try:
        with av.open(str(partial), 'w', format='matroska', options={'fflags': '+bitexact'}) as container:
            video = container.add_stream('libx264', rate=RATE_HZ, options=ENCODER)
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
            for index in range(int(SECONDS * RATE_HZ)):
                frame = av.VideoFrame.from_ndarray(duel.draw(index / RATE_HZ), format='bgr24')
                frame.pts, frame.time_base = index, Fraction(1, RATE_HZ)
                container.mux(video.encode(frame))
            container.mux(video.encode())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)

"""Two faces that show expressions, each in an order of its own: they play the demo of the game."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from emotion_drivers.scenario import ASSETS, HEAD, HEIGHT, RATE_HZ, SENSOR_NOISE, WIDTH, write_clip

SECONDS = 6.0  # of the clip, which can be looped: it ends as it begins
SCALE = 1.05
Y = 190.0  # of the heads [px]
BLEND_S = 0.3  # until an expression is there

FACE = slice(50, 190), slice(150, 300)  # rows and columns of the portrait that change
GRID = np.mgrid[FACE][::-1]  # x and y of their pixels
FINER = 4  # strokes are drawn at so many times the resolution
SMILING_MOUTH = ((224, 146), (26, 15)), ((199, 134), (6, 14)), ((249, 135), (6, 14))  # ellipses around it and its folds
LIP, DARK = (118, 128, 196), (45, 40, 70)  # BGR


@dataclass(frozen=True)
class Expression:
    """How the portrait, which smiles, is changed; all in pixels of the portrait."""

    mouth: tuple = ()  # strokes that take its place: left, middle and right point, width, colour
    moves: tuple = ()  # place, move, how far around it


def _closed(corners: float, middle: float) -> tuple:
    """Give a closed mouth: how low its corners are, and its middle [px]."""
    curve = (206, corners), (224, middle), (242, corners)
    return (*curve, 5, LIP), (*curve, 1.5, DARK)


RAISED_BROWS = ((200, 91), (0, -7), 11), ((250, 93), (0, -7), 11)
WIDE_EYES = ((203, 98), (0, -2), 7), ((247, 100), (0, -2), 7), ((203, 105), (0, 2), 6), ((247, 107), (0, 2), 6)
SMILE = Expression()
EYEBROW_FLASH = Expression(moves=RAISED_BROWS)  # and smiles on: not amazed
PLAIN = Expression(_closed(146, 145))
ROUND = (224, 147), (224, 149.5), (224, 152)
AMAZED = Expression(((*ROUND, 22, LIP), (*ROUND, 15, DARK)), (*RAISED_BROWS, *WIDE_EYES))
STERN = Expression(
    _closed(149.5, 144),
    (
        *(((192, 89), (1, -1), 8), ((212, 92), (3, 7), 9), ((203, 107), (0, -2), 6)),
        *(((258, 92), (-1, -1), 8), ((238, 93), (-3, 7), 9), ((247, 109), (0, -2), 6)),
    ),
)
SORRY = Expression(
    _closed(150, 145),
    (
        *(((212, 90), (0, -6), 8), ((190, 90), (0, 4), 8), ((203, 97), (0, 3), 6)),
        *(((238, 91), (0, -6), 8), ((260, 93), (0, 4), 8), ((247, 99), (0, 3), 6)),
    ),
)

# For each person: place [px], mirrored, and what is shown from when [s]. The first one can smile and be angry, the
# second one be amazed: so each round of the demo has somebody who shows what it asks for, and somebody who does not.
PEOPLE = (
    (165.0, False, ((0.0, SMILE), (2.0, EYEBROW_FLASH), (4.0, STERN))),
    (475.0, True, ((0.0, AMAZED), (2.0, SORRY), (4.0, PLAIN))),
)


class Duel:
    """Draws the picture of any moment of the clip."""

    def __init__(self):
        """Load the portrait."""
        self._portrait = cv2.imread(str(ASSETS / 'portrait.jpg'))
        shown = {expression for *_, shown in PEOPLE for _, expression in shown}
        self._painted = {expression: _paint(self._portrait, expression.mouth)[FACE] for expression in shown}
        self._moves = {expression: _sum_moves(expression.moves) for expression in shown}
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
        """Give the portrait with the expression of a moment, which comes out of the one before."""
        now = max(index for index, (begin, _) in enumerate(shown) if begin <= seconds)
        (begin, expression), (_, before) = shown[now], shown[now - 1]
        share = min((seconds - begin) / BLEND_S, 1.0)
        painted = cv2.addWeighted(self._painted[expression], share, self._painted[before], 1 - share, 0)
        moves = share * self._moves[expression] + (1 - share) * self._moves[before]
        rows, columns = FACE
        x, y = (GRID - moves - np.reshape((columns.start, rows.start), (2, 1, 1))).astype(np.float32)
        portrait = self._portrait.copy()
        portrait[FACE] = cv2.remap(painted, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return portrait


def _sum_moves(moves: tuple) -> np.ndarray:
    """Give how far each pixel of FACE moves: x and y, shape (2, height, width)."""
    total = np.zeros((2, *GRID[0].shape))
    for (x, y), move, reach in moves:
        near = np.exp(-((GRID[0] - x - move[0]) ** 2 + (GRID[1] - y - move[1]) ** 2) / (2 * reach**2))
        total += near * np.reshape(move, (2, 1, 1))
    return total


def _paint(portrait: np.ndarray, mouth: tuple) -> np.ndarray:
    """Give the portrait with the strokes of a mouth in place of the one that smiles; as it is without strokes."""
    if not mouth:
        return portrait
    there = np.zeros(portrait.shape[:2], np.uint8)
    for centre, axes in SMILING_MOUTH:
        cv2.ellipse(there, centre, axes, 0, 0, 360, 255, -1)
    skin = cv2.inpaint(portrait, there, 6, cv2.INPAINT_TELEA)
    painted = _lay(skin, cv2.GaussianBlur(skin, (0, 0), 3), cv2.GaussianBlur(there, (0, 0), 2))
    size = portrait.shape[1::-1]
    along = np.linspace(0, 1, 30)[:, np.newaxis]
    for left, middle, right, width, colour in mouth:
        bend = 2 * np.array(middle) - np.add(left, right) / 2  # of the parabola through the middle
        curve = (1 - along) ** 2 * left + 2 * along * (1 - along) * bend + along**2 * right
        stroke = np.zeros((size[1] * FINER, size[0] * FINER), np.uint8)
        points = np.round(curve * FINER).astype(np.int32)
        cv2.polylines(stroke, [points], False, 255, round(width * FINER), cv2.LINE_AA)
        stroke = cv2.resize(stroke, size, interpolation=cv2.INTER_AREA)
        painted = _lay(painted, np.array(colour), cv2.GaussianBlur(stroke, (0, 0), 1))
    return painted


def _lay(below: np.ndarray, above: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Lay a picture or a colour on a picture; opacity: uint8 of shape (height, width)."""
    share = opacity[..., np.newaxis] / 255
    return (below * (1 - share) + above * share).round().astype(np.uint8)


def make(path: Path) -> None:
    """
    Write the clip; a file that is there is complete.

    :param path: Where to, MKV; the folder must be there.
    """
    duel = Duel()
    write_clip(path, (duel.draw(index / RATE_HZ) for index in range(int(SECONDS * RATE_HZ))))

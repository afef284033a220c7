"""
Short scenes with two people of whom one speaks, to measure whose a voice is taken for.

Faces and voices are real, and put together by chance; there is no video of people who talk. So the mouths are made: the
lower face of a photograph is warped (a jaw that drops, lips that stretch) by the voice's own envelope, imperfectly, and
up to 80 ms late. A face does not change otherwise, which real ones do.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from emotion_drivers.scenario import HEIGHT, WIDTH, make_room
from emotion_evaluation.scenario_bag import FRAME_RATE_HZ, ROOM_TONE, SAMPLE_RATE_HZ, SENSOR_NOISE

# What the one who does not speak does meanwhile.
STILL, CHEWS, SMILES, NODS, MOUTHS = 'still', 'chews', 'smiles', 'nods', 'mouths'
BEHAVIOURS = {
    STILL: 'the other one looks on',
    CHEWS: 'the other one chews all the time',
    SMILES: 'the other one begins to smile while the voice goes on',
    NODS: 'both nod, the one who speaks as well',
    MOUTHS: "the other one's mouth moves like that of somebody who says something else, all the time",
}
OFF_CAMERA = 'off camera'  # the voice is of neither, who do each one of BEHAVIOURS

BEFORE_S, AFTER_S = 1.2, 0.6  # room tone around the voice
PLACES = 0.27, 0.73  # of the faces, in widths of the picture
LARGE_PX, SMALLER = (170, 250), (0.55, 0.8)  # side of the larger picture of a face, and of the smaller in that
LATEST_S = 0.08  # of a mouth behind its voice
FOLLOWS = 0.7  # how well a mouth follows its voice: share of what is common, as a correlation
ENVELOPE_S = 0.025  # standard deviation of the Gauss filter: syllables stay, periods of the voice go
SYLLABLE_S = 0.04  # likewise of the noise that a mouth adds of its own
DROP, STRETCH = 0.35, 0.15  # of the lower lip, and of the lips, at most [widths of the mouth]
CHEW_HZ, NOD_HZ = 1.3, 1.1
NOD = 0.06, 4.0  # up and down [sides of the picture], and the tilt [degrees]
IDLE = 0.05  # opening by which every mouth is never quite still, standard deviation
STEP_HZ = 100  # of the curves that move a mouth


@dataclass(frozen=True)
class Portrait:
    """A picture of a face, and where its mouth is."""

    picture: np.ndarray  # uint8 (side, side, 3), BGR
    mouth: np.ndarray  # (2, 2), right and left corner (the subject's sides) in the picture [px]


@dataclass(frozen=True)
class Actor:
    """Somebody in a meeting, and how they move: curves of STEP_HZ from its beginning."""

    portrait: Portrait
    place: float  # middle of the face, in widths of the picture
    size_px: float  # side of the portrait in the picture
    opening: np.ndarray  # of the mouth, 0 … 1
    smile: np.ndarray  # stretch of the lips, -1 … 1
    nod: np.ndarray  # -1 … 1


@dataclass(frozen=True)
class Meeting:
    """One scene: two people, and a voice."""

    condition: str  # one of BEHAVIOURS, or OFF_CAMERA
    actors: tuple[Actor, Actor]
    speaker: int | None  # which of them; None: neither
    sound: np.ndarray  # float32 at SAMPLE_RATE_HZ

    @property
    def largest(self) -> int:
        """Which of them is the larger in the picture."""
        return int(self.actors[1].size_px > self.actors[0].size_px)

    @property
    def frames(self) -> int:
        """How many frames of FRAME_RATE_HZ there are."""
        return int(len(self.sound) / SAMPLE_RATE_HZ * FRAME_RATE_HZ)


def make_meeting(
    condition: str, number: int, portraits: tuple[Portrait, Portrait], said: np.ndarray, other: np.ndarray
) -> Meeting:
    """
    Make a meeting; the same arguments make the same one.

    :param condition: One of BEHAVIOURS, or OFF_CAMERA.
    :param number: Of the meeting within its condition; of every two the larger one speaks in one.
    :param said: The voice, float32 at SAMPLE_RATE_HZ without silence around it.
    :param other: Another one, that is not heard: what MOUTHS moves by.
    """
    rng = np.random.default_rng([number, *condition.encode()])
    begin, end = (round(seconds * SAMPLE_RATE_HZ) for seconds in (BEFORE_S, AFTER_S))
    sound = rng.normal(0, ROOM_TONE, begin + len(said) + end).astype(np.float32)
    sound[begin : begin + len(said)] += said
    large = rng.uniform(*LARGE_PX)
    sizes = np.array([large, large * rng.uniform(*SMALLER)])
    speaker = int(rng.integers(2))
    # The larger one is the speaker in every second meeting.
    if (int(np.argmax(sizes)) == speaker) != (number % 2 == 0):
        sizes = sizes[::-1]
    envelope = _envelope(sound)
    # Somebody else's sentence, again and again.
    elsewhere = np.resize(_envelope(np.pad(other, (0, SAMPLE_RATE_HZ // 4))), len(envelope))
    elsewhere = np.roll(elsewhere, int(rng.integers(len(envelope))))
    actors = []
    for index in range(2):
        does = condition
        if condition == OFF_CAMERA:
            does = str(rng.choice(list(BEHAVIOURS)))
        elif index == speaker and condition != NODS:
            does = STILL
        speaks = condition != OFF_CAMERA and index == speaker
        opening, smile, nod = _behave(does, len(envelope), elsewhere, rng)
        if speaks:
            opening, smile = _speak(envelope, rng)
        opening = np.clip(opening + IDLE * _syllables(len(envelope), rng), 0, 1)
        actors.append(Actor(portraits[index], PLACES[index], float(sizes[index]), opening, smile, nod))
    return Meeting(condition, (actors[0], actors[1]), None if condition == OFF_CAMERA else speaker, sound)


def draw(meeting: Meeting, frame: int) -> np.ndarray:
    """Give the picture of a frame: uint8 of shape (480, 640, 3), BGR."""
    seconds = frame / FRAME_RATE_HZ
    picture = _room().copy()
    for index, actor in enumerate(meeting.actors):
        opening, smile, nod = (
            float(np.interp(seconds * STEP_HZ, np.arange(len(curve)), curve))
            for curve in (actor.opening, actor.smile, actor.nod)
        )
        face = move_mouth(actor.portrait, opening, smile)
        _paste(picture, face, actor, nod, seconds + 2.6 * index)
    noise = np.roll(_noise()[frame % len(_noise())], frame * 37, axis=1)
    return cv2.add(picture, noise, dtype=cv2.CV_8U)


def move_mouth(portrait: Portrait, opening: float, smile: float) -> np.ndarray:
    """
    Give a portrait with its mouth moved by a smooth warp; nothing above the nose moves.

    :param opening: 0 as it is … 1: the lower lip and the chin are DROP lower.
    :param smile: -1 … 1: the corners are STRETCH further apart, or closer together.
    """
    side = portrait.picture.shape[0]
    right, left = portrait.mouth
    width = float(np.hypot(*(left - right)))
    middle = (left + right) / 2
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    across, down = (x - middle[0]) / width, (y - middle[1]) / width
    # What lies below the line of the lips goes down whole, and fades to the sides like a jaw.
    below = np.clip((down + 0.1) / 0.4, 0, 1)
    drop = DROP * opening * (below * below * (3 - 2 * below)) * np.exp(-((across / 0.9) ** 2))
    stretch = STRETCH * smile * across * np.exp(-(across**2) - (down / 0.5) ** 2)
    source = ((x - width * stretch).astype(np.float32), (y - width * drop).astype(np.float32))
    return cv2.remap(portrait.picture, *source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _behave(
    does: str, steps: int, elsewhere: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the curves of somebody who does not speak."""
    seconds = np.arange(steps) / STEP_HZ
    opening, smile, nod = np.zeros(steps), np.zeros(steps), np.zeros(steps)
    phase = rng.uniform(0, 2 * np.pi)
    if does == CHEWS:
        opening = 0.25 * (1 + np.sin(2 * np.pi * CHEW_HZ * rng.uniform(0.8, 1.25) * seconds + phase))
    elif does == SMILES:
        begin = rng.uniform(BEFORE_S, max(seconds[-1] - AFTER_S, BEFORE_S + 0.1))
        smile = np.clip((seconds - begin) / 0.4, 0, 1)
    elif does == NODS:
        nod = np.sin(2 * np.pi * NOD_HZ * rng.uniform(0.8, 1.25) * seconds + phase)
    elif does == MOUTHS:
        opening, smile = _speak(elsewhere, rng)
    return opening, smile, nod


def _speak(envelope: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Give the mouth that goes with an envelope: FOLLOWS of it is the voice's, the rest its own, and it is late."""
    late = round(rng.uniform(0, LATEST_S) * STEP_HZ)
    heard = np.concatenate([np.zeros(late), envelope])[: len(envelope)]
    # Its own moves are as fast as syllables, and come while there is a voice, a little before and after too.
    own = _syllables(len(envelope), rng)
    speaks = cv2.GaussianBlur((heard > 0.1).astype(float)[np.newaxis], (0, 0), 0.1 * STEP_HZ)[0]
    spread = heard[heard > 0.1].std()
    opening = FOLLOWS * heard + np.sqrt(1 - FOLLOWS**2) * spread * own * speaks
    smile = 0.5 * _syllables(len(envelope), rng) * speaks
    return np.clip(opening, 0, 1), np.clip(smile, -1, 1)


def _syllables(steps: int, rng: np.random.Generator) -> np.ndarray:
    """Give noise that is as fast as syllables, of mean 0 and standard deviation 1."""
    noise = cv2.GaussianBlur(rng.normal(0, 1, (1, steps)), (0, 0), SYLLABLE_S * STEP_HZ)[0]
    return (noise - noise.mean()) / noise.std()


def _envelope(sound: np.ndarray) -> np.ndarray:
    """Give how loud a sound is, in the loudest tenth of it; at STEP_HZ, shape (steps,)."""
    step = SAMPLE_RATE_HZ // STEP_HZ
    power = np.square(sound[: len(sound) // step * step]).reshape(-1, step).mean(axis=1)
    loud = cv2.GaussianBlur(np.sqrt(power)[np.newaxis].astype(np.float64), (0, 0), ENVELOPE_S * STEP_HZ)[0]
    return np.clip(loud / np.percentile(loud, 90), 0, 1.2)


def _paste(picture: np.ndarray, face: np.ndarray, actor: Actor, nod: float, seconds: float) -> None:
    """Put a face on a picture, softly, swaying a little as everybody does."""
    side, scale = face.shape[0], actor.size_px / face.shape[0]
    place = cv2.getRotationMatrix2D((side / 2, side / 2), NOD[1] * nod + np.sin(seconds * 0.9), scale)
    place[:, 2] += (
        actor.place * WIDTH + 3 * np.sin(seconds * 1.1) - side / 2,
        HEIGHT * 0.45 + 2 * np.sin(seconds * 0.7) + NOD[0] * actor.size_px * nod - side / 2,
    )
    mask = np.zeros((side, side), np.uint8)
    cv2.ellipse(mask, (side // 2, side // 2), (int(side * 0.44), int(side * 0.47)), 0, 0, 360, 255, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), side / 40)
    half = slice(0, WIDTH // 2) if actor.place < 0.5 else slice(WIDTH // 2, WIDTH)
    mask = cv2.cvtColor(cv2.warpAffine(mask, place, (WIDTH, HEIGHT)), cv2.COLOR_GRAY2BGR)[:, half]
    face = cv2.warpAffine(face, place, (WIDTH, HEIGHT))[:, half]
    picture[:, half] = cv2.add(
        cv2.multiply(face, mask, scale=1 / 255), cv2.multiply(picture[:, half], cv2.bitwise_not(mask), scale=1 / 255)
    )


_room = cache(make_room)


@cache
def _noise() -> list[np.ndarray]:
    """Give some pictures of the camera's noise: int16 of shape (480, 640, 3)."""
    return [
        np.random.default_rng(seed).normal(0, SENSOR_NOISE, (HEIGHT, WIDTH, 3)).round().astype(np.int16)
        for seed in range(8)
    ]

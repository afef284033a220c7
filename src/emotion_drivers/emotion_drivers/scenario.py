"""The demo scenario: one face and one voice, going through what a robot meets, as a clip with a common time line."""

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

ASSETS = Path(__file__).parent / 'assets'
WIDTH, HEIGHT = 640, 480  # px
RATE_HZ = 25
SECONDS = 28.0
HEAD = 225.0, 105.0  # centre of the face in the portrait [px]
ROOM_TONE = 0.0005  # standard deviation of the noise between utterances, about -66 dBFS
ENCODER = {'preset': 'superfast', 'crf': '23', 'g': str(RATE_HZ), 'threads': '2'}  # as many threads give the same bytes
SENSOR_NOISE = 1.5  # standard deviation of the camera's noise, of 255

# What happens, for a person who looks on: begin [s], sentence.
EVENTS = (
    (0.0, 'an empty room'),
    (1.0, 'a face comes in'),
    (3.0, 'she speaks, and is glad'),
    (7.8, 'the light goes down'),
    (9.0, 'she speaks low and slowly in the dark'),
    (14.4, 'the light comes back'),
    (15.8, 'the picture is out of focus'),
    (18.4, 'sharp again, and she moves away while she speaks'),
    (22.2, 'she leaves the picture'),
    (23.2, 'a startled voice, and nobody to be seen'),
    (26.0, 'she returns'),
)
UTTERANCES = ((3.0, 'glad'), (9.0, 'weary'), (19.0, 'plain'), (23.2, 'startled'))  # begin [s], asset

# How the picture changes: times [s] and values, linear between.
FACE_X = (
    (1.0, 2.4, 6.0, 7.0, 13.0, 15.0, 19.0, 22.2, 23.0, 26.0, 27.2),
    (-260, 320, 300, 350, 320, 290, 320, 350, 900, 900, 320),
)
FACE_SCALE = (1.0, 5.0, 7.0, 18.6, 20.4, 22.2, 23.0, 26.0, 27.0), (1.5, 1.6, 1.45, 1.5, 0.6, 0.6, 1.1, 1.3, 1.5)
FACE_TILT = (2.4, 4.0, 5.5, 7.0, 10.0, 12.0, 15.0, 19.0, 28.0), (-4, 4, -5, 2, -6, -3, 3, 0, 3)  # degrees
LIGHT = (7.8, 8.8, 14.4, 15.2), (1.0, 0.04, 0.04, 1.0)
GAIN = (7.8, 8.8, 14.4, 15.2), (1.0, 2.0, 2.0, 1.0)  # of the camera's noise: in the dark it turns its gain up
BLUR = (15.8, 16.4, 17.8, 18.4), (0.0, 7.0, 7.0, 0.0)  # standard deviation [px]
FACE_Y = 200.0  # px; lower when the person is small, who would hang in the air otherwise


def what_happens(seconds: float) -> str:
    """Give the sentence for a time of the scenario [s]."""
    return [sentence for begin, sentence in EVENTS if begin <= max(seconds, 0.0)][-1]


def make_room() -> np.ndarray:
    """Paint a wall with soft shapes: nothing that could be taken for a face, and nothing that is black."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    shade = 205 - 45 * y / HEIGHT + 12 * np.sin(x / 170) - 25 * (np.abs(x - 520) < 70) * (y < 260)
    room = np.stack([shade * 0.93, shade * 0.96, shade], axis=-1)
    room[400:] *= 0.75
    return cv2.GaussianBlur(np.clip(room, 0, 255).astype(np.uint8), (0, 0), 12)


class Scene:
    """Draws the picture of any moment; the same moment always looks the same."""

    def __init__(self):
        """Load the portrait."""
        portrait = cv2.imread(str(ASSETS / 'portrait.jpg'))
        self._mask = cv2.imread(str(ASSETS / 'portrait_mask.png'))
        self._person = cv2.multiply(portrait, self._mask, scale=1 / 255)
        self._bottom = portrait.shape[0] - HEAD[1]
        self._room = make_room()
        self._noise = [
            np.random.default_rng(seed).normal(0, SENSOR_NOISE, (HEIGHT, WIDTH, 3)).round().astype(np.int16)
            for seed in range(4)
        ]

    def draw(self, seconds: float) -> np.ndarray:
        """Give the picture at a time [s]: uint8 of shape (480, 640, 3), BGR."""
        scale, x = np.interp(seconds, *FACE_SCALE), np.interp(seconds, *FACE_X)
        y = max(FACE_Y, HEIGHT - self._bottom * scale + 2)
        place = cv2.getRotationMatrix2D(HEAD, np.interp(seconds, *FACE_TILT), scale)
        place[:, 2] += np.array([x, y]) - HEAD
        person = cv2.warpAffine(self._person, place, (WIDTH, HEIGHT))
        mask = cv2.warpAffine(self._mask, place, (WIDTH, HEIGHT))
        picture = cv2.add(person, cv2.multiply(self._room, cv2.bitwise_not(mask), scale=1 / 255))
        blur = np.interp(seconds, *BLUR)
        if blur > 0:
            picture = cv2.GaussianBlur(picture, (0, 0), blur)
        noise = self._noise[int(seconds * RATE_HZ) % len(self._noise)]
        picture = cv2.convertScaleAbs(picture, alpha=np.interp(seconds, *LIGHT))
        return cv2.add(picture, cv2.multiply(noise, np.interp(seconds, *GAIN)), dtype=cv2.CV_8U)


def soundtrack() -> tuple[np.ndarray, int]:
    """Give the scenario's sound, int16 of shape (samples,), and its rate [Hz]."""
    import soundfile

    utterances = [(begin, *soundfile.read(ASSETS / f'{name}.ogg')) for begin, name in UTTERANCES]
    rate = utterances[0][2]
    sound = np.random.default_rng(0).normal(0, ROOM_TONE, int(SECONDS * rate))
    for begin, samples, _ in utterances:
        first = int(begin * rate)
        sound[first : first + len(samples)] += samples
    return (np.clip(sound, -1, 1) * 32767).astype(np.int16), rate


def make(path: Path, seconds: float = SECONDS) -> None:
    """
    Write the scenario as a clip with sound; a file that is there is complete.

    :param path: Where to, MKV; the folder must be there.
    :param seconds: How much of the scenario, from its beginning [s].
    """
    scene = Scene()
    write_clip(path, (scene.draw(index / RATE_HZ) for index in range(int(seconds * RATE_HZ))), soundtrack())


def write_clip(path: Path, pictures: Iterable[np.ndarray], sound: tuple[np.ndarray, int] | None = None) -> None:
    """
    Write pictures at RATE_HZ as MKV with H.264, and FLAC where there is sound; a file that is there is complete.

    :param path: Where to; the folder must be there.
    :param pictures: uint8 of shape (480, 640, 3), BGR.
    :param sound: int16 of shape (samples,), and its rate [Hz]; as long as the pictures, or longer.
    """
    import av

    path = Path(path)
    partial = path.with_name(f'.{os.getpid()}.{path.name}')
    try:
        with av.open(str(partial), 'w', format='matroska', options={'fflags': '+bitexact'}) as container:
            video = container.add_stream('libx264', rate=RATE_HZ, options=ENCODER)
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
            if sound is not None:
                samples, rate = sound
                audio = container.add_stream('flac', rate=rate)
                audio.layout = 'mono'
            for index, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format='bgr24')
                frame.pts, frame.time_base = index, Fraction(1, RATE_HZ)
                container.mux(video.encode(frame))
                if sound is not None:  # that of this frame beside it, so that a player finds both in one place
                    first, last = index * rate // RATE_HZ, (index + 1) * rate // RATE_HZ
                    block = av.AudioFrame.from_ndarray(samples[np.newaxis, first:last], format='s16', layout='mono')
                    block.sample_rate, block.pts, block.time_base = rate, first, Fraction(1, rate)
                    container.mux(audio.encode(block))
            for stream in container.streams:
                container.mux(stream.encode())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)

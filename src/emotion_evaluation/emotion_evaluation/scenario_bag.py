"""
A scripted scene as a bag with ground truth: what a robot meets in three minutes, the same every time it is made.

A subject appears and speaks, turns away, the light goes off, noise comes up, a second person enters. Faces and voices
are those of the developer data pack (the two of a pair are different people who show the same emotion), or the
demo's, which has one face.
"""

import csv
import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import soundfile
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.typesys.store import Typestore

from emotion_core.stamps import NS_PER_S
from emotion_drivers.scenario import ASSETS, HEIGHT, WIDTH, make_room
from emotion_evaluation import topics
from emotion_evaluation.bag_writer import BagWriter
from emotion_evaluation.definitions import installed_types
from emotion_evaluation.errors import BagError
from emotion_evaluation.ground_truth import TOPIC, TYPE, Interval, marks_of

ARCHIVE = 'av_sample.tar'
ALWAYS = QosTime(0, 0)  # as rmw has it: not specified
LATCHED = Qos(  # what holds until the next message, so that a replay from the middle begins with it
    QosHistory.KEEP_LAST,
    1,
    QosReliability.RELIABLE,
    QosDurability.TRANSIENT_LOCAL,
    deadline=ALWAYS,
    lifespan=ALWAYS,
    liveliness=QosLiveliness.SYSTEM_DEFAULT,
    liveliness_lease_duration=ALWAYS,
    avoid_ros_namespace_conventions=False,
)
START_NS = 1_700_000_000 * NS_PER_S
FRAME_RATE_HZ = 15
SAMPLE_RATE_HZ = 16_000
BLOCK = 800  # samples of a message, 50 ms
JPEG_QUALITY = 90
CAMERA_DELAY_NS = 15_000_000  # from a stamp to its being received
ROOM_TONE = 0.0005  # standard deviation, about -66 dBFS
VOICE_LEVEL = 0.06  # RMS of speech, about -24 dBFS
SENSOR_NOISE = 2.0  # standard deviation of the camera's noise, of 255
INFO_PERIOD_S = 5.0
DEMO_VOICES = {'happy': 'glad', 'sad': 'weary', 'neutral': 'plain', 'surprise': 'startled'}


@dataclass(frozen=True)
class Person:
    """Somebody in a scene."""

    subject: str
    label: str
    speaks: tuple[float, ...] = ()  # when in the scene [s]
    x: float = 0.5  # middle of the face, in widths of the picture
    size_px: int = 260  # of the picture of the face, of which the face is about 6 tenths
    turned: float = 0.0  # 0 frontal … 1 seen from the side
    number: int = 0  # which picture and voice of this label
    visible: bool = True


@dataclass(frozen=True)
class Scene:
    """A few seconds in which nothing changes but what is said."""

    seconds: float
    title: str
    people: tuple[Person, ...] = ()
    light: float = 1.0  # factor
    noise_db: float | None = None  # signal-to-noise ratio of babble; None: a quiet room


def _solo(label: str, *speaks: float, **looks: Any) -> tuple[Person, ...]:
    return (Person('a', label, speaks, **looks),)


SCENES = (
    Scene(4, 'an empty room'),
    Scene(13, 'a person appears, glad, and speaks', _solo('happy', 3, 8)),
    Scene(13, 'she gets angry', _solo('angry', 2, 8)),
    Scene(12, 'she looks on in silence', _solo('neutral')),
    Scene(13, 'she turns half away while she speaks', _solo('sad', 2, 8, turned=0.55)),
    Scene(13, 'she turns away and speaks on', _solo('sad', 2, 8, turned=1.0, number=1)),
    Scene(12, 'she turns back, surprised', _solo('surprise', 3)),
    Scene(13, 'the light goes off', _solo('angry', 2, 8, number=1), light=0.08),
    Scene(13, 'still dark, and she is afraid', _solo('fear', 2, 8), light=0.08),
    Scene(12, 'the light comes back, she steps back', _solo('happy', 3, size_px=110, number=2)),
    Scene(13, 'noise comes up', _solo('happy', 2, 8, number=3), noise_db=0.0),
    Scene(13, 'noise, and she is surprised', _solo('surprise', 2, 8, number=1), noise_db=-5.0),
    Scene(
        14,
        'it is quiet; a second person enters and speaks',
        (
            Person('a', 'sad', (), 0.27, 210, number=2),
            Person('b', 'happy', (3, 8), 0.73, 240, number=4),
        ),
    ),
    Scene(
        14,
        'the first one answers',
        (
            Person('a', 'angry', (2, 8), 0.27, 210, number=2),
            Person('b', 'neutral', (), 0.73, 240, number=1),
        ),
    ),
    Scene(8, 'only a voice', (Person('b', 'surprise', (2,), number=2, visible=False),)),
)

_room = cache(make_room)


class Cast:
    """Pictures and voices by label."""

    def __init__(self, data: Path | None = None):
        """
        Load them.

        :param data: The folder of the developer data pack; None: the demo's face and its four voices.
        :raises BagError: when it has no ARCHIVE.
        """
        self._pictures: dict[str, list[np.ndarray]] = {}
        self._voices: dict[str, list[np.ndarray]] = {}
        if data is None:
            portrait = cv2.imread(str(ASSETS / 'portrait.jpg'))
            portrait = cv2.resize(portrait[:320, 65:385], (320, 320), interpolation=cv2.INTER_AREA)
            for label, name in DEMO_VOICES.items():
                self._pictures[label] = [portrait]
                self._voices[label] = [to_utterance(*soundfile.read(ASSETS / f'{name}.ogg', dtype='float32'))]
            return
        path = Path(data) / ARCHIVE
        if not path.is_file():
            raise BagError(f"there is no '{path}': pairs of faces and voices of the same emotion are needed")
        with tarfile.open(path) as tar:
            table = io.TextIOWrapper(tar.extractfile('av_sample/av_pairs.csv'), encoding='utf-8')
            for row in csv.DictReader(table):
                picture = np.frombuffer(tar.extractfile(f'av_sample/{row["image"]}').read(), np.uint8)
                sound = io.BytesIO(tar.extractfile(f'av_sample/{row["audio"]}').read())
                self._pictures.setdefault(row['label'], []).append(cv2.imdecode(picture, cv2.IMREAD_COLOR))
                self._voices.setdefault(row['label'], []).append(to_utterance(*soundfile.read(sound, dtype='float32')))

    def picture(self, person: Person) -> np.ndarray:
        """Give a face: uint8 of shape (320, 320, 3), BGR."""
        return self._of(self._pictures, person)

    def voice(self, person: Person) -> np.ndarray:
        """Give an utterance without silence around it, float32 at SAMPLE_RATE_HZ."""
        return self._of(self._voices, person)

    def babble(self, samples: int) -> np.ndarray:
        """Give several voices at once, of RMS 1."""
        rng = np.random.default_rng(1)
        everything = np.concatenate([voice for voices in self._voices.values() for voice in voices])
        everything = np.tile(everything, samples // len(everything) + 2)
        mixed = sum(np.roll(everything, int(rng.integers(len(everything))))[:samples] for _ in range(6))
        return mixed / np.sqrt(np.mean(np.square(mixed)))

    @staticmethod
    def _of(things: dict[str, list[np.ndarray]], person: Person) -> np.ndarray:
        # The demo has no angry and no fearful one.
        chosen = things.get(person.label) or list(things.values())[person.number % len(things)]
        return chosen[person.number % len(chosen)]


def truth_of(scenes: Sequence[Scene] = SCENES) -> list[Interval]:
    """Give the ground truth of scenes [ns since the epoch]."""
    intervals, begin_ns = [], START_NS
    for scene in scenes:
        end_ns = begin_ns + round(scene.seconds * NS_PER_S)
        intervals += [Interval(begin_ns, end_ns, person.subject, person.label) for person in scene.people]
        begin_ns = end_ns
    return sorted(intervals)


def make(
    folder: Path,
    data: Path | None = None,
    scenes: Sequence[Scene] = SCENES,
    storage: str = 'mcap',
    progress: Callable[[float], None] = lambda seconds: None,
) -> None:
    """
    Write scenes as a bag; the same scenes give the same bytes.

    :param folder: Must not be there yet.
    :param data: See ``Cast``.
    :param progress: Told how far it is [s].
    :raises BagError: when the data is not there, or the bag cannot be written.
    """
    cast = Cast(data)
    kinds = (topics.COMPRESSED, topics.STAMPED, topics.INFO, TYPE)
    types = installed_types(kinds)
    writer = BagWriter(folder, storage, types=types)
    for name, kind in zip(('/image_raw/compressed', '/audio_stamped', '/audio_info', f'/{TOPIC}'), kinds):
        writer.add_topic(name, kind, [LATCHED] if kind in (topics.INFO, TYPE) else ())
    marks = [(mark.stamp_ns, mark.stamp_ns, mark.subject, mark.label) for mark in marks_of(truth_of(scenes))]
    messages = sorted(
        [
            *((stamp, '/' + TOPIC, ('truth', *rest)) for stamp, *rest in marks),
            *_image_times(scenes),
            *_audio_times(scenes),
        ],
        key=lambda message: message[:2],
    )
    make_message = _Messages(types, cast, scenes)
    for index, (received_ns, topic, what) in enumerate(messages):
        kind = writer.topics[topic].type
        writer.write(topic, received_ns, bytes(types.serialize_cdr(make_message(*what), kind)))
        if index % 200 == 0:
            writer.checkpoint()
            progress((received_ns - START_NS) / NS_PER_S)
    writer.close()


def draw(cast: Cast, scenes: Sequence[Scene], seconds: float) -> np.ndarray:
    """Give the picture at a time [s]: uint8 of shape (480, 640, 3), BGR."""
    scene = _scene_at(scenes, seconds)
    picture = _room().astype(np.float32)
    for person in scene.people:
        if person.visible:
            _paste(picture, cast.picture(person), person, seconds)
    noise = np.random.default_rng(round(seconds * FRAME_RATE_HZ)).normal(0, SENSOR_NOISE, (HEIGHT, WIDTH, 1))
    return np.clip(picture * scene.light + noise, 0, 255).astype(np.uint8)


def soundtrack(cast: Cast, scenes: Sequence[Scene]) -> np.ndarray:
    """Give the sound, int16 of shape (samples,)."""
    length = round(sum(scene.seconds for scene in scenes) * SAMPLE_RATE_HZ)
    sound = np.random.default_rng(0).normal(0, ROOM_TONE, length).astype(np.float32)
    babble = cast.babble(length)
    begin = 0
    for scene in scenes:
        end = begin + round(scene.seconds * SAMPLE_RATE_HZ)
        if scene.noise_db is not None:
            sound[begin:end] += babble[begin:end] * VOICE_LEVEL * 10 ** (-scene.noise_db / 20)
        for person in scene.people:
            for offset in person.speaks:
                first = begin + round(offset * SAMPLE_RATE_HZ)
                voice = cast.voice(person)[: end - first]
                sound[first : first + len(voice)] += voice
        begin = end
    return (np.clip(sound, -1, 1) * 32767).astype(np.int16)


def _image_times(scenes: Sequence[Scene]) -> Iterator[tuple[int, str, tuple]]:
    for index in range(round(sum(scene.seconds for scene in scenes) * FRAME_RATE_HZ)):
        stamp_ns = START_NS + index * NS_PER_S // FRAME_RATE_HZ
        yield stamp_ns + CAMERA_DELAY_NS, '/image_raw/compressed', ('image', stamp_ns, index / FRAME_RATE_HZ)


def _audio_times(scenes: Sequence[Scene]) -> Iterator[tuple[int, str, tuple]]:
    block_ns = BLOCK * NS_PER_S // SAMPLE_RATE_HZ
    total_s = sum(scene.seconds for scene in scenes)
    for index in range(round(total_s * SAMPLE_RATE_HZ) // BLOCK):
        stamp_ns = START_NS + index * block_ns
        yield stamp_ns + block_ns, '/audio_stamped', ('audio', stamp_ns, index * BLOCK)
    for index in range(int(total_s / INFO_PERIOD_S) + 1):
        yield START_NS + round(index * INFO_PERIOD_S * NS_PER_S), '/audio_info', ('info',)


class _Messages:
    """Makes each message when it is its turn."""

    def __init__(self, types: Typestore, cast: Cast, scenes: Sequence[Scene]):
        self._types, self._cast, self._scenes = types.types, cast, scenes
        self._sound = soundtrack(cast, scenes)

    def __call__(self, what: str, *values: Any) -> Any:
        return getattr(self, f'_{what}')(*values)

    def _header(self, stamp_ns: int, frame_id: str = '') -> Any:
        stamp = self._types['builtin_interfaces/msg/Time'](*divmod(stamp_ns, NS_PER_S))
        return self._types['std_msgs/msg/Header'](stamp, frame_id)

    def _truth(self, stamp_ns: int, subject: str, label: str) -> Any:
        return self._types[TYPE](self._header(stamp_ns), subject, label)

    def _info(self) -> Any:
        return self._types[topics.INFO](
            channels=1,
            sample_rate=SAMPLE_RATE_HZ,
            sample_format='S16LE',
            bitrate=16 * SAMPLE_RATE_HZ,
            coding_format='wave',
        )

    def _audio(self, stamp_ns: int, first: int) -> Any:
        data = self._types[topics.AUDIO](self._sound[first : first + BLOCK].astype('<i2').view(np.uint8))
        return self._types[topics.STAMPED](self._header(stamp_ns, 'microphone'), data)

    def _image(self, stamp_ns: int, seconds: float) -> Any:
        picture = draw(self._cast, self._scenes, seconds)
        _, encoded = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        return self._types[topics.COMPRESSED](self._header(stamp_ns, 'camera'), 'bgr8; jpeg compressed bgr8', encoded)


def _scene_at(scenes: Sequence[Scene], seconds: float) -> Scene:
    """Give the scene at a time [s]."""
    ends = accumulate(scene.seconds for scene in scenes)
    return next((scene for scene, end in zip(scenes, ends) if seconds < end), scenes[-1])


def _paste(picture: np.ndarray, face: np.ndarray, person: Person, seconds: float) -> None:
    """Put a face on a picture, softly, swaying a little; a turned one gets narrower and darker on one side."""
    side = person.size_px
    half = side * (1 - 0.75 * person.turned) / 2
    x = person.x * WIDTH + 5 * np.sin(seconds * 1.1)
    y = HEIGHT * 0.45 + 3 * np.sin(seconds * 0.7)
    skew = 0.22 * side * person.turned
    source = np.float32([[0, 0], [face.shape[1], 0], [face.shape[1], face.shape[0]], [0, face.shape[0]]])
    target = np.float32(
        [
            [x - half, y - side / 2],
            [x + half, y - side / 2 + skew],
            [x + half, y + side / 2 - skew],
            [x - half, y + side / 2],
        ]
    )
    warp = cv2.getPerspectiveTransform(source, target)
    mask = np.zeros(face.shape[:2], np.float32)
    height, width = mask.shape
    cv2.ellipse(mask, (width // 2, height // 2), (int(width * 0.44), int(height * 0.47)), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), width / 40)[..., np.newaxis]
    shaded = face.astype(np.float32)
    if person.turned:
        shaded = shaded * np.linspace(1, 1 - 0.9 * person.turned, width, dtype=np.float32)[np.newaxis, :, np.newaxis]
    size = (WIDTH, HEIGHT)
    mask = cv2.warpPerspective(mask, warp, size)[..., np.newaxis]
    shaded = cv2.warpPerspective(shaded, warp, size)
    picture += mask * (shaded - picture)


def to_utterance(samples: np.ndarray, rate: int) -> np.ndarray:
    """Cut the silence off a clip, and bring it to VOICE_LEVEL and SAMPLE_RATE_HZ."""
    if rate != SAMPLE_RATE_HZ:
        import soxr

        samples = soxr.resample(samples, rate, SAMPLE_RATE_HZ)
    samples = samples - samples.mean()
    loud = np.flatnonzero(np.abs(samples) > 0.05 * np.abs(samples).max())
    samples = samples[max(loud[0] - 800, 0) : loud[-1] + 1600]
    return (samples * (VOICE_LEVEL / np.sqrt(np.mean(np.square(samples))))).astype(np.float32)

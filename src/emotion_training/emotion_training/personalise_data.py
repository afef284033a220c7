"""Recordings or pictures of one household, as they lie in a folder or manifest, and what a node would make of them."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from emotion_core import images
from emotion_core.emotions import EMOTIONS, to_emotion
from emotion_core.errors import EmotionError, InputError, ModelError
from emotion_core.layout import LAYOUT, labelled_files
from emotion_core.model_card import AudioInput, ImageInput
from emotion_core.store import ModelStore
from emotion_face import preprocess as face_preprocess
from emotion_face.alignment import crop_face
from emotion_face.detector import make_detector
from emotion_face.quality import face_quality
from emotion_speech import preprocess as speech_preprocess
from emotion_speech.quality import segment_quality
from emotion_speech.segmenter import Segmentation, Segmenter
from emotion_speech.vad import FRAME, RATE, SileroVad
from emotion_training import sound
from emotion_training.errors import TrainingError


@dataclass(frozen=True)
class Recording:
    """One file and what it shows."""

    path: Path
    label: int  # index into EMOTIONS
    speaker: str  # '' where all are of one person


class Piece(NamedTuple):
    """What a node would classify of a recording."""

    batch: np.ndarray  # input of the model, of one voice or face
    terms: dict[str, float]  # its quality terms


class Reader(Protocol):
    """Makes pieces of a file as a node makes them of its stream."""

    suffixes: tuple[str, ...]
    noun: str  # what a file is
    content: str  # what must be in it

    def __call__(self, path: Path) -> list[Piece]:
        """Give the pieces of a file, none where nothing is found; raises EmotionError for one that cannot be read."""


class VoiceReader:
    """Finds the segments of speech in a sound file as the speech node does with its default parameters."""

    suffixes, noun, content = sound.SUFFIXES, 'recording', 'speech'

    def __init__(self, spec: AudioInput):
        """Load the voice activity detector."""
        self._spec = spec
        self._vad = SileroVad()
        self._segmenter = Segmenter(Segmentation(), FRAME / RATE)

    def __call__(self, path: Path) -> list[Piece]:
        """Give each segment."""
        samples = sound.load(path.read_bytes(), str(path))
        self._vad.reset()
        self._segmenter.reset()
        frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
        spans = [*(self._segmenter.push(self._vad(frame)) for frame in frames), self._segmenter.flush()]
        segments = [samples[s.start * FRAME : s.end * FRAME] for s in spans if s is not None and s.is_final]
        return [Piece(speech_preprocess.to_batch(s, self._spec), segment_quality(s, RATE)) for s in segments]


class FaceReader:
    """Finds, aligns and cuts out the largest face of a picture as the face node does."""

    suffixes, noun, content = images.SUFFIXES, 'picture', 'a face'

    def __init__(self, spec: ImageInput):
        """Load the face detector: YuNet where the store has it, otherwise Haar."""
        self._spec = spec
        self._detector = make_detector(ModelStore(), 'auto')

    def __call__(self, path: Path) -> list[Piece]:
        """Give the largest face."""
        image = images.read(path)
        if image is None:
            raise InputError('damaged image', f"'{path}' is no picture that OpenCV can read")
        found = self._detector.search(image)
        if not found:
            return []
        face = max(found, key=lambda item: item.box[2] * item.box[3])
        crop = crop_face(image, face, self._detector.name, self._spec.height)
        gray = cv2.cvtColor(crop.pixels, cv2.COLOR_BGR2GRAY)
        size = (image.shape[1], image.shape[0])
        terms = face_quality(gray, crop.size_px, face.box, size, face.score, face.landmarks)
        return [Piece(face_preprocess.to_batch([crop.pixels], self._spec), terms)]


READERS: dict[str, type[Reader]] = {'fer': FaceReader, 'ser': VoiceReader}


def find_recordings(source: Path, reader: type[Reader]) -> tuple[list[Recording], list[str]]:
    """
    List what is to be learned from, in the order of the names, numbers counting as numbers.

    :param source: A folder as LAYOUT says, or a CSV file with the columns path (from the file's own folder on), label
        and, where there are several, speaker.
    :return: The recordings, and a sentence for each kind of file that is left out.
    :raises EmotionError: when there is nothing, a label is no emotion, or a file is there under two emotions.
    """
    if not source.exists():
        raise TrainingError(f"there is no '{source}': name a folder with {reader.noun}s, {LAYOUT}")
    files, others = labelled_files(source, reader.suffixes)
    left_out = []
    if others:
        kinds = ', '.join(sorted({path.suffix or path.name for path in others}))
        left_out.append(f'other files: {len(others)} ({kinds}); {reader.noun}s are {", ".join(reader.suffixes)}')
    recordings: dict[str, Recording] = {}
    unknown, copies = 0, []
    for path, name, person, _ in sorted(files, key=lambda file: _natural(str(file.path))):
        if not name:
            raise TrainingError(f"'{path}' lies in no emotion's folder: '{source}' needs {LAYOUT}")
        try:
            emotion = to_emotion(name)
        except ModelError as error:
            raise TrainingError(
                f"'{path}': '{name}' is none of {', '.join(EMOTIONS)}; '{source}' needs {LAYOUT}"
            ) from error
        if emotion is None:
            unknown += 1
            continue
        try:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise TrainingError(f"'{path}' cannot be read: {error.strerror}") from error
        recording = Recording(path, EMOTIONS.index(emotion), person)
        known = recordings.setdefault(content, recording)
        if known.label != recording.label:
            raise TrainingError(f"'{known.path}' and '{path}' are the same under two emotions: keep one of them")
        if known is not recording:
            copies.append(path)
    if unknown:
        left_out.append(f'disgust and contempt, which the models do not know: {unknown}')
    if copies:
        left_out.append(f'copies of other {reader.noun}s: {len(copies)} ({_shown(copies)})')
    people = {recording.speaker for recording in recordings.values()}
    if '' in people and len(people) > 1:
        nobody = next(recording.path for recording in recordings.values() if not recording.speaker)
        raise TrainingError(
            f"'{nobody}' is of nobody, and others are of {', '.join(sorted(people - {''}))}: say of each who it is, or "
            'of none'
        )
    return list(recordings.values()), left_out


def _shown(files: Iterable[Path]) -> str:
    return ', '.join('/'.join(path.parts[-2:]) for path in files)


def _natural(text: str) -> list[tuple[int, str]]:
    """Make a sort key by which 'take 10' comes after 'take 9'."""
    return [(int(part), '') if part.isdecimal() else (-1, part) for part in re.split(r'(\d+)', text)]


def read(recordings: Iterable[Recording], reader: Reader) -> tuple[list[list[Piece]], list[str]]:
    """
    Make pieces of every recording.

    :return: Those of each recording, and a sentence about those that cannot be read and those without any.
    """
    pieces, silent, damaged = [], [], []
    for recording in recordings:
        try:
            pieces.append(reader(recording.path))
            if not pieces[-1]:
                silent.append(recording.path)
        except EmotionError as error:
            pieces.append([])
            damaged.append(str(error))
    left_out = [f'without {reader.content}: {len(silent)} ({_shown(silent)})'] if silent else []
    return pieces, left_out + damaged


def count_by_emotion(labels: Iterable[int]) -> dict[str, int]:
    """Count recordings by emotion, in the order of EMOTIONS, without those that there are none of."""
    count = Counter(labels)
    return {name: count[i] for i, name in enumerate(EMOTIONS) if count[i]}

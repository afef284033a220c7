"""Pictures and sounds with labels: named corpora, folders, and CSV files."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from emotion_core import images
from emotion_core.emotions import EMOTIONS, to_emotion
from emotion_core.errors import EmotionError, ModelError
from emotion_core.layout import LAYOUT, Labelled, labelled_files
from emotion_evaluation.errors import BagError
from emotion_speech.vad import RATE
from emotion_training import sound

KNOWN = (*images.SUFFIXES, *sound.SUFFIXES)
FACE, SPEECH = 'fer', 'ser'


@dataclass(frozen=True)
class Item:
    """One picture or sound."""

    name: str
    label: int  # index into EMOTIONS
    source: str  # who or what it comes from, for the bootstrap: a speaker, or the item itself
    read: Callable[[], np.ndarray]  # (height, width, 3) uint8 BGR, or mono float32; raises EmotionError


@dataclass(frozen=True)
class Dataset:
    """What is measured on."""

    name: str
    description: str
    task: str  # FACE or SPEECH
    items: Sequence[Item]  # sounds at RATE

    def part(self, limit: int | None) -> 'Dataset':
        """Give a part with as many of each label as can be, the same each time."""
        if limit is None or limit >= len(self.items):
            return self
        order = np.random.default_rng(0).permutation(len(self.items))
        seen = [0] * len(EMOTIONS)
        ranked = []
        for index in order.tolist():
            label = self.items[index].label
            ranked.append((seen[label], index))
            seen[label] += 1
        chosen = sorted(index for _, index in sorted(ranked)[:limit])
        return Dataset(
            self.name,
            f'{self.description}; {limit} of them, evenly over the labels',
            self.task,
            [self.items[index] for index in chosen],
        )


def sha256_of_items(items: Iterable[Item]) -> str:
    """Hash names, labels and contents."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(f'{item.name}\0{item.label}\0'.encode())
        try:
            digest.update(item.read().tobytes())
        except EmotionError:  # what cannot be read is said elsewhere
            continue
    return digest.hexdigest()


def load(name: str, data: Path) -> Dataset:
    """
    Load a data set.

    :param name: 'fer2013', 'ravdess', 'nemo', or the path of a folder or a CSV file.
    :param data: The folder that holds a named one.
    :raises EmotionError: when it is not there, or holds nothing usable.
    """
    if name in NAMED:
        return NAMED[name](data)
    path = Path(name)
    if path.is_dir() or (path.suffix.lower() == '.csv' and path.is_file()):
        return _of_files(path)
    raise BagError(f"'{name}' is neither one of {', '.join(NAMED)} nor a folder or CSV file that is there")


def _fer2013(data: Path) -> Dataset:
    from emotion_training import fer2013

    faces = fer2013.load(data)
    items = [
        Item(
            f'PrivateTest {row}',
            int(faces.labels[row]),
            f'{row}',
            lambda row=row: cv2.cvtColor(faces.images[row], cv2.COLOR_GRAY2BGR),
        )
        for row in np.flatnonzero(faces.usage == fer2013.PRIVATE_TEST).tolist()
    ]
    return Dataset('fer2013', 'FER2013 PrivateTest, six classes, 48x48 crops', FACE, items)


def _ravdess(data: Path) -> Dataset:
    from emotion_training import speech_corpora

    return _clips('ravdess', 'RAVDESS speech, actors 21 to 24', speech_corpora.load_ravdess(data))


def _nemo(data: Path) -> Dataset:
    from emotion_training import speech_corpora

    return _clips('nemo', 'nEMO, speakers KD0 and WR0', speech_corpora.load_nemo(data))


def _clips(name: str, description: str, clips: Sequence) -> Dataset:
    """Give the clips that the bundled models were not trained on, and neither chosen by."""
    items = [
        Item(clip.path, clip.label, clip.speaker, lambda clip=clip: clip.samples)
        for clip in clips
        if clip.split == 'test'
    ]
    return Dataset(name, description, SPEECH, items)


NAMED = {'fer2013': _fer2013, 'ravdess': _ravdess, 'nemo': _nemo}


def _of_files(path: Path) -> Dataset:
    """Make a data set of a folder or table, and say what is left out of it."""
    files, others = labelled_files(path, KNOWN)
    if not files:
        raise BagError(f"'{path}' holds no pictures or sounds in {LAYOUT}")
    left_out = Counter(other.suffix or 'without a suffix' for other in others)
    chosen = []
    for file in files:
        label = _label(file) if file.label else None
        if file.path.suffix.lower() not in KNOWN or not os.path.isfile(file.path):
            raise BagError(f"{file.where}: '{file.path}' is no picture or sound that is there")
        if label is None:
            left_out[file.label or 'in no folder'] += 1
        else:
            chosen.append((file, label))
    suffixes = {file.path.suffix.lower() for file in files}
    pictures = not suffixes.isdisjoint(images.SUFFIXES)
    if pictures and not suffixes.isdisjoint(sound.SUFFIXES):
        raise BagError(f"'{path}' holds pictures and sounds: measure them one after the other")
    kind, read = (FACE, _read_picture) if pictures else (SPEECH, _read_sound)
    items = [
        Item(str(file.path), label, file.person or str(file.path), partial(read, file.path)) for file, label in chosen
    ]
    what = f'{len(items)} {"pictures" if pictures else "sounds"} of {path}'
    people = {file.person for file, _ in chosen} - {''}
    if people:
        what += f', {len(people)} {"people" if len(people) > 1 else "person"}'
    elif not pictures:
        what += ', each taken for a voice of its own: no speaker is named'
    if left_out:
        what += f' ({", ".join(f"{count} {name}" for name, count in sorted(left_out.items()))} left out)'
    if not items:
        raise BagError(f"'{path}' has nothing of {', '.join(EMOTIONS)}: {what}")
    return Dataset(path.stem, what, kind, items)


def _label(file: Labelled) -> int | None:
    """Give the index of an emotion; None for one that is left out."""
    try:
        emotion = to_emotion(file.label)
    except ModelError as error:
        raise BagError(f"{file.where}: '{file.label}' is none of {', '.join(EMOTIONS)}") from error
    return None if emotion is None else EMOTIONS.index(emotion)


def _read_picture(path: Path) -> np.ndarray:
    image = images.read(path)
    if image is None:
        raise EmotionError(f"'{path}' is no picture that can be read")
    return image


def _read_sound(path: Path) -> np.ndarray:
    from emotion_drivers.audio import SoundFile

    file = SoundFile(str(path), RATE, 1)
    try:
        return np.concatenate([np.zeros(0, np.float32), *(block[:, 0] / 32768 for block in file.samples(0))]).astype(
            np.float32
        )
    finally:
        file.close()

"""The FER2013 corpus: 48x48 gray faces with the six emotions (disgust left out), in each form it comes in."""

import csv
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from emotion_core.emotions import EMOTIONS, to_emotion
from emotion_core.errors import ModelError
from emotion_core.images import SUFFIXES, read
from emotion_training.errors import TrainingError
from emotion_training.splits import part_of_each

PACK, TABLE = 'fer2013.npz', 'fer2013.csv'
SIDE = 48  # [px]
TRAINING, PUBLIC_TEST, PRIVATE_TEST = range(3)
USAGES = {'Training': TRAINING, 'PublicTest': PUBLIC_TEST, 'PrivateTest': PRIVATE_TEST}
PACK_COLUMNS = {'labels': np.int64, 'usage': np.int64, 'exact_dup': bool, 'constant': bool}
CODES = ('angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral')  # of the column ``emotion``
NAMES = {str(code): name for code, name in enumerate(CODES)}
VALIDATION_PART = 0.1  # of the training images of each emotion, where the names do not tell PublicTest
LICENCE = (
    'FER2013 (ICML 2013 challenge, images collected from web search, obtained through Kaggle): '
    'no licence stated; research use, not redistributed here'
)
LAYOUT = (
    f"'{PACK}' (JPEG bytes, labels 0-5, usage 0-2), '{TABLE}' (columns emotion, pixels, Usage), or 'train' and 'test' "
    'with a folder of images for each emotion; there or in fer2013/'
)


@dataclass(frozen=True)
class Faces:
    """A corpus of faces; row i of each array is about the same image."""

    images: np.ndarray  # (n, 48, 48) uint8
    labels: np.ndarray  # (n,) index into EMOTIONS
    usage: np.ndarray  # (n,) TRAINING, PUBLIC_TEST or PRIVATE_TEST
    duplicate: np.ndarray  # (n,) bool: a pixel-identical image stands earlier in the file
    constant: np.ndarray  # (n,) bool: blank


def load(folder: Path) -> Faces:
    """
    Read FER2013 (takes a few seconds) from the first of these that is in the folder, or in ``fer2013/`` there.

    * ``fer2013.npz``, as LAYOUT says;
    * ``fer2013.csv``, the table of the competition;
    * ``train/<emotion>`` and ``test/<emotion>``, folders of images. Their names tell PublicTest from PrivateTest
      (``PrivateTest_123.jpg``). Where they do not, all of ``test`` counts as PrivateTest, and of the training images
      of each emotion a tenth, chosen with seed 0, as PublicTest.

    :raises TrainingError: when there is none, or one with other labels or damaged images.
    """
    read = _reader(folder)
    if read is not None:
        return read()
    raise TrainingError(
        f"FER2013 is not in '{folder}': FER training needs FER2013 as {LAYOUT}. The images come from the Kaggle "
        f'competition "Challenges in Representation Learning: Facial Expression Recognition Challenge"; name the '
        f'folder that holds them with --data'
    )


def is_in(folder: Path) -> bool:
    """Tell whether a folder holds FER2013."""
    return _reader(folder) is not None


def _reader(folder: Path) -> Callable[[], Faces] | None:
    for root in (Path(folder), Path(folder) / 'fer2013'):
        if (root / PACK).is_file():
            return lambda: _load_pack(root / PACK)
        if (root / TABLE).is_file():
            return lambda: _faces(root / TABLE, _read_table(root / TABLE))
        if (root / 'train').is_dir() and (root / 'test').is_dir():
            return lambda: _faces(root, _read_folders(root))
    return None


def _load_pack(path: Path) -> Faces:
    try:
        with np.load(path) as archive:
            pack = dict(archive)
        labels, jpeg, offsets = pack['label_names'].tolist(), pack['jpeg'], pack['offsets']
        columns = [pack[name].astype(kind) for name, kind in PACK_COLUMNS.items()]
        sizes = {len(column) for column in (*columns, offsets[1:])}
        if offsets.dtype.kind not in 'iu' or len(sizes) > 1 or 0 in sizes:
            raise ValueError('its columns are not of one length')
        for column, allowed in zip(columns, (len(EMOTIONS), len(USAGES))):
            if not ((column >= 0) & (column < allowed)).all():
                raise ValueError('it has labels or usages that are none')
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise TrainingError(f"'{path}' is not FER2013, or damaged ({error}): get it again") from error
    if tuple(labels) != EMOTIONS:
        raise TrainingError(f"'{path}' has the labels {labels}: {', '.join(EMOTIONS)} are needed")
    images = [
        cv2.imdecode(jpeg[start:end], cv2.IMREAD_GRAYSCALE) if start < end else None
        for start, end in zip(offsets[:-1], offsets[1:])
    ]
    bad = [number for number, image in enumerate(images) if image is None or image.shape != (SIDE, SIDE)]
    if bad:
        raise TrainingError(f"{len(bad)} images of '{path}' are damaged, the first is number {bad[0]}: get it again")
    return Faces(np.stack(images), *columns)


Row = tuple[np.ndarray, int, int]  # image (48, 48) uint8, index into EMOTIONS, usage


def _read_table(path: Path) -> Iterator[Row]:
    try:
        with open(path, newline='') as file:
            reader = csv.DictReader(file)
            if not {'emotion', 'pixels', 'Usage'} <= set(reader.fieldnames or ()):
                raise TrainingError(
                    f"'{path}' has the columns {reader.fieldnames}: emotion, pixels and Usage are needed"
                )
            for number, row in enumerate(reader, 2):
                try:
                    emotion, usage = to_emotion(NAMES[row['emotion']]), USAGES[row['Usage']]
                    image = np.array((row['pixels'] or '').split(), np.uint8).reshape(SIDE, SIDE)
                except (ValueError, LookupError, OverflowError) as error:
                    raise TrainingError(f"line {number} of '{path}' is not a FER2013 image: {error}") from error
                if emotion is not None:
                    yield image, EMOTIONS.index(emotion), usage
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"'{path}' is no table ({error}): get it again") from error


def _emotion_of(folder: Path) -> str | None:
    """Give the emotion of a folder's name; None for one that is left out."""
    try:
        return to_emotion(folder.name)
    except ModelError as error:
        raise TrainingError(
            f"'{folder}' is named like no emotion ({', '.join(EMOTIONS)}, disgust): rename it, or take it away"
        ) from error


def _read_folders(folder: Path) -> Iterator[Row]:
    sides = {'train': TRAINING, 'test': PRIVATE_TEST}
    paths = [
        path for side in sides for path in sorted((folder / side).glob('*/[!.]*')) if path.suffix.lower() in SUFFIXES
    ]
    emotions = [_emotion_of(path.parent) for path in paths]
    usages = np.array([sides[path.parents[1].name] for path in paths])
    for side, usage in sides.items():
        if usage not in usages:
            raise TrainingError(f"'{folder / side}' holds no image: FER2013 is needed as {LAYOUT}")
    public = np.array([path.name.startswith('PublicTest') for path in paths])
    if public.any():
        usages[public] = PUBLIC_TEST
    else:
        training = np.flatnonzero(usages == TRAINING)
        usages[training[part_of_each([str(emotions[i]) for i in training], VALIDATION_PART)]] = PUBLIC_TEST
    for path, emotion, usage in zip(paths, emotions, usages):
        image = read(path, cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise TrainingError(f"'{path}' is no picture that can be read: get it again")
        if image.shape != (SIDE, SIDE):
            height, width = image.shape
            raise TrainingError(f"'{path}' has {width}x{height} pixels: faces of {SIDE}x{SIDE} are needed")
        if emotion is not None:
            yield image, EMOTIONS.index(emotion), usage


def _faces(path: Path, rows: Iterable[Row]) -> Faces:
    """Put the rows of a path in one table, and mark what occurs twice or shows nothing."""
    rows = list(rows)
    if not rows:
        raise TrainingError(f"'{path}' holds no face: FER2013 is needed as {LAYOUT}")
    images, labels, usage = (np.array(column) for column in zip(*rows))
    seen: set[bytes] = set()
    duplicate = []
    for pixels in (image.tobytes() for image in images):
        duplicate.append(pixels in seen)
        seen.add(pixels)
    constant = np.ptp(images.reshape(len(images), -1), axis=1) == 0
    return Faces(images, labels.astype(np.int64), usage.astype(np.int64), np.array(duplicate), constant)

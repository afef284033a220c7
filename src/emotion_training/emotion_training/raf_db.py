"""RAF-DB: aligned colour faces of the web with the six emotions (disgust left out), in its Kaggle layout."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotion_core.emotions import EMOTIONS, to_emotion
from emotion_core.images import read
from emotion_training.errors import TrainingError
from emotion_training.splits import Split, part_of_each

CODES = ('surprise', 'fear', 'disgust', 'happy', 'sad', 'angry', 'neutral')  # of the labels 1 to 7
VALIDATION_PART = 0.1  # of the training images of each emotion: the corpus has no validation images of its own
LICENCE = 'RAF-DB (whdeng.cn/RAF, Li et al. 2017): for non-commercial research only, not redistributed here'
LAYOUT = (
    "'DATASET/train' and 'DATASET/test' with folders 1 to 7 of images, 'train_labels.csv' and 'test_labels.csv' "
    '(columns image, label); there or in RAF-DB/'
)


@dataclass(frozen=True)
class Faces:
    """The corpus; row i is about one image."""

    images: list[np.ndarray]  # uint8 (height, width, 3) BGR, 100x100 as published
    labels: np.ndarray  # (n,) index into EMOTIONS
    split: Split


def is_in(folder: Path) -> bool:
    """Tell whether a folder holds the corpus."""
    return _root(folder) is not None


def load(folder: Path) -> Faces:
    """
    Read the images that the two tables name (all 14,462 of the published corpus take about 0.45 GB of memory).

    Validation is a tenth of the training images of each emotion, chosen with seed 0.

    :param folder: Holds the corpus as LAYOUT says.
    :raises TrainingError: when it is not there, or a table names images that are missing or damaged.
    """
    root = _root(folder)
    if root is None:
        raise TrainingError(f"RAF-DB is not in '{folder}': it is needed as {LAYOUT}")
    images, labels, is_test, bad = [], [], [], []
    for side in ('train', 'test'):
        for name, label in _table(root / f'{side}_labels.csv'):
            emotion = to_emotion(CODES[label - 1])
            if emotion is None:
                continue
            path = root / 'DATASET' / side / str(label) / name
            image = read(path)
            if image is None:
                bad.append(path)
            images.append(image)
            labels.append(EMOTIONS.index(emotion))
            is_test.append(side == 'test')
    if bad:
        listed = ', '.join(f"'{path}'" for path in bad[:5])
        raise TrainingError(f'{len(bad)} images of RAF-DB are missing or damaged, such as {listed}: get it again')
    labels, is_test = np.array(labels, np.int64), np.array(is_test)
    training = np.flatnonzero(~is_test)
    chosen = part_of_each(labels[training], VALIDATION_PART)
    return Faces(images, labels, Split(np.delete(training, chosen), training[chosen], np.flatnonzero(is_test)))


def _root(folder: Path) -> Path | None:
    return next((root for root in (Path(folder), Path(folder) / 'RAF-DB') if (root / 'DATASET').is_dir()), None)


def _table(path: Path) -> list[tuple[str, int]]:
    """Read names and labels 1 to 7."""
    try:
        with open(path, newline='') as file:
            rows = [(row['image'] or '', int(row['label'])) for row in csv.DictReader(file)]
    except FileNotFoundError as error:
        raise TrainingError(f"'{path}' is missing: RAF-DB is needed as {LAYOUT}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"'{path}' is not a table of the columns image and label: {error}") from error
    if not rows or not all(name for name, _ in rows):
        raise TrainingError(f"'{path}' names no image{' in a line' if rows else ''}: get it again")
    wrong = sorted({label for _, label in rows} - set(range(1, len(CODES) + 1)))
    if wrong:
        raise TrainingError(f"'{path}' has the labels {wrong}: 1 to {len(CODES)} are needed")
    return rows

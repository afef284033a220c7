"""Who is trained on, who is validated on, who is tested on; pure functions of names and pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emotion_training.errors import TrainingError

BLANK = 4  # gray levels between the darkest and the brightest pixel; compression makes a few out of one


@dataclass(frozen=True)
class Split:
    """Row numbers of a corpus for the three purposes."""

    train: np.ndarray
    validation: np.ndarray  # chooses the epoch, the temperature and the reliability fit
    test: np.ndarray  # measured once, chooses nothing


def split_faces(images: np.ndarray, usage: np.ndarray) -> Split:
    """
    Split by FER2013's own usage, without an image on two sides.

    The published test set stays whole. A validation image whose pixels occur in the test set is left out, and so is a
    training image whose pixels occur in either; blank images are neither trained nor validated on.

    :param images: (n, height, width) uint8.
    :param usage: (n,) 0 for training, 1 for validation, 2 for test.
    """
    pixels = np.array([image.tobytes() for image in images], dtype=object)
    blank = np.ptp(images.reshape(len(images), -1), axis=1) <= BLANK
    test = np.flatnonzero(usage == 2)
    tested = set(pixels[test])
    validation = np.array([i for i in np.flatnonzero((usage == 1) & ~blank) if pixels[i] not in tested], np.int64)
    held_out = tested | set(pixels[usage == 1])
    train = np.array([i for i in np.flatnonzero((usage == 0) & ~blank) if pixels[i] not in held_out], np.int64)
    return Split(train, validation, test)


def split_speakers(speakers: Sequence[str], validation: Sequence[str], test: Sequence[str]) -> Split:
    """
    Split by speaker: those named for validation, those named for test, the rest for training.

    :param speakers: The speaker of each clip.
    :raises TrainingError: when a speaker is named on both sides, or is not in the corpus.
    """
    both = sorted(set(validation) & set(test))
    if both:
        raise TrainingError(f'speakers {", ".join(both)} are named for validation and for test: choose one side')
    absent = sorted((set(validation) | set(test)) - set(speakers))
    if absent:
        raise TrainingError(f'no clip is by speaker {", ".join(absent)}, who is named for validation or test')
    side = np.array(['validation' if s in validation else 'test' if s in test else 'train' for s in speakers])
    return Split(*(np.flatnonzero(side == name) for name in ('train', 'validation', 'test')))


def part_of_each(labels: Sequence[str], part: float, seed: int = 0) -> np.ndarray:
    """Choose this part of the rows of each label at random, at least one row; gives row numbers in order."""
    labels = np.asarray(labels)
    rng = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        chosen.append(rng.permutation(rows)[: max(round(part * len(rows)), 1)])
    return np.sort(np.concatenate(chosen))

"""Who is trained on, who is validated on, who is tested on; pure functions of names and pixels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from emotion_training.errors import TrainingError

SIDES = ('train', 'validation', 'test')
BLANK = 4  # gray levels between the darkest and the brightest pixel; compression makes a few out of one


@dataclass(frozen=True)
class Split:
    """Row numbers of a corpus for the three purposes."""

    train: np.ndarray
    validation: np.ndarray  # chooses the epoch, the temperature and the reliability fit
    test: np.ndarray  # measured once, chooses nothing

    def learned_hash(self, images: Sequence[np.ndarray], labels: Sequence[int]) -> str:
        """Give the SHA-256 of the images and labels that are trained and validated on, in order."""
        digest = sha256()
        for side in (self.train, self.validation):
            digest.update(f'{len(side)} images '.encode())
            for row in side:
                digest.update(f'{images[row].shape} {labels[row]} '.encode())
                digest.update(np.ascontiguousarray(images[row]))
        return digest.hexdigest()


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


def sides_by_name(speakers: Iterable[str], validation: Sequence[str], test: Sequence[str]) -> dict[str, str]:
    """
    Put the speakers named for validation and for test there, and all others to training.

    :param speakers: All speakers.
    :return: The side of each speaker, one of SIDES.
    :raises TrainingError: when a speaker is named on both sides, or is not one of them.
    """
    both = sorted(set(validation) & set(test))
    if both:
        raise TrainingError(f'speakers {", ".join(both)} are named for validation and for test: choose one side')
    absent = sorted((set(validation) | set(test)) - set(speakers))
    if absent:
        raise TrainingError(f'no clip is by speaker {", ".join(absent)}, who is named for validation or test')
    return {
        speaker: 'validation' if speaker in validation else 'test' if speaker in test else 'train'
        for speaker in sorted(set(speakers))
    }


def sides_by_share(speakers: Iterable[str], validation: float, test: float, seed: int) -> dict[str, str]:
    """
    Draw speakers for validation and for test; the same speakers, shares and seed draw the same everywhere.

    :param speakers: All speakers.
    :param validation: Share of the speakers in [0, 1]; of a share above 0 at least one speaker comes.
    :param test: The same for test.
    :param seed: Another one draws others.
    :return: The side of each speaker, one of SIDES.
    :raises TrainingError: when there are too few speakers to leave one to train on.
    """
    # Ordered by a hash, for random generators may change from release to release.
    drawn = sorted(set(speakers), key=lambda speaker: sha256(f'{seed} {speaker}'.encode()).digest())
    counts = [max(round(share * len(drawn)), 1) if share > 0 else 0 for share in (validation, test)]
    if sum(counts) >= len(drawn):
        raise TrainingError(
            f'{len(drawn)} speaker(s) are too few for {counts[0]} to validate on, {counts[1]} to test on and others '
            f'to train on: lower the shares, or train on all of them (--shares 0 0)'
        )
    return sides_by_name(drawn, drawn[: counts[0]], drawn[counts[0] : sum(counts)])


def check_speakers(pairs: Iterable[tuple[str, str]]) -> None:
    """
    Check that nobody is on two sides.

    :param pairs: Speaker and side of each clip.
    :raises TrainingError: when somebody is; it names them.
    """
    sides: dict[str, set[str]] = {}
    for speaker, side in pairs:
        sides.setdefault(speaker, set()).add(side)
    shared = sorted(speaker for speaker, found in sides.items() if len(found) > 1)
    if shared:
        others = f' and {len(shared) - 1} more' if len(shared) > 1 else ''
        raise TrainingError(
            f"speaker '{shared[0]}'{others} would be heard for "
            f'{" and for ".join(sorted(sides[shared[0]], key=SIDES.index))}: figures on known voices say '
            f'little about others, so keep each speaker on one side'
        )


def part_of_each(labels: Sequence[str], part: float) -> np.ndarray:
    """Choose this part of the rows of each label at random, at least one row, always the same; gives them in order."""
    labels = np.asarray(labels)
    rng = np.random.default_rng(0)
    chosen = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        chosen.append(rng.permutation(rows)[: max(round(part * len(rows)), 1)])
    return np.sort(np.concatenate(chosen))

"""The FER2013 corpus: 48x48 gray faces with the six emotions (disgust left out)."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from emotion_core.emotions import EMOTIONS
from emotion_training.errors import TrainingError

FILE = 'fer2013.npz'
TRAINING, PUBLIC_TEST, PRIVATE_TEST = range(3)
LICENCE = (
    'FER2013 (ICML 2013 challenge, images collected from web search, obtained through Kaggle): '
    'no licence stated; research use, not redistributed here'
)


@dataclass(frozen=True)
class Faces:
    """A corpus of faces; row i of each array is about the same image."""

    images: np.ndarray  # (n, 48, 48) uint8
    labels: np.ndarray  # (n,) index into EMOTIONS
    usage: np.ndarray  # (n,) TRAINING, PUBLIC_TEST or PRIVATE_TEST
    duplicate: np.ndarray  # (n,) bool: a pixel-identical image stands earlier in the file
    constant: np.ndarray  # (n,) bool: blank

    def __len__(self) -> int:
        """Give the number of images."""
        return len(self.images)


def load(folder: Path) -> Faces:
    """
    Decode ``fer2013.npz`` (takes about 2 s).

    :raises TrainingError: when it is missing or holds other labels.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise TrainingError(
            f"'{path}' is missing: FER training needs FER2013 packed as {FILE} (JPEG bytes, labels 0-5, usage 0-2). "
            f'The images come from the Kaggle competition "Challenges in Representation Learning: Facial Expression '
            f'Recognition Challenge"; name the folder that holds the file with --data'
        )
    with np.load(path) as archive:
        if tuple(archive['label_names']) != EMOTIONS:
            raise TrainingError(
                f"'{path}' has the labels {archive['label_names'].tolist()}: {', '.join(EMOTIONS)} are needed"
            )
        jpeg, offsets = archive['jpeg'], archive['offsets']
        images = np.stack(
            [cv2.imdecode(jpeg[start:end], cv2.IMREAD_GRAYSCALE) for start, end in zip(offsets[:-1], offsets[1:])]
        )
        return Faces(
            images,
            archive['labels'].astype(np.int64),
            archive['usage'].astype(np.int64),
            archive['exact_dup'].astype(bool),
            archive['constant'].astype(bool),
        )

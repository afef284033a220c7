"""What a weak detector takes for a face and is none: found on photographs without people, and told from faces."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from emotion_core.images import SUFFIXES, read
from emotion_core.layout import files_below
from emotion_core.metrics import auroc
from emotion_face.alignment import crop_face
from emotion_face.detector import FIRST, Detection, HaarDetector, cascade
from emotion_training.errors import TrainingError

SOURCE = 'photographs without people, for what is no face: chosen by who trains, with their own licences'
LONG_SIDE_PX = 640  # photographs are searched at this size
STEP, NEIGHBOURS = 1.1, 1  # an eager cascade
SMALLEST_PX = 24
MOST = 150  # mistakes that are kept of a photograph, chosen at random
HELD_OUT = 3  # one of so many photographs is for the test
KEPT = 0.98  # share of the validation faces, good and worse ones, that look enough like a face
DECAY = 1e-4  # of the weights of the layer, which has some hundred inputs


@dataclass(frozen=True)
class Mistakes:
    """Crops that a detector cut out of photographs without people."""

    crops: np.ndarray  # uint8 (n, side, side), gray
    picture: np.ndarray  # (n,) number of the photograph
    files: tuple[str, ...]  # name of each photograph

    def side(self, is_test: bool) -> np.ndarray:
        """Give the crops to learn from, or those of other photographs, to test on."""
        return self.crops[(self.picture % HELD_OUT == 0) == is_test]


def find_mistakes(folder: Path, side: int, console: Console) -> Mistakes:
    """
    Search photographs without people for faces.

    :param folder: Holds them, at any depth; they are yours to choose, and one with people in it spoils the rest.
    :param side: Of the crops [px].
    :raises TrainingError: when there are too few to learn from and to test on.
    """
    files = [path for path in files_below(folder) if path.suffix.lower() in SUFFIXES]
    rng = np.random.default_rng(0)
    crops: list[np.ndarray] = []
    picture: list[int] = []
    names: list[str] = []
    for path in track(files, 'Searching photographs without people', console=console):
        image = read(path)
        if image is None:
            console.print(f"'{path}' is no picture that can be read: left out", highlight=False, markup=False)
            continue
        found = _search(image, side)
        for number in rng.permutation(len(found))[:MOST]:
            crops.append(found[number])
            picture.append(len(names))
        names.append(path.name)
    if len(np.unique(picture)) < 2 * HELD_OUT:
        raise TrainingError(
            f"'{folder}' has {len(names)} pictures, and something that looks like a face in {len(np.unique(picture))} "
            f'of them: give at least {2 * HELD_OUT} photographs without people, better a hundred'
        )
    return Mistakes(np.stack(crops), np.array(picture), tuple(names))


def _search(image: np.ndarray, side: int) -> list[np.ndarray]:
    """Give what a cascade takes for a face in a picture and its negative, each turned four ways."""
    scale = min(1.0, LONG_SIDE_PX / max(image.shape[:2]))
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    crops = []
    for version in (image, 255 - image):
        for turns in range(4):
            turned = np.ascontiguousarray(np.rot90(version, turns))
            gray = cv2.cvtColor(turned, cv2.COLOR_BGR2GRAY)
            for box in cascade(FIRST).detectMultiScale(gray, STEP, NEIGHBOURS, minSize=(SMALLEST_PX, SMALLEST_PX)):
                crop = crop_face(turned, Detection(tuple(map(float, box)), 0.5), HaarDetector.name, side).pixels
                crop = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
                crops.append(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY))
    return crops


def fit_layer(faces: np.ndarray, others: np.ndarray, validation: np.ndarray) -> tuple[np.ndarray, float]:
    """
    Fit a logistic regression from embeddings to whether it is a face; both kinds count the same.

    :param faces: Embeddings of faces (n, d).
    :param others: Of what is none (m, d).
    :param validation: Of other faces; KEPT of them get more than 0.5.
    :return: Weights (d,) and bias.
    """
    import torch

    values = torch.tensor(np.concatenate([faces, others]), dtype=torch.float64)
    truth = torch.tensor(np.repeat([1.0, 0.0], [len(faces), len(others)]), dtype=torch.float64)
    weight = torch.tensor(np.repeat([1 / len(faces), 1 / len(others)], [len(faces), len(others)])) / 2
    mean, scale = values.mean(0), values.std(0) + 1e-6
    values = (values - mean) / scale
    layer = torch.zeros(values.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([layer], max_iter=200, line_search_fn='strong_wolfe')

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = values @ layer[:-1] + layer[-1]
        value = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, weight, reduction='sum')
        value = value + DECAY * layer[:-1].square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    weights = (layer[:-1].detach() / scale).numpy()
    return weights, -float(np.quantile(validation @ weights, 1 - KEPT))


def figures(judge: Callable[[np.ndarray], np.ndarray], faces: np.ndarray, mistakes: Mistakes) -> dict:
    """
    Say how well faces are told from what is none.

    :param judge: Gives how much crops (n, side, side) look like a face, in [0, 1].
    :param faces: Held-out faces (n, side, side).
    """
    kept, other = judge(faces), judge(mistakes.side(is_test=True))
    score = np.concatenate([kept, other])
    return {
        'faces': len(kept),
        'faces_kept': round(float((kept >= 0.5).mean()), 4),
        'mistakes': len(other),
        'mistakes_dropped': round(float((other < 0.5).mean()), 4),
        'auroc': round(auroc(score, np.arange(len(score)) < len(kept)), 4),
        'photographs': {
            'train': len(mistakes.files) - len(mistakes.files[::HELD_OUT]),
            'test': len(mistakes.files[::HELD_OUT]),
        },
    }

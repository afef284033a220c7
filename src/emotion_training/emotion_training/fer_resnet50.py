"""The recipe of fer_resnet50: data, augmentation, settings, held-out data."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from rich.console import Console

from emotion_core.emotions import EMOTIONS
from emotion_core.model_card import ImageInput
from emotion_face.preprocess import to_batch
from emotion_training import fer2013, raf_db
from emotion_training.errors import TrainingError
from emotion_training.fer import corrupt_faces
from emotion_training.parallel import own
from emotion_training.recipe import Corrupted, HeldOut, Lazy
from emotion_training.splits import SIDES, Split, split_faces

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 64
LEARNING_RATE = 1e-3  # the peak, of the head
TEST_BATCH = 8  # small: each is made when it is needed
OVERSAMPLED = ('fear', 'angry', 'sad')  # twice in each epoch: rare in RAF-DB, and hard in both corpora
HEAD_PART = 0.2  # of the epochs, in which only the head learns
DEEP_RATE = 0.1  # of the head's learning rate, for the deeper layers
START_FILE = 'start.txt'  # in the run: which of these weights it began with
IMAGENET, RANDOM = 'ImageNet weights', 'random weights, for ImageNet weights could not be downloaded (see --weights)'


@dataclass(frozen=True)
class Pictures:
    """All corpora together; row i of each is about one picture."""

    images: list[np.ndarray]  # uint8, (h, w) gray or (h, w, 3) BGR
    labels: np.ndarray  # (n,) index into EMOTIONS
    corpus: np.ndarray  # (n,) 'fer2013' or 'raf_db'
    duplicate: np.ndarray  # (n,) bool: a pixel-identical image stands earlier in the corpus
    split: Split


class ResNetRecipe:
    """ResNet-50 for 224x224 colour faces, on RAF-DB, FER2013, or both; for a machine with a GPU."""

    name = 'fer_resnet50'
    task = 'fer'
    epochs = 20
    input = ImageInput(224, 224, 'rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))  # ImageNet's

    def __init__(self, folder: Path, run: Path, weights: str | None = None):
        """
        Name the folders; data is read when it is needed.

        :param folder: Holds RAF-DB, FER2013, or both.
        :param run: Where the checkpoints are.
        :param weights: File of torchvision's ImageNet weights of ResNet-50; without it they are downloaded.
        """
        self._folder, self._run, self._weights = folder, run, weights

    @cached_property
    def pictures(self) -> Pictures:
        """The corpora in the folder; raises TrainingError when there is none."""
        if not raf_db.is_in(self._folder) and not fer2013.is_in(self._folder):
            raise TrainingError(
                f"neither RAF-DB nor FER2013 is in '{self._folder}': name a folder with --data that holds RAF-DB as "
                f'{raf_db.LAYOUT}, FER2013 as {fer2013.LAYOUT}, or both'
            )
        corpora = []
        if raf_db.is_in(self._folder):
            faces = raf_db.load(self._folder)
            no_duplicates = np.zeros(len(faces.images), bool)  # none are known
            corpora.append(('raf_db', faces.images, faces.labels, no_duplicates, faces.split))
        if fer2013.is_in(self._folder):
            faces = fer2013.load(self._folder)
            split = split_faces(faces.images, faces.usage)
            corpora.append(('fer2013', list(faces.images), faces.labels, faces.duplicate, split))
        names, images, labels, duplicates, splits = zip(*corpora)
        counts = [len(part) for part in images]
        starts = np.cumsum([0, *counts])
        return Pictures(
            [image for part in images for image in part],
            np.concatenate(labels),
            np.repeat(names, counts),
            np.concatenate(duplicates),
            Split(
                *(
                    np.concatenate([getattr(split, side) + start for split, start in zip(splits, starts)])
                    for side in SIDES
                )
            ),
        )

    def rows(self, seed: int) -> np.ndarray:
        """Give the rows of one epoch in random order, those of OVERSAMPLED emotions twice."""
        train = self.pictures.split.train
        rare = np.isin(self.pictures.labels[train], [EMOTIONS.index(name) for name in OVERSAMPLED])
        return np.random.default_rng(seed).permutation(np.concatenate([train, train[rare]]))

    def batches(self, seed: int, workers: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """
        Give augmented training batches in an order that the seed decides; the incomplete last one is left out.

        :param workers: Processes that prepare them; 0 for this one.
        """
        import torch
        from torch.utils.data import DataLoader

        rows = self.rows(seed)
        chosen = [own(rows[start : start + BATCH]).tolist() for start in range(0, len(rows) - BATCH + 1, BATCH)]
        loader = DataLoader(
            _Augmented(self.pictures, self.input),
            batch_sampler=chosen,
            num_workers=workers,
            generator=torch.Generator().manual_seed(seed),
        )
        for inputs, labels in loader:
            yield inputs.numpy(), labels.numpy()

    def train(self, run: Path, epochs: int, threads: int, console: Console) -> None:
        """Train; the checkpoints go to ``run``."""
        import torch

        from emotion_training import trainer
        from emotion_training.resnet import load_imagenet

        torch.set_num_threads(threads)
        torch.manual_seed(0)
        with console.status('Reading faces'):
            pictures, validation = self.pictures, self.held_out('validation')
        network = self.network()
        if not (run / trainer.LAST_FILE).is_file():
            run.mkdir(parents=True, exist_ok=True)
            (run / START_FILE).write_text(IMAGENET if load_imagenet(network, self._weights) else RANDOM)
        start = (run / START_FILE).read_text()
        counts = ', '.join(f'{(pictures.corpus == name).sum()} of {name}' for name in np.unique(pictures.corpus))
        console.print(
            f'Faces: {counts}; {len(pictures.split.train)} to train on, {len(validation.labels)} to validate on. '
            f'The network starts from {start}.'
        )
        settings = trainer.Settings(
            data=pictures.split.learned_hash(pictures.images, pictures.labels),
            epochs=epochs,
            batch_size=BATCH,
            optimizer='adamw',
            learning_rate=LEARNING_RATE,
            weight_decay=0.05,
            label_smoothing=0.1,
            average_decay=0.998,
        )
        if start == IMAGENET:  # what it begins with is worth keeping: first layers stay, deeper ones change slowly
            deep = {'layer2.': DEEP_RATE, 'layer3.': DEEP_RATE, 'layer4.': DEEP_RATE}
            head = {'': 0.0, 'fc.': 1.0}
            settings = replace(settings, phases=(trainer.Phase(0.0, head), trainer.Phase(HEAD_PART, head | deep)))

        workers = threads if torch.cuda.is_available() else 0  # a GPU must not wait for the pictures
        rows = self.rows(0)
        trainer.fit(
            network,
            settings,
            run,
            len(rows) // BATCH,
            lambda epoch: self.batches(settings.seed * 1000 + epoch, workers),
            validation.score,
            trainer.class_weights(pictures.labels[rows]),
            console,
        )

    def network(self) -> 'nn.Module':
        """Make the network with random weights."""
        from emotion_training.resnet import ResNet50

        return ResNet50()

    def load(self, run: Path) -> 'nn.Module':
        """Give the network with the best weights."""
        from emotion_training import trainer

        network = self.network()
        trainer.load_best(network, run)
        return network

    def labels(self, side: str) -> np.ndarray:
        """Give the labels (n,) of ``'train'``, ``'validation'`` or ``'test'``."""
        return self.pictures.labels[getattr(self.pictures.split, side)]

    def held_out(self, side: str) -> HeldOut:
        """Give the faces of ``'validation'`` or ``'test'``, by corpus and together."""
        pictures = self.pictures
        rows = getattr(pictures.split, side)
        corpus = pictures.corpus[rows]
        groups = {'all': np.ones(len(rows), bool)} | {name: corpus == name for name in np.unique(corpus).tolist()}
        if side == 'test' and 'fer2013' in groups:
            groups['fer2013_without_duplicates'] = groups['fer2013'] & ~pictures.duplicate[rows]
        # A picture that occurs twice is one source.
        sources = np.unique([hash(pictures.images[row].tobytes()) for row in rows], return_inverse=True)[1]
        parts = np.array_split(rows, -(-len(rows) // TEST_BATCH))
        batches = Lazy(len(parts), lambda i: to_batch([pictures.images[row] for row in parts[i]], self.input))
        return HeldOut(batches, pictures.labels[rows], groups, sources)

    def corrupted(self) -> Corrupted:
        """Give each validation face in gray twice, each time worse in a random way; they are halved into two groups."""
        pictures = self.pictures
        return corrupt_faces(pictures.images, pictures.labels, pictures.split.validation, self.input)

    def facts(self) -> dict[str, Any]:
        """Give the fields of the card that people write."""
        corpora = np.unique(self.pictures.corpus).tolist()
        data = [{'fer2013': fer2013.LICENCE, 'raf_db': raf_db.LICENCE}[name] for name in corpora]
        return {
            'description': 'ResNet-50 (He et al. 2016), 23.5 M parameters, for 224x224 colour face crops.',
            'licence': f'Code Apache-2.0. The weights are learned from {" and ".join(corpora)}: see the data for what '
            'that allows; use them for research and evaluation.',
            'training': {
                'data': data,
                'start': (self._run / START_FILE).read_text(),
                'split': 'RAF-DB: its test images; validation is a tenth of its training images of each emotion, '
                'chosen with seed 0. FER2013: Training / PublicTest / PrivateTest (or, where these are not named, see '
                'fer2013.load), without blank images and without images on two sides. Six classes.',
                'images': {side: len(self.labels(side)) for side in SIDES},
                'seed': 0,
                'augmentation': 'flip, crop, rotation, colour, gray, blur, random erasing; '
                f'{", ".join(OVERSAMPLED)} twice in each epoch',
            },
            'under_represented': 'Not known: the corpora name no age, gender or skin tone here, so how well the model '
            'does for any group of people has not been measured.',
            'limits': 'The pictures come from web searches, with noisy labels. Posed and exaggerated faces are '
            'recognised best.',
            'not_for': 'A face does not tell what a person feels: do not use it to judge, select, monitor or diagnose '
            'people.',
        }


class _Augmented:
    """Pictures as the network learns from them, changed at random; what a DataLoader asks by number."""

    def __init__(self, pictures: Pictures, spec: ImageInput):
        import torch

        from emotion_training.vision import v2

        self._pictures = pictures
        self._change = v2.Compose(
            [
                v2.RandomHorizontalFlip(),
                v2.RandomRotation(15, v2.InterpolationMode.BILINEAR),
                v2.RandomResizedCrop((spec.height, spec.width), scale=(0.7, 1.0), ratio=(0.9, 1.1)),
                v2.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.02),
                v2.RandomGrayscale(0.2),
                v2.RandomApply([v2.GaussianBlur(9, (0.5, 3.0))], 0.2),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(spec.mean, spec.std),
                v2.RandomErasing(0.25, scale=(0.02, 0.15)),
            ]
        )

    def __getitem__(self, row: int) -> 'tuple[Tensor, int]':
        import torch

        image = self._pictures.images[row]
        rgb = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB)
        return self._change(torch.from_numpy(rgb).permute(2, 0, 1)), self._pictures.labels[row]

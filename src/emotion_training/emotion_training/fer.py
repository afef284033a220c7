"""The recipe of fer_compact: data, augmentation, settings, held-out data."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.console import Console

from emotion_core import metrics
from emotion_core.emotions import EMOTIONS, softmax
from emotion_core.model_card import ImageInput
from emotion_core.onnx_model import OnnxModel
from emotion_face.classifier import FACE
from emotion_face.preprocess import to_batch
from emotion_face.quality import crop_quality
from emotion_training import fer2013, not_a_face
from emotion_training.corruption import FACE_KINDS, corrupt_face
from emotion_training.face_augmentation import augment
from emotion_training.parallel import RANK, own
from emotion_training.recipe import Corrupted, HeldOut, ModelFunction
from emotion_training.splits import Split, split_faces

if TYPE_CHECKING:
    from torch import nn

    from emotion_training import trainer

BATCH = 128
EXAMPLES = 400  # training faces by which the ranges of int8 are set
FACES = 8000  # training faces that the layer which knows a face learns from
FACE_FILE = 'face.pt'  # its weights, in a run


class Cycle(NamedTuple):
    """A rise and fall of the learning rate; where it ends the next one begins."""

    part: float  # of all epochs
    learning_rate: float
    strength: float  # of the augmentation, see face_augmentation
    sides: tuple[tuple[float, int], ...]  # part of the cycle that is done -> side of the faces [px]; small is cheaper
    taught: float = 0.0  # share, in the targets, of what the network said at the end of the cycle before


# Warm restarts (Loshchilov and Hutter 2017); strong augmentation first, then less of it. In the end the network also
# learns from itself (Furlanello et al. 2018, born-again networks): many labels of FER2013 are wrong.
CYCLES = (
    Cycle(23 / 77, 0.1, 1.0, ((0.0, 48),)),
    Cycle(20 / 77, 0.05, 0.6, ((0.0, 40), (0.6, 48))),
    Cycle(20 / 77, 0.05, 0.6, ((0.0, 40), (0.6, 48)), taught=0.5),
    Cycle(14 / 77, 0.05, 0.6, ((0.0, 40), (0.6, 48)), taught=0.5),
)


class FerRecipe:
    """A compact network for 48x48 gray faces, on FER2013."""

    name = 'fer_compact'
    task = 'fer'
    epochs = 77
    input = ImageInput(48, 48, 'gray', mean=(0.508,), std=(0.255,))  # about those of FER2013's pixels

    def __init__(self, folder: Path, backgrounds: Path | None = None):
        """
        Name the folders; they are read when they are needed.

        :param folder: Holds FER2013.
        :param backgrounds: Holds photographs without people, to learn what is no face; without it all is one.
        """
        self._folder, self._backgrounds = folder, backgrounds

    @cached_property
    def faces(self) -> fer2013.Faces:
        """The corpus; raises TrainingError when it is not in the folder."""
        return fer2013.load(self._folder)

    @cached_property
    def split(self) -> Split:
        """Row numbers of the corpus for training, validation and test."""
        return split_faces(self.faces.images, self.faces.usage)

    def batches(
        self, seed: int, size: int, strength: float = 1.0, targets: np.ndarray | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """
        Give augmented training batches in an order that the seed decides; the incomplete last one is left out.

        :param size: Side of the faces [px].
        :param strength: Of the augmentation, in [0, 1].
        :param targets: By row of the corpus, what a face is to be taken for; by default its label.
        """
        targets = self.faces.labels if targets is None else targets
        shape = replace(self.input, width=size, height=size)
        rng = np.random.default_rng(seed)
        order = rng.permutation(self.split.train)
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = own(order[start : start + BATCH])
            changed = [augment(face, rng, size, strength) for face in self.faces.images[rows]]
            yield to_batch(changed, shape), targets[rows]

    def train(self, run: Path, epochs: int, threads: int, console: Console) -> None:
        """Train; the checkpoints go to ``run``."""
        import torch

        from emotion_training import trainer

        torch.set_num_threads(threads)
        torch.manual_seed(0)
        validation = self.held_out('validation')
        train = self.split.train
        console.print(f'FER2013: {len(train)} images to train on, {len(validation.labels)} to validate on.')

        def validate(model: ModelFunction) -> dict[str, Any]:
            figures = metrics.report(validation.labels, softmax(validation.logits(model)))
            return {key: figures[key] for key in ('accuracy', 'macro_f1')}

        network = self.network()
        for number, cycle in enumerate(CYCLES):
            settings = trainer.Settings(
                epochs=max(round(cycle.part * epochs), 1),
                batch_size=BATCH,
                optimizer='sgd',
                learning_rate=cycle.learning_rate,
                weight_decay=5e-4,
                label_smoothing=0.1,
                average_decay=0.998,
                seed=number,
            )
            console.print(f'Cycle {number + 1} of {len(CYCLES)}: {settings.epochs} epochs.')
            targets = cache(partial(self._targets, copy.deepcopy(network), cycle.taught))  # if there is an epoch left
            trainer.fit(
                network,
                settings,
                run / f'cycle{number}',
                len(train) // BATCH,
                partial(self._epoch, cycle, settings, targets),
                validate,
                trainer.class_weights(self.labels('train')),
                console,
            )
            trainer.load_best(network, run / f'cycle{number}')
        if self._backgrounds is not None:
            self._learn_what_is_no_face(run)

    def _learn_what_is_no_face(self, run: Path) -> None:
        """Fit the layer ``face``, to training faces, good and bad ones, and to what a detector takes for one."""
        import torch

        network = self.load(run)

        @torch.inference_mode()
        def embed(crops: Sequence[np.ndarray]) -> np.ndarray:
            parts = [crops[start : start + BATCH] for start in range(0, len(crops), BATCH)]
            return np.concatenate([network(torch.from_numpy(to_batch(part, self.input)))[1].numpy() for part in parts])

        rng = np.random.default_rng(0)
        mistakes = self.mistakes.side(is_test=False)
        rows = rng.choice(self.split.train, min(FACES, len(self.split.train)), replace=False)
        faces = [augment(face, rng) for face in self.faces.images[rows]]
        worse = [
            corrupt_face(face, rng.choice(FACE_KINDS), 0.5 * rng.random(), rng)
            for face in self.faces.images[self.split.validation]
        ]
        weights, bias = not_a_face.fit_layer(embed(faces), embed([*mistakes, *mistakes[:, ::-1]]), embed(worse))
        torch.save(
            {'weight': torch.tensor(weights[None], dtype=torch.float32), 'bias': torch.tensor([bias]).float()},
            run / FACE_FILE,
        )

    @cached_property
    def mistakes(self) -> not_a_face.Mistakes:
        """What a detector takes for a face in the photographs without people; to find it takes a minute or more."""
        return not_a_face.find_mistakes(self._backgrounds, self.input.width, Console(quiet=RANK > 0))

    def more_figures(self, model: OnnxModel) -> dict[str, dict]:
        """Say how well the model tells faces from what is none, where there are photographs without people."""
        if self._backgrounds is None:
            return {}

        def judge(crops: np.ndarray) -> np.ndarray:
            return model.run(to_batch(crops, self.input), [FACE])[FACE]

        faces = self.faces.images[self.split.test]
        return {'not_a_face': not_a_face.figures(judge, faces, self.mistakes)}

    def _epoch(
        self, cycle: Cycle, settings: 'trainer.Settings', targets: Callable[[], np.ndarray | None], epoch: int
    ) -> Iterator:
        size = [side for start, side in cycle.sides if epoch >= start * settings.epochs][-1]
        return self.batches(settings.seed * 1000 + epoch, size, cycle.strength, targets())

    def _targets(self, network: 'nn.Module', taught: float) -> np.ndarray | None:
        """Mix labels with what a network says of the training faces; None: the labels are the targets."""
        if not taught:
            return None
        import torch

        from emotion_training.networks import FerCompact

        teacher = FerCompact(network).eval()
        targets = np.eye(len(EMOTIONS), dtype=np.float32)[self.faces.labels]
        for rows in np.array_split(self.split.train, len(self.split.train) // BATCH):
            with torch.inference_mode():
                said = softmax(
                    teacher(torch.from_numpy(to_batch(list(self.faces.images[rows]), self.input)))[0].numpy()
                )
            targets[rows] += taught * (said.astype(np.float32) - targets[rows])
        return targets

    def network(self) -> 'nn.Module':
        """Make the network with random weights."""
        from emotion_training.networks import FerMember

        return FerMember()

    def load(self, run: Path) -> 'nn.Module':
        """Give what the last cycle ended with, and the layer that knows a face where there is one."""
        import torch

        from emotion_training import trainer
        from emotion_training.networks import FerCompact

        member = self.network()
        trainer.load_best(member, run / f'cycle{len(CYCLES) - 1}')
        network = FerCompact(member).eval()
        if (run / FACE_FILE).is_file():
            network.face.load_state_dict(torch.load(run / FACE_FILE, weights_only=True))
        return network

    def examples(self) -> list[np.ndarray]:
        """Give training images one by one, as the model takes them."""
        rows = np.random.default_rng(0).choice(self.split.train, EXAMPLES, replace=False)
        return [to_batch([self.faces.images[row]], self.input) for row in rows]

    def labels(self, side: str) -> np.ndarray:
        """Give the labels (n,) of ``'train'``, ``'validation'`` or ``'test'``."""
        return self.faces.labels[getattr(self.split, side)]

    def held_out(self, side: str) -> HeldOut:
        """Give the images of ``'validation'`` (PublicTest) or ``'test'`` (PrivateTest)."""
        rows = getattr(self.split, side)
        groups = {'all': np.ones(len(rows), bool)}
        if side == 'test':
            groups['without_duplicates'] = ~self.faces.duplicate[rows]
        images = self.faces.images[rows]
        # A picture that occurs twice is one source.
        pictures = np.unique(images.reshape(len(rows), -1), axis=0, return_inverse=True)[1]
        parts = np.array_split(images, max(len(rows) // 64, 1))
        return HeldOut([to_batch(part, self.input) for part in parts], self.labels(side), groups, pictures)

    def corrupted(self) -> Corrupted:
        """Give each validation image twice, each time worse in a random way; images are halved into two groups."""
        rng = np.random.default_rng(0)
        rows = np.repeat(self.split.validation, 2)
        kinds = rng.choice(FACE_KINDS, len(rows))
        faces = [corrupt_face(self.faces.images[row], kind, rng.random(), rng) for row, kind in zip(rows, kinds)]
        # Pixel-identical images go to the same half.
        halves = np.array([int(self.faces.images[row].sum()) % 2 for row in rows])
        return Corrupted(
            [to_batch([face], self.input) for face in faces],
            self.faces.labels[rows],
            [crop_quality(face, size_px=len(face)) for face in faces],
            kinds,
            halves,
            np.ones(len(rows)),
        )

    def facts(self) -> dict[str, Any]:
        """Give the fields of the card that people write."""
        return {
            'description': 'Residual network of about 1 M parameters for gray 48x48 face crops, trained from scratch; '
            'it looks at a face and its mirror image, and tells what is no face.',
            'licence': 'Code Apache-2.0. The weights are learned from FER2013, which states no licence and is research '
            'data: use them for research and evaluation.',
            'training': {
                'data': [fer2013.LICENCE] + ([not_a_face.SOURCE] if self._backgrounds else []),
                'split': 'FER2013 usage: Training / PublicTest / PrivateTest, six classes. Left out of training: blank '
                'images and any image whose pixels also occur in PublicTest or PrivateTest; left out of '
                'validation: blank images and those in PrivateTest.',
                'images': {side: len(getattr(self.split, side)) for side in ('train', 'validation', 'test')},
                'seed': 0,
                'augmentation': 'flip, rotation, scale, shift, gamma, contrast, brightness, blur, downscaling, noise, '
                'random erasing',
            },
            'under_represented': 'Not known: FER2013 names no age, gender or skin tone, so how well the model does '
            'for any group of people has not been measured. Covered faces and faces in profile are few.',
            'limits': 'FER2013 comes from a web image search, and its labels are noisy: people reach about 65 % on it '
            '(Goodfellow et al. 2013). Posed and exaggerated faces are recognised best, and mostly near-frontal '
            'ones were trained on.',
            'not_for': 'A face does not tell what a person feels: do not use it to judge, select, monitor or diagnose '
            'people.',
        }

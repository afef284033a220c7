"""The recipe of fer_compact: data, augmentation, settings, held-out data."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from rich.console import Console

from emotion_core.emotions import EMOTIONS
from emotion_core.model_card import ImageInput
from emotion_core.onnx_model import OnnxModel
from emotion_face.classifier import FACE
from emotion_face.preprocess import to_batch
from emotion_face.quality import crop_quality
from emotion_training import fer2013, not_a_face
from emotion_training.corruption import FACE_KINDS, corrupt_face
from emotion_training.errors import TrainingError
from emotion_training.parallel import PROCESSES, RANK, own
from emotion_training.recipe import Corrupted, HeldOut, Lazy
from emotion_training.splits import SIDES, Split, split_faces

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

BATCH = 256
EXAMPLES = 400  # training faces by which the ranges of int8 are set
FACES = 8000  # training faces that the layer which knows a face learns from
FACE_FILE = 'face.pt'  # its weights, in a run
STUDENT = 'student'  # folder of the network that is exported, in a run


class Residual(NamedTuple):
    """A ResidualEncoder, from fresh weights on."""

    stem: int
    stages: tuple[tuple[int, int], ...]


class Pretrained(NamedTuple):
    """A FaceEncoder, which begins with what it knows of faces."""

    side: int
    blocks: int


class Design(NamedTuple):
    """A network and how it learns."""

    encoder: Residual | Pretrained
    epochs: int
    learning_rate: float
    dropout: float


# Many labels of FER2013 are wrong, and a network learns them by heart. What several different ones say in the mean of
# a changed face is a better target than its label (Hinton et al. 2015); the one that ships is shown many changed faces
# for long, each with what the others say of just that view (Beyer et al. 2022).
TEACHERS = (
    Design(Residual(64, ((96, 2), (192, 3), (384, 3))), 70, 0.1, 0.5),
    Design(Residual(64, ((128, 2), (256, 3), (512, 3))), 70, 0.1, 0.5),
    Design(Pretrained(64, 11), 40, 5e-4, 0.5),
    Design(Pretrained(64, 12), 40, 5e-4, 0.5),
    Design(Pretrained(80, 11), 40, 5e-4, 0.5),
)
COMPACT = Design(Pretrained(48, 11), 80, 1e-3, 0.2)
TAUGHT = 0.8  # share, in its targets, of what the teachers say
LESSONS = 20  # epochs of changed faces of which the teachers are asked; then they come again
BEGAN_AS = "HSE's MobileNet (Savchenko 2021, Apache-2.0), learned from VGGFace2, as Human 3.3.6 has it (MIT, on npm)"
KNOWN = 1024  # training faces by which the norms of what is pretrained are set


class FerRecipe:
    """A compact network for 48x48 gray faces, on FER2013, taught by five larger ones."""

    name = 'fer_compact'
    task = 'fer'
    epochs = sum(design.epochs for design in (*TEACHERS, COMPACT))
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

    def batches(self, seed: int, place: 'torch.device') -> Iterator[tuple['Tensor', 'Tensor']]:
        """
        Give augmented training batches in an order that the seed decides; the incomplete last one is left out.

        :param place: Where they are made.
        :return: Faces (batch, 1, 48, 48), and labels as probabilities (batch, 6).
        """
        import torch

        from emotion_training.face_augmentation import augment

        images, labels = (torch.from_numpy(values).to(place) for values in (self.faces.images, self.faces.labels))
        random = torch.Generator(place).manual_seed(seed * PROCESSES + RANK)
        mean, std = self.input.mean[0] * 255, self.input.std[0] * 255
        order = np.random.default_rng(seed).permutation(self.split.train)
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = torch.from_numpy(own(order[start : start + BATCH])).to(place)
            views = (augment(images[rows, None], random) - mean) / std
            yield views, torch.eye(len(EMOTIONS), device=place)[labels[rows]]

    def lessons(
        self, place: 'torch.device', teachers: Sequence['nn.Module']
    ) -> Callable[[int], Iterator[tuple['Tensor', 'Tensor']]]:
        """
        Give what gives the batches of an epoch, with what networks say of each face for TAUGHT of its label.

        The teachers are asked once for each of LESSONS epochs; then these come again.
        """
        told: dict[int, list[Tensor]] = {}

        def lesson(epoch: int) -> Iterator[tuple['Tensor', 'Tensor']]:
            number, asked = epoch % LESSONS, []
            for step, (views, targets) in enumerate(self.batches(number, place)):
                if number not in told:
                    asked.append(said(teachers, views))
                yield views, targets.lerp(told[number][step] if number in told else asked[step], TAUGHT)
            told.setdefault(number, asked)

        return lesson

    def train(self, run: Path, epochs: int, threads: int, console: Console) -> None:
        """Train the teachers, one after the other, then what ships; each has a folder in ``run``."""
        import torch

        from emotion_training import face_encoder, trainer

        torch.set_num_threads(threads)
        with console.status('Reading faces'):  # what is wrong with them is told before anything is fetched
            trainer.check_steps(len(self.split.train) // BATCH, BATCH)
            trainer.class_weights(self.labels('train'))
        run.mkdir(parents=True, exist_ok=True)
        face_encoder.fetch_weights()  # now, not after hours
        place, teachers = trainer.device(), []
        if place.type == 'cpu':
            console.print('There is no GPU: all epochs take about a day of two CPU cores; --epochs does fewer.')
        for number, design in enumerate(TEACHERS, 1):
            name = f'teacher{number}'
            self._fit(name, design, run, epochs, number, partial(self._epoch, number, place), console)
            teachers.append(_network(design))
            trainer.load_best(teachers[-1], run / name)
            teachers[-1].to(place, memory_format=torch.channels_last)
        self._fit(STUDENT, COMPACT, run, epochs, 0, self.lessons(place, teachers), console)
        if self._backgrounds is not None and RANK == 0:
            self._learn_what_is_no_face(run)

    def _epoch(self, seed: int, place: 'torch.device', epoch: int) -> Iterator[tuple['Tensor', 'Tensor']]:
        return self.batches(seed * 1000 + epoch, place)

    def _fit(
        self,
        name: str,
        design: Design,
        run: Path,
        epochs: int,
        seed: int,
        batches: Callable[[int], Iterator[tuple['Tensor', 'Tensor']]],
        console: Console,
    ) -> None:
        import torch

        from emotion_training import trainer

        validation = self.held_out('validation')
        train = self.split.train

        torch.manual_seed(seed)
        network = _network(design)
        pretrained = isinstance(design.encoder, Pretrained)
        if pretrained:
            known = to_batch(self.faces.images[train[:: max(len(train) // KNOWN, 1)]], self.input)
            network.encoder.load_pretrained(network.even(torch.from_numpy(known)))
        settings = trainer.Settings(
            data=self.split.learned_hash(self.faces.images, self.faces.labels),
            epochs=max(round(design.epochs * epochs / self.epochs), 1),
            batch_size=BATCH,
            optimizer='adamw' if pretrained else 'sgd',
            learning_rate=design.learning_rate,
            weight_decay=0.05 if pretrained else 5e-4,
            label_smoothing=0.0 if name == STUDENT else 0.1,
            average_decay=0.998,
            seed=seed,
        )
        console.print(
            f'{name}: {len(train)} images of FER2013 to train on, {len(validation.labels)} to validate on, '
            f'{settings.epochs} epochs.'
        )
        trainer.fit(
            network,
            settings,
            run / name,
            len(train) // BATCH,
            batches,
            validation.score,
            trainer.class_weights(self.labels('train')),
            console,
        )

    def _learn_what_is_no_face(self, run: Path) -> None:
        """Fit the layer ``face``, to training faces, good and bad ones, and to what a detector takes for one."""
        import torch

        from emotion_training.face_augmentation import augment

        network = self.load(run)

        @torch.inference_mode()
        def embed(crops: Sequence[np.ndarray]) -> np.ndarray:
            parts = [crops[start : start + BATCH] for start in range(0, len(crops), BATCH)]
            return np.concatenate([network(torch.from_numpy(to_batch(part, self.input)))[1].numpy() for part in parts])

        rng = np.random.default_rng(0)
        mistakes = self.mistakes.side(is_test=False)
        rows = rng.choice(self.split.train, min(FACES, len(self.split.train)), replace=False)
        views = augment(torch.from_numpy(self.faces.images[rows])[:, None], torch.Generator().manual_seed(0))
        faces = list(views[:, 0].round().to(torch.uint8).numpy())
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
            parts = np.array_split(crops, max(len(crops) // BATCH, 1))
            return np.concatenate([model.run(to_batch(part, self.input), [FACE])[FACE] for part in parts])

        faces = self.faces.images[self.split.test]
        return {'not_a_face': not_a_face.figures(judge, faces, self.mistakes)}

    def network(self) -> 'nn.Module':
        """Make what ships with random weights."""
        return _network(COMPACT)

    def load(self, run: Path) -> 'nn.Module':
        """Give what ships as it was at its best, and the layer that knows a face where there is one."""
        import torch

        from emotion_training import trainer
        from emotion_training.networks import FerCompact

        if not (run / STUDENT / trainer.BEST_FILE).is_file():
            raise TrainingError(
                f"there is no network to export in '{run}' yet: it learns last, after {len(TEACHERS)} larger ones; the "
                'same command without --only begins, or goes on'
            )
        small = self.network()
        trainer.load_best(small, run / STUDENT)
        network = FerCompact(small).eval()
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
        return corrupt_faces(self.faces.images, self.faces.labels, self.split.validation, self.input)

    def facts(self) -> dict[str, Any]:
        """Give the fields of the card that people write."""
        return {
            'description': 'The first eleven blocks of a MobileNet (1.6 M parameters) for gray 48x48 face crops, which '
            'began with what it knew of who a face is, and learned what five larger networks say of a face; it looks '
            'at a face and its mirror image, and tells what is no face.',
            'licence': 'Code Apache-2.0. The weights are learned from FER2013, which states no licence, and began as '
            'weights learned from VGGFace2; both are research data: use them for research and evaluation. NOTICE '
            'beside them has the terms of what they began as.',
            'training': {
                'data': [fer2013.LICENCE, f'weights to begin with: {BEGAN_AS}']
                + ([not_a_face.SOURCE] if self._backgrounds else []),
                'split': 'FER2013 usage: Training / PublicTest / PrivateTest, six classes. Left out of training: blank '
                'images and any image whose pixels also occur in PublicTest or PrivateTest; left out of '
                'validation: blank images and those in PrivateTest.',
                'images': {side: len(getattr(self.split, side)) for side in SIDES},
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


def corrupt_faces(images: Sequence[np.ndarray], labels: np.ndarray, rows: np.ndarray, spec: ImageInput) -> Corrupted:
    """Give these images in gray twice, each time worse in a random way; images are halved into two groups."""
    rng = np.random.default_rng(0)
    rows = np.repeat(rows, 2)
    kinds = rng.choice(FACE_KINDS, len(rows))
    faces = [corrupt_face(_gray(images[row]), kind, rng.random(), rng) for row, kind in zip(rows, kinds)]
    return Corrupted(
        Lazy(len(faces), lambda i: to_batch([faces[i]], spec)),
        labels[rows],
        [crop_quality(face, size_px=len(face)) for face in faces],
        kinds,
        # Pixel-identical images go to the same half.
        np.array([int(images[row].sum()) % 2 for row in rows]),
        np.ones(len(rows)),
    )


def _gray(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def said(teachers: Sequence['nn.Module'], faces: 'Tensor') -> 'Tensor':
    """Give what networks say of faces (n, 1, h, w) and their mirror images, in the mean: probabilities (n, 6)."""
    import torch

    from emotion_training.trainer import autocast

    with torch.no_grad(), autocast(faces.device):
        views = torch.cat([faces, faces.flip(3)])
        both = torch.stack([teacher(views).float().softmax(1) for teacher in teachers]).mean(0)
    return both.unflatten(0, (2, -1)).mean(0)


def _network(design: Design) -> 'nn.Module':
    """Make a network with random weights."""
    from emotion_training.face_encoder import FaceEncoder
    from emotion_training.networks import FaceNetwork, ResidualEncoder

    make = FaceEncoder if isinstance(design.encoder, Pretrained) else ResidualEncoder
    return FaceNetwork(make(*design.encoder), design.dropout)

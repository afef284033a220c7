"""The recipe of ser_compact: data, augmentation, settings, held-out data."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from emotion_core.emotions import softmax
from emotion_core.model_card import AudioInput
from emotion_speech.preprocess import to_batch
from emotion_speech.quality import segment_quality
from emotion_speech.segmenter import TAIL_S, Segmentation
from emotion_training import metrics, speech_corpora
from emotion_training.corruption import SPEECH_KINDS, corrupt_speech
from emotion_training.parallel import own
from emotion_training.recipe import Corrupted, HeldOut, ModelFunction
from emotion_training.speech_augmentation import SpeechAugmentation, active_part
from emotion_training.speech_corpora import Clip
from emotion_training.splits import Split, split_speakers

if TYPE_CHECKING:
    from torch import nn

BATCH = 32
CROP_SECONDS = (1.0, 3.0)  # shortest and longest of a training batch
VALIDATION = ('ravdess/19', 'ravdess/20', 'nemo/TP0')
TEST = ('ravdess/21', 'ravdess/22', 'ravdess/23', 'ravdess/24', 'nemo/KD0', 'nemo/WR0')
TAKES = 4  # corrupted versions of a validation clip


class SerRecipe:
    """A compact network for mono 16 kHz speech, on RAVDESS and nEMO."""

    name = 'ser_compact'
    task = 'ser'
    epochs = 40
    input = AudioInput(sample_rate=16000, min_seconds=0.5, max_seconds=8.0)

    def __init__(self, folder: Path):
        """Name the folder that holds the corpora; they are read when they are needed."""
        self._folder = folder

    @cached_property
    def clips(self) -> list[Clip]:
        """Both corpora; raises TrainingError when one is not in the folder."""
        return speech_corpora.load_ravdess(self._folder) + speech_corpora.load_nemo(self._folder)

    @cached_property
    def split(self) -> Split:
        """Row numbers of the clips for training, validation and test."""
        return split_speakers([clip.speaker for clip in self.clips], VALIDATION, TEST)

    def side(self, name: str) -> list[Clip]:
        """Give the clips of ``'train'``, ``'validation'`` or ``'test'``."""
        return [self.clips[row] for row in getattr(self.split, name)]

    @cached_property
    def augment(self) -> SpeechAugmentation:
        """Changes the training clips at random."""
        return SpeechAugmentation([clip.samples for clip in self.side('train')], self.input.sample_rate)

    def batches(self, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """
        Give augmented training batches, each of one random length, that the seed decides.

        Utterances of about one length go together, so that little is padded; an incomplete batch is left out.
        """
        clips, augment = self.side('train'), self.augment
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(len(clips))[: len(clips) // BATCH * BATCH]
        length = np.array([len(clips[i].samples) for i in chosen]) * rng.uniform(0.8, 1.25, len(chosen))
        for rows in rng.permutation(chosen[np.argsort(length)].reshape(-1, BATCH)):
            changed = [augment(i, rng) for i in own(rows)]
            typical = np.median([len(samples) for samples in changed])
            count = int(np.clip(typical * rng.uniform(0.6, 1.1), *(s * self.input.sample_rate for s in CROP_SECONDS)))
            inputs = np.concatenate([to_batch(_fit(samples, count, rng), self.input) for samples in changed])
            yield inputs, np.array([clips[i].label for i in own(rows)])

    def train(self, run: Path, epochs: int, threads: int, console: Console) -> None:
        """Train; the checkpoints go to ``run``."""
        import torch

        from emotion_training import trainer

        torch.set_num_threads(threads)
        torch.manual_seed(0)
        settings = trainer.Settings(
            epochs=epochs,
            batch_size=BATCH,
            optimizer='adamw',
            learning_rate=2e-3,
            weight_decay=0.05,
            label_smoothing=0.1,
            average_decay=0.995,
        )
        with console.status('Reading RAVDESS and nEMO'):
            clips, validation = self.side('train'), self.held_out('validation')
        speakers = len({clip.speaker for clip in clips})
        console.print(
            f'RAVDESS and nEMO: {len(clips)} clips of {speakers} speakers to train on, '
            f'{len(validation.labels)} of {len(VALIDATION)} to validate on.'
        )

        def validate(model: ModelFunction) -> dict[str, Any]:
            probabilities = softmax(validation.logits(model))
            scores = {
                name: metrics.report(validation.labels[rows], probabilities[rows])['macro_f1']
                for name, rows in validation.groups.items()
                if name != 'all'
            }
            # The corpora count the same, though one has five times the clips.
            return {'macro_f1': round(float(np.mean(list(scores.values()))), 4), **scores}

        trainer.fit(
            self.network(),
            settings,
            run,
            len(clips) // BATCH,
            lambda epoch: self.batches(settings.seed * 1000 + epoch),
            validate,
            trainer.class_weights(np.array([clip.label for clip in clips])),
            console,
        )

    def network(self) -> 'nn.Module':
        """Make the network with random weights."""
        from emotion_training.networks import SerCompact

        return SerCompact()

    def labels(self, side: str) -> np.ndarray:
        """Give the labels (n,) of ``'train'``, ``'validation'`` or ``'test'``."""
        return np.array([clip.label for clip in self.side(side)])

    def held_out(self, side: str) -> HeldOut:
        """Give the whole clips of ``'validation'`` or ``'test'``, by corpus and together."""
        clips = self.side(side)
        corpus = np.array([clip.corpus for clip in clips])
        groups = {'all': np.ones(len(clips), bool)} | {name: corpus == name for name in np.unique(corpus).tolist()}
        return HeldOut(
            [to_batch(clip.samples, self.input) for clip in clips],
            self.labels(side),
            groups,
            np.array([clip.speaker for clip in clips]),
        )

    def corrupted(self) -> Corrupted:
        """
        Give each validation clip a few times, each time worse in a random way; each speaker counts the same.

        The clips are cut as the node cuts its segments: quality depends on how much background stands around them.
        """
        rng = np.random.default_rng(0)
        clips = self.side('validation')
        voices = [_segment(clip.samples, self.input.sample_rate) for clip in clips]
        rows = np.repeat(np.arange(len(clips)), TAKES)
        kinds = rng.choice(SPEECH_KINDS, len(rows))
        sounds = [corrupt_speech(voices[row], kind, rng.random(), rng, voices) for row, kind in zip(rows, kinds)]
        names = [clips[row].speaker for row in rows]
        speakers, place, count = np.unique(names, return_inverse=True, return_counts=True)
        return Corrupted(
            [to_batch(samples, self.input) for samples in sounds],
            np.array([clips[row].label for row in rows]),
            [segment_quality(samples, self.input.sample_rate) for samples in sounds],
            kinds,
            speakers[place],
            1 / count[place],
        )

    def facts(self) -> dict[str, Any]:
        """Give the fields of the card that people write."""
        return {
            'description': 'Log-mel front end, residual network and attentive statistics over time, about 0.7 M '
            'parameters, for the raw waveform; trained from scratch.',
            'licence': 'Code Apache-2.0. The weights are learned from RAVDESS and nEMO, which are CC BY-NC-SA 4.0: not '
            'for commercial use.',
            'training': {
                'data': list(speech_corpora.LICENCES.values()),
                'split': 'By speaker. RAVDESS: actors 1-18 train, 19-20 validation, 21-24 test; nEMO: TP0 validation, '
                'KD0 and WR0 test, the other six train. Calm counts as neutral; disgust is left out. Whole '
                'clips are measured.',
                'clips': {side: len(getattr(self.split, side)) for side in ('train', 'validation', 'test')},
                'seed': 0,
                'augmentation': 'pauses, speed, echo, noise and babble at 0 to 35 dB, band limits, clipping, random '
                'part, masked bands and times',
            },
            'limits': 'Learned from actors: 18 who say two English sentences and 6 who read Polish, adults all; no '
            'child, no old person, no other language and no spontaneous speech was heard or measured. Voices '
            'differ a lot: an unknown speaker of nEMO is recognised much worse than one of RAVDESS (see the '
            'figures by corpus), and one at home may be worse than either. A voice does not tell what a '
            'person feels: do not use it to judge, select, monitor or diagnose people.',
        }


def _fit(samples: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a random part of ``count`` samples out, or put silence on both sides."""
    if len(samples) >= count:
        start = rng.integers(len(samples) - count + 1)
        return samples[start : start + count]
    before = rng.integers(count - len(samples) + 1)
    return np.pad(samples, (before, count - len(samples) - before))


def _segment(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Leave as much silence around the speech as the node does."""
    first, last = active_part(samples)
    return samples[max(first - int(Segmentation().pre_roll * sample_rate), 0) : last + int(TAIL_S * sample_rate)]

"""The recipe of wavlm_ser_base: data, augmentation, settings, held-out data."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from emotion_core.emotions import EMOTIONS
from emotion_core.model_card import AudioInput
from emotion_speech.preprocess import to_batch
from emotion_training.errors import TrainingError
from emotion_training.manifest import Clip, load_clips, split_hash
from emotion_training.parallel import RANK, own
from emotion_training.recipe import Corrupted, HeldOut, Lazy
from emotion_training.ser import WORSE, corrupt_clips, segment
from emotion_training.speech_augmentation import SpeechAugmentation, Surroundings
from emotion_training.speech_corpora import CORPORA
from emotion_training.splits import SIDES

if TYPE_CHECKING:
    from torch import nn

START = 'microsoft/wavlm-base'
START_FILE = 'start.txt'  # in the run: what it began with, a folder by its name alone
BATCH = 16
LONGEST = 6.0  # [s] of a training utterance; of longer ones a random part is used
BODY_RATE = 0.05  # of the head's learning rate, for what is pretrained
PARTS = 5  # of the validation clips, where one speaker says them all
ENCODER_FROZEN = 0.5  # part of the epochs in which the convolutions do not learn


class WavlmRecipe:
    """WavLM for mono 16 kHz speech, on the corpora of manifests; for a machine with a GPU."""

    name = 'wavlm_ser_base'
    task = 'ser'
    epochs = 12
    input = AudioInput(sample_rate=16000, min_seconds=0.5, max_seconds=8.0)

    def __init__(self, manifests: Sequence[Path], folder: Path | None, run: Path, weights: str | None = None):
        """
        Name the data; it is read when it is needed.

        :param manifests: What ``emotion manifest`` wrote.
        :param folder: Holds the corpora; by default each manifest's own folder.
        :param run: Where the checkpoints are.
        :param weights: Folder or hub id of the WavLM to begin with, by default START.
        """
        self._manifests, self._folder, self._run, self._weights = manifests, folder, run, weights

    @cached_property
    def clips(self) -> list[Clip]:
        """All clips; raises TrainingError when one is not there, or an emotion or a side has none."""
        clips = load_clips(self._manifests, self._folder)
        for side in SIDES:
            if not any(clip.split == side for clip in clips):
                raise TrainingError(f'no clip is for {side}: make the manifests again with speakers on each side')
        absent = set(EMOTIONS) - {clip.row.label for clip in clips if clip.split == 'train'}
        if absent:
            raise TrainingError(
                f'no clip to train on is {", ".join(sorted(absent))}: add the manifest of a corpus that has it'
            )
        return clips

    def side(self, name: str) -> list[Clip]:
        """Give the clips of ``'train'``, ``'validation'`` or ``'test'``."""
        return [clip for clip in self.clips if clip.split == name]

    def batches(self, clips: Sequence[Clip], augment: '_Augmented', seed: int, workers: int) -> Iterator:
        """
        Give augmented training batches of utterances of about one length, in an order that the seed decides.

        :param augment: Of these clips.
        :param workers: Processes that prepare them; 0 for this one.
        """
        from torch.utils.data import DataLoader

        rng = np.random.default_rng(seed)
        seconds = np.array([clip.row.duration for clip in clips]) * rng.uniform(0.8, 1.25, len(clips))
        order = rng.permutation(len(clips))[: len(clips) // BATCH * BATCH]
        batches = order[np.argsort(seconds[order])].reshape(-1, BATCH)
        chosen = [[(seed, row) for row in own(rows).tolist()] for rows in rng.permutation(batches)]
        loader = DataLoader(
            augment,
            batch_sampler=chosen,
            collate_fn=_same_length,
            num_workers=workers,
            multiprocessing_context='fork' if workers else None,  # they share the samples
        )
        yield from loader

    def train(self, run: Path, epochs: int, threads: int, console: Console) -> None:
        """Train; the checkpoints go to ``run``, which is a model of Hugging Face afterwards."""
        import torch

        from emotion_training import trainer, wavlm

        torch.set_num_threads(threads)
        torch.manual_seed(0)
        clips, validation = self.side('train'), self.held_out('validation')
        if len(clips) < BATCH:
            raise TrainingError(f'{len(clips)} clips are too few to train on: at least {BATCH} are needed')
        weights = self._weights or START
        start = Path(weights).resolve().name if Path(weights).is_dir() else weights
        if (run / trainer.LAST_FILE).is_file():
            began = (run / START_FILE).read_text()
            if self._weights is not None and start != began:
                raise TrainingError(
                    f"'{run}' began with {began}, not with {start}: leave --weights out, or name another --out"
                )
            network, start = self.network(), began
        else:
            with console.status(f'Getting {escape(weights)}'):
                network = wavlm.start(weights)
            if RANK == 0:
                wavlm.describe(network, run)
                (run / START_FILE).write_text(start)
        for clip in track(clips, 'Reading clips', console=console, transient=True):
            clip.samples  # noqa: B018 - decoded once, now
        counts = ', '.join(f'{side} {len(self.side(side))}' for side in SIDES)
        console.print(f'Clips: {counts}. The network starts from {start}.', highlight=False, markup=False)
        body = {'': 1.0, wavlm.BODY: BODY_RATE}
        settings = trainer.Settings(
            data=split_hash(clip.row for clip in self.clips),
            epochs=epochs,
            batch_size=BATCH,
            optimizer='adamw',
            learning_rate=1e-3,
            weight_decay=0.01,
            label_smoothing=0.1,
            average_decay=0.995,
            phases=(
                trainer.Phase(0.0, body | {wavlm.ENCODER: 0.0}),
                trainer.Phase(ENCODER_FROZEN, body),
            ),
        )

        augment = _Augmented(clips, self.input)
        workers = threads if torch.cuda.is_available() else 0  # a GPU must not wait for the sound
        trainer.fit(
            network,
            settings,
            run,
            len(clips) // BATCH,
            lambda epoch: self.batches(clips, augment, settings.seed * 1000 + epoch, workers),
            validation.score,
            trainer.class_weights(self.labels('train')),
            console,
        )
        if RANK == 0:
            network = self.network()
            trainer.load_best(network, run)
            wavlm.save(network, run)

    def network(self) -> 'nn.Module':
        """Make the network with random weights; raises TrainingError before the run has begun."""
        from emotion_training import wavlm

        return wavlm.from_run(self._run)

    def load(self, run: Path) -> 'nn.Module':
        """Give the network with the best weights."""
        from emotion_training import trainer

        network = self.network()
        trainer.load_best(network, run)
        return network

    def labels(self, side: str) -> np.ndarray:
        """Give the labels (n,) of ``'train'``, ``'validation'`` or ``'test'``."""
        return np.array([clip.label for clip in self.side(side)])

    def held_out(self, side: str) -> HeldOut:
        """Give the whole clips of ``'validation'`` or ``'test'``, by corpus and together."""
        clips = self.side(side)
        corpus = np.array([clip.corpus for clip in clips])
        groups = {'all': np.ones(len(clips), bool)} | {name: corpus == name for name in np.unique(corpus).tolist()}
        rate = self.input.sample_rate
        return HeldOut(
            Lazy(len(clips), lambda i: to_batch(segment(clips[i].samples, rate), self.input)),
            self.labels(side),
            groups,
            np.array([clip.speaker for clip in clips]),
        )

    def corrupted(self) -> Corrupted:
        """
        Give each validation clip a few times, each time worse in a random way; each speaker counts the same.

        The groups are the speakers. Where there is one, they are parts of the clips, each clip in one.

        :raises TrainingError: when there is one clip.
        """
        clips = self.side('validation')
        if len(clips) < 2:
            raise TrainingError('one clip to validate on cannot tell how far to believe the model: two are needed')
        corrupted = corrupt_clips(clips, self.input)
        if len({clip.speaker for clip in clips}) > 1:
            return corrupted
        parts = np.repeat(np.arange(len(clips)) % PARTS, WORSE)
        return replace(corrupted, groups=parts, grouped='groups of clips of one speaker')

    def facts(self) -> dict[str, Any]:
        """Give the fields of the card that people write."""
        corpora = sorted({clip.corpus for clip in self.clips})
        data = [CORPORA[name].where if name in CORPORA else f'{name}: recordings of your own' for name in corpora]
        sides = {side: self.side(side) for side in SIDES}
        return {
            'description': 'WavLM (Chen et al. 2022) with a mean over time and a linear layer, for the raw waveform.',
            'licence': f'Code Apache-2.0. The weights are learned from {", ".join(corpora)}, and before that from what '
            'their start was: see both for what that allows.',
            'training': {
                'data': data,
                'start': (self._run / START_FILE).read_text(),
                'split': 'By speaker, as the manifests say. Calm counts as neutral; disgust is left out. Whole clips '
                'are measured.',
                'split_sha256': split_hash(clip.row for clip in self.clips),
                'clips': {side: len(clips) for side, clips in sides.items()},
                'speakers': {side: len({clip.speaker for clip in clips}) for side, clips in sides.items()},
                'seed': 0,
                'augmentation': 'pauses, speed, echo, noise and babble, band limits, clipping, random part, masks',
            },
            'under_represented': 'Whoever the corpora have few of: of the known ones all have grown-up speakers, most '
            'of them actors, and English is by far the most frequent language.',
            'limits': 'Acted speech is recognised best. Who speaks matters: a voice at home may be recognised much '
            'worse than the figures say.',
            'not_for': 'A voice does not tell what a person feels: do not use it to judge, select, monitor or diagnose '
            'people.',
        }


class _Augmented:
    """Utterances as the network learns from them, changed at random; what a DataLoader asks by seed and number."""

    def __init__(self, clips: Sequence[Clip], spec: AudioInput):
        self._clips, self._spec = clips, spec
        self._change = SpeechAugmentation([clip.samples for clip in clips], spec.sample_rate)

    def __getitem__(self, which: tuple[int, int]) -> tuple[np.ndarray, int, float]:
        """Give samples (n,), label, and where in the utterance a part of it would begin in [0, 1)."""
        seed, row = which
        rng = np.random.default_rng((seed, row))
        samples = self._change(row, Surroundings.draw(rng, self._spec.sample_rate), rng)
        return to_batch(samples, self._spec)[0], self._clips[row].label, rng.random()


def _same_length(items: list[tuple[np.ndarray, int, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Cut the longer half of a batch, and put silence after the others."""
    count = int(min(np.median([len(samples) for samples, _, _ in items]), LONGEST * WavlmRecipe.input.sample_rate))
    batch = np.zeros((len(items), count), np.float32)
    for line, (samples, _, place) in zip(batch, items):
        start = int(place * max(len(samples) - count + 1, 1))
        part = samples[start : start + count]
        line[: len(part)] = part
    return batch, np.array([label for _, label, _ in items])

"""The recipe of ser_compact: data, augmentation, settings, held-out data."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

from emotion_core import metrics
from emotion_core.emotions import EMOTIONS, softmax
from emotion_core.model_card import AudioInput
from emotion_speech.preprocess import to_batch
from emotion_speech.quality import segment_quality
from emotion_speech.segmenter import TAIL_S, Segmentation
from emotion_training import speech_corpora
from emotion_training.corruption import SPEECH_KINDS, corrupt_speech
from emotion_training.manifest import Clip, split_hash
from emotion_training.parallel import RANK, own
from emotion_training.recipe import Corrupted, HeldOut, ModelFunction
from emotion_training.speech_augmentation import SpeechAugmentation, Surroundings, active_part, change_bands
from emotion_training.splits import SIDES, Split
from emotion_training.voice_change import VoiceChangeFit, fit_voice_change

if TYPE_CHECKING:
    from torch import nn

    from emotion_training.functionals import SerMember

SPEAKERS = 5  # whose utterances are in a training batch
FRAMES = (100, 260)  # fewest and most 10 ms frames of a training batch
TAKES = 8  # times that each training clip is changed at random; an epoch uses one take of each speaker
SORTED = 0.3  # part of the speakers of an epoch who say much the same emotion in a row
SHIFT = 1 / 32  # most shift of the spectrum [of its bands]
TILT = 0.044  # deviation of its tilt, of 40 dB
MEMBERS = 2
FOLDS = 4  # parts of the speakers, each of which is told of by a network that has heard the others
ENCODER_PART = 1 / 12  # of the epochs, as many in which the encoder learns; those of a member take a second
ENCODER_RATE = 0.05  # of its head's learning rate: it begins with what it knows of speech
ENCODER_KEPT = 0.5  # share of the weights that it began with, in the end: see LOG.md
ENCODER_FILE = 'encoder.pt'  # its weights, in a run
ROWS = 128  # utterances in a training batch of members
HEARD = (8, 300)  # fewest and most utterances heard before, where the voice is known
NEW = 0.6  # part of the utterances whose voice is new
# Training speakers whom the first member never hears: three validation speakers are too few to calibrate on.
CALIBRATION = ('ravdess/15', 'ravdess/16', 'ravdess/17', 'ravdess/18', 'nemo/IC0', 'nemo/SM0')
PRETRAINED = (
    "the first half of Whisper tiny's encoder (OpenAI, MIT; Radford et al. 2023), which learned to write down many "
    'languages, as Smart Turn v3.2 has it (Daily, BSD-2-Clause; in pipecat-ai 1.14.0 on PyPI), where it learned '
    'further to tell when somebody has said what they want to say'
)
WORSE = 4  # corrupted versions of a clip
WORSE_CLIPS = 60  # at most, of each speaker
SPECTRA = 60  # clips of each training speaker, at most, from which it is learned how voices differ


class Sound(NamedTuple):
    """What the networks hear of an utterance."""

    spectrum: np.ndarray  # (SpeechSpectrum.BANDS, frames) float16
    functionals: np.ndarray  # (Functionals.COUNT,) float32; then with the code of the encoder


class SerRecipe:
    """A compact network for mono 16 kHz speech, on RAVDESS and nEMO."""

    name = 'ser_compact'
    task = 'ser'
    epochs = 72
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
        sides = np.array([clip.split for clip in self.clips])
        return Split(*(np.flatnonzero(sides == side) for side in SIDES))

    def side(self, name: str) -> list[Clip]:
        """Give the clips of ``'train'``, ``'validation'`` or ``'test'``."""
        return [self.clips[row] for row in getattr(self.split, name)]

    def takes(self, clips: list[Clip], count: int, seed: int, console: Console) -> list[list[Sound]]:
        """Change clips at random, a speaker's all in one voice, room and microphone; gives each take of all clips."""
        augment = SpeechAugmentation([clip.samples for clip in clips], self.input.sample_rate)
        takes = []
        for take in track(range(count), 'Changing clips', console=console):
            rng = np.random.default_rng(seed * 1000 + take)
            speakers = sorted({clip.speaker for clip in clips})
            around = {speaker: Surroundings.draw(rng, self.input.sample_rate) for speaker in speakers}
            takes.append([self._hear(augment(i, around[clip.speaker], rng)) for i, clip in enumerate(clips)])
        return takes

    def batches(
        self, clips: list[Clip], takes: list[list[Sound]], seed: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """
        Give training batches that the seed decides: bands of GROUP utterances of each of SPEAKERS speakers.

        :param clips: Who says what in the takes.
        """
        from emotion_training.networks import SerEncoder

        rng = np.random.default_rng(seed)
        labels = np.array([clip.label for clip in clips])
        groups = []  # number of a take, numbers of clips
        for take, rows in _orders(clips, len(takes), rng):
            count = len(rows) // SerEncoder.GROUP
            groups += [(take, part) for part in rows[: count * SerEncoder.GROUP].reshape(count, SerEncoder.GROUP)]
        rng.shuffle(groups)
        for start in range(0, len(groups) - SPEAKERS + 1, SPEAKERS):
            chosen = groups[start : start + SPEAKERS]
            bands = [[takes[take][row].spectrum for row in rows] for take, rows in chosen]
            typical = np.median([band.shape[1] for group in bands for band in group])
            frames = int(np.clip(typical * rng.uniform(0.6, 1.05), *FRAMES))
            parts = []
            for group in bands:
                most = SHIFT * len(group[0])
                shift, tilt = rng.uniform(-most, most) * (rng.random() < 0.5), rng.normal(0, TILT)
                fitted = [_fit(band, frames, rng) for band in group]
                parts.append(np.stack([change_bands(band, shift, tilt) for band in fitted]))
            mine = own(np.arange(SPEAKERS))
            yield (
                np.concatenate([parts[i] for i in mine]),
                np.concatenate([labels[chosen[i][1]] for i in mine]),
            )

    def rows(
        self, clips: list[Clip], takes: list[list[Sound]], voices: np.ndarray | None, seed: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """
        Give training batches that the seed decides: ROWS rows for a SerMember.

        :param clips: Who says what in the takes.
        :param voices: (takes, clips, COUNT) what of each utterance is remembered; None: all voices are new.
        """
        rng = np.random.default_rng(seed)
        labels = np.array([clip.label for clip in clips])
        rows = np.empty((len(clips), 3 * len(takes[0][0].functionals) + 1), np.float32)
        for take, order in _orders(clips, len(takes), rng):
            said = np.stack([takes[take][row].functionals for row in order])
            if voices is None:
                rows[order] = new_rows(said)
                continue
            voice = voices[take, order]
            place = np.arange(len(order))
            heard = np.exp(rng.uniform(*np.log(HEARD), (len(order), 1))) * (rng.random((len(order), 1)) >= NEW)
            if rng.random() < SORTED:  # those just before
                before = (place < place[:, None]) & (place >= place[:, None] - heard)
            else:
                before = (rng.random((len(order), len(order))) < heard / len(order)) & (place != place[:, None])
            count = before.sum(1, keepdims=True)
            share = (before / np.maximum(count, 1)).astype(np.float32)
            rows[order] = np.hstack([said, share @ voice, share @ voice**2, count])
        order = rng.permutation(len(clips))
        for start in range(0, len(order) - ROWS + 1, ROWS):
            mine = own(order[start : start + ROWS])
            yield rows[mine], labels[mine]

    def train(self, run: Path, epochs: int, threads: int, console: Console) -> None:
        """Train the encoder, then one member after the other; each network has a folder in ``run``."""
        import torch

        from emotion_training import trainer
        from emotion_training.functionals import SerMember, fit_population, without_emotion
        from emotion_training.networks import SerEncoder
        from emotion_training.speech_encoder import SpeechEncoder

        torch.set_num_threads(threads)
        torch.manual_seed(0)
        network, pretrained = SerEncoder(), SpeechEncoder()
        pretrained.load_pretrained()
        network.encoder.load_state_dict(pretrained.state_dict())
        with console.status('Reading RAVDESS and nEMO'):
            everyone, held = self.side('train'), self.side('validation')
            validation = [self._hear(segment(clip.samples, self.input.sample_rate)) for clip in held]
            for clip in everyone:
                clip.samples  # noqa: B018 - decoded once, now
        truth = np.array([clip.label for clip in held])
        corpus = np.array([clip.corpus for clip in held])
        takes = self.takes(everyone, min(TAKES, epochs), 0, console)

        def scores(inputs: list[np.ndarray], model: ModelFunction) -> dict[str, Any]:
            logits = np.concatenate([model(one) for one in inputs])
            scores = {
                name: metrics.report(truth[corpus == name], softmax(logits[corpus == name]))['macro_f1']
                for name in np.unique(corpus).tolist()
            }
            # The corpora count the same, though one has five times the clips.
            return {'macro_f1': round(float(np.mean(list(scores.values()))), 4), **scores}

        def heard_by(member: int) -> tuple[list[Clip], list[list[Sound]]]:
            chosen = [i for i, clip in enumerate(everyone) if member > 0 or clip.speaker not in CALIBRATION]
            return [everyone[i] for i in chosen], [[take[i] for i in chosen] for take in takes]

        def fit(
            network: 'nn.Module', name: str, clips: list[Clip], batches: Callable, inputs: list[np.ndarray], **settings
        ) -> None:
            console.print(
                f'{name}: {len(clips)} clips of {len({clip.speaker for clip in clips})} speakers to train on, '
                f'{len(held)} of {len({clip.speaker for clip in held})} to validate on.'
            )
            trainer.fit(
                network,
                trainer.Settings(
                    data=split_hash(clip.row for clip in self.clips),
                    optimizer='adamw',
                    weight_decay=0.05,
                    label_smoothing=0.1,
                    average_decay=0.995,
                    **settings,
                ),
                run / name,
                sum(1 for _ in batches(0)),
                batches,
                partial(scores, inputs),
                trainer.class_weights(np.array([clip.label for clip in clips])),
                console,
            )
            trainer.load_best(network, run / name)

        # Who is to calibrate on is heard neither by the encoder nor by the first member.
        clips, heard = heard_by(0)
        fit(
            network,
            'encoder',
            clips,
            partial(self.batches, clips, heard),
            [sound.spectrum[np.newaxis].astype(np.float32) for sound in validation],
            epochs=max(round(ENCODER_PART * epochs), 1),
            batch_size=SPEAKERS,
            learning_rate=2e-3,
            phases=(trainer.Phase(0.0, {'encoder': ENCODER_RATE, '': 1.0}),),
        )
        # Between what it began with and what it learned: it does better on people unheard (Wortsman et al. 2022).
        for learned, before in zip(network.encoder.parameters(), pretrained.parameters()):
            learned.data.lerp_(before.data, ENCODER_KEPT)
        if RANK == 0:
            torch.save(network.encoder.state_dict(), run / ENCODER_FILE)
        takes = [_with_codes(network.encoder, take) for take in track(takes, 'Encoding speech', console=console)]
        said = np.stack([sound.functionals for sound in _with_codes(network.encoder, validation)])

        def fit_member(
            name: str,
            seed: int,
            clips: list[Clip],
            heard: list[list[Sound]],
            told: np.ndarray | None = None,
        ) -> 'SerMember':
            functionals = np.array([[sound.functionals for sound in take] for take in heard])
            population = fit_population(
                np.concatenate(functionals),
                np.array([clip.label for clip in clips] * len(heard)),
                np.array([clip.speaker for clip in clips] * len(heard)),
            )
            torch.manual_seed(seed)
            member = SerMember(population)
            voices, rows = None, new_rows(said)
            if told is not None:
                emotions = population.emotions.astype(np.float32)
                voices = without_emotion(functionals, told, emotions)
                rows = known_rows(said, without_emotion(said, of_held, emotions), [clip.speaker for clip in held])
            fit(
                member,
                name,
                clips,
                partial(self._rows, seed, clips, heard, voices),
                [rows],
                epochs=epochs,
                batch_size=ROWS,
                learning_rate=3e-3,
                seed=seed,
            )
            return member

        # What of an utterance is its emotion is told by networks that have not heard the speaker, as it will be later.
        told = np.zeros((len(takes), len(everyone), len(EMOTIONS)), np.float32)
        names = sorted({clip.speaker for clip in everyone}, key=lambda name: (name in CALIBRATION, name))
        fold_of = {name: place % FOLDS for place, name in enumerate(names)}
        folds = np.array([fold_of[clip.speaker] for clip in everyone])
        of_held = np.zeros((len(held), len(EMOTIONS)), np.float32)
        for fold in range(FOLDS):
            chosen = [i for i, clip in enumerate(everyone) if folds[i] != fold and clip.speaker not in CALIBRATION]
            teller = fit_member(
                f'teller{fold}',
                MEMBERS + fold,
                [everyone[i] for i in chosen],
                [[take[i] for i in chosen] for take in takes],
            )
            out = np.flatnonzero(folds == fold)
            for number, take in enumerate(takes):
                told[number, out] = _told_of_new(teller, np.array([take[i].functionals for i in out]))
            of_held += _told_of_new(teller, said) / FOLDS
        for member in range(MEMBERS):
            clips, heard = heard_by(member)
            mine = np.isin([clip.speaker for clip in everyone], [clip.speaker for clip in clips])
            fit_member(f'member{member}', member, clips, heard, told[:, mine])

    def _rows(
        self, member: int, clips: list[Clip], takes: list[list[Sound]], voices: np.ndarray | None, epoch: int
    ) -> Iterator:
        return self.rows(clips, takes, voices, member * 1000 + epoch)

    @cached_property
    def _front_ends(self) -> tuple['nn.Module', ...]:
        from emotion_training.functionals import Functionals
        from emotion_training.networks import LogMel, SerEnsemble
        from emotion_training.speech_encoder import SpeechSpectrum

        return LogMel(SerEnsemble.BANDS), SpeechSpectrum(), Functionals(SerEnsemble.BANDS)

    def _hear(self, samples: np.ndarray) -> Sound:
        import torch

        log_mel, spectrum, functionals = self._front_ends
        with torch.inference_mode():
            batch = torch.from_numpy(to_batch(samples, self.input))
            return Sound(spectrum(batch)[0].numpy().astype(np.float16), functionals(batch, log_mel(batch))[0].numpy())

    def load(self, run: Path) -> 'nn.Module':
        """Join the members with their best weights, and what tells one voice from another."""
        import torch

        from emotion_training import trainer
        from emotion_training.functionals import SerMember
        from emotion_training.networks import SerEnsemble
        from emotion_training.speech_encoder import SpeechEncoder

        encoder, members = SpeechEncoder(), [SerMember() for _ in range(MEMBERS)]
        for number, member in enumerate(members):
            trainer.load_best(member, run / f'member{number}')
        encoder.load_state_dict(torch.load(run / ENCODER_FILE, weights_only=True))
        return SerEnsemble(members, encoder, self._voice_change()).eval()

    def _voice_change(self) -> VoiceChangeFit:
        """Fit how voices differ, to the training speakers."""
        import torch

        from emotion_training.networks import band_moments

        clips = _some_of_each(self.side('train'), SPECTRA)
        segments = [to_batch(segment(clip.samples, self.input.sample_rate), self.input) for clip in clips]
        with torch.inference_mode():
            mels = [self._front_ends[0](torch.from_numpy(samples)) for samples in segments]
        return fit_voice_change(
            np.array([band_moments(mel)[0, : mel.shape[1]].numpy() for mel in mels], np.float64),
            np.array([mel.shape[2] for mel in mels]) / 100,
            np.array([clip.speaker for clip in clips]),
            np.array([clip.corpus for clip in clips]),
        )

    def examples(self) -> list[np.ndarray]:
        """Give none: the ranges of int8 are taken from each utterance."""
        return []

    def labels(self, side: str) -> np.ndarray:
        """Give the labels (n,) of ``'train'``, ``'validation'`` or ``'test'``."""
        return np.array([clip.label for clip in self.side(side)])

    def held_out(self, side: str) -> HeldOut:
        """
        Give the whole clips of ``'validation'`` or ``'test'``, by corpus and together.

        To those of validation come, in no group, those of the CALIBRATION speakers.
        """
        clips, more = self.side(side), self._calibration if side == 'validation' else []
        corpus = np.array([clip.corpus for clip in clips] + [''] * len(more))
        groups = {'all': corpus != ''} | {name: corpus == name for name in np.unique(corpus).tolist() if name}
        clips = clips + more
        return HeldOut(
            [to_batch(segment(clip.samples, self.input.sample_rate), self.input) for clip in clips],
            np.array([clip.label for clip in clips]),
            groups,
            np.array([clip.speaker for clip in clips]),
            corpus == '' if side == 'validation' else None,
        )

    @property
    def _calibration(self) -> list[Clip]:
        return [clip for clip in self.side('train') if clip.speaker in CALIBRATION]

    def corrupted(self) -> Corrupted:
        """
        Give clips of the validation and the CALIBRATION speakers a few times, each time worse in a random way.

        Each speaker counts the same.
        """
        clips = _some_of_each(self.side('validation') + self._calibration, WORSE_CLIPS)
        corrupted = corrupt_clips(clips, self.input)
        return replace(corrupted, only_first=np.isin(corrupted.groups, CALIBRATION))

    def facts(self) -> dict[str, Any]:
        """Give the fields of the card that people write."""
        return {
            'description': 'For the raw waveform: an encoder (two convolutions, two layers of a transformer) whose '
            'states are averaged over time, and small networks over these and functionals (bands, cepstra, pitch, '
            'loudness, rhythm), which compare the utterance with what the same voice said before. All but the '
            'encoder is trained from scratch; the encoder begins as one that learned to write down speech.',
            'licence': 'Code Apache-2.0. The weights are learned from RAVDESS and nEMO, which are CC BY-NC-SA 4.0: not '
            'for commercial use. NOTICE beside them has the terms of what the encoder began as.',
            'training': {
                'data': [*speech_corpora.LICENCES.values(), f'The encoder begins as {PRETRAINED}'],
                'split': 'By speaker. RAVDESS: actors 1-18 train, 19-20 validation, 21-24 test; nEMO: TP0 validation, '
                'KD0 and WR0 test, the other six train. Calm counts as neutral; disgust is left out. What is '
                'measured are clips cut to their speech, as the node cuts it.',
                'clips': {side: len(getattr(self.split, side)) for side in SIDES},
                'split_sha256': split_hash(clip.row for clip in self.clips),
                'members': MEMBERS,
                'calibration': 'Temperatures and reliability come from people whom the model has not learned from: the '
                f'validation speakers, and {", ".join(CALIBRATION)}, whom its encoder and its first member have '
                'heard only in babble. What is right for that member is fitted to all of them; how the whole differs '
                'from it, to the validation speakers.',
                'seed': 0,
                'augmentation': 'pauses, speed, echo, noise and babble at 2 to 35 dB, band limits, clipping, random '
                'part',
            },
            'under_represented': 'Everybody but 24 young adult actors: 18 who say two English sentences and 6 who read '
            'Polish. No child, no old person, no other language and no spontaneous speech was heard in training.',
            'limits': 'Voices differ a lot: an unknown speaker of nEMO is recognised much worse than one of RAVDESS '
            '(see the figures by corpus), and one at home may be worse than either. Somebody who is heard in one mood '
            'only is recognised worse than at first, not better.',
            'not_for': 'A voice does not tell what a person feels: do not use it to judge, select, monitor or diagnose '
            'people.',
        }


def _orders(clips: list[Clip], takes: int, rng: np.random.Generator) -> Iterator[tuple[int, np.ndarray]]:
    """Draw, for each speaker, one of the takes and an order of the clips: its number, and theirs."""
    labels = np.array([clip.label for clip in clips])
    names = np.array([clip.speaker for clip in clips])
    for speaker in np.unique(names):
        take, rows = rng.integers(takes), rng.permutation(np.flatnonzero(names == speaker))
        if rng.random() < SORTED:  # a robot may hear one emotion for long
            rows = rows[np.argsort(labels[rows] + 2.5 * rng.random(len(rows)))]
        yield take, rows


def _told_of_new(member: 'SerMember', functionals: np.ndarray) -> np.ndarray:
    """Give what a member says (n, 6) of utterances (n, COUNT) whose voices are new."""
    import torch

    with torch.inference_mode():
        return member(torch.from_numpy(new_rows(functionals))).softmax(1).numpy()


def new_rows(functionals: np.ndarray) -> np.ndarray:
    """Give the rows for a SerMember of utterances (n, COUNT) whose voices are new."""
    return np.pad(functionals, ((0, 0), (0, 2 * functionals.shape[1] + 1)))


def known_rows(functionals: np.ndarray, voices: np.ndarray, speakers: Sequence[str]) -> np.ndarray:
    """
    Give the rows for a SerMember of utterances (n, COUNT) whose speakers are known from all their others.

    :param voices: (n, COUNT) what of each utterance is remembered.
    """
    same = np.equal.outer(speakers, speakers) & ~np.eye(len(speakers), dtype=bool)
    count = same.sum(1, keepdims=True)
    share = (same / np.maximum(count, 1)).astype(np.float32)
    return np.hstack([functionals, share @ voices, share @ voices**2, count]).astype(np.float32)


def _with_codes(encoder: 'nn.Module', sounds: list[Sound]) -> list[Sound]:
    """Put the code of each sound behind its functionals."""
    import torch

    with torch.inference_mode():
        codes = [encoder(torch.from_numpy(sound.spectrum[np.newaxis].astype(np.float32)))[0] for sound in sounds]
    return [
        sound._replace(functionals=np.concatenate([sound.functionals, code.numpy()]))
        for sound, code in zip(sounds, codes)
    ]


def _fit(mel: np.ndarray, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a random part of so many frames out, or put silence on both sides; float32."""
    missing = frames - mel.shape[1]
    if missing <= 0:
        start = rng.integers(-missing + 1)
        return mel[:, start : start + frames].astype(np.float32)
    before = rng.integers(missing + 1)
    return np.pad(mel, ((0, 0), (before, missing - before)), constant_values=mel.min()).astype(np.float32)


def _some_of_each(clips: list[Clip], count: int) -> list[Clip]:
    """Choose at most so many clips of each speaker, at random and always the same."""
    speakers = np.array([clip.speaker for clip in clips])
    rng = np.random.default_rng(0)
    rows = [rng.permutation(np.flatnonzero(speakers == speaker))[:count] for speaker in np.unique(speakers)]
    return [clips[row] for row in sorted(np.concatenate(rows))]


def segment(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Leave as much silence around the speech of a clip as the node does."""
    first, last = active_part(samples)
    return samples[max(first - int(Segmentation().pre_roll * sample_rate), 0) : last + int(TAIL_S * sample_rate)]


def corrupt_clips(clips: list[Clip], spec: AudioInput) -> Corrupted:
    """
    Give each clip WORSE times, each time worse in a random way; each speaker counts the same.

    The clips are cut as the node cuts its segments: quality depends on how much background stands around them.
    """
    rng = np.random.default_rng(0)
    voices = [segment(clip.samples, spec.sample_rate) for clip in clips]
    rows = np.repeat(np.arange(len(clips)), WORSE)
    kinds = rng.choice(SPEECH_KINDS, len(rows))
    sounds = [corrupt_speech(voices[row], kind, rng.random(), rng, voices) for row, kind in zip(rows, kinds)]
    terms = [segment_quality(samples, spec.sample_rate) for samples in sounds]
    for measured in terms:
        del measured['seconds']  # brevity says it better
    names = [clips[row].speaker for row in rows]
    speakers, place, count = np.unique(names, return_inverse=True, return_counts=True)
    return Corrupted(
        [to_batch(samples, spec) for samples in sounds],
        np.array([clips[row].label for row in rows]),
        terms,
        kinds,
        speakers[place],
        1 / count[place],
    )

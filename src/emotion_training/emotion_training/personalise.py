"""
A shipped model made to fit one household: the encoder stays, the head learns from a few recordings or pictures.

Works on the model folder alone, without torch or a checkpoint. Nothing leaves the machine, and the card of the new
model carries counts only.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from emotion_core import metrics
from emotion_core.commands import up_with
from emotion_core.emotions import EMOTIONS, softmax
from emotion_core.model_card import ModelCard
from emotion_core.onnx_model import EMBEDDING, OnnxModel
from emotion_core.store import NAME, ModelStore
from emotion_speech.speaker import HEARD, MOST_HEARD, REFERENCE, VOICE, Speaker, voice_quality
from emotion_training import personalise_model
from emotion_training.errors import TrainingError
from emotion_training.personalise_data import (
    READERS,
    Piece,
    Reader,
    Recording,
    count_by_emotion,
    find_recordings,
    read,
)
from emotion_training.personalise_head import Examples, Fitted, Head, calibrate, personalise, shift

LEAST_OF_EMOTION = 5  # recordings; an emotion with fewer is left out
LEAST_EMOTIONS = 2
LEAST = 20  # recordings in all; fewer cannot tell better from worse
FEW = 100  # pieces under which chance moves the figures by several points
DRAWS = 1000  # of the bootstrap
TOLERANCE = 1e-3  # largest difference of a logit between the new model and the head that was fitted
PARITY_INPUTS = 16
EPILOG = """\
personalisation:
  With --personalise FOLDER a model is made to fit one household, from a few recordings (ser) or pictures (fer) of it:
  at least 5 of each emotion that is to be learned, of at least 2 emotions, 20 in all; 10 of each of the six are good.
  FOLDER has one folder per emotion (angry/..., happy/...) and, where there are several people, one for each of them
  inside or around those (angry/anna/..., anna/angry/...); a CSV file with the columns path, label and speaker does as
  well. What it is worth is measured on recordings held out (with several people: on people held out), and a model that
  is no better is not written. Nothing leaves this machine.

  %(prog)s --personalise our_recordings/
  %(prog)s --personalise our_recordings/anna --name anna
  %(prog)s --personalise recordings.csv --model my_model --force
"""


@dataclass(frozen=True)
class Comparison:
    """What the model is worth before and after, on examples held out; see ``metrics.report``."""

    before: dict[str, Any]
    after: dict[str, Any]
    change: tuple[float, float]  # 95 % interval of the change of the accuracy

    @property
    def is_better(self) -> bool:
        """Whether macro-F1 and accuracy rose, the accuracy by as much as is printed."""
        risen = round(self.after['accuracy'] - self.before['accuracy'], 3)
        return self.after['macro_f1'] > self.before['macro_f1'] and risen > 0


def add_arguments(parser: argparse.ArgumentParser, task: str, parent: str) -> None:
    """Add the arguments of personalisation, by default of the model ``parent``."""
    group = parser.add_argument_group('personalisation')
    group.add_argument(
        '--personalise',
        type=Path,
        metavar='FOLDER',
        help=f'adapt a model to the {READERS[task].noun}s of one household instead of training one',
    )
    group.add_argument(
        '--model',
        default=parent,
        dest='parent',
        metavar='MODEL',
        help='name or folder of the model to adapt, default: %(default)s',
    )
    group.add_argument('--name', help='name of the new model in the store, default: that of MODEL with -home')
    group.add_argument('--force', action='store_true', help='write the new model even if it is no better')


def run(task: str, source: Path, parent: str, name: str | None, force: bool, console: Console) -> Path | None:
    """
    Adapt a model to a household, say what it is worth, and put it into the store when it is better.

    :param task: 'fer' or 'ser'.
    :param source: The recordings, see ``find_recordings``.
    :param parent: Name or folder of the model to adapt.
    :param name: Of the new model; None: the parent's with '-home'.
    :param force: Whether a model that is no better is written too.
    :return: The new model's folder; None when it was not written.
    :raises EmotionError: when model, name or recordings cannot be used, or there are too few; the store is as it was.
    """
    store = ModelStore()
    folder = store.find(parent)
    card = ModelCard.load(folder)
    if 'personalised' in card.training:
        raise TrainingError(
            f"'{card.name}' is personalised already, maybe with the same recordings: give the model that it was made "
            f'from (--model {card.training["personalised"]["from"].split("@")[0]}) and all recordings'
        )
    name = _name(store, card, name)
    model, head = personalise_model.load(folder, task)
    reader = READERS[task]
    examples, batches = _examples(model, source, reader, console)
    with console.status('Fitting'):
        fitted = personalise(head, _temperature(card), examples)
    new = _calibrated(card, examples, fitted)
    comparison = compare(head, _temperature(card), examples, fitted, _temperature(new))
    _show(comparison, examples, reader, card, console)
    if not comparison.is_better and not force:
        console.print(
            f"It is no better than '{card.name}', which stays in use; nothing was written. More {reader.noun}s, "
            'or those of one person alone, may help; --force writes it all the same.'
        )
        return None
    is_replaced = (store.root / name).is_dir()
    with store.new(name, replaces=True) as target:
        personalise_model.write(folder, fitted.head, _described(new, name, examples, fitted, comparison), target)
        _check_written(OnnxModel(target, task), model, fitted.head, batches)
    place = ', in place of the one before (--name keeps both)' if is_replaced else ''
    written = f"'{name}' is in {store.root / name}{place}. To use it:"
    console.print(written, highlight=False, markup=False, soft_wrap=True)
    console.print(up_with(task, name), highlight=False, soft_wrap=True)
    return store.root / name


def _examples(
    model: OnnxModel, source: Path, reader: type[Reader], console: Console
) -> tuple[Examples, list[np.ndarray]]:
    """Read all that can be learned from and say what is left out; gives it, and the model's input for some of it."""
    recordings, left_out = find_recordings(source, reader)
    for sentence in left_out:
        console.print(f'Left out: {sentence}.', highlight=False, markup=False)
    check_enough(recordings, f'{reader.noun}s', source)
    pieces, unused = read(track(recordings, f'reading {reader.noun}s', console=console), reader(model.card.input))
    heard = [(recording, found) for recording, found in zip(recordings, pieces) if found]
    count = count_by_emotion(recording.label for recording, _ in heard)
    rare = {name: number for name, number in count.items() if number < LEAST_OF_EMOTION}
    kept = [(recording, found) for recording, found in heard if EMOTIONS[recording.label] not in rare]
    few = [f'{name}: {number} are too few, {LEAST_OF_EMOTION} are needed' for name, number in rare.items()]
    for sentence in unused + few:
        console.print(f'Left out: {sentence}.', highlight=False, markup=False)
    check_enough([recording for recording, _ in kept], f'{reader.noun}s with {reader.content}', source)
    return make_examples(model, kept), [found[0].batch for _, found in kept[:PARITY_INPUTS]]


def check_enough(recordings: list[Recording], what: str, source: Path) -> None:
    """
    Refuse too little to learn from and to measure on.

    :param what: These are, in the plural.
    :raises TrainingError: saying how much there is and how much is needed.
    """
    count = count_by_emotion(recording.label for recording in recordings)
    enough = [name for name, number in count.items() if number >= LEAST_OF_EMOTION]
    if len(enough) < LEAST_EMOTIONS or sum(count[name] for name in enough) < LEAST:
        there = ', '.join(f'{name} {number}' for name, number in count.items()) or 'none'
        raise TrainingError(
            f"'{source}' has too few {what} ({there}): needed are at least "
            f'{LEAST_OF_EMOTION} of each of at least {LEAST_EMOTIONS} emotions, {LEAST} in all'
        )


def make_examples(model: OnnxModel, kept: list[tuple[Recording, list[Piece]]]) -> Examples:
    """Run the encoder over the pieces of all recordings; where it compares voices, it knows each from the others."""
    rows = [
        (piece, recording.label, number, recording.speaker)
        for number, (recording, found) in enumerate(kept)
        for piece in found
    ]
    pieces, labels, files, names = zip(*rows)
    files, speakers = np.array(files), np.unique(names, return_inverse=True)[1]
    batches, terms = [piece.batch for piece in pieces], [piece.terms for piece in pieces]
    if REFERENCE in model.other_inputs:
        known = _known_voices(model, batches, files, speakers)
        terms = [item | voice_quality(speaker) for item, speaker in zip(terms, known)]
        embeddings = [
            model.run(batch, [EMBEDDING], **{REFERENCE: speaker.voice, HEARD: np.array([speaker.heard], np.float32)})[
                EMBEDDING
            ]
            for batch, speaker in zip(batches, known)
        ]
    else:
        embeddings = [model.embeddings(batch) for batch in batches]
    return Examples(np.concatenate(embeddings).astype(np.float64), np.array(labels), files, speakers, terms)


def _known_voices(
    model: OnnxModel, batches: list[np.ndarray], files: np.ndarray, speakers: np.ndarray
) -> list[Speaker]:
    """Give for each piece the voice that a node would know after all other recordings of its speaker."""
    voices = np.concatenate([model.run(batch, [VOICE])[VOICE] for batch in batches])
    known = []
    for file, speaker in zip(files, speakers):
        others = voices[(speakers == speaker) & (files != file)]
        mean = others.sum(axis=0, keepdims=True) / np.float32(max(len(others), 1))
        known.append(Speaker(mean, min(len(others), MOST_HEARD)))
    return known


def compare(
    shipped: Head, temperature: float, examples: Examples, fitted: Fitted, fitted_temperature: float
) -> Comparison:
    """Measure the shipped head, and the fitted ones on what each has not seen; intervals draw people, if several."""
    labels, files, speakers = examples.labels, examples.files, examples.speakers
    before = softmax(shipped(examples.embeddings), temperature)
    after = softmax(fitted.held_out, fitted_temperature)
    change = (after.argmax(axis=1) == labels).astype(int) - (before.argmax(axis=1) == labels)
    sources = speakers if len(np.unique(speakers)) > 1 else files
    return Comparison(
        metrics.report(labels, before, sources),
        metrics.report(labels, after, sources),
        _change_interval(change, files, speakers),
    )


def _change_interval(change: np.ndarray, files: np.ndarray, speakers: np.ndarray) -> tuple[float, float]:
    """Give the 95 % interval of the mean of (n,): people are drawn, and of each whole recordings, with replacement."""
    _, first, recording = np.unique(files, return_index=True, return_inverse=True)
    gains, counts = np.bincount(recording, change), np.bincount(recording)
    people = [np.flatnonzero(speakers[first] == speaker) for speaker in np.unique(speakers)]
    rng, means = np.random.default_rng(0), []
    for _ in range(DRAWS):
        drawn = [people[i] for i in rng.integers(len(people), size=len(people))]
        rows = np.concatenate([rng.choice(recordings, len(recordings)) for recordings in drawn])
        means.append(gains[rows].sum() / counts[rows].sum())
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def _check_written(written: OnnxModel, model: OnnxModel, head: Head, batches: list[np.ndarray]) -> None:
    """Raise TrainingError when a new model does not give what the fitted head makes of the shipped encoder."""
    difference = max(np.abs(written.outputs(batch) - head(model.embeddings(batch))).max() for batch in batches)
    if not difference <= TOLERANCE:
        raise TrainingError(f'the new model differs from the fitted head by {difference:.1e}: it is not kept')


def _name(store: ModelStore, parent: ModelCard, name: str | None) -> str:
    """Give the new model's name; raises TrainingError for one that would hide another model or is no name."""
    name = name or f'{parent.name}-home'
    if not NAME.fullmatch(name):
        raise TrainingError(f"'{name}' is no name for a model: use letters, digits, '.', '_' and '-'")
    there = store.list().get(name)
    if there is None:
        return name
    card = ModelCard.load(there)
    if 'personalised' not in card.training:
        raise TrainingError(f"there is a model '{name}' already, which is not a personalised one: give another --name")
    if card.task != parent.task:
        what = {'fer': 'faces', 'ser': 'voices'}[card.task]
        raise TrainingError(f"there is a model '{name}' already, for {what}: give another --name")
    return name


def _calibrated(card: ModelCard, examples: Examples, fitted: Fitted) -> ModelCard:
    """Fit temperature and reliability to the held-out examples; without all emotions these would look too easy."""
    if len(np.unique(examples.labels)) < len(EMOTIONS):
        return card
    right = fitted.held_out.argmax(axis=1) == examples.labels
    reliability = card.reliability and shift(card.reliability, examples.terms, right)
    factor = calibrate(fitted.held_out, examples.labels, _temperature(card)) / _temperature(card)
    warm = None if card.warm_temperature is None else round(card.warm_temperature * factor, 4)
    return replace(
        card, temperature=round(card.temperature * factor, 4), warm_temperature=warm, reliability=reliability
    )


def _temperature(card: ModelCard) -> float:
    """Give the temperature of the model when it knows the voices."""
    return card.temperature if card.warm_temperature is None else card.warm_temperature


def _described(card: ModelCard, name: str, examples: Examples, fitted: Fitted, comparison: Comparison) -> ModelCard:
    """Give the card what people must know of the new model; counts only, for the recordings are private."""
    command = f'python -m emotion_training {card.task} --personalise FOLDER --model {card.name} --name {name}'
    files = np.unique(examples.files, return_index=True)[1]
    people = len(np.unique(examples.speakers))
    return replace(
        card,
        name=name,
        description=f'{card.name} with its last layer made to fit one household. {card.description}',
        limits=f'Made to fit {len(files)} {READERS[card.task].noun}s of one household: others it may suit less. '
        f'{card.limits}',
        training={
            'data': card.training.get('data', []),
            'personalised': {
                'from': card.identity,
                'parent_sha256': card.sha256,
                'recordings': count_by_emotion(examples.labels[files]),
                'pieces': len(examples.labels),
                'people': people,
                'steps': fitted.steps,
                'command': command,
            },
        },
        metrics={
            'household': {
                'before': comparison.before,
                'after': comparison.after,
                'change_of_accuracy_interval': [round(bound, 4) for bound in comparison.change],
                'held_out': _held_out(examples),
                'command': command,
            }
        },
    )


def _held_out(examples: Examples) -> str:
    several = len(np.unique(examples.speakers)) > 1
    by = (
        'each person by a head that learned from the others'
        if several
        else 'each fifth by a head that learned from the rest'
    )
    return by + (', each voice known from its other recordings' if 'speaker_known' in examples.terms[0] else '')


def _show(comparison: Comparison, examples: Examples, reader: type[Reader], card: ModelCard, console: Console) -> None:
    """Print before and after with what they can be trusted for."""
    files, people = len(np.unique(examples.files)), len(np.unique(examples.speakers))
    count = count_by_emotion(examples.labels)
    listed = ', '.join(f'{name} {number}' for name, number in count.items())
    n = comparison.after['n']
    console.print(
        f"'{card.name}' on your {files} {reader.noun}s, held out: {_held_out(examples)}.",
        highlight=False,
        soft_wrap=True,
    )
    sources = 'people' if people > 1 else f'{reader.noun}s'
    table = Table('', 'accuracy', '95 % interval', f'of {sources}', 'macro-F1', 'n')
    for row, figures in (('before', comparison.before), ('after', comparison.after)):
        (low, high), drawn = (figures['interval'][key] for key in ('accuracy', 'sources'))
        accuracy, f1 = (f'{figures[key]:.3f}' for key in ('accuracy', 'macro_f1'))
        table.add_row(row, accuracy, f'{low:.2f} … {high:.2f}', str(drawn), f1, str(n))
    console.print(table)
    if narrow := metrics.caution([comparison.before], sources):
        console.print(narrow, highlight=False)
    low, high = comparison.change
    change = comparison.after['accuracy'] - comparison.before['accuracy']
    doubt = ' It may be chance.' if low <= 0 <= high else ''
    few = f' {n} are few.' if n < FEW else ''
    console.print(
        f'Change of the accuracy: {change:+.3f} (95 %: {low:+.2f} … {high:+.2f}).{few}{doubt}', highlight=False
    )
    console.print(f'{people} {"people" if people > 1 else "person"}; {listed}.', highlight=False)
    if people == 1:
        console.print(f'What one person made in one sitting is alike: with {reader.noun}s of another day expect less.')
    absent = [name for name in EMOTIONS if name not in count]
    if absent:
        console.print(f'The figures say nothing of {", ".join(absent)}: there is nothing of them to learn from.')

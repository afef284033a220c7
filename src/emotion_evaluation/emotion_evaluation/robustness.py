"""
Robustness matrix: what face, voice and fusion are worth when the input is bad, on pairs of one label.

A face and a voice of a pair are of different people, neither of whom the models have learned from. What a node would
make of them is made by its own parts: the classifiers with their quality, and the ``Fuser``. Each pair is measured in
every cell, so that cells and rows compare.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from emotion_core import metrics
from emotion_core.emotions import EMOTIONS
from emotion_core.evidence import Evidence
from emotion_core.stamps import NS_PER_S
from emotion_core.store import ModelStore
from emotion_evaluation.datasets import Dataset, Item
from emotion_evaluation.errors import BagError
from emotion_face.classifier import FaceClassifier
from emotion_face.parameters import FaceParameters
from emotion_face.quality import crop_quality
from emotion_face.recognizer import Settings
from emotion_fusion.fuser import Fused, Fuser
from emotion_fusion.parameters import METHODS, FusionParameters
from emotion_speech.classifier import SpeechClassifier
from emotion_speech.parameters import SpeechParameters

FACES, VOICES = 'fer2013', ('ravdess', 'nemo')  # the data sets; voices are drawn from each in turn
NOW_NS = 1_700_000_000 * NS_PER_S
FACE_ID = 'f0001'
NOTHING = np.full(len(EMOTIONS), 1 / len(EMOTIONS))  # is known
DEFAULT = FusionParameters().method
ORACLE, PLAIN = 'oracle', 'plain'
ROWS = {
    'face': 'the face alone; where there is none it knows nothing, which is a sixth for each emotion',
    'speech': 'the voice alone, likewise',
    PLAIN: 'mean of what both classifiers say, before quality changes it',
    'fixed': 'sum of both, each by a half',
    'dynamic': 'sum of both, by quality and freshness',
    'log_linear': 'product of both, by freshness',
    ORACLE: 'picks the modality that is right wherever one is',
}
CLEAR = (('clean', 0.0),)
GAIN, LOSS, LEAD, ERROR = 0.05, 0.01, 0.05, 0.05  # what is aimed at: see ``targets``

Worsening = tuple[tuple[str, float], ...]  # kinds of emotion_training.corruption with their severity, one after another


@dataclass(frozen=True)
class Cell:
    """One condition of the matrix."""

    name: str
    face: Worsening | None = CLEAR  # None: there is no face
    speech: Worsening | None = CLEAR  # None: nobody speaks
    face_age: float = 0.0  # [s]; an old face shows what was before: any emotion


CELLS = (
    Cell('clean'),
    Cell('dark', (('dark', 0.75),)),
    Cell('blur', (('blur', 0.75),)),
    Cell('small face', (('far', 0.75),)),
    Cell('occlusion', (('covered', 0.75),)),
    Cell('half profile', (('turned', 0.75),)),
    Cell('low-light noise', (('dark', 0.5), ('noise', 0.25))),
    Cell('frozen camera', face_age=1.0),
    Cell('missing face', face=None),
    *(Cell(f'white noise {20 - 25 * s:.0f} dB', speech=(('white_noise', s),)) for s in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
    Cell('babble 5 dB', speech=(('babble', 0.6),)),
    Cell('clipping', speech=(('clipped', 0.75),)),
    Cell('cut-off utterance', speech=(('short', 0.75),)),
    Cell('silence', speech=(('silent', 0.5),)),
    Cell('missing speech', speech=None),
    Cell('blur, babble 5 dB', (('blur', 0.75),), (('babble', 0.6),)),
    Cell('dark, white noise 0 dB', (('dark', 0.75),), (('white_noise', 0.8),)),
    Cell('occlusion, cut-off', (('covered', 0.75),), (('short', 0.75),)),
)


@dataclass(frozen=True)
class Pair:
    """A face and a voice that show the same."""

    label: int  # index into EMOTIONS
    face: Item
    earlier: Item  # another face, of any label
    voice: Item
    corpus: str  # of the voice


def choose_pairs(faces: Dataset, voices: Sequence[Dataset], count: int) -> list[Pair]:
    """
    Choose pairs at random and always the same: of each label, and of each of the data sets of voices, as many.

    Nothing is taken twice before all of its label were.

    :raises BagError: when a data set has nothing of a label.
    """
    rng = np.random.default_rng(0)

    @cache
    def items(data: int, label: int) -> list[Item]:
        found = [item for item in (faces, *voices)[data].items if item.label == label]
        if not found:
            raise BagError(f"'{(faces, *voices)[data].name}' has nothing {EMOTIONS[label]}")
        return [found[i] for i in rng.permutation(len(found))]

    pairs = []
    for number in range(count):
        turn, label = divmod(number, len(EMOTIONS))
        again, data = divmod(turn, len(voices))
        face, voice = items(0, label), items(1 + data, label)
        earlier = items(0, int(rng.integers(len(EMOTIONS))))
        pairs.append(
            Pair(
                label,
                face[turn % len(face)],
                earlier[rng.integers(len(earlier))],
                voice[again % len(voice)],
                voices[data].name,
            )
        )
    return pairs


class Said(NamedTuple):
    """What a node says of a face or a voice."""

    evidence: Evidence
    plain: np.ndarray  # (6,), what its classifier says, before quality changes it


class Nodes:
    """What the nodes say about the faces and the voices of pairs."""

    def __init__(self, pairs: Sequence[Pair], face_model: str = '', speech_model: str = ''):
        """
        Load the models.

        :param face_model: Name or folder; by default the bundled one.
        :param speech_model: Likewise.
        :raises ModelError: when one cannot be used.
        """
        cv2.setNumThreads(1)
        store = ModelStore()
        self._faces = FaceClassifier(store.find(face_model or FaceParameters().model))
        self._voices = SpeechClassifier(store.find(speech_model or SpeechParameters().model))
        self.models = {'face': self._faces.identity, 'speech': self._voices.identity}
        self._pairs = pairs
        self._segments = [self._segment(pair.voice) for pair in pairs]

    def face(self, number: int, cell: Cell) -> Said | None:
        """Give what is said about the face of a pair; None where there is none, or what there is looks like none."""
        from emotion_training.corruption import corrupt_face

        if cell.face is None:
            return None
        pair = self._pairs[number]
        crop = cv2.cvtColor((pair.earlier if cell.face_age else pair.face).read(), cv2.COLOR_BGR2GRAY)
        rng = np.random.default_rng(number)
        for kind, severity in cell.face:
            crop = corrupt_face(crop, kind, severity, rng)
        (probabilities,), (looks,) = self._faces([crop])
        if looks < Settings().min_face:
            return None
        terms = crop_quality(crop, len(crop)) | {'size_px': float(len(crop)), 'face': float(looks)}
        said = self._faces.trust(probabilities, terms)
        stamp_ns = NOW_NS - round(cell.face_age * NS_PER_S)
        evidence = Evidence(stamp_ns, stamp_ns, 'face', said.probabilities, said.quality, terms, said.reason, FACE_ID)
        return Said(evidence, probabilities)

    def speech(self, number: int, cell: Cell) -> Said | None:
        """Give what is said about the voice of a pair, which is heard for the first time."""
        from emotion_training.corruption import corrupt_speech

        if cell.speech is None:
            return None
        samples, rng = self._segments[number], np.random.default_rng(number)
        for kind, severity in cell.speech:
            samples = corrupt_speech(samples, kind, severity, rng, self._segments)
        said = self._voices(samples)
        start_ns = NOW_NS - len(samples) * NS_PER_S // self._voices.sample_rate
        quality = said.quality, said.quality_terms, said.quality_reason
        return Said(Evidence(NOW_NS, start_ns, 'speech', said.probabilities, *quality), said.heard.probabilities)

    def _segment(self, voice: Item) -> np.ndarray:
        from emotion_training.ser import segment

        return segment(voice.read(), self._voices.sample_rate)


def fuse(method: str, said: Sequence[Said]) -> Fused:
    """Give what the fusion node says now by this method."""
    fuser = Fuser(FusionParameters(method=method))
    for one in said:
        fuser.add(one.evidence)
    return fuser.fuse(fuser.speaker, NOW_NS)


def measure(
    pairs: Sequence[Pair],
    nodes: Nodes,
    cells: Sequence[Cell] = CELLS,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """
    Measure every pair in every cell.

    :param progress: Called after each pair of each cell.
    :return: What goes into the report; shares, [0, 1].
    """
    truth = np.array([pair.label for pair in pairs])
    speakers = np.array([pair.voice.source for pair in pairs])
    corpora = np.array([pair.corpus for pair in pairs])
    face_of, speech_of = cache_by(nodes.face, 'face', 'face_age'), cache_by(nodes.speech, 'speech')
    said: dict[str, dict[str, np.ndarray]] = {}
    table: dict[str, Any] = {'cells': {}}
    for cell in cells:
        rows: dict[str, list[np.ndarray]] = {name: [] for name in ROWS}
        fused = []
        coverage = Counter()
        for number in range(len(pairs)):
            both = {'face': face_of(number, cell), 'speech': speech_of(number, cell)}
            there = [one for one in both.values() if one is not None]
            for name, one in both.items():
                rows[name].append(NOTHING if one is None else one.evidence.probabilities)
                coverage[name] += one is not None
            rows[PLAIN].append(np.mean([one.plain for one in there] or [NOTHING], axis=0))
            for method in METHODS:
                opinion = fuse(method, there)
                rows[method].append(opinion.evidence.probabilities)
                if method == DEFAULT:
                    fused.append(opinion)
            rows[ORACLE].append(_oracle(rows['face'][-1], rows['speech'][-1], truth[number]))
            progress()
        said[cell.name] = {name: np.stack(values) for name, values in rows.items()}
        table['cells'][cell.name] = (
            figures(truth, said[cell.name], speakers)
            | {'coverage': {name: round(count / len(pairs), 4) for name, count in coverage.items()}}
            | _weights(fused)
        )
    together = {name: np.concatenate([rows[name] for rows in said.values()]) for name in ROWS}
    everything = np.tile(truth, len(cells))
    return {
        'pairs': len(pairs),
        'speakers': len(np.unique(speakers)),
        'default': DEFAULT,
        **table,
        'calibration_error': {
            name: round(metrics.calibration_error(everything, rows), 4) for name, rows in together.items()
        },
        'by_corpus': {
            corpus: {
                'n': int(inside.sum()),
                'clean': _macro_f1(truth[inside], {name: rows[inside] for name, rows in said[cells[0].name].items()}),
                'degraded': {
                    name: round(
                        float(np.mean([_f1(truth[inside], said[cell.name][name][inside]) for cell in cells[1:]])), 4
                    )
                    for name in ROWS
                },
            }
            for corpus in np.unique(corpora).tolist()
            for inside in [corpora == corpus]
        },
        'chance': round(1 / len(EMOTIONS), 4),
        'majority': {'macro_f1': round(metrics.macro_f1(truth, np.full_like(truth, np.bincount(truth).argmax())), 4)},
    }


def cache_by(make: Callable[[int, Cell], Said | None], *fields: str) -> Callable[[int, Cell], Said | None]:
    """Give the same function, which keeps what it made for a pair and these fields of a cell."""
    kept: dict[tuple, Said | None] = {}

    def made(number: int, cell: Cell) -> Said | None:
        key = number, *(getattr(cell, field) for field in fields)
        if key not in kept:
            kept[key] = make(number, cell)
        return kept[key]

    return made


def figures(truth: np.ndarray, rows: dict[str, np.ndarray], speakers: np.ndarray) -> dict[str, Any]:
    """
    Give the figures of one cell.

    :param truth: (n,) index into EMOTIONS.
    :param rows: Of each of ROWS the distributions (n, 6).
    :param speakers: (n,) whose voice it is; intervals draw speakers with replacement.
    """
    told = {name: values.argmax(axis=1) for name, values in rows.items()}
    table = {
        name: {
            'macro_f1': round(metrics.macro_f1(truth, told[name]), 4),
            'accuracy': round(float((told[name] == truth).mean()), 4),
            'calibration_error': round(metrics.calibration_error(truth, values), 4),
            'interval': metrics.interval(truth, told[name], speakers)['macro_f1'],
        }
        for name, values in rows.items()
    }
    single = max(('face', 'speech'), key=lambda name: table[name]['macro_f1'])
    return {
        'rows': table,
        'single': single,
        'over_single': round(table[DEFAULT]['macro_f1'] - table[single]['macro_f1'], 4),
        'over_single_interval': metrics.difference_interval(truth, told[DEFAULT], told[single], speakers),
        **{f'over_{name}': round(table[DEFAULT]['macro_f1'] - table[name]['macro_f1'], 4) for name in ('fixed', PLAIN)},
        # What the estimate is for probabilities that are right: with few samples it is not 0.
        'calibration_error_if_calibrated': round(metrics.calibration_error_if_calibrated(rows[DEFAULT]), 4),
    }


def targets(table: dict[str, Any]) -> list[dict[str, Any]]:
    """
    Say of each target whether the default method meets it.

    :param table: As ``measure`` gives it.
    :return: Of each the sentence 'target', the figure 'reached', 'met', and the 'missed' cells where it is about each.
    """
    clean, *degraded = table['cells'].values()
    missed = [name for name, cell in table['cells'].items() if cell['over_single'] < -LOSS]
    lead = float(np.mean([cell['over_fixed'] for cell in degraded]))
    worst = min(cell['over_single'] for cell in table['cells'].values())
    errors = {
        'in all cells together': table['calibration_error'][DEFAULT],
        'in the clean cell': clean['rows'][DEFAULT]['calibration_error'],
    }
    return [
        {
            'target': f'clean: at least {100 * GAIN:.0f} points of macro-F1 over the better modality',
            'reached': clean['over_single'],
            'met': clean['over_single'] >= GAIN,
        },
        {
            'target': f'every cell: at most {100 * LOSS:.0f} point lost to the better modality',
            'reached': worst,
            'met': not missed,
            'missed': missed,
        },
        {
            'target': f'degraded cells: on average {100 * LEAD:.0f} points over fixed weights',
            'reached': round(lead, 4),
            'met': lead >= LEAD,
        },
        *(
            {
                'target': f'calibration error at most {100 * ERROR:.0f} % {where}',
                'reached': error,
                'met': error <= ERROR,
            }
            for where, error in errors.items()
        ),
    ]


def load(folder: Path, count: int) -> list[Pair]:
    """Give pairs of the test data in a folder; raises EmotionError when it is not there."""
    from emotion_evaluation import datasets

    return choose_pairs(datasets.load(FACES, folder), [datasets.load(name, folder) for name in VOICES], count)


def _oracle(face: np.ndarray, speech: np.ndarray, label: int) -> np.ndarray:
    """Give the one that is right; where both or none are, the one that gives the truth more."""
    return max((face, speech), key=lambda p: (int(p.argmax()) == label, p[label]))


def _f1(truth: np.ndarray, probabilities: np.ndarray) -> float:
    return metrics.macro_f1(truth, probabilities.argmax(axis=1))


def _macro_f1(truth: np.ndarray, rows: dict[str, np.ndarray]) -> dict[str, float]:
    return {name: round(_f1(truth, values), 4) for name, values in rows.items()}


def _weights(fused: Sequence[Fused]) -> dict[str, Any]:
    """Give the mean weights, and the reasons that are given most often."""
    reasons = {
        name: Counter(getattr(one, f'{name}_reason').split('; quality')[0] for one in fused).most_common(1)[0][0]
        for name in ('face', 'speech')
    }
    weights = {
        f'{name}_weight': round(float(np.mean([getattr(one, f'{name}_weight') for one in fused])), 4)
        for name in reasons
    }
    return weights | {'reasons': reasons}

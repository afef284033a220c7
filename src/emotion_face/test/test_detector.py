import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from faces import YUNET, blank, clouds, needs_faces, needs_yunet, place, samples

from emotion_core.errors import ModelError
from emotion_core.store import ModelStore
from emotion_face.detector import HaarDetector, YuNetDetector, brighten, make_detector, overlap

NAMES = [pytest.param('yunet', marks=needs_yunet), 'haar']


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    store = ModelStore(tmp_path_factory.mktemp('store'), bundled=[])
    if YUNET.is_file():
        store.fetch('yunet', file=YUNET)
    return store


@pytest.fixture(scope='module')
def frames():
    """Give 640x480 frames with one face each, and where it is."""
    random = np.random.default_rng(0)
    made = []
    for number, sample in enumerate(samples()[::2]):
        side = int(random.choice([160, 240, 320]))
        left, top = int(random.integers(0, 640 - side)), int(random.integers(0, 481 - side))
        x, y, width, height = (value * side / 320 for value in sample.box)
        made.append((place(clouds(number % 4), sample.image, left, top, side), (left + x, top + y, width, height)))
    return made


def found(detector, frame, box):
    return any(overlap(detection.box, box) > 0.4 for detection in detector.search(frame))


@needs_faces
@pytest.mark.parametrize('name,recall', [pytest.param('yunet', 0.95, marks=needs_yunet), ('haar', 0.6)])
def test_faces_are_found_where_they_are(name, recall, store, frames):
    detector = make_detector(store, name)
    assert np.mean([found(detector, frame, box) for frame, box in frames]) >= recall


@needs_faces
@pytest.mark.parametrize('name,share', [pytest.param('yunet', 0.9, marks=needs_yunet), ('haar', 0.9)])
def test_what_was_found_is_found_again_near_by(name, share, store, frames):
    detector = make_detector(store, name)
    results = []
    for frame, _ in frames:
        for detection in detector.search(frame)[:1]:
            x, y, width, height = detection.box
            again = detector.search_near(frame, [(x + 0.06 * width, y - 0.05 * height, width, height)])
            results.append(len(again) == 1 and overlap(again[0].box, detection.box) > 0.6)
    assert np.mean(results) >= share


@needs_faces
@pytest.mark.parametrize('name,share', [pytest.param('yunet', 0.7, marks=needs_yunet), ('haar', 0.7)])
def test_dark_noisy_frames_lose_few_faces(name, share, store, frames):
    random = np.random.default_rng(0)
    detector = make_detector(store, name)
    light = [(frame, box) for frame, box in frames if found(detector, frame, box)]
    dark = [
        found(detector, np.clip(frame * 0.15 + random.normal(0, 5, frame.shape), 0, 255).astype(np.uint8), box)
        for frame, box in light
    ]
    assert np.mean(dark) >= share


@pytest.mark.parametrize('name', NAMES)
def test_textures_without_faces_give_hardly_any_box(name, store):
    detector = make_detector(store, name)
    assert sum(len(detector.search(clouds(seed))) for seed in range(100, 140)) <= 1


def test_second_opinion_takes_false_boxes_away():
    detector = HaarDetector()
    textures = [clouds(seed) for seed in range(100, 140)]
    after = sum(len(detector.search(texture)) for texture in textures)
    detector._near = lambda cascade, image, box: [box]  # agrees with everything
    before = sum(len(detector.search(texture)) for texture in textures)
    assert before >= 2 and after <= before / 2


@needs_faces
@needs_yunet
def test_landmarks_are_inside_the_box_right_eye_on_the_left(store, frames):
    detector = make_detector(store, 'yunet')
    found = [detection for frame, _ in frames[:10] for detection in detector.search(frame)]
    assert len(found) >= 8
    for detection in found:
        x, y, width, height = detection.box
        points = detection.landmarks
        assert ((points > (x - 0.1 * width, y)) & (points < (x + 1.1 * width, y + height))).all()
        assert points[0, 0] < points[1, 0] and points[3, 0] < points[4, 0]
        assert points[:2, 1].max() < points[3:, 1].min()


@needs_yunet
@pytest.mark.parametrize('size', [(1, 1500), (1500, 1), (1920, 100), (1, 1)])
def test_narrow_pictures_are_searched_at_a_bounded_size(size, store, monkeypatch):
    detector, sizes = make_detector(store, 'yunet'), []
    monkeypatch.setattr(detector, '_network', lambda image, least: sizes.append(image.shape) or np.zeros((0, 15)))
    assert detector.search(np.zeros((*size, 3), np.uint8)) == []
    assert np.prod(sizes[0]) <= 640 * 640 * 3


@needs_faces
@needs_yunet
@pytest.mark.parametrize('side', [24, 33, 48])
def test_small_images_give_the_same_every_time(side, store):
    image = cv2.resize(samples()[20].image, (side, side), interpolation=cv2.INTER_AREA)
    detector = make_detector(store, 'yunet')
    first, second = detector.search(image), detector.search(image.copy())
    assert len(first) == len(second) == 1 and first[0].box == second[0].box
    x, y, width, height = first[0].box
    assert 0.3 * side < width < side and 0 < x + width / 2 < side and 0 < y + height / 2 < side


@needs_faces
@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('size', [(1920, 1080), (320, 240), (480, 640)])
def test_boxes_are_in_pixels_of_the_frame_whatever_its_size(name, size, store):
    width, height = size
    side = int(min(size) * 0.8)
    detector = make_detector(store, name)
    frame = place(blank(width, height), samples()[20].image, width // 10, height // 10, side)
    shifts = (width // 10, height // 10, 0, 0)
    wanted = tuple(value * side / 320 + shift for value, shift in zip(samples()[20].box, shifts))
    (detection,) = detector.search(frame)
    assert overlap(detection.box, wanted) > 0.5
    (again,) = detector.search_near(frame, [detection.box])
    assert overlap(again.box, detection.box) > 0.7


@pytest.mark.parametrize('name', NAMES)
def test_strange_frames_and_boxes_are_no_problem(name, store):
    detector = make_detector(store, name)
    for shape in ((1, 1, 3), (2, 400, 3), (480, 3, 3), (50, 50, 3)):
        assert detector.search(np.full(shape, 90, np.uint8)) == []
    for corner, side in ((-500.0, 80.0), (5000.0, 80.0), (0.0, 1.0), (-4000.0, 9000.0), (5000.0, 9000.0)):
        box = (corner, corner, side, side)
        assert detector.search_near(blank(), [box]) == []
    assert detector.search_near(blank(), []) == []


@needs_yunet
def test_auto_takes_yunet_where_the_store_has_it(store, tmp_path):
    assert make_detector(store, 'auto').name == 'yunet'
    assert make_detector(store, str(store.root / 'yunet')).name == 'yunet'
    assert make_detector(store, 'haar').name == 'haar'
    said = []
    assert make_detector(ModelStore(tmp_path, bundled=[]), 'auto', said.append).name == 'haar'
    assert len(said) == 1 and './emotion models fetch yunet' in said[0]


def test_missing_detector_is_refused_with_the_way_to_get_it(tmp_path):
    store = ModelStore(tmp_path, bundled=[])
    with pytest.raises(ModelError, match='./emotion models fetch yunet'):
        make_detector(store, 'yunet')
    with pytest.raises(ModelError, match="no model 'nonsense'"):
        make_detector(store, 'nonsense')


@needs_yunet
def test_damaged_yunet_is_not_used(tmp_path):
    store = ModelStore(tmp_path, bundled=[])
    file = store.fetch('yunet', file=YUNET) / 'model.onnx'
    file.write_bytes(file.read_bytes()[:-100])
    assert make_detector(store, 'auto').name == 'haar'
    with pytest.raises(ModelError, match='sha256'):
        make_detector(store, 'yunet')


@needs_faces
@needs_yunet
@pytest.mark.skipif(
    tuple(map(int, cv2.__version__.split('.')[:2])) < (4, 8), reason='OpenCV itself runs this YuNet from 4.8 on'
)
@pytest.mark.parametrize('size', [(640, 480), (640, 360), (192, 192), (333, 250)])
def test_network_finds_what_that_of_opencv_finds(size, store, frames):
    opencv = cv2.FaceDetectorYN.create(str(YUNET), '', size, 0.6, 0.3)
    detector, faces = make_detector(store, 'yunet'), 0
    for frame, _ in frames[:8]:
        image = cv2.resize(frame, size)
        _, rows = opencv.detect(image)
        rows = np.zeros((0, 15)) if rows is None else rows
        here = detector.search(image)
        faces += len(here)
        assert len(here) == len(rows)
        for detection, row in zip(here, sorted(rows, key=lambda row: -row[14])):
            np.testing.assert_allclose([*detection.box, *detection.landmarks.ravel()], row[:14], atol=0.1)
            assert detection.score == pytest.approx(row[14], abs=1e-3)
    assert faces >= 4


@needs_yunet
def test_file_of_another_network_is_no_detector(store, tmp_path):
    folder = tmp_path / 'other'
    shutil.copytree(store.root / 'yunet', folder)
    shutil.copy(ModelStore(bundled=None).find('fer_compact') / 'model.onnx', folder)
    with pytest.raises(ModelError, match='is no YuNet'):
        YuNetDetector(folder)


def test_emotion_model_is_not_a_detector():
    with pytest.raises(ModelError, match='not for face_detection'):
        YuNetDetector(ModelStore(bundled=None).find('fer_compact'))


def test_brightening_leaves_light_pictures_alone():
    light, dark = clouds(0), (clouds(0) * 0.1).astype(np.uint8)
    assert brighten(light) is light
    assert 90 < brighten(dark).mean() < 130


def test_overlap():
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 10, 10)) == 0


def test_opencv_without_cascades_is_refused_with_a_sentence():
    """OpenCV 5 has no CascadeClassifier; YuNet works with it, so the module must load."""
    script = """
import cv2
del cv2.CascadeClassifier
from emotion_core.errors import ModelError
from emotion_face.detector import HaarDetector
try:
    HaarDetector()
except ModelError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, check=True)
    assert 'install opencv-python-headless<5' in done.stdout

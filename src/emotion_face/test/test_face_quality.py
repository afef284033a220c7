import cv2
import numpy as np
import pytest

from emotion_face.alignment import CANONICAL
from emotion_face.quality import PHRASES, crop_quality, face_quality, pose


@pytest.fixture(scope='module')
def face():
    """Give a drawn face with shading: eyes, nose and mouth where they belong."""
    canvas = np.full((192, 192), 120, np.uint8)
    cv2.ellipse(canvas, (96, 100), (70, 90), 0, 0, 360, 190, -1)
    for u, v in CANONICAL[:2]:
        cv2.circle(canvas, (round(u * 192), round(v * 192)), 11, 40, -1)
    cv2.line(canvas, (96, 80), (96, 112), 150, 6)
    cv2.line(canvas, (68, 146), (124, 146), 60, 8)
    return cv2.resize(cv2.GaussianBlur(canvas, (0, 0), 2), (48, 48), interpolation=cv2.INTER_AREA)


def test_terms_are_in_their_range_whatever_the_crop(face):
    random = np.random.default_rng(0)
    for crop in (
        face,
        np.zeros_like(face),
        np.full_like(face, 255),
        np.full_like(face, 77),
        face[:1, :1],
        face[:7, :7],
        random.integers(0, 256, (48, 48), dtype=np.uint8),
        np.eye(48, dtype=np.uint8) * 255,
    ):
        for name, value in crop_quality(crop, 30).items():
            assert 0 <= value <= 1, name


def test_blur_takes_sharpness_and_leaves_light(face):
    terms = [crop_quality(cv2.GaussianBlur(face, (0, 0), sigma) if sigma else face, 48) for sigma in (0, 1, 2, 3)]
    sharpness = [term['sharpness'] for term in terms]
    assert sharpness == sorted(sharpness, reverse=True) and sharpness[0] - sharpness[-1] > 0.2
    assert terms[3]['brightness'] == pytest.approx(terms[0]['brightness'], abs=0.01)


def test_enlarging_adds_no_sharpness(face):
    small = cv2.resize(face, (16, 16), interpolation=cv2.INTER_AREA)
    enlarged = crop_quality(cv2.resize(small, (160, 160), interpolation=cv2.INTER_CUBIC), 16)
    assert enlarged['sharpness'] < crop_quality(face, 48)['sharpness'] - 0.1
    assert enlarged['resolution'] == pytest.approx(1 / 3)


def test_a_larger_picture_of_the_same_face_has_about_the_same_terms(face):
    once, thrice = (
        crop_quality(cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC), side) for side in (48, 144)
    )
    for name in once:
        assert thrice[name] == pytest.approx(once[name], abs=0.06), name


def test_light(face):
    dark, light = crop_quality((face * 0.2).astype(np.uint8), 48), crop_quality(face, 48)
    glaring = crop_quality(cv2.convertScaleAbs(face, alpha=2, beta=20), 48)
    assert dark['brightness'] < 0.15 and dark['contrast'] < light['contrast'] / 3
    assert glaring['clipped'] > 0.5 and light['clipped'] == 0
    assert dark['sharpness'] == pytest.approx(light['sharpness'], abs=0.05)  # dark is not blurred


def test_noise_is_not_taken_for_light_or_missed(face):
    random = np.random.default_rng(0)
    noisy = [
        crop_quality(np.clip(face + random.normal(0, sigma, face.shape), 0, 255).astype(np.uint8), 48)['noise']
        for sigma in (0, 5, 10, 20)
    ]
    assert noisy == sorted(noisy) and noisy[0] < 0.1 and noisy[-1] > 0.3


def test_half_covered_face_has_little_symmetry(face):
    covered = face.copy()
    covered[:, 24:] = np.random.default_rng(0).integers(0, 256, (48, 24))
    assert crop_quality(face, 48)['symmetry'] > 0.95 and crop_quality(covered, 48)['symmetry'] < 0.3


@pytest.mark.parametrize('side', range(4))
def test_covered_part_is_flat_in_light_and_in_the_dark(face, side):
    random = np.random.default_rng(0)
    skin = cv2.resize(random.normal(0, 15, (12, 12)), (48, 48), interpolation=cv2.INTER_CUBIC)
    face = np.clip(face + skin, 0, 255)  # a drawn one is flat nearly everywhere
    covered = np.rot90(face, side).copy()
    covered[:20] = 100 + random.normal(0, 3, (20, 48))
    covered = np.rot90(covered, -side)
    for light in (1, 0.3):
        before, after = (crop_quality((crop * light).astype(np.uint8), 48)['flat'] for crop in (face, covered))
        assert after > before + 0.1


def test_every_phrase_belongs_to_a_term_and_fills_in(face):
    terms = face_quality(face, 34, (10, 10, 50, 60), (640, 480), 0.9)
    assert set(PHRASES) <= set(terms)
    assert PHRASES['sharpness'][0].format(**terms) == 'blurred, 34 px'


def test_pose_of_the_average_face_is_zero_and_tilting_is_not_turning():
    straight = pose(CANONICAL)
    assert straight == pytest.approx({'yaw': 0, 'pitch': 0, 'roll_deg': 0}, abs=0.01)
    turn = np.radians(30)
    tilted = pose(CANONICAL @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * 90 + 7)
    assert tilted == pytest.approx({'yaw': 0, 'pitch': 0, 'roll_deg': 30}, abs=0.01)


@pytest.mark.parametrize('side', [-1, 1])
def test_turned_and_lifted_faces(side):
    turned = CANONICAL.copy()
    turned[2, 0] += side * 0.18  # the nose moves by half an eye distance
    assert pose(turned)['yaw'] == pytest.approx(0.5)
    lifted = CANONICAL.copy()
    lifted[2, 1] += side * 0.0784
    assert pose(lifted)['pitch'] == pytest.approx(0.2, abs=0.01)
    assert pose(np.zeros((5, 2)))['yaw'] <= 1


def test_face_terms(face):
    whole = face_quality(face, 60, (10, 10, 50, 60), (640, 480), 0.9, CANONICAL * 50 + 10)
    assert (whole['size_px'], whole['detection_score'], whole['inside']) == (60, 0.9, 1)
    cut = face_quality(face, 60, (-25, 10, 50, 60), (640, 480), 0.9)
    assert cut['inside'] == pytest.approx(0.5) and 'yaw' not in cut
    assert face_quality(face, 60, (700, 10, 50, 60), (640, 480), 0.9)['inside'] == 0

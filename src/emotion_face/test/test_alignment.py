import cv2
import numpy as np
import pytest

from emotion_face.alignment import CANONICAL, crop_face, similarity
from emotion_face.detector import Detection

SIDE = 48


def gradient(width=400, height=300):
    """Give a frame whose blue is x / 2 and green is y / 2, so that every pixel tells where it was."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.dstack([x / 2, y / 2, np.zeros_like(x)]).round().astype(np.uint8)


@pytest.mark.parametrize('angle', [-170, -30, 0, 15, 90])
@pytest.mark.parametrize('scale', [0.3, 1.0, 7.0])
def test_similarity_is_found_exactly(angle, scale):
    turn = np.radians(angle)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = similarity(CANONICAL, CANONICAL @ linear.T + (20, -5))
    assert matrix == pytest.approx(np.column_stack([linear, (20, -5)]), abs=1e-9)


def test_similarity_is_the_best_one_for_points_that_do_not_fit():
    random = np.random.default_rng(0)
    source, target = random.normal(size=(2, 5, 2))
    matrix = similarity(source, target)

    def error(m):
        return ((source @ m[:, :2].T + m[:, 2] - target) ** 2).sum()

    for _ in range(200):
        a, b, x, y = random.normal(0, 0.05, 4)
        assert error(matrix) <= error(matrix + np.array([[a, -b, x], [b, a, y]]))


@pytest.mark.parametrize('angle', [0, 20, -45])
@pytest.mark.parametrize('size', [30.0, 100.0, 500.0])
def test_landmarks_land_on_their_canonical_places(angle, size):
    frame = np.zeros((900, 900, 3), np.uint8)
    turn = np.radians(angle)
    landmarks = (CANONICAL - 0.5) * size @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + 450
    for point in landmarks:
        cv2.circle(frame, tuple(int(value) for value in point.round()), max(1, round(size / 60)), (255, 255, 255), -1)
    crop = crop_face(frame, Detection((0, 0, size, size), 1.0, landmarks), 'yunet', SIDE)
    assert crop.size_px == pytest.approx(size)
    side = crop.pixels.shape[0]
    assert crop.pixels.shape == (side, side, 3) and side % SIDE == 0
    for u, v in CANONICAL * side:
        reach = side / 20
        assert crop.pixels[int(v - reach) : int(v + reach) + 1, int(u - reach) : int(u + reach) + 1].max() > 100


def test_pixels_come_from_exactly_where_the_matrix_says():
    crop = crop_face(gradient(), Detection((100, 60, 96, 96), 1.0), 'haar', SIDE)
    assert crop.size_px == 96 and crop.pixels.shape == (96, 96, 3)  # twice the side: no pixel is skipped
    assert np.array_equal(crop.pixels, gradient()[60:156, 100:196])


def test_small_face_is_enlarged_about_pixel_centres():
    frame = gradient()
    crop = crop_face(frame, Detection((100, 60, 24, 24), 1.0), 'haar', SIDE).pixels
    reference = cv2.resize(frame[50:94, 90:134], (88, 88))[20:68, 20:68]  # cut wider, so that its border does not count
    assert np.abs(crop.astype(int) - reference).max() <= 1


def test_yunet_box_is_widened_about_its_centre():
    frame = gradient()
    crop = crop_face(frame, Detection((100, 80, 80, 100), 1.0), 'yunet', SIDE)
    assert crop.size_px == pytest.approx(1.08 * np.sqrt(80 * 100))
    assert crop.pixels.mean(axis=(0, 1))[:2] == pytest.approx([140 / 2, 130 / 2], abs=0.5)


@pytest.mark.parametrize('corner', [(-40, -40), (360, -40), (-40, 260), (360, 260), (-1000, -1000)])
def test_faces_at_the_border_repeat_its_pixels(corner):
    crop = crop_face(gradient(), Detection((*corner, 80, 80), 1.0), 'haar', SIDE).pixels
    x = np.clip(np.arange(crop.shape[1]) * 80 / crop.shape[1] + corner[0], 0, 399)
    assert crop[crop.shape[0] // 2, :, 0] == pytest.approx(x / 2, abs=1.5)


def test_landmarks_on_one_spot_fall_back_to_the_box():
    frame = gradient()
    box = (100.0, 60.0, 80.0, 80.0)
    same = crop_face(frame, Detection(box, 1.0, np.full((5, 2), 140.0)), 'yunet', SIDE)
    assert np.array_equal(same.pixels, crop_face(frame, Detection(box, 1.0), 'yunet', SIDE).pixels)


def test_huge_face_is_cut_coarser():
    assert crop_face(gradient(), Detection((0, 0, 4000, 4000), 1.0), 'haar', SIDE).pixels.shape[0] == 8 * SIDE

"""No image and no speaker is on two sides."""

import numpy as np
import pytest

from emotion_training import fer2013, ser
from emotion_training.errors import TrainingError
from emotion_training.splits import Split, sides_by_name, split_faces


def _pixels(images: np.ndarray, rows: np.ndarray) -> set[bytes]:
    return {images[row].tobytes() for row in rows}


def test_training_image_that_occurs_in_test_or_validation_is_left_out():
    unlike = np.random.default_rng(0).integers(0, 256, (6, 4, 4)).astype(np.uint8)
    images = unlike[[0, 1, 2, 3, 1, 4, 2, 5]]
    split = split_faces(images, usage=np.array([0, 0, 0, 0, 1, 1, 2, 2]))
    assert split.train.tolist() == [0, 3]
    assert split.validation.tolist() == [4, 5]
    assert split.test.tolist() == [6, 7]


def test_validation_image_that_occurs_in_test_is_left_out_and_test_stays_whole():
    unlike = np.random.default_rng(0).integers(0, 256, (3, 4, 4)).astype(np.uint8)
    split = split_faces(unlike[[0, 1, 2, 1]], usage=np.array([0, 1, 1, 2]))
    assert split.validation.tolist() == [2]
    assert split.test.tolist() == [3]


def test_blank_image_is_neither_trained_nor_validated_on():
    images = np.random.default_rng(0).integers(0, 256, (4, 4, 4)).astype(np.uint8)
    images[0] = 7
    images[2] = 9
    images[2, 0, 0] = 12  # as JPEG leaves it
    split = split_faces(images, usage=np.array([0, 0, 1, 2]))
    assert split.train.tolist() == [1]
    assert split.validation.tolist() == []


def test_no_pixels_of_fer2013_are_on_two_sides(data):
    faces = fer2013.load(data)
    split = split_faces(faces.images, faces.usage)
    train, validation, test = (_pixels(faces.images, rows) for rows in (split.train, split.validation, split.test))
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert not faces.constant[split.train].any()
    assert len(split.test) == (faces.usage == fer2013.PRIVATE_TEST).sum() == 3534
    assert len(split.train) > 0.95 * (faces.usage == fer2013.TRAINING).sum()


def test_hash_of_what_is_learned_changes_with_images_labels_and_sides():
    images, labels = np.arange(48, dtype=np.uint8).reshape(3, 4, 4), np.array([0, 1, 2])
    test = np.array([], int)
    split = Split(np.array([0, 1]), np.array([2]), test)
    changed = images.copy()
    changed[2, 3, 3] = 0
    hashes = {
        split.learned_hash(images, labels),
        split.learned_hash(changed, labels),
        split.learned_hash(images, labels[::-1]),
        Split(np.array([0]), np.array([1, 2]), test).learned_hash(images, labels),
    }
    assert len(hashes) == 4
    assert split.learned_hash(list(images), labels) == split.learned_hash(images, labels)


def test_speakers_named_for_a_side_are_on_that_side_only():
    sides = sides_by_name(['a', 'b', 'c', 'a', 'd'], validation=['b'], test=['a'])
    assert sides == {'a': 'test', 'b': 'validation', 'c': 'train', 'd': 'train'}


def test_speaker_named_on_both_sides_is_refused():
    with pytest.raises(TrainingError, match='b are named for validation and for test'):
        sides_by_name(['a', 'b'], validation=['b'], test=['b'])


def test_speaker_who_says_nothing_is_refused():
    with pytest.raises(TrainingError, match='no clip is by speaker z'):
        sides_by_name(['a', 'b'], validation=['b'], test=['z'])


def test_no_speaker_of_the_corpora_is_on_two_sides(data):
    recipe = ser.SerRecipe(data)
    train, validation, test = ({clip.speaker for clip in recipe.side(name)} for name in ('train', 'validation', 'test'))
    assert validation == {'ravdess/19', 'ravdess/20', 'nemo/TP0'}
    assert test == {'ravdess/21', 'ravdess/22', 'ravdess/23', 'ravdess/24', 'nemo/KD0', 'nemo/WR0'}
    assert not (train & validation or train & test or validation & test)
    assert len(train) == 18 + 6
    rows = np.concatenate([recipe.split.train, recipe.split.validation, recipe.split.test])
    assert sorted(rows) == list(range(len(recipe.clips)))

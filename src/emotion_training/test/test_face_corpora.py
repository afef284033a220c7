"""FER2013 in each form it comes in, and RAF-DB: labels, sides, and what is refused."""

import csv

import cv2
import numpy as np
import pytest

from emotion_core.emotions import EMOTIONS
from emotion_training import fer2013, raf_db
from emotion_training.errors import TrainingError

RNG = np.random.default_rng(0)
FACES = RNG.integers(0, 256, (7, 48, 48), dtype=np.uint8)
FACES[5] = FACES[0]


def _fer_table(path, rows):
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['emotion', 'pixels', 'Usage'])
        writer.writerows([[emotion, ' '.join(map(str, face.ravel())), usage] for emotion, face, usage in rows])


def test_fer_table_of_the_competition_is_read_without_disgust(tmp_path):
    usages = ['Training', 'Training', 'PublicTest', 'PrivateTest', 'Training', 'PrivateTest', 'Training']
    _fer_table(tmp_path / 'fer2013.csv', zip((0, 1, 2, 3, 4, 5, 6), FACES, usages))
    faces = fer2013.load(tmp_path)
    assert [EMOTIONS[i] for i in faces.labels] == ['angry', 'fear', 'happy', 'sad', 'surprise', 'neutral']
    assert faces.usage.tolist() == [0, 1, 2, 0, 2, 0]
    assert faces.duplicate.tolist() == [False] * 4 + [True, False]
    np.testing.assert_array_equal(faces.images, np.delete(FACES, 1, axis=0))


def test_damaged_line_of_the_fer_table_is_named(tmp_path):
    _fer_table(tmp_path / 'fer2013.csv', [(0, FACES[0], 'Training'), (0, FACES[1][:, :47], 'Training')])
    with pytest.raises(TrainingError, match='line 3'):
        fer2013.load(tmp_path)


def test_empty_fer_table_is_refused(tmp_path):
    _fer_table(tmp_path / 'fer2013.csv', [])
    with pytest.raises(TrainingError, match='holds no face: FER2013 is needed as'):
        fer2013.load(tmp_path)


def _fer_pack(path, jpeg):
    count = len(jpeg)
    columns = {'labels': np.zeros(count, np.uint8), 'usage': np.zeros(count, np.uint8)}
    columns |= {'exact_dup': np.zeros(count, bool), 'constant': np.zeros(count, bool)}
    offsets = np.cumsum([0, *map(len, jpeg)])
    np.savez(path, label_names=np.array(EMOTIONS), jpeg=np.concatenate(jpeg), offsets=offsets, **columns)


def test_damaged_fer_pack_is_refused(tmp_path):
    path, jpeg = tmp_path / 'fer2013.npz', [cv2.imencode('.jpg', face)[1] for face in FACES]
    _fer_pack(path, jpeg)
    assert fer2013.load(tmp_path).images.shape == FACES.shape
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(TrainingError, match='not FER2013, or damaged'):
        fer2013.load(tmp_path)
    jpeg[2], jpeg[4] = jpeg[2][:3], jpeg[4][:0]
    _fer_pack(path, jpeg)
    with pytest.raises(TrainingError, match='2 images of .*, the first is number 2'):
        fer2013.load(tmp_path)


def _fer_folders(folder, test_names):
    for side, names in (('train', [f'{i}.png' for i in range(20)]), ('test', test_names)):
        for emotion in ('angry', 'disgust', 'happy'):
            (folder / side / emotion).mkdir(parents=True)
            for name in names:
                cv2.imwrite(str(folder / side / emotion / name), RNG.integers(0, 256, (48, 48), dtype=np.uint8))


def test_fer_folders_take_the_sides_from_the_names(tmp_path):
    _fer_folders(tmp_path / 'fer2013', ['PublicTest_1.png', 'PrivateTest_2.JPG', 'PrivateTest_3.jpeg'])
    (tmp_path / 'fer2013' / 'train' / 'happy' / '.DS_Store').touch()
    faces = fer2013.load(tmp_path)
    assert np.bincount(faces.usage).tolist() == [40, 2, 4]
    assert {EMOTIONS[i] for i in faces.labels} == {'angry', 'happy'}


def test_fer_folder_that_is_named_like_no_emotion_is_told(tmp_path):
    _fer_folders(tmp_path, ['1.png'])
    (tmp_path / 'train' / 'weird').mkdir()
    cv2.imwrite(str(tmp_path / 'train' / 'weird' / '1.png'), FACES[0])
    with pytest.raises(TrainingError, match="train/weird' is named like no emotion .*: rename it"):
        fer2013.load(tmp_path)


def test_fer_folders_without_such_names_validate_on_a_tenth_of_each_emotion(tmp_path):
    _fer_folders(tmp_path, ['1.png', '2.png', '3.png'])
    faces = fer2013.load(tmp_path)
    assert np.bincount(faces.usage).tolist() == [36, 4, 6]
    assert np.bincount(faces.labels[faces.usage == fer2013.PUBLIC_TEST])[[0, 2]].tolist() == [2, 2]


@pytest.mark.parametrize('side', ['train', 'test'])
def test_empty_fer_folder_is_refused(tmp_path, side):
    _fer_folders(tmp_path, ['1.png'])
    for path in (tmp_path / side).glob('*/*'):
        path.unlink()
    with pytest.raises(TrainingError, match=f"{side}' holds no image: FER2013 is needed as"):
        fer2013.load(tmp_path)


def test_forms_of_fer_agree_on_real_images(tmp_path, data):
    pack = fer2013.load(data)
    rows = np.concatenate([np.flatnonzero(pack.usage == usage)[:40] for usage in range(3)])
    codes, usages = {name: code for code, name in enumerate(fer2013.CODES)}, list(fer2013.USAGES)
    _fer_table(
        tmp_path / 'fer2013.csv',
        [(codes[EMOTIONS[pack.labels[i]]], pack.images[i], usages[pack.usage[i]]) for i in rows],
    )
    table = fer2013.load(tmp_path)
    np.testing.assert_array_equal(table.images, pack.images[rows])
    np.testing.assert_array_equal(table.labels, pack.labels[rows])
    np.testing.assert_array_equal(table.usage, pack.usage[rows])


def raf_folder(folder, count=20):
    """Make RAF-DB in its Kaggle layout, with random images."""
    for side, each in (('train', count), ('test', 2)):
        with open(folder / f'{side}_labels.csv', 'w') as table:
            table.write('image,label\n')
            for label in range(1, 8):
                (folder / 'DATASET' / side / str(label)).mkdir(parents=True)
                for i in range(each):
                    name = f'{side}_{label}{i:04}_aligned.jpg'
                    image = RNG.integers(0, 256, (100, 100, 3), dtype=np.uint8)
                    cv2.imwrite(str(folder / 'DATASET' / side / str(label) / name), image)
                    table.write(f'{name},{label}\n')


def test_raf_db_is_read_without_disgust_and_validates_on_a_tenth_of_training(tmp_path):
    raf_folder(tmp_path)
    faces = raf_db.load(tmp_path)
    assert [len(rows) for rows in (faces.split.train, faces.split.validation, faces.split.test)] == [108, 12, 12]
    order = ['surprise', 'fear', 'happy', 'sad', 'angry', 'neutral']
    assert [EMOTIONS[i] for i in faces.labels[faces.split.test]] == [name for name in order for _ in range(2)]
    assert np.bincount(faces.labels[faces.split.validation]).tolist() == [2] * 6
    assert faces.images[0].shape == (100, 100, 3)


def test_raf_db_with_missing_images_says_which(tmp_path):
    raf_folder(tmp_path, 2)
    (tmp_path / 'DATASET' / 'test' / '4' / 'test_40001_aligned.jpg').unlink()
    with pytest.raises(TrainingError, match='1 images of RAF-DB are missing or damaged.*test_40001_aligned.jpg'):
        raf_db.load(tmp_path)


def test_raf_db_table_with_other_labels_is_refused(tmp_path):
    raf_folder(tmp_path, 2)
    (tmp_path / 'train_labels.csv').write_text('image,label\na.jpg,8\n')
    with pytest.raises(TrainingError, match=r'labels \[8\]: 1 to 7 are needed'):
        raf_db.load(tmp_path)


@pytest.mark.parametrize(
    'rows, what',
    [
        ('angry_is,-1\n', 'has the columns'),
        ('emotion,pixels,Usage\n-1,{pixels},Training\n', 'line 2'),
        ('Usage,emotion,pixels\nTraining,3\n', 'line 2'),
        ('emotion,pixels,Usage\n3,"' + 200_000 * '1 ' + '",Training\n', 'is no table'),
        ('emotion,pixels,Usage\n3,\udcff,Training\n', 'is no table'),
    ],
)
def test_fer_table_with_a_strange_line_is_refused(tmp_path, rows, what):
    text = rows.replace('{pixels}', ' '.join(map(str, FACES[0].ravel())))
    (tmp_path / 'fer2013.csv').write_bytes(text.encode('utf-8', 'surrogateescape'))
    with pytest.raises(TrainingError, match=what):
        fer2013.load(tmp_path)


@pytest.mark.parametrize(
    'change',
    [
        {'labels': np.arange(7)},
        {'labels': np.full(7, -1)},
        {'labels': np.zeros(5, int)},
        {'usage': np.full(7, 3)},
        {'offsets': np.array([0])},
        {'offsets': np.linspace(0, 1, 8)},
    ],
)
def test_fer_pack_whose_columns_do_not_fit_is_refused(tmp_path, change):
    path = tmp_path / 'fer2013.npz'
    _fer_pack(path, [cv2.imencode('.jpg', face)[1] for face in FACES])
    with np.load(path) as archive:
        pack = dict(archive)
    np.savez(path, **pack | change)
    with pytest.raises(TrainingError, match='not FER2013, or damaged'):
        fer2013.load(tmp_path)


def test_array_that_is_named_like_the_fer_pack_is_refused(tmp_path):
    np.save(tmp_path / 'faces.npy', FACES)
    (tmp_path / 'faces.npy').rename(tmp_path / 'fer2013.npz')
    with pytest.raises(TrainingError, match='not FER2013, or damaged'):
        fer2013.load(tmp_path)


@pytest.mark.parametrize('table', ['image,label\n', 'label,image\n1\n'])
def test_raf_db_table_that_names_no_image_is_refused(tmp_path, table):
    raf_folder(tmp_path, 2)
    (tmp_path / 'train_labels.csv').write_text(table)
    with pytest.raises(TrainingError, match='names no image'):
        raf_db.load(tmp_path)


def test_fer_folders_pass_by_what_is_no_picture_and_tell_another_size(tmp_path):
    _fer_folders(tmp_path, ['PublicTest_1.png', 'PrivateTest_2.png'])
    (tmp_path / 'train' / 'happy' / 'Thumbs.db').touch()
    (tmp_path / 'train' / 'happy' / 'more').mkdir()
    assert len(fer2013.load(tmp_path).labels) == 44
    cv2.imwrite(str(tmp_path / 'train' / 'happy' / 'large.png'), np.zeros((300, 400), np.uint8))
    with pytest.raises(TrainingError, match='large.png. has 400x300 pixels: faces of 48x48 are needed'):
        fer2013.load(tmp_path)

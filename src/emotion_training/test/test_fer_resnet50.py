"""The ResNet-50 tier: its data, what learns when, and a run of the whole command with a small network in its place."""

import csv
import json

import cv2
import numpy as np
import pytest

from emotion_core.emotions import EMOTIONS
from emotion_core.errors import EmotionError
from emotion_core.model_card import ImageInput, ModelCard
from emotion_training import cli, fer_resnet50, raf_db
from emotion_training.fer_resnet50 import ResNetRecipe
from emotion_training.recipe import HeldOut

torch = pytest.importorskip('torch', reason='training needs PyTorch, which the nodes do not')
pytest.importorskip('onnxscript', reason='export needs onnxscript')

from emotion_training import resnet, trainer

SIDE = 32  # [px] of the pictures here


COLOURS = dict(
    zip(EMOTIONS, ((40, 40, 230), (40, 230, 40), (230, 40, 40), (20, 20, 20), (235, 235, 235), (40, 230, 230)))
)


def _picture(emotion, rng):
    """Draw a noisy field of the colour that tells the emotion."""
    return np.clip(COLOURS[emotion] + rng.normal(0, 15, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope='module')
def raf(tmp_path_factory):
    """RAF-DB in its Kaggle layout, with colours for faces: 20 and 4 of each emotion."""
    folder, rng = tmp_path_factory.mktemp('raf'), np.random.default_rng(0)
    for side, count in (('train', 20), ('test', 4)):
        rows = []
        for label, code in enumerate(raf_db.CODES, 1):
            (folder / 'DATASET' / side / str(label)).mkdir(parents=True)
            for i in range(count if code != 'disgust' else 1):
                name = f'{side}_{label}{i:03}_aligned.png'
                picture = _picture(code if code != 'disgust' else 'angry', rng)
                cv2.imwrite(str(folder / 'DATASET' / side / str(label) / name), picture)
                rows.append([name, label])
        with open(folder / f'{side}_labels.csv', 'w', newline='') as file:
            csv.writer(file).writerows([['image', 'label'], *rows])
    return folder


class Small(torch.nn.Module):
    """Has the names of the parts of ResNet-50 that the phases tell apart."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.layer4 = torch.nn.Conv2d(8, 16, (9, 1))
        self.fc = torch.nn.Linear(16, 6)

    @property
    def head(self):
        return self.fc

    def embed(self, faces):
        return torch.relu(self.layer4(torch.relu(self.conv1(faces)))).mean((2, 3))

    def forward(self, faces):
        return self.fc(self.embed(faces))


@pytest.fixture
def small(monkeypatch):
    """Put the small network and small pictures in the place of ResNet-50 and its own."""
    monkeypatch.setattr(ResNetRecipe, 'network', lambda self: Small())
    monkeypatch.setattr(ResNetRecipe, 'input', ImageInput(SIDE, SIDE, 'rgb', (0.5,) * 3, (0.25,) * 3))
    monkeypatch.setattr(fer_resnet50, 'BATCH', 16)
    monkeypatch.setattr(fer_resnet50, 'LEARNING_RATE', 1e-2)


def test_rare_emotions_come_twice_in_an_epoch_and_validation_never(raf, tmp_path):
    recipe = ResNetRecipe(raf, tmp_path)
    rows = recipe.rows(seed=1)
    counts = dict(zip(EMOTIONS, np.bincount(recipe.pictures.labels[rows])))
    assert counts == {'angry': 36, 'fear': 36, 'happy': 18, 'neutral': 18, 'sad': 36, 'surprise': 18}
    assert not set(rows) & {*recipe.pictures.split.validation, *recipe.pictures.split.test}
    assert recipe.rows(seed=1).tolist() == rows.tolist() != recipe.rows(seed=2).tolist()


def test_both_corpora_are_learned_and_reported_on_their_own(raf, tmp_path):
    for link in ('DATASET', 'train_labels.csv', 'test_labels.csv'):
        (tmp_path / link).symlink_to(raf / link)
    rng = np.random.default_rng(1)
    with open(tmp_path / 'fer2013.csv', 'w', newline='') as file:
        lines = [
            [emotion, ' '.join(map(str, rng.integers(0, 256, 48 * 48))), usage]
            for usage, count in (('Training', 2), ('PublicTest', 1), ('PrivateTest', 1))
            for emotion in range(7)
            for _ in range(count)
        ]
        csv.writer(file).writerows([['emotion', 'pixels', 'Usage'], *lines])
    recipe = ResNetRecipe(tmp_path, tmp_path)
    assert [len(recipe.labels(side)) for side in ('train', 'validation', 'test')] == [108 + 12, 12 + 6, 24 + 6]
    data = recipe.held_out('test')
    assert {name: int(rows.sum()) for name, rows in data.groups.items()} == {
        'all': 30,
        'fer2013': 6,
        'raf_db': 24,
        'fer2013_without_duplicates': 6,
    }
    assert np.concatenate(list(data.batches)).shape == (30, 3, 224, 224)


def _command(data, runs):
    """Give a command line of training; on one thread, for these networks are tiny."""
    return ['fer', '--tier', 'resnet50', '--data', str(data), '--out', str(runs), '--threads', '1']


def test_command_trains_exports_and_measures_and_goes_on(raf, tmp_path, small, monkeypatch, capsys):
    monkeypatch.setattr(resnet, 'load_imagenet', lambda network, file: False)
    command = [*_command(raf, tmp_path), '--epochs', '8']
    assert cli.main([*command, '--only', 'train', 'export', 'test', 'reliability']) == 0
    run = tmp_path / 'fer_resnet50'
    log = [json.loads(line) for line in (run / trainer.LOG_FILE).read_text().splitlines()]
    assert log[-1]['loss'] < 0.8 * log[0]['loss']
    card = ModelCard.load(run / 'model')
    assert card.training['start'] == fer_resnet50.RANDOM
    assert card.training['command'].startswith(
        'python -m emotion_training fer --tier resnet50 --data DATA --out RUNS --epochs 8 '
    )
    assert card.metrics['test']['all']['accuracy'] > 0.5  # 1/6 by chance
    assert card.metrics['test']['raf_db']['n'] == 24
    assert cli.main([*command[:-2], '--only', 'export']) == 0  # without its --epochs
    assert ModelCard.load(run / 'model').training['command'] == card.training['command']
    assert cli.main([*command, '--only', 'train']) == 0
    assert 'Going on after epoch 8 of 8' in ' '.join(capsys.readouterr().out.split())


def _no_network(*args, **kwargs):
    raise OSError('no network')


def test_with_learned_weights_the_head_comes_first_and_the_first_layers_stay(raf, tmp_path, small, monkeypatch):
    begun = Small()
    monkeypatch.setattr(ResNetRecipe, 'network', lambda self: begun)
    monkeypatch.setattr(resnet, 'load_imagenet', lambda network, file: True)
    before = {name: value.clone() for name, value in begun.state_dict().items()}
    seen = []

    def score(self, model):
        seen.append({name for name, value in begun.state_dict().items() if not torch.equal(value, before[name])})
        return {'accuracy': 0.0, 'macro_f1': 0.0}

    monkeypatch.setattr(HeldOut, 'score', score)
    assert cli.main([*_command(raf, tmp_path), '--epochs', '5', '--only', 'train']) == 0
    head, deep = {'fc.weight', 'fc.bias'}, {'layer4.weight', 'layer4.bias'}
    assert seen == [head] + [head | deep] * 4


def test_imagenet_weights_of_a_file_go_everywhere_but_into_the_head(tmp_path):
    torch.manual_seed(0)
    published, network = resnet.models.resnet50(weights=None), resnet.ResNet50()
    head = network.fc.weight.clone()
    torch.save(published.state_dict(), tmp_path / 'resnet50.pth')
    assert resnet.load_imagenet(network, str(tmp_path / 'resnet50.pth'))
    assert torch.equal(network.layer3[2].conv2.weight, published.layer3[2].conv2.weight)
    assert torch.equal(network.fc.weight, head)


def test_other_weights_are_refused(tmp_path):
    torch.save({'conv1.weight': torch.zeros(64, 3, 7, 7)}, tmp_path / 'other.pth')
    with pytest.raises(EmotionError, match="does not hold the weights of torchvision's ResNet-50"):
        resnet.load_imagenet(resnet.ResNet50(), str(tmp_path / 'other.pth'))
    with pytest.raises(EmotionError, match='cannot be read: No such file'):
        resnet.load_imagenet(Small(), str(tmp_path / 'missing.pth'))


def test_without_network_the_weights_stay_random(monkeypatch):
    monkeypatch.setattr(resnet.models._api, 'load_state_dict_from_url', _no_network)
    assert resnet.load_imagenet(Small(), None) is False


def test_folder_without_any_corpus_is_told_what_it_may_hold(tmp_path):
    with pytest.raises(EmotionError, match='neither RAF-DB nor FER2013 is in .*DATASET/train.*fer2013.npz'):
        ResNetRecipe(tmp_path, tmp_path).pictures


def test_weights_are_for_this_tier_only(capsys):
    with pytest.raises(SystemExit):
        cli.main(['fer', '--data', 'x', '--out', 'y', '--weights', 'resnet50.pth'])
    assert 'compact models fetch what they begin with' in capsys.readouterr().err

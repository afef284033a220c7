"""Models that others made: what is taken, what is refused, and that the store stays as it was then."""

import functools
import http.server
import json
import os
import pickle
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotion_core.emotions import EMOTIONS
from emotion_core.errors import EmotionError, ModelError
from emotion_core.model_card import CARD_FILE, ImageInput, ModelCard, sha256_of
from emotion_core.onnx_model import OnnxModel
from emotion_core.store import FETCHABLE, ModelStore
from emotion_training import importing, importing_calibration
from emotion_training.importing import Wish, import_model

onnx = pytest.importorskip('onnx', reason='the models of these tests are made with it')

SEVEN = ('angry', 'disgust', 'fearful', 'happy', 'neutral', 'sad', 'surprised')


@pytest.fixture
def store(tmp_path):
    """An empty store that must be empty again when an import fails."""
    return ModelStore(tmp_path / 'store', bundled=[])


def bring(store, source, told=None, **wish):
    return import_model(store, Wish(str(source), **wish), (lambda text: None) if told is None else told.append)


def refuse(store, source, sentence, **wish):
    """Check that an import fails with one sentence, and leaves nothing behind."""
    before = sorted(store.root.rglob('*'))
    with pytest.raises(EmotionError, match=sentence) as failure:
        bring(store, source, **wish)
    assert '\n' not in str(failure.value)
    assert sorted(store.root.rglob('*')) == before


def net(path, columns=6):
    """Write an ONNX file that gives the mean of each column of a picture, and a card for it; gives the card."""
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node('ReduceMean', ['x'], ['y'], axes=[1, 2], keepdims=0)],
        'columns',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, ['n', 1, 6, columns])],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, ['n', columns])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8), path)
    labels = EMOTIONS if columns == 6 else SEVEN
    card = ModelCard('columns', 'fer', ImageInput(columns, 6), sha256_of(path), labels)
    card.save(path.parent)
    return card


def test_onnx_file_with_a_card_is_taken_under_the_name_of_its_card(store, tmp_path):
    net(tmp_path / 'net.onnx', 7)
    told = []
    folder = bring(store, tmp_path / 'net.onnx', told, card=tmp_path / CARD_FILE)
    assert folder == store.find('columns')
    assert store.verify('columns').labels == SEVEN
    assert 'Dropped, the rest renormalised: disgust' in told
    batch = np.zeros((1, 1, 6, 7), np.float32)
    batch[..., 6] = 3  # surprised
    chances = OnnxModel(folder, 'fer')(batch)[0]
    assert chances.argmax() == EMOTIONS.index('surprise') and chances.sum() == pytest.approx(1)


def test_folder_with_model_and_card_is_taken_and_may_be_named(store, tmp_path):
    (tmp_path / 'mine').mkdir()
    net(tmp_path / 'mine' / 'model.onnx')
    bring(store, tmp_path / 'mine', name='ours')
    assert store.verify('ours').name == 'ours'
    refuse(store, tmp_path / 'mine', "there is a model 'ours' already", name='ours')
    bring(store, tmp_path / 'mine', name='ours', replaces=True)


def test_folder_with_a_model_and_no_card_is_told_what_it_lacks(store, tmp_path):
    net(tmp_path / 'model.onnx')
    (tmp_path / CARD_FILE).unlink()
    refuse(store, tmp_path, 'needs a card that says its task, labels and input')


def test_public_file_is_known_by_its_hash(store, tmp_path, monkeypatch):
    card = net(tmp_path / 'zoo.onnx', 7)
    known = replace(FETCHABLE['fer_mobilefacenet'], card=replace(card, name='fer_mobilefacenet'))
    monkeypatch.setitem(FETCHABLE, 'fer_mobilefacenet', known)
    bring(store, tmp_path / 'zoo.onnx')
    assert store.verify('fer_mobilefacenet').training == {'source': known.url}
    net(tmp_path / Path(known.url).name)
    refuse(store, tmp_path / Path(known.url).name, 'of the public file of that name')


@pytest.mark.parametrize(
    'wish, sentence',
    [
        ({}, 'needs a card'),
        ({'card': CARD_FILE, 'sha256': '0' * 64}, 'not 0000000000000000… as expected'),
        ({'card': CARD_FILE, 'labels': SEVEN}, r'outputs of shape \(1, 6\), its card promises \(1, 7\)'),
        ({'card': CARD_FILE, 'labels': tuple('abcdef')}, 'are not those of emotions'),
        ({'card': CARD_FILE, 'label_map': {'glad': 'happy'}}, "no output has the label 'glad'"),
        ({'card': CARD_FILE, 'label_map': {'sad': 'blue'}}, "'sad' cannot be mapped to 'blue'"),
        ({'card': CARD_FILE, 'name': '../elsewhere'}, 'cannot be the name of a model'),
        ({'card': 'nosuch.json'}, 'cannot be read'),
    ],
)
def test_onnx_file_that_is_not_as_described_is_refused(store, tmp_path, wish, sentence):
    net(tmp_path / 'net.onnx')
    if 'card' in wish:
        wish = wish | {'card': tmp_path / wish['card']}
    refuse(store, tmp_path / 'net.onnx', sentence, **wish)


def test_card_with_another_size_than_the_file_takes_is_refused(store, tmp_path):
    card = net(tmp_path / 'net.onnx')
    replace(card, input=ImageInput(8, 6)).save(tmp_path)
    refuse(
        store, tmp_path / 'net.onnx', 'it takes n x 1 x 6 x 6, the card has 1 x 1 x 6 x 8$', card=tmp_path / CARD_FILE
    )


def test_file_that_is_no_onnx_is_told_by_its_own_name(store, tmp_path):
    net(tmp_path / 'mine.onnx')
    (tmp_path / 'mine.onnx').write_text('hello')
    card = ModelCard.load(tmp_path)
    replace(card, sha256=sha256_of(tmp_path / 'mine.onnx')).save(tmp_path)
    refuse(store, tmp_path / 'mine.onnx', "mine.onnx' is damaged, or no ONNX file", card=tmp_path / CARD_FILE)


def test_card_that_never_ends_and_weights_that_are_no_numbers_are_refused(store, tmp_path):
    net(tmp_path / 'net.onnx')
    (tmp_path / 'deep.json').write_text(100_000 * '[')
    refuse(store, tmp_path / 'net.onnx', 'cannot be read', card=tmp_path / 'deep.json')
    model = onnx.load(tmp_path / 'net.onnx')
    model.graph.node[0].output[0] = 'mean'
    model.graph.node.append(onnx.helper.make_node('Add', ['mean', 'nan'], ['y']))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([np.nan], np.float32), 'nan'))
    onnx.save(model, tmp_path / 'net.onnx')
    card = ModelCard.load(tmp_path)
    replace(card, sha256=sha256_of(tmp_path / 'net.onnx')).save(tmp_path)
    refuse(store, tmp_path / 'net.onnx', 'outputs that are no numbers', card=tmp_path / CARD_FILE)


def test_card_of_another_file_is_refused(store, tmp_path):
    net(tmp_path / 'net.onnx')
    with open(tmp_path / 'net.onnx', 'ab') as file:
        file.write(b'\0')
    refuse(store, tmp_path / 'net.onnx', 'was not imported', card=tmp_path / CARD_FILE)


def test_what_is_no_model_is_refused_before_torch_is_asked_for(store, tmp_path):
    (tmp_path / 'notes.txt').write_text('hello')
    (tmp_path / 'text.pth').write_text('hello')
    (tmp_path / 'empty').mkdir()
    refuse(store, tmp_path / 'notes.txt', 'none of the models that can be imported')
    refuse(store, tmp_path / 'text.pth', 'none of the models that can be imported')
    refuse(store, tmp_path / 'empty', 'holds no model')
    refuse(store, tmp_path / 'nosuch.pth', 'there is no file or folder')
    refuse(store, tmp_path / 'notes.txt', '--card is for an ONNX file', card=tmp_path / 'card.json')
    assert not store.root.exists()


def test_nothing_empty_files_and_pointers_are_refused_with_what_they_are(store, tmp_path, monkeypatch):
    pointer = b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n'
    for suffix in ('pth', 'safetensors', 'onnx'):
        (tmp_path / f'empty.{suffix}').write_bytes(b'')
        (tmp_path / f'pointer.{suffix}').write_bytes(pointer)
        refuse(store, tmp_path / f'empty.{suffix}', 'is empty: get it again')
        refuse(store, tmp_path / f'pointer.{suffix}', 'Git LFS pointer, not the file')
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'folder' / 'config.json').write_text('{}')
    (tmp_path / 'folder' / 'model.safetensors').write_bytes(pointer)
    refuse(store, tmp_path / 'folder', "model.safetensors' is a Git LFS pointer")
    refuse(store, '', 'nothing to import')
    (tmp_path / 'inside').mkdir()
    monkeypatch.chdir(tmp_path / 'inside')
    refuse(store, '.', "'.' holds no model")


def test_weights_beside_a_folder_have_its_whole_name(tmp_path, monkeypatch):
    (tmp_path / 'ser_v1.2').mkdir()
    (tmp_path / 'ser_v1.2' / 'config.json').write_text('{}')
    (tmp_path / 'ser_v1.pth').write_bytes(b'of another')
    assert importing.recognise(Wish(str(tmp_path / 'ser_v1.2'))).kind == 'huggingface'
    (tmp_path / 'ser_v1.2.pth').write_bytes(b'PK')
    assert importing.recognise(Wish(str(tmp_path / 'ser_v1.2'))).path == tmp_path / 'ser_v1.2.pth'
    monkeypatch.chdir(tmp_path / 'ser_v1.2')
    assert importing.recognise(Wish('.')).path == tmp_path / 'ser_v1.2.pth'


def test_labels_are_mapped_by_name_by_the_user_or_dropped():
    labels = ('ang', 'joy', 'excited', 'bored', 'neu')
    settled = importing.settle_label_map(labels, {'excited': 'happy'})
    assert settled == {'excited': 'happy', 'bored': ''}
    assert importing.emotions_of(labels, settled) == {'angry', 'happy', 'neutral'}


def test_temperature_of_overconfident_logits_is_found_through_the_label_map():
    from emotion_core.emotions import LabelMap, softmax

    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (4000, 7))
    label_map = LabelMap(SEVEN)
    truth = np.array([rng.choice(6, p=row) for row in label_map(softmax(logits))])
    assert importing_calibration.fit_temperature(3 * logits, truth, label_map) == pytest.approx(3, rel=0.1)


def test_model_is_calibrated_on_pictures(store, tmp_path, monkeypatch):
    class Whole:
        """Takes a whole picture for the face."""

        suffixes, noun, content = ('.png',), 'picture', 'a face'

        def __init__(self, spec):
            self._spec = spec

        def __call__(self, path):
            from emotion_face.preprocess import to_batch
            from emotion_training.personalise_data import Piece

            return [Piece(20 * to_batch([cv2.imread(str(path))], self._spec), {})]

    monkeypatch.setitem(importing_calibration.READERS, 'fer', Whole)
    net(tmp_path / 'net.onnx')
    rng = np.random.default_rng(0)
    for i in range(60):  # of each picture one column is bright; of a third it is not that of its emotion
        bright = (i + (i % 3 == 0)) % 6
        picture = rng.integers(0, 40, (6, 6), dtype=np.uint8)
        picture[:, bright] = 250
        (tmp_path / 'data' / EMOTIONS[i % 6]).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / 'data' / EMOTIONS[i % 6] / f'{i}.png'), picture)
    told = []
    bring(store, tmp_path / 'net.onnx', told, card=tmp_path / CARD_FILE, data=tmp_path / 'data')
    card = store.verify('columns')
    figures = card.metrics['calibration']
    assert card.temperature > 2
    assert figures['after']['accuracy'] == figures['before']['accuracy'] == pytest.approx(2 / 3, abs=0.01)
    assert figures['after']['calibration_error'] < 0.2 < figures['before']['calibration_error']
    assert 'On 60 pictures its accuracy is 0.667' in told[-1]
    shutil.rmtree(tmp_path / 'data' / 'angry')
    shutil.rmtree(tmp_path / 'data' / 'fear')
    for emotion in EMOTIONS[2:]:
        for file in sorted((tmp_path / 'data' / emotion).iterdir())[3:]:
            file.unlink()
    refuse(store, tmp_path / 'net.onnx', 'too few', card=tmp_path / CARD_FILE, data=tmp_path / 'data', name='other')


# What needs torch.


class Harm:
    """Something that runs when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def test_code_in_a_pickle_is_refused_and_not_run(store, tmp_path):
    torch = pytest.importorskip('torch')
    for name, legacy in (('new', False), ('old', True)):
        weights = {'state_dict': {'fc.weight': torch.zeros(6, 2)}, 'epoch': Harm(tmp_path / 'trace')}
        torch.save(weights, tmp_path / f'{name}.pth', _use_new_zipfile_serialization=not legacy)
        refuse(store, tmp_path / f'{name}.pth', r'holds code or objects \(posix.mkdir\), not only weights')
    assert not (tmp_path / 'trace').exists()
    torch.load(tmp_path / 'new.pth', weights_only=False)  # it would have run
    assert (tmp_path / 'trace').exists()


def test_pickle_that_torch_did_not_write_is_refused_with_what_it_is(store, tmp_path):
    pytest.importorskip('torch')
    pytest.importorskip('transformers')
    (tmp_path / 'bare.pth').write_bytes(pickle.dumps({'a': 1}, protocol=4))
    refuse(store, tmp_path / 'bare.pth', 'is a pickle, but none of torch.save: it was not loaded')


def test_weights_of_something_else_are_refused(store, tmp_path):
    torch = pytest.importorskip('torch')
    pytest.importorskip('transformers')
    torch.save({'features.0.weight': torch.zeros(3, 3)}, tmp_path / 'other.pth')
    refuse(store, tmp_path / 'other.pth', 'holds the weights of another network')
    torch.save({'epoch': 3}, tmp_path / 'none.pth')
    refuse(store, tmp_path / 'none.pth', 'holds no state dict')
    (tmp_path / 'cut.pth').write_bytes((tmp_path / 'other.pth').read_bytes()[:300])
    refuse(store, tmp_path / 'cut.pth', 'is damaged')
    torch.save({'wavlm.masked_spec_embed': torch.zeros(3), 'classifier.bias': torch.zeros(6)}, tmp_path / 'voice.pth')
    refuse(store, tmp_path / 'voice.pth', 'config.json is missing')


def test_resnet50_in_a_dict_with_prefixes_becomes_the_same_model(store, tmp_path):
    torch = pytest.importorskip('torch')
    pytest.importorskip('transformers')
    from emotion_training.vision import models

    torch.manual_seed(0)
    network = models.resnet50(weights=None, num_classes=7).eval()
    state = {f'module.{name}': value for name, value in network.state_dict().items()}
    # As training scripts save it: the head behind dropout, figures and labels beside the weights.
    state = {name.replace('module.fc.', 'module.fc.1.'): value for name, value in state.items()}
    torch.save({'epoch': 4, 'best_f1': np.float64(0.7), 'model_state_dict': state}, tmp_path / 'rafdb.pth')
    refuse(store, tmp_path / 'rafdb.pth', 'has 7 outputs, not the 6 of angry, fear')
    told = []
    folder = bring(store, tmp_path / 'rafdb.pth', told, labels=SEVEN)
    card = store.verify('rafdb')
    assert card.metrics['parity']['max_abs_difference'] < 1e-3
    assert any(text.startswith('The logits differ') for text in told)
    batch = np.random.default_rng(0).normal(0, 1, (2, 3, 224, 224)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(batch)).numpy()
    np.testing.assert_allclose(OnnxModel(folder, 'fer').outputs(batch), expected, atol=1e-3)


@pytest.fixture(scope='module')
def wavlm(tmp_path_factory):
    """A tiny WavLM with six outputs, and the folder that holds it in the layout of Hugging Face."""
    pytest.importorskip('torch')
    transformers = pytest.importorskip('transformers')
    config = transformers.WavLMConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        classifier_proj_size=8,
        id2label=dict(enumerate(EMOTIONS)),
        initializer_range=0.5,
    )
    model = transformers.WavLMForSequenceClassification(config).eval()
    folder = tmp_path_factory.mktemp('voices') / 'wavlm_ser_model'
    model.save_pretrained(folder)
    return model, folder


def test_wavlm_folder_with_weights_beside_it_becomes_the_same_model(store, tmp_path, wavlm):
    import torch

    model, folder = wavlm
    shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns('*.safetensors'))
    state = model.state_dict() | {'classifier.bias': torch.arange(6.0)}
    torch.save(state, tmp_path / f'{folder.name}.pth')
    found = bring(store, tmp_path / folder.name)
    assert store.verify('wavlm_ser_model').labels == EMOTIONS
    model = type(model)(model.config).eval()
    model.load_state_dict(state)
    for seconds in (0.6, 2.3):
        samples = np.random.default_rng(0).normal(0, 0.1, (1, int(16000 * seconds))).astype(np.float32)
        with torch.inference_mode():
            expected = model(torch.from_numpy(samples)).logits.numpy()
        np.testing.assert_allclose(OnnxModel(found, 'ser').outputs(samples), expected, atol=1e-4)


def test_hugging_face_folders_that_cannot_be_used_are_refused(store, tmp_path, wavlm):
    import torch
    import transformers

    model, folder = wavlm
    model.wavlm.save_pretrained(tmp_path / 'headless')
    refuse(store, tmp_path / 'headless', 'lacks .* of the weights of WavLMForSequenceClassification')
    refuse(store, folder, r'has 6 outputs, not the 2 of happy, sad', labels=('happy', 'sad'))
    text = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=10
    )
    transformers.BertForSequenceClassification(text).save_pretrained(tmp_path / 'text')
    refuse(store, tmp_path / 'text', 'of type bert, neither for pictures nor for voices')
    shutil.copytree(folder, tmp_path / 'cut')
    content = (folder / 'model.safetensors').read_bytes()
    for count in (4, len(content) // 2):
        (tmp_path / 'cut' / 'model.safetensors').write_bytes(content[:count])
        refuse(store, tmp_path / 'cut', 'has damaged weights .*: get them again')
    shutil.copytree(folder, tmp_path / 'pickled', ignore=shutil.ignore_patterns('*.safetensors'))
    refuse(store, tmp_path / 'pickled', 'has no weights')
    torch.save({'x': Harm(tmp_path / 'trace')}, tmp_path / 'pickled' / 'pytorch_model.bin')
    refuse(store, tmp_path / 'pickled', r'holds code or objects \(posix.mkdir\)')
    config = json.loads((folder / 'config.json').read_text()) | {
        'model_type': 'own',
        'auto_map': {'AutoConfig': 'code.Config'},
    }
    (tmp_path / 'pickled' / 'config.json').write_text(json.dumps(config))
    (tmp_path / 'pickled' / 'code.py').write_text(f'import os\nos.mkdir({str(tmp_path / "trace")!r})\n')
    refuse(store, tmp_path / 'pickled', 'describes no model known here')
    strange = json.loads((folder / 'config.json').read_text()) | {'hidden_size': 'a'}
    (tmp_path / 'cut' / 'config.json').write_text(json.dumps(strange))
    refuse(store, tmp_path / 'cut', 'describes no model known here')
    assert not (tmp_path / 'trace').exists()


def test_model_of_pictures_is_taken_from_the_hub(store, tmp_path, monkeypatch):
    pytest.importorskip('torch')
    transformers = pytest.importorskip('transformers')
    import huggingface_hub

    import emotion_training.vision  # noqa: F401  transformers stumbles over a torchvision that does not load

    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        id2label=dict(enumerate(SEVEN)),
    )
    folder = tmp_path / 'served'
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    (folder / 'README.md').write_text('---\nlicense: mit\n---\n# Faces\n')
    half = {'size': {'height': 32, 'width': 32}, 'image_mean': [0.5] * 3, 'image_std': [0.5] * 3}
    (folder / 'preprocessor_config.json').write_text(json.dumps(half))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Hub, folder)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        home = f'http://127.0.0.1:{running.server_address[1]}'
        template = home + '/{repo_id}/resolve/{revision}/{filename}'
        monkeypatch.setattr(huggingface_hub.constants, 'ENDPOINT', home)
        monkeypatch.setattr(huggingface_hub.constants, 'HUGGINGFACE_CO_URL_TEMPLATE', template)
        bring(store, 'somebody/faces')
        refuse(store, 'somebody/nothing', "the hub has no model 'somebody/nothing'")
        running.shutdown()
    card = store.verify('faces')
    assert card.input == ImageInput(32, 32, 'rgb', (0.5,) * 3, (0.5,) * 3)
    assert (card.labels, card.label_map) == (SEVEN, {})
    assert card.licence == 'As its source states: mit'
    assert card.training['source'] == 'somebody/faces' and card.training['revision'] == Hub.REVISION
    refuse(store, 'somebody/others', 'is there a network')


@pytest.mark.parametrize(
    'kind, said, color, mean, std',
    [
        ('ViT', {'size': 64}, 'rgb', 0.5, 0.5),
        ('ViT', {'size': 64, 'do_normalize': False}, 'rgb', 0.0, 1.0),
        ('MobileViT', {'crop_size': 64}, 'bgr', 0.0, 1.0),
        (
            'EfficientNet',
            {'size': 64, 'include_top': True, 'image_mean': [0.5] * 3, 'image_std': [0.5] * 3},
            'rgb',
            0.5,
            0.25,
        ),
    ],
)
def test_pictures_are_given_as_the_preprocessor_would(tmp_path, kind, said, color, mean, std):
    pytest.importorskip('torch')
    transformers = pytest.importorskip('transformers')
    from emotion_training import importing_huggingface

    config = getattr(transformers, f'{kind}Config')()
    config.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="'it' has no preprocessor_config.json"):
        importing_huggingface.picture_input(config, tmp_path, 'it')
    (tmp_path / 'preprocessor_config.json').write_text(json.dumps(said))
    spec = importing_huggingface.picture_input(config, tmp_path, 'it')
    assert spec == ImageInput(64, 64, color, pytest.approx((mean,) * 3), pytest.approx((std,) * 3))


class Hub(http.server.BaseHTTPRequestHandler):
    """The part of the hub's interface that a download needs, for one model."""

    REVISION = 'c' * 40

    def __init__(self, folder, *args):
        self._folder = folder
        super().__init__(*args)

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        name = self.path.partition('?')[0].rpartition('/')[2]
        if self.path.startswith('/api/models/somebody/faces/tree/'):
            files = [{'type': 'file', 'path': f.name, 'size': f.stat().st_size, 'oid': 'd' * 40} for f in self._files()]
            self._answer(json.dumps(files).encode())
        elif self.path.startswith('/api/models/somebody/faces'):
            files = [{'rfilename': file.name} for file in self._files()]
            about = {'_id': '1', 'id': 'somebody/faces', 'sha': self.REVISION, 'siblings': files}
            self._answer(json.dumps(about).encode())
        elif '/somebody/faces/resolve/' in self.path:
            self._answer((self._folder / name).read_bytes())
        else:
            self.send_response(404)
            self.send_header('X-Error-Code', 'RepoNotFound')
            self.send_header('Content-Length', '0')
            self.end_headers()

    def _files(self):
        return sorted(self._folder.iterdir())

    def _answer(self, content):
        self.send_response(200)
        self.send_header('X-Repo-Commit', self.REVISION)
        self.send_header('ETag', '"abc"')
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        if self.command == 'GET':
            self.wfile.write(content)

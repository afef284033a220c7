import functools
import hashlib
import http.server
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_onnx import TINY_ONNX

from emotion_core import store as store_module
from emotion_core.errors import ModelError
from emotion_core.model_card import MODEL_FILE, ImageInput, ModelCard, sha256_of
from emotion_core.onnx_model import OnnxModel
from emotion_core.store import FETCHABLE, Fetchable, ModelStore

CONTENT = TINY_ONNX


@pytest.fixture
def server(tmp_path):
    """Serve a folder on localhost, with ranges ignored as Python's own server does."""
    folder = tmp_path / 'served'
    folder.mkdir()
    (folder / 'tiny.onnx').write_bytes(CONTENT)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{running.server_address[1]}'
        running.shutdown()


@pytest.fixture
def fetchable(server, monkeypatch):
    card = ModelCard('tiny', 'fer', ImageInput(6, 6), hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setitem(FETCHABLE, 'tiny', Fetchable(f'{server}/tiny.onnx', card))
    return card


def test_fetched_model_is_found_and_verified(tmp_path, fetchable):
    store = ModelStore(tmp_path / 'store', bundled=[])
    seen = []
    folder = store.fetch('tiny', progress=lambda done, total: seen.append((done, total)))
    assert folder == store.find('tiny') == tmp_path / 'store' / 'tiny'
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert store.verify('tiny').sha256 == fetchable.sha256


def test_interrupted_fetch_is_finished_by_the_next(tmp_path, fetchable):
    store = ModelStore(tmp_path / 'store', bundled=[])
    store.root.mkdir()
    (store.root / 'tiny.partial').write_bytes(CONTENT[:50])
    store.fetch('tiny')
    assert (store.find('tiny') / MODEL_FILE).read_bytes() == CONTENT


def test_wrong_hash_leaves_the_store_as_it_was(tmp_path, fetchable, monkeypatch):
    monkeypatch.setitem(FETCHABLE, 'tiny', replace(FETCHABLE['tiny'], card=replace(fetchable, sha256='0' * 64)))
    store = ModelStore(tmp_path / 'store', bundled=[])
    with pytest.raises(ModelError, match='it was not put into the store'):
        store.fetch('tiny')
    assert list(store.root.iterdir()) == []


def test_no_network_is_one_sentence(tmp_path, fetchable, monkeypatch):
    monkeypatch.setitem(FETCHABLE, 'tiny', Fetchable('http://127.0.0.1:9/tiny.onnx', fetchable))
    with pytest.raises(ModelError, match='is there a network'):
        ModelStore(tmp_path / 'store', bundled=[]).fetch('tiny')


def test_damaged_file_fails_verification_and_loading(tmp_path, fetchable):
    store = ModelStore(tmp_path / 'store', bundled=[])
    folder = store.fetch('tiny')
    (folder / MODEL_FILE).write_bytes(b'damaged')
    with pytest.raises(ModelError, match='its card says'):
        store.verify('tiny')
    with pytest.raises(ModelError, match='sha256 differs'):
        OnnxModel(folder, 'fer')


def test_unknown_name_lists_what_there_is(tmp_path, fetchable):
    store = ModelStore(tmp_path / 'store', bundled=[])
    store.fetch('tiny')
    with pytest.raises(ModelError, match="no model 'huge'; there are: tiny"):
        store.find('huge')
    with pytest.raises(ModelError, match='models fetch yunet'):
        store.find('yunet')


def test_root_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv('EMOTION_MODELS', str(tmp_path))
    assert store_module.default_root() == tmp_path


@pytest.mark.parametrize(
    'text, sentence',
    [
        ('{', 'cannot be read'),
        ('{"task": "fer"}', 'is not a model card'),
        ('{"task": "chess"}', "task 'chess' is not one of"),
        ('[]', 'is not a model card'),
    ],
)
def test_bad_cards(tmp_path, text, sentence):
    (tmp_path / 'model.json').write_text(text)
    with pytest.raises(ModelError, match=sentence):
        ModelCard.load(tmp_path)


CARD = {'name': 'net', 'task': 'fer', 'input': {'width': 6, 'height': 6}, 'sha256': ''}


@pytest.mark.parametrize(
    'change, sentence',
    [
        ({'name': 3}, "'name' is 3, a name is needed"),
        ({'task': 3}, "'task' is 3, a text is needed"),
        ({'temperature': 0}, "'temperature' is 0, a number above 0 is needed"),
        ({'temperature': 'warm'}, '\'temperature\' is "warm", a number above 0 is needed'),
        ({'temperature': float('nan')}, "'temperature' is NaN, a number above 0"),
        ({'labels': 'happy'}, 'a list of texts is needed'),
        ({'reliability': {'intercept': float('nan'), 'terms': {}}}, 'not a fit of quality terms'),
        (
            {'reliability': {'intercept': 0, 'terms': {'a': {'mean': 0, 'scale': 0, 'coefficient': 1}}}},
            'has the scale 0',
        ),
        ({'colour': 'gray'}, "there is no field 'colour'; there are: name, task"),
        ({'input': []}, r"'input' is \[\], an object is needed"),
        ({'input': {'width': 6}}, "it lacks 'height' of 'input'"),
        ({'input': {'width': 6, 'height': 0}}, "'width' and 'height' of 'input' are 6 and 0: none may be 0"),
        (
            {'input': {'width': 6, 'height': 6, 'std': [0]}},
            r"'std' of 'input' is \[0\], a list of numbers above 0 is needed",
        ),
        ({'input': {'width': 6, 'height': 6, 'color': 'RGB'}}, "color 'RGB' is not one of gray"),
        ({'input': {'width': 6, 'height': 6, 'color': 'rgb'}}, 'mean has 1 values: rgb needs 3'),
        ({'input': {'width': 6, 'height': 6, 'depth': 6}}, "there is no field 'depth' of 'input'"),
        ({'task': 'ser', 'input': {'min_seconds': 9}}, "'max_seconds' is 8.0, less than 'min_seconds' with 9"),
    ],
)
def test_field_of_a_card_that_is_wrong_is_named(tmp_path, change, sentence):
    (tmp_path / 'model.json').write_text(json.dumps(CARD))
    assert ModelCard.load(tmp_path).name == 'net'
    (tmp_path / 'model.json').write_text(json.dumps(CARD | change))
    with pytest.raises(ModelError, match=f'is not a model card: .*{sentence}'):
        ModelCard.load(tmp_path)


def test_fields_that_are_missing_are_named(tmp_path):
    (tmp_path / 'model.json').write_text('{"name": "net", "task": "fer"}')
    with pytest.raises(ModelError, match="it lacks 'input' and 'sha256'"):
        ModelCard.load(tmp_path)
    (tmp_path / 'model.json').write_text('{"task": "fer", "input": {"width": 6, "height": 6}}')
    with pytest.raises(ModelError, match="is not a model card: it lacks 'name' and 'sha256'"):
        ModelCard.load(tmp_path)


def test_store_that_cannot_be_written_is_one_sentence(tmp_path, fetchable):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(ModelError, match='cannot write to the store'):
        ModelStore(tmp_path / 'file' / 'store', bundled=[]).fetch('tiny')


def put(store, folder, content=CONTENT, **changes):
    folder.mkdir(exist_ok=True)
    (folder / 'net.onnx').write_bytes(content)
    card = ModelCard('net', 'fer', ImageInput(6, 6), sha256='')
    return store.put(folder / 'net.onnx', replace(card, **changes))


def test_model_that_does_not_do_what_its_card_says_is_not_taken(tmp_path):
    store = ModelStore(tmp_path / 'store', bundled=[])
    with pytest.raises(ModelError, match=r'outputs of shape \(1, 6\), its card promises \(1, 2\)'):
        put(store, tmp_path / 'given', labels=('happy', 'sad'))
    with pytest.raises(ModelError, match="'model.onnx' is damaged, or no ONNX file"):
        put(store, tmp_path / 'given', content=b'no model')
    with pytest.raises(ModelError, match="'model.onnx' is no YuNet"):
        put(store, tmp_path / 'given', task='face_detection', labels=('face',))
    assert store.list() == {} and list(store.root.iterdir()) == []


def test_verification_runs_the_model(tmp_path):
    store = ModelStore(tmp_path / 'store', bundled=[])
    folder = put(store, tmp_path / 'given')
    store.verify('net')
    replace(ModelCard.load(folder), labels=('happy', 'sad')).save(folder)
    with pytest.raises(ModelError, match='its card promises'):
        store.verify('net')


def test_model_of_that_name_stays_unless_it_is_to_be_replaced(tmp_path):
    store = ModelStore(tmp_path / 'store', bundled=[])
    folder = put(store, tmp_path / 'given', description='the first')
    with pytest.raises(ModelError, match="there is a model 'net' already"):
        put(store, tmp_path / 'given', description='the second')
    assert ModelCard.load(folder).description == 'the first'


@pytest.mark.parametrize('name', ['net', 'old'])
def test_model_is_replaced_when_asked_to(tmp_path, name):
    store = ModelStore(tmp_path / 'store', bundled=[])
    for description in ('the first', 'the second'):
        with store.new(name, replaces=True) as folder:
            (folder / MODEL_FILE).write_bytes(CONTENT)
            sha256 = sha256_of(folder / MODEL_FILE)
            ModelCard(name, 'fer', ImageInput(6, 6), sha256=sha256, description=description).save(folder)
    assert ModelCard.load(store.root / name).description == 'the second'


def test_face_detector_of_the_data_pack_runs(tmp_path):
    data = Path(__file__).resolve().parents[4] / 'shared' / 'data'
    file = data / 'yunet' / 'face_detection_yunet_2023mar.onnx'
    if not file.is_file():
        pytest.skip(f"'{file}' is not on this machine")
    store = ModelStore(tmp_path / 'store', bundled=[])
    store.fetch('yunet', file=file)
    assert store.verify('yunet').name == 'yunet'

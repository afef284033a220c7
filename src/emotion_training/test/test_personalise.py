"""A model is made to fit one household: what is learned, what is said of it, and what is refused."""

import csv
import io
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from rich.console import Console

onnx = pytest.importorskip('onnx', reason='personalisation needs onnx')

from onnx import TensorProto, helper, numpy_helper

from emotion_core.emotions import EMOTIONS, softmax
from emotion_core.errors import EmotionError
from emotion_core.model_card import AudioInput, ImageInput, ModelCard, sha256_of
from emotion_core.onnx_model import OnnxModel
from emotion_core.reliability import Reliability
from emotion_core.store import ModelStore
from emotion_face.classifier import FaceClassifier
from emotion_speech.classifier import SpeechClassifier
from emotion_speech.preprocess import to_batch
from emotion_training import cli, personalise, personalise_head, personalise_model, sound
from emotion_training.corpus_source import CorpusSource
from emotion_training.errors import TrainingError
from emotion_training.fer2013 import load
from emotion_training.personalise_data import READERS, Piece, Recording, VoiceReader, find_recordings, read
from emotion_training.personalise_head import Examples, Head

NEMO = dict(zip(('anger', 'fear', 'happiness', 'neutral', 'sadness', 'surprised'), EMOTIONS))


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    """Give an empty store, which is the user's while the module runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('EMOTION_MODELS', str(tmp_path_factory.mktemp('store')))
        yield ModelStore()


def told(arguments, capsys, status=0):
    """Run the command; gives what it says in one line."""
    assert cli.main([str(argument) for argument in arguments]) == status
    return ' '.join(' '.join(capsys.readouterr()).split())


def recorder():
    """Give a console that keeps what it is told."""
    return Console(width=10_000, record=True, file=io.StringIO())


def household(corpus, folder, speaker, places):
    """Copy some clips of each emotion of a speaker of nEMO into a folder for each emotion."""
    for name, emotion in NEMO.items():
        clips = [file for file in corpus.files if f'/{speaker}_{name}_' in f'/{file}']
        for file in clips[places]:
            path = folder / emotion / file.rsplit('/', 1)[-1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(corpus.read(file))
    return folder


# On real voices and faces.


@pytest.fixture(scope='module')
def nemo(data):
    corpus = CorpusSource.find(data, 'nEMO')
    if corpus is None:
        pytest.skip('nEMO is not in the data')
    return corpus


@pytest.fixture(scope='module')
def voices(nemo, store, tmp_path_factory):
    """Adapt the shipped model to a speaker that it never heard; gives what was said and the new model's folder."""
    folder = household(nemo, tmp_path_factory.mktemp('home'), 'KD0', slice(0, 80, 8))
    (folder / 'sad' / 'damaged.wav').write_bytes(b'RIFF and nothing more')
    (folder / 'sad' / 'notes.txt').write_text('no sound')
    console = recorder()
    made = personalise.run('ser', folder, 'ser_compact', 'kd0', False, console)
    return console.export_text(), made, folder


def test_speaker_is_recognised_better_on_clips_that_were_not_given(voices, nemo, store, tmp_path):
    _, made, _ = voices
    others = household(nemo, tmp_path, 'KD0', slice(3, 80, 8))
    recordings = find_recordings(others, VoiceReader)[0]
    np.random.default_rng(0).shuffle(recordings)
    right = {}
    for name, folder in (('before', store.find('ser_compact')), ('after', made)):
        classifier, right[name] = SpeechClassifier(folder), []
        for item in recordings:
            opinion = classifier(sound.load(item.path.read_bytes(), item.path.name))
            classifier.remember(opinion)
            right[name].append(opinion.probabilities.argmax() == item.label)
    assert np.mean(right['after']) > np.mean(right['before'])


def test_before_and_after_are_said_with_what_was_left_out(voices):
    said, made, _ = voices
    household_figures = ModelCard.load(made).metrics['household']
    for row in ('before', 'after'):
        assert re.search(rf'{row} .*{household_figures[row]["accuracy"]:.3f}', said)
    assert household_figures['after']['macro_f1'] > household_figures['before']['macro_f1']
    assert 'of recordings' in said and 'too narrow' not in said
    assert re.search('Left out: .*damaged.wav', said)
    assert 'other files: 1 (.txt)' in said
    assert './emotion up speech speech_model:=kd0' in said


def test_only_the_last_layer_is_another(voices, store):
    _, made, _ = voices
    before, after = (onnx.load(folder / 'model.onnx') for folder in (store.find('ser_compact'), made))
    layer = personalise_model._last_layer(before)
    encoder = [node.op_type for node in before.graph.node if node not in layer.nodes]
    assert len(encoder) == len(before.graph.node) - len(layer.nodes)
    assert [node.op_type for node in after.graph.node][: len(encoder)] == encoder
    *frozen, weight, bias = after.graph.initializer
    read = {name for node in layer.nodes for name in node.input}
    shipped = [tensor for tensor in before.graph.initializer if tensor.name not in read]
    assert len(frozen) == len(shipped) > 30
    for one, other in zip(frozen, shipped):
        assert np.array_equal(numpy_helper.to_array(one), numpy_helper.to_array(other))
    assert (weight.name, bias.name) == (personalise_model.WEIGHT, personalise_model.BIAS)
    assert not np.array_equal(numpy_helper.to_array(weight), layer.weight)


def test_card_has_counts_and_no_names_and_another_model_cannot_be_made_of_it(voices, capsys, store):
    _, made, folder = voices
    text = (made / 'model.json').read_text()
    assert str(folder) not in text and 'KD0' not in text
    card = ModelCard.load(made)
    assert card.training['personalised']['recordings'] == dict.fromkeys(EMOTIONS, 10)
    assert card.training['personalised']['people'] == 1
    assert card.training['personalised']['steps'] <= personalise_head.STEPS
    shipped = ModelCard.load(store.find('ser_compact'))
    assert card.reliability != shipped.reliability and card.not_for == shipped.not_for
    said = told(['ser', '--personalise', folder, '--model', 'kd0', '--name', 'again'], capsys, status=1)
    assert "'kd0' is personalised already" in said and '--model ser_compact' in said
    with pytest.raises(TrainingError, match="there is a model 'kd0' already, for voices"):
        personalise._name(store, ModelCard.load(store.find('fer_compact')), 'kd0')


def test_several_people_are_held_out_one_by_one(nemo, store, tmp_path):
    for speaker in ('KD0', 'TP0'):
        household(nemo, tmp_path / speaker, speaker, slice(0, 50, 10))
    console = recorder()
    personalise.run('ser', tmp_path, 'ser_compact', 'both', True, console)
    assert 'in place of' not in console.export_text(clear=False)
    card = ModelCard.load(store.find('both'))
    assert card.training['personalised']['people'] == 2
    assert card.metrics['household']['held_out'] == (
        'each person by a head that learned from the others, each voice known from its other recordings'
    )
    assert 'each person by a head that learned from the others' in console.export_text()
    personalise.run('ser', tmp_path, 'ser_compact', 'both', True, console)
    assert 'in place of the one before (--name keeps both)' in console.export_text()


def test_faces_of_pictures_make_a_model_that_the_face_node_loads(data, store, tmp_path):
    store.fetch('yunet', file=data / 'yunet' / 'face_detection_yunet_2023mar.onnx')
    faces = load(data)
    for label, name in enumerate(EMOTIONS):
        (tmp_path / name).mkdir()
        for row in np.flatnonzero((faces.labels == label) & (faces.usage == 2))[:8]:
            picture = cv2.resize(faces.images[row], (240, 240), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(
                str(tmp_path / name / f'{row}.png'), cv2.copyMakeBorder(picture, *[40] * 4, cv2.BORDER_REPLICATE)
            )
    (tmp_path / 'sad' / 'blank.png').write_bytes(cv2.imencode('.png', np.zeros((99, 99, 3), np.uint8))[1])
    console = recorder()
    made = personalise.run('fer', tmp_path, 'fer_compact', 'faces', True, console)
    assert re.search(r'without a face: \d \(.*sad/blank.png', console.export_text())
    assert (made / 'NOTICE').read_bytes() == (store.find('fer_compact') / 'NOTICE').read_bytes()
    crop = faces.images[np.flatnonzero(faces.usage == 2)[100]]
    shipped, own = FaceClassifier(store.find('fer_compact')), FaceClassifier(made)
    (before, _), (after, _) = shipped([crop]), own([crop])
    assert after.sum() == pytest.approx(1)
    assert own.identity.startswith('faces@') and np.abs(after - before).max() < 0.5


# What is refused.


def write_sounds(folder, count, emotions=EMOTIONS):
    """Write files with the suffix of a sound, each another one."""
    for emotion in emotions:
        (folder / emotion).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (folder / emotion / f'{number}.wav').write_bytes(f'{emotion} {number}'.encode())
    return folder


@pytest.mark.parametrize(
    'count, emotions, there', [(2, EMOTIONS, 'angry 2'), (50, EMOTIONS[:1], 'angry 50'), (9, EMOTIONS[:2], 'fear 9')]
)
def test_too_few_are_refused_with_what_is_needed(store, tmp_path, capsys, count, emotions, there):
    said = told(['ser', '--personalise', write_sounds(tmp_path, count, emotions)], capsys, status=1)
    assert 'too few recordings' in said and there in said
    assert 'at least 5 of each of at least 2 emotions, 20 in all' in said


def test_damaged_files_are_named_and_what_is_left_is_too_little(store, tmp_path, capsys):
    said = told(['ser', '--personalise', write_sounds(tmp_path, 5)], capsys, status=1)
    assert '0.wav' in said and '4.wav' in said
    assert 'too few recordings with speech (none)' in said


def test_no_folder_a_strange_name_and_one_file_twice_are_refused(store, tmp_path, capsys):
    said = told(['ser', '--personalise', tmp_path / 'nowhere'], capsys, status=1)
    assert 'there is no' in said and 'one folder per emotion' in said
    said = told(['fer', '--personalise', tmp_path, '--name', 'fer_compact'], capsys, status=1)
    assert "there is a model 'fer_compact' already" in said
    assert 'is no name' in told(['fer', '--personalise', tmp_path, '--name', 'a/b'], capsys, status=1)
    write_sounds(tmp_path, 5)
    (tmp_path / 'sad' / '0.wav').write_bytes((tmp_path / 'angry' / '0.wav').read_bytes())
    said = told(['ser', '--personalise', tmp_path], capsys, status=1)
    assert 'the same under two emotions' in said
    (tmp_path / 'sad' / '0.wav').unlink()
    (tmp_path / 'sad').rename(tmp_path / 'sulky')
    assert "'sulky' is none of" in told(['ser', '--personalise', tmp_path], capsys, status=1)


def test_folders_of_people_inside_or_around_those_of_the_emotions(tmp_path):
    write_sounds(tmp_path / 'around' / 'anna', 1, EMOTIONS[:1])
    write_sounds(tmp_path / 'inside', 1, EMOTIONS[:1])
    (tmp_path / 'inside' / 'angry').rename(tmp_path / 'inside' / 'ben')
    (tmp_path / 'inside' / 'angry').mkdir()
    (tmp_path / 'inside' / 'ben').rename(tmp_path / 'inside' / 'angry' / 'ben')
    for folder, person in (('around', 'anna'), ('inside', 'ben')):
        (recording,), _ = find_recordings(tmp_path / folder, READERS['ser'])
        assert (recording.label, recording.speaker) == (0, person)


def test_manifest_names_files_labels_and_speakers(tmp_path):
    write_sounds(tmp_path, 2)
    rows = [('angry/0.wav', 'anger', 'anna'), ('sad/1.wav', 'sadness', 'ben'), ('happy/0.wav', 'disgust', 'ben')]
    with open(tmp_path / 'list.csv', 'w', newline='') as file:
        csv.writer(file).writerows([('path', 'label', 'speaker'), *rows])
    recordings, left_out = find_recordings(tmp_path / 'list.csv', READERS['ser'])
    assert [(item.path.name, EMOTIONS[item.label], item.speaker) for item in recordings] == [
        ('0.wav', 'angry', 'anna'),
        ('1.wav', 'sad', 'ben'),
    ]
    assert left_out == ['disgust and contempt, which the models do not know: 1']


def test_files_of_nobody_beside_those_of_somebody_are_refused(tmp_path):
    write_sounds(tmp_path, 2, EMOTIONS[:1])
    (tmp_path / 'angry' / 'anna').mkdir()
    (tmp_path / 'angry' / '1.wav').rename(tmp_path / 'angry' / 'anna' / '1.wav')
    with pytest.raises(TrainingError, match=r"angry/0\.wav' is of nobody, and others are of anna"):
        find_recordings(tmp_path, READERS['ser'])


def test_copies_count_once_and_hidden_files_not_at_all(tmp_path):
    write_sounds(tmp_path, 2, EMOTIONS[:1])
    (tmp_path / 'angry' / 'copy.wav').write_bytes((tmp_path / 'angry' / '0.wav').read_bytes())
    (tmp_path / 'angry' / '._1.wav').write_bytes(b'of a Macintosh')
    recordings, left_out = find_recordings(tmp_path, READERS['ser'])
    assert len(recordings) == 2 and left_out == ['copies of other recordings: 1 (angry/copy.wav)']


def test_recording_that_cannot_be_read_has_no_pieces(tmp_path):
    def reader(path):
        raise EmotionError(f'{path.name} is damaged')

    reader.content = 'speech'
    recordings, _ = find_recordings(write_sounds(tmp_path, 1, EMOTIONS[:1]), READERS['ser'])
    assert read(recordings, reader) == ([[]], ['0.wav is damaged'])


# The head.


def make_examples(rng, shift=0.0, speakers=1, each=10, present=range(6)):
    """Draw embeddings around a point for each emotion, which is moved for this household."""
    labels = np.repeat(list(present), each)
    embeddings = 2 * np.eye(6, 16)[labels] + shift * np.eye(6, 16, 6)[labels] + rng.normal(0, 0.7, (len(labels), 16))
    return Examples(embeddings, labels, np.arange(len(labels)), np.arange(len(labels)) % speakers, [{}] * len(labels))


SHIPPED = Head(np.eye(6, 16), np.zeros(6))


def test_head_learns_what_is_new_and_its_held_out_figure_is_true():
    rng = np.random.default_rng(0)
    fitted = personalise_head.personalise(SHIPPED, 1.0, make_examples(rng, shift=2.0))
    test = make_examples(rng, shift=2.0, each=300)
    right = [(head(test.embeddings).argmax(axis=1) == test.labels).mean() for head in (SHIPPED, fitted.head)]
    held_out = (fitted.held_out.argmax(axis=1) == np.repeat(range(6), 10)).mean()
    assert right[1] > right[0] + 0.03
    assert held_out == pytest.approx(right[1], abs=0.1)


def test_learning_stops_early_where_there_is_nothing_to_learn():
    rng = np.random.default_rng(0)
    examples = make_examples(rng)
    noise = replace(examples, labels=rng.permutation(examples.labels))
    assert personalise_head.personalise(SHIPPED, 3.0, noise).steps < personalise_head.STEPS / 5


@pytest.mark.parametrize('accuracy, is_better', [(0.61, True), (0.6004, False), (0.6, False), (0.59, False)])
def test_model_of_the_same_accuracy_is_no_better(accuracy, is_better):
    before = {'macro_f1': 0.5, 'accuracy': 0.6}
    assert personalise.Comparison(before, {'macro_f1': 0.55, 'accuracy': accuracy}, (0.0, 0.0)).is_better is is_better


@pytest.mark.parametrize('speakers, may_be_chance', [(1, False), (3, True)])
def test_what_one_of_several_people_gains_may_be_chance(speakers, may_be_chance):
    examples = make_examples(np.random.default_rng(0), speakers=speakers)
    wrong, right = (np.eye(6)[(examples.labels + by) % 6] for by in (1, 0))
    gains = np.arange(60) % 3 == 0  # of three people one
    shipped, examples = Head(np.eye(6), np.zeros(6)), replace(examples, embeddings=wrong)
    fitted = personalise_head.Fitted(shipped, 1, np.where(gains[:, None], right, wrong))
    found = personalise.compare(shipped, 1.0, examples, fitted, 1.0)
    low, high = found.change
    assert low <= gains.mean() <= high and (low <= 0) is may_be_chance
    assert found.after['interval']['sources'] == (speakers if speakers > 1 else 60)


def test_emotions_without_examples_keep_their_chance():
    examples = make_examples(np.random.default_rng(0), shift=2.0, present=(0, 1, 2))
    fitted = personalise_head.personalise(SHIPPED, 1.0, examples)
    before, after = (softmax(head(examples.embeddings))[:, 3:].sum(axis=1).mean() for head in (SHIPPED, fitted.head))
    assert fitted.steps > 0 and after == pytest.approx(before, abs=0.05)


@pytest.mark.parametrize('speakers', [2, 3, 12])
def test_nobody_is_on_both_sides_of_a_fold(speakers):
    examples = make_examples(np.random.default_rng(0), speakers=speakers, each=24)
    folds = examples.folds()
    assert len(np.unique(folds)) == min(speakers, personalise_head.FOLDS)
    assert all(len(np.unique(folds[examples.speakers == speaker])) == 1 for speaker in range(speakers))


def test_folds_of_one_person_are_runs_of_recordings_and_no_recording_is_in_two():
    examples = make_examples(np.random.default_rng(0), each=10)
    folds = examples.folds()
    assert (np.bincount(folds) == 12).all()
    assert folds[examples.labels == 0].tolist() == np.repeat(range(5), 2).tolist()
    in_pieces = Examples(
        *(np.repeat(item, 3, axis=0) for item in (examples.embeddings, examples.labels, examples.files)),
        np.zeros(180, int),
        [{}] * 180,
    )
    assert (in_pieces.folds().reshape(60, 3) == folds[:, None]).all()


def test_temperature_follows_many_examples_and_hardly_few():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (5000, 6))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    assert personalise_head.calibrate(2 * logits, labels, shipped=1.0) == pytest.approx(2, rel=0.05)
    assert personalise_head.calibrate(2 * logits[:10], labels[:10], shipped=1.0) < 1.6


def test_chance_of_being_right_moves_to_what_it_is():
    terms = [{'snr_db': snr} for snr in np.linspace(0, 30, 500)]
    shipped = Reliability(0.0, {'snr_db': {'mean': 15.0, 'scale': 9.0, 'coefficient': 0.5}})
    moved = personalise_head.shift(shipped, terms, np.arange(500) % 5 > 0)
    assert np.mean([moved(item) for item in terms]) == pytest.approx(0.8, abs=0.01)
    assert moved.terms == shipped.terms


# The last layer of a file.


def write_model(folder, nodes, weight, bias, **card):
    """Write a model of the given nodes, which make 'logits' of 'input' (batch, 1, 2, 4) by the initializers."""
    initializers = {'weight': weight, 'bias': bias, 'flat': np.array([-1, 8])}
    graph = helper.make_graph(
        [helper.make_node('Reshape', ['input', 'flat'], ['code']), *nodes],
        'model',
        [helper.make_tensor_value_info('input', TensorProto.FLOAT, ['batch', 1, 2, 4])],
        [helper.make_tensor_value_info('logits', TensorProto.FLOAT, ['batch', 6])],
        [numpy_helper.from_array(value, name) for name, value in initializers.items()],
    )
    folder.mkdir()
    onnx.save(
        helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid('', 20)]), folder / 'model.onnx'
    )
    ModelCard('tiny', 'fer', ImageInput(4, 2), sha256_of(folder / 'model.onnx'), **card).save(folder)
    return folder


LINEAR = {
    'Gemm (6, d)': [helper.make_node('Gemm', ['code', 'weight', 'bias'], ['logits'], transB=1)],
    'Gemm (d, 6)': [helper.make_node('Gemm', ['code', 'weight', 'bias'], ['logits'])],
    'Gemm without bias': [helper.make_node('Gemm', ['code', 'weight'], ['logits'])],
    'MatMul and Add': [
        helper.make_node('MatMul', ['code', 'weight'], ['product']),
        helper.make_node('Add', ['bias', 'product'], ['sum']),
        helper.make_node('Identity', ['sum'], ['logits']),
    ],
}


@pytest.mark.parametrize('form', LINEAR)
def test_last_layer_is_found_in_each_of_its_forms_and_replaced(tmp_path, form):
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(6, 8)).astype(np.float32), rng.normal(size=6).astype(np.float32)
    bias = bias * ('without' not in form)
    kept = weight if form == 'Gemm (6, d)' else np.ascontiguousarray(weight.T)
    parent = write_model(tmp_path / 'parent', LINEAR[form], kept, bias)
    model, head = personalise_model.load(parent, 'fer')
    assert head.weight == pytest.approx(weight) and head.bias == pytest.approx(bias)
    batch = rng.normal(size=(3, 1, 2, 4)).astype(np.float32)
    assert model.embeddings(batch) == pytest.approx(batch.reshape(3, 8))
    other = Head(rng.normal(size=(6, 8)), rng.normal(size=6))
    (tmp_path / 'new').mkdir()
    personalise_model.write(parent, other, model.card, tmp_path / 'new')
    assert OnnxModel(tmp_path / 'new', 'fer').outputs(batch) == pytest.approx(other(batch.reshape(3, 8)), abs=1e-5)
    assert personalise_model.load(tmp_path / 'new', 'fer')[1].weight == pytest.approx(other.weight, abs=1e-6)


@pytest.mark.parametrize('kind', ['relu', 'scaled', 'probabilities', 'seven'])
def test_model_without_such_a_layer_is_refused(tmp_path, kind):
    weight, bias = np.ones((8, 6), np.float32), np.zeros(6, np.float32)
    gemm = helper.make_node(
        'Gemm', ['code', 'weight', 'bias'], ['logits'], **({'alpha': 2.0} if kind == 'scaled' else {})
    )
    nodes, card = [gemm], {}
    if kind == 'relu':
        gemm.output[0] = 'sum'
        nodes.append(helper.make_node('Relu', ['sum'], ['logits']))
    elif kind == 'probabilities':
        card['output'] = 'probabilities'
    elif kind == 'seven':
        weight, bias = np.ones((8, 7), np.float32), np.zeros(7, np.float32)
        card['labels'] = (*EMOTIONS, 'disgust')
    with pytest.raises(TrainingError, match="'tiny' cannot be personalised: that takes"):
        personalise_model.load(write_model(tmp_path / 'tiny', nodes, weight, bias, **card), 'fer')


# Models that compare a voice with what it said before.


def write_voice_model(folder):
    """Write a model whose voice is three statistics, and whose last layer reads it beside what is new in it."""
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node('Abs', ['samples'], ['size']),
        helper.make_node('ReduceMean', ['samples', 'time'], ['mean']),
        helper.make_node('ReduceMean', ['size', 'time'], ['level']),
        helper.make_node('ReduceMax', ['size', 'time'], ['peak']),
        helper.make_node('Concat', ['mean', 'level', 'peak'], ['voice'], axis=1),
        helper.make_node('Min', ['heard', 'one'], ['is_known']),
        helper.make_node('Mul', ['reference', 'is_known'], ['known']),
        helper.make_node('Sub', ['voice', 'known'], ['new']),
        helper.make_node('Concat', ['voice', 'new'], ['embedding'], axis=1),
        helper.make_node('Gemm', ['embedding', 'weight', 'bias'], ['logits'], transB=1),
        helper.make_node('Sub', ['level', 'two'], ['minus']),
        helper.make_node('ReduceMax', ['minus', 'time'], ['change'], keepdims=0),
    ]
    rng = np.random.default_rng(0)
    initializers = {
        'time': np.array([1]),
        'one': np.ones(1, np.float32),
        'two': np.full(1, 2, np.float32),
        'weight': rng.normal(size=(6, 6)).astype(np.float32),
        'bias': rng.normal(size=6).astype(np.float32),
    }
    graph = helper.make_graph(
        nodes,
        'voice',
        [
            value('samples', TensorProto.FLOAT, ['batch', 'samples']),
            value('reference', TensorProto.FLOAT, [1, 3]),
            value('heard', TensorProto.FLOAT, [1]),
        ],
        [
            value('logits', TensorProto.FLOAT, ['batch', 6]),
            value('embedding', TensorProto.FLOAT, ['batch', 6]),
            value('voice', TensorProto.FLOAT, ['batch', 3]),
            value('change', TensorProto.FLOAT, ['batch']),
        ],
        [numpy_helper.from_array(array, name) for name, array in initializers.items()],
    )
    folder.mkdir()
    path = folder / 'model.onnx'
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid('', 20)]), path)
    ModelCard('voice', 'ser', AudioInput(), sha256_of(path), temperature=2.0, warm_temperature=1.5).save(folder)
    return folder


def test_head_is_fitted_to_voices_that_are_known_from_their_other_recordings(tmp_path):
    rng = np.random.default_rng(0)
    parent = write_voice_model(tmp_path / 'parent')
    model, _ = personalise_model.load(parent, 'ser')
    sounds = [(0.1 * rng.normal(size=(1, 9000))).astype(np.float32) for _ in range(8)]
    kept = [
        (Recording(tmp_path, number % 6, speaker), [Piece(sounds[number], {})])
        for number, speaker in enumerate('aaabbbbc')
    ]
    examples = personalise.make_examples(model, kept)
    voices = np.concatenate([model.run(sound, ['voice'])['voice'] for sound in sounds])
    assert examples.embeddings[0, 3:] == pytest.approx(voices[0] - voices[[1, 2]].mean(axis=0), abs=1e-6)
    assert examples.embeddings[4, 3:] == pytest.approx(voices[4] - voices[[3, 5, 6]].mean(axis=0), abs=1e-6)
    assert examples.embeddings[7, 3:] == pytest.approx(voices[7])  # nothing else was heard of that speaker
    assert [item['speaker_known'] for item in examples.terms] == pytest.approx([2 / 3] * 3 + [3 / 4] * 4 + [0])


def test_model_of_several_inputs_runs_in_the_node_with_the_new_head(tmp_path):
    rng = np.random.default_rng(1)
    parent, new = write_voice_model(tmp_path / 'parent'), tmp_path / 'new'
    head = Head(rng.normal(size=(6, 6)), rng.normal(size=6))
    new.mkdir()
    personalise_model.write(parent, head, ModelCard.load(parent), new)
    hum = np.pad(np.sin(2 * np.pi * 150 * np.arange(9000) / 16000), 3000)  # what has no pitch is no voice
    classifier, first = SpeechClassifier(new), (0.1 * hum + 0.001 * rng.normal(size=len(hum))).astype(np.float32)
    opinion = classifier(first)
    expected = softmax(head(OnnxModel(new, 'ser').embeddings(to_batch(first, AudioInput()))), 2.0)[0]
    assert opinion.probabilities == pytest.approx(expected, abs=1e-5)
    classifier.remember(opinion)
    assert not np.allclose(classifier(first).probabilities, expected, atol=1e-3)


def test_both_temperatures_move_together(tmp_path):
    card = ModelCard.load(write_voice_model(tmp_path / 'parent'))
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (600, 6))
    labels = (logits / 3 + rng.gumbel(size=logits.shape)).argmax(axis=1)
    examples = Examples(np.zeros((600, 6)), labels, np.arange(600), np.zeros(600, int), [{}] * 600)
    new = personalise._calibrated(card, examples, personalise_head.Fitted(SHIPPED, 1, logits))
    assert 2.5 < new.warm_temperature < 3  # three is most likely, and the prior holds it back
    assert new.temperature / new.warm_temperature == pytest.approx(2 / 1.5, rel=0.01)


def test_file_in_no_folder_of_an_emotion_is_told(tmp_path):
    write_sounds(tmp_path, 1, EMOTIONS[:1])
    (tmp_path / 'angry' / '0.wav').rename(tmp_path / 'stray.wav')
    with pytest.raises(TrainingError, match="stray.wav' lies in no emotion's folder"):
        find_recordings(tmp_path, READERS['ser'])


def test_files_of_a_kind_that_is_not_read_are_told_before_there_are_too_few(store, tmp_path, capsys):
    write_sounds(tmp_path, 5)
    for path in list(tmp_path.rglob('*.wav')):
        path.rename(path.with_suffix('.aiff'))
    said = told(['ser', '--personalise', tmp_path], capsys, status=1)
    assert 'Left out: other files: 30 (.aiff); recordings are' in said
    assert 'too few recordings (none)' in said

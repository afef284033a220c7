"""Training learns, resumes, survives Ctrl-C, and exports what it has learned; needs torch."""

import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from rich.console import Console

from emotion_training.errors import TrainingError

torch = pytest.importorskip('torch', reason='training needs PyTorch, which the nodes do not')
pytest.importorskip('onnxscript', reason='export needs onnxscript')
onnx = pytest.importorskip('onnx', reason='export needs onnx')

from emotion_core.onnx_model import OnnxModel
from emotion_training import (
    export,
    face_encoder,
    fer,
    int8,
    networks,
    personalise_model,
    ser,
    trainer,
)
from emotion_training.face_encoder import FaceEncoder
from emotion_training.fer import FerRecipe
from emotion_training.recipe import HeldOut
from emotion_training.ser import SerRecipe
from emotion_training.splits import Split

SETTINGS = trainer.Settings(
    data='stripes',
    epochs=3,
    batch_size=32,
    optimizer='adamw',
    learning_rate=2e-2,
    weight_decay=0.01,
    label_smoothing=0.0,
    average_decay=0.9,
)


def test_less_than_a_batch_to_train_on_is_told(tmp_path):
    network = torch.nn.Linear(6, 6)
    with pytest.raises(TrainingError, match='too little to train on: at least 32 examples are needed'):
        trainer.fit(network, SETTINGS, tmp_path, 0, lambda epoch: [], lambda model: {}, np.ones(6), Console(quiet=True))


def test_data_of_faces_is_looked_at_before_weights_are_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(face_encoder, 'fetch_weights', None)
    with pytest.raises(TrainingError, match='FER2013 is not in'):
        FerRecipe(tmp_path).train(tmp_path / 'run', 1, 1, Console(quiet=True))
    assert not (tmp_path / 'run').exists()


class Toy:
    """A recipe on six kinds of stripes, with everything that the trainer and the export need."""

    name, task, epochs, input = 'toy', 'fer', 3, FerRecipe.input

    def __init__(self):
        """Draw the data."""
        self._labels = np.arange(192) % 6
        self._inputs = np.sin(np.arange(48) * (self._labels[:, None, None, None] + 1) / 6) * np.ones((48, 1))
        self._inputs = (self._inputs + np.random.default_rng(0).normal(0, 0.3, self._inputs.shape)).astype(np.float32)

    def network(self):
        return torch.nn.Sequential(
            torch.nn.Conv2d(1, 8, (1, 13), 4),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(8, 6),
        )

    def load(self, run):
        network = self.network()
        trainer.load_best(network, run)
        return network

    def held_out(self, side):
        everything = np.ones(len(self._labels), bool)
        return HeldOut([self._inputs], self._labels, {'all': everything}, np.arange(len(self._labels)))

    def facts(self):
        return {'training': {'data': ['stripes'], 'split': 'none'}, 'description': 'a toy'}

    def batches(self, epoch):
        for rows in np.random.default_rng(epoch).permutation(192).reshape(-1, 32):
            yield self._inputs[rows], self._labels[rows]

    def validate(self, model):
        return {'macro_f1': float((model(self._inputs).argmax(axis=1) == self._labels).mean())}

    def fit(self, run, settings=SETTINGS, batches=None, console=Console(quiet=True)):
        torch.manual_seed(0)
        trainer.fit(self.network(), settings, run, 6, batches or self.batches, self.validate, np.ones(6), console)


def _log(run):
    return [json.loads(line) for line in (run / trainer.LOG_FILE).read_text().splitlines()]


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    """Keep to one thread, as training does by default."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_trained_model_is_exported_calibrated_and_runs_as_a_node_runs_it(tmp_path):
    toy = Toy()
    toy.fit(tmp_path)
    assert [line['epoch'] for line in _log(tmp_path)] == [1, 2, 3]
    assert export.export(toy, tmp_path, tmp_path / 'model', 'a command') <= 1e-4
    model = OnnxModel(tmp_path / 'model', 'fer')
    batch = toy.held_out('validation').batches[0]
    best = max(line['macro_f1'] for line in _log(tmp_path))
    assert (model(batch).argmax(axis=1) == toy.held_out('validation').labels).mean() == pytest.approx(best, abs=0.01)
    assert model.card.metrics['validation']['all']['accuracy'] == pytest.approx(best, abs=0.01)
    assert model.card.training['command'] == 'a command'


@pytest.mark.parametrize('half', [None, torch.bfloat16])
def test_device_with_a_fast_half_precision_trains_in_it_and_learns(tmp_path, monkeypatch, half):
    toy, seen = Toy(), set()
    torch.manual_seed(0)
    network = toy.network()
    network[0].register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    monkeypatch.setattr(toy, 'network', lambda: network)
    monkeypatch.setattr(trainer, 'half_precision', lambda place: half)
    toy.fit(tmp_path)
    assert seen == {half or torch.float32}
    assert _log(tmp_path)[-1]['macro_f1'] > 0.6  # 1/6 by chance


def test_ctrl_c_leaves_usable_weights_and_the_same_call_goes_on(tmp_path):
    toy = Toy()

    def interrupted(epoch):
        for step, batch in enumerate(toy.batches(epoch)):
            if (epoch, step) == (1, 3):
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        toy.fit(tmp_path, batches=interrupted)
    assert trainer.load_best(toy.network(), tmp_path)['epoch'] == 1
    toy.fit(tmp_path)
    assert [line['epoch'] for line in _log(tmp_path)] == [1, 2, 3]


def test_ctrl_c_in_the_first_epoch_leaves_weights_too_and_says_what_they_are(tmp_path, capsys):
    toy = Toy()

    def interrupted(epoch):
        yield next(toy.batches(epoch))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy.fit(tmp_path, batches=interrupted, console=Console())
    assert trainer.load_best(toy.network(), tmp_path)['epoch'] == 0
    told = ' '.join(capsys.readouterr().out.split())
    assert 'holds what was learned by now, not validated; the same command begins again' in told


@pytest.mark.parametrize('change', [{'learning_rate': 1e-4}, {'data': 'dots'}])
def test_run_with_other_settings_or_data_is_not_mixed_in(tmp_path, change):
    toy = Toy()
    toy.fit(tmp_path)
    with pytest.raises(TrainingError, match=f'differs in {next(iter(change))}: give the same'):
        toy.fit(tmp_path, replace(SETTINGS, **change))


def test_more_processes_than_a_batch_has_examples_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, 'PROCESSES', 33)
    with pytest.raises(TrainingError, match='33 processes cannot share a batch of 32: start at most 32'):
        Toy().fit(tmp_path)


def test_export_that_differs_from_torch_is_refused_and_leaves_no_model(tmp_path, monkeypatch):
    toy = Toy()
    toy.fit(tmp_path)
    monkeypatch.setattr(export, 'parity', lambda *_: {'logits': 1e-3})
    with pytest.raises(TrainingError, match='differs from torch by 1.0e-03 in its logits, more than 1e-04'):
        export.export(toy, tmp_path, tmp_path / 'model', 'a command')
    assert not list((tmp_path / 'model').iterdir())


class ToyFaces(Toy):
    """A toy with the network of the compact faces, and examples to set the ranges of int8 by."""

    def network(self):
        torch.manual_seed(3)
        return networks.FerCompact(networks.FaceNetwork(FaceEncoder()))

    def load(self, run):
        return self.network().eval()

    def examples(self):
        return np.split(self._inputs[:32], 32)


@pytest.mark.parametrize('is_better', [True, False])
def test_int8_ships_where_it_is_better(tmp_path, monkeypatch, is_better):
    monkeypatch.setattr(int8.Tried, 'is_better', is_better)
    toy = ToyFaces()
    export.export(toy, tmp_path, tmp_path / 'model', 'a command')
    model, network = OnnxModel(tmp_path / 'model', 'fer'), toy.load(tmp_path)
    told = model.card.metrics['int8']
    assert told['ships'] == is_better and set(told['accuracy']) == set(told['milliseconds']) == {'float32', 'int8'}
    kinds = {node.op_type for node in onnx.load(tmp_path / 'model' / 'model.onnx').graph.node}
    assert ('QuantizeLinear' in kinds) == is_better
    assert personalise_model.load(tmp_path / 'model', 'fer')[1].weight.shape == (6, 512)  # as it was
    faces = toy.held_out('validation').batches[0][:40]
    with torch.inference_mode():
        expected = network(torch.from_numpy(faces))[0].numpy()
    difference = np.abs(model.outputs(faces) - expected).max() / expected.std()
    assert 0 < difference < (0.5 if is_better else 0.01)
    assert not list((tmp_path / 'model').glob('*.int8')) and not list((tmp_path / 'model').glob('*.prepared'))


@pytest.mark.parametrize(
    'accuracy, milliseconds, is_better',
    [
        ((0.690, 0.688), (3.4, 2.3), True),
        ((0.690, 0.684), (3.4, 2.3), False),
        ((0.690, 0.690), (3.4, 3.4), False),
    ],
)
def test_int8_is_better_where_it_is_faster_and_costs_less_than_half_a_point(accuracy, milliseconds, is_better):
    assert int8.Tried(accuracy, milliseconds).is_better is is_better


def test_int8_is_measured_without_people_whom_a_member_learned_from(tmp_path):
    path = tmp_path / 'model.onnx'
    what = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ['batch', 6]) for name in ('in', 'out')]
    graph = onnx.helper.make_graph([onnx.helper.make_node('Identity', ['in'], ['out'])], 'same', what[:1], what[1:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid('', 18)], ir_version=10), path)
    told, truth = np.eye(6, dtype=np.float32)[[0, 1, 2, 3]], np.array([0, 5, 2, 3])
    held = HeldOut(np.split(told, 4), truth, {'all': np.arange(4) < 2}, np.arange(4), np.arange(4) >= 2)
    assert int8.compare(path, path, held).accuracy == (0.5, 0.5)


def test_export_without_a_checkpoint_says_to_train(tmp_path):
    with pytest.raises(TrainingError, match='train first'):
        export.export(Toy(), tmp_path, tmp_path / 'model', 'a command')


def test_learning_rate_rises_then_falls_to_zero():
    rates = [SETTINGS.learning_rate_at(progress) for progress in (0, 0.05, 0.1, 0.55, 1)]
    assert rates == pytest.approx([0, 1e-2, 2e-2, 1e-2, 0])


def test_emotion_without_an_example_is_told_and_not_learned_as_nan():
    with pytest.raises(TrainingError, match='no example to train on is happy, surprise'):
        trainer.class_weights(np.array([0, 1, 3, 3, 4]))
    assert trainer.class_weights(np.array([0, 1, 2, 3, 4, 5, 5, 5, 5]))[5] == pytest.approx(6 / 11)


def test_bands_of_a_tone_peak_where_the_tone_is():
    log_mel = networks.LogMel(64)
    time = torch.arange(16000) / 16000
    tones = torch.stack([0.1 * torch.sin(2 * torch.pi * hz * time) * (time > 0.5) for hz in (250, 1000, 4000)])
    step = log_mel(tones)[:, :, 60:].mean(2) - log_mel(tones)[:, :, :40].mean(2)
    assert log_mel(tones).shape == (3, 64, 98)
    edges = 700 * (torch.exp(torch.linspace(np.log1p(60 / 700), np.log1p(7600 / 700), 66)) - 1)
    for row, hz in enumerate((250, 1000, 4000)):
        band = int(torch.searchsorted(edges, torch.tensor(float(hz)))) - 1
        assert step[row, band] > 1.5


def _some(recipe, train: slice):
    """Keep these rows to train on, and a few of each other side."""
    validation = recipe.split.validation[:: len(recipe.split.validation) // 90]
    recipe.split = Split(recipe.split.train[train], validation, recipe.split.test[:1])
    return recipe


@pytest.mark.parametrize(
    'make, train, epochs', [(FerRecipe, slice(0, None, 40), 14), (SerRecipe, slice(0, 6 * 52, 2), 5)]
)
def test_short_training_on_real_data_lowers_the_loss(data, tmp_path, monkeypatch, request, make, train, epochs):
    request.getfixturevalue('pretrained_faces' if make is FerRecipe else 'pretrained')
    monkeypatch.setattr(ser, 'MEMBERS', 1)
    monkeypatch.setattr(ser, 'FOLDS', 2)
    monkeypatch.setattr(ser, 'ROWS', 32)
    monkeypatch.setattr(ser, 'TAKES', 2)
    monkeypatch.setattr(ser, 'ENCODER_PART', 0.4)
    # Small and short: one teacher from fresh weights, and what ships on faces that it makes smaller.
    monkeypatch.setattr(fer, 'BATCH', 64)
    monkeypatch.setattr(fer, 'TEACHERS', (fer.Design(fer.Residual(8, ((16, 1), (32, 1))), 8, 0.1, 0.0),))
    monkeypatch.setattr(fer, 'COMPACT', fer.Design(fer.Pretrained(24, 7), 6, 1e-3, 0.0))
    monkeypatch.setattr(FerRecipe, 'epochs', 14)
    monkeypatch.setattr(fer, 'LESSONS', 2)
    recipe = _some(make(data), train)
    recipe.train(tmp_path, epochs, 1, Console(quiet=True))
    logs = {log.parent.name: log for log in tmp_path.rglob(trainer.LOG_FILE)}
    of_ser = {'encoder': 2, 'teller0': 5, 'teller1': 5, 'member0': 5}
    counts = of_ser if make is SerRecipe else {'teacher1': 8, 'student': 6}
    assert set(logs) == set(counts)
    for name, log in logs.items():
        lines = _log(log.parent)
        assert [line['epoch'] for line in lines] == list(range(1, counts[name] + 1))
        losses = [line['loss'] for line in lines]
        assert losses[-1] < 0.97 * losses[0], losses
        assert (log.parent / trainer.BEST_FILE).is_file()


def test_most_of_the_target_is_what_the_teachers_say_and_they_are_asked_once_for_each_lesson(data, monkeypatch):
    monkeypatch.setattr(trainer, 'half_precision', lambda place: None)
    recipe = _some(FerRecipe(data), slice(0, None, 100))
    monkeypatch.setattr(fer, 'BATCH', 64)
    monkeypatch.setattr(fer, 'LESSONS', 2)
    asked = []
    teacher = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48 * 48, 6))
    teacher.register_forward_hook(lambda *_: asked.append(1))
    lesson = recipe.lessons(torch.device('cpu'), [teacher])
    first, second, again = (list(lesson(epoch)) for epoch in range(3))
    assert len(first) == len(recipe.split.train) // 64 > 2 and len(asked) == len(first) + len(second)
    for (faces, targets), (same_faces, same_targets), (plain_faces, labels) in zip(
        first, again, recipe.batches(0, torch.device('cpu'))
    ):
        assert torch.equal(faces, same_faces) and torch.equal(faces, plain_faces)
        assert torch.equal(targets, same_targets)
        with torch.inference_mode():
            told = (teacher(faces).softmax(1) + teacher(faces.flip(3)).softmax(1)) / 2
        assert torch.allclose(targets, fer.TAUGHT * told + (1 - fer.TAUGHT) * labels, atol=1e-5)
    assert not torch.equal(first[0][0], second[0][0])


def test_exported_face_model_takes_any_number_of_faces_and_tells_what_is_none(tmp_path):
    network = networks.FerCompact(networks.FaceNetwork(FaceEncoder())).eval()
    faces = torch.rand(5, 1, 48, 48)
    path = tmp_path / 'model.onnx'
    export.to_onnx(network, {'input': faces[:3]}, path)
    session = onnxruntime.InferenceSession(str(path))
    with torch.inference_mode():
        expected = [value.numpy() for value in network(faces)]
    found = session.run(None, {'input': faces.numpy()})
    assert [output.name for output in session.get_outputs()] == list(network.OUTPUTS)
    for one, other in zip(found, expected):
        assert one == pytest.approx(other, abs=1e-4)
    assert (found[2] > 0.99).all(), 'all is a face until it is fitted'
    mirrored = session.run(['logits'], {'input': faces.numpy()[..., ::-1].copy()})[0]
    assert mirrored == pytest.approx(found[0], abs=1e-4)
    size = path.stat().st_size
    export.halve(path, dict(network.named_parameters()).keys())
    assert path.stat().st_size < 0.6 * size
    halved = onnxruntime.InferenceSession(str(path)).run(['logits'], {'input': faces.numpy()})[0]
    assert 0 < np.abs(halved - found[0]).max() < export.HALF_TOLERANCE


def test_output_that_is_not_a_number_is_not_like_torch():
    export.check({'logits': 1e-5, 'face': 1e-3}, 1e-4, 1e-2)
    for differences in ({'logits': float('nan')}, {'logits': 1e-3}, {'logits': 0.0, 'face': 0.1}):
        with pytest.raises(TrainingError, match='differs from torch'):
            export.check(differences, 1e-4, 1e-2)

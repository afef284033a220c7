"""A model that knows voices, from torch to what a node says; its weights are random, for nothing here is about them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotion_core.emotions import softmax
from emotion_core.model_card import AudioInput, ModelCard, sha256_of
from emotion_core.onnx_model import OnnxModel
from emotion_speech.classifier import SpeechClassifier
from emotion_speech.preprocess import to_batch
from emotion_speech.speaker import CHANGE, SpeakerModel
from emotion_training import speaker_measure
from emotion_training.calibration import fit_temperature
from emotion_training.personalise_model import load
from emotion_training.recipe import Corrupted, HeldOut
from emotion_training.ser import known_rows
from emotion_training.speaker_measure import Members
from emotion_training.voice_change import VoiceChangeFit

RATE = 16000
S = 10**9
CHANGE_FIT = VoiceChangeFit(np.random.default_rng(5).normal(0, 0.03, (80, 3)), np.array([3.0, 2.0, 1.0]), 20.0)


@pytest.fixture(scope='module')
def network():
    torch = pytest.importorskip('torch', reason='making a model needs PyTorch, which running one does not')
    from emotion_training.functionals import Population, SerMember
    from emotion_training.networks import SerEnsemble
    from emotion_training.speech_encoder import SpeechEncoder

    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    population = Population(*rng.uniform(0.5, 1.5, (4, SerMember.COUNT)), rng.normal(0, 0.5, (6, SerMember.COUNT)))
    members = [SerMember(population).eval() for _ in range(2)]
    for member in members:
        torch.nn.init.normal_(member.head.weight, std=0.3)  # opinions strong enough to be told apart
        torch.nn.init.zeros_(member.head.bias)
    return SerEnsemble(members, SpeechEncoder(), CHANGE_FIT).eval()


@pytest.fixture(scope='module')
def folder(network, tmp_path_factory) -> Path:
    """Give the model folder that is exported from the network."""
    pytest.importorskip('onnxscript', reason='export needs onnxscript')
    from emotion_training import export

    folder = tmp_path_factory.mktemp('voices')
    path = folder / 'model.onnx'
    (utterance,) = utterances(1)
    export.to_onnx(network, export.inputs(network, utterance), path)
    differences = export.parity(network, path, utterances(4))
    assert set(differences) == {'logits', 'embedding', 'voice', 'change'}
    assert differences['logits'] < 1e-4 and max(differences.values()) < export.OTHER_TOLERANCE
    card = ModelCard(
        'voices', 'ser', AudioInput(), sha256_of(path), temperature=2.0, warm_temperature=1.5, training={'members': 2}
    )
    card.save(folder)
    return folder


def utterances(count: int, seed: int = 0) -> list[np.ndarray]:
    """Give sounds with a pitch and a spectrum of their own, of different lengths, as the model takes them."""
    rng = np.random.default_rng(seed)
    batches = []
    for _ in range(count):
        time = np.arange(int(RATE * rng.uniform(0.6, 2.0))) / RATE
        pitch = rng.uniform(90, 250) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(1, 4) * time))
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        sound = sum(np.sin(k * phase) * rng.uniform(0, 1) / k for k in range(1, 20))
        sound *= 0.1 * (0.2 + np.sin(np.pi * 3 * time) ** 2)
        batches.append(to_batch(sound + rng.normal(0, 1e-3, len(sound)), AudioInput()))
    return batches


@pytest.fixture(scope='module')
def data() -> HeldOut:
    """Give utterances of four speakers of two corpora."""
    batches = utterances(40)
    speakers = np.array([f'{"one" if i < 2 else "two"}/{i}' for i in range(4) for _ in range(10)])
    corpus = np.array([name.split('/')[0] for name in speakers])
    labels = np.random.default_rng(1).integers(6, size=40)
    return HeldOut(
        batches,
        labels,
        {'all': corpus != '', 'one': corpus == 'one'},
        speakers,
        only_first=np.isin(speakers, ['one/0', 'two/2']),
    )


def test_reference_and_number_heard_reach_the_network(network, folder):
    import torch

    first, second, third = utterances(3)
    listener = SpeakerModel(OnnxModel(folder, 'ser'))
    for batch in (first, second):
        listener.remember(listener(batch))
    heard = listener(third)
    assert heard.speaker.heard == 2
    given = [torch.from_numpy(third), torch.from_numpy(heard.speaker.voice), torch.tensor([2.0])]
    with torch.inference_mode():
        logits, _, voice, _ = network(*given)
        alone, *_ = network(given[0], torch.zeros_like(given[1]), torch.zeros(1))
    assert heard.outputs['logits'] == pytest.approx(logits.numpy(), abs=1e-4)
    assert heard.outputs['voice'] == pytest.approx(voice.numpy(), rel=1e-3, abs=1e-3)
    assert (logits - alone).abs().max() > 1e-2  # what was heard before does matter
    assert heard.probabilities == pytest.approx(softmax(logits.numpy()[0], 2.0 + (1.5 - 2.0) * 2 / 3), abs=1e-5)


def test_model_alone_is_the_model_without_a_speaker(network, folder):
    model = OnnxModel(folder, 'ser')
    for batch in utterances(3, seed=2):
        assert SpeakerModel(model)(batch).probabilities == pytest.approx(model(batch)[0], abs=1e-6)
        assert model.embeddings(batch).shape == (1, network.head.in_features)


def test_change_of_the_network_is_that_of_the_fit(folder):
    listener = SpeakerModel(OnnxModel(folder, 'ser'))
    first, second = utterances(2, seed=3)
    speaker = listener.nobody
    assert listener.compare(first, speaker).outputs[CHANGE] == 0
    for _ in range(3):
        speaker = speaker.after(listener.compare(first, speaker).outputs['voice'])
    heard = listener.compare(second, speaker)
    frames = (second.shape[1] - 400) // 160 + 1
    expected = CHANGE_FIT.log_odds(
        heard.outputs['voice'][:, :80], speaker.voice[:, :80], np.array([3]), np.array([frames / 100])
    )
    assert heard.outputs[CHANGE] == pytest.approx(expected, rel=1e-3, abs=1e-2)


def test_node_says_what_is_measured(folder, data):
    """The classifier of the node, fed with one speaker's segments, and the measurement, fed with their batches."""
    rows = np.flatnonzero(data.sources == 'one/1')
    measured = speaker_measure.hear_in_turn(
        OnnxModel(folder, 'ser'), [data.batches[row] for row in rows], data.sources[rows], seed=7
    )
    order = np.argsort(speaker_measure.places(data.sources[rows], seed=7))
    classifier = SpeechClassifier(folder)
    for place, row in enumerate(order):
        opinion = classifier(data.batches[rows[row]][0], 3 * place * S)
        classifier.remember(opinion, (3 * place + 2) * S)
        assert opinion.probabilities == pytest.approx(measured[row].probabilities, abs=2e-5)
        known = opinion.quality_terms['speaker_known']
        assert known == measured[row].speaker.known
    assert known > 0.5


def test_node_that_does_not_adapt_says_what_is_measured_of_voices_heard_alone(folder, data):
    classifier = SpeechClassifier(folder, adapt=False)
    for batch, alone in zip(data.batches[:3], speaker_measure.hear_alone(OnnxModel(folder, 'ser'), data.batches[:3])):
        opinion = classifier(batch[0])
        classifier.remember(opinion)
        assert opinion.probabilities == pytest.approx(alone.probabilities, abs=2e-5)
        assert opinion.quality_terms['speaker_known'] == 0


def test_each_speaker_begins_unknown_and_every_utterance_is_heard_once(data):
    for seed in range(3):
        place = speaker_measure.places(data.sources, seed)
        for speaker in np.unique(data.sources):
            assert sorted(place[data.sources == speaker]) == list(range(10))
    assert (speaker_measure.places(data.sources, 0) != speaker_measure.places(data.sources, 1)).any()


def test_logits_of_the_first_member_are_its_own(network, folder, data):
    import torch

    from emotion_training.networks import at_speed

    _, head = load(folder, 'ser')
    heard = SpeakerModel(OnnxModel(folder, 'ser'))(data.batches[0])
    with torch.inference_mode():
        spoken = [at_speed(torch.from_numpy(data.batches[0]), speed) for speed in network.SPEEDS]
        said = torch.cat([network.hear(one) for one in spoken])
        rows = torch.from_numpy(known_rows(said.numpy(), said.numpy(), ['a', 'b', 'c']))
        alone = network.members[0](rows).mean(0)
    assert Members(head, 2).first(heard) == pytest.approx(alone.numpy(), abs=1e-3)

    # What is remembered of the utterance is without what its emotion, as this member tells it, adds.
    kept = network.members[0].without_emotion(said, alone.softmax(0)).numpy().ravel()
    assert not np.allclose(kept, said.numpy().ravel(), atol=0.1)
    voice = heard.outputs['voice'][0, 2 * network.BANDS :]
    assert voice == pytest.approx(np.concatenate([kept, kept**2]), rel=1e-2, abs=1e-2)


def test_large_products_in_int8_say_much_the_same(folder, data, tmp_path):
    onnx = pytest.importorskip('onnx', reason='quantisation needs onnx')
    from emotion_training import int8

    plain, quantised = folder / 'model.onnx', tmp_path / 'int8.onnx'
    int8.quantise(plain, [], quantised)
    kinds = [node.op_type for node in onnx.load(quantised).graph.node]
    assert kinds.count('MatMulInteger') == 40  # six in each layer of the encoder at each speed, two in a member
    assert quantised.stat().st_size < plain.stat().st_size - 12 * 2**20 / 2
    card = ModelCard.load(folder)
    (tmp_path / 'model').mkdir()
    quantised.rename(tmp_path / 'model' / 'model.onnx')
    replace(card, sha256=sha256_of(tmp_path / 'model' / 'model.onnx')).save(tmp_path / 'model')
    one, other = (OnnxModel(path, 'ser') for path in (folder, tmp_path / 'model'))
    expected, found = (np.concatenate([model.outputs(batch) for batch in data.batches]) for model in (one, other))
    assert 0 < np.abs(found - expected).max() < 0.2 * expected.std()


def test_temperatures_of_cold_and_warm_are_found_again():
    rng = np.random.default_rng(0)
    known = rng.choice([0, 0.5, 0.9], 6000)
    logits = rng.normal(0, 3, (6000, 6))
    true = 2.0 + (1.0 - 2.0) * known
    truth = np.array([rng.choice(6, p=p) for p in softmax(logits / true[:, None])])
    cold = fit_temperature(logits[known == 0], truth[known == 0])
    assert cold == pytest.approx(2.0, rel=0.1)
    assert fit_temperature(logits, truth, cold, known) == pytest.approx(1.0, rel=0.1)


def test_figures_of_cold_and_warm_are_about_all_that_was_heard(folder, data, monkeypatch):
    for name, value in (('WARM', 4), ('FEW', 1), ('ORDERS', 2), ('TURNS', 1), ('MEETING', 5)):
        monkeypatch.setattr(speaker_measure, name, value)
    model = OnnxModel(folder, 'ser')
    _, head = load(folder, 'ser')
    temperatures = speaker_measure.calibrate(model, data, Members(head, 2))
    assert set(temperatures) == {'temperature', 'warm_temperature'} and min(temperatures.values()) > 0
    figures = speaker_measure.warm_figures(model, data)
    assert [figures[group]['n'] for group in data.groups] == [4 * 6 * 2, 2 * 6 * 2]
    again = len(data.labels) - len(set(zip(data.sources, data.labels)))  # who has said something with this emotion
    assert figures['one_emotion']['all']['n'] == 2 * again > 0
    curve = figures['curve']['all']
    assert [(point['heard_before'], point['n']) for point in curve] == [(0, 16), (1, 16), (2, 16), (3, 32)]
    assert figures['change']['changes'] == 4


def test_quality_is_judged_by_the_first_member_alone_and_in_turn(folder, data):
    _, head = load(folder, 'ser')
    terms = [{'snr_db': float(i)} for i in range(40)]
    kinds = np.array(['clean', 'short'] * 20)
    corrupted = Corrupted(
        data.batches, data.labels, terms, kinds, data.sources, np.ones(40), np.isin(data.sources, ['one/0'])
    )
    others = corrupted.from_nobody_learned_from()
    assert (len(others.batches), len(others.terms), set(others.groups)) == (30, 30, {'one/1', 'two/2', 'two/3'})
    judged, kinds, gain = speaker_measure.judge(OnnxModel(folder, 'ser'), corrupted, Members(head, 2))
    known = [term['speaker_known'] for term in judged.terms]
    assert judged.probabilities.shape == (80, 6) and judged.probabilities.sum(axis=1) == pytest.approx(1)
    assert len(kinds) == len(known) == 80 and known[:40] == [0] * 40
    assert [term['snr_db'] for term in judged.terms] == 2 * [float(i) for i in range(40)]
    assert max(known[40:]) <= 0.8 and np.mean(known[40:]) > 0.3  # five of each speaker and kind in turn
    assert np.isfinite(gain)
    first = Members(head, 2).first(SpeakerModel(OnnxModel(folder, 'ser'))(data.batches[0]))
    assert judged.probabilities[0].argmax() == first.argmax()

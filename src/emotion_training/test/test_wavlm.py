"""WavLM with six outputs is trained, exported and measured like the others, here with a tiny one of random weights."""

import json
import shutil

import numpy as np
import pytest
from rich.console import Console

from emotion_core.emotions import EMOTIONS
from emotion_training import cli, manifest_command, speech_corpora
from emotion_training.corpus_source import CorpusSource
from emotion_training.errors import TrainingError
from emotion_training.manifest import load_clips, split_hash, write_manifest

torch = pytest.importorskip('torch', reason='training needs PyTorch, which the nodes do not')
transformers = pytest.importorskip('transformers', reason='WavLM needs transformers')
pytest.importorskip('onnxscript', reason='export needs onnxscript')

from emotion_core.onnx_model import OnnxModel
from emotion_training import trainer, wavlm
from emotion_training.ser_wavlm import WavlmRecipe

TINY = {
    'hidden_size': 32,
    'num_hidden_layers': 2,
    'num_attention_heads': 2,
    'intermediate_size': 64,
    'conv_dim': [16] * 7,
    'num_conv_pos_embeddings': 16,
    'num_conv_pos_embedding_groups': 2,
    'classifier_proj_size': 32,
}


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    """The folder of a pretrained WavLM, but for its size and for having learned nothing."""
    folder = tmp_path_factory.mktemp('wavlm')
    torch.manual_seed(0)
    transformers.WavLMModel(transformers.WavLMConfig(**TINY)).save_pretrained(folder)
    return folder


@pytest.fixture(scope='module')
def manifest(data, tmp_path_factory):
    """A manifest of a few clips of each speaker of RAVDESS."""
    source = CorpusSource(data / 'RAVDESS.tar')
    rows = speech_corpora.survey(speech_corpora.RAVDESS, source, speech_corpora.agreed(speech_corpora.RAVDESS)).rows
    sides = {'train': 11, 'validation': 7, 'test': 11}  # take every so many, which are of all actors and emotions
    some = [row for side, step in sides.items() for row in [row for row in rows if row.split == side][::step]]
    rows, _ = manifest_command.with_durations(some, source, Console(quiet=True))
    path = tmp_path_factory.mktemp('manifest') / 'ravdess.csv'
    write_manifest(path, rows)
    return path


def test_wavlm_from_a_folder_to_a_model_that_a_node_runs(data, manifest, tiny, tmp_path, capsys):
    arguments = ['ser', '--tier', 'wavlm', '--manifest', str(manifest), '--data', str(data), '--out', str(tmp_path)]
    arguments += ['--threads', '1']
    status = cli.main([*arguments, '--weights', str(tiny), '--epochs', '2', '--only', 'train', 'export', 'test'])
    assert status == 0, capsys.readouterr().out
    run = tmp_path / 'wavlm_ser_base'
    log = [json.loads(line) for line in (run / trainer.LOG_FILE).read_text().splitlines()]
    assert [line['epoch'] for line in log] == [1, 2]
    model = OnnxModel(run / 'model', 'ser')
    clips = load_clips([manifest], data)
    assert model.card.training['split_sha256'] == split_hash(clip.row for clip in clips)
    assert model.card.training['speakers'] == {'train': 18, 'validation': 2, 'test': 4}
    assert model.card.training['command'].startswith(
        'python -m emotion_training ser --tier wavlm --manifest ravdess.csv --data DATA'
    )
    assert model.card.metrics['test']['all']['n'] == sum(clip.split == 'test' for clip in clips)
    # With other clips the run does not go on: it would be told to have learned from them.
    fewer = tmp_path / 'fewer.csv'
    write_manifest(fewer, [clip.row for clip in clips][1:])
    arguments[arguments.index(str(manifest))] = str(fewer)
    assert cli.main([*arguments, '--weights', str(tiny), '--epochs', '2']) == 1
    assert 'holds a run that differs in data' in capsys.readouterr().err
    # The run is a model of Hugging Face, and says the same.
    same = transformers.WavLMForSequenceClassification.from_pretrained(run).eval()
    assert tuple(same.config.id2label.values()) == EMOTIONS
    for batch in WavlmRecipe([manifest], data, run).held_out('test').batches[:3]:
        with torch.inference_mode():
            assert model.outputs(batch) == pytest.approx(same(torch.from_numpy(batch)).logits.numpy(), abs=1e-4)


def test_reliability_of_one_validation_speaker_is_measured_on_parts_of_the_clips(
    data, manifest, tiny, tmp_path, capsys
):
    lines = [line for line in manifest.read_text().splitlines() if ',ravdess/20,' not in line]
    (tmp_path / 'one.csv').write_text('\n'.join(lines) + '\n')
    arguments = ['--manifest', str(tmp_path / 'one.csv'), '--data', str(data), '--weights', str(tiny), '--epochs', '1']
    steps = ['--only', 'train', 'export', 'reliability']
    command = ['ser', '--tier', 'wavlm', *arguments, '--threads', '1', '--out', str(tmp_path), *steps]
    assert cli.main(command) == 0, capsys.readouterr()
    figures = OnnxModel(tmp_path / 'wavlm_ser_base' / 'model', 'ser').card.metrics['reliability']
    assert figures['held_out'] == 'each of 5 groups of clips of one speaker by a fit on the others'
    recipe = WavlmRecipe([tmp_path / 'one.csv'], data, tmp_path)
    groups = recipe.corrupted().groups.reshape(len(recipe.side('validation')), -1)
    assert (groups == groups[:, :1]).all()  # all that is made of a clip is in one part


def test_convolutions_learn_only_in_the_second_part(data, manifest, tiny, tmp_path):
    recipe = WavlmRecipe([manifest], data, tmp_path, str(tiny))
    recipe.train(tmp_path, 2, 1, Console(quiet=True))
    before = wavlm.start(str(tiny)).state_dict()
    encoder, body = f'{wavlm.ENCODER}conv_layers.1.conv.weight', f'{wavlm.BODY}encoder.layers.0.attention.q_proj.weight'
    after = torch.load(tmp_path / trainer.LAST_FILE, weights_only=True)['network']
    assert not torch.equal(before[encoder], after[encoder])
    recipe.train(tmp_path / 'one', 1, 1, Console(quiet=True))
    after = torch.load(tmp_path / 'one' / trainer.LAST_FILE, weights_only=True)['network']
    assert torch.equal(before[encoder], after[encoder])
    assert not torch.equal(before[body], after[body])


def test_batch_holds_utterances_of_about_one_length_cut_to_it(data, manifest, tmp_path):
    from emotion_training.ser_wavlm import _Augmented

    recipe = WavlmRecipe([manifest], data, tmp_path)
    clips = recipe.side('train')
    augment = _Augmented(clips, recipe.input)
    first, again = (list(recipe.batches(clips, augment, 3, 0)) for _ in range(2))
    assert len(first) == len(clips) // 16
    for (inputs, labels), (same, _) in zip(first, again):
        assert inputs.shape[0] == len(labels) == 16
        assert 8000 <= inputs.shape[1] <= 6 * 16000
        assert inputs.dtype == np.float32 and np.array_equal(inputs, same)
        assert (inputs != 0).mean() > 0.8


@pytest.mark.parametrize(
    'source, what',
    [
        ('/no/such/folder', "there is no folder '/no/such/folder'"),
        ('other', 'is a model of type hubert: name a WavLM with --weights'),
        ('empty', 'holds no model of Hugging Face'),
        ('bare', 'the weights of .* cannot be loaded'),
    ],
)
def test_start_that_is_no_wavlm_is_told(tmp_path, source, what):
    (tmp_path / 'empty').mkdir()
    transformers.HubertConfig().save_pretrained(tmp_path / 'other')
    transformers.WavLMConfig(**TINY).save_pretrained(tmp_path / 'bare')
    with pytest.raises(TrainingError, match=what):
        wavlm.start(source if '/' in source else str(tmp_path / source))


def test_emotion_that_no_clip_has_is_told(data, manifest, tmp_path):
    lines = manifest.read_text().splitlines()
    (tmp_path / 'few.csv').write_text('\n'.join(line for line in lines if ',surprise,' not in line) + '\n')
    with pytest.raises(TrainingError, match='no clip to train on is surprise: add the manifest of a corpus'):
        WavlmRecipe([tmp_path / 'few.csv'], data, tmp_path).clips


def test_without_a_manifest_it_says_how_to_make_one(capsys):
    assert cli.main(['ser', '--tier', 'wavlm']) == 2
    assert './emotion manifest ravdess' in capsys.readouterr().err


def test_run_goes_on_only_from_what_it_began_with(data, manifest, tiny, tmp_path):
    transformers.WavLMForSequenceClassification.from_pretrained(tiny).save_pretrained(tmp_path / 'other')
    run = tmp_path / 'run'
    recipe = WavlmRecipe([manifest], data, run, str(tiny))
    recipe.train(run, 1, 1, Console(quiet=True))
    assert recipe.facts()['training']['start'] == tiny.name  # and not where it lay
    with pytest.raises(TrainingError, match=f'began with {tiny.name}, not with other'):
        WavlmRecipe([manifest], data, run, str(tmp_path / 'other')).train(run, 1, 1, Console(quiet=True))
    for weights in (None, str(tiny)):
        WavlmRecipe([manifest], data, run, weights).train(run, 1, 1, Console(quiet=True))


def test_only_what_a_step_uses_learns(tmp_path):
    for masks in (True, False):
        config = transformers.WavLMConfig(**TINY, apply_spec_augment=masks)
        transformers.WavLMModel(config).save_pretrained(tmp_path)
        network = wavlm.start(str(tmp_path)).train()
        network(torch.zeros(2, 16000)).sum().backward()
        unused = {name for name, value in network.named_parameters() if value.requires_grad and value.grad is None}
        assert not unused


@pytest.mark.parametrize('kind', ['cut off', 'code', 'config'])
def test_damaged_start_is_told(tiny, tmp_path, kind):
    folder = tmp_path / 'start'
    shutil.copytree(tiny, folder)
    weights = folder / 'model.safetensors'
    if kind == 'cut off':
        weights.write_bytes(weights.read_bytes()[:1000])
    elif kind == 'code':
        weights.unlink()
        torch.save({'x': print}, folder / 'pytorch_model.bin')
    else:
        config = json.loads((folder / 'config.json').read_text()) | {'hidden_size': 'a'}
        (folder / 'config.json').write_text(json.dumps(config))
    with pytest.raises(TrainingError, match='holds no model' if kind == 'config' else 'the weights of'):
        wavlm.start(str(folder))

"""The command says what is missing, and keeps the user's folders out of the card."""

import subprocess
import sys

import pytest

from emotion_training import cli
from emotion_training.errors import TrainingError


@pytest.mark.parametrize('model, what', [('fer', 'FER2013'), ('ser', 'RAVDESS')])
def test_without_data_it_says_which_data_is_needed(tmp_path, capsys, model, what):
    status = cli.main(
        [model, '--data', str(tmp_path), '--out', str(tmp_path), '--only', 'test', '--export-to', _model(model)]
    )
    assert status == 1
    assert f'training needs {what}' in ' '.join(capsys.readouterr().err.split())


def _model(name: str) -> str:
    from importlib.resources import files

    package, model = {'fer': ('emotion_face', 'fer_compact'), 'ser': ('emotion_speech', 'ser_compact')}[name]
    return str(files(package) / 'models' / model)


@pytest.mark.parametrize(
    'arguments, named',
    [
        (['fer', '--data', 'a', '--backgrounds', '/home/me/a'], '--data DATA --backgrounds BACKGROUNDS --out RUNS'),
        (['fer', '--data', 'a', '--tier', 'resnet50', '--weights', 'b'], '--data DATA --weights WEIGHTS --out RUNS'),
        (['ser', '--data', '/home/me/voices'], '--data DATA --out RUNS'),
    ],
)
def test_command_in_the_card_has_all_that_was_given_without_its_place(arguments, named):
    command = cli._command(cli.make_parser().parse_args(arguments), 'test')
    assert named in command and '/home/me' not in command


def test_test_without_a_model_says_so(tmp_path, capsys):
    assert cli.main(['fer', '--data', str(tmp_path), '--out', str(tmp_path), '--only', 'test']) == 1
    assert 'model.json is missing' in ' '.join(capsys.readouterr().err.split())


def test_error_of_another_process_than_the_first_is_told(capsys, monkeypatch):
    def fail(options, console):
        raise TrainingError('it has no data')

    monkeypatch.setattr(cli, 'RANK', 1)
    monkeypatch.setattr(cli, '_run', fail)
    assert cli.main(['fer', '--data', 'x']) == 1
    assert capsys.readouterr().err == 'process 1: it has no data\n'


def test_brackets_in_a_path_are_told_as_they_are(tmp_path, capsys):
    assert cli.main(['fer', '--data', str(tmp_path), '--out', str(tmp_path / '[/b]'), '--only', 'test']) == 1
    assert f"'{tmp_path / '[/b]' / 'fer_compact' / 'model'}'" in capsys.readouterr().err


@pytest.mark.parametrize(
    'model, names',
    [('fer', ['FER2013', 'kaggle.com', 'RAF-DB']), ('ser', ['RAVDESS', 'zenodo.org', 'nEMO', 'CC BY-NC-SA'])],
)
def test_without_arguments_it_says_what_data_it_needs_and_where_to_get_it(model, names, capsys):
    assert cli.main([model]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in names)
    assert f'./emotion train {model} --data FOLDER' in said


@pytest.mark.parametrize('module', ['cli', 'measure', 'report'])
def test_what_needs_no_torch_is_there_without_it(module):
    script = f"import sys; sys.modules['torch'] = None; import emotion_training.{module}"
    result = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_data_that_is_a_file_or_not_there_is_told(tmp_path, capsys):
    (tmp_path / 'fer2013.npz').write_bytes(b'')
    for name, what in (('fer2013.npz', 'is a file'), ('no', 'is not there')):
        assert cli.main(['fer', '--data', str(tmp_path / name), '--out', str(tmp_path), '--only', 'test']) == 1
        assert f"'{tmp_path / name}' {what}: name the folder" in capsys.readouterr().err


def test_usage_names_the_command_that_was_typed(capsys):
    with pytest.raises(SystemExit):
        cli.main(['fer', '--data', 'x', '--epochs', 'many'], 'emotion train')
    said = capsys.readouterr().err
    assert said.startswith('usage: emotion train fer')
    assert "'many' is not a whole number above 0" in said


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(['ser', '--help'])
    assert end.value.code == 0
    assert 'examples:' in capsys.readouterr().out


@pytest.mark.parametrize(
    'arguments',
    [
        ['fer', '--data', 'x', '--manifest', 'm.csv'],
        ['ser', '--data', 'x', '--manifest', 'm.csv'],
        ['fer', '--data', 'x', '--out', 'y', '--epochs', '0'],
        ['fer', '--personalise', 'x', '--tier', 'resnet50'],
        ['fer', '--personalise', 'x', '--epochs', '3'],
        ['fer', '--data', 'x', '--out', 'y', '--only', 'nothing'],
        ['dance'],
    ],
)
def test_bad_arguments_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2


def test_command_of_the_card_names_no_folder_of_the_user():
    options = cli.make_parser().parse_args(['fer', '--data', '/mine/faces', '--out', '/mine/runs', '--epochs', '3'])
    assert cli._command(options, 'train', 'export') == (
        'python -m emotion_training fer --data DATA --out RUNS --epochs 3 --only train export'
    )

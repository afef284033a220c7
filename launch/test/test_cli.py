import pytest

from emotion_bringup import cli, models, up
from emotion_core.errors import EmotionError
from emotion_core.store import FETCHABLE


def exit_code(*argv):
    with pytest.raises(SystemExit) as ending:
        cli.main(argv)
    return ending.value.code


def test_version(capsys):
    assert exit_code('--version') == 0
    assert capsys.readouterr().out == f'emotion_ros {cli.VERSION}\n'


def test_no_subcommand_prints_the_help(capsys):
    assert exit_code() == 0
    output = capsys.readouterr().out
    assert 'examples:' in output
    for command in ('demo', 'up', 'devices', 'models', 'doctor', 'test', 'train', 'env'):
        assert f'\n    {command} ' in output


def test_help_of_each_subcommand_names_it(capsys):
    for command in ('demo', 'up', 'devices', 'models', 'doctor', 'test'):
        assert exit_code(command, '--help') == 0
        assert capsys.readouterr().out.startswith(f'usage: emotion {command}')
    for command in (('train', 'fer'), ('manifest', 'ravdess')):
        assert exit_code(*command, '--help') == 0
        assert capsys.readouterr().out.startswith(f'usage: ./emotion {" ".join(command)}')


def test_models_to_fetch_are_named(capsys):
    assert set(cli.FETCHED) == set(FETCHABLE)
    assert exit_code('models', 'fetch', 'nosuch') == 2
    assert "invalid choice: 'nosuch'" in capsys.readouterr().err


def test_show_args_lists_the_arguments_of_the_named_graph(capsys):
    assert exit_code('up', 'speech', '--show-args') == 0
    output = capsys.readouterr().out
    assert "'microphone':" in output and "'camera':" not in output


@pytest.mark.parametrize(
    'words, sentence',
    [
        (
            ['up', 'mutimodal'],
            "emotion: there is no graph 'mutimodal'; there are multimodal, face, speech, session, game",
        ),
        (['up', 'camera=0'], "emotion: 'camera=0' is not an argument: write name:=value"),
        (['up', 'face', 'microphone:=0'], "emotion: graph 'face' has no argument 'microphone'"),
        (['up', 'face', '--print'], "emotion: --print shows utterances, and graph 'face' does not listen"),
        (['models', 'verify', 'nosuch'], "no model 'nosuch'"),
        (['models', 'import', 'nosuch.pth'], "there is no file or folder 'nosuch.pth'"),
        (['models', 'import', 'nosuch.pth', '--label-map', 'glad'], "--label-map 'glad' is no pair"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_exit_code_1(capsys, words, sentence):
    assert exit_code(*words) == 1
    captured = capsys.readouterr()
    assert sentence in captured.err + captured.out


@pytest.mark.parametrize('seconds', ['0', '-10', 'inf', 'nan', 'x'])
def test_bench_of_no_time_is_a_sentence(capsys, seconds):
    assert exit_code('bench', f'--seconds={seconds}') == 2
    assert f"a number of seconds from 5 on is needed, not '{seconds}'" in capsys.readouterr().err


def test_what_converts_models_is_only_asked_for_when_it_is_missing(monkeypatch):
    monkeypatch.delenv('EMOTION_ROS_STATE', raising=False)
    monkeypatch.setattr(models, 'CONVERTERS', ('json', 'no_such_library'))
    with pytest.raises(EmotionError, match='needs PyTorch and more: pip install json no_such_library'):
        models.install_training()
    monkeypatch.setattr(models, 'CONVERTERS', ('json',))
    models.install_training()


def test_unknown_option_is_refused_except_for_pytest(capsys):
    assert exit_code('doctor', '--nosuch') == 2
    options, others = cli.build_parser().parse_known_args(['test', '--fast', '-k', 'stale'])
    assert options.fast and others == ['-k', 'stale']


def test_executable_is_found_in_the_first_prefix_that_has_it(tmp_path):
    path = tmp_path / 'b' / 'lib' / 'some_package' / 'node'
    path.parent.mkdir(parents=True)
    path.write_text('')
    path.chmod(0o755)
    environ = {'AMENT_PREFIX_PATH': f'{tmp_path}/a:{tmp_path}/b', 'ROS_DISTRO': 'humble'}
    assert up.find_executable('some_package', 'node', environ) == path
    with pytest.raises(EmotionError, match='sudo apt install ros-humble-usb-cam'):
        up.find_executable('usb_cam', 'usb_cam_node_exe', environ)

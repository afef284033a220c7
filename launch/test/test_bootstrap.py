"""The file ./emotion, without setting anything up."""

import errno
import importlib.machinery
import importlib.util
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def emotion():
    loader = importlib.machinery.SourceFileLoader('emotion_bootstrap', str(ROOT / 'emotion'))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / 'src' / 'some'
    (folder / 'some').mkdir(parents=True)
    (folder / 'package.xml').write_text('<package><name>some_package</name></package>')
    (folder / 'setup.py').write_text('# set-up')
    (folder / 'some' / '__init__.py').write_text('')
    (folder / 'some' / 'module.py').write_text('a = 1')
    return folder


def bash(script, **environ):
    done = subprocess.run(['bash', '-c', script], env=environ or None, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def test_state_is_in_the_checkout_unless_its_path_has_a_blank(emotion):
    assert emotion.state_folder(Path('/home/me/emotion_ros'), {}) == Path('/home/me/emotion_ros/.emotion')
    state = emotion.state_folder(Path('/home/me/my robot'), {'HOME': '/home/me'})
    assert state.parent == Path('/home/me/.cache/emotion_ros') and ' ' not in str(state)
    assert state != emotion.state_folder(Path('/home/me/my other robot'), {'HOME': '/home/me'})
    assert str(emotion.state_folder(Path('/home/my me/x'), {'HOME': '/home/my me'})).startswith('/var/tmp/')
    assert str(emotion.state_folder(Path('/home/my me/x'), {})).startswith('/var/tmp/')


def test_edited_module_needs_no_build_of_a_python_package(emotion, package):
    before = emotion.package_digest(package)
    (package / 'some' / 'module.py').write_text('a = 2')
    (package / 'test').mkdir()
    (package / 'test' / 'test_it.py').write_text('')
    (package / 'some' / '__pycache__').mkdir()
    (package / 'some' / '__pycache__' / 'module.pyc').write_text('')
    assert emotion.package_digest(package) == before


@pytest.mark.parametrize(
    'path, text',
    [
        ('setup.py', '# other'),
        ('package.xml', '<package/>'),
        ('launch/new.launch.py', ''),
        ('some/models/model.onnx', ''),
        ('other/__init__.py', ''),
    ],
)
def test_what_is_installed_anew_changes_the_digest(emotion, package, path, text):
    before = emotion.package_digest(package)
    (package / path).parent.mkdir(parents=True, exist_ok=True)
    (package / path).write_text(text)
    assert emotion.package_digest(package) != before


def test_every_file_of_a_cmake_package_counts(emotion, package):
    (package / 'CMakeLists.txt').write_text('')
    (package / 'msg').mkdir()
    (package / 'msg' / 'A.msg').write_text('int32 a')
    before = emotion.package_digest(package)
    (package / 'msg' / 'A.msg').write_text('int32 b')
    assert emotion.package_digest(package) != before


def test_stand_in_is_built_only_where_no_prefix_has_the_package(emotion, package, tmp_path):
    root, prefix = package.parents[1], tmp_path / 'opt'
    stand_in = root / 'compat' / 'audio_common_msgs'
    stand_in.mkdir(parents=True)
    (stand_in / 'package.xml').write_text('<package><name>audio_common_msgs</name></package>')
    assert emotion.find_packages(root, ['', str(prefix)]) == {'some_package': package, 'audio_common_msgs': stand_in}
    (prefix / 'share' / 'audio_common_msgs').mkdir(parents=True)
    (prefix / 'share' / 'audio_common_msgs' / 'package.xml').write_text('')
    assert emotion.find_packages(root, ['', str(prefix)]) == {'some_package': package}


def test_origin_is_a_distribution_only_where_one_is_sourced(emotion):
    sourced = {'ROS_DISTRO': 'humble', 'AMENT_PREFIX_PATH': '/opt/ros/humble'}
    assert emotion.find_origin({}, lambda module: '') == 'wheels'
    assert emotion.find_origin({'ROS_DISTRO': 'humble'}, lambda module: '/rclpy') == 'wheels'
    assert emotion.find_origin(sourced, lambda module: '/rclpy') == 'distribution'
    with pytest.raises(emotion.SetupError, match='ROS 2 humble is sourced, but .* cannot import its rclpy'):
        emotion.find_origin(sourced, lambda module: '')


def test_activation_is_taken_back(emotion):
    before = {'PATH': '/usr/bin:/bin', 'HOME': '/home/me', 'PYTHONPATH': '/mine'}
    ours = {emotion.STATE: '/x/.emotion', emotion.ORIGIN: 'wheels', 'VIRTUAL_ENV': '/x/.emotion/env'}
    after = emotion.prepend(
        before,
        {
            'PATH': ['/x/.emotion/env/bin'],
            'PYTHONPATH': ['/x/.emotion/build/a'],
            'AMENT_PREFIX_PATH': ['/x/.emotion/install'],
        },
    )
    assert after['PATH'] == '/x/.emotion/env/bin:/usr/bin:/bin'
    assert emotion.without_activation(after | ours | emotion.wheels_variables()) == before
    assert emotion.without_activation(before) == before


def test_paths_are_put_in_front_once(emotion):
    once = emotion.prepend({'PATH': '/bin'}, {'PATH': ['/a', '/b']})
    assert emotion.prepend(once, {'PATH': ['/a', '/b']}) == once == {'PATH': '/a:/b:/bin'}


def test_exports_survive_any_character(emotion):
    after = {'A': 'a b', 'B': """it's "$HOME" `x`\n;""", 'PATH': os.environ['PATH']}
    script = emotion.shell_exports({'GONE': '1', 'PATH': os.environ['PATH']}, after)
    output = bash(f'GONE=1; eval {shlex.quote(script)}; printf "%s\\0" "$A" "$B" "${{GONE-unset}}"')
    assert output.split('\0')[:3] == ['a b', after['B'], 'unset']


def checkout(emotion, tmp_path):
    """A checkout whose parts are all made, as far as its stamp says."""
    for name in ('ros-jazzy', 'colcon', 'runtime', 'test', 'training'):
        path = tmp_path / 'requirements' / f'{name}.txt'
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    made = emotion.Checkout(tmp_path, {'HOME': str(tmp_path), 'PATH': '/bin'})
    python = made.env / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.write_text('')
    made.write_stamp(
        {
            'fingerprint': made.fingerprint(),
            'layers': {'runtime': made.layer_digest('runtime')},
            'activation': {},
            'packages': {name: emotion.package_digest(folder) for name, folder in made.packages().items()},
        }
    )
    return made


def test_nothing_is_missing_from_what_has_been_made(emotion, package):
    assert not any(checkout(emotion, package.parents[1]).missing(['runtime']).values())


def test_what_changed_is_missing(emotion, package):
    made = checkout(emotion, package.parents[1])
    assert made.missing(['runtime', 'test'])['layers'] == ['test']
    (made.root / 'requirements' / 'runtime.txt').write_text('other')
    assert made.missing(['runtime'])['layers'] == ['runtime'] and not made.missing(['runtime'])['environment']
    (package / 'setup.py').write_text('# other')
    assert list(made.missing([])['packages']) == ['some_package']
    (made.root / 'requirements' / 'ros-jazzy.txt').write_text('other')
    assert made.missing([])['environment']


def test_removed_package_and_lost_or_damaged_state_are_noticed(emotion, package):
    made = checkout(emotion, package.parents[1])
    stamp = made.read_stamp()
    made.write_stamp(stamp | {'packages': stamp['packages'] | {'old': 'x'}})
    assert made.missing([])['gone'] == ['old'] and list(made.missing([])['packages']) == ['some_package']
    made.write_stamp(stamp | {'building': ['some_package']})  # its build was cut off: nobody knows what is installed
    assert list(made.missing([])['packages']) == ['some_package'] and not made.missing([])['gone']
    made.write_stamp(stamp | {'building': ['new']})
    assert made.missing([])['gone'] == ['new']
    (made.state / 'stamp.json').write_text('{"finger')
    assert made.missing([])['environment'] and made.missing(['runtime'])['layers'] == ['runtime']
    made.write_stamp(stamp)
    (made.env / 'bin' / 'python').unlink()
    assert made.missing([])['environment']


def test_other_python_means_another_environment(emotion, package, monkeypatch):
    made = checkout(emotion, package.parents[1])
    monkeypatch.setattr(sys, 'base_prefix', '/another/python')
    assert made.missing([])['environment']


def test_state_that_belongs_to_another_user_is_a_sentence(emotion, package, monkeypatch):
    made = checkout(emotion, package.parents[1])

    def refuse(*_):
        raise PermissionError(errno.EACCES, 'Permission denied', f'{made.state}/lock')

    monkeypatch.setattr(emotion, 'Checkout', lambda *_: made)
    monkeypatch.setattr(emotion, 'open', refuse, raising=False)
    monkeypatch.setattr(emotion, 'read_arguments', lambda _: None)
    monkeypatch.setattr(sys, 'argv', ['emotion', 'up'])
    (package / 'setup.py').write_text('# changed')
    with pytest.raises(SystemExit, match=f'cannot write to {made.state}/lock: Permission denied.*chown -R'):
        emotion.main()


def test_foreign_folders_in_cmake_files_are_mended(emotion, tmp_path):
    path = tmp_path / 'share' / 'p' / 'cmake' / 'p.cmake'
    path.parent.mkdir(parents=True)
    foreign = '/opt/python/cp311-cp311'
    path.write_text(f'a "{foreign}/include/python3.11" b "{foreign}/lib/python3.11/site-packages/x"')
    emotion.mend_cmake(tmp_path)
    text = path.read_text()
    assert '/opt/python' not in text and (Path(text.split('"')[1]) / 'Python.h').exists()
    assert text.split('"')[3].startswith(str(tmp_path / 'lib'))


def test_setup_file_acts_like_that_of_a_distribution(emotion, tmp_path):
    (tmp_path / 'env').mkdir()
    emotion.write_setup_files(tmp_path / 'env')
    source = f'. {tmp_path}/env/setup.bash'
    output = bash(f'set -eu; {source}; {source}; echo $AMENT_PREFIX_PATH $ROS_DISTRO $PATH', PATH='/usr/bin:/bin')
    assert output.split() == [f'{tmp_path}/env', 'jazzy', f'{tmp_path}/env/bin:/usr/bin:/bin']


@pytest.mark.parametrize(
    'arguments, layers',
    [
        ([], ['runtime']),
        (['up', 'face'], ['runtime']),
        (['test', '--fast'], ['runtime', 'test', 'evaluation']),
        (['evaluate', 'walk'], ['runtime', 'evaluation']),
        (['test', '--training'], ['runtime', 'test', 'evaluation', 'personalisation', 'training']),
        (['train', 'fer'], ['runtime', 'personalisation']),
        (['train', 'fer', '--data=corpora'], ['runtime', 'personalisation', 'training']),
        (['train', 'ser', '--help', '--data', 'corpora'], ['runtime', 'personalisation']),
        (['models', 'import', 'weights.pth'], ['runtime']),  # which asks for more when it has looked at the file
        (['env', '--training'], ['runtime', 'personalisation', 'training']),
        (['train', 'ser', '--personalise', 'voices'], ['runtime', 'personalisation']),
        (['train', 'ser', '--personalise=voices'], ['runtime', 'personalisation']),
    ],
)
def test_layers_of_a_subcommand(emotion, arguments, layers):
    assert emotion.wanted_layers(arguments) == layers


def test_help_of_env_is_told_where_all_is_set_up(emotion, monkeypatch, capsys):
    made = SimpleNamespace(env='', environ={}, origin='wheels', missing=lambda layers: {'layers': []})
    monkeypatch.setattr(emotion, 'Checkout', lambda *_: made)
    monkeypatch.setattr(emotion.signal, 'signal', lambda *_: None)
    for name, value in (('argv', ['emotion', 'env', '--help']), ('path', [*sys.path]), ('dont_write_bytecode', True)):
        monkeypatch.setattr(sys, name, value)
    with pytest.raises(SystemExit) as ending:
        emotion.main()
    assert ending.value.code == 0 and capsys.readouterr().out.startswith('usage: emotion env')


@pytest.mark.parametrize(
    'arguments, code, said',
    [
        ([], 0, 'doctor'),
        (['--help'], 0, 'doctor'),
        (['demo', '--help'], 0, '--picture'),
        (['demo', '--seconds=20'], 2, 'unknown arguments: --seconds=20'),
        (['dmeo'], 2, "invalid choice: 'dmeo'"),
    ],
)
def test_help_and_mistakes_are_told_before_anything_is_set_up(tmp_path, arguments, code, said):
    copy = tmp_path / 'the emotion'
    copy.mkdir()
    (copy / 'emotion').write_bytes((ROOT / 'emotion').read_bytes())
    for name in ('launch', 'requirements', 'src', 'compat'):
        (copy / name).symlink_to(ROOT / name)
    environ = {'PATH': os.environ['PATH'], 'HOME': str(tmp_path)}
    command = [sys.executable, copy / 'emotion', *arguments]
    output = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert output.returncode == code and said in (output.stderr if code else output.stdout)
    assert 'Traceback' not in output.stderr
    assert not (copy / '.emotion').exists() and not (tmp_path / '.cache').exists()


def test_what_is_set_in_the_shell_and_ends_every_node_is_told(emotion):
    emotion.check_shell({'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp', 'ROS_DOMAIN_ID': '232'}, 'wheels')
    emotion.check_shell({'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp', 'ROS_DOMAIN_ID': ''}, 'distribution')
    with pytest.raises(emotion.SetupError, match='RMW_IMPLEMENTATION is rmw_cyclonedds_cpp, and the wheels'):
        emotion.check_shell({'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp'}, 'wheels')
    for domain in ('abc', '233', '-1', '²'):
        with pytest.raises(emotion.SetupError, match='it must be a number from 0 to 232'):
            emotion.check_shell({'ROS_DOMAIN_ID': domain}, 'wheels')

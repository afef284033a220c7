"""What ``./emotion doctor`` says, and its exit code, where all is there and where something is broken."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from emotion_bringup import cli, doctor
from emotion_core.testing import TIMEOUT_S

NEEDED = ('Python', 'build tools', 'ROS', 'libraries', 'workspace', 'discovery', 'models')


def findings(text):
    """Give the states and texts of each check, and what mends it."""
    found = {}
    for line in text.splitlines():
        state, rest = line[:4].strip(), line[6:]
        if state in doctor.MARKS:
            name = rest[:12].strip()
            found.setdefault(name, []).append((state, rest[13:]))
        elif 'mend: ' in line:
            found[name].append(('mend', line.partition('mend: ')[2]))
    return found


def test_all_that_is_needed_is_there(tmp_path):
    environ = {**os.environ, 'EMOTION_MODELS': str(tmp_path)}
    command = [sys.executable, '-m', 'emotion_bringup.cli', 'doctor']
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S)
    found = findings(done.stdout)
    assert [found[name][0] for name in NEEDED if found[name][0][0] != doctor.GOOD] == []
    assert f'domain {os.environ["ROS_DOMAIN_ID"]}' in found['ROS'][0][1]
    assert 'frames of 640x480 arrived' in found['images'][0][1]  # on a busy machine a note, for too few
    for text, model in zip(found['models'], ('fer_compact', 'ser_compact')):
        assert re.fullmatch(f'{model}@[0-9a-f]{{8}}', text[1])
    assert found['models'][-1] == ('mend', './emotion models fetch yunet')
    assert {'camera', 'microphone'} <= found.keys()
    assert done.returncode == 0 and done.stdout.endswith('\nEverything that is needed is there.\n')


def diagnosed(capsys):
    """Run the command in this process; gives the exit code, what was found and the last line."""
    with pytest.raises(SystemExit) as ending:
        cli.main(['doctor'])
    output = capsys.readouterr().out
    return ending.value.code, findings(output), output.splitlines()[-1]


def test_what_is_broken_is_named_with_what_mends_it(tmp_path, monkeypatch, capsys):
    checks = [check for check in doctor.CHECKS if check is not doctor.check_transport]  # which takes seconds
    monkeypatch.setattr(doctor, 'CHECKS', checks)
    prefixes = os.environ['AMENT_PREFIX_PATH'].split(':')
    others = [prefix for prefix in prefixes if not Path(prefix, 'lib/emotion_drivers').is_dir()]
    for name, value in (('AMENT_PREFIX_PATH', ':'.join(others)), ('PATH', tmp_path), ('EMOTION_MODELS', tmp_path)):
        monkeypatch.setenv(name, str(value))
    (tmp_path / 'yunet').mkdir()
    (tmp_path / 'yunet' / 'model.json').write_text('{}')
    code, found, last = diagnosed(capsys)
    bad = {name: told for name, told in found.items() if doctor.BAD in dict(told)}
    assert bad.keys() == {'build tools', 'workspace', 'models'}
    assert bad['build tools'][0] == ('bad', 'missing: cmake, make, c++')
    assert bad['build tools'][1][1].startswith('sudo apt install cmake g++ make')
    assert "of package 'emotion_drivers' is not installed" in bad['workspace'][0][1]
    assert bad['workspace'][1][1].endswith('&& ./emotion doctor')
    (state, sentence), mend = bad['models'][-2:]
    assert state == 'bad' and "yunet/model.json' is not a model card" in sentence
    assert mend == ('mend', './emotion models fetch yunet')
    assert (code, last) == (1, 'Something that is needed is missing.')


def test_check_that_fails_itself_does_not_hide_the_others(monkeypatch, capsys):
    def check_sound():
        raise RuntimeError('no card')

    monkeypatch.setattr(doctor, 'CHECKS', (check_sound, doctor.check_python))
    code, found, _ = diagnosed(capsys)
    assert found['sound'] == [('bad', 'RuntimeError: no card'), ('mend', './emotion test --fast')]
    assert code == 1 and found['Python'][0][0] == doctor.GOOD

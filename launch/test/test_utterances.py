import os
import signal
import subprocess
import sys

from emotion_bringup.utterances import describe
from emotion_core.testing import ros  # noqa: F401
from emotion_drivers.scenario import ASSETS

LONGEST_S = 120.0


def test_three_most_probable_emotions_in_a_line():
    assert describe([0.02, 0.01, 0.72, 0.18, 0.01, 0.06]) == 'PRED: happy=0.72 | neutral=0.18 | surprise=0.06'


def test_a_file_is_heard_and_only_utterances_are_on_standard_output(ros, tmp_path):
    params = tmp_path / 'params.yaml'
    params.write_text('/**/microphone:\n  ros__parameters:\n    loop: true\n')
    arguments = f'microphone:={ASSETS}/glad.ogg', f'params_file:={params}'
    command = [sys.executable, '-m', 'emotion_bringup.cli', 'up', 'speech', '--print', *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        os.set_blocking(process.stdout.fileno(), False)
        said = ros.spin_until(lambda: process.stdout.read(), 'an utterance is printed', LONGEST_S)
    finally:
        process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    lines = said.decode().splitlines()
    assert lines and all(line.startswith('PRED: ') and line.count('=') == 3 for line in lines)

"""Ctrl-C is no failure of what it ends."""

import os
import signal
import subprocess
import sys
import time

import pytest

READY_S = 60.0


@pytest.mark.parametrize('words', [('bench', '--seconds', '60'), ('demo',), ('demo', 'game')])
def test_ctrl_c_ends_it_quietly(words, tmp_path):
    environ = {**os.environ, 'EMOTION_ROS_STATE': str(tmp_path), 'TMPDIR': str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, '-m', 'emotion_bringup.cli', *words],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def said() -> str:
        return ''.join(log.read_text() for log in (*tmp_path.glob('demo.log'), *tmp_path.glob('*/log')))

    try:
        deadline = time.monotonic() + READY_S
        while 'started, process' not in said():
            assert time.monotonic() < deadline and process.poll() is None, 'no graph was started'
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=20)[0]
    finally:
        process.kill()
    assert process.returncode == 130
    assert [line for line in output.splitlines() if line and 'Watch it' not in line] == []

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emotion_bringup.supervisor import Child, Supervisor

RUN = """
import json, os, sys
from emotion_bringup.supervisor import Child, Supervisor
sys.exit(Supervisor([Child(*child) for child in json.loads(sys.argv[1])], os.environ).run())
"""
SLEEPER = 'import time; print("ready", flush=True); time.sleep(60)'
STUBBORN = f"""
import signal
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
{SLEEPER}
"""
TELLER = """
import signal, sys, time
def end(number, frame):
    print("told", signal.Signals(number).name, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""


class Running:
    """A supervisor in a process of its own, with its output as it comes."""

    def __init__(self, *children):
        words = [(name, [sys.executable, '-c', program], respawn) for name, program, respawn in children]
        command = [sys.executable, '-c', RUN, json.dumps(words)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.lines = []

    def read_until(self, text):
        """Read lines until one contains the text; gives that one."""
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if text in line:
                return line.rstrip()
        raise AssertionError(f"'{text}' never came:\n" + '\n'.join(self.lines))

    def finish(self):
        """Read the rest; gives the exit code."""
        self.lines += self.process.stdout.read().splitlines()
        return self.process.wait(20)


@pytest.fixture
def run():
    started = []

    def start(*children):
        started.append(Running(*children))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
        running.process.stdout.close()
        running.process.wait()


def pid_in(line):
    return int(line.rsplit(' ', 1)[1])


def is_alive(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def wait_until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, 'waited in vain'
        time.sleep(0.01)


def test_each_line_says_which_node_it_came_from():
    out = io.StringIO()
    children = [
        Child('one', [sys.executable, '-c', 'print("a"); print("b")']),
        Child('second', [sys.executable, '-c', 'import sys; print("c", file=sys.stderr)']),
    ]
    assert Supervisor(children, os.environ, out).run() == 0
    lines = [line for line in out.getvalue().splitlines() if 'started' not in line and 'ended' not in line]
    assert sorted(lines) == ['[one]    a', '[one]    b', '[second] c']


def test_line_that_the_output_cannot_encode_ends_nothing():
    out = io.TextIOWrapper(io.BytesIO(), encoding='ascii')
    program = 'import sys; sys.stdout.buffer.write("a → b…\\n".encode()); print("c")'
    assert Supervisor([Child('one', [sys.executable, '-c', program])], os.environ, out).run() == 0
    lines = out.buffer.getvalue().decode().splitlines()
    assert {'[one] a ? b?', '[one] c', '[one] ended (exit code 0)'} <= set(lines)


def test_killed_child_is_back_within_five_seconds(run):
    running = run(('one', SLEEPER, True))
    first = pid_in(running.read_until('started, process'))
    running.read_until('ready')
    start = time.monotonic()
    os.kill(first, signal.SIGKILL)
    assert 'ended (SIGKILL); starts again in 0.5 s' in running.read_until('ended')
    second = pid_in(running.read_until('started, process'))
    running.read_until('ready')
    assert second != first and time.monotonic() - start < 5
    running.process.send_signal(signal.SIGINT)
    assert running.finish() == 0


def test_child_that_keeps_crashing_is_started_less_and_less_often(run):
    running = run(('one', 'raise SystemExit(3)', True))
    assert 'exit code 3); starts again in 0.5 s' in running.read_until('ended')
    assert 'starts again in 1 s' in running.read_until('ended')
    running.process.send_signal(signal.SIGTERM)
    assert running.finish() == 0


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_all_children_with_sigterm(run, number):
    running = run(('one', TELLER, True), ('two', TELLER, True))
    pids = [pid_in(running.read_until('started')) for _ in range(2)]
    running.read_until('ready')
    running.read_until('ready')
    running.process.send_signal(number)
    assert running.finish() == 0
    assert sum('told SIGTERM' in line for line in running.lines) == 2
    assert not any(map(is_alive, pids))


def test_child_that_is_still_importing_ends_quietly(run):
    running = run(('one', SLEEPER, True))
    running.read_until('ready')
    running.process.send_signal(signal.SIGINT)
    assert running.finish() == 0
    assert [line for line in running.lines if 'started' not in line] == ['[one] ready']


def test_second_signal_ends_a_stubborn_child_at_once(run):
    running = run(('one', STUBBORN, True))
    pid = pid_in(running.read_until('started'))
    running.read_until('ready')
    start = time.monotonic()
    running.process.send_signal(signal.SIGINT)
    time.sleep(0.3)  # two signals at once would be one
    running.process.send_signal(signal.SIGINT)
    assert running.finish() == 0
    assert time.monotonic() - start < 3 and not is_alive(pid)


def test_no_orphan_when_the_supervisor_is_killed(run):
    running = run(('one', SLEEPER, True), ('two', STUBBORN, True))
    pids = [pid_in(running.read_until('started')) for _ in range(2)]
    running.read_until('ready')
    running.read_until('ready')
    running.process.kill()
    wait_until(lambda: not any(map(is_alive, pids)))


def test_failure_of_a_child_that_is_not_started_again_is_the_exit_code(run):
    running = run(('good', 'print("fine")', False), ('bad', 'raise SystemExit(3)', False))
    assert running.finish() == 1
    assert '[bad]  ended (exit code 3)' in running.lines


def test_program_that_is_not_there_is_named(run):
    out = io.StringIO()
    assert Supervisor([Child('one', ['/nowhere/node', '--ros-args'])], os.environ, out).run() == 1
    assert 'cannot start /nowhere/node --ros-args: No such file or directory' in out.getvalue()

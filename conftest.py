"""What every test session needs: a ROS domain of its own, and a look at what it leaves behind."""

import fcntl
import os
import signal
import tempfile
import time
import uuid
from pathlib import Path

DOMAINS = range(60, 102)  # above 101 the ports may be taken by the kernel for others
MARK = 'EMOTION_TEST_SESSION'  # in the environment of this session and of all that it starts
LEAVE_S = 3.0  # how long a process may take to end after the last test

_held = []


def _lock_domain() -> int:
    """Give a domain id that no other test session of this machine has; it is held until this process ends."""
    for domain in DOMAINS:
        path = Path(tempfile.gettempdir()) / f'emotion_test_domain_{domain}.lock'
        try:
            file = open(path, 'a')
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        _held.append(file)
        return domain
    raise RuntimeError(f'all {len(DOMAINS)} ROS domains for tests are taken')


def _left_behind(mark: str) -> dict[int, str]:
    """Find the other processes that carry the mark, with their command lines."""
    found, marked = {}, f'{MARK}={mark}'.encode()
    for folder in Path('/proc').glob('[0-9]*'):
        pid = int(folder.name)
        try:
            if pid != os.getpid() and marked in (folder / 'environ').read_bytes().split(b'\0'):
                found[pid] = (folder / 'cmdline').read_bytes().replace(b'\0', b' ').decode(errors='replace')
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return {pid: command for pid, command in found.items() if command}  # a zombie has none


def pytest_configure(config):
    """Set the environment before any test module imports rclpy."""
    os.environ['ROS_DOMAIN_ID'] = str(_lock_domain())
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ.pop('ROS_LOCALHOST_ONLY', None)  # would override the line above
    _held.append(tempfile.TemporaryDirectory(prefix='emotion_test_log_'))
    os.environ['ROS_LOG_DIR'] = _held[-1].name
    os.environ[MARK] = uuid.uuid4().hex


def pytest_sessionfinish(session):
    """End what the tests left running, and fail because of it."""
    deadline = time.monotonic() + LEAVE_S
    while (left := _left_behind(os.environ[MARK])) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid, command in left.items():
        print(f'\nleft behind: process {pid}: {command}')
        os.kill(pid, signal.SIGKILL)
    if left:
        session.exitstatus = 1

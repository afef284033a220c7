"""``emotion doctor``: says what is missing and how to mend it."""

import importlib
import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from emotion_bringup.graph import GRAPHS, LaunchError, plan
from emotion_bringup.transport import transport_variables
from emotion_bringup.up import find_executable

GOOD, NOTE, BAD = 'good', 'note', 'bad'
MARKS = {GOOD: '[green]good[/]', NOTE: '[yellow]note[/]', BAD: '[red]bad [/]'}
GOOD_ARRIVAL = 0.95  # of the frames: two seconds are too short to tell 99 %
BAD_ARRIVAL = 0.5  # without shared memory that holds a frame nearly all are lost; a busy machine loses some
SHARED_MEMORY_MB = 256  # seven processes that each use some frames of their segment
APT = 'sudo apt install'
# The real folder: in a checkout whose path has a blank .emotion is only a link to it.
START_AFRESH = f'rm -rf {shlex.quote(os.environ.get("EMOTION_ROS_STATE", ".emotion"))} && ./emotion doctor'


@dataclass(frozen=True)
class Finding:
    """What one check found out."""

    name: str
    state: str  # GOOD, NOTE or BAD
    text: str
    mend: str = ''  # the command that mends it


def check_python() -> Iterator[Finding]:
    """Look at the interpreter."""
    version = '.'.join(map(str, sys.version_info[:3]))
    yield Finding('Python', GOOD, f'{version}, {sys.executable}')


def check_build_tools() -> Iterator[Finding]:
    """Look for what colcon needs to build messages."""
    lacking = [tool for tool in ('cmake', 'make', 'c++') if shutil.which(tool) is None]
    if not (Path(sysconfig.get_path('include')) / 'Python.h').is_file():
        lacking.append('Python headers')
    if not importlib.util.find_spec('ensurepip'):
        lacking.append('venv')
    if lacking:
        mend = f'{APT} cmake g++ make python3-dev python3-venv'
        yield Finding('build tools', BAD, 'missing: ' + ', '.join(lacking), mend)
    else:
        yield Finding('build tools', GOOD, 'cmake, make, c++, Python headers, venv')


def check_ros() -> Iterator[Finding]:
    """Say which ROS this is."""
    try:
        rclpy = importlib.import_module('rclpy')
    except ImportError as error:
        yield Finding('ROS', BAD, f'rclpy cannot be imported: {error}', START_AFRESH)
        return
    domain = os.environ.get('ROS_DOMAIN_ID', '0')
    rmw = rclpy.get_rmw_implementation_identifier()
    distro = os.environ.get('ROS_DISTRO', '')
    origin = 'the wheels' if os.environ.get('EMOTION_ROS_ORIGIN') == 'wheels' else Path(rclpy.__file__).parents[4]
    yield Finding('ROS', GOOD, f'{distro} from {origin}, {rmw}, domain {domain}')
    foreign = [name for name in ('ROS_LOCALHOST_ONLY', 'RMW_IMPLEMENTATION', 'CYCLONEDDS_URI') if os.environ.get(name)]
    if foreign:
        yield Finding('ROS', NOTE, 'set in this shell: ' + ', '.join(f'{name}={os.environ[name]}' for name in foreign))


def check_libraries() -> Iterator[Finding]:
    """Import what the nodes need."""
    missing = []
    for module in (
        *('numpy', 'cv2', 'onnxruntime', 'soxr', 'soundfile', 'av', 'miniaudio'),
        *('aiohttp', 'rich', 'requests', 'yaml'),
    ):
        try:
            importlib.import_module(module)
        except Exception as error:  # a library that is there but broken raises anything
            missing.append(f'{module} ({error})')
    yield (
        Finding('libraries', BAD, 'cannot be imported: ' + ', '.join(missing), START_AFRESH)
        if missing
        else Finding('libraries', GOOD, 'all can be imported')
    )


def check_workspace() -> Iterator[Finding]:
    """Look for the built packages."""
    try:
        for process in plan(GRAPHS['multimodal'], {}):
            find_executable(process.package, process.executable, os.environ)
        importlib.import_module('emotion_msgs.msg')
        importlib.import_module('audio_common_msgs.msg')
    except (LaunchError, ImportError) as error:
        yield Finding('workspace', BAD, str(error), START_AFRESH)
        return
    yield Finding('workspace', GOOD, 'all nodes and messages are built')


def check_transport() -> Iterator[Finding]:
    """Send frames from one process to another."""
    from emotion_bringup.probe import probe

    result = probe(f'emotion_probe_{os.getpid()}')
    if not result.found:
        yield Finding(
            'discovery',
            BAD,
            'two processes on this host did not find each other in 10 s: a firewall, or no multicast on the network',
            'export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST; to reach other machines: '
            'sudo ufw allow in proto udp to 224.0.0.0/4 && sudo ufw allow in proto udp from 192.168.0.0/16',
        )
        return
    yield Finding('discovery', GOOD, 'two processes on this host find each other')
    share = result.received / max(result.published, 1)
    text = f'{result.received} of {result.published} frames of 640x480 arrived, {result.latency_ms:.1f} ms'
    size_mb = _shared_memory_mb()
    if share >= GOOD_ARRIVAL:
        yield Finding('images', GOOD, text)
    elif share >= BAD_ARRIVAL:
        yield Finding('images', NOTE, f'{text}: this machine is busy')
    elif size_mb < SHARED_MEMORY_MB:
        yield Finding(
            'images',
            BAD,
            f'{text}; /dev/shm has {size_mb} MB free',
            'fastdds shm clean (takes away what killed processes left); if it is too small: '
            'sudo mount -o remount,size=1G /dev/shm (in Docker: --shm-size=1g or --ipc=host)',
        )
    else:
        variables = ' '.join(f'{name}={value}' for name, value in transport_variables({}).items())
        yield Finding('images', BAD, text, f'export {variables}')


def check_cameras() -> Iterator[Finding]:
    """List the cameras."""
    from emotion_drivers.devices import cameras

    yield from _devices('camera', cameras)


def check_microphones() -> Iterator[Finding]:
    """List the microphones."""
    from emotion_drivers.devices import microphones

    yield from _devices('microphone', microphones)


def _devices(kind: str, find: Callable) -> Iterator[Finding]:
    try:
        found = find()
    except Exception as error:  # the sound system's own errors; a device is not needed to go on
        yield Finding(kind, NOTE, f'cannot be listed: {error}')
        return
    for device in found:
        denied = 'no permission' in device.details
        yield Finding(kind, NOTE if denied else GOOD, f'{kind}:={device.value}  {device.name}, {device.details}')
    if not found:
        yield Finding(kind, NOTE, 'none on this machine', f'plug one in, or play a file: ./emotion up {kind}:=clip.mp4')


def check_models() -> Iterator[Finding]:
    """Check the models that the nodes take by default, and look for the face detector."""
    from emotion_core.errors import ModelError
    from emotion_core.store import ModelStore
    from emotion_face.parameters import FaceParameters
    from emotion_speech.parameters import SpeechParameters

    store = ModelStore()
    for name in (FaceParameters.model, SpeechParameters.model):
        try:
            yield Finding('models', GOOD, store.verify(name).identity)
        except ModelError as error:
            yield Finding('models', BAD, str(error), 'git checkout -- src (the models ship with the packages)')
    try:
        yield Finding('models', GOOD, store.verify('yunet').identity)
    except ModelError as error:
        mend = './emotion models fetch yunet'
        if 'yunet' in store.list():
            yield Finding('models', BAD, str(error), mend)
        else:
            yield Finding('models', NOTE, 'no yunet: Haar cascades find the faces, slower and worse', mend)


CHECKS = (
    check_python,
    check_build_tools,
    check_ros,
    check_libraries,
    check_workspace,
    check_transport,
    check_cameras,
    check_microphones,
    check_models,
)


def doctor() -> int:
    """Run all checks; gives 1 when something that is needed fails."""
    console, code = Console(highlight=False), 0
    for check in CHECKS:
        try:
            for finding in check():
                code |= finding.state == BAD
                _print(console, finding)
        except Exception as error:  # one broken check must not hide the others
            code = 1
            name = check.__name__.removeprefix('check_')
            _print(console, Finding(name, BAD, f'{type(error).__name__}: {error}', './emotion test --fast'))
    console.print(
        '\n[red]Something that is needed is missing.[/]' if code else '\n[green]Everything that is needed is there.[/]'
    )
    return int(code)


def _print(console: Console, finding: Finding) -> None:
    console.print(f'{MARKS[finding.state]}  {finding.name:12} ', end='')
    console.print(finding.text, markup=False, soft_wrap=True)
    if finding.mend:
        console.print(f'{"":20}mend: {finding.mend}', markup=False, soft_wrap=True)


def _shared_memory_mb() -> int:
    try:
        status = os.statvfs('/dev/shm')
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize // 1_000_000

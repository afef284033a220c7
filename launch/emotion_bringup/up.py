"""``emotion up``: starts a graph without ros2 launch."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from emotion_bringup.graph import GRAPHS, LaunchError, Process, parse_values, plan, show_arguments
from emotion_bringup.supervisor import Child, Supervisor
from emotion_bringup.transport import transport_variables


def find_executable(package: str, executable: str, environ: Mapping[str, str]) -> Path:
    """
    Find the executable of an installed package.

    :raises LaunchError: when the package is not there.
    """
    for prefix in environ.get('AMENT_PREFIX_PATH', '').split(':'):
        path = Path(prefix, 'lib', package, executable)
        if prefix and os.access(path, os.X_OK):
            return path
    apt_name = f'ros-{environ.get("ROS_DISTRO", "<distro>")}-{package.replace("_", "-")}'
    raise LaunchError(
        f"'{executable}' of package '{package}' is not installed: `sudo apt install {apt_name}`, "
        'or build the workspace if it is one of its own'
    )


def to_child(process: Process, environ: Mapping[str, str]) -> Child:
    """
    Give the command that runs a process.

    :raises LaunchError: when its package is not there.
    """
    path = find_executable(process.package, process.executable, environ)
    return Child(process.name, [str(path), *process.ros_arguments()], process.respawn)


def up(words: Sequence[str], show_args: bool = False, print_speech: bool = False) -> int:
    """
    Run a graph until Ctrl-C.

    :param words: Optionally the name of a graph first, then ``name:=value``.
    :param print_speech: Print what each utterance expresses, and what the nodes say on standard error.
    :return: The exit code.
    :raises LaunchError: for a graph, argument or package that is not there.
    """
    named = [words[0]] if words and '=' not in words[0] else []
    name = named[0] if named else 'multimodal'
    if name not in GRAPHS:
        raise LaunchError(f"there is no graph '{name}'; there are {', '.join(GRAPHS)}")
    graph = GRAPHS[name]
    if show_args:
        print(show_arguments(graph))
        return 0
    environ = {**os.environ, **transport_variables(os.environ)}
    processes = plan(graph, parse_values(words[len(named) :]))
    children = [to_child(process, environ) for process in processes]
    if not print_speech:
        return Supervisor(children, environ).run()
    if 'emotion_speech' not in [process.name for process in processes]:
        raise LaunchError(
            f"--print shows utterances, and graph '{name}' does not listen: try `./emotion up speech --print`"
        )
    os.environ.update(environ)  # for our own node
    from emotion_bringup.utterances import print_utterances

    return print_utterances(Supervisor(children, environ, sys.stderr), processes[0].namespace)

"""
The graphs, described once: their arguments and their nodes.

``launch_file`` renders them for ``ros2 launch``, ``supervisor`` for ``emotion up``; both start what ``plan`` gives.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from emotion_core.errors import EmotionError
from emotion_core.parameters import describe

START_DELAY_S = 4.0  # from launch until files begin to play: the nodes are up by then
NAMESPACE = re.compile(r'(?!.*__)/?([A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*)?')
NOT_A_NAME = "is not a ROS name: letters, digits and '_' but no '__', parts joined by '/'"
TRUTH = {'true': True, 'false': False}


class LaunchError(EmotionError):
    """An argument that cannot be used, or a node that cannot be found."""


@dataclass(frozen=True)
class Argument:
    """One launch argument; all values are strings."""

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()

    def check(self, value: str) -> None:
        """
        Refuse a value that is not among the choices.

        :raises LaunchError: naming the choices.
        """
        allowed = value.lower() in TRUTH if self.default in TRUTH else not self.choices or value in self.choices
        if not allowed:
            named = ', '.join(choice for choice in self.choices or TRUTH if choice)
            raise LaunchError(f"argument '{self.name}' is '{value}': it must be one of {named}")


@dataclass(frozen=True)
class Node:
    """One node: what to start, under which conditions, and where its parameters come from."""

    package: str
    executable: str
    name: str
    given: Mapping[str, str | tuple[str, Callable[[str], Any]]] = field(default_factory=dict)  # parameter -> argument
    fixed: Mapping[str, Any] = field(default_factory=dict)  # parameter -> value
    when: Mapping[str, str] = field(default_factory=dict)  # argument -> value that it must have
    inputs: tuple[str, ...] = ()  # arguments that name a topic it listens to
    is_lifecycle: bool = True  # has an autostart parameter

    @property
    def is_player(self) -> bool:
        """Tell whether this node plays files on a time line."""
        return self.package == 'emotion_drivers'


@dataclass(frozen=True)
class Graph:
    """What belongs together: nodes, and the arguments that matter to them."""

    name: str
    description: str
    nodes: tuple[Node, ...]
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Process:
    """One node to start, everything decided."""

    package: str
    executable: str
    name: str
    namespace: str
    parameters: Mapping[str, Any]  # win over those of the file
    remaps: Mapping[str, str]  # topic in the node -> its name here
    params_file: Path
    log_level: str
    respawn: bool

    def ros_arguments(self) -> list[str]:
        """Give the command line that a ROS executable understands."""
        # JSON quotes, so that '0' stays a string.
        pairs = [f'{name}:={json.dumps(value, ensure_ascii=False)}' for name, value in self.parameters.items()]
        namespace = ['-r', f'__ns:={self.namespace}'] if self.namespace else []
        return [
            '--ros-args',
            '-r',
            f'__node:={self.name}',
            *namespace,
            *(part for name, topic in self.remaps.items() for part in ('-r', f'{name}:={topic}')),
            '--params-file',
            str(self.params_file),
            *(part for pair in pairs for part in ('-p', pair)),
            '--log-level',
            self.log_level,
        ]


def config_file(name: str) -> Path:
    """Give the path of a file that is installed with this package."""
    beside = Path(__file__).resolve().parent.parent / 'config' / name  # in the source tree, and with --symlink-install
    if beside.is_file():
        return beside
    from ament_index_python.packages import get_package_share_directory

    return Path(get_package_share_directory('emotion_bringup')) / 'config' / name


def plan(graph: Graph, values: Mapping[str, str], now: float | None = None) -> list[Process]:
    """
    Decide what to start.

    :param values: Arguments by name; those left out have their default.
    :param now: The time, in seconds since the epoch.
    :raises LaunchError: for an unknown argument, a value that is not allowed, or a missing file.
    """
    known = {argument.name: argument for argument in graph.arguments}
    for name in values:
        if name not in known:
            raise LaunchError(f"graph '{graph.name}' has no argument '{name}'{_hint(graph, name)}")
    chosen = {name: values.get(name, argument.default) for name, argument in known.items()}
    for name, value in chosen.items():
        known[name].check(value)
    if not NAMESPACE.fullmatch(chosen['namespace']):
        raise LaunchError(f"namespace '{chosen['namespace']}' {NOT_A_NAME}")
    _check_inputs(chosen)
    params_file = Path(chosen['params_file']).expanduser()
    if not params_file.is_file():
        raise LaunchError(f"there is no params_file '{params_file}'")
    params = _read_params_file(params_file)

    nodes = [node for node in graph.nodes if all(chosen[name].lower() == value for name, value in node.when.items())]
    truths = {name: TRUTH[value.lower()] for name, value in chosen.items() if known[name].default in TRUTH}
    begin = (time.time() if now is None else now) + START_DELAY_S
    keeps_time = sum(node.is_player for node in nodes) > 1 and not truths['use_sim_time']
    processes = []
    for node in nodes:
        parameters = dict(node.fixed)
        for parameter, source in node.given.items():
            argument, convert = source if isinstance(source, tuple) else (source, str)
            if chosen[argument]:  # empty: as params_file says
                parameters[parameter] = convert(chosen[argument])
        if node.is_player and keeps_time:
            parameters['start_at'] = begin
        if node.is_lifecycle:
            parameters['autostart'] = truths['autostart']
        parameters['use_sim_time'] = truths['use_sim_time']
        processes.append(
            Process(
                node.package,
                node.executable,
                node.name,
                _absolute(chosen['namespace']),
                parameters,
                _remaps(node, chosen),
                params_file.resolve(),
                chosen['log_level'],
                truths['use_respawn'] and not (node.is_player and _ends_with_its_file(params, node.name)),
            )
        )
    return processes


def parameters_of(node: Node) -> type:
    """Give the dataclass with the parameters of a node of ours."""
    return getattr(import_module(f'{node.package}.parameters'), f'{node.executable.capitalize()}Parameters')


def _hint(graph: Graph, name: str) -> str:
    """Say what there is instead of an argument that is not there."""
    owners = {
        node.name: node.given.get(name)
        for node in graph.nodes
        if node.is_lifecycle and name in (item.name for item in describe(parameters_of(node)))
    }
    if not owners:
        return f'; it has {", ".join(argument.name for argument in graph.arguments)}'
    arguments = [source[0] if isinstance(source, tuple) else source for source in owners.values() if source]
    return f': it is a parameter of {" and ".join(owners)}; ' + (
        f'pass {" or ".join(f"{argument}:=…" for argument in arguments)}'
        if arguments
        else f"set it in a copy of '{config_file('emotion.yaml')}', and pass that as params_file:=…"
    )


def _check_inputs(chosen: Mapping[str, str]) -> None:
    """Raise LaunchError for an input that is no topic, or is to come from two places."""
    for name, device in INPUTS.items():
        topic = chosen.get(name, ARGUMENTS[name].default)
        if not topic.strip('/') or not NAMESPACE.fullmatch(topic):
            raise LaunchError(f"argument '{name}' is '{topic}', which {NOT_A_NAME}")
        if topic != ARGUMENTS[name].default and chosen[device]:
            raise LaunchError(f"'{name}:={topic}' is what somebody else publishes: leave out '{device}:='")
    if chosen.get('image', '').endswith('/compressed'):
        raise LaunchError("'image' names the raw topic: leave out '/compressed', and add image_transport:=compressed")


def _remaps(node: Node, chosen: Mapping[str, str]) -> dict[str, str]:
    """Give the topics that a node listens to and that have another name here."""
    remaps = {}
    if 'image' in node.inputs and 'image' in chosen:
        remaps |= {f'image_raw{suffix}': chosen['image'] + suffix for suffix in ('', '/compressed')}
    if 'audio' in node.inputs and 'audio' in chosen:
        folder, slash, _ = chosen['audio'].rpartition('/')
        remaps |= {'audio': chosen['audio']}
        remaps |= {name: folder + slash + name for name in ('audio_info', 'audio_stamped')}
    return {name: topic for name, topic in remaps.items() if name != topic}


def _read_params_file(path: Path) -> dict[str, Any]:
    """Read a file of parameters; raises LaunchError where no node could: each would say so again and again."""
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LaunchError(f"params_file '{path}' cannot be read: {' '.join(str(error).split())}") from error
    if not _has_parameters(content):
        raise LaunchError(
            f"params_file '{path}' has no parameters of a node, as "
            "'emotion_face: {ros__parameters: {max_faces: 2}}' has"
        )
    if place := next(_no_values(content), None):
        raise LaunchError(f"params_file '{path}': {place} has no value, or a list of several types: mend or remove it")
    return content


def _no_values(content: dict, place: str = '', inside: bool = False) -> Iterator[str]:
    """Give the places of parameters that are no value of one: nothing, lists in lists, lists of several types."""
    for key, value in content.items():
        where = f'{place}/{key}' if place else f'{key}'
        if isinstance(value, dict):
            yield from _no_values(value, where, inside or key == 'ros__parameters')
        elif inside and (value is None or isinstance(value, list) and _is_mixed(value)):
            yield where


def _is_mixed(values: list) -> bool:
    return len({type(value) for value in values}) > 1 or any(isinstance(value, list | dict) for value in values)


def _has_parameters(content: Any) -> bool:
    return isinstance(content, dict) and (
        isinstance(content.get('ros__parameters'), dict) or any(_has_parameters(inner) for inner in content.values())
    )


def _ends_with_its_file(content: Any, name: str, key: str = '') -> bool:
    """Tell whether parameters, of which ``key`` says whose they are, let a node end for good with its file."""
    if not isinstance(content, dict):
        return False
    is_of_it = key.rsplit('/')[-1] in (name, '*', '**')
    if is_of_it and isinstance(own := content.get('ros__parameters'), dict) and own.get('exit_at_end') is True:
        return True
    return any(_ends_with_its_file(inner, name, str(key)) for key, inner in content.items())


def start_of(processes: Sequence[Process]) -> float:
    """Give when the files of a plan with camera and microphone begin to play [s since the epoch]."""
    return next(process.parameters['start_at'] for process in processes if 'start_at' in process.parameters)


def parse_values(words: Sequence[str]) -> dict[str, str]:
    """
    Split ``name:=value`` words.

    :raises LaunchError: for a word of another form.
    """
    values = {}
    for word in words:
        name, separator, value = word.partition(':=')
        if not separator or not name:
            raise LaunchError(f"'{word}' is not an argument: write name:=value")
        values[name] = value
    return values


def show_arguments(graph: Graph) -> str:
    """Give the arguments as ``ros2 launch --show-args`` prints them."""
    blocks = ["Arguments (pass arguments as '<name>:=<value>'):"]
    for argument in graph.arguments:
        choices = f' Valid choices are: {argument.choices}' if argument.choices else ''
        blocks.append(
            f"    '{argument.name}':\n        {argument.description}{choices}\n        (default: {argument.default!r})"
        )
    return '\n\n'.join(blocks)


def _absolute(namespace: str) -> str:
    return '/' + namespace.strip('/') if namespace.strip('/') else ''


def _truth(value: str) -> bool:
    return TRUTH[value.lower()]


def _video_device(camera: str) -> str:
    return f'/dev/video{camera}' if camera.isdigit() else camera


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise LaunchError(f"argument 'web_port' is '{text}': it must be a number from 0 to 65535")
    return int(text)


ARGUMENTS = {
    argument.name: argument
    for argument in (
        Argument(
            'camera',
            '',
            "Camera index, device, video file, folder of images or stream URL; empty: as params_file says, else '0'.",
        ),
        Argument(
            'microphone',
            '',
            "Microphone index or name, sound or video file, or 'null'; empty: as params_file says, else 'default'.",
        ),
        Argument(
            'image',
            'image_raw',
            'Topic of the images; any other than image_raw is published by somebody else, and no camera is started.',
        ),
        Argument(
            'audio',
            'audio',
            'Topic of the sound, with audio_info and audio_stamped beside it; any other than audio is published by '
            'somebody else, and no microphone is started.',
        ),
        Argument('params_file', str(config_file('emotion.yaml')), 'YAML file with parameters of the nodes.'),
        Argument('namespace', '', 'Namespace of all nodes and topics.'),
        Argument('use_sim_time', 'false', 'Take the time from /clock: true or false.'),
        Argument('autostart', 'true', 'Configure and activate the nodes; false leaves that to a lifecycle manager.'),
        Argument(
            'use_respawn', 'true', 'Start a node again when it ends, except a driver with exit_at_end: true or false.'
        ),
        Argument('log_level', 'info', 'Least severe message to log.', ('debug', 'info', 'warn', 'error', 'fatal')),
        Argument(
            'drivers',
            'builtin',
            'Where images and sound come from; none: somebody else publishes them.',
            ('builtin', 'usb_cam', 'none'),
        ),
        Argument('face_model', '', 'Name or folder of the face model; empty: as params_file says, else bundled.'),
        Argument('speech_model', '', 'Name or folder of the voice model; empty: as params_file says, else bundled.'),
        Argument(
            'fusion_method',
            '',
            "How to fuse; empty: as params_file says, else 'log_linear'.",
            ('', 'fixed', 'dynamic', 'log_linear'),
        ),
        Argument('overlay', 'true', 'Start the node that draws emotion/overlay: true or false.'),
        Argument('web', 'false', 'Start the node that serves the web page: true or false.'),
        Argument('web_port', '', "Port of the web page; empty: as params_file says, else '8088'; 0: any free one."),
        Argument(
            'web_address',
            '',
            "Address to serve the web page on, such as '0.0.0.0'; empty: as params_file says, else this machine only.",
        ),
        Argument(
            'image_transport',
            '',
            "Read the images as they are, or their topic's /compressed; empty: as params_file says, else 'raw'.",
            ('', 'raw', 'compressed'),
        ),
    )
}

INPUTS = {'image': 'camera', 'audio': 'microphone'}  # argument that names a topic -> that of the driver behind it

CAMERA = Node(
    'emotion_drivers',
    'camera',
    'camera',
    given={'source': 'camera'},
    when={'drivers': 'builtin', 'image': 'image_raw'},
)
MICROPHONE = Node(
    'emotion_drivers',
    'microphone',
    'microphone',
    given={'source': 'microphone'},
    when={'drivers': 'builtin', 'audio': 'audio'},
)
USB_CAMERA = Node(
    'usb_cam',
    'usb_cam_node_exe',
    'camera',
    given={'video_device': ('camera', _video_device)},
    when={'drivers': 'usb_cam', 'image': 'image_raw'},
    is_lifecycle=False,
)
AUDIO_CAPTURE = Node(
    'audio_capture',
    'audio_capture_node',
    'microphone',
    given={'device': 'microphone'},
    fixed={'format': 'wave'},
    when={'drivers': 'usb_cam', 'audio': 'audio'},
    is_lifecycle=False,
)
FACE = Node(
    'emotion_face',
    'face',
    'emotion_face',
    given={'model': 'face_model', 'image_transport': 'image_transport'},
    inputs=('image',),
)
SPEECH = Node('emotion_speech', 'speech', 'emotion_speech', given={'model': 'speech_model'}, inputs=('audio',))
FUSION = Node('emotion_fusion', 'fusion', 'emotion_fusion', given={'method': 'fusion_method'})
OVERLAY = Node(
    'emotion_view',
    'overlay',
    'emotion_overlay',
    given={'image_transport': 'image_transport'},
    when={'overlay': 'true'},
    inputs=('image',),
)
WEB_OF_SOUND = Node(
    'emotion_view',
    'web',
    'emotion_web',
    given={'port': ('web_port', _port), 'address': 'web_address'},
    when={'web': 'true'},
    inputs=tuple(INPUTS),
)
WEB = replace(WEB_OF_SOUND, given={**WEB_OF_SOUND.given, 'image_transport': 'image_transport'})


def _arguments(*left_out: str) -> tuple[Argument, ...]:
    return tuple(argument for name, argument in ARGUMENTS.items() if name not in left_out)


GRAPHS = {
    graph.name: graph
    for graph in (
        Graph(
            'multimodal',
            'Camera and microphone to fused emotion.',
            (CAMERA, MICROPHONE, USB_CAMERA, AUDIO_CAPTURE, FACE, SPEECH, FUSION, OVERLAY, WEB),
            _arguments(),
        ),
        Graph(
            'face',
            'Camera to emotion per face.',
            (CAMERA, USB_CAMERA, FACE, OVERLAY, WEB),
            _arguments('microphone', 'audio', 'speech_model', 'fusion_method'),
        ),
        Graph(
            'speech',
            'Microphone to emotion of the voice.',
            (MICROPHONE, AUDIO_CAPTURE, SPEECH, WEB_OF_SOUND),
            _arguments('camera', 'image', 'face_model', 'fusion_method', 'overlay', 'image_transport'),
        ),
    )
}

CONTINUOUS = Argument(
    'continuous', 'false', 'Begin the next one by itself when one is over; false: begin when a client asks for it.'
)
GRAPHS |= {
    name: Graph(
        name,
        description,
        (
            *GRAPHS['multimodal'].nodes,
            Node(f'emotion_{name}', name, f'emotion_{name}', {**given, 'continuous': ('continuous', _truth)}),
        ),
        (*GRAPHS['multimodal'].arguments, CONTINUOUS),
    )
    for name, description, given in (
        ('session', 'Hold an expression, speak, and see face and voice side by side.', {'method': 'fusion_method'}),
        ('game', 'Two players show the emotion that is asked for.', {}),
    )
}

import sys

import pytest
import yaml

from emotion_bringup.graph import (
    GRAPHS,
    START_DELAY_S,
    Argument,
    LaunchError,
    config_file,
    parameters_of,
    parse_values,
    plan,
    show_arguments,
)
from emotion_bringup.transport import PROFILE_VARIABLES, transport_variables

EXPECTED = [
    'camera',
    'microphone',
    'image',
    'audio',
    'params_file',
    'namespace',
    'use_sim_time',
    'autostart',
    'use_respawn',
    'log_level',
    'drivers',
    'face_model',
    'speech_model',
    'fusion_method',
    'overlay',
    'web',
    'web_port',
    'web_address',
    'image_transport',
]
# Arguments that each node of a graph is given, with another value than the default; of params_file a test makes one.
OF_ALL = {
    'params_file': None,
    'namespace': 'robot1',
    'use_sim_time': 'true',
    'autostart': 'false',
    'use_respawn': 'false',
    'log_level': 'debug',
}
NOW = 1000.0


def planned(graph='multimodal', **values):
    return {process.name: process for process in plan(GRAPHS[graph], values, now=NOW)}


def test_multimodal_has_every_argument_and_the_others_those_that_matter_to_them():
    names = {name: [argument.name for argument in graph.arguments] for name, graph in GRAPHS.items()}
    assert names['multimodal'] == EXPECTED
    assert [name for name in EXPECTED if name not in names['face']] == [
        'microphone',
        'audio',
        'speech_model',
        'fusion_method',
    ]
    assert [name for name in EXPECTED if name not in names['speech']] == [
        'camera',
        'image',
        'face_model',
        'fusion_method',
        'overlay',
        'image_transport',
    ]


def test_each_argument_is_used_by_a_node_of_its_graph():
    for graph in GRAPHS.values():
        used = {
            source[0] if isinstance(source, tuple) else source for node in graph.nodes for source in node.given.values()
        }
        used |= {name for node in graph.nodes for name in node.when}
        assert used | set(OF_ALL) == {argument.name for argument in graph.arguments}


@pytest.mark.parametrize('name, value', OF_ALL.items())
def test_argument_of_all_nodes_reaches_each_process(name, value, tmp_path):
    if name == 'params_file':
        value = tmp_path / 'mine.yaml'
        value.write_text('emotion_face: {ros__parameters: {max_faces: 2}}')
    before, after = (plan(GRAPHS['multimodal'], values, 0.0) for values in ({}, {name: str(value)}))
    assert len(before) == len(after) and not any(a == b for a, b in zip(before, after))


def test_multimodal_starts_six_nodes_and_the_others_their_part():
    assert list(planned()) == [
        'camera',
        'microphone',
        'emotion_face',
        'emotion_speech',
        'emotion_fusion',
        'emotion_overlay',
    ]
    for name in ('session', 'game'):
        assert list(planned(name)) == [*planned(), f'emotion_{name}']
        assert planned(name)[f'emotion_{name}'].parameters['continuous'] is False
        assert planned(name, continuous='True')[f'emotion_{name}'].parameters['continuous'] is True
    assert list(planned('face')) == ['camera', 'emotion_face', 'emotion_overlay']
    assert list(planned('speech')) == ['microphone', 'emotion_speech']


def test_arguments_become_parameters_and_empty_ones_leave_them_to_the_file():
    processes = planned(camera='0', microphone='clip.wav', face_model='mine', fusion_method='fixed')
    assert processes['camera'].parameters['source'] == '0'
    assert processes['microphone'].parameters['source'] == 'clip.wav'
    assert processes['emotion_face'].parameters == {'model': 'mine', 'autostart': True, 'use_sim_time': False}
    assert processes['emotion_fusion'].parameters['method'] == 'fixed'
    assert 'model' not in processes['emotion_speech'].parameters


def test_camera_and_microphone_begin_at_the_same_time():
    starts = {name: planned()[name].parameters['start_at'] for name in ('camera', 'microphone')}
    assert starts == {'camera': NOW + START_DELAY_S, 'microphone': NOW + START_DELAY_S}
    assert 'start_at' not in planned('face')['camera'].parameters
    assert 'start_at' not in planned(use_sim_time='true')['camera'].parameters


def test_driver_packages_of_a_distribution_take_the_place_of_the_own_drivers():
    processes = planned(drivers='usb_cam', camera='2', microphone='hw:1,0')
    camera, microphone = processes['camera'], processes['microphone']
    assert (camera.package, camera.executable) == ('usb_cam', 'usb_cam_node_exe')
    assert camera.parameters == {'video_device': '/dev/video2', 'use_sim_time': False}
    assert (microphone.package, microphone.executable) == ('audio_capture', 'audio_capture_node')
    assert microphone.parameters == {'format': 'wave', 'device': 'hw:1,0', 'use_sim_time': False}
    assert not {'camera', 'microphone'} & planned(drivers='none').keys()


IMAGE = {'image_raw': '/cam/color/image', 'image_raw/compressed': '/cam/color/image/compressed'}
AUDIO = {'audio': 'mic/sound', 'audio_info': 'mic/audio_info', 'audio_stamped': 'mic/audio_stamped'}


def test_topics_of_other_names_reach_all_who_listen_and_need_no_driver():
    assert not any(process.remaps for process in planned('game', web='true').values())
    processes = planned('session', web='true', image='/cam/color/image', audio='mic/sound')
    assert {name: process.remaps for name, process in processes.items() if process.remaps} == {
        'emotion_face': IMAGE,
        'emotion_overlay': IMAGE,
        'emotion_speech': AUDIO,
        'emotion_web': {**IMAGE, **AUDIO},
    }
    assert not {'camera', 'microphone'} & processes.keys()
    words = processes['emotion_face'].ros_arguments()
    assert words[words.index('image_raw:=/cam/color/image') - 1] == '-r'
    assert planned('face', web='true', image='/cam/color/image')['emotion_web'].remaps == IMAGE
    assert planned('speech', web='true', audio='mic/sound')['emotion_web'].remaps == AUDIO


def test_topic_of_one_input_leaves_the_other_to_its_driver():
    processes = planned(drivers='usb_cam', image='/image')
    assert 'camera' not in processes and processes['microphone'].package == 'audio_capture'
    assert planned(audio='/audio')['emotion_speech'].remaps == {
        'audio': '/audio',
        'audio_info': '/audio_info',
        'audio_stamped': '/audio_stamped',
    }
    assert planned(audio='sound')['emotion_speech'].remaps == {'audio': 'sound'}


def test_overlay_can_be_left_out():
    assert 'emotion_overlay' not in planned(overlay='False')


def test_web_page_is_started_when_it_is_asked_for():
    for graph in GRAPHS:
        assert 'emotion_web' not in planned(graph)
        web = planned(graph, web='true', web_port='0', web_address='0.0.0.0')['emotion_web']
        assert web.parameters == {'port': 0, 'address': '0.0.0.0', 'autostart': True, 'use_sim_time': False}
        assert 'port:=0' in web.ros_arguments()
    with pytest.raises(LaunchError, match="argument 'web_port' is 'http': it must be a number from 0 to 65535"):
        planned(web='true', web_port='http')


def test_ros_arguments_keep_strings_strings():
    words = planned(camera='0', namespace='robot1')['camera'].ros_arguments()
    assert words[:5] == ['--ros-args', '-r', '__node:=camera', '-r', '__ns:=/robot1']
    assert 'source:="0"' in words and 'autostart:=true' in words
    assert words[words.index('--params-file') + 1] == str(config_file('emotion.yaml'))
    assert '__ns' not in ' '.join(planned()['camera'].ros_arguments())


@pytest.mark.parametrize(
    'values, sentence',
    [
        ({'camra': '0'}, "graph 'multimodal' has no argument 'camra'; it has camera, microphone"),
        ({'drivers': 'mine'}, "argument 'drivers' is 'mine': it must be one of builtin, usb_cam, none"),
        ({'overlay': 'yes'}, "argument 'overlay' is 'yes': it must be one of true, false"),
        ({'namespace': 'my robot'}, "namespace 'my robot' is not a ROS name"),
        ({'namespace': 'my__robot'}, "namespace 'my__robot' is not a ROS name"),
        ({'image': 'a__b'}, "argument 'image' is 'a__b', which is not a ROS name"),
        ({'web': 'true', 'web_port': '²'}, "argument 'web_port' is '²'"),
        ({'params_file': '/nowhere.yaml'}, "there is no params_file '/nowhere.yaml'"),
        ({'image': ''}, "argument 'image' is '', which is not a ROS name"),
        ({'audio': 'my mic'}, "argument 'audio' is 'my mic', which is not a ROS name"),
        ({'image': '/cam/compressed'}, "leave out '/compressed', and add image_transport:=compressed"),
        ({'image': '/cam', 'camera': '0'}, "'image:=/cam' is what somebody else publishes: leave out 'camera:='"),
        ({'adapt': 'false'}, "has no argument 'adapt': it is a parameter of emotion_speech; set it in a copy of"),
        ({'model': 'x'}, 'of emotion_face and emotion_speech; pass face_model:=… or speech_model:=…'),
        ({'port': '80'}, "has no argument 'port': it is a parameter of emotion_web; pass web_port:=…"),
    ],
)
def test_wrong_arguments_are_refused_with_a_sentence(values, sentence):
    with pytest.raises(LaunchError) as error:
        plan(GRAPHS['multimodal'], values)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    'text, sentence',
    [
        ('camera: [', 'cannot be read: while parsing'),
        ('camera: {loop: true}', 'has no parameters of a node'),
        ('hello world', 'has no parameters of a node'),
        ('/**/camera: {ros__parameters: {loop: }}', 'camera/ros__parameters/loop has no value'),
        ('/**/camera: {ros__parameters: {a: {b: [1, x]}}}', 'ros__parameters/a/b has no value, or a list of several'),
    ],
)
def test_file_of_parameters_that_no_node_could_read_is_refused_before_any_starts(tmp_path, text, sentence):
    path = tmp_path / 'params.yaml'
    path.write_text(text)
    with pytest.raises(LaunchError, match=sentence):
        plan(GRAPHS['multimodal'], {'params_file': str(path)})
    path.write_text('/robot: {camera: {ros__parameters: {loop: true}}}')
    plan(GRAPHS['multimodal'], {'params_file': str(path)})


@pytest.mark.parametrize('key', ['camera', '/**/camera', '/robot/camera'])
def test_driver_that_shall_end_with_its_file_is_not_started_again(tmp_path, key):
    path = tmp_path / 'params.yaml'
    path.write_text(f'{key}: {{ros__parameters: {{exit_at_end: true}}}}')
    processes = planned(params_file=str(path), use_respawn='true')
    assert [name for name, process in processes.items() if not process.respawn] == ['camera']
    path.write_text(f'{key}: {{ros__parameters: {{exit_at_end: false}}}}')
    assert all(process.respawn for process in planned(params_file=str(path), use_respawn='true').values())


def test_words_are_split_at_the_first_sign():
    values = parse_values(['camera:=rtsp://host:8554/a:=b', 'overlay:='])
    assert values == {'camera': 'rtsp://host:8554/a:=b', 'overlay': ''}
    with pytest.raises(LaunchError, match="'camera=0' is not an argument"):
        parse_values(['camera=0'])


def test_arguments_are_shown_as_ros2_launch_shows_them():
    lines = show_arguments(GRAPHS['speech']).splitlines()
    assert lines[0] == "Arguments (pass arguments as '<name>:=<value>'):"
    assert "    'drivers':" in lines
    at = lines.index("    'drivers':")
    assert lines[at + 1].endswith("Valid choices are: ('builtin', 'usb_cam', 'none')")
    assert lines[at + 2] == "        (default: 'builtin')"


def test_truth_is_read_in_any_case():
    Argument('x', 'true', '').check('False')
    with pytest.raises(LaunchError):
        Argument('x', 'true', '').check('1')


def test_keys_of_the_configuration_are_parameters_of_the_nodes():
    from emotion_core.parameters import check

    nodes = {node.name: node for graph in GRAPHS.values() for node in graph.nodes if node.is_lifecycle}
    classes = {name: parameters_of(node) for name, node in nodes.items()}
    assert len(set(classes.values())) == len(nodes) == 9
    for key, value in yaml.safe_load(config_file('emotion.yaml').read_text()).items():
        assert key.startswith('/**/'), 'so that any namespace works'
        for name, item in value['ros__parameters'].items():
            check(classes[key.removeprefix('/**/')], name, item)
    for node in nodes.values():
        for name in node.given:
            assert name in classes[node.name].__dataclass_fields__, f'{node.name} has no parameter {name}'


def test_profile_is_set_unless_the_user_has_one():
    assert set(transport_variables({})) == set(PROFILE_VARIABLES)
    assert '<segment_size>67108864</segment_size>' in config_file('fastdds.xml').read_text()
    assert transport_variables({'FASTRTPS_DEFAULT_PROFILES_FILE': 'mine.xml'}) == {}


def test_ros2_launch_gets_the_same_arguments_and_processes():
    pytest.importorskip('launch_ros', reason='launch_ros is not on PyPI; a ROS distribution has it')
    from launch.actions import DeclareLaunchArgument, OpaqueFunction
    from launch_ros.actions import Node

    from emotion_bringup.launch_file import render_launch
    from launch import LaunchContext

    for graph in GRAPHS.values():
        entities = render_launch(graph).entities
        declared = [entity for entity in entities if isinstance(entity, DeclareLaunchArgument)]
        assert [(item.name, item.description.split(' Valid choices')[0], item.choices or ()) for item in declared] == [
            (argument.name, argument.description, argument.choices) for argument in graph.arguments
        ]
        context = LaunchContext()
        for action in declared:
            action.execute(context)
        nodes = next(entity for entity in entities if isinstance(entity, OpaqueFunction)).execute(context)
        assert all(isinstance(node, Node) for node in nodes)
        assert [(node.node_package, node.node_executable) for node in nodes] == [
            (process.package, process.executable) for process in plan(graph, {})
        ]
    assert 'launch_ros' in sys.modules

"""Renders a graph for ros2 launch."""

import os

from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from emotion_bringup.graph import Graph, Process, plan
from emotion_bringup.supervisor import RESPAWN_DELAY_S
from emotion_bringup.transport import transport_variables
from launch import LaunchDescription


def render_launch(graph: Graph) -> LaunchDescription:
    """Give the launch description of a graph: its arguments, the transport profile, and what ``plan`` decides."""

    def start(context):
        values = {argument.name: context.launch_configurations[argument.name] for argument in graph.arguments}
        return [_node(process) for process in plan(graph, values)]

    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(
                    argument.name,
                    default_value=argument.default,
                    description=argument.description,
                    choices=argument.choices or None,
                )
                for argument in graph.arguments
            ),
            *(SetEnvironmentVariable(name, value) for name, value in transport_variables(os.environ).items()),
            OpaqueFunction(function=start),
        ]
    )


def _node(process: Process) -> Node:
    parameters = {
        name: ParameterValue(value, value_type=str) if isinstance(value, str) else value  # or '0' becomes 0
        for name, value in process.parameters.items()
    }
    return Node(
        package=process.package,
        executable=process.executable,
        name=process.name,
        namespace=process.namespace,
        parameters=[str(process.params_file), parameters],
        remappings=list(process.remaps.items()),
        arguments=['--ros-args', '--log-level', process.log_level],
        respawn=process.respawn,
        respawn_delay=RESPAWN_DELAY_S,
        output='screen',
        emulate_tty=True,
    )

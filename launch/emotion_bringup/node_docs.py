"""Writes docs/nodes.md from the code: every node's topics, quality of service and parameters."""

import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import distribution
from typing import Any

import rclpy
import yaml
from rclpy.action import get_action_server_names_and_types_by_node
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from emotion_bringup.graph import GRAPHS, config_file
from emotion_core.node import EmotionNode
from emotion_core.parameters import describe

HEADER = """# Nodes

Generated from the code: `python -m emotion_bringup.node_docs > docs/nodes.md`.

Every node is a lifecycle node with the parameter `autostart` (default true: configure and activate at start), reports
on `/diagnostics` once a second, and takes `qos_overrides` for the topics below. Names are relative: a namespace moves
them all. An action or a service in a table is one that the node offers. The commands are for a distribution, which has
the ros2 tool; `./emotion up` and the launch files start what belongs together, with the parameters of
[launch/config/emotion.yaml](../launch/config/emotion.yaml): where one is not the default it stands beside it.
"""
DRIVERS = 'ros2 run emotion_drivers'
OWN_SERVICES = ('rcl_interfaces/', 'lifecycle_msgs/', 'type_description_interfaces/')
OWN_TOPICS = ('/diagnostics', '/parameter_events', '/rosout', '/clock')


def node_classes() -> dict[str, tuple[str, type[EmotionNode]]]:
    """Give the class of each of our nodes with the command that runs it, by node name, in the order of the graphs."""
    classes = {}
    for graph in GRAPHS.values():
        for node in graph.nodes:
            if node.is_lifecycle and node.name not in classes:
                entry = next(
                    e for e in distribution(node.package.replace('_', '-')).entry_points if e.name == node.executable
                )
                module = import_module(entry.module)
                found = [
                    item
                    for _, item in inspect.getmembers(module, inspect.isclass)
                    if issubclass(item, EmotionNode) and item.__module__ == module.__name__
                ]
                classes[node.name] = (f'ros2 run {node.package} {node.executable}', found[0])
    return classes


def _topics(node: EmotionNode) -> Iterator[str]:
    yield '| topic | type | direction | quality of service |\n|---|---|---|---|'
    for direction, entities in (('in', node.subscriptions), ('out', node.publishers)):
        for entity in sorted(entities, key=lambda item: item.topic_name):
            kind = entity.msg_type
            name = f'{kind.__module__.split(".")[0]}/{kind.__name__}'
            topic, profile = entity.topic_name, entity.qos_profile
            if topic in OWN_TOPICS or '/_' in topic or topic.endswith('/transition_event'):
                continue
            reliable = 'reliable' if profile.reliability == ReliabilityPolicy.RELIABLE else 'best effort'
            latched = ', latched' if profile.durability == DurabilityPolicy.TRANSIENT_LOCAL else ''
            quality = f'{reliable}, depth {profile.depth}{latched}'
            yield f'| `{topic.lstrip("/")}` | {name} | {direction} | {quality} |'


def _offers(node: EmotionNode) -> Iterator[str]:
    """Give the rows of actions and services, beside those that every node has."""
    me = node.get_name(), node.get_namespace()
    actions = get_action_server_names_and_types_by_node(node, *me)
    services = [
        (name, kinds)
        for name, kinds in node.get_service_names_and_types_by_node(*me)
        if not kinds[0].startswith(OWN_SERVICES) and '/_action/' not in name
    ]
    for what, offered in (('action', actions), ('service', services)):
        for name, kinds in sorted(offered):
            package, _, kind = kinds[0].split('/')
            yield f'| `{name.lstrip("/")}` | {package}/{kind} | {what} | |'


def _configured(name: str) -> dict[str, Any]:
    """Give the parameters that a node has by the file of ``up``."""
    content = yaml.safe_load(config_file('emotion.yaml').read_text(encoding='utf-8'))
    return content.get(f'/**/{name}', {}).get('ros__parameters', {})


def _parameters(parameters: type, configured: Mapping[str, Any]) -> Iterator[str]:
    yield '| parameter | default | range | meaning |\n|---|---|---|---|'
    for item in describe(parameters):
        allowed = ', '.join(item.choices)
        if item.low is not None or item.high is not None:
            low, high = ('' if bound is None else f'{bound:g}' for bound in (item.low, item.high))
            allowed = f'{low} … {high}'.strip()
        default = f'`{item.default}`' if item.default != '' else "`''`"
        value = configured.get(item.name, item.default)
        default += f'; with `up` `{value}`' if value != item.default else ''
        yield f'| `{item.name}` | {default} | {allowed} | {item.doc}{" Set at start only." if item.read_only else ""} |'


def render() -> str:
    """Give the whole page; needs an initialised rclpy."""
    lines = [HEADER]
    for name, (command, node_class) in node_classes().items():
        node = node_class()
        try:
            node.trigger_configure()
            if not command.startswith(DRIVERS):  # what needs no device shows the topics of its work too
                node.trigger_activate()
            lines += [
                f'## {name}\n',
                inspect.getdoc(inspect.getmodule(node_class)),
                '',
                f'`{command}`',
                '',
                *_topics(node),
                *_offers(node),
                '',
                *_parameters(type(node.parameters), _configured(name)),
                '',
            ]
        finally:
            node.trigger_shutdown()
            node.destroy_node()
    return '\n'.join(lines).rstrip() + '\n'


def main() -> None:
    """Print the page."""
    rclpy.init(args=['--ros-args', '--log-level', 'fatal'])
    print(render(), end='')
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()

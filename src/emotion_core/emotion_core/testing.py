"""Help for tests over real DDS: ``from emotion_core.testing import ros  # noqa: F401`` gives the fixture."""

import gc
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import product
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from rosidl_parser.definition import (
    FLOATING_POINT_TYPES,
    AbstractGenericString,
    AbstractNestedType,
    AbstractType,
    Array,
    NamespacedType,
)

from emotion_core import qos
from emotion_core.actions import Goal, GoalOutcome
from emotion_core.messages import to_stamp
from emotion_core.stamps import NS_PER_S
from emotion_msgs.msg import EmotionProbs, FaceEmotions, SpeechActivity

TIMEOUT_S = 60.0  # for anything that should happen soon; generous, since it is only waited for when it does not
EVERY_STATE = QoSProfile(depth=1000, reliability=qos.LATCHED.reliability, durability=qos.LATCHED.durability)
HOSTILE_TEXT = 'ł%' * 20
FIRST_DOMAIN, DOMAINS = 10, 90  # of the domain ids whose ports are free on every Linux


class RosTest:
    """A node of the test's own, and an executor that spins it together with the nodes under test."""

    def __init__(self, *arguments: str):
        """
        Join a domain of this process's own, unless the environment names one.

        :param arguments: What stands behind ``--ros-args`` for every node, such as parameters that are read at start.
        """
        gc.collect()  # rclpy leaves the test before in the graph until then, and the middleware may miss parts of it
        os.environ.setdefault('ROS_DOMAIN_ID', str(FIRST_DOMAIN + os.getpid() % DOMAINS))
        rclpy.init(args=['--ros-args', *arguments], domain_id=int(os.environ['ROS_DOMAIN_ID']))
        self._executor = SingleThreadedExecutor()
        self._nodes: list[Node] = []
        self.node = self.add(Node('test'))

    def add(self, node: Node) -> Any:
        """Spin this node too; gives it back."""
        self._nodes.append(node)
        self._executor.add_node(node)
        return node

    def publisher(self, kind: type, topic: str, profile: QoSProfile) -> Any:
        """Make a publisher, and wait until somebody listens."""
        publisher = self.node.create_publisher(kind, topic, profile)
        self.spin_until(lambda: publisher.get_subscription_count() > 0, f'somebody subscribes to {topic}')
        return publisher

    def collect(self, kind: type, topic: str, profile: QoSProfile) -> list:
        """Give a list that fills with the messages of a topic."""
        messages: list = []
        self.node.create_subscription(kind, topic, messages.append, profile)
        self.spin_until(lambda: self.node.count_publishers(topic) > 0, f'somebody publishes {topic}')
        return messages

    def feed(self, node: Any, publisher: Any, messages: Iterable[Any]) -> None:
        """Publish messages, each when a node under test has taken the one before."""
        topic = f'received {publisher.topic_name.lstrip("/")}'
        for count, message in enumerate(messages, node.health.counts[topic] + 1):
            publisher.publish(message)
            self.spin_until(lambda count=count: node.health.counts[topic] >= count, f'{topic}: {count}')

    def spin_until(self, condition: Callable[[], Any], what: str = '', timeout: float = TIMEOUT_S) -> Any:
        """Spin until the condition is true and give its value; fail the test when that takes too long."""
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f'waited {timeout:.0f} s in vain until {what or "a condition was true"}')
            self._executor.spin_once(timeout_sec=0.02)
        return value

    def spin_for(self, seconds: float) -> None:
        """Spin for a while, to see that something does not happen."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.02)

    def close(self) -> None:
        """Let go of everything."""
        for node in self._nodes:
            node.destroy_node()
        self._executor.shutdown()
        rclpy.try_shutdown()


@pytest.fixture
def ros(request: pytest.FixtureRequest) -> Iterator[RosTest]:
    """Give a RosTest for one test, with the arguments that it is parametrised with."""
    test = RosTest(*getattr(request, 'param', ()))
    yield test
    test.close()


def hostile(kind: type, stamp_ns: int | None = None) -> Iterator[Any]:
    """
    Give messages that no node of this project sends: an empty one, and such full of NaN, infinity and large numbers.

    :param stamp_ns: Of their headers; None: as absurd as the rest.
    """
    numbers = product((0.0, math.inf, math.nan, -math.inf), (False, True))  # the last stamps are those of long ago
    for message in (kind(), *(_hostile_message(kind, *chosen) for chosen in numbers)):
        if stamp_ns is not None:
            message.header.stamp = to_stamp(stamp_ns)
        yield message


def _hostile_message(kind: type, number: float, is_usable: bool) -> Any:
    """Fill a message with a number, and with whole ones as large or small; its probabilities only if not usable."""
    names = kind.get_fields_and_field_types()
    values = {name: _hostile_value(slot, number, is_usable) for name, slot in zip(names, kind.SLOT_TYPES)}
    if kind is EmotionProbs and is_usable:
        values |= {'probabilities': [1 / 6] * 6, 'quality': 1.0, 'mouth_motion': 0.0}
    return kind(**values)


def _hostile_value(slot: AbstractType, number: float, is_usable: bool) -> Any:
    if isinstance(slot, NamespacedType):
        return _hostile_message(getattr(import_module('.'.join(slot.namespaces)), slot.name), number, is_usable)
    if isinstance(slot, AbstractNestedType):
        count = slot.size if isinstance(slot, Array) else 2
        return [_hostile_value(slot.value_type, number, is_usable)] * count
    if isinstance(slot, AbstractGenericString):
        return HOSTILE_TEXT
    if slot.typename in FLOATING_POINT_TYPES:
        return number
    if slot.typename in ('boolean', 'octet'):
        return True if slot.typename == 'boolean' else b'\xff'
    bits = int(slot.typename.lstrip('uint'))
    if slot.typename.startswith('u'):
        least, largest = 0, 2**bits - 1
    else:
        least, largest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return 0 if math.isnan(number) else largest if number >= 0 else least


class ActionWorld:
    """Recognisers in a time of their own, around a real node with an action: in this process, or in another one."""

    state_type: type  # of the latched state of the node
    state_topic: str
    action_type: type
    action: str  # its name
    step_ns: int  # by which a step moves time
    most_steps: int  # that something may take

    def __init__(self, ros: RosTest, node: Any = None):
        """
        Wait until all is connected, and let time begin.

        :param node: On simulated time, when it is in this process.
        """
        self.ros, self.node = ros, node
        self.now = 1000 * NS_PER_S if node else time.time_ns()  # [ns]
        self.states: list = []
        self.goal: Goal | None = None
        self._clock = ros.node.create_publisher(Clock, '/clock', 10)
        self._faces = ros.node.create_publisher(FaceEmotions, 'emotion/faces', qos.RESULT)
        self._speech = ros.node.create_publisher(EmotionProbs, 'emotion/speech', qos.RESULT)
        self._activity = ros.node.create_publisher(SpeechActivity, 'emotion/speech/activity', qos.RESULT)
        self._diagnostics = ros.node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        ros.node.create_subscription(self.state_type, self.state_topic, self.states.append, EVERY_STATE)
        for publisher in (self._faces, self._speech, self._activity, self._diagnostics):
            ros.spin_until(publisher.get_subscription_count, f'{publisher.topic_name} is heard')
        ros.spin_until(lambda: self.states, 'the state is latched')
        if node:
            ros.spin_until(lambda: self._clock.get_subscription_count() > 0, 'the clock is heard')
            self._clock.publish(Clock(clock=to_stamp(self.now)))
            ros.spin_until(lambda: node.now_ns() == self.now, 'time begins')

    @property
    def state(self) -> Any:
        """The newest state of the node."""
        return self.states[-1]

    def send(self, goal: Any) -> Goal:
        """Send a goal, and wait until it goes on; ``feedback`` of what it gives fills with what comes."""
        feedback: list = []
        self.goal = Goal(self.ros.node, self.action_type, self.action, goal, feedback.append)
        self.goal.feedback = feedback
        self.ros.spin_until(lambda: feedback or self.goal.done, f'{self.action} begins')
        assert feedback, f'{self.action} ended before it began: {self.goal.outcome}'
        return self.goal

    def step(self, **how: Any) -> None:
        """Move time on, and publish what the world is like then."""
        self.now += self.step_ns
        self._clock.publish(Clock(clock=to_stamp(self.now)))
        self.show(**how)
        self.ros.spin_for(0.07)

    def show(self, **how: Any) -> None:
        """Publish what the world is like now; each test says how."""
        raise NotImplementedError

    def attack(self, stamp_ns: int | None = None) -> None:
        """Publish hostile messages of all recognisers, with a stamp [ns] or with absurd ones; the node takes them."""
        kinds = {self._faces: FaceEmotions, self._speech: EmotionProbs, self._activity: SpeechActivity}
        for publisher, kind in kinds.items():
            self.ros.feed(self.node, publisher, hostile(kind, stamp_ns))

    def wait_for_input(self, **nodes: str) -> None:
        """Let these nodes say on /diagnostics what they wait for."""
        status = [DiagnosticStatus(level=DiagnosticStatus.WARN, name=name, message=nodes[name]) for name in nodes]
        self._diagnostics.publish(DiagnosticArray(status=status))

    def until(self, condition: Callable[[], Any], what: str, **how: Any) -> None:
        """Step until the condition is true; fail the test when that takes too long."""
        for _ in range(self.most_steps):
            if condition():
                return
            self.step(**how)
        pytest.fail(f'never: {what}; the last state is {self.states[-1:]}')

    def history(self) -> list:
        """
        Give the states of the topic from the goal to its end; all that the client was told is among them.

        The client may not be told the last one: a result that comes at the same time ends the goal.
        """
        self.ros.spin_until(lambda: self.state.outcome, 'the topic has the end')
        states = [state for state in self.states if state.active]
        told = [feedback.state for feedback in self.goal.feedback]
        assert all(state in states for state in told)
        assert {state.state for state in told} >= {state.state for state in states if not state.outcome}
        return states[: 1 + next(index for index, state in enumerate(states) if state.outcome)]

    def until_done(self, **how: Any) -> GoalOutcome:
        """Step until the goal has an outcome, and give it."""
        self.until(lambda: self.goal.done, 'an outcome', **how)
        return self.goal.outcome


@contextmanager
def node_process(module: str, *arguments: str, **popen: Any) -> Iterator[subprocess.Popen]:
    """Run a node's module in a process of its own, with ``--ros-args`` arguments, until the block ends."""
    process = subprocess.Popen([sys.executable, '-m', module, '--ros-args', *arguments], **popen)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail(f'{module} did not end within {TIMEOUT_S:.0f} s of SIGTERM')

"""Help for tests over real DDS: ``from emotion_core.testing import ros  # noqa: F401`` gives the fixture."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

TIMEOUT_S = 60.0  # for anything that should happen soon; generous, since it is only waited for when it does not
FIRST_DOMAIN, DOMAINS = 10, 90  # of the domain ids whose ports are free on every Linux


class RosTest:
    """A node of the test's own, and an executor that spins it together with the nodes under test."""

    def __init__(self):
        """Join a domain of this process's own, unless the environment names one."""
        os.environ.setdefault('ROS_DOMAIN_ID', str(FIRST_DOMAIN + os.getpid() % DOMAINS))
        rclpy.init(domain_id=int(os.environ['ROS_DOMAIN_ID']))
        self._executor = SingleThreadedExecutor()
        self._nodes: list[Node] = []
        self.node = self.add(Node('test'))

    def add(self, node: Node) -> Any:
        """Spin this node too; gives it back."""
        self._nodes.append(node)
        self._executor.add_node(node)
        return node

    def publisher(self, kind: type, topic: str, qos: QoSProfile) -> Any:
        """Make a publisher, and wait until somebody listens."""
        publisher = self.node.create_publisher(kind, topic, qos)
        self.spin_until(lambda: publisher.get_subscription_count() > 0, f'somebody subscribes to {topic}')
        return publisher

    def collect(self, kind: type, topic: str, qos: QoSProfile) -> list:
        """Give a list that fills with the messages of a topic."""
        messages: list = []
        self.node.create_subscription(kind, topic, messages.append, qos)
        self.spin_until(lambda: self.node.count_publishers(topic) > 0, f'somebody publishes {topic}')
        return messages

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
def ros() -> Iterator[RosTest]:
    """Give a RosTest for one test."""
    test = RosTest()
    yield test
    test.close()


@contextmanager
def node_process(module: str, *arguments: str, **popen: Any) -> Iterator[subprocess.Popen]:
    """Run a node's module in a process of its own, with ``--ros-args`` arguments, until the block ends."""
    process = subprocess.Popen([sys.executable, '-m', module, '--ros-args', *arguments], **popen)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail(f'{module} did not end within 5 s of SIGTERM')

import os
import sys
import time

import rclpy

from emotion_bringup.beside import run_beside
from emotion_bringup.supervisor import Child, Supervisor
from emotion_core.testing import ros  # noqa: F401


def test_node_beside_a_graph_is_called_on_time_without_being_asked_all_the_time(ros, tmp_path):
    node = rclpy.create_node('beside')
    begin, asked, called = time.monotonic(), [], []
    node.create_timer(0.2, lambda: called.append(time.monotonic()))

    def go_on():
        asked.append(time.monotonic())
        return asked[-1] < begin + 2

    with open(tmp_path / 'log', 'w') as out:
        children = [Child('one', [sys.executable, '-c', 'import time; time.sleep(60)'])]
        assert run_beside(Supervisor(children, os.environ, out), node, go_on) == 0
    node.destroy_node()
    assert 5 <= len(called) <= 10 and len(asked) < 100

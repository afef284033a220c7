"""
A leaf for a behaviour tree that captures one person's emotion, and a small tree that ticks it ten times a second.

The leaf has what py_trees and BehaviorTree.CPP ask of one: ``tick`` returns at once with RUNNING, SUCCESS or FAILURE,
``halt`` ends what goes on, and results are on a blackboard. It never hangs: a session node that dies is a FAILURE.
"""

import enum
import sys
import time

import rclpy
from rclpy.node import Node

from emotion_core.actions import Goal
from emotion_core.emotions import top
from emotion_msgs.action import CaptureEmotion

TICK_S = 0.1


class Status(enum.Enum):
    """What a tick returns."""

    RUNNING = enum.auto()
    SUCCESS = enum.auto()
    FAILURE = enum.auto()


class CaptureLeaf:
    """Captures an emotion; writes 'emotion', 'confidence' and 'failure' to the blackboard."""

    def __init__(self, node: Node, blackboard: dict, **goal):
        """
        Take what to ask for; nothing is sent before the first tick.

        :param goal: Fields of the goal, such as ``lock_seconds``.
        """
        self._node, self._blackboard = node, blackboard
        self._asked = CaptureEmotion.Goal(**goal)
        self._goal: Goal | None = None

    def tick(self) -> Status:
        """Begin when it is not going on, and say how it goes."""
        if self._goal is None:
            self._goal = Goal(self._node, CaptureEmotion, 'capture_emotion', self._asked, self._on_feedback)
        if not self._goal.done:
            return Status.RUNNING
        outcome, self._goal = self._goal.outcome, None
        if not outcome.succeeded:
            self._blackboard['failure'] = outcome.message
            return Status.FAILURE
        self._blackboard['emotion'] = outcome.result.fused.label
        self._blackboard['confidence'] = outcome.result.fused.confidence
        self._blackboard['face'] = top(outcome.result.face.probabilities, 1)[0]
        self._blackboard['voice'] = top(outcome.result.speech.probabilities, 1)[0]
        return Status.SUCCESS

    def halt(self) -> None:
        """End what goes on: something else is more important."""
        if self._goal is not None:
            self._goal.cancel()
            self._goal = None

    def _on_feedback(self, feedback: CaptureEmotion.Feedback) -> None:
        self._blackboard['prompt'] = feedback.state.prompt


def main() -> int:
    """Tick the leaf until it has succeeded or failed; gives the exit code."""
    rclpy.init()
    node, blackboard = rclpy.create_node('behaviour_tree_example'), {}
    leaf = CaptureLeaf(node, blackboard, face_timeout=20.0, speech_timeout=10.0)
    status, said = Status.RUNNING, ''
    try:
        while status is Status.RUNNING:
            status = leaf.tick()
            if blackboard.get('prompt', '') != said:
                said = blackboard['prompt']
                print(said)
            deadline = time.monotonic() + TICK_S
            while (left := deadline - time.monotonic()) > 0:
                rclpy.spin_once(node, timeout_sec=left)
    except KeyboardInterrupt:
        leaf.halt()
    print(status.name, {name: value for name, value in blackboard.items() if name != 'prompt'})
    return 0 if status is Status.SUCCESS else 1


if __name__ == '__main__':
    sys.exit(main())

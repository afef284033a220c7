"""Capture one person's emotion, from a session that is running: `./emotion up session`."""

import sys

import rclpy

from emotion_core.actions import Goal
from emotion_msgs.action import CaptureEmotion

prompts = ['']


def show(feedback: CaptureEmotion.Feedback) -> None:
    """Print what the person is asked to do, when it is something new; feedback comes ten times a second."""
    if feedback.state.prompt != prompts[-1]:
        prompts.append(feedback.state.prompt)
        print(f'  {prompts[-1]}')


rclpy.init()
node = rclpy.create_node('capture_example')
asked = CaptureEmotion.Goal(face_timeout=20.0, languages=['en'])
goal = Goal(node, CaptureEmotion, 'capture_emotion', asked, show)
try:
    rclpy.spin_until_future_complete(node, goal.future)
except KeyboardInterrupt:
    goal.cancel()
    rclpy.spin_until_future_complete(node, goal.future, timeout_sec=2.0)
print(goal.outcome.message if goal.done else 'interrupted')
if not goal.done or not goal.outcome.succeeded:
    sys.exit(1)
fused = goal.outcome.result.fused
print(f'{fused.label} {fused.confidence:.0%}: face {fused.face_weight:.2f} ({fused.face_reason})', end=', ')
print(f'voice {fused.speech_weight:.2f} ({fused.speech_reason})')

"""Capture one person's emotion, from a session that is running: `./emotion up session`."""

import rclpy

from emotion_core.actions import Goal
from emotion_msgs.action import CaptureEmotion

rclpy.init()
node = rclpy.create_node('capture_example')
asked = CaptureEmotion.Goal(face_timeout=20.0, languages=['en'])
goal = Goal(node, CaptureEmotion, 'capture_emotion', asked, lambda feedback: print(f'  {feedback.state.prompt}'))
try:
    rclpy.spin_until_future_complete(node, goal.future)
except KeyboardInterrupt:
    goal.cancel()
    rclpy.spin_until_future_complete(node, goal.future, timeout_sec=2.0)
print(goal.outcome.message if goal.done else 'interrupted')
if goal.done and goal.outcome.succeeded:
    fused = goal.outcome.result.fused
    print(f'{fused.label} {fused.confidence:.0%}: face {fused.face_weight:.2f} ({fused.face_reason})', end=', ')
    print(f'voice {fused.speech_weight:.2f} ({fused.speech_reason})')

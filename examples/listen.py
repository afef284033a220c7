"""
Print what a running graph recognises: `./emotion up`, and this beside it; it needs `emotion_msgs` alone.

In a namespace: `python examples/listen.py --ros-args -r __ns:=/robot1`.
"""

import time

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from emotion_msgs.msg import FusedEmotion

EMOTIONS = ('angry', 'fear', 'happy', 'neutral', 'sad', 'surprise')  # in the order of `probabilities`
SHOW_S = 1.0  # a label that stays is printed again after this long


class Listener(Node):
    """Prints each new label of each person."""

    def __init__(self):
        """Subscribe to the fused estimates; they come with each result, for each person by itself."""
        super().__init__('listen_example')
        self._shown = {}  # person -> label, and when it was printed
        self.create_subscription(FusedEmotion, 'emotion/fused', self._on_fused, 10)

    def _on_fused(self, msg: FusedEmotion) -> None:
        now = time.monotonic()
        label, shown = self._shown.get(msg.subject_id, ('', 0.0))
        if msg.label == label and now - shown < SHOW_S:
            return
        self._shown[msg.subject_id] = msg.label, now
        who = msg.subject_id or 'a voice'
        if msg.label == FusedEmotion.UNCERTAIN:  # an answer, too: nothing is probable enough to be told
            print(f'{who}: uncertain, at most {msg.confidence:.0%}')
        else:
            print(f'{who}: {msg.label} {msg.confidence:.0%}')
        print('  ' + ', '.join(f'{name} {share:.0%}' for name, share in zip(EMOTIONS, msg.fused.probabilities)))
        print(f'  face {msg.face_weight:.2f} ({msg.face_reason}), voice {msg.speech_weight:.2f} ({msg.speech_reason})')


def main() -> None:
    """Listen until Ctrl-C."""
    rclpy.init()
    try:
        rclpy.spin(Listener())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass


if __name__ == '__main__':
    main()

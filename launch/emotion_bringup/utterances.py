"""``emotion up speech --print``: a line per utterance."""

from collections.abc import Sequence

import rclpy

from emotion_bringup.beside import own_node, run_beside
from emotion_bringup.supervisor import Supervisor
from emotion_core import qos
from emotion_core.emotions import top
from emotion_msgs.msg import EmotionProbs


def describe(probabilities: Sequence[float]) -> str:
    """Give the three most probable emotions, as in 'PRED: happy=0.72 | neutral=0.18 | surprise=0.06'."""
    return 'PRED: ' + ' | '.join(f'{label}={probability:.2f}' for label, probability in top(probabilities))


def print_utterances(supervisor: Supervisor, namespace: str) -> int:
    """Run a graph until Ctrl-C and print what each utterance expresses; gives the exit code."""

    def show(msg: EmotionProbs) -> None:
        if msg.is_final:
            print(describe(msg.probabilities), flush=True)

    with own_node(lambda: rclpy.create_node('utterances', namespace=namespace or None)) as node:
        node.create_subscription(EmotionProbs, 'emotion/speech', show, qos.RESULT)
        return run_beside(supervisor, node, lambda: True)

"""Labels that are typed live reach who asks for them, also one who comes late."""

import contextlib
import os
import pty
import sys

from emotion_core import qos
from emotion_core.testing import ros  # noqa: F401
from emotion_evaluation import ground_truth
from emotion_msgs.msg import GroundTruth


def test_label_that_was_typed_before_a_recorder_came_is_kept_for_it(ros, tmp_path):  # noqa: F811
    table = tmp_path / 'labels.csv'
    command = 'import sys; from emotion_evaluation.cli import main; sys.exit(main(sys.argv[1], sys.argv[2:]))'
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, '-c', command, 'label', '--subject', 'anna', '-o', str(table)])
    try:
        ros.spin_until(lambda: ros.node.count_publishers(ground_truth.TOPIC) > 0, 'it is ready')
        os.write(terminal, b'3')
        shown = b''
        while b' s  happy' not in shown:
            shown += os.read(terminal, 4096)
        labels = ros.collect(GroundTruth, ground_truth.TOPIC, qos.LATCHED)  # it comes late
        ros.spin_until(lambda: [label.label for label in labels] == ['happy'], 'the label arrives')
        os.write(terminal, b'5')
        ros.spin_until(lambda: [label.label for label in labels] == ['happy', 'sad'], 'so does the next')
        os.write(terminal, b'q')
        ros.spin_until(lambda: len(labels) == 3, 'what is typed at the end is that nothing holds')
        assert labels[-1].label == '' and {label.subject_id for label in labels} == {'anna'}
        with contextlib.suppress(OSError):  # it has closed its side
            while os.read(terminal, 4096):
                pass
        assert os.waitpid(child, 0)[1] == 0
    finally:
        os.close(terminal)  # which ends it, where it still runs
    intervals = ground_truth.read_csv(table, 0)
    assert [(interval.subject, interval.label) for interval in intervals] == [('anna', 'happy'), ('anna', 'sad')]

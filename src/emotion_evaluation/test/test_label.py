"""Labels that are typed reach a table and, live, who asks for them, also one who comes late."""

import contextlib
import os
import pty
import signal
import sys

import pytest
from bags import write_strings

from emotion_core import qos
from emotion_core.testing import ros  # noqa: F401
from emotion_evaluation import ground_truth, run_label
from emotion_evaluation.errors import LabelError
from emotion_msgs.msg import GroundTruth


@contextlib.contextmanager
def typing(*words):
    """Run ``./emotion label …`` on a terminal; gives that, and a function that gives the rest of what is shown."""
    child, terminal = pty.fork()
    typing.child = child
    if child == 0:
        os.execv(sys.executable, [sys.executable, '-m', 'emotion_bringup.cli', 'label', *words])

    def finish():
        shown = b''
        with contextlib.suppress(OSError):  # it has closed its side
            while part := os.read(terminal, 4096):
                shown += part
        assert os.waitpid(child, 0)[1] == 0
        return shown.decode()

    try:
        yield terminal, finish
    finally:
        os.close(terminal)  # which ends it, where it still runs


def test_label_that_was_typed_before_a_recorder_came_is_kept_for_it(ros, tmp_path):
    table = tmp_path / 'labels.csv'
    with typing('--subject', 'anna', '-o', str(table)) as (terminal, finish):
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
        finish()
    intervals = ground_truth.read_csv(table, 0)
    assert [(interval.subject, interval.label) for interval in intervals] == [('anna', 'happy'), ('anna', 'sad')]


def test_bag_is_labelled_until_it_is_over(tmp_path):
    write_strings(tmp_path / 'walk', 20)  # 1.9 s
    with typing(str(tmp_path / 'walk'), '--subject', 'anna', '--rate', '2') as (terminal, finish):
        os.write(terminal, b'35')  # while it starts
        shown = finish()
    assert f'of 1.9 s  sad\r\n2 intervals in {tmp_path / "walk.csv"}\r\n' in shown
    happy, sad = ground_truth.read_csv(tmp_path / 'walk.csv', 0)
    assert (happy.subject, happy.label, sad.label) == ('anna', 'happy', 'sad')
    assert 0 <= happy.start_ns < happy.end_ns == sad.start_ns < sad.end_ns == 1_900_000_000


def test_what_was_typed_is_kept_when_it_is_ended_from_outside(tmp_path):
    write_strings(tmp_path / 'walk', 600)  # a minute
    for number in (signal.SIGTERM, signal.SIGHUP):
        table = tmp_path / f'{number}.csv'
        with typing(str(tmp_path / 'walk'), '-o', str(table)) as (terminal, finish):
            os.write(terminal, b'3')
            shown = b''
            while b' s  happy' not in shown:
                shown += os.read(terminal, 4096)
            os.kill(typing.child, number)
            finish()
        (happy,) = ground_truth.read_csv(table, 0)
        assert happy.label == 'happy'


def test_table_that_cannot_be_written_is_told_before_anything_is_typed(tmp_path):
    write_strings(tmp_path / 'walk', 20)
    with pytest.raises(LabelError, match='nowhere/l.csv. cannot be written: No such file or directory'):
        run_label._unwritten(tmp_path / 'nowhere' / 'l.csv')

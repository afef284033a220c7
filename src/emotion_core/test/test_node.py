import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock

from emotion_core import qos
from emotion_core.errors import InputError, ModelError
from emotion_core.messages import to_stamp
from emotion_core.node import EmotionNode
from emotion_core.parameters import param
from emotion_core.testing import ros  # noqa: F401
from emotion_msgs.msg import EmotionProbs

S = 1_000_000_000


@dataclass(frozen=True)
class Parameters:
    gain: float = param(1.0, 'How much.', low=0.0, high=2.0)
    model: str = param('good', 'Which.')
    way: str = param('up', 'Which way.', choices=('up', 'down'))
    fixed: str = param('up', 'Which way, for good.', choices=('up', 'down'), read_only=True)


class Echo(EmotionNode):
    """Repeats evidence, and fails when it is asked to."""

    def __init__(self):
        super().__init__('echo', Parameters)
        self.applied, self.resets = [], 0

    def setup(self):
        if self.parameters.model == 'bad':
            raise ModelError("no model 'bad'")
        self.out = self.advertise(EmotionProbs, 'out', qos.RESULT)
        self.subscribe(EmotionProbs, 'in', self.on_message, qos.RESULT)

    def validate(self, parameters):
        if parameters.model == 'bad':
            raise ModelError("no model 'bad'")
        if parameters.model == '~nobody':
            raise RuntimeError('nobody has no home')

    def apply(self, old):
        self.applied.append((old.gain, self.parameters.gain))

    def reset(self):
        self.resets += 1

    def on_message(self, msg):
        if msg.source == 'bad':
            raise InputError('bad source', 'the source is bad')
        if msg.source == 'bug':
            raise KeyError('bug')
        self.out.publish(msg)


@pytest.fixture
def echo(ros):
    return ros.add(Echo())


def status(messages):
    statuses = [status for array in messages for status in array.status if status.name == 'echo']
    return statuses[-1] if statuses else None


def test_node_outlives_bad_messages_and_counts_them(ros, echo):
    echo.autostart()
    results = ros.collect(EmotionProbs, 'out', qos.RESULT)
    diagnostics = ros.collect(DiagnosticArray, '/diagnostics', 10)
    publisher = ros.publisher(EmotionProbs, 'in', qos.RESULT)
    for source in ('bad', 'bug', 'bad', 'face'):
        publisher.publish(EmotionProbs(source=source))
    ros.spin_until(lambda: results, 'the good message comes out')
    assert [msg.source for msg in results] == ['face']
    values = ros.spin_until(lambda: (last := status(diagnostics)) and {v.key: v.value for v in last.values})
    assert (values['problem: bad source'], values['problem: KeyError'], values['received in']) == ('2', '1', '4')
    assert status(diagnostics).level == DiagnosticStatus.WARN


def test_failed_transition_says_why_and_can_be_tried_again(ros, echo):
    diagnostics = ros.collect(DiagnosticArray, '/diagnostics', 10)
    echo.set_parameters([Parameter('model', value='bad')])
    echo.autostart()
    assert not echo.active
    ros.spin_until(lambda: status(diagnostics), 'diagnostics come')
    assert status(diagnostics).level == DiagnosticStatus.ERROR
    assert status(diagnostics).message == "cannot configure: no model 'bad'"
    echo.set_parameters([Parameter('model', value='good')])
    echo.autostart()
    assert echo.active


def test_lifecycle_goes_round(echo):
    for transition in ('configure', 'activate', 'deactivate', 'cleanup', 'configure', 'activate'):
        assert getattr(echo, f'trigger_{transition}')() == TransitionCallbackReturn.SUCCESS
    assert len(list(echo.subscriptions)) == len(set(s.topic_name for s in echo.subscriptions))


def test_inactive_node_ignores_messages(ros, echo):
    echo.trigger_configure()
    results = ros.collect(EmotionProbs, 'out', qos.RESULT)
    publisher = ros.publisher(EmotionProbs, 'in', qos.RESULT)
    publisher.publish(EmotionProbs(source='early'))
    ros.spin_for(0.3)
    echo.trigger_activate()
    publisher.publish(EmotionProbs(source='face'))
    ros.spin_until(lambda: results)
    assert [msg.source for msg in results] == ['face']


def test_parameter_is_validated_then_applied(ros, echo):
    echo.autostart()
    refused = echo.set_parameters([Parameter('gain', value=3.0)])[0]
    assert not refused.successful and '2.0' in refused.reason
    assert echo.set_parameters([Parameter('gain', value=2)])[0].successful  # a whole number for a float
    assert echo.applied == [(1.0, 2.0)] and type(echo.parameters.gain) is float


def test_parameter_that_cannot_be_used_is_refused_while_the_node_is_configured(ros, echo):
    echo.autostart()
    refused = echo.set_parameters([Parameter('model', value='bad')])[0]
    assert not refused.successful and refused.reason == "no model 'bad'"
    refused = echo.set_parameters([Parameter('model', value='~nobody')])[0]
    assert not refused.successful and refused.reason == 'nobody has no home'
    assert echo.parameters.model == 'good' and echo.applied == []


def test_stamps_that_fall_back_reset_once(ros, echo):
    echo.autostart()
    results = ros.collect(EmotionProbs, 'out', qos.RESULT)
    publisher = ros.publisher(EmotionProbs, 'in', qos.RESULT)
    for stamp in (100 * S, 99_900_000_000, 50 * S, 51 * S):  # 0.1 s of jitter is none
        msg = EmotionProbs(source='face')
        msg.header.stamp = to_stamp(stamp)
        publisher.publish(msg)
    ros.spin_until(lambda: len(results) == 4)
    assert echo.resets == 1
    assert echo.health.problems['clock jumped back'] == 1


def test_simulated_time_that_stands_still_is_said(ros, echo):
    echo.set_parameters([Parameter('use_sim_time', value=True)])
    echo.autostart()
    diagnostics = ros.collect(DiagnosticArray, '/diagnostics', 10)

    def says(sentence):
        return (last := status(diagnostics)) and sentence in last.message

    ros.spin_until(lambda: says('there is no time on /clock'), 'that it never began')
    assert status(diagnostics).level == DiagnosticStatus.WARN
    clock = ros.publisher(Clock, '/clock', 10)
    clock.publish(Clock(clock=to_stamp(S)))
    ros.spin_until(lambda: says('active'), 'that it goes on')
    ros.spin_until(lambda: says('simulated time stands still'), 'that it does not')


def started_with(ros, *arguments):
    """Give an Echo as if it was started with these ``--ros-args``."""
    rclpy.try_shutdown()
    rclpy.init(args=['--ros-args', *arguments])
    return Echo()


TOLD_TO_END_IN = """
import os, signal, time
from test_node import Echo, EmotionProbs, qos
from emotion_core.node import run

class Ended(Echo):
    def setup(self):
        super().setup()
        if '{where}' == 'setup':
            self.end()
        self.every(0.01, self.end)

    def end(self):
        os.kill(os.getpid(), signal.SIGTERM)
        while self.context.ok():
            time.sleep(0.01)
        self.out.publish(EmotionProbs())

run(Ended)
"""


@pytest.mark.parametrize('where', ['setup', 'callback'])
def test_node_that_is_told_to_end_while_it_publishes_ends_quietly(where):
    done = subprocess.run(
        [sys.executable, '-c', TOLD_TO_END_IN.format(where=where)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_qos_override_of_one_topic_leaves_the_others(ros):
    before = qos.RESULT.depth
    echo = started_with(ros, '-p', 'qos_overrides./out.publisher.depth:=3')
    echo.trigger_configure()
    depths = {entity.topic_name: entity.qos_profile.depth for entity in (*echo.publishers, *echo.subscriptions)}
    assert (depths['/out'], depths['/in'], qos.RESULT.depth) == (3, before, before)
    echo.destroy_node()


def test_parameter_out_of_range_at_start_is_said_and_the_node_lives(ros):
    echo = started_with(ros, '-p', 'gain:=99.0')
    echo.autostart()
    assert not echo.active and echo.parameters.gain == 1.0
    assert echo.health.problems['parameter'] == 1 and '99.0' in echo.health.last_problem
    echo.set_parameters([Parameter('gain', value=1.5)])
    echo.autostart()
    assert echo.active and echo.parameters.gain == 1.5
    echo.destroy_node()


def test_all_parameters_that_cannot_be_used_at_start_are_said_and_none_stays(ros):
    wrong = ('gain:=99.0', 'way:=sideways', 'fixed:=sideways', 'autostart:=1')
    echo = started_with(ros, *(word for value in wrong for word in ('-p', value)))
    echo.autostart()
    assert not echo.active
    assert all(value.partition(':')[0] in echo.health.last_problem for value in wrong)
    assert echo.get_parameter('gain').value == 1.0
    assert echo.get_parameter('way').value == echo.get_parameter('fixed').value == echo.parameters.fixed == 'up'
    assert not echo.set_parameters([Parameter('fixed', value='down')])[0].successful
    echo.autostart()
    assert echo.active
    echo.destroy_node()

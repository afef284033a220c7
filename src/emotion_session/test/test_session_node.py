import os
import signal
import subprocess
import sys
import time
from itertools import groupby

import numpy as np
import pytest
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from emotion_core.actions import HANG_S, Goal
from emotion_core.emotions import EMOTIONS
from emotion_core.evidence import Evidence
from emotion_core.messages import to_header, to_probs
from emotion_core.testing import ActionWorld, node_process, ros  # noqa: F401
from emotion_msgs.action import CaptureEmotion
from emotion_msgs.msg import FaceEmotion, FaceEmotions, SessionState, SpeechActivity
from emotion_session.node import SessionNode

S = 1_000_000_000
GOAL = CaptureEmotion.Goal(lock_seconds=1.0, face_timeout=8.0, speech_timeout=4.0)


def probs(source, emotion, stamp_ns, subject='', seconds=0.0):
    p = np.full(6, 0.05)
    p[EMOTIONS.index(emotion)] = 0.75
    return to_probs(Evidence(stamp_ns, stamp_ns - round(seconds * S), source, p, quality=0.8, subject_id=subject))


class World(ActionWorld):
    """Somebody who shows an expression and speaks."""

    state_type, state_topic = SessionState, 'emotion/session'
    action_type, action = CaptureEmotion, 'capture_emotion'
    step_ns, most_steps = S // 10, 150

    def send(self, goal=GOAL):
        return super().send(goal)

    def show(self, face='happy', subject='f0001', speaking=False, sound=True, frames=True, alive=True):
        seen = [FaceEmotion(emotion=probs('face', face, self.now, subject))] if face else []
        if frames:
            self._faces.publish(FaceEmotions(header=to_header(self.now), faces=seen))
        if sound:
            self._activity.publish(SpeechActivity(header=to_header(self.now), level_dbfs=-25.0, speaking=speaking))
        if alive:
            self.wait_for_input(emotion_face='emotion_face waits', emotion_speech='emotion_speech waits')

    def say(self, emotion='happy', seconds=1.2):
        self._speech.publish(probs('speech', emotion, self.now, seconds=seconds))

    def until_state(self, state, **how):
        self.until(lambda: self.states and self.state.state == state, f'state {state}', **how)


def start(ros, **parameters):
    node = ros.add(SessionNode())
    parameters['use_sim_time'] = True
    node.set_parameters([Parameter(name, value=value) for name, value in parameters.items()])
    node.autostart()
    return World(ros, node)


@pytest.fixture
def world(ros):
    return start(ros)


def test_capture_and_its_state_agree_at_every_step(world):
    world.send()
    world.until_state(SessionState.LISTENING)
    for _ in range(10):
        world.step(speaking=True)
    world.say('angry')
    outcome = world.until_done()
    result = outcome.result
    assert outcome.succeeded and result.outcome == SessionState.OUTCOME_SUCCESS and result.message
    assert EMOTIONS[int(np.argmax(result.face.probabilities))] == 'happy'
    assert EMOTIONS[int(np.argmax(result.speech.probabilities))] == 'angry'
    assert result.face.subject_id == result.fused.subject_id == 'f0001'
    assert result.fused.face_weight + result.fused.speech_weight == pytest.approx(1)
    assert result.fused.face_reason and result.fused.speech_reason

    states = world.history()
    assert [number for number, _ in groupby(state.state for state in states)] == [0, 1, 2, 3]
    progress = [state.lock_progress for state in states if state.state == SessionState.WAITING_FACE]
    assert progress == sorted(progress) and progress[-1] > 0.8
    end = states[-1]
    assert (end.outcome, end.message) == (result.outcome, result.message)
    assert (end.face, end.speech, end.fused) == (result.face, result.speech, result.fused)


def test_prompts_are_in_the_language_asked_for(world):
    goal = world.send(CaptureEmotion.Goal(lock_seconds=1.0, languages=['tlh', 'pl-PL']))
    world.until(lambda: goal.feedback[-1].state.prompt.startswith('utrzymaj wyraz twarzy'), 'Polish')
    goal.cancel()
    assert world.until_done().status == 'canceled'


def test_prompts_are_in_the_language_of_the_parameters_where_none_is_asked_for(ros):
    world = start(ros, languages='tlh, de-AT')
    assert world.state.prompt == 'bereit'
    assert world.send().feedback[0].state.prompt == 'komm vor die Kamera'


@pytest.mark.parametrize(
    'how, outcome, sentence',
    [
        ({'face': ''}, SessionState.OUTCOME_NO_FACE, 'nobody was in the picture'),
        ({}, SessionState.OUTCOME_NO_SPEECH, 'nobody spoke'),
        ({'frames': False}, SessionState.OUTCOME_NO_CAMERA, 'emotion_face waits'),
        ({'sound': False}, SessionState.OUTCOME_NO_MICROPHONE, 'emotion_speech waits'),
    ],
)
def test_each_failure_has_its_outcome_and_sentence(world, how, outcome, sentence):
    world.send()
    end = world.until_done(**how)
    assert (end.status, end.result.outcome) == ('aborted', outcome)
    assert sentence in end.message and world.states[-1].prompt


def test_expression_that_is_never_sure_enough_does_not_lock(world):
    world.send(CaptureEmotion.Goal(min_confidence=0.8, lock_seconds=0.1, face_timeout=1.0))
    end = world.until_done()
    assert (end.status, end.result.outcome) == ('aborted', SessionState.OUTCOME_NO_LOCK)
    assert end.message == 'somebody was there, but no expression was held for long enough'
    assert world.state.prompt == 'no expression was held for long enough'


def test_hostile_messages_are_counted_and_the_capture_goes_on(world):
    world.attack()
    world.send()
    world.step()
    world.attack(world.now)
    world.until_state(SessionState.LISTENING)
    world.attack(world.now)
    world.say('angry')
    end = world.until_done()
    assert end.succeeded and EMOTIONS[int(np.argmax(end.result.speech.probabilities))] == 'angry'
    assert set(world.node.health.problems) == {'bad probabilities', 'clock jumped back'}


def test_node_that_is_gone_is_named(world):
    world.send()
    end = world.until_done(frames=False, alive=False)
    assert end.result.outcome == SessionState.OUTCOME_NODE_LOST
    assert 'emotion_face is gone' in end.message


def test_subject_who_changes_after_the_lock(world):
    world.send()
    world.until_state(SessionState.LISTENING)
    end = world.until_done(subject='f0002')
    assert end.result.outcome == SessionState.OUTCOME_SUBJECT_CHANGED
    assert end.result.face.subject_id == 'f0001'


def test_end_that_is_not_shown_is_told_all_the_same(world):
    world.node.set_parameters([Parameter('show_seconds', value=0.0)])
    world.send()
    world.until_state(SessionState.LISTENING)
    end = world.until_done(subject='f0002')
    assert end.result.outcome == SessionState.OUTCOME_SUBJECT_CHANGED


def test_clock_that_jumps_back_ends_the_capture_and_the_latched_state_says_so(world):
    world.send()
    world.until_state(SessionState.LISTENING)
    world.now -= 3 * S
    world.show(sound=False, alive=False)
    world.ros.spin_until(lambda: world.goal.done and not world.state.active, 'it is over')
    assert world.goal.outcome.result.outcome == SessionState.OUTCOME_NODE_LOST
    assert world.state.state == SessionState.WAITING_FACE


def test_clock_that_stands_still_ends_the_capture(world):
    world.send()
    world.until_state(SessionState.LISTENING)
    world.ros.spin_until(lambda: world.goal.done and not world.state.active, 'it is over')
    assert world.goal.outcome.result.outcome == SessionState.OUTCOME_NODE_LOST
    assert world.goal.outcome.message.startswith('simulated time stands still')


def test_new_goal_preempts_and_the_old_client_hears_of_it(world):
    first = world.send()
    second = world.send()
    world.ros.spin_until(lambda: first.done)
    assert (first.outcome.status, first.outcome.result.outcome) == ('aborted', SessionState.OUTCOME_PREEMPTED)
    world.step()
    assert not second.done and second.feedback[-1].state.outcome == SessionState.OUTCOME_NONE


def test_new_goal_while_what_came_of_the_last_one_is_shown(world):
    world.send().cancel()
    world.ros.spin_until(lambda: world.goal.done and world.state.message, 'the end is shown')
    assert world.state.active
    world.send()
    assert world.goal.feedback[0].state.outcome == SessionState.OUTCOME_NONE
    world.until_state(SessionState.LISTENING)


def test_abort_service_ends_whatever_goes_on(world):
    client = world.ros.node.create_client(Trigger, 'abort_capture')
    world.ros.spin_until(client.service_is_ready)
    idle = client.call_async(Trigger.Request())
    world.ros.spin_until(idle.done)
    assert not idle.result().success
    world.send()
    answer = client.call_async(Trigger.Request())
    world.ros.spin_until(lambda: answer.done() and world.goal.done)
    assert answer.result().success and world.goal.outcome.result.outcome == SessionState.OUTCOME_CANCELED


def test_bad_goal_is_answered_with_a_sentence(world):
    world.goal = Goal(world.ros.node, CaptureEmotion, 'capture_emotion', CaptureEmotion.Goal(lock_seconds=-1.0))
    end = world.until_done()
    assert end.result.outcome == SessionState.OUTCOME_INVALID_GOAL
    assert "parameter 'lock_seconds' must be in [0.1, 30.0], not -1.0" in end.message


def test_continuous_captures_follow_each_other(world):
    world.node.set_parameters([Parameter('continuous', value=True), Parameter('show_seconds', value=0.3)])
    for _ in range(2):
        world.until(lambda: world.states[-1].active and world.states[-1].state == 0, 'a capture begins')
        world.until_state(SessionState.LISTENING)
        world.say()
        world.until_state(SessionState.SHOW_RESULT)
        assert world.states[-1].outcome == SessionState.OUTCOME_SUCCESS


def test_deactivated_node_ends_the_capture(world):
    world.send()
    world.node.trigger_deactivate()
    world.ros.spin_until(lambda: world.goal.done)
    assert world.goal.outcome.result.outcome == SessionState.OUTCOME_NODE_LOST
    assert not world.states[-1].active
    refused = Goal(world.ros.node, CaptureEmotion, 'capture_emotion', GOAL)
    world.ros.spin_until(lambda: refused.done)
    assert refused.outcome.status == 'rejected'


def test_destroyed_node_offers_its_action_no_more(world):
    world.send()
    world.node.destroy_node()
    world.ros.spin_until(lambda: world.goal.done, 'the client notices')
    for topic in ('status', 'feedback'):
        assert world.ros.node.count_publishers(f'capture_emotion/_action/{topic}') == 0


def test_killed_node_fails_the_client_long_before_a_server_would_seem_to_hang(ros):
    with node_process('emotion_session.node', stdout=sys.stderr) as process:
        goal = World(ros).send()
        os.kill(process.pid, signal.SIGKILL)
        killed = time.monotonic()
        ros.spin_until(lambda: goal.done, 'the client notices')
        assert time.monotonic() - killed < HANG_S / 2  # 0.75 s on a machine with nothing else to do
        assert goal.outcome.status == 'lost' and '/capture_emotion is gone' in goal.outcome.message


HANGING = """
import time
from dataclasses import make_dataclass
from emotion_core.actions import ExclusiveServer
from emotion_core.node import EmotionNode, run
from emotion_msgs.action import CaptureEmotion

class Hanging(EmotionNode):
    def __init__(self):
        super().__init__('hanging', make_dataclass('Nothing', [], frozen=True))

    def setup(self):
        hang = lambda goal: time.sleep(60)
        self.keep(ExclusiveServer(self, CaptureEmotion, 'capture_emotion', lambda: None, hang))

run(Hanging)
"""


def test_server_that_hangs_is_lost_though_its_process_lives(ros):
    process = subprocess.Popen([sys.executable, '-c', HANGING])
    try:
        goal = Goal(ros.node, CaptureEmotion, 'capture_emotion', GOAL, discovery_s=30.0)
        ros.spin_until(lambda: goal._is_sent, 'the server is found')
        asked = time.monotonic()
        ros.spin_until(lambda: goal.done, 'the client gives up')
        assert HANG_S - 1 < time.monotonic() - asked < HANG_S + 5
        assert goal.outcome.status == 'lost' and '/capture_emotion is gone' in goal.outcome.message
    finally:
        process.kill()
        process.wait()


def test_absent_server_is_a_sentence(ros):
    goal = Goal(ros.node, CaptureEmotion, 'elsewhere/capture_emotion', GOAL, discovery_s=0.3)
    ros.spin_until(lambda: goal.done)
    goal.cancel()  # too late
    assert goal.outcome.status == 'lost' and 'nobody offers /elsewhere/capture_emotion' in goal.outcome.message

import os
import signal
import sys
import time
from itertools import groupby
from random import Random

import numpy as np
import pytest
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from emotion_core.actions import HANG_S, Goal
from emotion_core.emotions import EMOTIONS
from emotion_core.evidence import Evidence
from emotion_core.messages import to_header, to_probs
from emotion_core.testing import ActionWorld, node_process, ros  # noqa: F401
from emotion_game.node import GameNode
from emotion_msgs.action import PlayGame
from emotion_msgs.msg import FaceEmotion, FaceEmotions, GameState, QualityTerm, SpeechActivity

S = 1_000_000_000
GOAL = PlayGame.Goal(rounds=2, round_seconds=2.0)
QUICK = {'countdown_seconds': 0.6, 'score_seconds': 0.6, 'gameover_seconds': 1.0, 'forfeit_seconds': 3.0}


def probs(source, emotion, p, stamp_ns, subject='', seconds=0.0):
    distribution = np.full(6, (1 - p) / 5)
    distribution[EMOTIONS.index(emotion or 'happy')] = p
    return to_probs(Evidence(stamp_ns, stamp_ns - round(seconds * S), source, distribution, subject_id=subject))


def face(subject, x, emotion, p, stamp_ns):
    one = FaceEmotion(emotion=probs('face', emotion, p, stamp_ns, subject))
    one.box.x_offset, one.box.width, one.box.height = x, 80, 80
    return one


class World(ActionWorld):
    """Two players."""

    state_type, state_topic = GameState, 'emotion/game'
    action_type, action = PlayGame, 'play_game'
    step_ns, most_steps = S // 5, 200

    def send(self, goal=GOAL):
        return super().send(goal)

    def show(self, p1=0.8, p2=0.4, sound=False, frames=True, alive=True):
        players = [
            face(name, x, self.state.target, p, self.now)
            for name, x, p in (('f0002', 400, p2), ('f0001', 50, p1))
            if p is not None
        ]
        if frames:
            self._faces.publish(FaceEmotions(header=to_header(self.now), faces=players))
        if sound:
            self._activity.publish(SpeechActivity(header=to_header(self.now)))
        if alive:
            self.wait_for_input(emotion_face='no image comes')


@pytest.fixture
def world(ros):
    node = ros.add(GameNode())
    node.set_parameters(
        [Parameter('use_sim_time', value=True), *(Parameter(name, value=value) for name, value in QUICK.items())]
    )
    node.autostart()
    return World(ros, node)


def test_game_and_its_state_agree_at_every_step(world):
    world.send()
    end = world.until_done()
    result = end.result
    assert end.succeeded and (result.outcome, result.winner) == (GameState.OUTCOME_COMPLETED, GameState.PLAYER_1)
    assert end.message == '2:0, player 1 wins the game'
    assert [player.subject_id for player in result.players] == ['f0001', 'f0002']
    assert [player.rounds_won for player in result.players] == [2, 0]
    assert result.players[0].round_score == pytest.approx(0.8, abs=1e-3)
    states = world.history()
    assert [number for number, _ in groupby(state.state for state in states)] == [0, 1, 2, 3, 1, 2, 3, 4]
    targets = [state.target for state in states if state.state == GameState.PLAYING]
    assert len(set(targets)) == 2
    last = states[-1]
    assert (last.outcome, last.message, last.winner) == (result.outcome, result.message, result.winner)
    assert list(last.players) == list(result.players)
    world.until(lambda: not world.state.active, 'the game node rests')


def test_who_leaves_pauses_and_forfeits(world):
    world.send()
    world.until(lambda: world.state.state == GameState.PLAYING, 'the play')
    world.until(lambda: world.state.paused, 'a pause', p2=None)
    assert world.state.prompt == 'player 2, come back!' and not world.state.players[1].present
    end = world.until_done(p2=None)
    assert end.succeeded and (end.result.outcome, end.result.winner) == (
        GameState.OUTCOME_FORFEITED,
        GameState.PLAYER_1,
    )
    assert end.message == 'player 2 was away for too long: player 1 wins'


def test_voice_round_only_where_there_is_a_microphone(world):
    goal = PlayGame.Goal(rounds=1, round_seconds=1.0, voice_round=True)
    assert world.send(goal).feedback[0].state.rounds == 1
    world.step(sound=True)
    assert world.send(goal).feedback[0].state.rounds == 2
    world.until(lambda: world.state.voice_round and world.state.turn == GameState.PLAYER_1, 'the turn', sound=True)
    assert world.state.prompt == f'player 1, say something: {world.state.target}'
    for _ in range(8):
        world.step(sound=True)
    for p, terms in ((0.95, {'seconds': 0.9}), (0.9, {})):  # too little voice in it; as long as its window
        message = probs('speech', world.state.target, p, world.now, seconds=1.2)
        message.quality_terms = [QualityTerm(name=name, value=value) for name, value in terms.items()]
        world._speech.publish(message)
    end = world.until_done(sound=True)
    assert end.result.players[0].round_score == pytest.approx(0.9) and end.result.players[1].round_score == 0


@pytest.mark.parametrize('alive, outcome', [(True, GameState.OUTCOME_NO_CAMERA), (False, GameState.OUTCOME_NODE_LOST)])
def test_no_frames(world, alive, outcome):
    world.send()
    end = world.until_done(frames=False, alive=alive)
    assert (end.status, end.result.outcome) == ('aborted', outcome)
    assert ('no image comes' if alive else 'emotion_face is gone') in end.message


def test_one_player_alone_is_no_game(world):
    world.node.set_parameters([Parameter('players_timeout', value=1.0)])
    world.send()
    end = world.until_done(p2=None)
    assert (end.status, end.result.outcome) == ('aborted', GameState.OUTCOME_NO_PLAYERS)
    assert end.message == 'there were no two players in the picture' and end.result.winner == GameState.NOBODY


@pytest.mark.parametrize('ros', [('-p', 'seed:=7')], indirect=True)
def test_seed_tells_the_targets(world):
    world.send(PlayGame.Goal(rounds=2, round_seconds=1.0))
    world.until(lambda: world.state.round == 2, 'the second round')
    random = Random(7)
    first = random.choice(EMOTIONS)
    expected = [first, random.choice([emotion for emotion in EMOTIONS if emotion != first])]
    assert [target for target, _ in groupby(state.target for state in world.states if state.target)] == expected


def test_hostile_messages_are_counted_and_the_game_goes_on(world):
    world.attack()
    world.send(PlayGame.Goal(rounds=1, round_seconds=1.0))
    world.until(lambda: world.state.state == GameState.PLAYING, 'the play')
    world.attack(world.now)
    end = world.until_done()
    assert end.succeeded and end.result.winner == GameState.PLAYER_1
    assert set(world.node.health.problems) == {'bad probabilities', 'clock jumped back'}


def test_new_game_while_what_came_of_the_last_one_is_shown(world):
    world.send().cancel()
    world.ros.spin_until(lambda: world.goal.done and world.state.message, 'the end is shown')
    assert world.state.active
    world.send()
    world.until(lambda: world.state.state == GameState.PLAYING, 'the play')


def test_clock_that_stands_still_ends_the_game(world):
    world.send()
    world.until(lambda: world.state.state == GameState.PLAYING, 'the play')
    world.ros.spin_until(lambda: world.goal.done and not world.state.active, 'it is over')
    assert world.goal.outcome.result.outcome == GameState.OUTCOME_NODE_LOST
    assert world.goal.outcome.message.startswith('simulated time stands still')


def test_cancel_preempt_and_abort(world):
    first, second = world.send(), world.send()
    world.ros.spin_until(lambda: first.done)
    assert first.outcome.result.outcome == GameState.OUTCOME_PREEMPTED
    second.cancel()
    world.ros.spin_until(lambda: second.done)
    assert (second.outcome.status, second.outcome.result.outcome) == ('canceled', GameState.OUTCOME_CANCELED)
    third = world.send()
    client = world.ros.node.create_client(Trigger, 'abort_game')
    world.ros.spin_until(client.service_is_ready)
    answer = client.call_async(Trigger.Request())
    world.ros.spin_until(lambda: answer.done() and third.done)
    assert answer.result().success and third.outcome.result.outcome == GameState.OUTCOME_CANCELED


def test_clock_that_jumps_back_ends_the_game_and_the_latched_state_says_so(world):
    world.send()
    world.until(lambda: world.state.state == GameState.COUNTDOWN, 'both are there')
    world.now -= 3 * S
    world.show()
    world.ros.spin_until(lambda: world.goal.done and not world.state.active, 'it is over')
    assert world.goal.outcome.result.outcome == GameState.OUTCOME_NODE_LOST


def test_bad_goal_is_answered_with_a_sentence(world):
    end = Goal(world.ros.node, PlayGame, 'play_game', PlayGame.Goal(round_seconds=1000.0))
    world.ros.spin_until(lambda: end.done)
    assert end.outcome.result.outcome == GameState.OUTCOME_INVALID_GOAL
    assert "parameter 'round_seconds' must be in [1.0, 120.0]" in end.outcome.message


def test_killed_node_fails_the_client_long_before_a_server_would_seem_to_hang(ros):
    with node_process('emotion_game.node', stdout=sys.stderr) as process:
        goal = World(ros).send()
        os.kill(process.pid, signal.SIGKILL)
        killed = time.monotonic()
        ros.spin_until(lambda: goal.done, 'the client notices')
        assert time.monotonic() - killed < HANG_S / 2  # 0.75 s on a machine with nothing else to do
        assert goal.outcome.status == 'lost'

"""Session and game over real DDS, on recorded faces and voices."""

import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_end_to_end import SECONDS, START_S, graph, pairs, pids_of  # noqa: F401

from emotion_core import qos
from emotion_core.actions import HANG_S, Goal
from emotion_core.emotions import EMOTIONS
from emotion_core.testing import ros  # noqa: F401
from emotion_drivers.scenario import ASSETS
from emotion_msgs.action import CaptureEmotion, PlayGame
from emotion_msgs.msg import EmotionProbs, FaceEmotions, GameState, SessionState, SpeechActivity

EXAMPLES = Path(__file__).resolve().parents[2] / 'examples'
ASKED = CaptureEmotion.Goal(lock_seconds=1.0, min_confidence=0.3, face_timeout=30.0, speech_timeout=30.0)
CAPTURE_S = 60.0
VOICE_ROUND = f"""
/**/emotion_game:
  ros__parameters:
    countdown_seconds: 0.5
    score_seconds: 0.5
    voice_seconds: {SECONDS + 2.0}
"""


def winner(one, two):
    if abs(one - two) < 0.02:
        return GameState.TIE
    return GameState.PLAYER_1 if one > two else GameState.PLAYER_2


def label(probs: EmotionProbs) -> str:
    return EMOTIONS[int(np.argmax(probs.probabilities))]


@pytest.fixture(scope='module')
def happy(pairs, tmp_path_factory):
    """A face that smiles and a voice, again and again."""
    folder = tmp_path_factory.mktemp('happy')
    for kind, source in (('images', ASSETS / 'portrait.jpg'), ('audio', pairs / 'audio' / '0.flac')):
        (folder / kind).mkdir()
        (folder / kind / source.name).symlink_to(source)
    return folder


def test_capture_examples_no_microphone_and_a_killed_node(ros, pairs, happy):
    sources = f'camera:={happy}/images', f'microphone:={happy}/audio', f'params_file:={pairs}/params.yaml'
    with graph('session', *sources, 'use_respawn:=false') as process:
        ros.spin_until(lambda: ros.node.count_publishers('emotion/faces'), 'the face node is there', START_S)
        speech = ros.collect(EmotionProbs, 'emotion/speech', qos.RESULT)
        faces = ros.collect(FaceEmotions, 'emotion/faces', qos.RESULT)
        ros.spin_until(lambda: speech and faces, 'the recognisers work', START_S)
        goal = Goal(ros.node, CaptureEmotion, 'capture_emotion', ASKED, discovery_s=START_S)
        ros.spin_until(lambda: goal.done, 'a capture is over', CAPTURE_S)
        result = goal.outcome.result
        assert goal.outcome.succeeded and result.outcome == SessionState.OUTCOME_SUCCESS
        assert label(result.face) == 'happy' and result.face.model.startswith('fer_compact@')
        assert result.speech.model.startswith('ser_compact@') and result.speech.is_final
        assert result.fused.face == result.face and result.fused.speech == result.speech
        assert result.fused.face_reason and result.fused.speech_reason

        for name in ('capture.py', 'behaviour_tree.py'):
            example = subprocess.Popen([sys.executable, str(EXAMPLES / name)], stdout=subprocess.PIPE, text=True)
            ros.spin_until(lambda: example.poll() is not None, f'{name} is done', CAPTURE_S)
            said = example.stdout.read()
            assert example.returncode == 0 and 'hold an expression' in said, said
            lines = said.splitlines()
            assert all(line != before for before, line in zip(lines, lines[1:])), said
            assert ('SUCCESS' if name == 'behaviour_tree.py' else 'face and voice were captured') in said, said

        pids_of(process, ('microphone',))['microphone'].kill()
        goal = Goal(ros.node, CaptureEmotion, 'capture_emotion', ASKED)
        ros.spin_until(lambda: goal.done, 'the microphone is missed', CAPTURE_S)
        assert goal.outcome.result.outcome == SessionState.OUTCOME_NO_MICROPHONE
        assert goal.outcome.message.startswith('no audio on /audio'), goal.outcome.message

        feedback = []
        goal = Goal(ros.node, CaptureEmotion, 'capture_emotion', ASKED, feedback.append)
        ros.spin_until(lambda: feedback, 'a capture goes on')
        pids_of(process, ('emotion_session',))['emotion_session'].kill()
        killed = time.monotonic()
        ros.spin_until(lambda: goal.done, 'the client notices')
        assert goal.outcome.status == 'lost' and time.monotonic() - killed < HANG_S / 2


@pytest.mark.parametrize('name', ['capture.py', 'behaviour_tree.py'])
def test_example_that_captures_nothing_fails(name):
    done = subprocess.run([sys.executable, str(EXAMPLES / name)], capture_output=True, text=True, timeout=CAPTURE_S)
    assert done.returncode == 1 and 'nobody offers /capture_emotion' in done.stdout


def test_game_of_two_recorded_faces_with_a_voice_round(ros, pairs, tmp_path):
    frame = np.full((480, 720, 3), 110, np.uint8)
    for number, x in ((0, 20), (1, 380)):
        frame[80:400, x : x + 320] = cv2.imread(str(pairs / 'images' / f'{number}.jpg'))
    (tmp_path / 'faces').mkdir()
    cv2.imwrite(str(tmp_path / 'faces' / 'two.png'), frame)
    params = tmp_path / 'params.yaml'
    params.write_text((pairs / 'params.yaml').read_text() + VOICE_ROUND)
    sources = f'camera:={tmp_path}/faces', f'microphone:={pairs}/audio', f'params_file:={params}'
    with graph('game', *sources) as process:
        ros.spin_until(lambda: ros.node.count_publishers('emotion/faces'), 'the face node is there', START_S)
        faces = ros.collect(FaceEmotions, 'emotion/faces', qos.RESULT)
        ros.spin_until(lambda: faces and len(faces[-1].faces) == 2, 'two faces are seen', START_S)
        states = ros.collect(GameState, 'emotion/game', qos.LATCHED)
        heard = ros.collect(SpeechActivity, 'emotion/speech/activity', qos.RESULT)
        ros.spin_until(lambda: heard, 'the microphone is heard', START_S)
        asked = PlayGame.Goal(rounds=1, round_seconds=2.0, voice_round=True)
        goal = Goal(ros.node, PlayGame, 'play_game', asked, discovery_s=START_S)
        ros.spin_until(lambda: goal.done, 'the game is over', CAPTURE_S)
        result = goal.outcome.result
        assert goal.outcome.succeeded and result.outcome == GameState.OUTCOME_COMPLETED
        boxes = {face.emotion.subject_id: face.box.x_offset for face in faces[-1].faces}
        first, second = result.players
        assert boxes[first.subject_id] < boxes[second.subject_id]
        shown = {state.round: state for state in states if state.state == GameState.SCORE}
        assert [shown[number].voice_round for number in sorted(shown)] == [False, True]
        for state in shown.values():
            one, two = (player.round_score for player in state.players)
            assert 0 < one <= 1 and 0 < two <= 1, 'both showed their face, and the voice was heard in both turns'
            assert state.round_winner == winner(one, two)
        turns = [state.turn for state in states if state.voice_round and state.state == GameState.PLAYING]
        assert turns == sorted(turns) and set(turns) == {GameState.PLAYER_1, GameState.PLAYER_2}
        ends = winner(first.rounds_won, second.rounds_won)
        if ends == GameState.TIE:
            ends = winner(first.total_score / 2, second.total_score / 2)
        assert result.winner == ends == states[-1].winner
        assert process.log().count('Round result: P1 ') == 2

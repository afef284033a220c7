"""Session and game over real DDS, on recorded faces and voices."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_end_to_end import START_S, graph, pairs, pids_of  # noqa: F401

from emotion_core import qos
from emotion_core.actions import Goal
from emotion_core.emotions import EMOTIONS
from emotion_core.testing import ros  # noqa: F401
from emotion_drivers.scenario import ASSETS
from emotion_msgs.action import CaptureEmotion, PlayGame
from emotion_msgs.msg import EmotionProbs, FaceEmotions, GameState, SessionState

EXAMPLES = Path(__file__).resolve().parents[2] / 'examples'
ASKED = CaptureEmotion.Goal(lock_seconds=1.0, min_confidence=0.3, face_timeout=30.0, speech_timeout=30.0)
CAPTURE_S = 60.0


def label(probs: EmotionProbs) -> str:
    return EMOTIONS[int(np.argmax(probs.probabilities))]


@pytest.fixture(scope='module')
def happy(pairs, tmp_path_factory):  # noqa: F811
    """A face that smiles and a voice, again and again."""
    folder = tmp_path_factory.mktemp('happy')
    for kind, source in (('images', ASSETS / 'portrait.jpg'), ('audio', pairs / 'audio' / '0.flac')):
        (folder / kind).mkdir()
        (folder / kind / source.name).symlink_to(source)
    return folder


def test_capture_examples_and_a_killed_node(ros, pairs, happy):  # noqa: F811
    with graph(
        'session', f'camera:={happy}/images', f'microphone:={happy}/audio', f'params_file:={pairs}/params.yaml'
    ) as process:
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
            assert ('SUCCESS' in said) if name == 'behaviour_tree.py' else ('face and voice were captured' in said)

        feedback = []
        goal = Goal(ros.node, CaptureEmotion, 'capture_emotion', ASKED, feedback.append)
        ros.spin_until(lambda: feedback, 'a capture goes on')
        node = next(child for child in pids_of(process, ('emotion_session',)).values())
        node.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        ros.spin_until(lambda: goal.done, 'the client notices')
        assert goal.outcome.status == 'lost' and time.monotonic() - killed < 1.0


def test_game_of_two_recorded_faces(ros, pairs, tmp_path):  # noqa: F811
    frame = np.full((480, 720, 3), 110, np.uint8)
    for number, x in ((0, 20), (1, 380)):
        frame[80:400, x : x + 320] = cv2.imread(str(pairs / 'images' / f'{number}.jpg'))
    cv2.imwrite(str(tmp_path / 'two.png'), frame)
    with graph('game', f'camera:={tmp_path}', 'microphone:=null', f'params_file:={pairs}/params.yaml') as process:
        ros.spin_until(lambda: ros.node.count_publishers('emotion/faces'), 'the face node is there', START_S)
        faces = ros.collect(FaceEmotions, 'emotion/faces', qos.RESULT)
        ros.spin_until(lambda: faces and len(faces[-1].faces) == 2, 'two faces are seen', START_S)
        states = ros.collect(GameState, 'emotion/game', qos.LATCHED)
        asked = PlayGame.Goal(rounds=1, round_seconds=2.0)
        goal = Goal(ros.node, PlayGame, 'play_game', asked, discovery_s=START_S)
        ros.spin_until(lambda: goal.done, 'the game is over', CAPTURE_S)
        result = goal.outcome.result
        assert goal.outcome.succeeded and result.outcome == GameState.OUTCOME_COMPLETED
        boxes = {face.emotion.subject_id: face.box.x_offset for face in faces[-1].faces}
        first, second = result.players
        assert boxes[first.subject_id] < boxes[second.subject_id]
        assert 0 < first.round_score <= 1 and 0 < second.round_score <= 1
        expected = GameState.TIE
        if abs(first.round_score - second.round_score) >= 0.02:
            expected = GameState.PLAYER_1 if first.round_score > second.round_score else GameState.PLAYER_2
        assert result.winner == expected == states[-1].winner
        assert 'Round result: P1 ' in process.log()

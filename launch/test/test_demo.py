"""What the demo shows, by the models that ship."""

import time

import numpy as np
import pytest

from emotion_bringup.beside import open_log
from emotion_bringup.demo import STALE_S, Latest, describe_moment
from emotion_bringup.graph import LaunchError
from emotion_core.emotions import EMOTIONS
from emotion_core.store import ModelStore
from emotion_drivers import scenario
from emotion_drivers.video import open_video
from emotion_face.classifier import FaceClassifier
from emotion_face.detector import make_detector
from emotion_face.recognizer import Recognizer
from emotion_msgs.msg import EmotionProbs, FusedEmotion

DARK = 9.0, 14.2  # [s]
END_S = 14.4


def probs(label):
    return EmotionProbs(probabilities=[0.8 if emotion == label else 0.04 for emotion in EMOTIONS])


def test_voice_is_shown_for_as_long_as_the_fusion_uses_it():
    now = time.monotonic()
    fused = FusedEmotion(label='sad', face_weight=0.59, speech_weight=0.41, speech_reason='clear, 4.9 s old')
    latest = Latest((probs('happy'), now), (probs('sad'), now - 5.0), (fused, now))
    line = describe_moment(9.0, latest)
    assert 'face happy 80%' in line and 'voice sad 80%' in line and '+ 0.41 voice (clear, 4.9 s old)' in line
    latest.speech = probs('sad'), now - STALE_S['speech']
    assert 'voice –' in describe_moment(12.0, latest)


def test_log_that_cannot_be_written_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv('EMOTION_ROS_STATE', str(tmp_path))
    (tmp_path / 'demo.log').mkdir()  # as good as another user's
    with pytest.raises(LaunchError, match='cannot write .*demo.log'):
        open_log()


@pytest.fixture(scope='module')
def shown(tmp_path_factory):
    """Give the time [s] of each second picture of the scene, and what the face node says of it, or None."""
    path = tmp_path_factory.mktemp('demo') / 'scenario.mkv'
    scenario.make(path, END_S)
    store = ModelStore()
    recognizer = Recognizer(FaceClassifier(store.find('fer_compact')), make_detector(store, 'haar'))
    said = []
    for index, (position, decode) in enumerate(open_video(str(path)).pictures(0)):
        if index % 2 == 0:
            faces = recognizer.predict(decode(), 1 + position).faces
            said.append((position / 1e9, faces[0].evidence if faces else None))
    return said


def test_in_the_dark_the_face_counts_less_and_says_why(shown):
    light = [evidence for when, evidence in shown if 3.0 <= when < 7.8]
    dark = [evidence for when, evidence in shown if DARK[0] <= when < DARK[1]]
    assert all(light) and sum(map(bool, dark)) > 0.9 * len(dark), 'the face is seen in the dark as well'
    dark = [evidence for evidence in dark if evidence]
    assert np.mean([evidence.quality_reason == '' for evidence in light]) > 0.9
    assert np.mean([evidence.quality_reason in ('dark', 'noisy') for evidence in dark]) > 0.9
    qualities = [np.mean([evidence.quality for evidence in some]) for some in (light, dark)]
    assert qualities[1] < qualities[0] - 0.05, qualities

"""Who wins the game of the demo, by what the models that ship recognise."""

from random import Random

import pytest
import yaml

from emotion_bringup import demo_game
from emotion_core.store import ModelStore
from emotion_drivers import duel
from emotion_drivers.video import open_video
from emotion_face.classifier import FaceClassifier
from emotion_face.detector import make_detector
from emotion_face.recognizer import Recognizer
from emotion_game.game import Game, Outcome, Rules, Side, Sight, State

CLEAR = 0.25  # between the scores of two players; the game itself calls 0.02 a win


@pytest.fixture(scope='module')
def lap(tmp_path_factory):
    """Give both faces in each frame of the clip, as the camera would play it."""
    path = tmp_path_factory.mktemp('demo') / 'duel.mkv'
    duel.make(path)
    store = ModelStore()
    recognizer = Recognizer(FaceClassifier(store.find('fer_compact')), make_detector(store, 'haar'))
    sights = []
    for position, decode in open_video(str(path)).pictures(0):
        faces = recognizer.predict(decode(), 1 + position).faces
        boxes = [face.detection.box for face in faces]
        sights.append(
            [
                Sight(face.evidence.subject_id, x + width / 2, width * height, face.evidence.probabilities)
                for face, (x, _, width, height) in zip(faces, boxes)
            ]
        )
    assert len(sights) == duel.SECONDS * duel.RATE_HZ
    return sights


@pytest.mark.parametrize('begin', [0.0, 1.0, 2.5, 5.2])  # of the game within the clip [s], which nobody chooses
def test_each_round_is_won_clearly_by_who_shows_what_is_asked(lap, begin):
    seed = yaml.safe_load(demo_game.PARAMETERS)['/**/emotion_game']['ros__parameters']['seed']
    game, now, rounds = Game(Random(seed)), begin, {}
    game.begin(Rules(), now)
    while game.is_open:
        game.see(lap[round(now * duel.RATE_HZ) % len(lap)], now)
        game.tick(now)
        if game.state is State.SCORE:
            rounds[game.round] = game.target, game.round_winner, [player.round_score for player in game.players]
        now += 1 / duel.RATE_HZ
        assert now < begin + 120, 'the game comes to its end'
    said = [(target, winner) for target, winner, _ in rounds.values()]
    assert said == [('happy', Side.PLAYER_1), ('surprise', Side.PLAYER_2), ('angry', Side.PLAYER_1)], rounds
    for target, _, scores in rounds.values():
        assert max(scores) > 0.6 and max(scores) - min(scores) > CLEAR, (target, scores)
    assert game.outcome is Outcome.COMPLETED and game.winner is Side.PLAYER_1

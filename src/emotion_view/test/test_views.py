import numpy as np
import pytest

from emotion_core.errors import InputError
from emotion_msgs.msg import EmotionProbs, GamePlayer, GameState, SessionState
from emotion_view.canvas import FACE_COLOR, FUSED_COLOR, SPEECH_COLOR, plain
from emotion_view.drawing import PANEL_WIDTH, draw
from emotion_view.game_view import PLAYER_COLORS
from emotion_view.messages import to_face_alone, to_game_view, to_session_view
from emotion_view.scene import FaceView, FusedView, Scene

FRAME = np.full((480, 640, 3), 120, np.uint8)
LEFT, RIGHT = FaceView((100, 150, 80, 100), 'f0001', 'happy', 0.9), FaceView((400, 150, 80, 100), 'f0002', 'sad', 0.9)
HAPPY = np.array([0.02, 0.02, 0.9, 0.02, 0.02, 0.02])
SAD = np.array([0.1, 0.1, 0.1, 0.1, 0.5, 0.1])


def probs(source, probabilities):
    return EmotionProbs(source=source, subject_id='f0001', probabilities=probabilities.astype(np.float32))


def session(**fields):
    message = SessionState(active=True, subject_id='f0001', prompt='hold…', face=probs('face', HAPPY), **fields)
    message.fused.fused.source = 'fused'
    message.fused.fused.probabilities = HAPPY.astype(np.float32)
    message.fused.label, message.fused.confidence = 'happy', 0.7
    return draw(FRAME, Scene((LEFT,), fused_view(), session=to_session_view(message)))


def fused_view():
    return FusedView('f0001', 'happy', 0.9, HAPPY, HAPPY, None, 1.0, 0.0, '', '')


def game(p=(0.8, 0.4), score=(0.7, 0.3), **fields):
    players = [
        GamePlayer(name=f'player {n}', subject_id=f'f000{n}', present=True, target_probability=p[n - 1]) for n in (1, 2)
    ]
    for player, value in zip(players, score):
        player.round_score = value
    message = GameState(active=True, players=players, target='happy', round=1, rounds=3, **fields)
    return draw(FRAME, Scene((LEFT, RIGHT), game=to_game_view(message)))


def count(picture, color):
    return int((picture == np.array(color, np.uint8)).all(axis=-1).sum())


def test_ring_fills_as_the_expression_is_held():
    empty, half, full = (
        count(session(state=SessionState.WAITING_FACE, lock_progress=progress)[:, :640], FACE_COLOR)
        for progress in (0.0, 0.5, 1.0)
    )
    assert (half - empty) / (full - empty) == pytest.approx(0.5, abs=0.05)


def test_locked_ring_is_white():
    part = np.s_[:430, :640]  # without the prompt
    locked = session(state=SessionState.LOCKED, lock_progress=1.0)[part]
    waiting = session(state=SessionState.WAITING_FACE, lock_progress=1.0)[part]
    assert count(locked, FUSED_COLOR) > count(waiting, FUSED_COLOR) + 500


def test_listening_dims_the_picture_and_shows_the_level():
    quiet = session(state=SessionState.LISTENING, speaking=True, level_dbfs=-60.0)
    loud = session(state=SessionState.LISTENING, speaking=True, level_dbfs=-10.0)
    assert quiet[5, 5].max() < 60
    assert count(loud, SPEECH_COLOR) - count(quiet, SPEECH_COLOR) > 0.55 * 844 * 16


def test_result_has_the_face_on_the_left_and_the_voice_on_the_right():
    picture = session(state=SessionState.SHOW_RESULT, outcome=SessionState.OUTCOME_SUCCESS, speech=probs('speech', SAD))
    left, right = picture[130:350, :422], picture[130:350, 422:]
    assert count(left, FACE_COLOR) > 2000 and count(left, SPEECH_COLOR) == 0
    assert count(right, SPEECH_COLOR) > 2000 and count(right, FACE_COLOR) == 0


def test_failure_shows_its_sentence_alone():
    picture = session(state=SessionState.SHOW_RESULT, outcome=SessionState.OUTCOME_NO_SPEECH)
    assert count(picture, FACE_COLOR) == 0 and count(picture, (255, 255, 255)) > 100


def test_players_have_boxes_of_their_colours_where_they_are():
    picture = game(state=GameState.COUNTDOWN, seconds_left=2.4)
    assert tuple(picture[200, 100]) == PLAYER_COLORS[0] and tuple(picture[200, 400]) == PLAYER_COLORS[1]


def test_bars_are_as_long_as_the_probabilities():
    row = np.s_[447, :640]
    lengths = [
        [
            int((game(p=p, score=(0, 0), state=GameState.PLAYING)[row] == color).all(axis=-1).sum())
            for color in PLAYER_COLORS
        ]
        for p in ((0.8, 0.4), (0.4, 0.2))
    ]
    assert lengths[0] == pytest.approx([0.8 * 296, 0.4 * 296], abs=4)
    assert lengths[1] == pytest.approx([0.4 * 296, 0.2 * 296], abs=4)


def test_winner_is_written_in_the_colour_of_the_player():
    middle = np.s_[240:280, 150:500]
    first = game(state=GameState.GAMEOVER, winner=GameState.PLAYER_1)[middle]
    tie = game(state=GameState.GAMEOVER, winner=GameState.TIE)[middle]
    assert count(first, PLAYER_COLORS[0]) > 500 > count(tie, PLAYER_COLORS[0])


def test_pause_dims_the_picture():
    assert (
        game(state=GameState.PLAYING, paused=True)[300, 300].max() < 60 < game(state=GameState.PLAYING)[300, 300].max()
    )


def test_what_does_not_run_is_not_shown():
    assert to_session_view(SessionState()) is None and to_game_view(GameState()) is None


def test_time_that_is_no_number_is_refused():
    for kind, to_view in ((SessionState, to_session_view), (GameState, to_game_view)):
        with pytest.raises(InputError, match='seconds_left is inf'):
            to_view(kind(active=True, seconds_left=np.inf))


@pytest.mark.parametrize('shape', [(1, 1), (120, 160), (1080, 1920)])
def test_any_size_is_drawn(shape):
    frame = np.zeros((*shape, 3), np.uint8)
    for state in range(4):
        view = to_session_view(SessionState(active=True, state=state, prompt='…', subject_id='f0001'))
        assert draw(frame, Scene((LEFT,), session=view)).shape[0] == shape[0]
    for state in range(5):
        view = to_game_view(GameState(active=True, state=state, winner=1, round_winner=3, seconds_left=-1.0))
        picture = draw(frame, Scene((LEFT, RIGHT), game=view))
        assert picture.shape[1] == shape[1] + round(PANEL_WIDTH * max(shape[0] / 480, 0.5))


def test_accents_are_written_plainly():
    assert plain('złość → überrascht…') == 'zlosc -> uberrascht...'


def test_face_alone_has_bars_of_its_own_where_nobody_fuses():
    panel = slice(-PANEL_WIDTH, None)
    alone = draw(FRAME, Scene((LEFT,), to_face_alone(probs('face', HAPPY))))[:, panel]
    assert count(alone, FACE_COLOR) > 1.5 * count(draw(FRAME, Scene((LEFT,)))[:, panel], FACE_COLOR)

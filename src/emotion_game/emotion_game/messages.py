"""From a game to its message, and from a goal to rules."""

from dataclasses import replace

import numpy as np

from emotion_core.messages import to_evidence, to_header
from emotion_core.parameters import check
from emotion_game.game import Game, Player, Rules, Sight
from emotion_game.parameters import GameParameters
from emotion_msgs.action import PlayGame
from emotion_msgs.msg import FaceEmotion, GamePlayer, GameState


def to_rules(goal: PlayGame.Goal, parameters: GameParameters) -> Rules:
    """
    Give what a goal asks for; where it has 0 the parameters count.

    :raises ParameterError: for a value out of its range.
    """
    asked = {'rounds': int(goal.rounds), 'round_seconds': float(goal.round_seconds)}
    chosen = {name: check(GameParameters, name, value) for name, value in asked.items() if value != 0}
    return replace(parameters.rules, voice_round=goal.voice_round or parameters.voice_round, **chosen)


def to_sight(face: FaceEmotion) -> Sight:
    """
    Give one face of a frame.

    :raises InputError: when its numbers cannot be used.
    """
    evidence = to_evidence(face.emotion)
    return Sight(
        evidence.subject_id,
        face.box.x_offset + face.box.width / 2,
        float(face.box.width * face.box.height),
        np.asarray(evidence.probabilities),
    )


def to_state(game: Game, now_ns: int, prompt: str, message: str) -> GameState:
    """Give a game as a message."""
    return GameState(
        header=to_header(now_ns),
        active=game.active,
        state=int(game.state),
        paused=game.paused,
        voice_round=game.is_voice_round,
        turn=int(game.turn),
        round=game.round,
        rounds=game.rules.all_rounds,
        target=game.target if game.round else '',
        seconds_left=game.seconds_left,
        round_winner=int(game.round_winner),
        prompt=prompt,
        outcome=int(game.outcome),
        message=message,
        winner=int(game.winner),
        players=[_to_player(number, player) for number, player in enumerate(game.players, start=1)],
    )


def _to_player(number: int, player: Player) -> GamePlayer:
    return GamePlayer(
        name=f'player {number}',
        subject_id=player.subject_id,
        present=player.present,
        target_probability=player.probability,
        round_score=player.round_score,
        rounds_won=player.rounds_won,
        total_score=player.total_score,
    )

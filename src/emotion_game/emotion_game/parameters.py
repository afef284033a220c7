"""Parameters of the game node."""

from dataclasses import dataclass

from emotion_core.parameters import param
from emotion_game.game import Rules

_RULES = Rules()


@dataclass(frozen=True)
class GameParameters:
    """What a game is played by; a goal may ask for other rounds, round_seconds and voice_round."""

    rounds: int = param(_RULES.rounds, 'Best of so many rounds.', low=1, high=99)
    round_seconds: float = param(_RULES.round_seconds, 'Playing time of a round [s].', low=1.0, high=120.0)
    voice_round: bool = param(
        _RULES.voice_round, 'Add a round in which each in turn says something, when a microphone is there.'
    )
    voice_seconds: float = param(_RULES.voice_seconds, 'Time of each turn of it [s].', low=1.0, high=60.0)
    countdown_seconds: float = param(_RULES.countdown_seconds, 'From the target to the play [s].', low=0.0, high=30.0)
    score_seconds: float = param(
        _RULES.score_seconds, 'How long the score of a round is shown [s].', low=0.0, high=60.0
    )
    gameover_seconds: float = param(
        _RULES.gameover_seconds, 'How long the end of the game is shown [s].', low=0.0, high=600.0
    )
    hold_seconds: float = param(
        _RULES.hold_seconds, 'The best stretch of this length is the score of a round [s].', low=0.1, high=10.0
    )
    tie_margin: float = param(_RULES.tie_margin, 'Scores closer than this are equal.', low=0.0, high=0.5)
    players_timeout: float = param(
        _RULES.players_timeout, 'Time until two players are there [s].', low=1.0, high=3600.0
    )
    forfeit_seconds: float = param(
        _RULES.forfeit_seconds, 'Who is away for this long in one round has lost the game [s].', low=1.0, high=600.0
    )
    seed: int = param(
        0, 'Of the targets: the games after a start have the same ones each time; 0: others.', low=0, read_only=True
    )
    continuous: bool = param(False, 'Begin the next game when the end of the last was shown, without a goal.')

    @property
    def rules(self) -> Rules:
        """What a game without a goal is played by."""
        return Rules(**{name: getattr(self, name) for name in Rules.__dataclass_fields__})

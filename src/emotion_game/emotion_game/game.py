"""The rules of the game as a state machine; no ROS, and no clock but the times it is given."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from random import Random

import numpy as np

from emotion_core.emotions import EMOTIONS
from emotion_game.best_second import BestSecond

GAP_S = 1.0  # a player who is away for longer pauses the game
BLIND_S = 3.0  # so does having no frames for longer; until then the machine is slow, and nobody has left
SETTLE_S = 1.0  # the same two faces are there for this long: they are the players
NEW_ID_S = 1.0  # a face that was gone for longer comes back with a new id
PRE_ROLL_S = 0.5  # speech is said to begin this much before the first sound of it
EPSILON_S = 1e-6


class State(IntEnum):
    """Where the game is; the numbers of GameState."""

    WAITING = 0
    COUNTDOWN = 1
    PLAYING = 2
    SCORE = 3
    GAMEOVER = 4


class Side(IntEnum):
    """Who; the numbers of GameState."""

    NOBODY = 0
    PLAYER_1 = 1
    PLAYER_2 = 2
    TIE = 3


class Outcome(IntEnum):
    """How a game ended; the numbers of GameState."""

    NONE = 0
    COMPLETED = 1
    FORFEITED = 2
    NO_PLAYERS = 3
    CANCELED = 4
    PREEMPTED = 5
    NO_CAMERA = 6
    NODE_LOST = 7
    INVALID_GOAL = 8


@dataclass(frozen=True)
class Rules:
    """What a game is played by; durations in seconds."""

    rounds: int = 3
    round_seconds: float = 6.0
    voice_round: bool = False  # one more round, in which each in turn says something
    voice_seconds: float = 6.0  # of each turn
    countdown_seconds: float = 3.0
    score_seconds: float = 4.0
    gameover_seconds: float = 8.0
    hold_seconds: float = 1.0  # the best stretch of this length is the score
    tie_margin: float = 0.02
    players_timeout: float = 60.0  # until there are two
    forfeit_seconds: float = 10.0  # away in one round

    @property
    def all_rounds(self) -> int:
        """How many rounds there are at most."""
        return self.rounds + self.voice_round


@dataclass(frozen=True)
class Sight:
    """One face of a frame."""

    subject_id: str
    x: float  # centre of the face [px]
    size: float  # of the face, in any unit
    probabilities: np.ndarray  # (6,)


@dataclass
class Player:
    """One player."""

    subject_id: str = ''
    present: bool = False
    probability: float = 0.0  # of the target, now
    round_score: float = 0.0
    rounds_won: int = 0
    total_score: float = 0.0
    seen_at: float = float('-inf')
    away: float = 0.0  # in this round [s]
    best: BestSecond = field(default_factory=BestSecond)


@dataclass
class Game:
    """
    One game after another: ``begin``, then ``see``, ``hear`` and ``tick`` until it is not ``active``.

    Times are seconds of one clock. While players must be there, each second is either played, by frames with both of
    them, or charged to whoever is away, who forfeits when it is too much: so no game is without end.
    """

    random: Random = field(default_factory=Random)
    active: bool = field(default=False, init=False)
    state: State = field(default=State.WAITING, init=False)
    outcome: Outcome = field(default=Outcome.NONE, init=False)
    round: int = field(default=0, init=False)
    target: str = field(default='', init=False)
    round_winner: Side = field(default=Side.NOBODY, init=False)
    winner: Side = field(default=Side.NOBODY, init=False)
    players: tuple[Player, Player] = field(default_factory=lambda: (Player(), Player()), init=False)
    rules: Rules = field(default_factory=Rules, init=False)

    def __post_init__(self):
        """Begin at rest."""
        self.rest()

    def rest(self) -> None:
        """Go back to waiting for a game; the last target is remembered."""
        self.active, self.state, self.outcome, self.round = False, State.WAITING, Outcome.NONE, 0
        self.round_winner = self.winner = Side.NOBODY
        self.players = Player(), Player()
        self._now = self._deadline = self._played = self._accounted = 0.0
        self._both_at = self._frame_at = float('-inf')
        self._away: tuple[Player, ...] = ()
        self._candidates: tuple[str, ...] = ()
        self._candidates_since = 0.0
        self._turns: list[float] = []  # when each turn of a voice round began

    # What is to be known.

    @property
    def is_open(self) -> bool:
        """Whether a game goes on that has no outcome yet."""
        return self.active and self.outcome is Outcome.NONE

    @property
    def paused(self) -> bool:
        """Whether time stands still because a player is away."""
        return self._needs_players and self._now - self._both_at > self._longest_gap

    @property
    def is_voice_round(self) -> bool:
        """Whether this round is about voices."""
        return self.active and self.round > self.rules.rounds

    @property
    def turn(self) -> Side:
        """Whose voice counts now."""
        if not self.is_voice_round or self.state is not State.PLAYING:
            return Side.NOBODY
        return Side.PLAYER_1 if len(self._turns) == 1 else Side.PLAYER_2

    @property
    def seconds_left(self) -> float:
        """Time until this state, or this turn, is over [s]; -1: it does not end by itself."""
        if not self.active:
            return -1.0
        if self._needs_players:
            return max(self._length - self._played, 0.0)
        return max(self._deadline - self._now, 0.0)

    @property
    def _needs_players(self) -> bool:
        return self.active and self.state in (State.COUNTDOWN, State.PLAYING)

    @property
    def _longest_gap(self) -> float:
        """How long ago both players may have been seen, for the time since then to be played [s]."""
        return GAP_S if self._away else BLIND_S

    @property
    def _length(self) -> float:
        """Seconds to play in this state, or this turn."""
        if self.state is State.COUNTDOWN:
            return self.rules.countdown_seconds
        return self.rules.voice_seconds if self.is_voice_round else self.rules.round_seconds

    # What happens.

    def begin(self, rules: Rules, now: float) -> None:
        """Start a game; it waits for two players."""
        self.rest()
        self.rules, self.active, self._now = rules, True, now
        self._deadline = now + rules.players_timeout

    def end(self, outcome: Outcome, winner: Side = Side.NOBODY) -> None:
        """End the game that goes on."""
        self.outcome, self.winner, self.state = outcome, winner, State.GAMEOVER
        self._deadline = self._now + self.rules.gameover_seconds

    def see(self, sights: Sequence[Sight], now: float) -> None:
        """Take the faces of a frame."""
        if not self.is_open:
            return
        now = self._now = max(now, self._now)
        if self.state is State.WAITING:
            self._find_players(sights, now)
            return
        self._recognise(sights, now)
        if self._needs_players:
            self._account(now, is_frame=True)

    def hear(self, probabilities: np.ndarray, start: float, seconds: float) -> None:
        """
        Take evidence about a voice: in a voice round it is that of whose turn it was when it began.

        :param probabilities: Shape (6,).
        :param start: When that speech began, as far as it was looked at.
        :param seconds: How much voice there is in it.
        """
        if not self.is_open or self.state is not State.PLAYING or not self._turns or self.paused:
            return
        begun = [turn for turn in self._turns if start >= turn - PRE_ROLL_S]
        if begun and seconds >= self.rules.hold_seconds:
            player = self.players[len(begun) - 1]
            player.probability = float(probabilities[EMOTIONS.index(self.target)])
            player.round_score = max(player.round_score, player.probability)

    def tick(self, now: float) -> None:
        """Let time pass."""
        if not self.active:
            return
        now = self._now = max(now, self._now)
        if self._needs_players:
            self._account(now, is_frame=False)
            return
        if self.state is State.WAITING and now - self._frame_at > BLIND_S:
            self._candidates = ()
        if now < self._deadline:
            return
        if self.state is State.WAITING:
            self.end(Outcome.NO_PLAYERS)
        elif self.state is State.SCORE:
            self._begin_round() if self._is_undecided else self._complete()
        elif self.state is State.GAMEOVER:
            self.rest()

    def _find_players(self, sights: Sequence[Sight], now: float) -> None:
        """Take the two largest faces for the players, once they stay; left is player 1."""
        self._frame_at = now
        two = sorted(sorted(sights, key=lambda sight: -sight.size)[:2], key=lambda sight: sight.x)
        names = tuple(sight.subject_id for sight in two)
        if len(names) < 2 or set(names) != set(self._candidates):
            self._candidates, self._candidates_since = names, now
        for player in self.players:
            player.present, player.subject_id = False, ''
        for player, sight in zip(self.players, two):
            player.present, player.subject_id, player.seen_at = True, sight.subject_id, now
        if len(names) == 2 and now - self._candidates_since >= SETTLE_S:
            self._begin_round()

    def _recognise(self, sights: Sequence[Sight], now: float) -> None:
        """Find the players again: by id, and whoever was gone for long as the face that is new."""
        known = {sight.subject_id: sight for sight in sights}
        strangers = [
            sight
            for sight in sorted(sights, key=lambda sight: -sight.size)
            if sight.subject_id not in [player.subject_id for player in self.players]
        ]
        missing = [
            player for player in self.players if player.subject_id not in known and now - player.seen_at > NEW_ID_S
        ]
        for player, sight in zip(missing, sorted(strangers[: len(missing)], key=lambda sight: sight.x)):
            player.subject_id = sight.subject_id
        for player in self.players:
            sight = known.get(player.subject_id)
            player.present = sight is not None
            if sight is not None:
                player.seen_at = now
                if not self.is_voice_round and self.target:
                    player.probability = float(sight.probabilities[EMOTIONS.index(self.target)])

    def _account(self, now: float, is_frame: bool) -> None:
        """Count the time since it was last counted as played, or charge it to whoever was away."""
        seconds = now - self._accounted
        if self.paused or (is_frame and self._away):
            was_seen = now - self._frame_at <= BLIND_S
            for player in was_seen and self._away or self.players:
                player.away += seconds
            self._accounted, seconds = now, 0.0
        if is_frame:
            self._frame_at = now
            self._away = tuple(player for player in self.players if not player.present)
            if not self._away:
                self._both_at = self._accounted = now
                self._play(seconds)
        self._forfeit()

    def _play(self, seconds: float) -> None:
        """Count played seconds; 0 after a pause."""
        if self.state is State.PLAYING and not self.is_voice_round:
            left = max(self._length - self._played, 0.0)
            for player in self.players:
                player.best.add(min(seconds, left), player.probability)
                player.round_score = player.best.value
        self._played += seconds
        if self._played < self._length - EPSILON_S:
            return
        if self.state is State.COUNTDOWN:
            self.state, self._played = State.PLAYING, 0.0
            self._turns = [self._now] if self.is_voice_round else []
            for player in self.players:
                player.best = BestSecond(self.rules.hold_seconds)
                player.best.add(0.0, player.probability)
        elif len(self._turns) == 1:
            self._turns.append(self._now)
            self._played = 0.0
        else:
            self._end_round()

    def _forfeit(self) -> None:
        if not self._needs_players:
            return
        gone = [player.away >= self.rules.forfeit_seconds for player in self.players]
        if all(gone):
            self.end(Outcome.NO_PLAYERS)
        elif any(gone):
            self.end(Outcome.FORFEITED, Side.PLAYER_2 if gone[0] else Side.PLAYER_1)

    def _begin_round(self) -> None:
        self.round += 1
        self.target = self.random.choice([emotion for emotion in EMOTIONS if emotion != self.target])
        self.round_winner = Side.NOBODY
        self.state, self._played, self._accounted, self._both_at = State.COUNTDOWN, 0.0, self._now, self._now
        self._away, self._turns = (), []
        for player in self.players:
            player.round_score = player.probability = player.away = 0.0

    def _end_round(self) -> None:
        first, second = self.players
        self.round_winner = compare(first.round_score, second.round_score, self.rules.tie_margin)
        for side, player in zip((Side.PLAYER_1, Side.PLAYER_2), self.players):
            player.total_score += player.round_score
            player.rounds_won += side is self.round_winner
        self.state, self._deadline = State.SCORE, self._now + self.rules.score_seconds

    @property
    def _is_undecided(self) -> bool:
        """Whether the rounds that are left can still change who wins."""
        left = self.rules.all_rounds - self.round
        return left > 0 and abs(self.players[0].rounds_won - self.players[1].rounds_won) <= left

    def _complete(self) -> None:
        first, second = self.players
        winner = compare(first.rounds_won, second.rounds_won, 0.5)
        if winner is Side.TIE:
            winner = compare(first.total_score / self.round, second.total_score / self.round, self.rules.tie_margin)
        self.end(Outcome.COMPLETED, winner)


def compare(first: float, second: float, margin: float) -> Side:
    """Give who has more, or TIE when it is less than a margin."""
    if abs(first - second) < margin or first == second:
        return Side.TIE
    return Side.PLAYER_1 if first > second else Side.PLAYER_2

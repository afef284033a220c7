from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion_core.emotions import EMOTIONS
from emotion_game.best_second import BestSecond
from emotion_game.game import Game, Outcome, Rules, Side, Sight, State

FRAME_S = 0.04
RULES = Rules(rounds=3, round_seconds=2.0, countdown_seconds=0.5, score_seconds=0.5, voice_seconds=2.0)


def sight(name, x, target, p, size=100.0):
    probabilities = np.full(6, (1 - p) / 5)
    probabilities[EMOTIONS.index(target or 'happy')] = p
    return Sight(name, x, size, probabilities)


class Table:
    """Two players in front of a camera."""

    def __init__(self, rules=RULES, seed=1):
        self.game, self.now = Game(Random(seed)), 50.0
        self.log, self.targets = [], []
        self.game.begin(rules, self.now)

    def live(self, seconds, p1=0.8, p2=0.4, names=('f0001', 'f0002'), extra=()):
        """Show faces, None for a player who is away, for some time."""
        for _ in range(round(seconds / FRAME_S)):
            self.now += FRAME_S
            target = self.game.target
            faces = [sight(name, x, target, p) for name, x, p in zip(names, (100, 500), (p1, p2)) if p is not None]
            self.game.see([*faces, *extra], self.now)
            self.step()

    def blind(self, seconds):
        """Have no frames for some time."""
        for _ in range(round(seconds / FRAME_S)):
            self.now += FRAME_S
            self.step()

    def step(self):
        self.game.tick(self.now)
        if self.log[-1:] != [self.game.state]:
            self.log.append(self.game.state)
        if self.game.round and self.targets[-1:] != [(self.game.round, self.game.target)]:
            self.targets.append((self.game.round, self.game.target))

    def live_until(self, state, **faces):
        for _ in range(5000):
            if self.game.state is state:
                return self.game
            self.live(FRAME_S, **faces)
        raise AssertionError(f'never {state.name}, but {self.game.state.name}')


def test_best_of_three_ends_when_nobody_can_catch_up():
    table = Table(Rules(rounds=5, round_seconds=2.0, countdown_seconds=0.5, score_seconds=0.5))
    game = table.live_until(State.GAMEOVER)
    assert (game.outcome, game.winner, game.round) == (Outcome.COMPLETED, Side.PLAYER_1, 3)
    assert table.log[:6] == [State.WAITING, State.COUNTDOWN, State.PLAYING, State.SCORE, State.COUNTDOWN, State.PLAYING]
    assert [player.rounds_won for player in game.players] == [3, 0]
    assert [player.round_score for player in game.players] == pytest.approx([0.8, 0.4])
    assert game.players[0].total_score == pytest.approx(2.4)
    table.live(9.0)
    assert not game.active and game.state is State.WAITING


def test_left_is_player_1_whoever_came_first_and_strangers_do_not_count():
    table = Table()
    table.live(1.5, names=('f0007', 'f0003'), extra=[sight('f0001', 300, '', 0.5, size=20.0)])
    assert [player.subject_id for player in table.game.players] == ['f0007', 'f0003']
    assert table.game.state is State.COUNTDOWN


def test_players_who_swap_places_stay_who_they_are():
    table = Table()
    game = table.live_until(State.PLAYING)
    for _ in range(60):
        table.now += FRAME_S
        game.see([sight('f0002', 100, game.target, 0.3), sight('f0001', 500, game.target, 0.9)], table.now)
    assert game.players[0].round_score == pytest.approx(0.9)


def test_a_lucky_frame_is_no_score():
    table = Table()
    table.live_until(State.PLAYING)
    table.live(1.0, p1=0.1)
    table.live(FRAME_S, p1=1.0)
    game = table.live_until(State.SCORE, p1=0.1)
    assert game.players[0].round_score < 0.15 and game.round_winner is Side.PLAYER_2


def test_who_is_away_between_lucky_frames_has_shown_nothing_meanwhile():
    table = Table()
    game = table.live_until(State.PLAYING, p1=0.1)
    left = game.seconds_left
    for _ in range(3):
        table.live(FRAME_S, p1=1.0)
        table.live(0.6, p1=None)
        assert not game.paused  # not for long
    assert game.seconds_left == pytest.approx(left - FRAME_S) and game.players[0].away == pytest.approx(1.8, abs=0.1)
    table.live_until(State.SCORE, p1=0.1)
    assert game.players[0].round_score < 0.2 and game.players[1].round_score == pytest.approx(0.4)


def test_one_good_second_is_enough():
    table = Table()
    table.live_until(State.PLAYING)
    table.live(0.4, p1=0.1)
    table.live(1.04, p1=0.95)
    game = table.live_until(State.SCORE, p1=0.0)
    assert game.players[0].round_score == pytest.approx(0.95, abs=0.03)


def test_equal_rounds_are_ties_and_so_is_the_game():
    game = Table().live_until(State.GAMEOVER, p1=0.5, p2=0.51)
    assert (game.round, game.winner, game.round_winner) == (3, Side.TIE, Side.TIE)


@pytest.mark.parametrize(
    'rounds, won, winner',
    [
        ([(0.9, 0.2), (0.4, 0.6)], [1, 1], Side.PLAYER_1),  # as many rounds: the total decides
        ([(0.5, 0.6), (0.9, 0.1), (0.5, 0.6)], [1, 2], Side.PLAYER_2),  # more rounds, with the lower total
    ],
)
def test_rounds_decide_and_the_total_only_where_they_are_equal(rounds, won, winner):
    table = Table(Rules(rounds=len(rounds), round_seconds=2.0, countdown_seconds=0.5, score_seconds=0.5))
    for p1, p2 in rounds:
        game = table.live_until(State.PLAYING, p1=p1, p2=p2)
        assert game.turn is Side.NOBODY  # nobody's in a round of faces
        table.live_until(State.SCORE, p1=p1, p2=p2)
    table.live_until(State.GAMEOVER)
    assert ([player.rounds_won for player in game.players], game.winner) == (won, winner)


def test_who_leaves_pauses_the_round_and_may_come_back_with_a_new_id():
    table = Table()
    game = table.live_until(State.PLAYING)
    table.live(0.8)
    left = game.seconds_left
    table.live(3.0, p1=None)
    assert game.paused and game.seconds_left == pytest.approx(left)
    table.live(0.4, names=('f0009', 'f0002'))
    assert not game.paused and game.players[0].subject_id == 'f0009'
    assert table.live_until(State.SCORE, names=('f0009', 'f0002')).round_winner is Side.PLAYER_1


def test_who_stays_away_forfeits():
    table = Table()
    game = table.live_until(State.PLAYING)
    table.live(10.2, p2=None)
    assert (game.state, game.outcome, game.winner) == (State.GAMEOVER, Outcome.FORFEITED, Side.PLAYER_1)


def test_both_away_or_no_frames_is_nobodys_game():
    table = Table()
    game = table.live_until(State.PLAYING)
    table.blind(10.2)
    assert (game.outcome, game.winner) == (Outcome.NO_PLAYERS, Side.NOBODY)


def test_slow_machine_pauses_nobody():
    table = Table()
    game = table.live_until(State.PLAYING)
    for _ in range(2):
        table.blind(1.4)
        table.live(FRAME_S)
    assert game.state is State.SCORE and game.players[0].round_score == pytest.approx(0.8)


def test_one_player_alone_waits_in_vain():
    table = Table()
    table.live(60.2, p2=None)
    assert (table.game.outcome, table.game.winner) == (Outcome.NO_PLAYERS, Side.NOBODY)


def test_voice_round_counts_whose_turn_it_was_when_the_speech_began():
    table = Table(
        Rules(
            rounds=1, round_seconds=1.2, voice_round=True, voice_seconds=2.0, countdown_seconds=0.5, score_seconds=0.5
        )
    )
    table.live_until(State.SCORE, p1=0.5, p2=0.5)
    game = table.live_until(State.PLAYING)
    assert game.is_voice_round and game.turn is Side.PLAYER_1
    began = table.now

    def say(p, start, pause=0.0):
        probabilities = sight('', 0, game.target, p).probabilities
        game.hear(probabilities, start, table.now - start - pause)

    table.live(1.6)
    say(0.9, table.now - 1.2, pause=0.3)  # too little voice in it
    say(0.6, began - 5.0)  # before the turn
    assert game.players[0].round_score == 0
    table.live(0.6)
    assert game.turn is Side.PLAYER_2
    say(0.7, began)  # the end of what player 1 said comes late
    table.live(1.4)
    say(0.8, table.now - 1.2)
    assert [player.round_score for player in game.players] == pytest.approx([0.7, 0.8])
    assert table.live_until(State.GAMEOVER).winner is Side.PLAYER_2


def test_best_second_against_the_plain_definition():
    rng = np.random.default_rng(0)
    steps, values = rng.uniform(0.01, 0.5, 60), rng.uniform(0, 1, 61)
    best = BestSecond(1.0)
    best.add(0.0, values[0])
    for step, value in zip(steps, values[1:]):
        best.add(step, value)
    fine = np.repeat((values[1:] + values[:-1]) / 2, np.round(steps * 10_000).astype(int))
    integral = np.concatenate(([0.0], np.cumsum(fine))) / 10_000
    assert best.value == pytest.approx((integral[10_000:] - integral[:-10_000]).max(), abs=2e-3)


# Properties: whatever players do.

moments = st.tuples(
    st.sampled_from(('both', 'first', 'second', 'nobody', 'blind', 'stranger')),
    st.floats(0.001, 1.5),  # until then [s]
    st.floats(0, 1),
    st.floats(0, 1),
)


def play_moment(table, moment):
    who, seconds, p1, p2 = moment
    game = table.game
    table.now += seconds
    target = game.target
    faces = {
        'both': [sight('f0001', 100, target, p1), sight('f0002', 500, target, p2)],
        'first': [sight('f0001', 100, target, p1)],
        'second': [sight('f0002', 500, target, p2)],
        'nobody': [],
        'stranger': [sight('f0001', 100, target, p1), sight(f'f1{int(table.now)}', 450, target, p2)],
    }
    if who != 'blind':
        game.see(faces[who], table.now)
    if p1 > 0.5:
        game.hear(sight('', 0, target, p2).probabilities, table.now - 1.3, 1.3)
    table.step()


@settings(max_examples=25, deadline=None)
@given(st.lists(moments, min_size=1, max_size=12), st.booleans(), st.integers(1, 4))
def test_no_path_gets_stuck(pattern, voice, rounds):
    """Whatever is repeated for ever, the game ends within the time that its rules allow."""
    rules = Rules(
        rounds, 2.0, voice, 2.0, countdown_seconds=0.5, score_seconds=0.5, players_timeout=5.0, forfeit_seconds=3.0
    )
    table = Table(rules)
    longest = 5.0 + (rounds + 1) * (0.5 + 4.0 + 2 * 3.0 + 0.5 + 8 * 1.5)
    end = table.now + longest
    while table.now < end and table.game.is_open:
        for moment in pattern:
            play_moment(table, moment)
    assert table.game.outcome is not Outcome.NONE
    table.blind(9.0)
    assert not table.game.active


@settings(max_examples=40, deadline=None)
@given(st.lists(moments, min_size=20, max_size=80), st.integers(0, 9))
def test_scores_never_fall_and_targets_are_never_the_same_twice(happenings, seed):
    table = Table(seed=seed)
    table.live(1.2)
    game, before = table.game, None
    for moment in happenings:
        play_moment(table, moment)
        scores = [(player.round_score, player.total_score, player.rounds_won) for player in game.players]
        assert all(0 <= score <= 1 for score, _, _ in scores)
        if before and before[0] == game.round and game.is_open:
            assert all(now >= then for pair in zip(scores, before[1]) for now, then in zip(*pair))
        before = game.round, scores
    for (_, target), (_, following) in zip(table.targets, table.targets[1:]):
        assert target != following


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=60, max_size=60),
    st.lists(st.tuples(st.integers(0, 58), st.floats(0.01, 2.0), st.sampled_from(('first', 'second', 'nobody')))),
)
def test_pausing_never_changes_a_score(values, pauses):
    """A round with pauses, after which faces are as before, scores like the same round without them."""

    def play(pauses):
        table = Table(Rules(rounds=1, round_seconds=2.0, countdown_seconds=0.5, forfeit_seconds=1e9))
        table.live_until(State.PLAYING)
        for index, (p1, p2) in enumerate(values):
            play_moment(table, ('both', FRAME_S, p1, min(p2, 0.5)))
            for _, seconds, who in [pause for pause in pauses if pause[0] == index]:
                if table.game.state is State.PLAYING:
                    play_moment(table, (who, seconds, 0.9, 0.4))
                    play_moment(table, (who, seconds, 0.9, 0.4))
                    play_moment(table, ('both', seconds, p1, min(p2, 0.5)))
        return table.game

    plain, paused = play([]), play(pauses)
    assert plain.round == paused.round == 1 and plain.state is not State.PLAYING
    for one, other in zip(plain.players, paused.players):
        assert other.round_score == pytest.approx(one.round_score, abs=1e-6)

"""What the game says."""

from emotion_game.game import Game, Outcome, Side, State

NAMES = {Side.PLAYER_1: 'player 1', Side.PLAYER_2: 'player 2'}
ENDINGS = {
    Outcome.FORFEITED: '{loser} was away for too long: {winner} wins',
    Outcome.NO_PLAYERS: 'there were no two players in the picture',
    Outcome.CANCELED: 'the game was cancelled',
    Outcome.PREEMPTED: 'another goal took the place of this one',
    Outcome.NO_CAMERA: 'no image reaches the face node: is a camera running?',
    Outcome.NODE_LOST: 'the game node was stopped',
}


def round_result(game: Game) -> str:
    """Give the result of a round, as in 'Round result: P1 0.71 vs P2 0.46 → player 1 wins'."""
    first, second = game.players
    verdict = 'a tie' if game.round_winner is Side.TIE else f'{NAMES[game.round_winner]} wins'
    return f'Round result: P1 {first.round_score:.2f} vs P2 {second.round_score:.2f} → {verdict}'


def ending(game: Game) -> str:
    """Give the outcome of a game as a sentence."""
    if game.outcome is Outcome.COMPLETED:
        first, second = (player.rounds_won for player in game.players)
        if game.winner is Side.TIE:
            return f'{first}:{second}, a tie'
        how = ' on points' if first == second else ''
        return f'{first}:{second}, {NAMES[game.winner]} wins the game{how}'
    loser = Side.PLAYER_1 if game.winner is Side.PLAYER_2 else Side.PLAYER_2
    return ENDINGS[game.outcome].format(winner=NAMES.get(game.winner, ''), loser=NAMES[loser])


def prompt(game: Game, message: str) -> str:
    """Give what to tell the players now."""
    if not game.active:
        return 'ready to play'
    if game.state is State.WAITING:
        missing = sum(not player.present for player in game.players)
        return ('hold still…', 'one player is missing', 'two players, please')[missing]
    if game.paused:
        away = [name for name, player in zip(NAMES.values(), game.players) if not player.present]
        return f'{" and ".join(away)}, come back!' if away else 'no picture'
    if game.state is State.COUNTDOWN:
        return f'get ready to {"sound" if game.is_voice_round else "look"}: {game.target}'
    if game.state is State.PLAYING:
        return f'{NAMES[game.turn]}, say something: {game.target}' if game.turn else f'show: {game.target}'
    if game.state is State.SCORE:
        return 'a tie' if game.round_winner is Side.TIE else f'{NAMES[game.round_winner]} wins the round'
    return message

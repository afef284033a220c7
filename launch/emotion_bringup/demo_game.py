"""``emotion demo game``: one game of two recorded faces, through the whole graph."""

import tempfile
import time
from pathlib import Path

import rclpy
from rclpy.node import Node
from rich.bar import Bar
from rich.console import Console
from rich.live import Live
from rich.table import Table
from sensor_msgs.msg import Image

from emotion_bringup.beside import open_log, own_node, run_to_end, save_picture, stay_on_this_host, supervisor_of
from emotion_bringup.demo import NAMESPACE
from emotion_bringup.graph import GRAPHS, plan
from emotion_core import qos
from emotion_core.actions import Goal
from emotion_drivers import duel
from emotion_msgs.action import PlayGame
from emotion_msgs.msg import FaceEmotions, GameState

START_S = 120.0  # a loaded machine with two cores starts seven Python processes
PARAMETERS = """/**/camera:
  ros__parameters:
    loop: true
/**/emotion_game:
  ros__parameters:
    seed: 98  # happy, surprise, angry: what the recorded faces show
"""
STATES = {
    GameState.WAITING: 'waiting',
    GameState.COUNTDOWN: 'get ready',
    GameState.PLAYING: 'play',
    GameState.SCORE: 'score',
    GameState.GAMEOVER: 'game over',
}
NEXT = """
Play it yourselves, in front of a camera:
  ./emotion up game continuous:=true           a new game begins when two faces are there
  ./emotion view                               the picture in a window; space begins a game
"""


class Player:
    """Plays one game, shows how it goes, and keeps the overlay of a moment of it."""

    def __init__(self, node: Node, console: Console, wants_picture: bool):
        """Wait for the graph."""
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._shown: tuple[int, int] | None = None
        self._state: GameState | None = None
        self.picture: Image | None = None
        if wants_picture:
            node.create_subscription(Image, 'emotion/overlay', self._keep, qos.SENSOR)
        self.goal: Goal | None = None
        self._node, self._deadline = node, time.monotonic() + START_S
        node.create_subscription(FaceEmotions, 'emotion/faces', self._on_faces, qos.RESULT)
        if self._live:
            self._live.start()

    @property
    def is_over(self) -> bool:
        """Whether the game has come to its end, or no face was ever seen."""
        return self.goal.done if self.goal else time.monotonic() > self._deadline

    def close(self) -> None:
        """Leave the last picture standing."""
        if self._live:
            self._live.stop()

    def _on_faces(self, msg: FaceEmotions) -> None:
        """Begin with the first frame: the graph is up then."""
        if self.goal is None:
            asked = PlayGame.Goal(rounds=3)
            self.goal = Goal(
                self._node, PlayGame, 'play_game', asked, lambda feedback: self._show(feedback.state), START_S
            )

    def _keep(self, image: Image) -> None:
        state = self._state
        if self.picture is None and state and state.state == GameState.PLAYING and 0 < state.seconds_left < 3:
            self.picture = image

    def _show(self, state: GameState) -> None:
        self._state = state
        if (state.round, state.state) != self._shown:
            self._shown = state.round, state.state
            if state.state == GameState.COUNTDOWN:
                self._console.print(f'Round {state.round} of {state.rounds}: {state.target}', highlight=False)
            elif state.state == GameState.SCORE:
                scores = ' vs '.join(f'P{n} {player.round_score:.2f}' for n, player in enumerate(state.players, 1))
                self._console.print(
                    f'Round result: {scores} → {state.prompt.removesuffix(" the round")}', highlight=False
                )
        if self._live:
            self._live.update(_draw(state), refresh=True)


def _draw(state: GameState) -> Table:
    table = Table('', 'now', '', 'best second', 'rounds won', width=100, title_justify='left', title_style='bold')
    seconds = f', {state.seconds_left:.0f} s' if state.seconds_left >= 0 else ''
    table.title = f'{STATES[state.state]}: {state.target or state.prompt}{seconds}'
    for player in state.players:
        p = player.target_probability
        table.add_row(
            player.name, f'{p:.2f}', Bar(1.0, 0.0, p, width=30), f'{player.round_score:.2f}', str(player.rounds_won)
        )
    return table


def demo_game(picture: Path | None = None) -> int:
    """
    Play one game of recorded faces through drivers, DDS and nodes.

    :param picture: file to save the overlay of one moment to.
    :return: 0 when the game was played to its end, and the picture came of it where it was asked for.
    """
    console = Console()
    stay_on_this_host()
    with tempfile.TemporaryDirectory(prefix='emotion_demo_') as folder, open_log() as out:
        clip, params_file = Path(folder) / 'duel.mkv', Path(folder) / 'params.yaml'
        params_file.write_text(PARAMETERS)
        with console.status('drawing two faces'):
            duel.make(clip)
        values = {'camera': str(clip), 'microphone': 'null', 'namespace': NAMESPACE, 'params_file': str(params_file)}
        supervisor = supervisor_of(plan(GRAPHS['game'], values), out)
        with own_node(lambda: rclpy.create_node('player', namespace=NAMESPACE)) as node:
            player = Player(node, console, picture is not None)
            try:
                run_to_end(supervisor, node, lambda: not player.is_over)
            finally:
                player.close()
    outcome = player.goal and player.goal.outcome
    if outcome is None or not outcome.succeeded:
        why = outcome.message if outcome else 'the game did not come to its end'
        console.print(f'[red]No game:[/] {why}. What the nodes said is in {out.name}.', soft_wrap=True)
        return 1
    console.print(
        f'Game over: {outcome.message}. What the nodes said is in {out.name}.', soft_wrap=True, highlight=False
    )
    if picture is not None and not save_picture(player.picture, picture, console):
        return 1
    console.print(NEXT, highlight=False, markup=False, soft_wrap=True)
    return 0

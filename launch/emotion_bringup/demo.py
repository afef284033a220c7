"""``emotion demo``: the whole graph on a bundled scenario, with a table of what it recognises."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import rclpy
from rclpy.node import Node
from rich.bar import Bar
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text
from sensor_msgs.msg import Image

from emotion_bringup.beside import open_log, own_node, run_to_end, save_picture, stay_on_this_host, supervisor_of
from emotion_bringup.graph import GRAPHS, plan, start_of
from emotion_bringup.supervisor import Supervisor
from emotion_core import qos
from emotion_core.emotions import top
from emotion_core.messages import to_ns
from emotion_core.stamps import NS_PER_S
from emotion_drivers import scenario
from emotion_fusion.parameters import FusionParameters
from emotion_msgs.msg import EmotionProbs, FusedEmotion
from emotion_view.parameters import WebParameters
from emotion_view.web.access import HOST, free_port

NAMESPACE = 'emotion_demo'  # apart from a graph that may be running
PICTURE_AT_S = 6.5  # of the scenario: she has been speaking for a while
TAIL_S = 1.5  # after the scenario, for the last results
STALE_S = {'face': 2.0, 'speech': FusionParameters.speech_max_age, 'fused': 2.0}  # what came longer ago is not shown
VISIBLE_ROWS = 12
NEXT = """
Go on with a camera and a microphone:
  ./emotion devices                            what there is, with the values to pass
  ./emotion up camera:=0 microphone:=default   the live graph; Ctrl-C ends it
  ./emotion up web:=true                       and the page in a browser
  eval "$(./emotion env)"                      rclpy and the workspace in this shell; the ros2 tool is not
                                               among the wheels
  python examples/listen.py                    prints what is on emotion/fused, from that shell
"""


@dataclass
class Latest:
    """The newest message of each topic with its time of arrival [s, monotonic], and how many fused ones there were."""

    face: tuple[EmotionProbs, float] | None = None
    speech: tuple[EmotionProbs, float] | None = None
    fused: tuple[FusedEmotion, float] | None = None
    fused_count: int = 0

    def fresh(self, name: str) -> EmotionProbs | FusedEmotion | None:
        """Give a topic's newest message, or None when it came longer ago than its STALE_S."""
        kept = getattr(self, name)
        return kept[0] if kept and time.monotonic() - kept[1] < STALE_S[name] else None

    def listen(self, node: Node) -> None:
        """Subscribe to the results of the graph in the node's namespace."""

        def keep(name: str) -> Callable:
            def callback(message: EmotionProbs | FusedEmotion) -> None:
                setattr(self, name, (message, time.monotonic()))
                self.fused_count += name == 'fused'

            return callback

        for name, kind in (('face', EmotionProbs), ('speech', EmotionProbs), ('fused', FusedEmotion)):
            node.create_subscription(kind, f'emotion/{name}', keep(name), qos.RESULT)


def describe_label(evidence: EmotionProbs | None) -> str:
    """Give the most probable emotion, as in 'happy 81%'."""
    if evidence is None:
        return '–'
    label, probability = top(evidence.probabilities, 1)[0]
    return f'{label} {probability:.0%}'


def describe_moment(seconds: float, latest: Latest) -> str:
    """Give everything about one moment in a line."""
    fused = latest.fresh('fused')
    line = (
        f'{seconds:4.0f} s  face {describe_label(latest.fresh("face")):12}  '
        f'voice {describe_label(latest.fresh("speech")):12}  '
    )
    if fused is None:
        return line + 'fused –'
    return line + (
        f'fused {fused.label} {fused.confidence:.0%}  = {fused.face_weight:.2f} face ({fused.face_reason}) '
        f'+ {fused.speech_weight:.2f} voice ({fused.speech_reason})'
    )


def draw_now(seconds: float, latest: Latest) -> Table:
    """Give a table of what is recognised now."""
    fused = latest.fresh('fused')
    table = Table(
        '',
        'emotion',
        'quality',
        'weight',
        '',
        'why',
        width=100,
        title_justify='left',
        title_style='bold',
        title=f'{seconds:4.0f} s: {scenario.what_happens(seconds)}',
    )
    for title, name in (('face', 'face'), ('voice', 'speech')):
        evidence = latest.fresh(name)
        weight = getattr(fused, f'{name}_weight') if fused else 0.0
        reason = getattr(fused, f'{name}_reason') if fused else ''
        table.add_row(
            title,
            describe_label(evidence),
            '' if evidence is None else f'{evidence.quality:.2f}',
            f'{weight:.2f}',
            Bar(1.0, 0.0, weight, width=20),
            reason,
        )
    table.add_row('fused', '–' if fused is None else f'[bold]{fused.label} {fused.confidence:.0%}[/]', '', '', '', '')
    return table


class Board:
    """Shows moments: a live table with the last ones below it on a terminal, lines elsewhere."""

    def __init__(self, console: Console):
        """Begin with nothing."""
        self._past: list[str] = []
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        if self._live:
            self._live.start()

    def show(self, seconds: float, latest: Latest) -> None:
        """Show one more moment."""
        line = describe_moment(seconds, latest)
        if self._live is None:
            print(f'{line}    [{scenario.what_happens(seconds)}]', flush=True)
            return
        past = Text('\n'.join(self._past[-VISIBLE_ROWS:]), style='dim', no_wrap=True, overflow='ellipsis')
        self._live.update(Group(draw_now(seconds, latest), past), refresh=True)
        self._past.append(line)

    def close(self) -> None:
        """Leave the last picture standing."""
        if self._live:
            self._live.stop()


def _keep_overlay(node: Node, start: float, kept: list[Image]) -> None:
    """Keep the overlay of the moment PICTURE_AT_S, as people see it in rqt_image_view."""

    def keep(msg: Image) -> None:
        if not kept and to_ns(msg.header.stamp) >= (start + PICTURE_AT_S) * NS_PER_S:
            kept.append(msg)

    node.create_subscription(Image, 'emotion/overlay', keep, qos.SENSOR)


def _watch(supervisor: Supervisor, latest: Latest, board: Board, start: float, kept: list[Image] | None) -> None:
    """Run the graph until the scenario is over, and show each second."""
    shown = -1

    def go_on() -> bool:
        nonlocal shown
        seconds = time.time() - start
        if int(seconds) > shown and seconds >= 0:
            shown = int(seconds)
            board.show(seconds, latest)
        return seconds < scenario.SECONDS + TAIL_S

    with own_node(lambda: rclpy.create_node('watcher', namespace=NAMESPACE)) as node:
        latest.listen(node)
        if kept is not None:
            _keep_overlay(node, start, kept)
        run_to_end(supervisor, node, go_on)


def demo(picture: Path | None = None) -> int:
    """
    Play the scenario through drivers, DDS and nodes.

    :param picture: file to save the overlay of one moment to.
    :return: 1 when nothing was recognised, or no picture came of it; otherwise 0.
    """
    console = Console()
    kept: list[Image] | None = None if picture is None else []
    stay_on_this_host()
    latest = Latest()
    with tempfile.TemporaryDirectory(prefix='emotion_demo_') as folder, open_log() as out:
        clip = Path(folder) / 'scenario.mp4'
        with console.status('drawing the scenario'):
            scenario.make(clip)
        port = free_port(WebParameters.port)
        console.print(f'Watch it in a browser: http://{HOST}:{port}/', soft_wrap=True)
        values = {'camera': str(clip), 'microphone': str(clip), 'namespace': NAMESPACE}
        processes = plan(GRAPHS['multimodal'], {**values, 'web': 'true', 'web_port': str(port), 'web_address': HOST})
        board = Board(console)
        try:
            _watch(supervisor_of(processes, out), latest, board, start_of(processes), kept)
        finally:
            board.close()
    if latest.fused_count == 0:
        console.print(
            f'[red]No fused result arrived.[/] What the nodes said is in {out.name}; '
            '`./emotion doctor` looks for the cause.'
        )
        return 1
    console.print(f'{latest.fused_count} fused results. What the nodes said is in {out.name}.', soft_wrap=True)
    if kept is not None and not save_picture(next(iter(kept), None), picture, console):
        return 1
    console.print(NEXT, highlight=False, markup=False, soft_wrap=True)
    return 0

"""``emotion replay``."""

import argparse
import signal
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from emotion_core.stamps import NS_PER_S
from emotion_evaluation.bag import Bag
from emotion_evaluation.printing import say

SETTLE_S = 0.5  # from the first subscriber until all are there


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    """Play a bag to its end or a signal; gives the exit code."""
    console = Console(stderr=True)
    with Bag(options.bag) as bag:
        import rclpy
        from rclpy.signals import SignalHandlerOptions

        from emotion_evaluation.player import Player

        stop: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: stop.append(number))
        if bag.notice:
            say(console, f'{options.bag}: {bag.notice}', 'yellow')
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        try:
            player = Player(
                bag, dict(options.remap), tuple(options.topics), options.results, options.clock, options.namespace
            )
            for notice in player.notices:
                say(console, notice, 'yellow')
            player.place_ns(options.start)  # refused now, not after the wait for subscribers
            _wait(player, options.wait, stop, console)
            total = (bag.end_ns - bag.start_ns) / NS_PER_S
            end = total if options.duration is None else min(options.start + options.duration, total)
            columns = (TextColumn('{task.completed:6.1f} of {task.total:.1f} s'), BarColumn())
            with Progress(*columns, console=console) as progress:
                task = progress.add_task('', total=total, completed=options.start)

                def go_on(seconds: float) -> bool:
                    progress.update(task, completed=seconds)
                    return not stop

                worst_s = player.play(options.rate, options.start, options.duration, go_on)
                if not stop:
                    progress.update(task, completed=end)
            for topic, name in sorted(player.names.items()):
                say(console, f'{player.published.get(topic, 0):8} {name}')
            console.print(f'the latest message was {1000 * worst_s:.1f} ms late', highlight=False)
        finally:
            rclpy.try_shutdown()
    return 130 if stop else 0


def _wait(player, seconds: float, stop: list[int], console: Console) -> None:
    """Wait until somebody subscribes, so that the beginning is not lost."""
    deadline = time.monotonic() + seconds
    with console.status('waiting for subscribers'):
        while len(player.unheard()) == len(player.names) and time.monotonic() < deadline and not stop:
            time.sleep(0.05)
        if len(player.unheard()) < len(player.names):
            time.sleep(SETTLE_S)
            return
    if seconds and not stop:
        console.print(
            f'nobody subscribes to {", ".join(sorted(player.names.values()))}; publishing all the same', markup=False
        )

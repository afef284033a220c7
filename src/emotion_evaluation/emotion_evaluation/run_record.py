"""``emotion record``."""

import argparse
import shutil
import signal
import time
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from emotion_core.commands import up
from emotion_evaluation.bag_writer import BagWriter
from emotion_evaluation.printing import progress_on, say, show

IDLE_S = 0.05
HINT_S = 3.0  # without any topic


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    """Record until a signal, the end of the duration, or a full disk; gives the exit code."""
    console = Console(stderr=True)
    folder = options.out or Path(datetime.now().strftime('emotion_%Y-%m-%d_%H-%M-%S'))
    if options.scenario:
        return _write_scenario(folder, options, console)
    writer = BagWriter(folder, options.storage, options.compression)

    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.parameter import Parameter
    from rclpy.signals import SignalHandlerOptions

    from emotion_evaluation.recorder import Recorder

    stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: stop.append(number))
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    hint = f'is a graph running? {up(namespace=options.namespace)}'
    recorder = Recorder(writer, options.topics, options.namespace)
    executor = SingleThreadedExecutor()
    try:
        if options.use_sim_time:
            recorder.set_parameters([Parameter('use_sim_time', value=True)])
        executor.add_node(recorder)
        begin_s = time.monotonic()
        said = 0
        hinted = False
        say(console, f"recording to '{folder}'; Ctrl-C ends it")
        with console.status('waiting for topics') as status:
            while not stop and recorder.failure is None:
                seconds = time.monotonic() - begin_s
                if options.duration is not None and seconds >= options.duration:
                    break
                recorder.look()
                executor.spin_once(timeout_sec=IDLE_S)
                for notice in recorder.notices[said:]:
                    say(console, notice, 'yellow')
                said = len(recorder.notices)
                if not writer.topics and seconds > HINT_S and not hinted:
                    hinted = True
                    console.print(f'nothing to record yet: {hint}', highlight=False)
                if writer.topics:
                    status.update(f'{seconds:.0f} s, {recorder.received} messages of {len(writer.topics)} topics')
    finally:  # its thread would not let this process end
        recorder.end()
        executor.shutdown()
        recorder.destroy_node()
        rclpy.try_shutdown()
    show(console, _summary(writer))
    count = sum(writer.counts.values())
    if count:
        size = sum(file.stat().st_size for file in folder.iterdir())
        say(console, f"'{folder}': {count} messages, {size / 1e6:.1f} MB")
    else:  # the same command shall work when there is something to record
        shutil.rmtree(folder)
    if recorder.dropped:
        say(console, f'{recorder.dropped} messages were dropped: the disk is too slow for these topics', 'red')
    if recorder.failure is not None:
        say(console, f'emotion record: {recorder.failure}', 'red')
        return 1
    if not count:
        say(console, f'nothing was recorded: {hint}', 'red')
        return 1
    return 0


def _summary(writer: BagWriter) -> Table:
    table = Table('topic', 'type', 'messages', box=None, title_justify='left')
    for topic in sorted(writer.topics.values(), key=lambda topic: topic.name):
        table.add_row(topic.name, topic.type, str(writer.counts[topic.name]))
    return table


def _write_scenario(folder: Path, options: argparse.Namespace, console: Console) -> int:
    from emotion_evaluation import scenario_bag

    scenes = scenario_bag.SCENES
    total = sum(scene.seconds for scene in scenes)
    with progress_on(console) as progress:
        task = progress.add_task('drawing the scenario', total=total)
        scenario_bag.make(
            folder, options.data, scenes, options.storage, lambda seconds: progress.update(task, completed=seconds)
        )
    say(console, f"'{folder}' holds {total:.0f} s; next: `./emotion evaluate {folder}`")
    return 0

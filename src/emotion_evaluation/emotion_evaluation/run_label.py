"""``emotion label``: from the keyboard, live or along a bag, or from the names of bags."""

import argparse
import os
import re
import select
import signal
import sys
import tempfile
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from emotion_core.emotions import EMOTIONS, to_emotion
from emotion_core.errors import ModelError
from emotion_core.stamps import NS_PER_S
from emotion_evaluation import ground_truth
from emotion_evaluation.bag import Bag, labels_beside
from emotion_evaluation.errors import LabelError
from emotion_evaluation.ground_truth import Interval, Mark
from emotion_evaluation.printing import say

KEYS = {str(number): label for number, label in enumerate(EMOTIONS, start=1)} | {'0': '', ' ': ''}
UNDO, QUIT = 'u', 'q'
POLL_S = 0.05
HELP = '  '.join(f'{key} {label}' for key, label in KEYS.items() if label) + '   0 or space unknown   u undo   q end'


@dataclass
class Labeller:
    """Turns keys into marks."""

    subject: str
    marks: list[Mark] = field(default_factory=list)

    def press(self, key: str, now_ns: int) -> Mark | None:
        """Take a key at a time; gives the mark that comes of it, after an undo what counts instead of the mistake."""
        if key == UNDO and self.marks:
            mistake = self.marks.pop()
            return replace(mistake, label=self.marks[-1].label if self.marks else '')
        if key not in KEYS or (self.marks and self.marks[-1].label == KEYS[key]):
            return None
        mark = Mark(now_ns, self.subject, KEYS[key])
        self.marks.append(mark)
        return mark


def label_in_name(path: Path) -> str:
    """
    Give the emotion that the name of a bag tells, as in 'happy_03' or 'anna-sad'.

    :raises LabelError: when it tells none, or several.
    """
    found = set()
    for word in re.split(r'[^a-z]+', path.name.lower()):
        try:
            found.add(to_emotion(word))
        except ModelError:
            continue
    labels = sorted(label for label in found if label)
    if len(labels) != 1:
        raise LabelError(f"the name '{path.name}' tells {' and '.join(labels) or 'no emotion'}: one is needed")
    return labels[0]


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    """Label; gives the exit code."""
    console = Console(stderr=True)
    if options.names:
        return _from_names(options, console)
    if not sys.stdin.isatty():
        raise LabelError('labels are typed on a terminal: run this in one, or take them from names with --names')
    return _live(options, console) if options.bag is None else _along(options, console)


def _from_names(options: argparse.Namespace, console: Console) -> int:
    if options.out is not None and len(options.names) > 1:
        raise LabelError('each bag gets a CSV file beside it: leave -o out')
    targets = [_unwritten(options.out or labels_beside(path)) for path in options.names]
    for path, target in zip(options.names, targets):
        label = label_in_name(path)
        with Bag(path) as bag:
            _say_notice(bag, console)
            interval = Interval(bag.start_ns, bag.end_ns, options.subject, label)
            ground_truth.write_csv(target, [interval], bag.start_ns)
        say(console, f'{target}: {label}')
    return 0


def _along(options: argparse.Namespace, console: Console) -> int:
    """Label along a bag, whose time goes by here; another terminal may show it with ``emotion replay``."""
    target = _unwritten(options.out or labels_beside(options.bag))
    with Bag(options.bag) as bag:
        _say_notice(bag, console)
        begin_ns, end_ns = bag.start_ns, bag.end_ns
    total = (end_ns - begin_ns) / NS_PER_S
    labeller = Labeller(options.subject)
    console.print(HELP, highlight=False)
    origin = time.monotonic()

    def now_ns() -> int:
        return begin_ns + round((time.monotonic() - origin) * options.rate * NS_PER_S)

    for key in _keys(lambda: now_ns() < end_ns):
        if key == QUIT:
            break
        _show(console, labeller.press(key, now_ns()), (now_ns() - begin_ns) / NS_PER_S, total)
    intervals = ground_truth.intervals_of(labeller.marks, min(now_ns(), end_ns))
    ground_truth.write_csv(target, intervals, begin_ns)
    say(console, f'{_count(intervals)} in {target}')
    return 0


def _live(options: argparse.Namespace, console: Console) -> int:
    """Publish what is typed, for a recorder."""
    if options.out is not None:
        _unwritten(options.out)
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from emotion_core import qos
    from emotion_core.messages import to_header
    from emotion_msgs.msg import GroundTruth

    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node('emotion_label', namespace=options.namespace)
    # A recorder that starts later, or finds this node late, gets the label that holds then.
    publisher = node.create_publisher(GroundTruth, ground_truth.TOPIC, qos.LATCHED)
    labeller = Labeller(options.subject)
    console.print(f'{HELP}\non {publisher.topic_name}; `./emotion record` keeps it', highlight=False)
    begin_ns = node.get_clock().now().nanoseconds
    try:
        for key in _keys(lambda: True):
            if key == QUIT:
                break
            now_ns = node.get_clock().now().nanoseconds
            mark = labeller.press(key, now_ns)
            if mark is not None:
                publisher.publish(
                    GroundTruth(header=to_header(mark.stamp_ns), subject_id=mark.subject, label=mark.label)
                )
            _show(console, mark, (now_ns - begin_ns) / NS_PER_S, None)
        end_ns = node.get_clock().now().nanoseconds
        publisher.publish(GroundTruth(header=to_header(end_ns), subject_id=options.subject, label=''))
        time.sleep(0.2)  # so that it is on its way
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    if options.out is not None:
        intervals = ground_truth.intervals_of(labeller.marks, end_ns)
        ground_truth.write_csv(options.out, intervals, 0)
        say(console, f'{_count(intervals)} in {options.out}')
    return 0


def _unwritten(target: Path) -> Path:
    """Give the file back; raises LabelError where it is there, maybe with what somebody typed, or cannot be written."""
    if target.exists():
        raise LabelError(f"'{target}' is there already: remove it, or choose another file with -o")
    try:
        tempfile.TemporaryFile(dir=target.absolute().parent).close()
    except OSError as error:
        raise LabelError(f"'{target}' cannot be written: {error.strerror}; choose another file with -o") from error
    return target


def _say_notice(bag: Bag, console: Console) -> None:
    if bag.notice:
        say(console, f'{bag.path}: {bag.notice}', 'yellow')


def _count(intervals: Sequence[Interval]) -> str:
    return f'{len(intervals)} interval{"" if len(intervals) == 1 else "s"}'


def _show(console: Console, mark: Mark | None, seconds: float, total: float | None) -> None:
    if mark is not None:
        of = '' if total is None else f' of {total:.1f}'
        console.print(f'{seconds:7.1f}{of} s  {mark.label or "unknown"}', highlight=False)


def _keys(go_on: Callable[[], bool]) -> Iterator[str]:
    """Give keys as they are pressed, without Enter, until Ctrl-C, Ctrl-D, the terminal's end or ``go_on`` is false."""
    stop: list[int] = []
    with _raw_terminal(stop) as descriptor:
        while go_on() and not stop:
            if select.select([descriptor], [], [], POLL_S)[0]:
                try:
                    typed = os.read(descriptor, 32).decode(errors='ignore')
                except OSError:  # the terminal is gone
                    return
                if not typed or '\x04' in typed:
                    return
                yield from typed


@contextmanager
def _raw_terminal(stop: list[int]) -> Iterator[int]:
    """Have keys at once, and what is to end this noted rather than raised: what was typed is kept."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    handlers = {
        number: signal.signal(number, lambda got, _: stop.append(got))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        tty.setcbreak(descriptor, termios.TCSADRAIN)  # what was typed before counts, too
        yield descriptor
    finally:
        with suppress(termios.error):  # of a terminal that is gone
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)

"""What the camera and the microphone node share: a thread that captures, reconnection, the end of a file."""

import threading
import traceback
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import rclpy
from rclpy.duration import Duration

from emotion_core.errors import EmotionError
from emotion_core.node import EmotionNode
from emotion_core.stamps import NS_PER_S
from emotion_drivers.backoff import Backoff
from emotion_drivers.timeline import ClockJumped, PlayClock, Timeline

JOIN_S = 5.0  # a device that blocks for longer is left to itself
ACKNOWLEDGED_S = 1.0  # how long the last message may take to arrive before the process ends


class DriverNode(EmotionNode):
    """
    Captures in a thread of its own, so that the executor goes on answering, and publishes from there.

    Time is the node's clock: with ``use_sim_time`` a file follows the simulated one, and waits until there is one.
    A subclass says how to ``open`` its source, how to ``play`` it when it is a file, and what to ``deliver``.
    """

    def __init__(self, name: str, parameters: type):
        """Declare the parameters, see EmotionNode; their class is a DriverParameters."""
        super().__init__(name, parameters)
        self._play_clock: PlayClock | None = None
        self._thread: threading.Thread | None = None
        self._waiting = ''

    def open(self) -> Any:
        """
        Open the source: with ``capture(clock)`` when it is live, with ``duration_ns`` when it is a file.

        :raises DeviceError: when that fails; it is tried again.
        """
        raise NotImplementedError

    def play(self, source: Any, timeline: Timeline, clock: PlayClock) -> Iterator[Any]:
        """Give the items of a file when they are due."""
        raise NotImplementedError

    def deliver(self, item: Any) -> None:
        """Publish one item."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin to capture."""
        ros_clock = self.get_clock()
        self._play_clock = PlayClock(self.now_ns, lambda: ros_clock.ros_time_is_active)
        self._thread = threading.Thread(target=self._work, args=(self._play_clock,), name=self.get_name(), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End capturing."""
        if self._play_clock is not None:
            self._play_clock.stop()
        if self._thread is not None:
            self._thread.join(JOIN_S)
        self._play_clock = self._thread = None
        self._waiting = ''

    def teardown(self) -> None:
        """End capturing where nobody deactivated the node before."""
        self.stop()

    def waiting_for(self) -> str:
        """Say why nothing is captured."""
        return self._waiting

    def _work(self, clock: PlayClock) -> None:
        """Capture until stopped; whatever goes wrong is reported and tried again, at longer and longer intervals."""
        backoff = Backoff()
        start_ns = round(self.parameters.start_at * NS_PER_S)
        while not clock.stopped:
            try:
                with closing(self.open()) as source:
                    if not self._wait_for_clock(clock):
                        return
                    start_ns = start_ns or clock.now_ns()
                    for item in self._items(source, start_ns, clock):
                        if clock.stopped:
                            return
                        self.deliver(item)
                        self._waiting = ''
                        backoff.reset()
                if not clock.stopped:
                    self._end()
                return
            except ClockJumped as jump:
                start_ns = round(self.parameters.start_at * NS_PER_S)
                then = 'goes on where it is at that time' if start_ns else 'begins again'
                self.problem('clock jumped back', f'{jump}: the file {then}')
                continue
            except EmotionError as error:
                kind, sentence = 'no source', str(error)
            except Exception as error:  # the node outlives any fault of a device; the traceback says where to look
                kind, sentence = type(error).__name__, f'unexpected {error!r}\n{traceback.format_exc()}'
            if clock.stopped or not self.context.ok():
                return
            delay_s = backoff.next()
            self._waiting = sentence.splitlines()[0]
            self.problem(kind, f'{sentence}; trying again in {delay_s:.1f} s')
            clock.sleep(delay_s)

    def _items(self, source: Any, start_ns: int, clock: PlayClock) -> Iterator[Any]:
        if hasattr(source, 'capture'):
            self.get_logger().info(f"capturing '{source.name}'")
            return source.capture(clock)
        timeline = Timeline(start_ns, source.duration_ns, self.parameters.loop)
        ahead_s = (start_ns - clock.now_ns()) / NS_PER_S
        if ahead_s > 0:
            self._waiting = f"'{source.name}' starts {ahead_s:.1f} s after activation, as start_at says"
        self.get_logger().info(f"playing '{source.name}' ({source.duration_ns / NS_PER_S:.1f} s)")
        return self.play(source, timeline, clock)

    def _wait_for_clock(self, clock: PlayClock) -> bool:
        """Wait for simulated time to begin where it is used; False when stopped."""
        while clock.now_ns() == 0:
            if not clock.sleep(0.05):
                return False
        return True

    def _end(self) -> None:
        self.get_logger().info(f'end of {self.parameters.source}')
        if self.parameters.exit_at_end:
            for publisher in self.publishers:
                publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGED_S))
            self.executor.create_task(rclpy.try_shutdown)  # between two callbacks, none of which then finds it gone

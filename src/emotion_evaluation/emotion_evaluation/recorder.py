"""Records topics of a running graph to a bag."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

from emotion_evaluation.bag_writer import BagWriter
from emotion_evaluation.definitions import installed_types, message_class
from emotion_evaluation.errors import BagError
from emotion_evaluation.topics import DRAWN

# Inputs, results, ground truth and diagnostics; relative to the namespace, '*' stands for anything.
DEFAULT_TOPICS = (
    'image_raw/compressed',
    'image_raw',
    'camera_info',
    'audio_stamped',
    'audio',
    'audio_info',
    'emotion/*',
    '/diagnostics',
)
# Of the default topics the second one is not needed where the first one is.
INSTEAD_OF = {'image_raw/compressed': 'image_raw', 'audio_stamped': 'audio'}
DISCOVERY_PERIOD_S = 0.3
CHECKPOINT_PERIOD_S = 1.0
CHECKPOINT_SHARE = 1 / 2000  # of the time so far, where that is longer: the summary grows, and is written each time
DEPTH = 200  # messages of one topic that wait while this process is busy
QUEUE_BYTES = 256 << 20  # that wait for the disk; more are dropped, and counted
DRIVERS_SETTLE_S = 1.0  # after this the second choice is taken where the first has not appeared


class Recorder(Node):
    """Subscribes to what it finds, and hands the serialised messages to a thread, which alone uses the writer."""

    def __init__(self, writer: BagWriter, topics: Sequence[str] = (), namespace: str = ''):
        """
        Begin to record.

        :param topics: Names or patterns with '*', relative to the namespace; by default DEFAULT_TOPICS.
        """
        super().__init__('emotion_recorder', namespace=namespace)
        self.failure: BagError | None = None  # why it stopped writing
        self.notices: list[str] = []
        self.dropped = 0
        self.received = 0
        self._writer = writer
        self._patterns = [self._absolute(topic) for topic in topics or DEFAULT_TOPICS]
        self._left_out = [] if topics else [self._absolute(topic) for topic in DRAWN]
        self._instead_of = {} if topics else {self._absolute(b): self._absolute(a) for a, b in INSTEAD_OF.items()}
        self._seen_s: dict[str, float] = {}  # topic -> when it was first seen [s, monotonic]
        self._taken: set[str] = set()  # topics that are subscribed to, or cannot be
        self._latched_early: dict[str, bytes] = {}  # topic -> the last message that came before time began
        # What to do with the writer, and how many bytes that brings.
        self._queue: queue.SimpleQueue[tuple[int, Callable[[], None]] | None] = queue.SimpleQueue()
        self._queued_bytes = self._written_bytes = 0  # since the beginning; each is counted by one thread
        self._thread = threading.Thread(target=self._write, name='bag writer')
        self._thread.start()
        self._next_look_s = 0.0

    def look(self) -> None:
        """Subscribe to topics that have appeared; call it often."""
        now_s = time.monotonic()
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + DISCOVERY_PERIOD_S
        found = {name for name, _ in self.get_topic_names_and_types() if self.count_publishers(name)}
        for name in sorted(found - self._taken):
            if not self._is_wanted(name):
                continue
            first_choice = self._instead_of.get(name)
            waited_s = now_s - self._seen_s.setdefault(name, now_s)
            if first_choice is not None and (first_choice in found or waited_s < DRIVERS_SETTLE_S):
                continue
            self._subscribe(name)

    def end(self) -> None:
        """Write what is still waiting, and close the bag; ``failure`` says whether that went well."""
        self._queue.put(None)
        self._thread.join()

    def _absolute(self, topic: str) -> str:
        return topic if topic.startswith('/') else self.get_namespace().rstrip('/') + '/' + topic

    def _is_wanted(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._patterns) and not any(
            fnmatchcase(name, pattern) for pattern in self._left_out
        )

    def _subscribe(self, name: str) -> None:
        publishers = self.get_publishers_info_by_topic(name)
        if not publishers:
            return
        self._taken.add(name)
        kind = publishers[0].topic_type
        profiles = [publisher.qos_profile for publisher in publishers]
        try:
            message = message_class(kind)
            installed_types([kind])
        except BagError as error:
            self.notices.append(f"topic '{name}' is not recorded: {error}")
            return

        self._queue.put((0, partial(self._writer.add_topic, name, kind, [_to_qos(profile) for profile in profiles])))
        profile = _subscription_qos(profiles)
        is_latched = profile.durability == DurabilityPolicy.TRANSIENT_LOCAL

        def keep(data: bytes) -> None:
            received_ns = self.get_clock().now().nanoseconds
            if received_ns == 0:  # simulated time has not begun; what is latched counts when it does
                if is_latched:
                    self._latched_early[name] = data
                return
            while self._latched_early:
                self._enqueue(*self._latched_early.popitem(), received_ns)
            self._enqueue(name, data, received_ns)

        self.create_subscription(message, name, keep, profile, raw=True)

    def _enqueue(self, name: str, data: bytes, received_ns: int) -> None:
        if self._queued_bytes - self._written_bytes > QUEUE_BYTES:
            self.dropped += 1
            return
        self.received += 1
        self._queued_bytes += len(data)
        self._queue.put((len(data), partial(self._writer.write, name, received_ns, data)))

    def _write(self) -> None:
        begin_s = checkpoint_s = time.monotonic()
        while self.failure is None:
            try:
                item: Any = self._queue.get(timeout=CHECKPOINT_PERIOD_S)
            except queue.Empty:
                item = ()
            if item is None:
                break
            try:
                if item:
                    size, do = item
                    do()
                    self._written_bytes += size
                if time.monotonic() - checkpoint_s >= checkpoint_period_s(checkpoint_s - begin_s):
                    self._writer.checkpoint()
                    checkpoint_s = time.monotonic()
            except BagError as error:
                self.failure = error
        try:
            self._writer.close()
        except BagError as error:
            self.failure = self.failure or error


def checkpoint_period_s(recorded_s: float) -> float:
    """Give how long after a checkpoint the next one is due, so that a long recording is not busy with its summary."""
    return max(CHECKPOINT_PERIOD_S, CHECKPOINT_SHARE * recorded_s)


def _subscription_qos(profiles: Sequence[QoSProfile]) -> QoSProfile:
    """Give a profile that goes with all publishers, and gets all that they all offer."""
    reliable = all(profile.reliability == ReliabilityPolicy.RELIABLE for profile in profiles)
    latched = all(profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for profile in profiles)
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=DEPTH,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def _to_qos(profile: QoSProfile) -> Qos:
    """Give a profile as rosbags has it; the numbers of both are those of rmw."""

    def duration(value: Any) -> QosTime:
        return QosTime(*divmod(value.nanoseconds, 1_000_000_000))

    return Qos(
        QosHistory(int(profile.history)),
        profile.depth,
        QosReliability(int(profile.reliability)),
        QosDurability(int(profile.durability)),
        duration(profile.deadline),
        duration(profile.lifespan),
        QosLiveliness(int(profile.liveliness)),
        duration(profile.liveliness_lease_duration),
        profile.avoid_ros_namespace_conventions,
    )

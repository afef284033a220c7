"""Publishes the messages of a bag when they are due."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from rclpy.duration import Duration
from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Qos, QosDurability, QosReliability
from rosgraph_msgs.msg import Clock

from emotion_core.errors import InputError
from emotion_core.messages import to_stamp
from emotion_core.stamps import NS_PER_S
from emotion_evaluation import ground_truth
from emotion_evaluation.bag import Bag, Record, TopicInfo
from emotion_evaluation.definitions import installed_types, message_class
from emotion_evaluation.errors import BagError

CLOCK_TYPE, STATIC_TYPE = 'rosgraph_msgs/msg/Clock', 'tf2_msgs/msg/TFMessage'
CLOCK_PERIOD_NS = NS_PER_S // 100
DEPTH = 100
ACKNOWLEDGED_S = 1.0
LONGEST_SLEEP_S = 0.1  # so that Ctrl-C is heard when a bag goes by slowly


def is_result(kind: str) -> bool:
    """Tell whether a topic of this type is what the live graph publishes itself."""
    is_ours = kind.startswith('emotion_msgs/') and kind != ground_truth.TYPE
    return is_ours or kind == 'diagnostic_msgs/msg/DiagnosticArray'


class Player(Node):
    """Publishes some topics of a bag, perhaps under other names, and the time on /clock."""

    def __init__(
        self,
        bag: Bag,
        remaps: Mapping[str, str] | None = None,
        topics: tuple[str, ...] = (),
        with_results: bool = False,
        with_clock: bool = False,
        namespace: str = '',
    ):
        """
        Make the publishers.

        :param remaps: Topic of the bag -> name to publish it under, relative to the namespace.
        :param topics: Names or patterns of topics of the bag; by default all.
        :param with_results: Publish what an emotion graph said as well, which a live one says itself.
        :raises BagError: when a remap names no topic of the bag, or nothing is left to publish.
        """
        super().__init__('emotion_player', namespace=namespace)
        self.notices: list[str] = []
        self.published: dict[str, int] = {}
        self._bag = bag
        self._by_topic: dict[str, Any] = {}
        self._latched: list[str] = []
        remaps = dict(remaps or {})
        for name in remaps.keys() - bag.topics.keys():
            raise BagError(f"'{bag.path}' has no topic '{name}' to remap; it has {', '.join(sorted(bag.topics))}")
        for info in bag.topics.values():
            chosen = not topics or any(fnmatchcase(info.name, pattern) for pattern in topics)
            if not chosen or info.type == CLOCK_TYPE or (is_result(info.type) and not with_results):
                continue
            self._advertise(info, remaps.get(info.name, info.name))
        if not self._by_topic:
            raise BagError(
                f"there is nothing to publish of '{bag.path}': it has {', '.join(sorted(bag.topics)) or 'no topics'}"
                + ''.join(f'; {notice}' for notice in self.notices)
            )
        self._clock_pub = self.create_publisher(Clock, '/clock', 10) if with_clock else None

    @property
    def names(self) -> dict[str, str]:
        """Topic of the bag -> name that it is published under."""
        return {topic: publisher.topic_name for topic, publisher in self._by_topic.items()}

    def unheard(self) -> list[str]:
        """Give the published names that nobody subscribes to."""
        return [pub.topic_name for pub in self._by_topic.values() if pub.get_subscription_count() == 0]

    def place_ns(self, start_s: float) -> int:
        """Give the time of a place in the bag [ns]; raises BagError when the bag is over before it."""
        place_ns = self._bag.start_ns + round(start_s * NS_PER_S)
        if place_ns > self._bag.end_ns:
            length_s = (self._bag.end_ns - self._bag.start_ns) / NS_PER_S
            raise BagError(f"'{self._bag.path}' is {length_s:.1f} s long: it cannot be played from {start_s:g} s on")
        return place_ns

    def play(
        self,
        rate: float = 1.0,
        start_s: float = 0.0,
        duration_s: float | None = None,
        go_on: Callable[[float], bool] = lambda seconds: True,
    ) -> float:
        """
        Publish until the end.

        :param rate: Times real time.
        :param start_s: Begin this long after the beginning of the bag; latched messages from before are published.
        :param duration_s: Of the bag's time; by default to its end.
        :param go_on: Asked now and then with the bag's time [s]; False stops.
        :return: The worst lateness of a message [s].
        :raises BagError: where the bag is damaged, or over before ``start_s``.
        """
        begin_ns = self.place_ns(start_s)
        end_ns = self._bag.end_ns + 1 if duration_s is None else begin_ns + round(duration_s * NS_PER_S)
        self._tick(begin_ns)
        self._publish_latched(begin_ns)
        origin_s = time.monotonic()
        clock_ns, worst_s = begin_ns, 0.0

        def due_s(ns: int) -> float:
            return origin_s + (ns - begin_ns) / NS_PER_S / rate

        for record in self._read(self._by_topic, begin_ns, end_ns):
            while clock_ns < record.received_ns:
                self._tick(clock_ns)
                if not go_on((clock_ns - self._bag.start_ns) / NS_PER_S):
                    return worst_s
                clock_ns = min(clock_ns + CLOCK_PERIOD_NS, record.received_ns)
                while (wait_s := due_s(clock_ns) - time.monotonic()) > 0:
                    if not go_on((clock_ns - self._bag.start_ns) / NS_PER_S):
                        return worst_s
                    time.sleep(min(wait_s, LONGEST_SLEEP_S))
            self._tick(record.received_ns)  # so that the nodes' time when they get it is that when it was got first
            worst_s = max(worst_s, time.monotonic() - due_s(record.received_ns))
            self._by_topic[record.topic].publish(record.data)
            self.published[record.topic] = self.published.get(record.topic, 0) + 1
        for publisher in self._by_topic.values():
            publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGED_S))
        return worst_s

    def _read(self, topics: Collection[str], start_ns: int | None, end_ns: int) -> Iterator[Record]:
        """Give the messages of topics, without those that are of another type than their publisher."""
        kinds = {name: info.type for name, info in self._bag.topics.items()}
        return (item for item in self._bag.read(topics, start_ns, end_ns) if item.type == kinds[item.topic])

    def _tick(self, now_ns: int) -> None:
        if self._clock_pub is not None:
            self._clock_pub.publish(Clock(clock=to_stamp(now_ns)))

    def _publish_latched(self, begin_ns: int) -> None:
        holding: dict[tuple[str, object], Record] = {}
        for record in self._read(self._latched, None, begin_ns):
            key = record.topic, self._about(record)
            holding.pop(key, None)  # so that they come in the order in which they came
            holding[key] = record
        for record in holding.values():
            self._by_topic[record.topic].publish(record.data)

    def _about(self, record: Record) -> object:
        """Give what a latched message is about: a later one about the same takes its place."""
        if record.type == STATIC_TYPE:
            return record.data  # of several broadcasters, each with frames of its own
        if record.type == ground_truth.TYPE:
            try:
                return self._bag.deserialize(record).subject_id
            except InputError:  # damaged
                return record.data
        return None

    def _advertise(self, info: TopicInfo, name: str) -> None:
        try:
            message = message_class(info.type)
            is_same = self._bag.type_digest(info.type) == installed_types([info.type]).hash_rihs01(info.type)
        except (BagError, KeyError) as error:
            self.notices.append(f"topic '{info.name}' is not played: {error}")
            return
        if not is_same:
            self.notices.append(
                f"topic '{info.name}' is not played: the bag's {info.type} has other fields than the installed one"
            )
            return
        if info.name.startswith('/') and name == info.name and self.get_namespace() != '/':
            name = info.name.lstrip('/')
        try:
            self._by_topic[info.name] = self.create_publisher(message, name, _publisher_qos(info.qos))
        except NameValidationException:  # one of another middleware, or of ROS 1
            self.notices.append(f"topic '{info.name}' is not played: '{name}' is no name of ROS; --remap gives it one")
            return
        if info.other_types:
            others = ', '.join(info.other_types)
            self.notices.append(f"topic '{info.name}' has several types: it is played as {info.type}, without {others}")
        if _is_latched(info.qos):
            self._latched.append(info.name)


def _is_latched(profiles: tuple[Qos, ...]) -> bool:
    return bool(profiles) and all(profile.durability == QosDurability.TRANSIENT_LOCAL for profile in profiles)


def _publisher_qos(profiles: tuple[Qos, ...]) -> QoSProfile:
    """Give what was offered when the bag was recorded: reliable where that is not known, for it serves everybody."""
    best_effort = bool(profiles) and all(profile.reliability == QosReliability.BEST_EFFORT for profile in profiles)
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=DEPTH,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if _is_latched(profiles) else DurabilityPolicy.VOLATILE,
    )

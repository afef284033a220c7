"""Actions with one goal at a time, and a client that notices when the server is gone."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient, ActionServer, CancelResponse, GoalResponse
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import LivelinessPolicy, QoSProfile
from rclpy.task import Future
from std_msgs.msg import Empty

from emotion_core.node import EmotionNode

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

# The middleware of a server says on this topic that its process lives; nothing is published there.
ALIVE = QoSProfile(
    depth=1, liveliness=LivelinessPolicy.AUTOMATIC, liveliness_lease_duration=Duration(nanoseconds=500_000_000)
)
TICK_S = 0.05  # of a client that waits
LONGEST_TICK_S = 0.15  # that counts: a client that was busy elsewhere does not blame the server
SILENCE_S = 0.7  # without an answer or feedback: the server is gone,
HANG_S = 5.0  # or where the middleware says that its process lives, it hangs
LAST_WORDS_S = 0.3  # the same where the middleware says that its process is gone
DISCOVERY_S = 5.0  # until a server must have been found


class Ending(Enum):
    """How a goal ends, as its server sees it."""

    SUCCEEDED = 'succeed'
    ABORTED = 'abort'
    CANCELED = 'canceled'


class ExclusiveServer:
    """An action server that works on one goal at a time: a new goal takes the place of the old one."""

    def __init__(
        self, node: EmotionNode, kind: type, name: str, make_room: Callable[[], None], begin: Callable[[Any], None]
    ):
        """
        Offer the action.

        :param make_room: Ends what goes on; calls ``finish`` for it.
        :param begin: Starts on a goal.
        """
        self._node, self._kind = node, kind
        self._make_room, self._begin = make_room, begin
        self._current: tuple[Any, Future] | None = None
        self._alive = node.create_publisher(Empty, f'{name}/_alive', ALIVE)
        self._server = ActionServer(
            node,
            kind,
            name,
            self._execute,
            goal_callback=self._on_goal,
            cancel_callback=lambda handle: CancelResponse.ACCEPT,
        )

    @property
    def is_cancel_requested(self) -> bool:
        """Whether the client of the present goal has asked for its end."""
        return self._current is not None and self._current[0].is_cancel_requested

    def give_feedback(self, **fields: Any) -> None:
        """Send feedback to the client of the present goal, if there is one."""
        if self._current is not None:
            self._current[0].publish_feedback(self._kind.Feedback(**fields))

    def finish(self, ending: Ending, **fields: Any) -> None:
        """End the present goal, if there is one, with this result."""
        if self._current is not None:
            (_, done), self._current = self._current, None
            done.set_result((ending, self._kind.Result(**fields)))

    def destroy(self) -> None:
        """Offer the action no more."""
        self._server.destroy()
        self._node.destroy_publisher(self._alive)

    def _on_goal(self, goal: Any) -> GoalResponse:
        if self._node.active:
            return GoalResponse.ACCEPT
        self._node.get_logger().warning('a goal is refused: the node is not active')
        return GoalResponse.REJECT

    async def _execute(self, handle: Any) -> Any:
        self._make_room()
        done = Future()
        self._current = handle, done
        self._begin(handle.request)
        ending, result = await done
        if ending is Ending.CANCELED and not handle.is_cancel_requested:
            ending = Ending.ABORTED  # the client did not ask for it
        getattr(handle, ending.value)()
        return result


@dataclass(frozen=True)
class GoalOutcome:
    """What a client gets in the end."""

    status: str  # 'succeeded', 'aborted', 'canceled', 'rejected', or 'lost': the server is not there
    result: Any | None  # of the action; None when rejected or lost
    message: str  # why, as a sentence

    @property
    def succeeded(self) -> bool:
        """Whether the goal was reached."""
        return self.status == 'succeeded'


_STATUS = {
    GoalStatus.STATUS_SUCCEEDED: 'succeeded',
    GoalStatus.STATUS_ABORTED: 'aborted',
    GoalStatus.STATUS_CANCELED: 'canceled',
}


class Goal:
    """
    One goal of ``capture_emotion`` or ``play_game``; its ``future`` always comes to a GoalOutcome.

    rclpy's own client waits for ever when the server dies. This one notices within a second, by the middleware, or
    after HANG_S by feedback that stops: these servers send it ten times a second.
    """

    def __init__(
        self,
        node: Node,
        kind: type,
        name: str,
        goal: Any,
        on_feedback: Callable[[Any], None] = lambda feedback: None,
        discovery_s: float = DISCOVERY_S,
    ):
        """
        Send the goal as soon as a server is there.

        :param node: Whose executor spins.
        :param kind: The action's type.
        :param name: The action's name.
        :param on_feedback: Called with each feedback.
        :param discovery_s: How long to wait for a server [s].
        """
        self.future = Future()
        self._node, self._goal, self._on_feedback = node, goal, on_feedback
        self._client = ActionClient(node, kind, name)
        self._name = node.resolve_topic_name(name)
        self._silence_s = SILENCE_S
        self._alive = node.create_subscription(
            Empty,
            f'{name}/_alive',
            lambda msg: None,
            ALIVE,
            event_callbacks=SubscriptionEventCallbacks(liveliness=self._on_liveliness),
        )
        self._handle = None
        self._is_sent = self._is_cancelled = False
        self._patience_s, self._ticked = discovery_s, time.monotonic()
        self._timer = node.create_timer(TICK_S, self._on_tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    @property
    def done(self) -> bool:
        """Whether there is an outcome."""
        return self.future.done()

    @property
    def outcome(self) -> GoalOutcome | None:
        """The outcome, or None while the goal goes on."""
        return self.future.result() if self.done else None

    def cancel(self) -> None:
        """Ask for the end; the outcome says how it came. Where there is one already, it stays."""
        if self.done:
            return
        self._is_cancelled = True
        if self._handle is not None:
            self._handle.cancel_goal_async()
        elif not self._is_sent:
            self._end('canceled', None, 'canceled before a server was found')

    def _on_tick(self) -> None:
        if self.done:
            self._node.destroy_timer(self._timer)
            self._client.destroy()
            self._node.destroy_subscription(self._alive)
            return
        if not self._is_sent and self._client.server_is_ready():
            # The first answer of a busy machine may take long; when the server dies meanwhile, the middleware says so.
            self._is_sent, self._patience_s = True, HANG_S
            sending = self._client.send_goal_async(self._goal, feedback_callback=self._take_feedback)
            sending.add_done_callback(self._on_answer)
        now = time.monotonic()
        self._patience_s -= min(now - self._ticked, LONGEST_TICK_S)
        self._ticked = now
        if self._patience_s <= 0:
            self._end(
                'lost',
                None,
                f'the server of {self._name} is gone'
                if self._is_sent
                else f'nobody offers {self._name}: is its node running?',
            )

    def _on_liveliness(self, change: Any) -> None:
        # It may be about another server of that name, which was killed before: feedback proves that ours lives.
        self._silence_s = HANG_S if change.alive_count > 0 else LAST_WORDS_S  # Fast DDS may say -1
        if self._is_sent:
            self._hear()

    def _hear(self) -> None:
        self._patience_s = self._silence_s

    def _on_answer(self, answer: Future) -> None:
        if self.done:
            return
        self._hear()
        self._handle = answer.result()
        if not self._handle.accepted:
            self._end('rejected', None, f'the server of {self._name} refuses the goal: is its node active?')
            return
        if self._is_cancelled:
            self._handle.cancel_goal_async()
        self._handle.get_result_async().add_done_callback(self._on_result)

    def _take_feedback(self, message: Any) -> None:
        if not self.done:
            self._hear()
            self._on_feedback(message.feedback)

    def _on_result(self, answer: Future) -> None:
        if not self.done:
            response = answer.result()
            status = _STATUS.get(response.status, 'aborted')
            self._end(status, response.result, response.result.message)

    def _end(self, status: str, result: Any | None, message: str) -> None:
        self.future.set_result(GoalOutcome(status, result, message))

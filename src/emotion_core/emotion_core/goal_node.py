"""The base of a node that works on one goal of an action at a time, and shows everybody how it goes."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Protocol

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from std_srvs.srv import Trigger

from emotion_core import qos
from emotion_core.actions import Ending, ExclusiveServer
from emotion_core.errors import EmotionError
from emotion_core.node import EmotionNode

TICK_S = 0.06  # also of what is published: more often than ten times a second
BEATING_S = 2.5  # a node whose diagnostics came within this is alive


class Course(Protocol):
    """What a goal sets going: a session, a game."""

    active: bool  # it goes on, or its end is shown
    outcome: IntEnum

    @property
    def is_open(self) -> bool:
        """Whether it goes on and has no outcome yet."""

    def rest(self) -> None:
        """Go back to waiting for a goal."""


class GoalNode(EmotionNode):
    """
    A node with a Course, which the goals of an action set going, or with the parameter ``continuous`` none.

    A new goal takes the place of the old one. What goes on ends, always with a sentence, when its client or anybody
    else asks for it, when the node stops, and when its clock jumps back or stands still.

    The subclass calls ``serve`` in its ``setup``, ``end`` and ``publish`` where something happens, and overrides
    ``begin``, ``conclude``, ``go_on``, ``sentence``, ``summary`` and ``state``.
    """

    outcomes: type[IntEnum]  # with CANCELED, PREEMPTED, NODE_LOST and INVALID_GOAL among them
    successes: frozenset[IntEnum]  # those with which the goal is reached

    # What a subclass overrides.

    def begin(self, goal: Any | None) -> None:
        """Set the course going, by the parameters alone where there is no goal; raise EmotionError for a bad goal."""
        raise NotImplementedError

    def conclude(self, outcome: IntEnum) -> None:
        """Give the course, which is open, an outcome."""
        raise NotImplementedError

    def go_on(self) -> None:
        """Let time pass for the course, which is active."""
        raise NotImplementedError

    def sentence(self, outcome: IntEnum) -> str:
        """Give an outcome as a sentence."""
        raise NotImplementedError

    def summary(self, message: str) -> str:
        """Give what came of it for the log; ``message`` is its sentence."""
        raise NotImplementedError

    def state(self, message: str) -> Any:
        """Give the state as its message; the fields of the action's result are among its fields."""
        raise NotImplementedError

    # What a subclass calls.

    def serve(
        self, course: Course, noun: str, action: str, action_type: type, topic: str, state: type, needs: Sequence[str]
    ) -> None:
        """
        Offer the action, the service that ends what goes on, and the latched state.

        :param noun: What it is called in sentences, and in the name of the service, ``abort_<noun>``.
        :param needs: Nodes beside this one, whose diagnostics say why nothing comes of them.
        """
        self._course, self._noun = course, noun
        self._message = ''
        self._complaints = {self._beside(node): '' for node in needs}
        self._states = self.advertise(state, topic, qos.LATCHED)
        self.subscribe(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.RESULT, in_order=False)
        self.offer(Trigger, f'abort_{noun}', self._on_abort)
        self._action_type = action_type
        self._action = self.keep(ExclusiveServer(self, action_type, action, self._make_room, self._begin))
        self.every(TICK_S, self._on_tick, steady=True)

    def end(self, outcome: IntEnum, message: str = '') -> None:
        """Give the course its outcome, where it has none, and tell its client and the log, once."""
        if self._course.is_open:
            self.conclude(outcome)
        elif self._message or not self._course.active:
            return
        self._message = message or self.sentence(outcome)
        state = self.publish()
        if outcome in self.successes:
            ending = Ending.SUCCEEDED
        else:
            ending = Ending.CANCELED if outcome is self.outcomes.CANCELED else Ending.ABORTED
        fields = self._action_type.Result.get_fields_and_field_types()
        self._action.finish(ending, **{name: getattr(state, name) for name in fields})
        self.get_logger().info(self.summary(self._message))
        self.health.count(f'outcome {outcome.name.lower()}')

    def settle(self) -> None:
        """Tell, once, of an outcome that the course has come to by itself."""
        if self._course.active and not self._course.is_open:
            self.end(self._course.outcome)

    def publish(self) -> Any:
        """Give the state to the topic and to the client, the same to both; returns it."""
        if not self._course.active:
            self._message = ''
        state = self.state(self._message)
        self._states.publish(state)
        self._action.give_feedback(state=state)
        return state

    def why_silent(self, node: str, outcome: IntEnum) -> tuple[IntEnum, str]:
        """Say why nothing comes of a node: it is gone, or it is there with this outcome and what it says itself."""
        name = self._beside(node)
        if self.health.seconds_since(f'diagnostics of {name}') > BEATING_S:
            return self.outcomes.NODE_LOST, f'the node {name} is gone: nothing of it on /diagnostics'
        return outcome, self._complaints[name]

    # Lifecycle.

    def start(self) -> None:
        """Say that it waits for a goal."""
        self.publish()

    def stop(self) -> None:
        """End what goes on, so that nobody waits for it."""
        self._break_off()

    def teardown(self) -> None:
        """As ``stop``, when the process ends while something goes on."""
        if self.context.ok() and hasattr(self, '_course') and self._course.active:
            self._break_off()

    def reset(self) -> None:
        """End what goes on by a clock that jumped back."""
        self._break_off('the clock jumped back')

    # The rest.

    def _break_off(self, reason: str = '') -> None:
        """End what goes on at once, without showing what came of it."""
        self.end(self.outcomes.NODE_LOST, reason)
        self._course.rest()
        self.publish()

    def _make_room(self) -> None:
        if self._course.is_open:
            self.end(self.outcomes.PREEMPTED)

    def _begin(self, goal: Any | None) -> None:
        self._message = ''
        try:
            self.begin(goal)
        except EmotionError as error:
            self.begin(None)
            self.end(self.outcomes.INVALID_GOAL, str(error))
            return
        self.publish()

    def _on_abort(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self.active and self._course.is_open
        response.message = f'the {self._noun} is ended' if response.success else f'no {self._noun} goes on'
        if response.success:
            self.end(self.outcomes.CANCELED, f'the {self._noun} was ended with abort_{self._noun}')
        return response

    def _on_tick(self) -> None:
        stopped = self.stopped_clock()
        if not self._course.active:
            if self.parameters.continuous and not stopped and not self.waiting_for():
                self._begin(None)
            return
        if stopped:
            return self._break_off(stopped)
        if self._course.is_open and self._action.is_cancel_requested:
            self.end(self.outcomes.CANCELED)
        self.go_on()
        self.settle()
        self.publish()

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name in self._complaints:
                self.health.count(f'diagnostics of {status.name}')
                self._complaints[status.name] = '' if status.level == DiagnosticStatus.OK else status.message

    def _beside(self, node: str) -> str:
        """Give the full name of a node in our namespace, as diagnostics have it."""
        return f'{self.get_namespace().strip("/")}/{node}'.lstrip('/')

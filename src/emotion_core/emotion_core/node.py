"""The base of every node: parameters, lifecycle with autostart, diagnostics, and callbacks that survive bad input."""

import signal
import time
import traceback
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions

from emotion_core.errors import EmotionError, InputError
from emotion_core.health import Health
from emotion_core.messages import to_ns
from emotion_core.parameters import Description, ParameterError, check, describe
from emotion_core.stamps import NS_PER_S, Newest

DIAGNOSTICS_PERIOD_S = 1.0
STOPPED_S = 3.0  # simulated time that has not gone on for as long stands still
INFINITE = 1e15  # bound of a range that has only one side, in a ROS parameter descriptor


def _descriptor(description: Description) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        description=description.doc,
        read_only=description.read_only,
        dynamic_typing=description.type in (float, str),  # so that 1 is taken for 1.0, and 0 for '0'
    )
    if description.choices:
        descriptor.additional_constraints = 'one of: ' + ', '.join(description.choices)
    if description.low is not None or description.high is not None:
        low = -INFINITE if description.low is None else description.low
        high = INFINITE if description.high is None else description.high
        if description.type is int:
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=0)]
        else:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)
            ]
    return descriptor


class EmotionNode(LifecycleNode):
    """
    A lifecycle node that a subclass fills with wiring.

    The subclass overrides ``setup`` (configure: load models, make publishers and subscriptions), ``teardown``
    (clean-up: let go of them), and where it needs them ``start``, ``stop``, ``apply`` and ``reset``. What ``setup``
    and ``start`` raise fails the transition with its sentence on the log and on /diagnostics.
    """

    def __init__(self, name: str, parameters: type):
        """
        Declare the parameters.

        :param name: Default name of the node.
        :param parameters: Frozen dataclass made with ``emotion_core.parameters.param``.
        """
        super().__init__(name)
        self.health = Health()
        self.active = False
        self._failure = ''
        self._refused: list[str] = []  # what was wrong with parameters at start
        self._newest = Newest()
        self._time = 0, time.monotonic()  # of the node's clock, and since when it has been that
        self._made: list[tuple[Callable, Any]] = []
        autostart = ParameterDescriptor(
            description='Configure and activate at start, without a lifecycle manager.', read_only=True
        )
        self._declare('autostart', True, autostart, lambda value: value)
        self.parameters = parameters(
            **{
                description.name: self._declare(
                    description.name,
                    description.default,
                    _descriptor(description),
                    partial(check, parameters, description.name),
                )
                for description in describe(parameters)
            }
        )
        self.add_on_set_parameters_callback(self._validate_parameters)
        if hasattr(self, 'add_post_set_parameters_callback'):  # absent in Humble
            self.add_post_set_parameters_callback(self._apply_parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.create_timer(
            DIAGNOSTICS_PERIOD_S,
            lambda: self._outlive(self.publish_diagnostics),
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )

    def _declare(self, name: str, default: Any, descriptor: ParameterDescriptor, convert: Callable) -> Any:
        """Declare a parameter and give its value: the default, when what is given at start cannot be used."""
        writable = copy(descriptor)
        writable.read_only = False  # until it is known to be right
        try:
            value = convert(self.declare_parameter(name, default, writable).value)
        except (InvalidParameterTypeException, InvalidParameterValueException, ParameterError) as error:
            self._refused.append(f'{error}: the default {default!r} would be used')
            if self.has_parameter(name):
                self.undeclare_parameter(name)
            value = default
            self.declare_parameter(name, default, writable, ignore_override=True)
        if descriptor.read_only:
            settled = copy(self.describe_parameter(name))
            settled.read_only = True
            self.set_descriptor(name, settled)
        return value

    # What a subclass overrides.

    def setup(self) -> None:
        """Load models, make publishers and subscriptions; raise EmotionError with a sentence when that fails."""

    def start(self) -> None:
        """Begin to work: the node is active from now on."""

    def stop(self) -> None:
        """Pause; ``start`` may follow."""

    def teardown(self) -> None:
        """Let go of what ``setup`` made; subscriptions, publishers and timers made with the base go by themselves."""

    def validate(self, parameters: Any) -> None:
        """Raise EmotionError for parameters that are in range and yet unusable; asked while the node is configured."""

    def apply(self, old: Any) -> None:
        """Take over ``self.parameters``, which differ from ``old``, while the node is configured."""

    def reset(self) -> None:
        """Forget what was built on earlier stamps: the clock jumped back."""

    def waiting_for(self) -> str:
        """Give a sentence about the input that is missing now, or ''."""
        return ''

    # What a subclass calls.

    def subscribe(
        self,
        kind: type,
        topic: str,
        callback: Callable[[Any], None],
        qos: QoSProfile,
        in_order: bool = True,
        always: bool = False,
    ) -> Any:
        """
        Subscribe with a callback that may raise.

        Messages are counted, and dropped while the node is not active, unless they are wanted ``always``. An InputError
        is counted, logged at most every few seconds and shown on /diagnostics; any other exception also, with its
        traceback. A header stamp that falls back calls ``reset``, unless the topic's stamps are not in order anyway,
        because it is about several subjects.
        """

        def guarded(msg: Any) -> None:
            if not (self.active or always):
                return
            self.health.count(f'received {topic}')
            try:
                if in_order and hasattr(msg, 'header'):
                    self._notice_jump(topic, to_ns(msg.header.stamp))
                callback(msg)
            except InputError as error:
                self.problem(error.kind, f'{topic}: {error}')
            except Exception as error:  # the node outlives any message; the traceback says where to look
                self._unexpected(error, f'{topic}: ')

        subscription = self.create_subscription(
            kind, topic, guarded, copy(qos), qos_overriding_options=QoSOverridingOptions.with_default_policies()
        )
        self._made.append((self.destroy_subscription, subscription))
        return subscription

    def unsubscribe(self, subscription: Any) -> None:
        """Let go of one subscription before clean-up."""
        self._made.remove((self.destroy_subscription, subscription))
        self.destroy_subscription(subscription)

    def advertise(self, kind: type, topic: str, qos: QoSProfile) -> Any:
        """Make a publisher that is gone again after clean-up."""
        publisher = self.create_publisher(
            kind, topic, copy(qos), qos_overriding_options=QoSOverridingOptions.with_default_policies()
        )
        self._made.append((self.destroy_publisher, publisher))
        return publisher

    def offer(self, kind: type, name: str, callback: Callable[[Any, Any], Any]) -> None:
        """Offer a service that is gone again after clean-up; where the callback fails, the response stays as it was."""

        def guarded(request: Any, response: Any) -> Any:
            try:
                return callback(request, response)
            except Exception as error:  # as in subscribe
                self._unexpected(error, f'{name}: ')
                return response

        self._made.append((self.destroy_service, self.create_service(kind, name, guarded)))

    def keep(self, entity: Any) -> Any:
        """Have something destroyed at clean-up, by its own ``destroy``; gives it back."""
        self._made.append((type(entity).destroy, entity))
        return entity

    def every(self, seconds: float, callback: Callable[[], None], steady: bool = False) -> None:
        """Call back periodically while active on the node's clock, or a steady one that simulated time cannot stop."""

        def guarded() -> None:
            if self.active:
                self._outlive(callback)

        clock = Clock(clock_type=ClockType.STEADY_TIME) if steady else self.get_clock()
        self._made.append((self.destroy_timer, self.create_timer(seconds, guarded, clock=clock)))

    def problem(self, kind: str, sentence: str) -> None:
        """Count a problem and log it, at most every few seconds for one kind."""
        if self.health.problem(kind, sentence):
            self.get_logger().warning(f'{sentence} [{kind}: {self.health.problems[kind]} so far]')

    def _outlive(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception as error:  # as in subscribe
            self._unexpected(error)

    def _unexpected(self, error: Exception, where: str = '') -> None:
        if self.context.ok():  # otherwise a signal ended the context while a callback was publishing
            self.problem(type(error).__name__, f'{where}unexpected {error!r}\n{traceback.format_exc()}')

    def now_ns(self) -> int:
        """Give the node's clock in ns; simulated where ``use_sim_time`` is set."""
        return self.get_clock().now().nanoseconds

    def stopped_clock(self) -> str:
        """Say that simulated time stands still, once it has for STOPPED_S; '' otherwise."""
        if not self.get_clock().ros_time_is_active:
            return ''
        now_ns, now = self.now_ns(), time.monotonic()
        if now_ns != self._time[0]:
            self._time = now_ns, now
        if now - self._time[1] < STOPPED_S:
            return ''
        if now_ns == 0:
            return 'use_sim_time is set, but there is no time on /clock: start what publishes it'
        return 'simulated time stands still: what publishes /clock is paused, or has ended'

    # Lifecycle: each transition reports its failure, which rclpy alone would swallow.

    def autostart(self) -> None:
        """Configure and activate, when the parameter says so."""
        if self.get_parameter('autostart').value and self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Set up; what was made so far goes again when that fails."""
        result = self._attempt('configure', self._checked_setup)
        if result != TransitionCallbackReturn.SUCCESS:
            reason = self._failure
            self._attempt('clean up', self._release)
            self._failure = reason
        return result

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start."""
        result = self._attempt('activate', self.start)
        self.active = result == TransitionCallbackReturn.SUCCESS
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop."""
        self.active = False
        return self._attempt('deactivate', self.stop)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Tear down."""
        return self._attempt('clean up', self._release)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Tear down from any state."""
        self.active = False
        return self._attempt('shut down', self._release)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured after an unexpected exception."""
        self.active = False
        return self._attempt('recover', self._release)

    def destroy_node(self) -> None:
        """Let go of everything; rclpy alone would go on offering the actions."""
        self.active = False
        self._attempt('shut down', self._release)
        super().destroy_node()

    def _attempt(self, transition: str, step: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            step()
        except EmotionError as error:
            self._failure = f'cannot {transition}: {error}'
        except Exception as error:  # rclpy would turn it into a silent FAILURE
            self._failure = f'cannot {transition}: unexpected {error!r}\n{traceback.format_exc()}'
        else:
            self._failure = ''
            return TransitionCallbackReturn.SUCCESS
        if self.context.ok() or transition == 'shut down':  # otherwise it failed because a signal ended the context
            self.get_logger().error(self._failure)
        return TransitionCallbackReturn.FAILURE

    def _checked_setup(self) -> None:
        refused, self._refused = '; '.join(self._refused), []  # said once: whoever configures again has read it
        if refused:
            refused += ': set another value and configure again'
            self.health.problem('parameter', refused)
            raise ParameterError(refused)
        self.setup()

    def _release(self) -> None:
        self.teardown()
        while self._made:
            destroy, entity = self._made.pop()
            destroy(entity)
        self._newest.forget()

    def _notice_jump(self, topic: str, stamp_ns: int) -> None:
        behind_ns = self._newest.fell_back_ns(stamp_ns, topic)
        if behind_ns:
            self.reset()
            self.problem(
                'clock jumped back',
                f'{topic}: stamps jumped back by {behind_ns / NS_PER_S:.3f} s: earlier evidence is forgotten',
            )

    # Parameters: validated before they are set, applied after.

    def _validate_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        try:
            ours = self._ours(changed)
            if ours and self._made:  # configured
                self.validate(replace(self.parameters, **ours))
        except Exception as error:  # nobody catches it around here: it would end the process
            return SetParametersResult(successful=False, reason=str(error))
        if not hasattr(self, 'add_post_set_parameters_callback'):
            self._apply_parameters(changed)
        return SetParametersResult(successful=True)

    def _ours(self, changed: list[Parameter]) -> dict[str, Any]:
        return {
            parameter.name: check(type(self.parameters), parameter.name, parameter.value)
            for parameter in changed
            if hasattr(self.parameters, parameter.name)
        }

    def _apply_parameters(self, changed: list[Parameter]) -> None:
        ours = self._ours(changed)
        if not ours:
            return
        old, self.parameters = self.parameters, replace(self.parameters, **ours)
        if self._made:  # configured
            try:
                self.apply(old)
            except Exception as error:  # a value that is in range and yet cannot be used
                self.parameters = old
                self.problem('parameter', f'cannot apply {ours}: {error}')

    def publish_diagnostics(self) -> None:
        """Publish the state of this node on /diagnostics."""
        stopped = self.stopped_clock()
        if stopped and self.active:
            self.get_logger().warning(stopped, once=True)
        waiting = (stopped or self.waiting_for()) if self.active else ''
        if self._failure:
            level, message = DiagnosticStatus.ERROR, self._failure.splitlines()[0]
        elif self.health.recent_problem:
            level, message = DiagnosticStatus.WARN, self.health.recent_problem.splitlines()[0]
        elif waiting:
            level, message = DiagnosticStatus.WARN, waiting
        else:
            level, message = DiagnosticStatus.OK, 'active' if self.active else 'not active'
        status = DiagnosticStatus(
            level=level,
            name=self.get_fully_qualified_name().lstrip('/'),
            message=message,
            hardware_id='',
            values=[KeyValue(key=key, value=value) for key, value in self.health.values().items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)


def run(node_class: type[EmotionNode], args: list[str] | None = None) -> None:
    """Run one node until it is told to end; the body of every ``main``."""
    rclpy.init(args=args)
    node = None
    try:
        node = node_class()
        node.autostart()
        rclpy.spin(node)
    except ParameterError as error:
        raise SystemExit(f'{node_class.__name__}: {error}') from error
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        if rclpy.ok():  # otherwise a signal ended the context while a callback was publishing
            raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not break the clean-up
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()

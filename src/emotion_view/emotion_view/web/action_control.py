"""Starts and cancels the goals of one action server for people at a page, whoever started them."""

from concurrent.futures import Future
from typing import Any

from action_msgs.msg import GoalStatus, GoalStatusArray
from action_msgs.srv import CancelGoal
from rclpy.action import ActionClient

from emotion_core import qos
from emotion_core.errors import EmotionError
from emotion_core.node import EmotionNode

UNDER_WAY = (GoalStatus.STATUS_ACCEPTED, GoalStatus.STATUS_EXECUTING, GoalStatus.STATUS_CANCELING)


class ControlError(EmotionError):
    """A button that does nothing now."""


class ActionControl:
    """One action; all of it runs in the node's executor."""

    def __init__(self, node: EmotionNode, kind: type, action: str, noun: str):
        """
        Look for the server.

        :param kind: Type of the action; its default goal is what ``start`` sends.
        :param noun: What a person calls it, such as 'session'.
        """
        self._node = node
        self._kind = kind
        self._noun = noun
        self._status_topic = f'{action}/_action/status'
        self._client = ActionClient(node, kind, action)
        self._canceling = node.create_client(CancelGoal, f'{action}/_action/cancel_goal')
        node.subscribe(GoalStatusArray, self._status_topic, self._on_status, qos.LATCHED)
        self._is_under_way = False
        self.server = ''  # full name of the node that runs the action, or '', when ``look`` was last called
        self._message = ''  # what came of the last button

    def close(self) -> None:
        """Let go of the server."""
        self._client.destroy()
        self._node.destroy_client(self._canceling)

    def look(self) -> bool:
        """Look for the server; gives whether there is one."""
        self.server = ''
        if self._client.server_is_ready():
            servers = self._node.get_publishers_info_by_topic(self._node.resolve_topic_name(self._status_topic))
            if servers:
                self.server = f'{servers[0].node_namespace.rstrip("/")}/{servers[0].node_name}'
        return self.server != ''

    def view(self, is_silent: bool) -> dict[str, Any]:
        """
        Give the state of the buttons: is a goal under way, why can none be started ('': one can), what came last.

        :param is_silent: The server's node says nothing any more.
        """
        if not self.server:
            reason = f'no {self._noun} node is running: start it with `./emotion up {self._noun}`'
        elif is_silent:
            reason = f'the node {self.server.strip("/")} has fallen silent'
        else:
            reason = ''
        return {'under_way': self._is_under_way and not reason, 'reason': reason, 'message': self._message}

    def start(self, done: 'Future[str]') -> None:
        """Send a goal with the server's own settings; ``done`` gets a sentence once it is accepted."""
        if not self.look():
            return done.set_exception(ControlError(self.view(False)['reason']))
        if self._is_under_way:
            return done.set_exception(ControlError(f'a {self._noun} is under way: cancel it first'))

        def on_answer(answer: Any) -> None:
            handle = answer.result()
            if not handle.accepted:
                return done.set_exception(ControlError(f'the {self._noun} node refused to start'))
            self._message = ''
            handle.get_result_async().add_done_callback(lambda result: self._on_result(result.result().result))
            done.set_result(f'the {self._noun} begins')

        self._client.send_goal_async(self._kind.Goal()).add_done_callback(on_answer)

    def cancel(self, done: 'Future[str]') -> None:
        """Cancel all goals of the server; ``done`` gets a sentence."""
        if not self.look():
            return done.set_exception(ControlError(self.view(False)['reason']))

        def on_answer(answer: Any) -> None:
            canceled = answer.result().goals_canceling
            if canceled:
                done.set_result(f'the {self._noun} is being cancelled')
            else:
                done.set_exception(ControlError(f'no {self._noun} is under way'))

        self._canceling.call_async(CancelGoal.Request()).add_done_callback(on_answer)

    def _on_status(self, msg: GoalStatusArray) -> None:
        self._is_under_way = any(status.status in UNDER_WAY for status in msg.status_list)

    def _on_result(self, result: Any) -> None:
        self._message = result.message

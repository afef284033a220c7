"""Starts the goals of one action server for people at a page, and ends them, whoever started them."""

from concurrent.futures import Future
from typing import Any

from rclpy.action import ActionClient
from std_srvs.srv import Trigger

from emotion_core.commands import up
from emotion_core.errors import EmotionError
from emotion_core.node import EmotionNode


class ControlError(EmotionError):
    """A button that does nothing now."""


class ActionControl:
    """One action and the service that aborts it; all of it runs in the node's executor."""

    def __init__(self, node: EmotionNode, noun: str, kind: type, action: str, abort: str):
        """
        Look for the server.

        :param noun: What a person calls it, such as 'session'; its state is on emotion/<noun>.
        :param kind: Type of the action; its default goal is what ``start`` sends.
        :param abort: Name of the service.
        """
        self._node = node
        self._noun = noun
        self._kind = kind
        self._client = ActionClient(node, kind, action)
        self._abort = node.create_client(Trigger, abort)
        self.server = ''  # full name of the node that runs the action, or '', when ``look`` was last called

    def close(self) -> None:
        """Let go of the server."""
        self._client.destroy()
        self._node.destroy_client(self._abort)

    def look(self) -> bool:
        """Look for the server; gives whether there is one."""
        self.server = ''
        if self._client.server_is_ready():
            topic = self._node.resolve_topic_name(f'emotion/{self._noun}')
            for server in self._node.get_publishers_info_by_topic(topic)[:1]:
                self.server = f'{server.node_namespace.rstrip("/")}/{server.node_name}'
        return self.server != ''

    def reason(self, is_silent: bool) -> str:
        """
        Say why the buttons do nothing now; '': they do.

        :param is_silent: The server's node says nothing any more.
        """
        if not self.server:
            command = up(self._noun, self._node.get_namespace())
            return f'no {self._noun} node is running: start it with {command}'
        return f'the node {self.server.strip("/")} has fallen silent' if is_silent else ''

    def start(self, done: 'Future[str]') -> None:
        """Send a goal with the server's own settings; ``done`` gets a sentence once it is accepted."""
        if not self.look():
            return done.set_exception(ControlError(self.reason(False)))

        def on_answer(answer: Any) -> None:
            if answer.result().accepted:
                done.set_result(f'the {self._noun} begins')
            else:
                done.set_exception(ControlError(f'the {self._noun} node refused to start'))

        self._client.send_goal_async(self._kind.Goal()).add_done_callback(on_answer)

    def abort(self, done: 'Future[str]') -> None:
        """End what goes on; ``done`` gets a sentence."""
        if not self.look():
            return done.set_exception(ControlError(self.reason(False)))

        def on_answer(answer: Any) -> None:
            response = answer.result()
            if response.success:
                done.set_result(response.message)
            else:
                done.set_exception(ControlError(response.message))

        self._abort.call_async(Trigger.Request()).add_done_callback(on_answer)

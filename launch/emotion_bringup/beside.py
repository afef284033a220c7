"""Runs a graph with a node of our own beside it."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import cv2
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rich.console import Console
from sensor_msgs.msg import Image

from emotion_bringup.graph import LaunchError, Process
from emotion_bringup.supervisor import Supervisor
from emotion_bringup.transport import transport_variables
from emotion_bringup.up import to_child
from emotion_core.messages import to_pixels

ON_THIS_HOST = ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
LOOK_S = 0.05  # between two questions whether to go on


def stay_on_this_host() -> None:
    """Set the environment of a graph that nobody else should see: its transport, and discovery on this host alone."""
    os.environ.update(transport_variables(os.environ))
    os.environ.setdefault(*ON_THIS_HOST)


def open_log() -> TextIO:
    """
    Open the file that takes what the nodes of a demo say.

    :raises LaunchError: when it cannot be written, as after a run of another user.
    """
    path = Path(os.environ.get('EMOTION_ROS_STATE', tempfile.gettempdir())) / 'demo.log'
    try:
        return open(path, 'w')
    except OSError as error:
        raise LaunchError(f"cannot write '{path}': {error.strerror}; is it another user's? Remove it then") from error


def supervisor_of(processes: Sequence[Process], out: TextIO) -> Supervisor:
    """Give what runs the processes of a graph in the present environment; what they say goes to a file."""
    return Supervisor([to_child(process, os.environ) for process in processes], os.environ, out)


@contextmanager
def own_node(make: Callable[[], Node]) -> Iterator[Node]:
    """Give a node of this process, whose signals are left to what runs the graph."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = make()
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def run_beside(supervisor: Supervisor, node: Node, go_on: Callable[[], bool]) -> int:
    """Run a graph and spin a node until ``go_on`` is false or the graph has ended; then end it; gives its exit code."""

    async def serve() -> int:
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        serving = asyncio.create_task(supervisor.serve())
        try:
            while not serving.done() and go_on():
                await asyncio.to_thread(executor.spin_once, timeout_sec=LOOK_S)  # ends with the first message
        finally:
            supervisor.stop()
            code = await serving
            executor.shutdown()
        return code

    return asyncio.run(serve())


def run_to_end(supervisor: Supervisor, node: Node, go_on: Callable[[], bool]) -> None:
    """
    Do what ``run_beside`` does, for something that comes to its end by itself.

    :raises KeyboardInterrupt: when a signal, such as that of Ctrl-C, ended it before.
    """
    run_beside(supervisor, node, go_on)
    if supervisor.interrupted:
        raise KeyboardInterrupt


def save_picture(overlay: Image | None, path: Path, console: Console) -> bool:
    """Write an overlay to a file, and say so; False when there is none."""
    if overlay is None:
        console.print('[red]No overlay came[/], so no picture was saved.')
        return False
    cv2.imwrite(str(path), to_pixels(overlay))
    console.print(f'the overlay is in {path}', soft_wrap=True)
    return True

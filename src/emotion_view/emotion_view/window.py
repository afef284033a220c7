"""``emotion view``: the overlay of a running graph in a window, with keys for session and game."""

import os
import sys
import time
from collections.abc import Callable

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from emotion_core import qos
from emotion_core.actions import Goal
from emotion_core.commands import up
from emotion_core.errors import EmotionError
from emotion_core.messages import to_pixels
from emotion_msgs.action import CaptureEmotion, PlayGame

TITLE = 'emotion'
SIZE = 844, 480  # px, until a picture comes
RATE_HZ = 30
SAID_S = 4.0  # how long a line of text stays
SILENT_S = 2.0
BACKGROUND, TEXT = (22, 24, 28), (255, 255, 255)
SCREENS = ('DISPLAY', 'WAYLAND_DISPLAY', 'SDL_VIDEODRIVER')  # variables, one of which is set where there is a screen
BLIND_DRIVERS = 'offscreen', 'dummy'  # of SDL, which takes them where no screen answers: nobody sees their window
KEYS = 'c capture   space play   a abort   q quit'


class WindowError(EmotionError):
    """There is no screen to open a window on."""


class Viewer:
    """Keeps the newest picture and does what keys ask for; knows no window."""

    def __init__(self, node: Node):
        """Subscribe to the overlay."""
        self._node = node
        self.picture: np.ndarray | None = None  # uint8 of shape (height, width, 3), BGR
        self.said = ''
        self._said_at = self._drawn_at = time.monotonic()
        self._goal: Goal | None = None
        self._aborts = [node.create_client(Trigger, name) for name in ('abort_capture', 'abort_game')]
        node.create_subscription(Image, 'emotion/overlay', self._on_picture, qos.SENSOR)
        self.keys: dict[str, Callable[[], None]] = {'c': self.capture, 'space': self.play, 'a': self.abort}

    @property
    def caption(self) -> str:
        """What to tell the user now: what a key did, or what is missing; '' while all is well."""
        now = time.monotonic()
        if now - self._said_at < SAID_S and self.said:
            return self.said
        if self.picture is None or now - self._drawn_at > SILENT_S:
            topic = self._node.resolve_topic_name('emotion/overlay')
            return f'no picture on {topic}: is a graph running? try {up(namespace=self._node.get_namespace())}'
        return ''

    def capture(self) -> None:
        """Start a capture of the session node."""
        self._send(CaptureEmotion, 'capture_emotion', CaptureEmotion.Goal(), 'session')

    def play(self) -> None:
        """Start a game of the game node."""
        self._send(PlayGame, 'play_game', PlayGame.Goal(), 'game')

    def abort(self) -> None:
        """End the capture and the game that go on, whoever started them."""
        for client in self._aborts:
            if client.service_is_ready():
                asked = client.call_async(Trigger.Request())
                asked.add_done_callback(lambda answer: self._say(answer.result().message))

    def _send(self, kind: type, name: str, goal: object, graph: str) -> None:
        self._goal = Goal(self._node, kind, name, goal, discovery_s=1.0)

        def tell(done) -> None:
            outcome = done.result()
            hint = f' (try {up(graph, self._node.get_namespace())})' if outcome.status == 'lost' else ''
            self._say(outcome.message + hint)

        self._goal.future.add_done_callback(tell)

    def _say(self, text: str) -> None:
        self.said, self._said_at = text, time.monotonic()

    def _on_picture(self, msg: Image) -> None:
        self.picture = to_pixels(msg)
        self._drawn_at = time.monotonic()


def view(namespace: str = '') -> int:
    """
    Show the overlay until q is pressed or the window is closed; gives the exit code.

    :raises WindowError: where there is no screen.
    """
    if sys.platform == 'linux' and not any(os.environ.get(name) for name in SCREENS):
        raise _no_screen('$DISPLAY is not set')
    os.environ.setdefault('PYGAME_HIDE_SUPPORT_PROMPT', '1')
    try:
        import pygame
    except ImportError as error:
        raise WindowError('a window needs pygame: `pip install pygame-ce`, or see emotion/overlay in rqt') from error
    pygame.font.init()
    try:
        pygame.display.init()
        driver = pygame.display.get_driver()
        if driver in BLIND_DRIVERS and driver not in os.environ.get('SDL_VIDEODRIVER', '').split(','):
            pygame.quit()
            shown = [f'${name}={os.environ[name]}' for name in SCREENS if os.environ.get(name)]
            raise _no_screen(f'nothing answers at {" or ".join(shown) or "any display"}')
        screen = pygame.display.set_mode(SIZE, pygame.RESIZABLE)
    except pygame.error as error:
        raise WindowError(f'no window can be opened: {error}') from error
    pygame.display.set_caption(f'{TITLE} {namespace}'.strip())
    rclpy.init(args=[])
    node = rclpy.create_node('emotion_window', namespace=namespace or None)
    try:
        _show(pygame, screen, node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
        pygame.quit()
    return 0


def _no_screen(why: str) -> WindowError:
    return WindowError(
        f'there is no screen here ({why}): log in at the screen or with `ssh -X`, '
        'or look at the web page: `./emotion up web:=true`'
    )


def _show(pygame, screen, node: Node) -> None:
    viewer, font, shown = Viewer(node), pygame.font.Font(None, 26), None
    while rclpy.ok():
        rclpy.spin_once(node, timeout_sec=1 / RATE_HZ)
        for event in pygame.event.get():
            key = pygame.key.name(event.key) if event.type == pygame.KEYDOWN else ''
            if event.type == pygame.QUIT or key in ('q', 'escape'):
                return
            if key in viewer.keys:
                viewer.keys[key]()
        if viewer.picture is not shown and viewer.picture is not None:
            if shown is None or shown.shape != viewer.picture.shape:
                screen = pygame.display.set_mode(viewer.picture.shape[1::-1], pygame.RESIZABLE)
            shown = viewer.picture
        screen.fill(BACKGROUND)
        if shown is not None:
            _draw(pygame, screen, shown)
        for row, line in enumerate((viewer.caption, KEYS if shown is None else '')):
            if line:
                text = font.render(line, True, TEXT, BACKGROUND)
                screen.blit(text, (10, screen.get_height() - 60 + 30 * row))
        pygame.display.flip()


def _draw(pygame, screen, picture: np.ndarray) -> None:
    """Draw the picture as large as it fits."""
    height, width = picture.shape[:2]
    room_x, room_y = screen.get_size()
    scale = min(room_x / width, room_y / height)
    surface = pygame.image.frombuffer(picture.tobytes(), (width, height), 'BGR')
    if scale != 1:
        surface = pygame.transform.smoothscale(surface, (int(width * scale), int(height * scale)))
    screen.blit(surface, ((room_x - surface.get_width()) // 2, (room_y - surface.get_height()) // 2))

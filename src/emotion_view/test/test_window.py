import array
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from emotion_core import qos
from emotion_core.testing import ros  # noqa: F401
from emotion_view.window import Viewer

VIEW = [sys.executable, '-m', 'emotion_bringup.cli', 'view']
ORANGE = (0, 159, 230)  # BGR
START_S = 60.0


@pytest.fixture
def screen(tmp_path):
    """A virtual screen; gives its environment, and a function that looks at it."""
    if not shutil.which('Xvfb'):
        pytest.skip('a virtual screen is needed: `sudo apt install xvfb`')
    read, write = os.pipe()
    folder = tmp_path / 'screen'
    folder.mkdir()
    server = subprocess.Popen(
        ['Xvfb', '-displayfd', str(write), '-screen', '0', '1000x700x24', '-fbdir', str(folder)],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        display = ':' + pipe.readline().strip()

    def look() -> np.ndarray:
        """Give the screen, uint8 of shape (700, 1000, 3), BGR; XWD: header, then 32 bits a pixel."""
        data = (folder / 'Xvfb_screen0').read_bytes()
        header = int.from_bytes(data[:4], 'big')
        colors = int.from_bytes(data[76:80], 'big')
        pixels = np.frombuffer(data, np.uint8, 1000 * 700 * 4, header + 12 * colors)
        return pixels.reshape(700, 1000, 4)[..., :3]

    yield {**os.environ, 'DISPLAY': display, 'SDL_AUDIODRIVER': 'dummy'}, look
    server.terminate()
    server.wait()


def orange(size=(480, 640)):
    data = array.array('B')
    data.frombytes(np.full((*size, 3), ORANGE, np.uint8).tobytes())
    message = Image(height=size[0], width=size[1], encoding='bgr8', step=3 * size[1])
    message.data = data
    return message


def test_window_shows_the_overlay_and_ends_when_it_is_told_to(ros, screen):
    environ, look = screen
    publisher = ros.node.create_publisher(Image, 'emotion/overlay', qos.SENSOR)
    window = subprocess.Popen(VIEW, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        ros.spin_until(lambda: publisher.get_subscription_count() > 0, 'the window is there', START_S)

        def shown() -> int:
            publisher.publish(orange())
            return int((look() == ORANGE).all(axis=-1).sum())

        ros.spin_until(lambda: shown() > 0.9 * 640 * 480, 'the picture is on the screen')
    finally:
        window.terminate()
        assert (window.communicate(timeout=10)[1], window.returncode) == ('', 0)


def test_screen_that_does_not_answer_is_none():
    environ = {name: value for name, value in os.environ.items() if name not in ('WAYLAND_DISPLAY', 'SDL_VIDEODRIVER')}
    done = subprocess.run(VIEW, env={**environ, 'DISPLAY': ':4321'}, capture_output=True, text=True, timeout=START_S)
    assert done.returncode == 1
    assert 'emotion: there is no screen here (nothing answers at $DISPLAY=:4321): log in' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_window_that_is_told_to_end_says_nothing(ros, number):
    environ = {**os.environ, 'SDL_VIDEODRIVER': 'dummy'}  # which it takes where it is asked for
    window = subprocess.Popen(VIEW, env=environ, stderr=subprocess.PIPE, text=True)
    ros.spin_until(lambda: ros.node.count_subscribers('emotion/overlay'), 'the window is there', START_S)
    time.sleep(0.5)
    window.send_signal(number)
    assert (window.communicate(timeout=10)[1], window.returncode) == ('', 0)


def test_without_a_screen_it_says_so():
    environ = {name: value for name, value in os.environ.items() if name not in ('DISPLAY', 'WAYLAND_DISPLAY')}
    done = subprocess.run(VIEW, env=environ, capture_output=True, text=True, timeout=START_S)
    assert done.returncode == 1
    assert done.stderr.startswith('emotion: there is no screen here') and 'Traceback' not in done.stderr


def test_keys_do_what_they_say(ros):
    viewer = Viewer(ros.node)
    asked = []

    def answer(request, response):
        asked.append(request)
        response.success, response.message = True, 'the game is ended'
        return response

    ros.node.create_service(Trigger, 'abort_game', answer)
    viewer.keys['space']()
    ros.spin_until(lambda: viewer.said, 'play is answered')
    assert viewer.caption == 'nobody offers /play_game: is its node running? (try `./emotion up game`)'
    ros.spin_until(lambda: viewer.keys['a']() or asked, 'abort is asked for')
    ros.spin_until(lambda: viewer.caption == 'the game is ended')


def test_a_missing_picture_is_named(ros):
    viewer = Viewer(ros.node)
    assert viewer.caption == 'no picture on /emotion/overlay: is a graph running? try `./emotion up`'
    publisher = ros.publisher(Image, 'emotion/overlay', qos.SENSOR)
    publisher.publish(orange((48, 64)))
    ros.spin_until(lambda: viewer.picture is not None)
    assert viewer.caption == '' and viewer.picture.shape == (48, 64, 3)

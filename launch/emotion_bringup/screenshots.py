"""Makes the pictures of the web page: runs the graph on the demo scenario, and looks at it with a real browser."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emotion_bringup.beside import stay_on_this_host
from emotion_bringup.demo import NAMESPACE
from emotion_core.errors import EmotionError
from emotion_drivers import scenario
from emotion_view.tools.browser import headless_browser, open_page
from emotion_view.web.access import free_port

AFTER_S = 60.0  # from the first picture: the last minute is full
MOMENT = """() => {
    const small = document.createElement('canvas').getContext('2d')
    small.drawImage(document.querySelector('#picture'), 0, 0, 8, 8)
    const levels = small.getImageData(0, 0, 8, 8).data.filter((_, i) => i % 4 === 1)  // of green
    return levels.reduce((sum, level) => sum + level) / levels.length > 80  // the light is on
        && document.querySelector('#label').innerText === 'happy'
        && document.querySelector('#hearing-text').innerText === 'speaking'
        && document.querySelector('#boxes div') && !document.querySelector('#frame.stale')
        && document.querySelector('#history').getAttribute('aria-label').includes('happy')  // it is drawn
}"""
TURN_MS = 5000 * scenario.SECONDS  # by then that moment has come again, on a busy machine too
TRIES = 5  # a busy machine may take longer for a picture than the moment lasts
START_S = 180.0  # on a busy machine
QUALITY = 85  # of the JPEG files: a picture of 200 kB
LOOKS = {  # name -> width, height [px], pixels of the screen to one of the page, theme, is a phone
    'web_dark': (1200, 1240, 1, 'dark', False),
    'web_light': (1200, 1240, 1, 'light', False),
    'web_phone': (390, 844, 2, 'dark', True),
}


@contextmanager
def demo_graph(port: int) -> Iterator[None]:
    """Run the whole graph on the scenario, again and again, with the web page on a port."""
    stay_on_this_host()
    with tempfile.TemporaryDirectory(prefix='emotion_screenshots_') as folder:
        clip, params = Path(folder) / 'scenario.mkv', Path(folder) / 'params.yaml'
        scenario.make(clip)
        params.write_text(
            ''.join(f'/**/{name}:\n  ros__parameters:\n    loop: true\n' for name in ('camera', 'microphone'))
        )
        command = [
            sys.executable,
            '-m',
            'emotion_bringup.cli',
            'up',
            'multimodal',
            f'camera:={clip}',
            f'microphone:={clip}',
        ]
        command += [f'params_file:={params}', f'namespace:={NAMESPACE}', 'web:=true', f'web_port:={port}']
        graph = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ)
        try:
            yield
        finally:
            graph.terminate()
            graph.wait()


def take_screenshots(folder: Path, after: float) -> list[Path]:
    """
    Look at the page in each of LOOKS.

    :param after: When at the earliest, from the first picture on [s].
    :return: The JPEG files.
    :raises EmotionError: when there is no browser, no page, or no time for a picture of the moment.
    """
    from playwright.sync_api import expect

    port, files = free_port(), []
    with headless_browser() as browser, demo_graph(port):
        with browser.new_context() as context:
            page = context.new_page()
            open_page(page, port, START_S)
            expect(page.locator('#picture')).to_be_visible(timeout=START_S * 1000)
        time.sleep(after)
        for name, (width, height, scale, theme, is_phone) in LOOKS.items():
            size = {'width': width, 'height': height}
            with browser.new_context(
                viewport=size, device_scale_factor=scale, color_scheme=theme, is_mobile=is_phone
            ) as context:
                page = context.new_page()
                open_page(page, port, START_S)
                files.append(folder / f'{name}.jpg')
                for _ in range(TRIES):
                    page.wait_for_function(MOMENT, timeout=TURN_MS)
                    page.screenshot(path=files[-1], quality=QUALITY, timeout=TURN_MS, animations='disabled')
                    if page.evaluate(f'({MOMENT})()'):
                        break
                else:
                    raise EmotionError(f'the machine is too busy: the moment had passed in each of {TRIES} pictures')
    return files


def main() -> None:
    """Run as ``python -m emotion_bringup.screenshots FOLDER``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument(
        '--after', type=float, default=AFTER_S, help='seconds from the first picture (default: %(default)s)'
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the graph ends too
    try:
        for file in take_screenshots(options.folder, options.after):
            print(f'{file}: {file.stat().st_size / 1000:.0f} kB')
    except EmotionError as error:
        sys.exit(f'screenshots: {error}')


if __name__ == '__main__':
    main()

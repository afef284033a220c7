"""The web page of a whole graph: separate processes, real DDS, real faces and voices, a real browser."""

import json
import time
import urllib.error
import urllib.request

import pytest
from test_end_to_end import (
    graph,
    pairs,  # noqa: F401
    pids_of,
)

from emotion_core.emotions import EMOTIONS, UNCERTAIN
from emotion_core.testing import node_process
from emotion_view.testing import browser  # noqa: F401
from emotion_view.tools.browser import open_page
from emotion_view.web.access import HOST, free_port

START_S = 120.0
TURN_MS = 40_000  # by then the pictures and voices have come round again, on a busy machine too


def wait_for_two_labels(locator):
    seen, deadline = set(), time.monotonic() + TURN_MS / 1000
    while len(seen) < 2:
        assert time.monotonic() < deadline, f'only {seen} was shown'
        seen |= set(locator.inner_text().split()) & {*EMOTIONS, UNCERTAIN}
        time.sleep(0.05)


def test_page_of_a_running_graph(pairs, browser):
    from playwright.sync_api import expect

    port = free_port()
    sources = f'camera:={pairs}/images', f'microphone:={pairs}/audio', f'params_file:={pairs}/params.yaml'
    with graph('multimodal', *sources, 'use_respawn:=false', 'web:=true', f'web_port:={port}') as process:
        page = browser.new_page(viewport={'width': 1280, 'height': 900})
        open_page(page, port, START_S)
        expect(page.locator('#picture')).to_be_visible(timeout=START_S * 1000)
        expect(page.locator('#boxes div')).to_have_count(1, timeout=TURN_MS)
        for place in ('#boxes', '#label'):  # the face alone, and both together: each changes with the pictures
            wait_for_two_labels(page.locator(place))
        for node in ('camera', 'microphone', 'emotion_face', 'emotion_speech', 'emotion_fusion', 'emotion_web'):
            expect(page.locator(f'[data-node={node}] .state')).to_have_text('● ok', timeout=TURN_MS)
        expect(page.locator('#machine')).to_contain_text('fer_compact@')
        expect(page.locator('[data-do="session start"]')).to_be_disabled()
        pids_of(process)['emotion_speech'].kill()
        expect(page.locator('[data-node=emotion_speech]')).to_have_class('silent', timeout=TURN_MS)
        expect(page.locator('[data-node=emotion_face]')).to_have_class('ok')
        page.close()


def test_buttons_reach_session_and_game(browser):
    from playwright.sync_api import expect

    port = free_port()
    with (
        node_process('emotion_session.node'),
        node_process('emotion_game.node'),
        node_process('emotion_view.web_node', '-p', f'port:={port}'),
    ):
        page = browser.new_page()
        open_page(page, port, START_S)
        for noun, prompt, sentence in (
            ('session', 'come in front of the camera', 'the capture was ended with abort_capture'),
            ('game', 'two players, please', 'the game was ended with abort_game'),
        ):
            start, end = page.locator(f'[data-do="{noun} start"]'), page.locator(f'[data-do="{noun} abort"]')
            expect(start).to_be_enabled(timeout=TURN_MS)
            start.click()
            expect(page.locator('#prompt')).to_contain_text(prompt, timeout=TURN_MS)
            expect(start).to_be_disabled()
            end.click()
            expect(page.locator(f'#{noun} .outcome')).to_have_text(sentence, timeout=TURN_MS)
            expect(page.locator('#prompt')).to_be_hidden(timeout=TURN_MS)
        page.close()


def test_page_for_others_asks_for_the_token_that_the_log_has():
    port = free_port()
    with graph('speech', 'microphone:=null', 'web:=true', 'web_address:=0.0.0.0', f'web_port:={port}') as process:
        place, link, deadline = f'http://{HOST}:{port}', '', time.monotonic() + START_S
        while not link:
            assert time.monotonic() < deadline, 'no link is printed'
            time.sleep(0.1)
            link = next((word for word in process.log().split() if f':{port}/?token=' in word), '')
        with pytest.raises(urllib.error.HTTPError, match='401'):
            urllib.request.urlopen(place, timeout=10)
        request = urllib.request.Request(
            f'{place}/do/session/start',
            b'{}',
            {'Content-Type': 'application/json', 'Authorization': f'Bearer {link.partition("=")[2]}'},
        )
        with pytest.raises(urllib.error.HTTPError, match='409') as error:
            urllib.request.urlopen(request, timeout=10)
        assert json.load(error.value)['message'].startswith('no session node is running')

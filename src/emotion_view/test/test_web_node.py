"""The page in a real browser, beside a node in a process of its own, over real DDS."""

import array
import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.action import ActionServer, CancelResponse
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger
from test_web_server import ask, browsing, picture_of, serving

from emotion_core import qos
from emotion_core.emotions import EMOTIONS
from emotion_core.messages import to_header, to_ns
from emotion_core.testing import TIMEOUT_S, hostile, node_process, ros  # noqa: F401
from emotion_msgs.action import CaptureEmotion, PlayGame
from emotion_msgs.msg import (
    EmotionProbs,
    FaceEmotion,
    FaceEmotions,
    FusedEmotion,
    GamePlayer,
    GameState,
    SessionState,
    SpeechActivity,
)
from emotion_view.testing import browser  # noqa: F401
from emotion_view.tools.browser import open_page
from emotion_view.web.access import free_port

WIDTH, HEIGHT = 320, 240
LEAK_BYTES = 1_000_000  # by forty reconnects: 25 kB each
ROUNDS = 5  # of forty: at first the allocator takes more than it needs
PLAYERS = [GamePlayer(name='player 1', present=True, round_score=0.7), GamePlayer(name='player 2', round_score=0.4)]


@pytest.fixture(scope='module')
def opened(browser):
    """Run the node, and open its page; gives the page, which knows the node's process."""
    port = free_port()
    with node_process('emotion_view.web_node', '-p', f'port:={port}', '-p', 'host_names:=robot.lan') as process:
        page = browser.new_page(viewport={'width': 1200, 'height': 1000})
        page.errors = []
        page.on('pageerror', lambda error: page.errors.append(str(error)))
        page.on('console', lambda message: page.errors.append(message.text) if message.type == 'error' else None)
        open_page(page, port, TIMEOUT_S)
        page.errors.clear()  # of the time before it was served
        page.port, page.process = port, psutil.Process(process.pid)
        yield page
        page.close()


@pytest.fixture
def web(ros, opened):
    """Give the page, and see that no script of it fails."""
    yield opened
    assert not opened.errors


def text(page, selector):
    return page.locator(selector).inner_text()


def probs(source, label, share=0.9):
    values = [(1 - share) / 5] * 6
    values[EMOTIONS.index(label)] = share
    return EmotionProbs(source=source, subject_id='f0001', probabilities=values, model=f'{source}_model@12345678')


def fused(label):
    return FusedEmotion(
        subject_id='f0001',
        is_speaker=True,
        fused=probs('fused', label, 0.8),
        face=probs('face', label),
        face_weight=1.0,
        face_reason='clear; quality 0.90',
        speech_reason='no voice yet',
        method='dynamic',
        label=label,
        confidence=0.8,
    )


def image(stamp_ns, gray):
    data = array.array('B')
    data.frombytes(np.full((HEIGHT, WIDTH, 3), gray, np.uint8).tobytes())
    return Image(header=to_header(stamp_ns), width=WIDTH, height=HEIGHT, encoding='bgr8', step=3 * WIDTH, data=data)


def faces(stamp_ns, left=80, width=160):
    face = FaceEmotion(emotion=probs('face', 'happy'))
    face.box.x_offset, face.box.y_offset, face.box.width, face.box.height = left, 60, width, 120
    return FaceEmotions(
        header=to_header(stamp_ns), image_width=WIDTH, image_height=HEIGHT, detector='yunet', faces=[face]
    )


def until(ros, page, condition, what, publish=None):
    """Publish again and again until the page shows what it should."""

    def step():
        if publish:
            publish()
        ros.spin_for(0.05)
        page.wait_for_timeout(20)
        return condition()

    return ros.spin_until(step, what)


def test_page_shows_the_label_and_how_it_changes(ros, web):
    out = ros.publisher(FusedEmotion, 'emotion/fused', qos.RESULT)
    for label in ('happy', 'sad'):

        def shown(label=label):
            return text(web, '#label') == label and label in web.locator('#announcement').inner_text()

        until(ros, web, shown, f'{label} is shown, and told to a screen reader', lambda: out.publish(fused(label)))
        seen = text(web, '#estimate').split()
        assert seen[:4] == [label, '80', '%', 'sure']
        assert ' '.join(seen).endswith(
            'face 1.00 clear; quality 0.90 voice 0.00 no voice node is running: ./emotion up starts it'
        )
    assert text(web, '#models').split()[:4] == ['face', 'face_model@12345678', 'fusion', 'dynamic']
    until(ros, web, lambda: text(web, '#label') == '–', 'what is old is not shown')
    assert 'sad' in web.locator('#history').get_attribute('aria-label')


@pytest.mark.parametrize('width', [1200, 390])
def test_nothing_is_cut_or_broken_over_lines(ros, web, width):
    out = ros.publisher(FusedEmotion, 'emotion/fused', qos.RESULT)
    sure, wide = fused('happy'), web.viewport_size
    sure.fused = probs('fused', 'happy', 1.0)
    web.set_viewport_size({'width': width, 'height': 844})
    look = """() => {
        document.querySelector('#connection span').textContent = 'live, 8 nodes'
        const [text, ...cells] = document.querySelectorAll('#connection span, #bars td:last-child')
        const lines = cells.map(cell => {
            const range = document.createRange()
            range.selectNodeContents(cell)
            return new Set([...range.getClientRects()].map(box => box.y)).size
        })
        return [cells.map(cell => cell.textContent), lines, text.scrollWidth - text.clientWidth, text.clientHeight]
    }"""
    try:
        until(ros, web, lambda: '100' in web.evaluate(look)[0][2], 'all is shown', lambda: out.publish(sure))
        _, lines, cut, height = web.evaluate(look)
        assert lines == [1] * len(EMOTIONS) and cut == 0 and height < 30
    finally:
        web.set_viewport_size(wide)


def test_page_says_whose_voice_it_is_where_there_are_several(ros, web):
    out = ros.publisher(FusedEmotion, 'emotion/fused', qos.RESULT)
    mine, other = fused('happy'), fused('sad')
    mine.speaker_reason = 'f0001: its mouth moves with it (r 0.71)'
    other.subject_id, other.is_speaker = 'f0002', False
    until(ros, web, lambda: text(web, '#label') == 'happy', 'one face', lambda: out.publish(mine))
    assert web.locator('#speaker').is_hidden()

    def both():
        out.publish(mine)
        out.publish(other)

    until(ros, web, lambda: web.locator('#speaker').is_visible(), 'whose voice it is', both)
    assert text(web, '#speaker') == 'Whose voice: f0001: its mouth moves with it (r 0.71)'


def test_voice_without_a_face_has_its_button(ros, web):
    out = ros.publisher(FusedEmotion, 'emotion/fused', qos.RESULT)
    voice = fused('happy')
    voice.subject_id = ''
    until(ros, web, lambda: text(web, '#subjects') == 'voice only', 'it comes', lambda: out.publish(voice))
    until(ros, web, lambda: text(web, '#subjects') == '', 'it goes')


def test_page_shows_the_picture_with_its_faces(ros, web):
    until(
        ros,
        web,
        lambda: 'no image on /image_raw: is a camera running? try ./emotion devices' in text(web, '#picture-missing'),
        'the page says what is missing',
    )
    images = ros.node.create_publisher(Image, 'image_raw', qos.SENSOR)
    results = ros.publisher(FaceEmotions, 'emotion/faces', qos.RESULT)
    sent = time.time_ns()

    def publish(**where):
        nonlocal sent
        sent += 40_000_000
        images.publish(image(sent, 200))
        ros.spin_for(0.02)
        results.publish(faces(sent, **where))

    look = """() => {
        const [box, frame] = ['#boxes div', '#boxes'].map(name => document.querySelector(name)?.getBoundingClientRect())
        if (!box?.width) return null
        const pixel = document.querySelector('#picture').getContext('2d').getImageData(9, 9, 1, 1).data[0]
        const label = document.querySelector('#boxes').innerText
        return [box.width / frame.width, (box.x - frame.x) / frame.width, pixel, label]
    }"""
    width, left, gray, label = until(ros, web, lambda: web.evaluate(look), 'the face is marked', publish)
    assert width == pytest.approx(0.5, abs=0.01) and left == pytest.approx(0.25, abs=0.01)
    assert gray == pytest.approx(200, abs=3)
    assert label == 'happy 90 %'
    tag = """() => {
        const found = ['#boxes span', '#boxes div', '#boxes'].map(name => document.querySelector(name))
        return found.map(one => one.getBoundingClientRect()).map(({ left, right }) => [left, right])
    }"""
    (tag_left, _), (box_left, _), _ = web.evaluate(tag)
    assert tag_left == pytest.approx(box_left, abs=4)

    def narrow_at_the_edge():
        (left, right), (box_left, box_right), (_, end) = web.evaluate(tag)
        return box_right - box_left < 60 and left < box_left and right == pytest.approx(end, abs=4)

    until(
        ros, web, narrow_at_the_edge, 'all of the label is in the picture', lambda: publish(left=WIDTH - 20, width=20)
    )
    assert text(web, '#ages').startswith('face: frame taken → here')
    until(ros, web, lambda: text(web, '#ages') == '', 'the face node has gone: nothing is as old')
    place = web.url
    web.goto('about:blank')
    ros.spin_until(lambda: ros.node.count_subscribers('image_raw') == 0, 'nobody looks: the camera is let go')
    web.goto(place)


def test_node_that_falls_silent_turns_red(ros, web):
    out = ros.publisher(DiagnosticArray, '/diagnostics', 10)

    def publish():
        status = DiagnosticStatus(level=DiagnosticStatus.OK, name='emotion_face', message='active')
        status.values = [KeyValue(key='latency_ms_p50', value='11.0'), KeyValue(key='latency_ms_p95', value='28.0')]
        out.publish(DiagnosticArray(status=[status]))

    def look():
        row = web.locator('[data-node=emotion_face]')
        return row.inner_text().replace('\t', ' ') if row.count() else ''

    well = until(ros, web, lambda: '● ok' in look() and look(), 'the node is well', publish)
    assert well.split() == ['●', 'ok', 'emotion_face', 'active', '11', '/', '28', 'ms']
    until(ros, web, lambda: '✕ silent' in look(), 'the node is missed')
    red, green, blue = web.evaluate(
        "getComputedStyle(document.querySelector('[data-node=emotion_face] .state')).color.match(/[0-9]+/g).map(Number)"
    )
    assert red > 150 and red > 2 * max(green, blue)
    assert 'nodes down' in text(web, '#connection')
    assert 'silent' not in text(web, '[data-node=emotion_web]'), 'the others are as they were'
    until(ros, web, lambda: '● ok' in look(), 'it is back', publish)


class Act:
    """An action server with its state topic and its service, as session and game have them."""

    def __init__(self, ros, kind, action, state, topic, abort):
        self.goals = []
        self._ros, self._state = ros, state
        self._out = ros.node.create_publisher(type(state), topic, qos.LATCHED)
        self._server = ActionServer(ros.node, kind, action, self._run, cancel_callback=lambda _: CancelResponse.ACCEPT)
        self._service = ros.node.create_service(Trigger, abort, self._abort)
        self._kind = kind
        self.show(False, '')
        self._timer = ros.node.create_timer(0.1, lambda: self._state.active and self._out.publish(self._state))

    def show(self, active, message):
        self._state.active, self._state.message = active, message
        self._out.publish(self._state)

    async def _run(self, handle):
        self.goals.append(handle)
        self.show(True, '')
        self._ended = Future()
        message = await self._ended
        handle.abort()
        self.show(True, message)  # for a while, as the nodes do
        return self._kind.Result(message=message)

    def _abort(self, request, response):
        self._ended.set_result('ended by the page')
        response.success, response.message = True, 'it ends'
        return response

    def close(self):
        self._timer.cancel()
        self._server.destroy()
        self._ros.node.destroy_publisher(self._out)
        self._ros.node.destroy_service(self._service)


@pytest.mark.parametrize(
    'noun, kind, action, abort, state, shown',
    [
        (
            'session',
            CaptureEmotion,
            'capture_emotion',
            'abort_capture',
            SessionState(
                state=SessionState.LISTENING, prompt='speak now', seconds_left=3.0, face=probs('face', 'happy')
            ),
            'happy',
        ),
        (
            'game',
            PlayGame,
            'play_game',
            'abort_game',
            GameState(state=GameState.PLAYING, prompt='show it', target='surprise', round=1, rounds=3, players=PLAYERS),
            '70 %',
        ),
    ],
)
def test_buttons_start_and_end(ros, web, noun, kind, action, abort, state, shown):
    start, end = web.locator(f'[data-do="{noun} start"]'), web.locator(f'[data-do="{noun} abort"]')
    reason = f'no {noun} node is running: start it with ./emotion up {noun}'
    until(ros, web, lambda: text(web, f'#{noun}-reason') == reason, 'the page says why there is none')
    assert start.is_disabled() and end.is_disabled()
    act = Act(ros, kind, action, state, f'emotion/{noun}', abort)
    until(ros, web, start.is_enabled, f'a {noun} can be started')
    start.focus()
    web.keyboard.press('Enter')
    until(ros, web, lambda: act.goals, 'the goal has come')
    until(ros, web, end.is_enabled, f'the {noun} is under way')
    assert start.is_disabled() and shown in text(web, f'#{noun}')
    assert web.evaluate('document.activeElement.dataset.do') == f'{noun} start', 'the keyboard stays where it was'
    web.keyboard.press('Enter')  # does nothing now
    assert text(web, f'#{noun} [aria-live].prompt') == state.prompt
    assert state.prompt in text(web, '#prompt')
    end.click()
    until(ros, web, lambda: text(web, f'#{noun} .outcome') == 'ended by the page', 'the outcome is shown')
    until(ros, web, start.is_enabled, 'another one can be started')
    assert end.is_disabled() and len(act.goals) == 1
    assert state.prompt in text(web, '#prompt') and state.prompt not in text(web, f'#{noun} .prompt')
    act.show(False, '')
    until(ros, web, lambda: not web.locator('#prompt').is_visible(), 'all is over')
    assert text(web, f'#{noun} .outcome') == 'ended by the page'
    assert shown in text(web, f'#{noun} .versus'), 'what came of it stays'
    act.close()
    until(ros, web, lambda: text(web, f'#{noun}-reason') == reason, 'its node has gone')


def test_hostile_messages_break_neither_the_page_nor_its_node(ros, web):
    kinds = {
        FaceEmotions: 'emotion/faces',
        EmotionProbs: 'emotion/speech',
        FusedEmotion: 'emotion/fused',
        SpeechActivity: 'emotion/speech/activity',
        SessionState: 'emotion/session',
        GameState: 'emotion/game',
        DiagnosticArray: '/diagnostics',
    }
    said = [ros.publisher(kind, topic, qos.LATCHED) for kind, topic in kinds.items()]
    images = ros.publisher(Image, 'image_raw', qos.SENSOR)
    for messages in zip(*map(hostile, kinds)):
        images.publish(image(to_ns(messages[0].header.stamp), 100))
        ros.spin_for(0.02)
        for publisher, message in zip(said, messages):
            publisher.publish(message)
        ros.spin_for(0.05)
        web.wait_for_timeout(100)  # it gets all that is new ten times a second
    until(ros, web, lambda: text(web, '#label') == 'sad', 'all goes on', lambda: said[2].publish(fused('sad')))
    diagnostics = ros.collect(DiagnosticArray, '/diagnostics', 10)

    def problems():
        found = [status.values for array in diagnostics for status in array.status if status.name == 'emotion_web']
        return found and {pair.key: int(pair.value) for pair in found[0] if pair.key.startswith('problem: ')}

    counts = ros.spin_until(problems, 'the node says how it is')
    assert counts.keys() == {'problem: bad probabilities', 'problem: clock jumped back'}
    assert counts['problem: bad probabilities'] > 8, 'four faces, four estimates, and some of four captures'


def test_sound_is_shown(ros, web):
    until(ros, web, lambda: 'no voice node' in text(web, '#hearing-text'), 'the page says that there is none')
    out = ros.publisher(SpeechActivity, 'emotion/speech/activity', qos.RESULT)
    heard = SpeechActivity(level_dbfs=-30.0, noise_floor_dbfs=float('-inf'), speaking=True)
    until(ros, web, lambda: text(web, '#hearing-text') == 'speaking', 'it is', lambda: out.publish(heard))
    assert web.locator('#level').get_attribute('aria-valuenow') == '-30'


def test_forty_reconnects_of_a_browser_leak_nothing(ros, web):
    """The server's tasks are counted in test_web_server.py."""
    reconnect = """async count => {
        for (let i = 0; i < count; i++) await new Promise((done, fail) => {
            const socket = new WebSocket(`ws://${location.host}/live`)
            socket.onopen = () => socket.send('picture')
            socket.onmessage = () => socket.close()
            socket.onclose = done
            socket.onerror = fail
        })
    }"""

    def visit(reloads, reconnects):
        for _ in range(reloads):
            web.reload()
            web.locator('[data-node=emotion_web]').wait_for()
        web.evaluate(reconnect, reconnects)

    def count():
        return web.process.num_fds(), web.process.num_threads(), len(web.process.net_connections())

    def grow():
        memory = web.process.memory_info().rss
        visit(3, 40)
        return web.process.memory_info().rss - memory

    visit(3, 10)
    web.wait_for_timeout(500)
    before = count()
    assert any(grow() < LEAK_BYTES for _ in range(ROUNDS)), 'each forty cost memory anew'
    until(ros, web, lambda: count() == before, 'all is as before')


def is_served(server):
    with suppress(OSError):  # not yet
        return ask(server)[0] == 200


def test_browser_gets_no_more_pictures_a_second_than_the_parameter_allows(ros):
    server = SimpleNamespace(port=free_port())
    images = ros.node.create_publisher(Image, 'image_raw', qos.SENSOR)

    async def look():
        async with browsing(server) as [client]:
            times = []
            while len(times) < 4:
                asking = asyncio.create_task(picture_of(client))
                while not asking.done():
                    images.publish(image(time.time_ns(), 100))
                    await asyncio.sleep(0.02)
                times.append(time.monotonic())
        return times

    with node_process('emotion_view.web_node', '-p', f'port:={server.port}', '-p', 'picture_rate:=4.0'):
        ros.spin_until(lambda: is_served(server), 'the page is served')
        with ThreadPoolExecutor(1) as pool:  # the browser of the other tests has a loop in this thread
            times = pool.submit(asyncio.run, look()).result()
    assert times[-1] - times[0] > 0.9 * 3 / 4


def test_page_goes_by_the_names_that_it_is_given(opened):
    assert [ask(opened, host=host)[0] for host in ('robot.lan', 'evil.example')] == [200, 421]


def test_link_works_from_the_page_of_another_site(browser):
    page = browser.new_page()
    with serving(token='sesame') as server:
        link = f'<a href="http://127.0.0.1:{server.port}/?token=sesame">open</a>'
        page.route('http://chat.example/', lambda route: route.fulfill(body=link, content_type='text/html'))
        page.goto('http://chat.example/')
        page.get_by_text('open').click()
        page.locator('#label').wait_for()
    page.close()


def test_phone_has_no_sideways_scrolling_and_all_buttons_have_names(ros, web):
    web.set_viewport_size({'width': 360, 'height': 740})
    assert web.evaluate('document.documentElement.scrollWidth') <= 360
    for button in web.get_by_role('button').all():
        assert button.get_attribute('aria-label') or button.inner_text() or button.text_content().strip()
    theme = web.locator('html').get_attribute('data-theme')
    web.locator('#theme').click()
    assert web.locator('html').get_attribute('data-theme') != theme
    web.reload()
    assert web.locator('html').get_attribute('data-theme') != theme, 'it is remembered'


def test_page_notices_a_connection_that_brings_nothing(ros, web):
    beat = """() => new Promise((done, fail) => {
        setTimeout(fail, 20_000)
        const beats = new Set()
        const socket = new WebSocket(`ws://${location.host}/live`)
        socket.onmessage = ({ data }) => beats.add(JSON.parse(data).alive).size === 3 && done(socket.close())
    })"""
    web.evaluate(beat)  # also where nothing changes
    out = ros.publisher(FusedEmotion, 'emotion/fused', qos.RESULT)
    until(ros, web, lambda: text(web, '#label') == 'happy', 'a face is shown', lambda: out.publish(fused('happy')))
    web.process.suspend()  # nobody closes the connection, as where a robot loses its power
    try:
        until(ros, web, lambda: 'connection lost' in text(web, '#connection'), 'the page says so')
        assert text(web, '#hero').split() == ['–', 'connection', 'lost'], 'what was shown last is not shown as of now'
        assert text(web, '#game-reason') == text(web, '#hearing-text') == 'connection lost'
    finally:
        web.process.resume()
    until(ros, web, lambda: 'connection lost' not in text(web, '#connection'), 'the page is back')
    web.errors.clear()  # of the time without a server


def test_page_comes_back_when_the_node_does(ros, web):
    out = ros.publisher(FusedEmotion, 'emotion/fused', qos.RESULT)
    web.process.kill()
    until(ros, web, lambda: 'connection lost' in text(web, '#connection'), 'the page says so')
    with node_process('emotion_view.web_node', '-p', f'port:={web.port}'):
        until(ros, web, lambda: text(web, '#label') == 'fear', 'the page is back', lambda: out.publish(fused('fear')))
    web.errors.clear()  # of the time without a server

"""The server against plain HTTP clients: what it gives, what it refuses, and that nobody slows anybody."""

import asyncio
import http.client
import json
import os
import socket
import threading
import time
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager

import aiohttp
import numpy as np
import psutil
import pytest

from emotion_core.errors import EmotionError
from emotion_view.web.access import Access
from emotion_view.web.pictures import Frame
from emotion_view.web.server import BODY_LIMIT, CLIENTS_LIMIT, Look, WebError, WebServer

JSON = {'Content-Type': 'application/json'}
NOISE = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)


@contextmanager
def serving(address='127.0.0.1', token='', look=Look(960, 80, 1000.0)):
    """Run a server; gives it with its port, the buttons that were pressed, and the errors that were reported."""
    server = WebServer(
        Access(address, token),
        look,
        lambda: {'about': {'hello': 1}},
        lambda *words: press(*words),
        lambda error: server.errors.append(error),
    )
    server.errors, server.pressed = [], []

    def press(*words):
        server.pressed.append(words)
        done = Future()
        if words == ('session', 'start'):
            done.set_result('it begins')
        else:
            done.set_exception(EmotionError('not now'))
        return done

    link = server.start(0)
    server.port = int(link.split(':')[2].split('/')[0])
    try:
        yield server
    finally:
        server.stop()
        assert not server._thread.is_alive()


@pytest.fixture(scope='module')
def server():
    with serving() as running:
        yield running


def ask(server, method='GET', path='/', body=None, host=None, **headers):
    """Ask as a program that builds its request by hand; gives status, headers and text."""
    connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=10)
    names = {name.replace('_', '-'): value for name, value in headers.items()}
    connection.request(method, path, body, {'Host': host or f'localhost:{server.port}', **names})
    answer = connection.getresponse()
    result = answer.status, dict(answer.getheaders()), answer.read().decode(errors='replace')
    connection.close()
    return result


@asynccontextmanager
async def browsing(server, count=1):
    async with aiohttp.ClientSession() as session:
        yield [await session.ws_connect(f'ws://127.0.0.1:{server.port}/live') for _ in range(count)]


async def picture_of(client):
    await client.send_str('picture')
    while True:
        message = await client.receive(10)
        if message.type == aiohttp.WSMsgType.BINARY:
            return message.data
        assert message.type == aiohttp.WSMsgType.TEXT, message


def test_page_is_whole_and_loads_nothing_from_elsewhere(server):
    status, headers, page = ask(server)
    assert status == 200 and headers['Content-Type'].startswith('text/html')
    for name in ('style.css', 'app.js', 'theme.js', 'icon.svg'):
        assert f'"{name}"' in page
        status, _, text = ask(server, path=f'/{name}')
        assert status == 200
        page += text
    links = [word for word in page.replace('"', ' ').split() if '://' in word]
    assert set(links) <= {'http://www.w3.org/2000/svg'} | {word for word in links if '${location.host}' in word}


def test_every_answer_forbids_foreign_scripts_and_frames(server):
    for path in ('/', '/app.js', '/nothing'):
        headers = ask(server, path=path)[1]
        assert "default-src 'none'" in headers['Content-Security-Policy']
        assert "frame-ancestors 'none'" in headers['Content-Security-Policy']
        assert headers['X-Content-Type-Options'] == 'nosniff'
        assert 'Access-Control-Allow-Origin' not in headers


def test_file_that_the_browser_has_is_not_sent_again(server):
    tag = ask(server)[1]['ETag']
    assert ask(server, If_None_Match=tag)[0] == 304


@pytest.mark.parametrize(
    'path',
    [
        '/../server.py',
        '/..%2fserver.py',
        '/%2e%2e/%2e%2e/parameters.py',
        '/static/index.html',
        '/etc/passwd',
        '//etc/passwd',
        '/app.js/',
        '/index.html%00.js',
    ],
)
def test_nothing_but_the_page_is_given(server, path):
    status, _, text = ask(server, path=path)
    assert status in (400, 404) and 'import' not in text and 'root:' not in text


@pytest.mark.parametrize('line', [b'a b: c', b'X: a\x00b', b'Content-Length: -1', b'X: ' + b'x' * 20_000])
def test_request_that_is_no_http_is_refused_and_not_logged(server, caplog, line):
    with socket.create_connection(('127.0.0.1', server.port), timeout=10) as connection:
        connection.sendall(b'GET / HTTP/1.1\r\nHost: localhost\r\n' + line + b'\r\n\r\n')
        assert b' 400 Bad Request' in connection.recv(100)
    assert caplog.records == []


@pytest.mark.parametrize('host', ['evil.example', 'evil.example:8088', '192.168.1.5', 'x@evil.example'])
def test_name_of_another_host_is_refused(server, host):
    status, _, text = ask(server, host=host)
    assert status == 421 and 'open the link' in text


@pytest.mark.parametrize('origin', ['http://evil.example', 'null', 'http://localhost:1'])
def test_page_of_another_site_can_neither_act_nor_listen(server, origin):
    before = list(server.pressed)
    assert (
        ask(server, 'POST', '/do/session/start', '{}', Origin=origin, **{'Content-Type': 'application/json'})[0] == 403
    )
    upgrade = {
        'Upgrade': 'websocket',
        'Connection': 'Upgrade',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'x' * 22 + '==',
    }
    assert ask(server, path='/live', Origin=origin, **upgrade)[0] == 403
    assert server.pressed == before


def test_form_of_another_site_can_not_act_even_without_origin(server):
    before = list(server.pressed)
    for kind in ('text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'):
        assert ask(server, 'POST', '/do/session/start', '{}', Content_Type=kind)[0] == 415
    assert server.pressed == before


def test_button_is_carried_out_and_answers_with_a_sentence(server):
    own = {'Origin': f'http://localhost:{server.port}', 'Content-Type': 'application/json'}
    status, _, text = ask(server, 'POST', '/do/session/start', '{}', **own)
    assert (status, json.loads(text)) == (200, {'message': 'it begins'})
    assert server.pressed[-1] == ('session', 'start')
    status, _, text = ask(server, 'POST', '/do/game/abort', '{}', **own)
    assert (status, json.loads(text)) == (409, {'message': 'not now'})
    assert ask(server, 'GET', '/do/session/start')[0] == 405
    assert ask(server, 'POST', '/do/session/start', '', **own)[0] == 200


@pytest.mark.parametrize('body', ['{"rounds": 5}', '{', '[]'])
def test_settings_that_would_be_ignored_are_refused(server, body):
    before = list(server.pressed)
    status, _, text = ask(server, 'POST', '/do/session/start', body, Content_Type='application/json')
    assert status == 400 and 'the body must be {}' in text and server.pressed == before


def test_large_request_is_refused(server):
    before = list(server.pressed)
    assert ask(server, 'POST', '/do/session/start', 'x' * (BODY_LIMIT + 1), Content_Type='application/json')[0] == 413
    assert ask(server, path='/?' + 'x' * 20_000)[0] in (400, 414)
    assert server.pressed == before


def test_broken_requests_do_not_end_the_server(server):
    for nonsense in (
        b'\x16\x03\x01\x02\x00\x01\x00',
        b'GET\r\n\r\n',
        b'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
        os.urandom(2000),
    ):
        with socket.create_connection(('127.0.0.1', server.port), 5) as client:
            client.sendall(nonsense)
            client.settimeout(0.3)
            try:
                client.recv(1000)
            except OSError:
                pass
    assert ask(server)[0] == 200


def test_token_opens_the_page_once_and_then_the_cookie_does():
    with serving(token='sesame') as server:
        upgrade = {
            'Upgrade': 'websocket',
            'Connection': 'Upgrade',
            'Sec-WebSocket-Version': '13',
            'Sec-WebSocket-Key': 'x' * 22 + '==',
        }
        for path, headers in (
            ('/', {}),
            ('/app.js', {}),
            ('/live', upgrade),
            ('/?token=wrong', {}),
            ('/', {'Cookie': f'emotion_token_{server.port}=wrong'}),
        ):
            status, _, text = ask(server, path=path, **headers)
            assert status == 401 and 'open the link' in text, path
        assert ask(server, 'POST', '/do/session/start', '{}', **JSON)[0] == 401 and not server.pressed
        status, headers, _ = ask(server, path='/?token=sesame')
        assert (status, headers['Location']) == (303, '/'), 'the token does not stay in the address bar'
        cookie = headers['Set-Cookie']
        assert 'HttpOnly' in cookie and 'SameSite=Lax' in cookie
        assert ask(server, Cookie=cookie.split(';')[0])[0] == 200
        assert ask(server, Authorization=b'Bearer \xff')[0] == 401
        assert ask(server, 'POST', '/do/session/start', '{}', Authorization='Bearer sesame', **JSON)[0] == 200


def test_port_that_is_taken_is_said_with_what_to_do(server):
    other = WebServer(Access('127.0.0.1'), Look(1, 1, 1.0), dict, lambda *_: Future(), print)
    with pytest.raises(WebError, match=f'port {server.port}: .*in use.*web_port:='):
        other.start(server.port)
    other = WebServer(Access('192.0.2.1', 'x'), Look(1, 1, 1.0), dict, lambda *_: Future(), print)
    with pytest.raises(WebError, match='192.0.2.1'):
        other.start(0)
    other = WebServer(Access('a..b', 'x'), Look(1, 1, 1.0), dict, lambda *_: Future(), print)
    with pytest.raises(WebError, match=r'cannot serve the web page on a\.\.b'):
        other.start(0)


def test_browser_gets_everything_once_and_then_what_changed(server):
    async def look():
        async with browsing(server) as [client]:
            assert await client.receive_json(timeout=10) == {'about': {'hello': 1}}
            server.show({'a': 1, 'b': float('inf')})
            parts = await client.receive_json(timeout=10)
            assert (parts['a'], parts['b']) == (1, None)
            server.show({'a': 1, 'b': 2})
            assert await client.receive_json(timeout=10) == {'b': 2}

    asyncio.run(look())


def test_browser_that_talks_nonsense_is_closed(server):
    async def look(word):
        async with browsing(server) as [client]:
            await client.send_str(word)
            while not client.closed:
                await client.receive(10)
            return client.close_code

    assert asyncio.run(look('pictures')) == aiohttp.WSCloseCode.POLICY_VIOLATION
    assert asyncio.run(look('x' * 100_000)) == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


def test_nothing_is_encoded_while_nobody_watches(server):
    async def look():
        encoded = []
        frame = Frame(lambda: encoded.append(1) or NOISE, [])
        async with browsing(server, 2) as clients:
            server.offer(frame)
            await clients[0].receive(10)
            await asyncio.sleep(0.1)
            assert not encoded and not server.is_watched
            pictures = await asyncio.gather(*(picture_of(client) for client in clients))
            assert pictures[0] == pictures[1] and len(encoded) == 1, 'one encoding serves all'
            assert server.is_watched

    asyncio.run(look())


def test_frame_of_before_anybody_watched_is_not_sent(server, monkeypatch):
    monkeypatch.setattr('emotion_view.web.server.FRESH_S', 0.2)

    async def look():
        async with browsing(server) as [client]:
            server.offer(Frame(lambda: NOISE, [{'id': 'old'}]))
            await asyncio.sleep(0.3)
            asking = asyncio.create_task(picture_of(client))
            await asyncio.sleep(0.1)
            assert not asking.done()
            server.offer(Frame(lambda: NOISE, [{'id': 'new'}]))
            assert b'"new"' in (await asking)[:100]

    asyncio.run(look())


def test_bad_frame_is_reported_and_the_next_one_comes(server):
    async def look():
        async with browsing(server) as [client]:
            for bad in (lambda: b'nonsense', lambda: np.zeros((70_000, 1, 3), np.uint8)):  # no JPEG can be so high
                server.errors.clear()
                server.offer(Frame(bad, []))
                asking = asyncio.create_task(picture_of(client))
                while not server.errors:
                    await asyncio.sleep(0.01)
                server.offer(Frame(lambda: NOISE, []))
                assert await asyncio.wait_for(asking, 10)

    asyncio.run(look())


def test_slow_browser_gets_fewer_pictures_and_slows_nobody(server):
    """One of two browsers takes nothing from its connection while the other one sees sixty pictures."""

    async def look():
        async with browsing(server, 2) as (fast, slow):
            transport = slow._response.connection.transport
            transport.pause_reading()
            for number in range(60):
                server.offer(Frame(lambda: NOISE, []))
                server.show({'long': 'x' * 20_000 + str(number)})
                await slow.send_str('picture')
                assert len(await asyncio.wait_for(picture_of(fast), 5)) > 100_000
            transport.resume_reading()
            pictures, state = 0, ''
            while not state.endswith('59'):
                message = await slow.receive(5)
                pictures += message.type == aiohttp.WSMsgType.BINARY
                state = json.loads(message.data).get('long', '') if message.type == aiohttp.WSMsgType.TEXT else state
            assert pictures < 45, 'it got what its connection could hold, and then the newest'

    asyncio.run(look())


def test_twenty_browsers_at_once(server):
    async def look():
        async with browsing(server, 20) as clients:
            server.show({'n': 20})
            server.offer(Frame(lambda: NOISE, []))
            pictures = await asyncio.wait_for(asyncio.gather(*(picture_of(client) for client in clients)), 20)
            assert len(set(pictures)) == 1
            assert server.client_count == 20

    asyncio.run(look())
    wait_until(lambda: server.client_count == 0)


def test_too_many_browsers_are_refused_with_a_sentence(server):
    async def look():
        async with browsing(server, CLIENTS_LIMIT) as clients:
            assert len(clients) == CLIENTS_LIMIT
            with pytest.raises(aiohttp.WSServerHandshakeError) as error:
                async with browsing(server):
                    pass
            assert error.value.status == 503

    asyncio.run(look())
    wait_until(lambda: server.client_count == 0)


def test_forty_reconnects_leak_nothing(server):
    def count():
        tasks = Future()
        server._call(lambda: tasks.set_result(len(asyncio.all_tasks())))
        return psutil.Process().num_fds(), threading.active_count(), tasks.result(5), server.client_count

    async def reconnect(times, abruptly):
        for number in range(times):
            async with browsing(server) as [client]:
                server.offer(Frame(lambda: NOISE, []))
                await picture_of(client)
                if abruptly:
                    client._response.connection.transport.abort()

    asyncio.run(reconnect(2, False))
    wait_until(lambda: server.client_count == 0)
    before = count()
    asyncio.run(reconnect(20, False))
    asyncio.run(reconnect(20, True))
    wait_until(lambda: count() == before)


def wait_until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, 'waited in vain'
        time.sleep(0.02)

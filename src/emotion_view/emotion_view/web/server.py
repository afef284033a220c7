"""
The server: the page's files, one WebSocket per browser, and the buttons.

It runs in a thread of its own, in an event loop. A browser asks for each picture when it has drawn the one before, and
is told only the newest state once it has taken what was sent to it: a slow one gets less, and slows nobody.
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.http_exceptions import HttpProcessingError

from emotion_core.errors import EmotionError
from emotion_view.web.access import Access
from emotion_view.web.board import plain
from emotion_view.web.pictures import Frame

TYPES = {
    '.html': 'text/html; charset=utf-8',
    '.css': 'text/css; charset=utf-8',
    '.js': 'text/javascript; charset=utf-8',
    '.svg': 'image/svg+xml',
}
BODY_LIMIT = 1024  # bytes of a request
MESSAGE_LIMIT = 64  # bytes of what a browser says on its WebSocket
CLIENTS_LIMIT = 64
CLOSE_S = 0.5  # how long a browser may take to say good-bye
HEARTBEAT_S = 10.0  # a browser that does not answer within half of this is let go
START_S = 10.0
ANSWER_S = 5.0  # how long a node may take to accept a goal
FRESH_S = 2.0  # an older frame is not sent: nobody may have watched since
WATCHED_S = 2.0  # after its last wish for a picture a browser still counts as watching
HEADERS = {
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cache-Control': 'no-cache',
    'Server': 'emotion_ros',
}


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Tell whether something is to be logged; a request that is no HTTP is not, whose sender is told with a 400."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_LOGGER = logging.getLogger('emotion_view.web')
_LOGGER.addFilter(_is_our_fault)


class WebError(EmotionError):
    """The server cannot be started."""


@dataclass(frozen=True)
class Look:
    """How pictures are sent."""

    largest_width: int  # [px]
    quality: int  # of the JPEG files
    rate_hz: float  # most pictures a second


@dataclass(eq=False)
class _Client:
    socket: web.WebSocketResponse
    task: asyncio.Task  # that serves it
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    seen: dict[str, int] = field(default_factory=dict)  # part -> version
    wants_picture: bool = False
    asked_at: float = float('-inf')
    shown: Frame | None = None
    picture: bytes | None = None  # to be sent


class WebServer:
    """Serves one page; its public methods may be called from any thread."""

    def __init__(
        self,
        access: Access,
        look: Look,
        welcome: Callable[[], dict[str, Any]],
        command: Callable[[str, str], 'Future[str]'],
        report: Callable[[Exception], None],
    ):
        """
        Take what connects the server with the graph.

        :param welcome: Gives the parts that a browser gets once, when it comes.
        :param command: Carries out a button, such as ('session', 'start'); gives a sentence, or raises EmotionError.
        :param report: Takes what went wrong with a frame.
        """
        self._access = access
        self._welcome = welcome
        self._command = command
        self._report = report
        self.look = look
        self._clients: set[_Client] = set()
        self._parts: dict[str, tuple[int, str]] = {}  # part -> version, JSON
        self._files = _load_files()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, port: int) -> str:
        """
        Begin to serve; gives the link for a browser.

        :param port: 0: any free one.
        :raises WebError: when the address cannot be used.
        """
        started: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(port, started)), name='web', daemon=True)
        self._thread.start()
        return self._access.link(started.result(START_S))

    def stop(self) -> None:
        """End serving, and close all connections."""
        if self._loop is not None:
            self._call(self._ending.set)
            self._thread.join(START_S)

    @property
    def client_count(self) -> int:
        """The number of browsers that are connected."""
        return len(self._clients)

    @property
    def is_watched(self) -> bool:
        """Tell whether somebody wants to see pictures."""
        now = time.monotonic()
        return any(client.wants_picture or now - client.asked_at < WATCHED_S for client in self._clients.copy())

    def show(self, parts: dict[str, Any]) -> None:
        """Show these parts from now on; others stay as they are."""
        self._call(self._show, parts)

    def offer(self, frame: Frame) -> None:
        """Show this frame to those who want to see it; one that comes before it was sent takes its place."""
        self._call(self._offer, frame)

    def _call(self, function: Callable, *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop has ended
            pass

    # From here on everything runs in the server's thread.

    async def _serve(self, port: int, started: 'Future[int]') -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        self._frame: Frame | None = None
        self._offered_at = 0.0
        self._frame_wake = asyncio.Event()
        app = web.Application(middlewares=[self._guard], client_max_size=BODY_LIMIT)
        app.on_response_prepare.append(_add_headers)
        app.add_routes([web.get(path, self._get_file) for path in self._files])
        app.add_routes([web.get('/live', self._live), web.post('/do/{what}/{how}', self._do)])
        runner = web.AppRunner(app, access_log=None, logger=_LOGGER)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._access.address, port).start()
        except (OSError, UnicodeError) as error:  # no host name at all is the second
            await runner.cleanup()
            reason = getattr(error, 'strerror', '') or str(error)
            started.set_exception(
                WebError(
                    f'cannot serve the web page on {self._access.address}, port {port}: {reason}; '
                    'set another with web_port:=… and web_address:=… (the parameters port and address)'
                )
            )
            return
        with ThreadPoolExecutor(1, 'web picture') as self._pool:
            sending = asyncio.create_task(self._send_pictures())
            started.set_result(runner.addresses[0][1])
            await self._ending.wait()
            sending.cancel()
            left = self._clients.copy()
            closing = [asyncio.create_task(client.socket.close(code=WSCloseCode.GOING_AWAY)) for client in left]
            if closing:
                await asyncio.wait(closing, timeout=CLOSE_S)
            for client in left:
                client.task.cancel()  # of one that does not answer
            await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable) -> web.StreamResponse:
        refused = self._access.refuse_host(request.headers.get('Host', ''))
        if refused:
            return _say(421, refused)
        if request.method != 'GET' or request.path == '/live':
            refused = self._access.refuse_origin(request.headers)
            if refused:
                return _say(403, refused)
        cookie = f'emotion_token_{request.url.port}'  # cookies do not tell ports apart
        if 'token' in request.query and request.path == '/' and self._access.knows(request.query['token']):
            response = web.Response(status=303, headers={'Location': '/'})  # a link without the token to share
            response.set_cookie(cookie, request.query['token'], httponly=True, samesite='Lax', path='/')
            return response
        bearer = request.headers.get('Authorization', '').removeprefix('Bearer ')
        if not self._access.knows(request.cookies.get(cookie) or bearer):
            return _say(401, 'a token is needed: open the link that the node printed, it ends in ?token=…')
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _say(error.status, f'{error.reason}: {request.method} {request.path}')

    async def _get_file(self, request: web.Request) -> web.Response:
        body, kind, tag = self._files[request.path]
        if request.headers.get('If-None-Match') == tag:
            return web.Response(status=304, headers={'ETag': tag})
        return web.Response(body=body, headers={'Content-Type': kind, 'ETag': tag})

    async def _do(self, request: web.Request) -> web.Response:
        body = await request.read()  # refuses one over the limit
        if request.content_type != 'application/json':  # which the page of another site cannot send unasked
            return _say(415, 'the content type must be application/json')
        if body.strip() not in (b'', b'{}'):
            return _say(400, 'the body must be {}: what is started has the settings of its node')
        try:
            future = self._command(request.match_info['what'], request.match_info['how'])
            return web.json_response({'message': await asyncio.wait_for(asyncio.wrap_future(future), ANSWER_S)})
        except EmotionError as error:
            return web.json_response({'message': str(error)}, status=409)
        except asyncio.TimeoutError:  # not the built-in one before Python 3.11
            return web.json_response({'message': f'no answer within {ANSWER_S:.0f} s: is the node alive?'}, status=504)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        if len(self._clients) >= CLIENTS_LIMIT:
            return _say(503, f'{CLIENTS_LIMIT} browsers are watching already: close one of them')
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MESSAGE_LIMIT, compress=False)
        await socket.prepare(request)
        client = _Client(socket, asyncio.current_task())
        self._clients.add(client)
        feeding = asyncio.create_task(self._feed(client))
        try:
            async for message in socket:
                if message.type != WSMsgType.TEXT or message.data != 'picture':
                    await socket.close(code=WSCloseCode.POLICY_VIOLATION)
                    break
                client.wants_picture, client.asked_at = True, time.monotonic()
                self._frame_wake.set()
        finally:
            feeding.cancel()
            self._clients.discard(client)
        return socket

    async def _feed(self, client: _Client) -> None:
        """Send a browser what has changed, as fast as it takes it."""
        try:
            await client.socket.send_str(json.dumps(plain(self._welcome())))
            client.wake.set()
            while True:
                await client.wake.wait()
                client.wake.clear()
                changed = [(name, *part) for name, part in self._parts.items() if client.seen.get(name) != part[0]]
                if changed:
                    client.seen |= {name: version for name, version, _ in changed}
                    await client.socket.send_str('{' + ','.join(f'"{name}":{text}' for name, _, text in changed) + '}')
                if client.picture is not None:
                    picture, client.picture = client.picture, None
                    await client.socket.send_bytes(picture)
        except (ConnectionError, RuntimeError):  # it has gone
            pass

    def _show(self, parts: dict[str, Any]) -> None:
        for name, part in parts.items():
            text = json.dumps(plain(part))
            version, old = self._parts.get(name, (0, ''))
            if text != old:
                self._parts[name] = version + 1, text
        for client in self._clients:
            client.wake.set()

    def _offer(self, frame: Frame) -> None:
        self._frame, self._offered_at = frame, time.monotonic()
        self._frame_wake.set()

    async def _send_pictures(self) -> None:
        """Encode the newest frame whenever a browser waits for one, once for all who wait."""
        picture, encoded = b'', None
        while True:
            await self._frame_wake.wait()
            self._frame_wake.clear()
            began, frame, look = time.monotonic(), self._frame, self.look
            if frame is None or began - self._offered_at > FRESH_S:
                self._frame = None
                continue
            if not any(client.wants_picture and client.shown is not frame for client in self._clients):
                continue
            if frame is not encoded:
                try:
                    picture = await self._loop.run_in_executor(
                        self._pool, frame.encode, look.largest_width, look.quality
                    )
                    encoded = frame
                except Exception as error:  # one frame that cannot be shown must not end the picture
                    self._report(error)
                    self._frame = None
                    continue
            for client in self._clients:
                if client.wants_picture and client.shown is not frame:
                    client.wants_picture, client.shown, client.picture = False, frame, picture
                    client.wake.set()
            await asyncio.sleep(max(1 / look.rate_hz - (time.monotonic() - began), 0))


def _say(status: int, sentence: str) -> web.Response:
    return web.Response(status=status, text=sentence + '\n')


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def _load_files() -> dict[str, tuple[bytes, str, str]]:
    """Give what may be asked for: path -> bytes, content type, ETag. Nothing else is ever read from the disk."""
    loaded = {}
    for file in (files('emotion_view.web') / 'static').iterdir():
        suffix = '.' + file.name.rpartition('.')[2]
        if suffix in TYPES:
            body = file.read_bytes()
            path = '/' if file.name == 'index.html' else f'/{file.name}'
            loaded[path] = body, TYPES[suffix], f'"{sha256(body).hexdigest()[:16]}"'
    return loaded

"""Starts the processes of a graph, keeps them alive, and ends them together."""

import asyncio
import ctypes
import io
import os
import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

RESPAWN_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
STEADY_S = 20.0  # a process that lived this long starts with the shortest delay again
# How long each signal may take. SIGTERM first: of SIGINT a node that is still importing would end with a traceback;
# later it takes both alike. One that is just joining DDS misses the first signal.
GRACE_S = ((signal.SIGTERM, 2.0), (signal.SIGINT, 4.0), (signal.SIGKILL, 2.0))
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)  # ANSI
PR_SET_PDEATHSIG = 1  # prctl(2)
LINE_LIMIT = 1 << 20  # bytes of one log line


@dataclass(frozen=True)
class Child:
    """A process to supervise."""

    name: str
    command: Sequence[str]
    respawn: bool = False


class Supervisor:
    """
    Runs children until a signal comes, or all have ended.

    Each child is in a process group of its own, so that Ctrl-C reaches it once and in order, and dies with the
    supervisor, however that ends.
    """

    def __init__(self, children: Sequence[Child], environ: Mapping[str, str], out: TextIO = sys.stdout):
        """Take the children; ``run`` starts them."""
        self._children = list(children)
        self._environ = {
            'PYTHONUNBUFFERED': '1',
            'RCUTILS_COLORIZED_OUTPUT': str(int(out.isatty())),
            'RCUTILS_CONSOLE_OUTPUT_FORMAT': '[{severity}] {message}',
            **environ,
        }
        self._out = out
        if isinstance(out, io.TextIOWrapper):  # what its encoding lacks must not end the graph
            out.reconfigure(errors='replace')
        self._width = max((len(child.name) for child in self._children), default=0)
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._ending = asyncio.Event()
        self._hurry = asyncio.Event()
        self._failed = False
        self.interrupted = False  # whether a signal ended it

    def run(self) -> int:
        """Run to the end; gives the exit code: 0 when nothing failed."""
        return asyncio.run(self.serve())

    async def serve(self) -> int:
        """Do what ``run`` does, inside an event loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._interrupt)
        keepers = [asyncio.create_task(self._keep(child, index)) for index, child in enumerate(self._children)]
        stopping = asyncio.create_task(self._ending.wait())
        everything = asyncio.gather(*keepers)
        await asyncio.wait([stopping, everything], return_when=asyncio.FIRST_COMPLETED)
        self._ending.set()
        await self._end_all(everything)
        return int(self._failed)

    def stop(self) -> None:
        """End all children; called again, at once."""
        if self._ending.is_set():
            self._hurry.set()
        self._ending.set()

    def _interrupt(self) -> None:
        self.interrupted = True
        self.stop()

    async def _keep(self, child: Child, index: int) -> None:
        """Run one child, and again when it ends."""
        delay = RESPAWN_DELAY_S
        while not self._ending.is_set():
            begin = time.monotonic()
            code = await self._run_once(child, index)
            if self._ending.is_set():
                break
            reason = signal.Signals(-code).name if code < 0 else f'exit code {code}'
            if not child.respawn:
                self._failed |= code != 0
                self._say(child, index, f'ended ({reason})')
                return
            delay = RESPAWN_DELAY_S if time.monotonic() - begin > STEADY_S else delay
            self._say(child, index, f'ended ({reason}); starts again in {delay:g} s')
            try:
                await asyncio.wait_for(self._ending.wait(), delay)
            except asyncio.TimeoutError:  # not the built-in one before Python 3.11
                pass
            delay = min(delay * 2, LONGEST_DELAY_S)

    async def _run_once(self, child: Child, index: int) -> int:
        """Run one child to its end; gives its exit code, negative for a signal."""
        try:
            process = await asyncio.create_subprocess_exec(
                *child.command,
                env=self._environ,
                limit=LINE_LIMIT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),
            )
        except OSError as error:
            self._say(child, index, f'cannot start {shlex.join(child.command)}: {error.strerror}')
            return 127
        self._running[child.name] = process
        self._say(child, index, f'started, process {process.pid}')
        reading = asyncio.create_task(self._copy_lines(child, index, process.stdout))
        code = await process.wait()
        await asyncio.wait([reading], timeout=0.5)  # a grandchild may hold the pipe open
        reading.cancel()
        del self._running[child.name]
        return code

    async def _copy_lines(self, child: Child, index: int, stream: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than LINE_LIMIT
                continue
            if not line:
                return
            self._say(child, index, line.decode(errors='replace').rstrip())

    async def _end_all(self, everything: asyncio.Future) -> None:
        signalled: set[tuple[int, int]] = set()
        for number, seconds in GRACE_S:
            deadline = time.monotonic() + seconds
            while not everything.done() and time.monotonic() < deadline:
                for process in list(self._running.values()):  # one may have been starting until now
                    if (process.pid, number) not in signalled:
                        signalled.add((process.pid, number))
                        _signal_group(process.pid, number)
                if self._hurry.is_set() and number != signal.SIGKILL:
                    break
                await asyncio.sleep(0.02)
        await everything

    def _say(self, child: Child, index: int, text: str) -> None:
        label = f'[{child.name}]'.ljust(self._width + 2)
        if self._out.isatty():
            label = f'\033[{COLOURS[index % len(COLOURS)]}m{label}\033[0m'
        try:
            print(label, text, file=self._out, flush=True)
        except (BrokenPipeError, ValueError):  # nobody reads any more
            self.stop()


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


_LIBC = ctypes.CDLL(None, use_errno=True)


def _die_with(parent: int):
    """Give what a child runs before its program, so that the kernel ends it when the parent is gone."""

    def before_exec() -> None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the parent went in between
            os._exit(1)

    return before_exec

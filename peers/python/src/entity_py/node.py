"""The running peer: sockets, the one clock, files, the contract's lines. It decides nothing."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Coroutine, Dict, List, Optional, Set

from . import __version__
from .codes import BadParams
from .config import LEVELS, Config, ConfigError, Started, read
from .contract import LINE_MAX, Writer, initialize, read_line
from .crypto import SigningKey
from .encoding import SECOND
from .features import all_features
from .gate import Gate
from .http import Client, Handled, Server
from .layers import Layers
from .peer.core import CORE_EVENTS, Core
from .peer.outputs import Answer, Event, Output, Reply, Stopped, Transmit, Work
from .relays import Relays
from .store import Store, StoreError
from .times import Now
from .websocket import Data, Socket

IDENTITY = "identity"
DRAIN = 3.0
"""Seconds that answers under way may take when the peer ends."""


def run(arguments: List[str]) -> int:
    """Exit code 0: ended as asked. 1: it could not go on. 2: wrong use."""
    try:
        started = read(arguments, os.environ, _read_text)
    except ConfigError as error:
        print(f"entity_py: {error}", file=sys.stderr)
        return 2
    try:
        return asyncio.run(Node(started).run())
    except (StoreError, OSError) as error:
        print(f"entity_py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _read_text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read(65_536)


def clock() -> Now:
    """The only place that reads the time."""
    return Now(time.monotonic_ns() // 1000, time.time_ns() // 1000)


def identity_seed(seed: Optional[str], name: str, kept: Optional[bytes]) -> bytes:
    """The seed of the identity: from HANDFAST_SEED (docs/contract/README.md), else the one that is kept, else a new one."""
    if seed is not None:
        return hashlib.sha256(b"handfast-identity\0" + name.encode() + b"\0" + seed.encode()).digest()
    return kept or os.urandom(32)


class Node:
    """See the module's text."""

    def __init__(self, started: Started) -> None:
        self._started = started
        self._level = LEVELS.index(started.level)
        config = Config(**{**started.config.__dict__, "log": self.log})
        self._store = Store(started.data_dir)
        records = self._store.load()
        seed = identity_seed(started.seed, config.name, records.get(IDENTITY, {}).get("seed"))
        self._new_seed = seed if started.seed is None and IDENTITY not in records else None
        self._records = records
        self.core = Core(config, SigningKey(seed), os.urandom, all_features())
        self._client = Client()
        self._relays = Relays(
            config.name, self.core.key, config.relays, lambda: self.core.inbound.size_max, self._relayed, clock, self._misled, self.log
        )
        self._layers = Layers(
            config.name, self._client, config.websocket, lambda: self.core.inbound.size_max, self._socket_message, self.core.socket_base,
            self._linked, config.http, self._relays, self.core.peer_key,
        )  # fmt: skip
        self._server = Server(self._request, lambda: self.core.inbound.size_max, self._layers.upgrade)
        self._writer = Writer(self._write)
        self._gate = Gate(self._store, self._release, self._store_failed)
        self._answers: Dict[int, "asyncio.Future[Handled]"] = {}
        self._sockets: Dict[object, Socket] = {}
        """The WebSocket that a request came over."""
        self._tokens = 0
        self._wake: Optional[asyncio.TimerHandle] = None
        self._ended: "asyncio.Event" = asyncio.Event()
        self._initialized = False
        self._shutdown: Optional[Any] = None
        self._stopping = False
        self._code = 0
        self._tasks: Set["asyncio.Task[None]"] = set()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="work")
        self._out_lock = threading.Lock()

    def log(self, level: str, text: str) -> None:
        """A line on stderr."""
        if LEVELS.index(level) <= self._level:
            print(f"{time.strftime('%H:%M:%S')} {level}: {text}", file=sys.stderr, flush=True)

    async def run(self) -> int:
        """Listens, answers, ends."""
        loop = asyncio.get_running_loop()
        host, port = await self._server.listen(self._started.host, self._started.port)
        shown = f"[{host}]" if ":" in host else host
        self.core.address = f"http://{shown}:{port}"
        if self._new_seed is not None:
            self._store.commit([[(IDENTITY, "seed", self._new_seed)]])
        self._input(lambda now: self.core.handle_start(self._records, now))
        self._records = {}
        self.log("info", f"ready at {self.core.address} as {self.core.name} with {', '.join(self.core.config.versions)}")
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        self._relays.start()
        threading.Thread(target=self._read_lines, args=(loop,), daemon=True).start()
        await self._ended.wait()
        await self._gate.empty()
        if self._answers:
            await asyncio.wait(list(self._answers.values()), timeout=DRAIN)
        await asyncio.sleep(0)
        self._worker.shutdown(wait=True, cancel_futures=True)
        await self._relays.close()
        await self._layers.close()
        await self._server.close()
        await self._client.close()
        self._store.close()
        if self._shutdown is not None:
            self._writer.reply(self._shutdown, {})
        return self._code

    # -- inputs

    def _input(self, function: Callable[[Now], None]) -> None:
        """One input, then everything that comes of it."""
        function(clock())
        step = self.core.drain()
        if step is not None:
            self._gate.put(step)
        self._arm()

    def _arm(self) -> None:
        deadline = self.core.next_deadline()
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if deadline is not None and not self._stopping:
            delay = max(0, deadline - clock().mono) / SECOND
            self._wake = asyncio.get_running_loop().call_later(delay, self._input, self.core.handle_deadline)

    async def _request(self, method: str, path: str, body: bytes, local: bool) -> Handled:
        if self._stopping:
            return 503, b'{"detail":"the peer is ending"}', None
        if method == "POST" and not self.core.config.http:
            return 404, b'{"detail":"Not Found"}', None
        self._tokens += 1
        token = self._tokens
        answer: "asyncio.Future[Handled]" = asyncio.get_running_loop().create_future()
        self._answers[token] = answer
        try:
            self._input(lambda now: self.core.handle_request(token, method, path, body, local, now))
            return await answer
        finally:
            self._answers.pop(token, None)

    def _socket_message(self, socket: Socket, data: Data) -> "asyncio.Future[Handled]":
        """A counted message of a WebSocket, judged as the same bytes are that come by HTTP."""
        if isinstance(data, str):
            return self._judged(data.encode("utf-8"), False, socket)
        # What is no frame is refused as one; docs/protocol/1.1.md#websocket-messages gives it the same code.
        return self._judged(data, True, socket)

    def _relayed(self, message: bytes, is_frame: bool) -> "asyncio.Future[Handled]":
        """What a relay has handed on says nothing of who is at the other end of the connection."""
        return self._judged(message, is_frame, None)

    def _judged(self, message: bytes, is_frame: bool, socket: Optional[Socket]) -> "asyncio.Future[Handled]":
        self._tokens += 1
        token = self._tokens
        answer: "asyncio.Future[Handled]" = asyncio.get_running_loop().create_future()
        if self._stopping:
            answer.set_result((503, b'{"detail":"the peer is ending"}', None))
            return answer
        self._answers[token] = answer
        if socket is not None:
            self._sockets[token] = socket
        answer.add_done_callback(lambda done: self._answers.pop(token, None))
        if is_frame:
            self._input(lambda now: self.core.handle_frame(token, message, now))
        else:
            self._input(lambda now: self.core.handle_request(token, "POST", "/message", message, False, now))
        return answer

    def _misled(self, relay: str, key: Optional[bytes], why: str) -> None:
        if not self._stopping:
            self._input(lambda now: self.core.handle_misled(relay, key, why, now))

    def _linked(self, peer: str, count: int) -> None:
        """An input of its own, after the one that led to it."""

        def told() -> None:
            if not self._stopping:
                self._input(lambda now: self.core.handle_linked(peer, count, now))

        asyncio.get_running_loop().call_soon(told)

    async def _transmit(self, what: Transmit) -> None:
        status, body, error = None, b"", ""
        try:
            status, body = await self._layers.transmit(what)
        except asyncio.TimeoutError:
            error = "no answer in time"
        except Exception as failure:  # refused, reset, no HTTP at all: all of it is "nobody answered"
            error = f"{type(failure).__name__}: {failure}"
        if not self._stopping:
            self._input(lambda now: self.core.handle_transmitted(what.id, status, body, error, now))

    async def _work(self, what: Work) -> None:
        try:
            result: Any = await asyncio.get_running_loop().run_in_executor(self._worker, what.function)
        except Exception as failure:
            result = failure
        if not self._stopping:
            self._input(lambda now: self.core.handle_worked(what.id, result, now))

    # -- outputs

    def _release(self, output: Output) -> None:
        if isinstance(output, Event):
            self._writer.event(output.name, output.params)
        elif isinstance(output, Answer):
            waiting = self._answers.get(output.token) if isinstance(output.token, int) else None
            socket = self._sockets.pop(output.token, None)
            if socket is not None and output.sender is not None:
                # Before anything that this message led to looks for a way.
                self._layers.bind(socket, output.sender)
            if waiting is not None and not waiting.done():
                waiting.set_result((output.status, output.body, output.retry_after_s))
        elif isinstance(output, Reply):
            self._writer.reply(output.call, output.outcome)
        elif isinstance(output, Transmit):
            self._spawn(self._transmit(output))
        elif isinstance(output, Work):
            if not self._stopping:
                self._spawn(self._work(output))
        elif isinstance(output, Stopped):
            self._ended.set()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _store_failed(self, error: BaseException) -> None:
        print(f"entity_py: {self._store.path} does not take what has to be kept: {error}", file=sys.stderr, flush=True)
        self._code = 1
        self._ended.set()

    def _write(self, line: bytes) -> None:
        with self._out_lock:
            try:
                os.write(1, line) if len(line) <= 4096 else self._write_long(line)
            except OSError:
                self._ended.set()

    @staticmethod
    def _write_long(line: bytes) -> None:
        left = memoryview(line)
        while left:
            left = left[os.write(1, left) :]

    # -- the contract

    def _read_lines(self, loop: asyncio.AbstractEventLoop) -> None:
        """A thread of its own: stdin cannot be waited for otherwise on every kind of file."""
        held, too_long = bytearray(), False
        while True:
            data = os.read(0, 65_536)
            if not data:
                break
            held += data
            *lines, rest = held.split(b"\n")
            held = bytearray(rest)
            for line in lines:
                if too_long or len(line) > LINE_MAX:
                    too_long = False
                elif line.strip():
                    loop.call_soon_threadsafe(self._line, bytes(line))
            if len(held) > LINE_MAX:
                # The rest of a line that is too long is left out with it.
                held, too_long = bytearray(), True
        loop.call_soon_threadsafe(self._stop)

    def _line(self, line: bytes) -> None:
        try:
            call, method, params = read_line(line)
        except (ValueError, RecursionError) as error:
            self.log("warn", f"a line that is no request: {error}")
            return
        if call is None:
            if method == "$/cancel" and isinstance(params, dict):
                self._input(lambda now: self.core.handle_cancel(params.get("id"), now))
            return
        if self._stopping:
            return
        if method == "initialize":
            self._initialize(call, params)
        elif method == "shutdown":
            if params:
                self._writer.reply(call, BadParams("shutdown has no parameters"))
            else:
                self._shutdown = call
                self._stop()
        else:
            self._input(lambda now: self.core.handle_call(call, method, params, now))

    def _initialize(self, call: Any, params: Any) -> None:
        core = self.core
        events = sorted({*CORE_EVENTS, *(name for feature in core.features for name in feature.events)})
        try:
            told: Any = initialize(
                params, core.name, __version__, list(core.config.versions), sorted(core.methods), events, core.address or "", core.key.public
            )
        except BadParams as error:
            told = error
        self._writer.reply(call, told)

    def _stop(self) -> None:
        if self._stopping:
            return
        self._input(self.core.handle_stop)
        self._stopping = True

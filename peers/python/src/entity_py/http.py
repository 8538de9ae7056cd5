"""HTTP/1.1 over asyncio streams: a server for one handler, and a client that keeps connections.

The protocol itself is h11's. Bounds: sizes of head and body, connections, how long a connection may say nothing.

Source: docs/protocol/1.0.md#transport.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Awaitable, Callable, Deque, Dict, List, Mapping, Optional, Set, Tuple

import h11

CONNECTIONS_MAX = 1_024
IDLE = 75.0
"""Seconds that a connection may say nothing between requests, or in the middle of one."""
HEAD_MAX = 16_384
CHUNK = 65_536
ANSWER_MAX = 4 * 1_048_576
PER_PEER_MAX = 32
"""How many requests to one address are under way at a time."""
CONNECT = 5.0
"""Seconds that connecting may take."""
KEPT_MAX = 8
KEPT_FOR = 20.0

Handled = Tuple[int, bytes, Optional[int]]
Handler = Callable[[str, str, bytes, bool], Awaitable[Handled]]
"""Method, path, body, whether the client is on this machine -> status, body, seconds for Retry-After."""
Headers = Mapping[str, str]
Switch = Tuple[List[Tuple[str, str]], Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]]
"""Headers of the answer 101, and who takes the connection from there on, with what has come already."""
Upgrade = Callable[[str, str, Headers], Optional[Switch]]
"""Method, path, headers (names in lower case) -> the switch to another protocol, or None. Raises ValueError: 400."""


class Server:
    """Listens; each connection is a task of its own."""

    def __init__(self, handler: Handler, size_max: Callable[[], int], upgrade: Upgrade = lambda method, path, headers: None) -> None:
        self._handler = handler
        self._upgrade = upgrade
        self._size_max = size_max
        self._tasks: Set["asyncio.Task[None]"] = set()
        self._server: Optional[asyncio.AbstractServer] = None

    async def listen(self, host: str, port: int) -> Tuple[str, int]:
        """Begins, and returns where. Raises OSError."""
        self._server = await asyncio.start_server(self._connected, host, port, limit=CHUNK * 2, backlog=512)
        name = self._server.sockets[0].getsockname()
        return str(name[0]), int(name[1])

    async def close(self) -> None:
        """Ends every connection."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=1)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._tasks) >= CONNECTIONS_MAX:
            writer.close()
            return
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.TimeoutError, h11.ProtocolError, asyncio.CancelledError, OSError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        local = bool(peer) and str(peer[0]) in ("127.0.0.1", "::1")
        link = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_MAX)
        while True:
            try:
                request = await _read_request(link, reader, writer, self._size_max())
            except h11.RemoteProtocolError as error:
                _write(link, writer, error.error_status_hint, b'{"detail":"Bad Request"}', None, close=True)
                await writer.drain()
                return
            if request is None:
                return
            method, path, body, too_large, headers = request
            try:
                switch = self._upgrade(method, path, headers)
            except ValueError as error:
                _write(link, writer, 400, b'{"detail":"%s"}' % str(error).encode(), None, close=True)
                await writer.drain()
                return
            if switch is not None:
                writer.write(link.send(h11.InformationalResponse(status_code=101, headers=switch[0])) or b"")
                await switch[1](reader, writer, bytes(link.trailing_data[0]))
                return
            status, answer, retry = await self._handler(method, path, body, local)
            _write(link, writer, status, b"" if method == "HEAD" else answer, retry, close=too_large)
            await writer.drain()
            if link.our_state is h11.MUST_CLOSE or link.their_state is not h11.DONE:
                return
            link.start_next_cycle()


async def _next(link: h11.Connection, reader: asyncio.StreamReader) -> object:
    while True:
        event = link.next_event()
        if event is not h11.NEED_DATA:
            return event
        link.receive_data(await asyncio.wait_for(reader.read(CHUNK), IDLE))


async def _read_request(
    link: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size_max: int
) -> Optional[Tuple[str, str, bytes, bool, Headers]]:
    """A whole request, or None where the connection has ended. Of a body that is too large `size_max` + 1 bytes are kept."""
    event = await _next(link, reader)
    if not isinstance(event, h11.Request):
        return None
    if link.they_are_waiting_for_100_continue:
        writer.write(link.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
    method, path = event.method.decode("ascii"), event.target.decode("ascii", "replace")
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in event.headers}
    parts: List[bytes] = []
    size, seen = 0, 0
    while True:
        event = await _next(link, reader)
        if isinstance(event, h11.Data):
            seen += len(event.data)
            if size <= size_max:
                parts.append(bytes(event.data))
                size += len(event.data)
            if seen > 8 * size_max:
                # Whoever sends this much is answered now; the connection ends with it.
                return method, path, b"".join(parts), True, headers
        elif isinstance(event, h11.EndOfMessage):
            return method, path, b"".join(parts), False, headers
        else:
            return None


def _write(link: h11.Connection, writer: asyncio.StreamWriter, status: int, body: bytes, retry: Optional[int], close: bool) -> None:
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    if retry is not None:
        headers.append(("Retry-After", str(retry)))
    if close:
        headers.append(("Connection", "close"))
    data = link.send(h11.Response(status_code=status, headers=headers)) or b""
    data += link.send(h11.Data(data=body)) or b""
    data += link.send(h11.EndOfMessage()) or b""
    writer.write(data)


class _Kept:
    __slots__ = ("link", "reader", "writer", "since")

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.link = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_MAX)
        self.reader = reader
        self.writer = writer
        self.since = 0.0


def split_url(url: str) -> Tuple[str, int, str]:
    """Host, port, and path before the endpoint's. Raises ValueError."""
    scheme, _, rest = url.partition("://")
    where, slash, path = rest.partition("/")
    if scheme != "http" or not where:
        raise ValueError(f"{url}: not an http URL")
    host, colon, port = where.rpartition(":")
    if not colon or not port.isdigit():
        host, port = where, "80"
    if int(port) > 65_535:
        raise ValueError(f"{url}: a port is at most 65535")
    return host.strip("[]"), int(port), (slash + path).rstrip("/")


class Client:
    """Requests with a limit each; connections to an address are used again."""

    def __init__(self) -> None:
        self._kept: Dict[Tuple[str, int], Deque[_Kept]] = {}
        self._turns: Dict[Tuple[str, int], asyncio.Semaphore] = {}

    async def request(self, url: str, method: str, path: str, body: bytes, limit: float) -> Tuple[int, bytes]:
        """Status and body. The limit (seconds) is from the request's turn on. Raises OSError, ValueError, asyncio.TimeoutError, h11.ProtocolError."""
        host, port, before = split_url(url)
        turn = self._turns.setdefault((host, port), asyncio.Semaphore(PER_PEER_MAX))
        async with turn:
            return await asyncio.wait_for(self._exchange(host, port, method, before + path, body), limit)

    async def _exchange(self, host: str, port: int, method: str, target: str, body: bytes) -> Tuple[int, bytes]:
        kept = self._take(host, port)
        if kept is None:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port, limit=CHUNK * 2), CONNECT)
            kept = _Kept(reader, writer)
        # A kept connection that ends now has perhaps delivered the request: only the client rules say when it is sent again.
        return await self._on(kept, host, port, method, target, body)

    def _take(self, host: str, port: int) -> Optional[_Kept]:
        kept = self._kept.get((host, port))
        now = asyncio.get_running_loop().time()
        while kept:
            found = kept.pop()
            if now - found.since < KEPT_FOR and not found.reader.at_eof():
                return found
            found.writer.close()
        return None

    async def _on(self, kept: _Kept, host: str, port: int, method: str, target: str, body: bytes) -> Tuple[int, bytes]:
        done = False
        try:
            link = kept.link
            headers = [("Host", f"{host}:{port}"), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
            data = link.send(h11.Request(method=method, target=target, headers=headers)) or b""
            data += link.send(h11.Data(data=body)) or b""
            data += link.send(h11.EndOfMessage()) or b""
            kept.writer.write(data)
            status, answer = await self._answer(kept)
            done = link.our_state is h11.DONE and link.their_state is h11.DONE
            return status, answer
        finally:
            if done:
                self._keep(kept, host, port)
            else:
                kept.writer.close()

    def _keep(self, kept: _Kept, host: str, port: int) -> None:
        kept.link.start_next_cycle()
        kept.since = asyncio.get_running_loop().time()
        pool = self._kept.setdefault((host, port), deque())
        pool.append(kept)
        if len(pool) > KEPT_MAX:
            pool.popleft().writer.close()

    @staticmethod
    async def _answer(kept: _Kept) -> Tuple[int, bytes]:
        status, parts, size = 0, [], 0
        while True:
            event = kept.link.next_event()
            if event is h11.NEED_DATA:
                data = await kept.reader.read(CHUNK)
                if not data and status == 0 and kept.link.their_state is h11.SEND_RESPONSE:
                    raise ConnectionResetError("the connection was closed without an answer")
                kept.link.receive_data(data)
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                size += len(event.data)
                if size <= ANSWER_MAX:
                    parts.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                return status, b"".join(parts)
            elif isinstance(event, h11.InformationalResponse):
                continue
            else:
                raise ConnectionResetError("the connection was closed without an answer")

    async def close(self) -> None:
        """Ends every connection."""
        for pool in self._kept.values():
            for kept in pool:
                with suppress(Exception):
                    kept.writer.close()

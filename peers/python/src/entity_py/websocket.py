"""One WebSocket connection with answers, over asyncio streams. The frames of the WebSocket itself are the library's.

Bounds: what is unanswered in either direction, the size of a message, how long the other end may be silent.

Source: docs/protocol/1.1.md#websocket, RFC 6455.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import os
from collections import deque
from contextlib import suppress
from typing import Callable, Deque, List, Mapping, Optional, Tuple, Union

import h11
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import CLIENT, OPEN, SERVER, Protocol

from .http import CHUNK, CONNECT, HEAD_MAX, Handled
from .socket_wire import ACCEPTED, CONTROL, PATH, REFUSED, SUBPROTOCOL, Answering, Owed, Told, Violation, read_answer

PING_AFTER = 20.0
"""Seconds without traffic after which a ping goes; two that nobody answers end the connection."""
PINGS_MAX = 2
HANDLING_MAX = 256
"""Messages of the other side that are being handled; no more is read until some are answered."""
OVERHEAD_MAX = 64
"""By how much a message may be longer than what it carries."""
WRITE_HIGH = 1_048_576
ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Data = Union[str, bytes]


class Broken(ConnectionError):
    """The connection ended before the message was answered."""


class Refusal400(ValueError):
    """No opening of a WebSocket as this protocol has it."""


def accept_key(key: str) -> str:
    """`Sec-WebSocket-Accept` for a key (RFC 6455, section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode("ascii") + ACCEPT_GUID, usedforsecurity=False).digest()).decode("ascii")


def check_upgrade(method: str, headers: Mapping[str, str]) -> str:
    """The key of an opening. Raises Refusal400."""

    def words(name: str) -> List[str]:
        return [word.strip() for word in headers.get(name, "").split(",")]

    if method != "GET" or "websocket" not in [word.lower() for word in words("upgrade")]:
        raise Refusal400("only WebSocket is spoken here")
    if "upgrade" not in [word.lower() for word in words("connection")] or headers.get("sec-websocket-version") != "13":
        raise Refusal400("no opening of a WebSocket of version 13")
    if SUBPROTOCOL not in words("sec-websocket-protocol"):
        raise Refusal400(f"the subprotocol is {SUBPROTOCOL}")
    key = headers.get("sec-websocket-key", "")
    try:
        if len(base64.b64decode(key, validate=True)) != 16:
            raise Refusal400("no key")
    except binascii.Error as error:
        raise Refusal400("no key") from error
    return key


class Socket:
    """An open connection. `taken` gets every counted message in order, and the answer it gives is told in that order."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        is_client: bool,
        size_max: int,
        taken: Callable[["Socket", Data], "asyncio.Future[Handled]"],
        control: Callable[["Socket", bytes], None] = lambda socket, data: None,
    ) -> None:
        self.peer: Optional[str] = None
        """Who is known to be at the other end."""
        self.is_client = is_client
        self._reader = reader
        self._writer = writer
        self._wire = Protocol(CLIENT if is_client else SERVER, state=OPEN, max_size=size_max + OVERHEAD_MAX)
        self._taken = taken
        self._control = control
        self._owed: "Owed[asyncio.Future[Told]]" = Owed()
        self._answering = Answering()
        self._handling: Deque[Tuple[int, "asyncio.Future[Handled]"]] = deque()
        self._arrived = 0
        self._parts: List[bytes] = []
        self._is_text = False
        self._more = asyncio.Event()
        self._room = asyncio.Condition()
        self._over = False
        self._heard = 0.0
        self._pings = 0
        writer.transport.set_write_buffer_limits(high=WRITE_HIGH)

    @property
    def is_open(self) -> bool:
        """Whether messages may go: not any more once either side has said that it ends."""
        return not self._over and self._wire.state is OPEN

    # -- sending

    async def send(self, data: Data) -> Told:
        """One counted message, and what the other side answers. Waits where too much is unanswered. Raises Broken."""
        size = len(data)
        if not self._owed.has_room(size):
            async with self._room:
                await self._room.wait_for(lambda: self._over or self._owed.has_room(size))
        if not self.is_open:
            raise Broken("the connection is over")
        answer: "asyncio.Future[Told]" = asyncio.get_running_loop().create_future()
        self._owed.add(answer, size)
        self._write(data)
        return await answer

    def tell(self, data: bytes) -> None:
        """A message that is not counted: an answer, or a control object."""
        if self.is_open:
            self._write(data)

    def _write(self, data: Data) -> None:
        if isinstance(data, str):
            self._wire.send_text(data.encode("utf-8"))
        else:
            self._wire.send_binary(data)
        self._flush()

    def _flush(self) -> None:
        for chunk in self._wire.data_to_send():
            if chunk:
                self._writer.write(chunk)

    # -- receiving

    async def run(self, first: bytes = b"") -> None:
        """Until the connection ends; whoever still waits for an answer then gets `Broken`."""
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        answering = loop.create_task(self._answer())
        watching = loop.create_task(self._watch())
        try:
            await self._read(first)
        except (OSError, Violation, asyncio.IncompleteReadError):
            pass
        finally:
            answering.cancel()
            watching.cancel()
            await self._end()

    async def _read(self, data: bytes) -> None:
        while True:
            if data:
                self._heard, self._pings = asyncio.get_running_loop().time(), 0
                self._wire.receive_data(data)
            for event in self._wire.events_received():
                if isinstance(event, Frame):
                    await self._take(event)
            self._flush()
            if self._wire.close_expected() or self._over:
                return
            # Who does not take its answers is read no further.
            await self._writer.drain()
            data = await self._reader.read(CHUNK)
            if not data:
                return

    async def _take(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._is_text, self._parts = frame.opcode is Opcode.TEXT, [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
        else:
            return
        if not frame.fin:
            return
        data = b"".join(self._parts)
        self._parts = []
        kind = None if self._is_text or not data else data[0]
        if kind in (ACCEPTED, REFUSED):
            await self._settle(data)
        elif kind == CONTROL:
            self._control(self, data[1:])
        else:
            while len(self._handling) >= HANDLING_MAX and not self._over:
                async with self._room:
                    await self._room.wait()
            self._arrived += 1
            # Bytes of a text that are no UTF-8 are no JSON either.
            self._handling.append((self._arrived, self._taken(self, data.decode("utf-8", "replace") if self._is_text else data)))
            self._more.set()

    async def _settle(self, data: bytes) -> None:
        for waiting, told in self._owed.settle(read_answer(data)):
            if not waiting.done():
                waiting.set_result(told)
        async with self._room:
            self._room.notify_all()

    async def _answer(self) -> None:
        """Says what became of each message, in order; what is accepted together where more have come meanwhile."""
        while True:
            if not self._handling:
                self._say(self._answering.due())
                self._more.clear()
                await self._more.wait()
                continue
            index, handled = self._handling[0]
            if not handled.done():
                self._say(self._answering.due())
            try:
                status, body, _ = await handled
            except Exception:  # a handler that failed is a bug of ours; the other side hears that much
                status, body = 500, b'{"detail":"Internal Server Error"}'
            self._handling.popleft()
            self._say(self._answering.judged(index, status, body))
            if len(self._handling) < HANDLING_MAX:
                async with self._room:
                    self._room.notify_all()

    def _say(self, data: Optional[bytes]) -> None:
        if data is not None:
            self.tell(data)

    async def _watch(self) -> None:
        while True:
            silent = asyncio.get_running_loop().time() - self._heard
            await asyncio.sleep(max(0.0, PING_AFTER * (self._pings + 1) - silent))
            if asyncio.get_running_loop().time() - self._heard < PING_AFTER * (self._pings + 1):
                continue
            if self._pings >= PINGS_MAX or not self.is_open:
                self._writer.transport.abort()
                return
            self._pings += 1
            self._wire.send_ping(os.urandom(4))
            self._flush()

    async def _end(self) -> None:
        self._over = True
        for waiting in self._owed.give_up():
            if not waiting.done():
                waiting.set_exception(Broken("the connection broke"))
                # Whoever waited may have gone.
                waiting.exception()
        async with self._room:
            self._room.notify_all()
        self._writer.close()

    def close(self) -> None:
        """Ends it: in order, or at once where the other side does not take what is written."""
        if not self._over:
            with suppress(Exception):
                self._wire.send_close(CloseCode.GOING_AWAY)
                self._flush()
            self._over = True
            if self._writer.transport.get_write_buffer_size():
                self._writer.transport.abort()
            else:
                self._writer.close()


async def dial(host: str, port: int, path: str) -> Tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """Opens a WebSocket: its streams, and what came after the opening. Raises OSError, asyncio.TimeoutError, h11.ProtocolError."""
    reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port, limit=CHUNK * 2), CONNECT)
    try:
        return reader, writer, await asyncio.wait_for(_open(reader, writer, f"{host}:{port}", path), CONNECT)
    except BaseException:
        writer.close()
        raise


async def _open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, where: str, path: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode("ascii")
    link = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_MAX)
    headers = [
        ("Host", where), ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key), ("Sec-WebSocket-Protocol", SUBPROTOCOL),
    ]  # fmt: skip
    writer.write((link.send(h11.Request(method="GET", target=path + PATH, headers=headers)) or b"") + (link.send(h11.EndOfMessage()) or b""))
    while True:
        event = link.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(CHUNK)
            if not data:
                raise ConnectionResetError("the connection was closed in the opening")
            link.receive_data(data)
        elif isinstance(event, h11.InformationalResponse) and event.status_code == 101:
            told = {name.decode().lower(): value.decode("latin-1") for name, value in event.headers}
            if told.get("sec-websocket-accept") != accept_key(key) or told.get("sec-websocket-protocol") != SUBPROTOCOL:
                raise ConnectionRefusedError("this is no WebSocket of this protocol")
            return bytes(link.trailing_data[0])
        elif not isinstance(event, h11.InformationalResponse):
            raise ConnectionRefusedError(f"there is no WebSocket: {getattr(event, 'status_code', 'no answer')}")

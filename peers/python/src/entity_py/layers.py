"""Which way a transmission takes: an open WebSocket with the peer, one that is opened for it, HTTP, or a relay where both have nothing in common.

L2 is preferred; what it does not answer because it broke goes over L1 at once, with the same bytes. What was opened is opened again when it breaks.

Source: docs/protocol/1.1.md#layers, docs/protocol/1.1.md#websocket, docs/protocol/1.1.md#websocket-keep-alive.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Callable, Dict, List, Optional

import h11

from .encoding import SECOND
from .http import Client, Handled, Headers, Switch, split_url
from .peer.courier import FRAME, MESSAGE
from .peer.outputs import Transmit
from .relays import Relays, goes_on
from .socket_wire import PATH, SUBPROTOCOL, Told
from .v11.frame import split
from .websocket import Broken, Data, Socket, accept_key, check_upgrade, dial

PAUSE_FIRST = 0.25
PAUSE_MAX = 30.0
YIELD = 1.0
"""Seconds that the greater of two names waits for the other to open a connection."""

Taken = Callable[[Socket, Data], "asyncio.Future[Handled]"]


class Layers:
    """All connections of a node. `wants(peer)` says where its WebSocket is opened, or None; `linked(peer, n)` hears how many there are."""

    def __init__(
        self, name: str, client: Client, serves: bool, size_max: Callable[[], int], taken: Taken, wants: Callable[[str], Optional[str]],
        linked: Callable[[str, int], None], http: bool = True, relays: Optional[Relays] = None,
        key_of: Callable[[str], Optional[bytes]] = lambda peer: None,
    ) -> None:  # fmt: skip
        self._name = name
        self._client = client
        self._serves = serves
        self._size_max = size_max
        self._taken = taken
        self._wants = wants
        self._linked = linked
        self._http = http
        self._relays = relays
        self._key_of = key_of
        self._of: Dict[str, List[Socket]] = {}
        self._all: List[Socket] = []
        self._keepers: Dict[str, "asyncio.Task[None]"] = {}
        self._tried: Dict[str, asyncio.Event] = {}
        """Set once the first attempt since the last connection has ended, well or badly."""
        self._closed = False

    # -- connections that others open

    def upgrade(self, method: str, path: str, headers: Headers) -> Optional[Switch]:
        """An opening at `/ws`. Raises ValueError: 400."""
        if not self._serves or path.split("?", 1)[0] != PATH:
            return None
        answer = [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_key(check_upgrade(method, headers))),
            ("Sec-WebSocket-Protocol", SUBPROTOCOL),
        ]  # fmt: skip

        async def switched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes) -> None:
            await self._run(Socket(reader, writer, False, self._size_max(), self._taken), first)

        return answer, switched

    def bind(self, socket: Socket, peer: str) -> None:
        """An authenticated sender has shown who is at the other end; the first one counts."""
        if socket.peer is None and socket.is_open:
            socket.peer = peer
            self._of.setdefault(peer, []).append(socket)
            self._linked(peer, len(self._of[peer]))

    async def _run(self, socket: Socket, first: bytes) -> None:
        self._all.append(socket)
        try:
            await socket.run(first)
        finally:
            self._all.remove(socket)
            if socket.peer is not None:
                self._of[socket.peer].remove(socket)
                left = len(self._of[socket.peer])
                if not left:
                    del self._of[socket.peer]
                self._linked(socket.peer, left)

    # -- connections that this side opens

    async def _keep(self, peer: str) -> None:
        """Opens a connection and opens it again, as long as it is wanted."""
        pause = 0.0
        base = self._wants(peer)
        if self._name > peer and base is not None and base.startswith("http"):
            # Both know of each other: the lesser name opens, and the other only where nothing came. Nobody waits for that who has HTTP.
            if self._http:
                self._tried[peer].set()
            await asyncio.sleep(YIELD)
        while not self._closed:
            base = self._wants(peer)
            if base is None or self._of.get(peer):
                break
            try:
                host, port, path = split_url("http://" + base.split("://", 1)[1])
                reader, writer, first = await dial(host, port, path)
            except (OSError, ValueError, asyncio.TimeoutError, h11.ProtocolError):
                self._tried[peer].set()
                pause = await self._pause(pause)
                continue
            socket = Socket(reader, writer, True, self._size_max(), self._taken)
            self.bind(socket, peer)
            self._tried[peer].set()
            began = asyncio.get_running_loop().time()
            await self._run(socket, first)
            if not (self._http and base.startswith("http")):
                # Who has nothing else waits for the next one.
                self._tried[peer] = asyncio.Event()
            # One that is ended as soon as it is there is as good as none: only one that has held begins the pauses anew.
            has_held = asyncio.get_running_loop().time() - began > pause
            pause = await self._pause(0.0 if has_held else pause)
        self._tried[peer].set()
        del self._keepers[peer], self._tried[peer]

    @staticmethod
    async def _pause(before: float) -> float:
        """Waits twice as long as before, half of it by chance; returns how long that is at most."""
        pause = min(max(before * 2, PAUSE_FIRST), PAUSE_MAX)
        await asyncio.sleep(pause * (1 + random.random()) / 2)
        return pause

    async def _connection(self, peer: str, limit: float) -> Optional[Socket]:
        """The newest open connection with a peer; one that is being opened for the first time is waited for."""
        if not self._of.get(peer) and self._wants(peer) is not None and not self._closed:
            if peer not in self._keepers:
                self._tried[peer] = asyncio.Event()
                self._keepers[peer] = asyncio.get_running_loop().create_task(self._keep(peer))
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._tried[peer].wait(), limit / 2)
        found = self._of.get(peer)
        return found[-1] if found else None

    # -- transmissions

    async def transmit(self, what: Transmit) -> Told:
        """Status and body, from whichever layer. Raises OSError, ValueError, asyncio.TimeoutError, h11.ProtocolError."""
        limit = what.limit / SECOND
        has_http = what.url.startswith("http://")
        if what.to is not None and what.path in (MESSAGE, FRAME):
            has_http = has_http and self._http
            if self._of.get(what.to) or self._wants(what.to) is not None:
                socket = await self._connection(what.to, limit)
                if socket is not None:
                    data: Data = what.body.decode("utf-8") if what.path == MESSAGE else split(what.body)[0]
                    try:
                        return await asyncio.wait_for(socket.send(data), limit)
                    except Broken:
                        if not has_http and not self._relays:
                            raise
            if not has_http:
                return await self._by_relay(what, what.to, limit)
        if not has_http:
            raise ConnectionError("there is no connection")
        return await self._by_http(what, limit)

    async def _by_http(self, what: Transmit, limit: float) -> Told:
        """By HTTP; what fails there, or a mailbox does not take, goes by a relay, and where that does not help the first failure counts."""
        until = asyncio.get_running_loop().time() + limit
        try:
            told = await self._client.request(what.url, what.method, what.path, what.body, limit)
        except (OSError, asyncio.TimeoutError, h11.ProtocolError):
            other = await self._round(what, until)
            if other is None:
                raise
            return other
        if self._relays is None or what.to is None or "/relay/" not in what.url:
            return told
        self._relays.mailed(what.url, told)
        return (await self._round(what, until) if goes_on(told) else None) or told

    async def _round(self, what: Transmit, until: float) -> Optional[Told]:
        """By a relay after HTTP has failed, in the time that is left; None where that does not help either. No question whether a peer lives."""
        left = until - asyncio.get_running_loop().time()
        if not self._relays or what.to is None or what.path not in (MESSAGE, FRAME) or left <= 0:
            return None
        with suppress(OSError, asyncio.TimeoutError):
            told = await self._by_relay(what, what.to, left, what.url)
            return None if goes_on(told) else told
        return None

    async def _by_relay(self, what: Transmit, to: str, limit: float, posted_to: str = "") -> Told:
        key = self._key_of(to)
        if not self._relays or key is None:
            raise ConnectionError("there is no connection")
        is_frame = what.path == FRAME
        message = split(what.body)[0] if is_frame else what.body
        return await asyncio.wait_for(self._relays.send(key, is_frame, message, limit, posted_to), limit)

    async def close(self) -> None:
        """Ends every connection."""
        self._closed = True
        for task in self._keepers.values():
            task.cancel()
        for socket in list(self._all):
            socket.close()
        if self._keepers:
            await asyncio.wait(list(self._keepers.values()), timeout=1)



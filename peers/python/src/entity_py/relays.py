"""The relays of a node: a connection with each, registered and kept so; what goes out by them and what comes in.

Source: docs/protocol/1.1.md#relay, docs/protocol/1.1.md#relay-registration, docs/protocol/1.1.md#relay-forward, docs/protocol/1.1.md#relay-suspicion.
"""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import suppress
from typing import Callable, Dict, List, Optional, Tuple

import h11

from .codes import Refusal
from .crypto import SigningKey
from .encoding import SECOND
from .http import Handled, split_url
from .peer.courier import read_frame_outcome
from .relay_wire import Forward, Impersonated, Membership, Refused, Relay, Watch, ack, read_control, read_forward, write_control
from .socket_wire import FORWARD, Told
from .strictjson import compact
from .times import MINUTE, Now
from .websocket import Data, Socket, dial

PAUSE_FIRST = 0.25
PAUSE_MAX = 30.0
SUSPECTED_FOR = 10 * MINUTE
WATCHED_MAX = 64
"""Relays that are watched without being named, and suspicions that are remembered; whoever was first gives way."""
GOES_ON = frozenset({"UNKNOWN_RECIPIENT", "SERVICE_UNAVAILABLE", "DECRYPTION_FAILED", "INVALID_SIGNATURE"})
"""What another relay may do better."""

Inner = Callable[[bytes, bool], "asyncio.Future[Handled]"]
"""A message or a frame that was for us, judged as if it had come by itself."""
Misled = Callable[[str, Optional[bytes], str], None]


def goes_on(told: Told) -> bool:
    """Whether what a relay answered is a reason to try the next one: it did not arrive there, or not whole."""
    status, body = told
    return status == 503 or read_frame_outcome(status, body).code in GOES_ON


class _Link:
    """One relay, and the connection with it if there is one."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.socket: Optional[Socket] = None
        self.membership: Optional[Membership] = None
        self.tried = asyncio.Event()
        """Whether the first registration has ended, well or badly."""
        self.suspected_until = 0

    @property
    def is_registered(self) -> bool:
        return self.socket is not None and self.socket.is_open and self.membership is not None and self.membership.until is not None


class Relays:
    """All relays of a node. `misled(address, key, why)` hears of suspicions."""

    def __init__(
        self, name: str, key: SigningKey, relays: Tuple[Relay, ...], size_max: Callable[[], int], inner: Inner, clock: Callable[[], Now],
        misled: Misled, log: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        self._name, self._key, self._relays = name, key, relays
        self._size_max, self._inner, self._clock, self._misled, self._log = size_max, inner, clock, misled, log
        self._links: List[_Link] = []
        self._tasks: List["asyncio.Task[None]"] = []
        self._watches: Dict[str, Watch] = {}
        self._suspected: Dict[Tuple[str, str], int] = {}
        """Until when (mono) a relay is suspected of something."""

    def __bool__(self) -> bool:
        return bool(self._relays)

    def start(self) -> None:
        """Begins to register."""
        self._links = [_Link(relay) for relay in self._relays]
        self._tasks = [asyncio.get_running_loop().create_task(self._keep(link)) for link in self._links]

    async def close(self) -> None:
        """Ends every connection."""
        for link in self._links:
            if link.socket is not None:
                link.socket.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)

    # -- membership

    async def _keep(self, link: _Link) -> None:
        host, port, _ = split_url(f"http://{link.relay.where}")
        pause = 0.0
        while True:
            try:
                reader, writer, first = await dial(host, port, "")
                link.membership = Membership(self._name, self._key, link.relay, os.urandom, self._clock())
                link.socket = Socket(reader, writer, True, self._size_max(), self._taken, self._control)
                watching = asyncio.get_running_loop().create_task(self._watch(link))
                try:
                    await link.socket.run(first)
                finally:
                    watching.cancel()
                if link.membership.until is not None:
                    pause = 0.0
            except (OSError, asyncio.TimeoutError, h11.ProtocolError):
                pass
            except Exception as error:  # a bug of ours, or bytes that nobody thought of: the relay is tried again all the same
                self._log("warn", f"the connection with relay {link.relay.address} failed: {type(error).__name__}: {error}")
            link.tried.set()
            link.socket = link.membership = None
            pause = min(max(pause * 2, PAUSE_FIRST), PAUSE_MAX)
            await asyncio.sleep(pause * (1 + random.random()) / 2)

    async def _watch(self, link: _Link) -> None:
        """Renews the registration, and leaves a relay that does not answer one."""
        while link.membership is not None and link.socket is not None and link.socket.is_open:
            await asyncio.sleep(max(0.0, (link.membership.deadline - self._clock().mono) / SECOND))
            self._say(link, lambda membership, now: membership.due(now))

    def _control(self, socket: Socket, data: bytes) -> None:
        link = next((link for link in self._links if link.socket is socket), None)
        value = read_control(data)
        if link is not None and value is not None:
            self._say(link, lambda membership, now: membership.handle(value, now))
            if link.is_registered:
                link.tried.set()

    def _say(self, link: _Link, step: Callable[[Membership, Now], Optional[Dict[str, object]]]) -> None:
        if link.membership is None or link.socket is None:
            return
        try:
            said = step(link.membership, self._clock())
        except Impersonated:
            self._suspect(link.relay.address, link.relay.key, "impersonates")
            link.socket.close()
        except Refused as refused:
            self._log("warn", f"relay {link.relay.address} does not register this peer: {refused}")
            link.socket.close()
        else:
            if said is not None:
                link.socket.tell(write_control(said))

    # -- out

    async def send(self, to: bytes, is_frame: bool, message: bytes, limit: float, posted_to: str = "") -> Told:
        """A message for the holder of a key: what a relay, or the recipient by it, answers. What one does not take, or the recipient
        refuses as changed, goes by the next as it is; where none helps the first answer counts. The relay at whose mailbox it was
        posted already is not asked. Raises ConnectionError where nobody answers."""
        for link in self._links:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(link.tried.wait(), limit / 2)
        now = self._clock().mono
        ready = [link for link in self._links if link.is_registered and not posted_to.startswith(f"http://{link.relay.where}/")]
        first: Optional[Told] = None
        for link in sorted(ready, key=lambda link: link.suspected_until > now):
            if link.socket is None:
                continue
            try:
                told = await link.socket.send(Forward(0, os.urandom(16), to, is_frame, message).write())
            except ConnectionError:
                continue
            self._judge(link.relay.address, link.relay.key, told)
            first = first or told
            if not goes_on(told):
                return told
        if first is None:
            raise ConnectionError("no relay has registered this peer")
        return first

    def mailed(self, base: str, told: Told) -> None:
        """What came back from a mailbox by HTTP; the part before `/relay/` is the relay."""
        self._judge(base.split("/relay/", 1)[0], None, told)

    # -- in

    def _taken(self, socket: Socket, data: Data) -> "asyncio.Future[Handled]":
        link = next((link for link in self._links if link.socket is socket), None)
        try:
            if isinstance(data, str) or data[:1] != bytes([FORWARD]) or link is None:
                raise Refusal("INVALID_MESSAGE", "a relay hands on, and says nothing itself")
            forward = read_forward(data)
            if forward.to != self._key.public:
                raise Refusal("UNKNOWN_RECIPIENT", "for another key")
        except Refusal as refusal:
            refused: "asyncio.Future[Handled]" = asyncio.get_running_loop().create_future()
            refused.set_result((refusal.status, compact({"error": {"code": refusal.code, "message": refusal.code}}), None))
            return refused
        answer = self._inner(forward.message, forward.is_frame)

        def handled(done: "asyncio.Future[Handled]") -> None:
            if done.cancelled() or done.exception() is not None:
                return
            status, body, _ = done.result()
            # Dealt with, by whatever answer, unless it was this peer that could not.
            if status < 500 and status != 429:
                socket.tell(write_control(ack(forward.id)))
            self._judge(link.relay.address, link.relay.key, (status, body))

        answer.add_done_callback(handled)
        return answer

    # -- suspicion

    def _judge(self, address: str, key: Optional[bytes], told: Told) -> None:
        status, body = told
        if status == 200:
            return
        watch = self._watches.pop(address, None) or Watch()
        self._watches[address] = watch
        if len(self._watches) > WATCHED_MAX:
            del self._watches[next(iter(self._watches))]
        if watch.refused(read_frame_outcome(status, body).code, self._clock()):
            self._suspect(address, key, "tampers")

    def _suspect(self, address: str, key: Optional[bytes], why: str) -> None:
        """Told once, until it has not been seen again for `SUSPECTED_FOR`."""
        now = self._clock().mono
        for link in self._links:
            if link.relay.address == address:
                link.suspected_until = now + SUSPECTED_FOR
        is_known = self._suspected.pop((address, why), now) > now
        self._suspected[address, why] = now + SUSPECTED_FOR
        if len(self._suspected) > WATCHED_MAX:
            del self._suspected[next(iter(self._suspected))]
        if not is_known:
            self._misled(address, key, why)

"""The line to one peer: what waits for it, which version is spoken with it, whether it lives.

Source: docs/protocol/1.1.md#negotiation, docs/protocol/1.1.md#downgrade-protection, docs/protocol/1.1.md#liveness, docs/protocol/1.0.md#liveness.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Deque, List, Optional, Union

from ..codes import CallRefused
from ..encoding import SECOND
from ..strictjson import JsonObject
from ..times import Now, Timer
from .courier import ATTEMPTS, UNREACHABLE, Done, Outcome
from .eleven import Eleven
from .roster import Peer
from .ten import Ten

if TYPE_CHECKING:
    from .core import Core

WAITING_MAX = 4_096
WAITING_BYTES_MAX = 16 * 1_048_576
RETRY_FIRST = SECOND
RETRY_MAX = 30 * SECOND


@dataclass
class Outgoing:
    """A volatile message that waits for its turn."""

    kind: str
    body: JsonObject
    size: int
    done: Done
    seal: str = "auto"
    flavour: Optional[str] = None
    attempts: int = ATTEMPTS
    only_new: bool = False
    """It has no place in 1.0."""
    chunk: Optional[bytes] = None
    """The bytes of a chunk: where the session has frames they go in one of their own kind, else as `body` says when it is asked."""


Opened = Callable[[Union[JsonObject, CallRefused]], None]


def refused(outcome: Outcome) -> CallRefused:
    """How a delivery that failed is told to whoever called."""
    return CallRefused(outcome.code, outcome.detail or outcome.code, outcome.status, outcome.detail)


class Line:
    """Everything about talking to one peer."""

    def __init__(self, core: "Core", peer: Peer) -> None:
        self.core = core
        self.peer = peer
        self.waiting: Deque[Outgoing] = deque()
        self.waiting_bytes = 0
        self.openers: List[Opened] = []
        self._hasty: List[Opened] = []
        """Openers that want to hear when an attempt has found nobody, instead of waiting for the next one."""
        self.eleven = Eleven(self)
        self.ten = Ten(self)
        self._fallen_back = False
        """1.1 was refused at the last meeting: 1.0 is spoken."""
        self._refused_old = False
        """1.0 was refused after that: there is no falling back until a session was ready."""
        self._retry: Optional[Timer] = None
        self._pause = 0
        self._beat: Optional[Timer] = None
        self._beats = 0
        self._heard_since_beat = True
        self._removed = False

    # -- which version

    def speaks(self) -> str:
        """The version that the next message goes in."""
        config = self.core.config
        if not config.speaks("1.1"):
            return "1.0"
        if not config.speaks("1.0") or self.peer.proved == "1.1" or self.eleven.session is not None:
            return "1.1"
        if self.ten.established is not None or self._fallen_back:
            return "1.0"
        return "1.1"

    @property
    def may_fall_back(self) -> bool:
        """docs/protocol/1.1.md#downgrade-protection."""
        config = self.core.config
        return config.speaks("1.0") and config.speaks("1.1") and self.peer.proved != "1.1" and not self._refused_old

    # -- sending

    def send(self, out: Outgoing, now: Now, always: bool = False) -> None:
        """Takes a volatile message. `always`: answers and signs of life, which a circuit does not hold up."""
        if self.speaks() == "1.1":
            if out.seal == "never":
                raise CallRefused("ENCRYPTION_REQUIRED", "1.1 has nothing in plain text")
            if out.flavour is not None:
                raise CallRefused("INVALID_VERSION", "only 1.0 has flavours")
        circuit = self.peer.circuit
        if not always and circuit.state != "closed" and now.mono < circuit.until:
            wait = circuit.wait(now.mono) // 1000
            raise CallRefused("SERVICE_UNAVAILABLE", f"{self.peer.name} does not answer; try again in {wait} ms")
        if len(self.waiting) >= WAITING_MAX or self.waiting_bytes + out.size > WAITING_BYTES_MAX:
            raise CallRefused("SERVICE_UNAVAILABLE", f"too much waits for {self.peer.name}: waiting_messages_max is {WAITING_MAX}")
        self.waiting.append(out)
        self.waiting_bytes += out.size
        self.core.soon(self.pump)

    def take(self) -> Optional[Outgoing]:
        """The next message that waits."""
        if not self.waiting:
            return None
        out = self.waiting.popleft()
        self.waiting_bytes -= out.size
        return out

    def put_back(self, out: Outgoing) -> None:
        """It goes later, before the others."""
        self.waiting.appendleft(out)
        self.waiting_bytes += out.size

    @property
    def has_work(self) -> bool:
        """Whether anybody wants a session."""
        return bool(self.waiting or self.openers or self._hasty) or self.core.outbox.has(self.peer.name)

    def pump(self, now: Now) -> None:
        """Sends whatever can go, and gets a session where one is wanted."""
        if self._removed or self.core.stopping or not self.peer.is_reachable:
            return
        if self.speaks() == "1.1":
            self.eleven.pump(now)
        else:
            self.ten.pump(now)

    def begin_soon(self, now: Now) -> None:
        """A session is wanted again, after a pause that doubles."""
        self._tell(self._take_hasty(), refused(Outcome(None, UNREACHABLE, "nobody was there")))
        if self._retry is None and not self.core.stopping:
            self._pause = min(max(self._pause * 2, RETRY_FIRST), RETRY_MAX)
            delay = max(self._pause - self._pause * self.core.random(1)[0] // 512, self.peer.circuit.wait(now.mono))
            self._retry = self.core.after(now, delay, self._begin_again)

    @property
    def is_pausing(self) -> bool:
        """Whether a later attempt is waited for."""
        return self._retry is not None

    def _begin_again(self, now: Now) -> None:
        self._retry = None
        if self.has_work or self.peer.connect or self.eleven.is_suspended:
            self.begin(now)

    def begin(self, now: Now) -> None:
        """Gets a session, of the version that is spoken."""
        if self.core.stopping or self._removed or not self.peer.is_reachable:
            return
        if self.speaks() == "1.1":
            self.eleven.begin(now)
        else:
            self.ten.begin(now)

    def open(self, told: Opened, now: Now, patient: bool = True) -> None:
        """A session is wanted: the one that is there, or a new one. Whoever is not patient hears of the first attempt that found nobody."""
        current = self.eleven.info() if self.speaks() == "1.1" else self.ten.info()
        if current is not None:
            told(current)
            return
        (self.openers if patient else self._hasty).append(told)
        self.stop_pausing()
        self.begin(now)

    def _take_hasty(self) -> List[Opened]:
        hasty, self._hasty = self._hasty, []
        return hasty

    def _take_openers(self) -> List[Opened]:
        openers, self.openers = self.openers, []
        return openers + self._take_hasty()

    @staticmethod
    def _tell(openers: List[Opened], result: Union[JsonObject, CallRefused]) -> None:
        for told in openers:
            told(result)

    def stop_pausing(self) -> None:
        """Whoever asks does not wait for a pause."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def introduced(self, now: Now) -> None:
        """An operator named the peer, or the node has started."""
        self._schedule_beat(now)
        if self.peer.connect or self.eleven.is_suspended or self.has_work:
            self.begin(now)

    # -- sessions come and go

    def opened(self, info: JsonObject, now: Now) -> None:
        """A session is ready."""
        self._refused_old = False
        self._pause = 0
        self.stop_pausing()
        self._tell(self._take_openers(), info)
        self._schedule_beat(now)
        self.core.soon(self.pump)

    def failed(self, version: str, outcome: Outcome, now: Now, first: bool = False) -> None:
        """No session came of it. `first`: it was the answer to the first message of a handshake."""
        if outcome.code == "INVALID_VERSION" and first:
            if version == "1.1" and self.may_fall_back:
                self._fallen_back = True
                self.ten.begin(now)
                return
            if version == "1.0" and self._fallen_back:
                # The other side has 1.1 after all: whoever said otherwise was somebody else.
                self._fallen_back, self._refused_old = False, True
                self.eleven.begin(now)
                return
        self._fallen_back = False
        self._tell(self._take_openers(), refused(outcome))
        if self.eleven.info() is None or version == "1.0":
            self.fail_waiting(outcome, now)
        if outcome.code != "INVALID_VERSION" or self.core.outbox.has(self.peer.name):
            if self.peer.connect or self.has_work or self.eleven.is_suspended:
                self.begin_soon(now)
        else:
            self._refused_old = False
        self.core.soon(self.pump)

    def fail_waiting(self, outcome: Outcome, now: Now) -> None:
        """Whatever waited for a session hears that there is none."""
        waiting, self.waiting, self.waiting_bytes = self.waiting, deque(), 0
        for out in waiting:
            out.done(outcome, now)

    def drop_sessions(self, reason: str, now: Now) -> None:
        """All sessions end on this side."""
        self.eleven.drop(reason, now)
        self.ten.drop(reason, now)

    def remove(self, now: Now) -> None:
        """The peer is forgotten."""
        self._removed = True
        self.drop_sessions("removed", now)
        self.stop_pausing()
        if self._beat is not None:
            self._beat.cancel()
        gone = Outcome(None, "UNKNOWN_RECIPIENT", "the peer was removed")
        self._tell(self._take_openers(), refused(gone))
        self.fail_waiting(gone, now)

    def stop(self, now: Now) -> None:
        """The node ends in order."""
        self.eleven.stop(now)

    # -- signs of life

    def heard(self, now: Now) -> None:
        """Something that the peer signed was accepted."""
        missed = self.peer.circuit.failures > 0 or self.peer.misses > 0
        self.peer.seen(now)
        self._heard_since_beat = True
        self._lives(True)
        if missed:
            self.eleven.send_again_at_once(now)
            self.ten.try_again_at_once()
        if self._retry is not None:
            self.stop_pausing()
            self.core.soon(self._begin_again)

    def _lives(self, alive: bool) -> None:
        if alive:
            self.peer.misses = 0
        else:
            self.peer.misses += 1
        verdict = alive or self.peer.misses < self.core.config.heartbeat_failures
        before = self.peer.healthy is not False
        if alive or not verdict:
            self.peer.healthy = verdict
            if verdict != before:
                self.core.event("peer.health", {"peer": self.peer.name, "healthy": verdict})

    def _schedule_beat(self, now: Now) -> None:
        if self._beat is not None:
            self._beat.cancel()
        if self.peer.is_reachable and not self._removed:
            self._beat = self.core.after(now, self.core.config.heartbeat, self._do_beat)

    def _do_beat(self, now: Now) -> None:
        self._beat = None
        self._schedule_beat(now)
        if self.eleven.can_send:
            if self._beats and not self._heard_since_beat:
                self._lives(False)
            self._heard_since_beat = False
            self._beats += 1
            self.eleven.send_beat(self._beats, self._beat_ended, now)
            return
        self._beats = 0
        address = self.peer.address
        if address is None or not address.startswith("http") or "/relay/" in address:
            # A mailbox has no health.
            return
        limit = min(self.core.config.heartbeat // 3, 5 * SECOND)
        self.core.courier.get(self.peer, self.peer.address or "", "/health", limit, self._health, now)

    def _beat_ended(self, outcome: Outcome, now: Now) -> None:
        if not outcome.ok and self._heard_since_beat is False:
            self._heard_since_beat = True
            self._lives(False)

    def _health(self, outcome: Outcome, now: Now) -> None:
        if self._removed:
            return
        if not outcome.ok:
            self._lives(False)
            return
        self._lives(True)
        self.peer.circuit.heard()
        if self._retry is not None:
            self.stop_pausing()
            self.core.soon(self._begin_again)

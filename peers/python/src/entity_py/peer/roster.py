"""The peers a node knows: keys, addresses, what each has proved, how deliveries to it went.

Source: docs/protocol/1.1.md#trust-on-first-use, docs/protocol/1.1.md#downgrade-protection, docs/protocol/1.1.md#liveness.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Dict, Optional

from ..encoding import SECOND, parse_hex, stamp
from ..strictjson import JsonObject
from ..times import Now
from .limits import NonceMemory, RateLimits

SPACE = "peer"
PEERS_MAX = 4_096
CIRCUIT_FAILURES = 5
CIRCUIT_PAUSE = SECOND
CIRCUIT_PAUSE_MAX = 30 * SECOND


@dataclass
class Circuit:
    """Whether deliveries are tried: after five failures in a row there are pauses, in which they are not."""

    failures: int = 0
    pause: int = 0
    until: int = 0
    trying: bool = False

    @property
    def state(self) -> str:
        """`closed`, `open` or `half_open`."""
        if self.failures < CIRCUIT_FAILURES:
            return "closed"
        return "half_open" if self.trying else "open"

    def admits(self, now: int) -> bool:
        """Whether a delivery may go now; after a pause one may, to try."""
        if self.failures < CIRCUIT_FAILURES:
            return True
        if self.trying or now < self.until:
            return False
        self.trying = True
        return True

    def wait(self, now: int) -> int:
        """How long to wait before asking again."""
        return 0 if self.failures < CIRCUIT_FAILURES else max(self.until - now, SECOND // 10)

    def failed(self, now: int, chance: int) -> None:
        """A delivery found nobody. `chance` is 0 to 255: pauses are shortened by up to half."""
        self.failures += 1
        # What was under way when it opened says nothing new.
        if self.failures == CIRCUIT_FAILURES or self.trying:
            self.pause = min(max(self.pause * 2, CIRCUIT_PAUSE), CIRCUIT_PAUSE_MAX)
            self.until = now + self.pause - self.pause * chance // 512
        self.trying = False

    def answered(self) -> None:
        """Somebody is there."""
        self.failures, self.pause, self.until, self.trying = 0, 0, 0, False

    def heard(self) -> None:
        """The peer said something: the pause is over."""
        self.until = 0


@dataclass
class Stats:
    """Messages, not attempts; control messages and signs of life are not counted."""

    sent: int = 0
    received: int = 0
    successful: int = 0
    failed: int = 0
    last_seen: Optional[str] = None
    last_error: Optional[str] = None


@dataclass
class Peer:
    """One entry of the roster."""

    name: str
    address: Optional[str]
    key: Optional[bytes]
    trust: str
    """`pinned` or `first_use`."""
    proved: Optional[str] = None
    """`1.1` once a session of it with this key was ready."""
    connect: bool = False
    healthy: Optional[bool] = None
    misses: int = 0
    circuit: Circuit = field(default_factory=Circuit)
    stats: Stats = field(default_factory=Stats)
    nonces: NonceMemory = field(default_factory=NonceMemory)
    rates: RateLimits = field(default_factory=lambda: RateLimits({}))
    guest: bool = False
    """It came by itself or by the table, and no operator has named it."""
    linked: int = 0
    """How many connections there are with it, over which messages go without an address."""
    capabilities: Optional[JsonObject] = None
    """Its last `capability_response`."""

    @property
    def is_reachable(self) -> bool:
        """Whether there is a way to it."""
        return self.address is not None or self.linked > 0

    def encode(self) -> bytes:
        """What is kept of it."""
        value = {
            "address": self.address,
            "key": None if self.key is None else self.key.hex(),
            "trust": self.trust,
            "proved": self.proved,
            "connect": self.connect,
            "guest": self.guest,
        }
        return json.dumps(value, separators=(",", ":")).encode("utf-8")

    def listed(self) -> JsonObject:
        """As in `peer.list`."""
        return {
            "name": self.name,
            "address": self.address,
            "key": None if self.key is None else self.key.hex(),
            "trust": self.trust,
            "proved": self.proved,
            "healthy": self.healthy is not False,
            "circuit": self.circuit.state,
        }

    def counted(self) -> JsonObject:
        """As in `stats`."""
        stats = self.stats
        return {
            "entity_id": self.name,
            "address": self.address,
            "total_messages_sent": stats.sent,
            "total_messages_received": stats.received,
            "successful_deliveries": stats.successful,
            "failed_deliveries": stats.failed,
            "last_seen": stats.last_seen,
            "last_error": stats.last_error,
            "is_healthy": self.healthy is not False,
        }

    def seen(self, now: Now) -> None:
        """Something of it was accepted."""
        self.stats.last_seen = stamp(now.wall)
        self.circuit.heard()


def decode(name: str, record: bytes) -> Peer:
    """An entry as it was kept. Raises ValueError, KeyError."""
    value: Dict[str, Any] = json.loads(record)
    key = None if value["key"] is None else parse_hex(value["key"], 32)
    return Peer(name, value["address"], key, value["trust"], value["proved"], value["connect"], guest=value.get("guest", False))

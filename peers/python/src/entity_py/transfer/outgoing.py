"""What is sent in chunks: which chunk goes next, what the receiver has, when to ask it.

Source: docs/protocol/1.1.md#chunk-ack, docs/protocol/1.1.md#resuming-a-transfer, docs/protocol/1.1.md#chunk-limits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Optional, Set

from ..encoding import SECOND
from ..strictjson import JsonObject
from ..times import Now
from .offer import Offer
from .ranges import lowest, read_ranges, span

SILENCE = 3 * SECOND
"""After so long without news the receiver is asked how far it is; then after pauses that double."""
SILENCE_MAX = 30 * SECOND
OVERLOADED = 10 * SECOND
OVERLOADED_MAX = 300 * SECOND
EXPIRES = 1_800 * SECOND


@dataclass
class Outgoing:
    """One transfer at its sender."""

    offer: Offer
    peer: str
    path: str
    owned: bool
    """The file is a copy of ours and goes with the transfer's end."""
    order: int
    touched: int
    """When the receiver last had something new (wall)."""
    state: str = "open"
    reason: Optional[str] = None
    ended: int = 0
    have: int = 0
    trusted: bool = False
    """Whether the receiver has said how far it is, since the last session began."""
    asked: bool = False
    """A question is out: the next `chunk_ack` replaces what was believed."""
    flying: Set[int] = field(default_factory=set)
    """Chunks that are being read, or were sent and are neither acknowledged nor known to be lost."""
    round: int = 0
    """Grows when everything under way is forgotten: what belongs to an earlier round is ignored."""
    ask_at: int = 0
    pause: int = 0

    def next(self) -> Optional[int]:
        """Takes the next chunk that the receiver needs and that is not under way."""
        if self.state != "open" or not self.trusted:
            return None
        todo = self.offer.full & ~self.have
        for index in self.flying:
            todo &= ~(1 << index)
        if not todo:
            return None
        index = lowest(todo)
        self.flying.add(index)
        return index

    def lost(self, index: int, round: int) -> None:
        """A chunk did not arrive: it goes again."""
        if round == self.round:
            self.flying.discard(index)

    def forget_way(self) -> None:
        """A session begins: nothing is known of what was under way, and the receiver is asked."""
        self.flying.clear()
        self.round += 1
        self.trusted = False
        self.pause = 0

    def ask(self, now: Now) -> JsonObject:
        """The `chunk_init` that asks how far the receiver is."""
        self.asked = True
        self.pause = min(max(self.pause * 2, SILENCE), SILENCE_MAX)
        self.ask_at = now.mono + self.pause
        return self.offer.body()

    def acknowledge(self, ranges: object, now: Now) -> None:
        """What the receiver has. Raises ValueError."""
        bits = read_ranges(ranges, self.offer.count)
        if self.asked:
            # Whoever answers a question has handled everything that was sent before it.
            self.asked, self.trusted = False, True
            new = bits & ~self.have
            self.have = bits
            self.flying.clear()
            self.round += 1
        else:
            new = bits & ~self.have
            self.have |= bits
            self.flying = {index for index in self.flying if not bits >> index & 1}
        if new:
            self.touched = now.wall
            self.pause = 0
        self.ask_at = now.mono + max(self.pause, SILENCE)

    def resend(self, ranges: object) -> None:
        """The receiver wants these again. Raises ValueError."""
        bits = read_ranges(ranges, self.offer.count)
        if not bits:
            raise ValueError("no range")
        self.have &= ~bits
        self.flying = {index for index in self.flying if not bits >> index & 1}

    def start_again(self, now: Now, pause: int) -> None:
        """The receiver knows nothing of it (any more): it is offered again after a pause."""
        self.forget_way()
        self.have = 0
        self.asked = False
        self.ask_at = now.mono + pause

    def put_off(self, now: Now) -> None:
        """A quota is used up: later, and then later still."""
        pause = min(max(self.pause * 2, OVERLOADED), OVERLOADED_MAX)
        self.start_again(now, pause)
        self.pause = pause

    def is_expired(self, now: Now) -> bool:
        """30 min without anything new."""
        return now.wall - self.touched >= EXPIRES

    @property
    def received(self) -> int:
        """Bytes that the receiver is known to have."""
        return self.offer.size if self.state == "done" else size_of(self.offer, self.have)

    def encode(self) -> bytes:
        """What is kept: never how far the receiver is, which only it knows."""
        value = {
            "offer": self.offer.body(), "peer": self.peer, "path": self.path, "owned": self.owned, "order": self.order,
            "touched": self.touched, "state": self.state, "reason": self.reason, "ended": self.ended,
        }  # fmt: skip
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def size_of(offer: Offer, bits: int) -> int:
    """Bytes of these chunks."""
    size = bits.bit_count() * offer.chunk_size
    last = offer.count - 1
    if last >= 0 and bits & span(last, last):
        size -= offer.chunk_size - offer.length(last)
    return size

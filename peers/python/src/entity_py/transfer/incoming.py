"""What arrives in chunks: what is written, what is said of it, what is durable.

Source: docs/protocol/1.1.md#chunk, docs/protocol/1.1.md#chunk-ack, docs/protocol/1.1.md#chunk-resend, docs/protocol/1.1.md#resuming-a-transfer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import List, Optional

from ..encoding import SECOND
from ..times import Now, Timer
from .offer import Offer
from .outgoing import EXPIRES, size_of
from .ranges import run, span, to_ranges

ACK_EVERY = 8
ACK_AFTER = SECOND // 20
GAP_AFTER = 2 * SECOND
GAP_MAX = 30 * SECOND
SYNC_BYTES = 32 * 1_048_576
SYNC_AFTER = 5 * SECOND
BAD_MAX = 64
"""So many chunks with a digest that does not hold end a transfer."""


@dataclass
class Incoming:
    """One transfer at its receiver."""

    offer: Offer
    peer: str
    key: str
    """The key that offered it, and alone may resume it."""
    part: str
    """Name of the file that it is written to: never chosen by a peer."""
    order: int
    touched: int
    """When something new came (wall)."""
    state: str = "open"
    reason: Optional[str] = None
    path: Optional[str] = None
    ended: int = 0
    have: int = 0
    writing: int = 0
    fresh: int = 0
    """Written and not yet acknowledged."""
    completing: bool = False
    syncing: bool = False
    unsynced: int = 0
    synced_at: int = 0
    bad: int = 0
    gap_pause: int = GAP_AFTER
    gap_at: int = 0
    ack_timer: Optional[Timer] = field(default=None, repr=False)

    def admits(self, index: int) -> bool:
        """Whether this chunk is to be written; it then counts as under way."""
        bit = 1 << index
        if self.state != "open" or self.completing or (self.have | self.writing) & bit:
            return False
        self.writing |= bit
        return True

    def written(self, index: int, now: Now) -> bool:
        """A chunk is in the file. True where an acknowledgement is due at once."""
        bit = 1 << index
        self.writing &= ~bit
        self.have |= bit
        self.fresh |= bit
        self.unsynced += self.offer.length(index)
        self.touched = now.wall
        self.gap_pause = GAP_AFTER
        self.gap_at = now.mono + GAP_AFTER
        return self.fresh.bit_count() >= ACK_EVERY

    def refused(self, index: int) -> bool:
        """The digest of a chunk does not hold. False where that was one too often."""
        self.writing &= ~(1 << index)
        self.bad += 1
        return self.bad <= BAD_MAX

    def news(self) -> List[List[int]]:
        """The ranges of an acknowledgement: what is new, and all from the beginning on without a gap, so that one that is lost costs nothing."""
        start = run(self.have)
        bits = self.fresh | (span(0, start - 1) if start else 0)
        self.fresh = 0
        return to_ranges(bits)

    def all(self) -> List[List[int]]:
        """The ranges of an answer to a question."""
        self.fresh = 0
        return to_ranges(self.have)

    def gaps(self, now: Now) -> List[List[int]]:
        """What is missing below what is there, once nothing came for a while; then nothing until the next time."""
        if self.state != "open" or now.mono < self.gap_at:
            return []
        self.gap_at = now.mono + self.gap_pause
        self.gap_pause = min(self.gap_pause * 2, GAP_MAX)
        below = (1 << self.have.bit_length()) - 1
        return to_ranges(below & ~self.have & ~self.writing)

    def sync_due(self, now: Now) -> bool:
        """Whether what is written is to be made durable: every 32 MiB or 5 s."""
        if self.syncing or self.state != "open" or not self.unsynced:
            return False
        return self.unsynced >= SYNC_BYTES or now.mono - self.synced_at >= SYNC_AFTER

    @property
    def is_whole(self) -> bool:
        """Everything is written."""
        return self.have == self.offer.full and self.state == "open"

    def is_expired(self, now: Now) -> bool:
        """30 min without a new chunk."""
        return now.wall - self.touched >= EXPIRES

    @property
    def received(self) -> int:
        """Bytes that are there."""
        return self.offer.size if self.state == "done" else size_of(self.offer, self.have)

    def encode(self, durable: int) -> bytes:
        """What is kept, with the chunks that are durable."""
        value = {
            "offer": self.offer.body(), "peer": self.peer, "key": self.key, "part": self.part, "order": self.order, "touched": self.touched,
            "state": self.state, "reason": self.reason, "path": self.path, "ended": self.ended, "have": f"{durable:x}",
        }  # fmt: skip
        return json.dumps(value, separators=(",", ":")).encode("ascii")

"""What a storer keeps: of each key and owner the record that won, and which one that was for as long as an earlier one could come back.

Source: docs/protocol/1.1.md#dht-slots, docs/protocol/1.1.md#dht-messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Tuple

from ..crypto import hmac_sha256
from .records import LIFETIME_MAX, Record

OWNERS_MAX = 64
SLOTS_MAX = 65_536
BYTES_MAX = 64 * 1_048_576
OWNER_SLOTS_MAX = 256
OWNER_BYTES_MAX = 524_288
MEMORY_MAX = 131_072
"""How many winners are remembered; beyond it no new slot is opened."""
REPLY_BYTES_MAX = 65_536

Place = Tuple[bytes, bytes]


@dataclass
class Slot:
    """One record and when it last came in (mono)."""

    record: Record
    size: int
    came: int


class Slots:
    """`secret` draws which owners of a crowded key are kept."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._of: Dict[bytes, Dict[bytes, Slot]] = {}
        self._won: Dict[Place, Tuple[Tuple[int, bytes], int]] = {}
        self._owned: Dict[bytes, Tuple[int, int]] = {}
        self.count = 0
        self.bytes = 0

    def store(self, record: Record, wall: int, mono: int) -> str:
        """The outcome, as `dht_stored` says it."""
        self._forget(wall)
        if not record.holds(wall):
            return "expired"
        key = record.key
        place = (key, record.owner)
        won = self._won.get(place)
        if won is not None and won[0] > record.rank:
            return "older"
        owners = self._of.setdefault(key, {})
        slot = owners.get(record.owner)
        if slot is not None and slot.record.digest == record.digest:
            slot.came = mono
            return "stored"
        size = record.size
        fits = self._fits(record.owner, size, slot) and (won is not None or len(self._won) < MEMORY_MAX)
        if not fits or slot is None and not self._makes_room(key, record.owner):
            if not owners:
                del self._of[key]
            return "full"
        if slot is not None:
            self._drop(key, record.owner)
        self._put(key, Slot(record, size, mono))
        self._won[place] = (record.rank, record.issued + LIFETIME_MAX)
        return "stored"

    def _fits(self, owner: bytes, size: int, slot: Optional[Slot]) -> bool:
        count, held = self._owned.get(owner, (0, 0))
        old, more = (slot.size, 0) if slot is not None else (0, 1)
        return (
            self.count + more <= SLOTS_MAX and self.bytes + size - old <= BYTES_MAX
            and count + more <= OWNER_SLOTS_MAX and held + size - old <= OWNER_BYTES_MAX
        )  # fmt: skip

    def _draw(self, key: bytes, owner: bytes) -> bytes:
        return hmac_sha256(self._secret, key + owner)

    def _makes_room(self, key: bytes, owner: bytes) -> bool:
        owners = self._of.setdefault(key, {})
        if len(owners) < OWNERS_MAX:
            return True
        last = max(owners, key=lambda held: self._draw(key, held))
        if self._draw(key, last) < self._draw(key, owner):
            return False
        self._drop(key, last)
        return True

    def _put(self, key: bytes, slot: Slot) -> None:
        owner = slot.record.owner
        self._of.setdefault(key, {})[owner] = slot
        count, held = self._owned.get(owner, (0, 0))
        self._owned[owner] = (count + 1, held + slot.size)
        self.count += 1
        self.bytes += slot.size

    def _drop(self, key: bytes, owner: bytes) -> None:
        slot = self._of[key].pop(owner)
        count, held = self._owned[owner]
        self._owned[owner] = (count - 1, held - slot.size)
        if count == 1:
            del self._owned[owner]
        self.count -= 1
        self.bytes -= slot.size

    def _forget(self, wall: int) -> None:
        gone = [(key, owner) for key, owners in self._of.items() for owner, slot in owners.items() if wall >= slot.record.expires]
        for key, owner in gone:
            self._drop(key, owner)
        self._of = {key: owners for key, owners in self._of.items() if owners}
        self._won = {place: won for place, won in self._won.items() if wall < won[1]}

    def get(self, key: bytes, wall: int, after: bytes = b"") -> Tuple[List[Record], bool]:
        """Records of a key whose owner is above `after`, as many as an answer takes, and whether there are more."""
        self._forget(wall)
        owners = self._of.get(key, {})
        found: List[Record] = []
        size = 0
        for owner in sorted(owner for owner in owners if owner > after):
            slot = owners[owner]
            if not slot.record.holds(wall):
                continue
            # A signed record is the record, its signature and a few names around them.
            size += slot.size + 160
            if len(found) >= OWNERS_MAX or size > REPLY_BYTES_MAX:
                return found, True
            found.append(slot.record)
        return found, False

    def all(self) -> Iterator[Slot]:
        """Every slot."""
        for owners in list(self._of.values()):
            yield from list(owners.values())

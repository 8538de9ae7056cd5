"""Numbers of a session: which were sent and not acknowledged, which were handled and in what order.

Source: docs/protocol/1.1.md#numbers, docs/protocol/1.1.md#kept-numbers, docs/protocol/1.1.md#skip, docs/protocol/1.1.md#acknowledgement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from ..codes import Refusal
from ..encoding import SECOND

WINDOW = 1_024
"""How far the numbers of a sender may be above the last ack, and how many later ones a receiver holds back."""
HELD_BYTES_MAX = 8 * 1_048_576
BLOCK = 256
"""How many numbers are reserved at once, and after how many handled ones a receiver commits or says `ack`."""
LOST_AFTER = 30 * SECOND


@dataclass
class Sent:
    """A number that was used and is not acknowledged."""

    durable: Optional[str]
    """Id of the durable message; None for a volatile one."""
    at: int
    lost: bool = False
    """Given up: to be declared by `skip`."""
    told: Optional[Callable[[bool], None]] = None
    """Told whether it was acknowledged (True) or counts as lost."""


@dataclass
class OutNumbers:
    """The numbers of one direction at their sender."""

    next: int = 1
    reserved: int = 0
    acked: int = 0
    sent: Dict[int, Sent] = field(default_factory=dict)

    def has_room(self) -> bool:
        """Whether another number stays within 1,024 of the last ack."""
        return self.next - self.acked <= WINDOW

    def take(self, durable: Optional[str], now: int) -> int:
        """The next number. Where `reserved` changed by it the session has to be kept before the number leaves."""
        number = self.next
        self.next += 1
        if number > self.reserved:
            self.reserved = min(number + BLOCK - 1, self.acked + WINDOW)
        self.sent[number] = Sent(durable, now)
        return number

    def acknowledge(self, ack: int) -> List[Sent]:
        """What the other side has handled. Raises Refusal for what was never sent."""
        if ack >= self.next:
            raise Refusal("INVALID_MESSAGE", "an ack of a number that was never sent")
        if ack <= self.acked:
            return []
        done = [self.sent.pop(number) for number in range(self.acked + 1, ack + 1) if number in self.sent]
        self.acked = ack
        return done

    def restore(self, reserved: int, acked: int, places: Dict[int, str]) -> None:
        """After a restart: every reserved number counts as used, all but those of durable messages as lost."""
        self.reserved, self.acked, self.next = reserved, acked, reserved + 1
        for number in range(acked + 1, reserved + 1):
            durable = places.get(number)
            self.sent[number] = Sent(durable, 0, lost=durable is None)

    def resume_at(self, committed: int) -> None:
        """The other side has durably handled up to `committed`, perhaps less than it once said: what is volatile is lost."""
        for number in [number for number in self.sent if number <= committed]:
            # A durable message below was handled; its acknowledgement is the caller's to notice through `acknowledge`.
            if self.sent[number].durable is None:
                del self.sent[number]
        for number in range(committed + 1, self.next):
            kept = self.sent.setdefault(number, Sent(None, 0, lost=True))
            if kept.durable is None:
                kept.lost = True
        if committed < self.acked:
            self.acked = committed

    def give_up(self, number: int) -> Optional[Sent]:
        """A volatile message that will not come."""
        kept = self.sent.get(number)
        if kept is None or kept.durable is not None or kept.lost:
            return None
        kept.lost = True
        return kept

    def expire(self, now: int) -> List[Sent]:
        """Volatile messages without an acknowledgement after 30 s count as lost."""
        found = [kept for kept in self.sent.values() if kept.durable is None and not kept.lost and now - kept.at >= LOST_AFTER]
        for kept in found:
            kept.lost = True
        return found

    def lost_ranges(self) -> List[List[int]]:
        """What a `skip` declares: ascending, disjoint, at most 1,024 numbers."""
        ranges: List[List[int]] = []
        numbers = sorted(number for number, kept in self.sent.items() if kept.lost)
        for number in numbers[:WINDOW]:
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1][1] = number
            else:
                ranges.append([number, number])
        return ranges


def read_ranges(body: Any) -> List[Tuple[int, int]]:
    """The ranges of a `skip`. Raises Refusal(INVALID_MESSAGE)."""
    ranges = body.get("ranges") if isinstance(body, dict) else None
    if not isinstance(ranges, list) or not 1 <= len(ranges) <= WINDOW:
        raise Refusal("INVALID_MESSAGE", "skip: ranges")
    found: List[Tuple[int, int]] = []
    last, total = 0, 0
    for item in ranges:
        if not isinstance(item, list) or len(item) != 2:
            raise Refusal("INVALID_MESSAGE", "skip: a range")
        low, high = item
        if any(not isinstance(end, int) or isinstance(end, bool) for end in (low, high)) or not last < low <= high < 2**53:
            raise Refusal("INVALID_MESSAGE", "skip: order")
        total += high - low + 1
        if total > WINDOW:
            raise Refusal("INVALID_MESSAGE", "skip: too many numbers")
        found.append((low, high))
        last = high
    return found


@dataclass
class InNumbers:
    """The numbers of one direction at their receiver."""

    handled: int = 0
    committed: int = 0
    unacknowledged: int = 0
    """How many were handled since the last ack that left."""
    _held: Dict[int, Tuple[Any, int]] = field(default_factory=dict)
    _held_bytes: int = 0
    _skipped: Set[int] = field(default_factory=set)

    def is_old(self, number: int) -> bool:
        """It was handled, or counts as handled."""
        return number <= self.handled

    def look(self, number: int, size: int) -> None:
        """Whether there is room to hold it back. Raises Refusal(SERVICE_UNAVAILABLE)."""
        if number <= self.handled + 1 or number in self._held:
            return
        if number > self.handled + WINDOW or self._held_bytes + size > HELD_BYTES_MAX:
            raise Refusal("SERVICE_UNAVAILABLE", "too many messages are held back")

    def hold(self, number: int, item: Any, size: int) -> None:
        """Takes it for its turn; the first that came counts."""
        if number > self.handled and number not in self._held:
            self._held[number] = (item, size)
            self._held_bytes += size

    def skip(self, ranges: List[Tuple[int, int]]) -> None:
        """These will not come."""
        for low, high in ranges:
            for number in range(max(low, self.handled + 1), min(high, self.handled + 2 * WINDOW) + 1):
                self._skipped.add(number)

    def turn(self) -> Iterator[Any]:
        """What may be handled now, in order. Each item counts as handled when the next is asked for."""
        while True:
            number = self.handled + 1
            if number in self._held:
                item, size = self._held.pop(number)
                self._held_bytes -= size
                self._skipped.discard(number)
                self.handled = number
                self.unacknowledged += 1
                yield item
            elif number in self._skipped:
                self._skipped.discard(number)
                self.handled = number
                self.unacknowledged += 1
            else:
                return

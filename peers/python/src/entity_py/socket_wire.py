"""What goes over a WebSocket besides envelopes and frames: how messages are answered, and who owes an answer. Pure.

Source: docs/protocol/1.1.md#websocket-messages, docs/protocol/1.1.md#websocket-answers.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, List, Optional, Tuple, TypeVar, Union

SUBPROTOCOL = "entity.v1"
PATH = "/ws"
ACCEPTED = 0x01
REFUSED = 0x02
CONTROL = 0x10
FORWARD = 0x20
ACCEPT_EVERY = 64
"""After how many accepted messages their sender hears so, even where more are waiting."""
UNANSWERED_MAX = 512
UNANSWERED_BYTES_MAX = 8 * 1_048_576
"""What one side sends without an answer; beyond it waits. A single larger message may go where nothing else is unanswered."""
CONTROL_MAX = 4_096

Told = Tuple[int, bytes]
"""Status and body, as HTTP would have answered."""
Waiting = TypeVar("Waiting")


class Violation(Exception):
    """The other side does not keep to the protocol of the connection, which ends."""


@dataclass(frozen=True)
class Accepted:
    """Everything up to this message that was not refused is accepted."""

    count: int


@dataclass(frozen=True)
class Refused:
    """One message was refused."""

    index: int
    status: int
    body: bytes


def write_accepted(count: int) -> bytes:
    """A message of kind 0x01."""
    return struct.pack(">BQ", ACCEPTED, count)


def write_refused(index: int, status: int, body: bytes) -> bytes:
    """A message of kind 0x02."""
    return struct.pack(">BQH", REFUSED, index, status) + body


def read_answer(data: bytes) -> Union[Accepted, Refused]:
    """A message of kind 0x01 or 0x02. Raises Violation."""
    if data[0] == ACCEPTED and len(data) == 9:
        return Accepted(int(struct.unpack(">Q", data[1:])[0]))
    if data[0] == REFUSED and len(data) >= 11:
        index, status = struct.unpack(">QH", data[1:11])
        if status != 200 and 100 <= status <= 999:
            return Refused(index, status, data[11:])
    raise Violation(f"an answer of {len(data)} bytes that is none")


class Owed(Generic[Waiting]):
    """The messages of this side that the other has not answered, in the order in which they went."""

    def __init__(self) -> None:
        self._waiting: "OrderedDict[int, Tuple[Waiting, int]]" = OrderedDict()
        self._sent = 0
        self._bytes = 0

    def has_room(self, size: int) -> bool:
        """Whether another message may go before something is answered."""
        if not self._waiting:
            return True
        return len(self._waiting) < UNANSWERED_MAX and self._bytes + size <= UNANSWERED_BYTES_MAX

    def add(self, waiting: Waiting, size: int) -> int:
        """A message goes; its index."""
        self._sent += 1
        self._waiting[self._sent] = (waiting, size)
        self._bytes += size
        return self._sent

    def settle(self, answer: Union[Accepted, Refused]) -> List[Tuple[Waiting, Told]]:
        """Who has an answer now. Raises Violation for what was never sent."""
        last = answer.count if isinstance(answer, Accepted) else answer.index
        if last > self._sent or last == 0 and isinstance(answer, Refused):
            raise Violation(f"an answer to message {last} of {self._sent}")
        if isinstance(answer, Refused):
            found = self._take(answer.index)
            return [] if found is None else [(found, (answer.status, answer.body))]
        settled: List[Tuple[Waiting, Told]] = []
        while self._waiting and next(iter(self._waiting)) <= last:
            found = self._take(next(iter(self._waiting)))
            if found is not None:
                settled.append((found, (200, b"")))
        return settled

    def _take(self, index: int) -> Optional[Waiting]:
        waiting, size = self._waiting.pop(index, (None, 0))
        self._bytes -= size
        return waiting

    def give_up(self) -> List[Waiting]:
        """The connection is over: everything that will not be answered."""
        left = [waiting for waiting, _ in self._waiting.values()]
        self._waiting.clear()
        self._bytes = 0
        return left

    def __len__(self) -> int:
        return len(self._waiting)


class Answering:
    """What this side has said about the messages of the other."""

    def __init__(self) -> None:
        self._accepted = 0
        self._said = 0

    def judged(self, index: int, status: int, body: bytes) -> Optional[bytes]:
        """One message was handled, in order; what to say at once, if anything."""
        if status != 200:
            # What came before is accepted in the same breath or later: a refusal never comes after a count that includes it.
            return write_refused(index, status, body)
        self._accepted = index
        return self.due() if self._accepted - self._said >= ACCEPT_EVERY else None

    def due(self) -> Optional[bytes]:
        """What is accepted and not said."""
        if self._accepted == self._said:
            return None
        self._said = self._accepted
        return write_accepted(self._accepted)

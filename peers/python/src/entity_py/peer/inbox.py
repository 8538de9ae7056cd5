"""What has arrived, for `message.inbox`: durable messages are kept, volatile ones give way when there are too many.

Source: docs/contract/README.md (message.inbox), docs/protocol/1.1.md#sending-again (ids of durable messages).
"""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from typing import Callable, Deque, Dict, List, Mapping, Optional, Set, Tuple

from ..encoding import stamp
from ..strictjson import JsonObject
from ..times import Now
from .feature import Message

SPACE = "inbox"
SEEN = "seen"
COUNTER = "inbox.counter"

VOLATILE_MAX = 16_384
VOLATILE_BYTES_MAX = 64 * 1_048_576
DURABLE_MAX = 65_536
ANSWER_BYTES = 512 * 1024
"""How many bytes of bodies one answer holds; the first message always fits."""
IDS_MAX = 1_024
"""How many ids of durable messages of a peer are remembered."""

Persist = Callable[[str, str, Optional[bytes]], None]


class Inbox:
    """Messages by a growing index from 1."""

    def __init__(self, persist: Persist) -> None:
        self._persist = persist
        self._items: "OrderedDict[int, Tuple[JsonObject, int, bool]]" = OrderedDict()
        self._next = 1
        self._volatile: Deque[int] = deque()
        self._durable: Deque[int] = deque()
        self._bytes = 0

    def restore(self, records: Mapping[str, bytes]) -> None:
        """What was kept. Raises ValueError."""
        for key in sorted(records):
            index = int(key, 16)
            self._items[index] = (json.loads(records[key]), len(records[key]), True)
            self._durable.append(index)
            self._next = index + 1

    def add(self, message: Message, now: Now) -> JsonObject:
        """Keeps it and returns its entry without `index` and `received_at`: what `message.received` says."""
        told: JsonObject = {
            "from": message.peer,
            "type": message.kind,
            "body": message.body,
            "session": message.session,
            "sequence": message.sequence,
            "number": message.number,
            "version": message.version,
            "sealed": message.sealed,
        }
        if message.durable is not None:
            told["durable"] = message.durable
        index, self._next = self._next, self._next + 1
        entry = {"index": index, **told, "received_at": stamp(now.wall)}
        record = json.dumps(entry, separators=(",", ":")).encode("ascii")
        self._items[index] = (entry, len(record), message.durable is not None)
        if message.durable is not None:
            self._persist(SPACE, f"{index:016x}", record)
            self._durable.append(index)
            if len(self._durable) > DURABLE_MAX:
                self._forget(self._durable.popleft())
        else:
            self._volatile.append(index)
            self._bytes += len(record)
            while len(self._volatile) > VOLATILE_MAX or self._bytes > VOLATILE_BYTES_MAX and len(self._volatile) > 1:
                gone = self._volatile.popleft()
                self._bytes -= self._items[gone][1]
                self._forget(gone)
        return told

    def _forget(self, index: int) -> None:
        _, _, durable = self._items.pop(index)
        if durable:
            self._persist(SPACE, f"{index:016x}", None)

    def pages(self, sender: Optional[str], after: int, limit: int) -> Tuple[List[JsonObject], int]:
        """As in `message.inbox`: entries behind `after`, and the index to go on from."""
        found: List[JsonObject] = []
        size = 0
        for index, (entry, length, _) in self._items.items():
            if index <= after or sender is not None and entry["from"] != sender:
                continue
            if len(found) >= limit or found and size + length > ANSWER_BYTES:
                break
            found.append(entry)
            size += length
        return found, found[-1]["index"] if found else after


class SeenIds:
    """The last 1,024 ids of durable messages of each peer, kept: whichever session a message comes in, it is handled once."""

    def __init__(self, persist: Persist) -> None:
        self._persist = persist
        self._order: Dict[str, Deque[Tuple[int, str]]] = {}
        self._known: Dict[str, Set[str]] = {}
        self._count = 0

    def restore(self, records: Mapping[str, bytes]) -> None:
        """What was kept. Raises ValueError."""
        for key in sorted(records):
            self._count = max(self._count, int(key, 16))
            peer, id = json.loads(records[key])
            self._order.setdefault(peer, deque()).append((int(key, 16), id))
            self._known.setdefault(peer, set()).add(id)

    def is_known(self, peer: str, id: str) -> bool:
        """Whether it was handled."""
        return id in self._known.get(peer, set())

    def add(self, peer: str, id: str) -> None:
        """It is being handled, in the same batch."""
        self._count += 1
        order, known = self._order.setdefault(peer, deque()), self._known.setdefault(peer, set())
        order.append((self._count, id))
        known.add(id)
        self._persist(SEEN, f"{self._count:016x}", json.dumps([peer, id]).encode("utf-8"))
        if len(order) > IDS_MAX:
            count, old = order.popleft()
            known.discard(old)
            self._persist(SEEN, f"{count:016x}", None)

    def forget(self, peer: str) -> None:
        """The peer was removed."""
        for count, _ in self._order.pop(peer, deque()):
            self._persist(SEEN, f"{count:016x}", None)
        self._known.pop(peer, None)

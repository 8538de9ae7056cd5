"""Durable messages that are not acknowledged: kept first, in order, with their place in a session.

Two records a message: what it says (space `outbox`, written once) and where it stands (space `place`). Both go with the acknowledgement.

Source: docs/protocol/1.1.md#durable-messages, docs/protocol/1.1.md#sending-again, docs/design/delivery.md (limits).
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from ..codes import CallRefused
from ..encoding import SECOND
from ..strictjson import JsonObject
from ..times import Timer

SPACE = "outbox"
PLACES = "place"

MESSAGES_PER_PEER_MAX = 4_096
BYTES_PER_PEER_MAX = 8 * 1_048_576
MESSAGES_MAX = 32_768
BYTES_MAX = 64 * 1_048_576
WINDOW = 512
"""How many messages of a peer have a number and no acknowledgement."""
FIRST_PAUSE = 2 * SECOND
PAUSE_MAX = 60 * SECOND


@dataclass
class Kept:
    """One durable message."""

    id: str
    to: str
    kind: str
    body: JsonObject
    order: int
    size: int
    session: Optional[str] = None
    number: Optional[int] = None
    attempts: int = 0
    pause: int = 0
    under_way: bool = False
    again: Optional[Timer] = None

    @property
    def key(self) -> str:
        """Its record's key: sorts as the messages were kept."""
        return f"{self.order:016x}"

    def listed(self) -> JsonObject:
        """As in `outbox.list`."""
        state = "waiting" if self.attempts == 0 else "sent"
        return {"id": self.id, "to": self.to, "type": self.kind, "state": state, "attempts": self.attempts}

    def forget_place(self) -> None:
        """Its session is gone: it goes into the next one, with a number of that."""
        self.session, self.number, self.pause, self.under_way = None, None, 0, False
        if self.again is not None:
            self.again.cancel()
            self.again = None

    def next_pause(self, chance: int) -> int:
        """2 s, doubled up to 60 s, shortened by up to half (`chance` is 0 to 255)."""
        self.pause = min(max(self.pause * 2, FIRST_PAUSE), PAUSE_MAX)
        return self.pause if self.pause == FIRST_PAUSE else self.pause - self.pause * chance // 512


Persist = Callable[[str, str, Optional[bytes]], None]


class Outbox:
    """All durable messages, by peer and in order."""

    def __init__(self, persist: Persist) -> None:
        self._persist = persist
        self._of: Dict[str, "OrderedDict[str, Kept]"] = {}
        self._order = 0
        self._count = 0
        self._bytes = 0

    def restore(self, records: Mapping[str, bytes], places: Mapping[str, bytes]) -> None:
        """What was kept. Raises ValueError, KeyError."""
        for key in sorted(records):
            value = json.loads(records[key])
            kept = Kept(value["id"], value["to"], value["type"], value["body"], int(key, 16), len(records[key]))
            if key in places:
                kept.session, kept.number = json.loads(places[key])
                kept.attempts = 1
            self._add(kept)

    def _add(self, kept: Kept) -> None:
        self._of.setdefault(kept.to, OrderedDict())[kept.id] = kept
        self._order = max(self._order, kept.order)
        self._count += 1
        self._bytes += kept.size

    def keep(self, id: str, to: str, kind: str, body: JsonObject) -> Kept:
        """Takes a message. Raises CallRefused(SERVICE_UNAVAILABLE) with the name of the limit that is reached."""
        record = json.dumps({"id": id, "to": to, "type": kind, "body": body}, separators=(",", ":")).encode("ascii")
        box = self._of.get(to, OrderedDict())
        held = sum(kept.size for kept in box.values())
        for full, name, most in (
            (len(box) >= MESSAGES_PER_PEER_MAX, "durable_messages_per_peer_max", MESSAGES_PER_PEER_MAX),
            (held + len(record) > BYTES_PER_PEER_MAX, "durable_bytes_per_peer_max", BYTES_PER_PEER_MAX),
            (self._count >= MESSAGES_MAX, "durable_messages_max", MESSAGES_MAX),
            (self._bytes + len(record) > BYTES_MAX, "durable_bytes_max", BYTES_MAX),
        ):
            if full:
                why = f"the queue of durable messages is full: {name} is {most}"
                raise CallRefused("SERVICE_UNAVAILABLE", why, detail=why)
        kept = Kept(id, to, kind, body, self._order + 1, len(record))
        self._add(kept)
        self._persist(SPACE, kept.key, record)
        return kept

    def place(self, kept: Kept, session: str, number: int) -> None:
        """It has a number of this session."""
        kept.session, kept.number = session, number
        self._persist(PLACES, kept.key, json.dumps([session, number], separators=(",", ":")).encode("ascii"))

    def remove(self, kept: Kept) -> None:
        """It is acknowledged, or given up."""
        box = self._of.get(kept.to)
        if box is None or box.pop(kept.id, None) is None:
            return
        kept.forget_place()
        self._count -= 1
        self._bytes -= kept.size
        self._persist(SPACE, kept.key, None)
        self._persist(PLACES, kept.key, None)

    def displace(self, to: str, session: str) -> None:
        """A session is gone for good: its messages lose their numbers."""
        for kept in self.of(to):
            if kept.session == session:
                kept.forget_place()
                self._persist(PLACES, kept.key, None)

    def of(self, to: str) -> List[Kept]:
        """The messages for one peer, in order."""
        return list(self._of.get(to, {}).values())

    def has(self, to: str) -> bool:
        """Whether anything is kept for this peer."""
        return bool(self._of.get(to))

    def find(self, to: str, id: str) -> Optional[Kept]:
        """One message."""
        return self._of.get(to, OrderedDict()).get(id)

    def places(self, session: str) -> Dict[int, str]:
        """Number -> id of the messages that stand in this session."""
        return {kept.number: kept.id for kept in self.all() if kept.session == session and kept.number is not None}

    def all(self) -> Iterator[Kept]:
        """Everything, peer by peer."""
        for box in self._of.values():
            yield from box.values()

    def pages(self, to: Optional[str], after: Optional[str], limit: int) -> Tuple[List[JsonObject], int]:
        """As in `outbox.list`: the messages behind `after`, and how many there are."""
        chosen = sorted((kept for kept in self.all() if to is None or kept.to == to), key=lambda kept: kept.order)
        at = next((index + 1 for index, kept in enumerate(chosen) if kept.id == after), 0)
        return [kept.listed() for kept in chosen[at : at + limit]], len(chosen)

    @property
    def count(self) -> int:
        """How many are kept."""
        return self._count

"""What the machine hands out, in order; nothing leaves before what it rests on is durable.

Source: docs/protocol/1.1.md#token-messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple, Union

from ..strictjson import JsonObject

Write = Tuple[str, str, Optional[JsonObject]]
"""Space, key, and the record's new value; None: it is gone."""


@dataclass(frozen=True)
class Persist:
    """One batch: all of it or none is kept, before any output behind it takes effect."""

    writes: Tuple[Write, ...]


@dataclass(frozen=True)
class Send:
    """A volatile message to whoever has this key; where nobody has it, it is lost, and repeated later."""

    to: str
    msg_type: str
    body: JsonObject


@dataclass(frozen=True)
class Event:
    """Something that happened; `peer` in it is a key."""

    name: str
    params: JsonObject


@dataclass(frozen=True)
class Payment:
    """How far an own payment is: `kept` (signed and durable), `applied`, or `refused` with a code."""

    payer: str
    transfer_id: str
    state: str
    digest: Optional[str]
    sequence: Optional[int]
    code: Optional[str] = None


@dataclass(frozen=True)
class Warn:
    """For the log: something that an operator should know."""

    text: str


Output = Union[Persist, Send, Event, Payment, Warn]


class Sink:
    """Collects what one input brings about: writes first, as one batch, then everything that rests on them."""

    def __init__(self) -> None:
        self._writes: Dict[Tuple[str, str], Optional[JsonObject]] = {}
        self._after: List[Output] = []

    def write(self, space: str, key: str, value: Optional[JsonObject]) -> None:
        """Of two writes to a record the later counts."""
        self._writes[(space, key)] = value

    def add(self, output: Output) -> None:
        """Behind everything that the same input writes."""
        self._after.append(output)

    def event(self, name: str, **params: Any) -> None:
        """Adds an event."""
        self.add(Event(name, params))

    def take(self) -> List[Output]:
        """The batch, then the rest in order; empty afterwards."""
        found: List[Output] = []
        if self._writes:
            found.append(Persist(tuple((space, key, value) for (space, key), value in self._writes.items())))
        found += self._after
        self._writes, self._after = {}, []
        return found

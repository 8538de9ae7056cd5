"""What a peer wants done, in order: everything after a batch of changes waits until the batch is durable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, List, Optional, Tuple, Union

from ..codes import BadParams, CallRefused
from ..strictjson import JsonObject

Change = Tuple[str, str, Optional[bytes]]
"""Space, key, and the value or None to forget it."""


@dataclass(frozen=True)
class Transmit:
    """One HTTP request. Its end comes back as `handle_transmitted`."""

    id: int
    url: str
    method: str
    path: str
    body: bytes
    limit: int
    """How long it may take in all, in microseconds."""
    to: Optional[str] = None
    """The peer that a message is for: it may go over a WebSocket with that peer, too."""


@dataclass(frozen=True)
class Work:
    """Something that touches files or takes its time: done by one thread, in order. Its result comes back as `handle_worked`."""

    id: int
    function: Callable[[], Any]


@dataclass(frozen=True)
class Answer:
    """The answer to an inbound request."""

    token: object
    status: int
    body: bytes
    retry_after_s: Optional[int] = None
    sender: Optional[str] = None
    """The peer whose message was accepted: authenticated, and no repeat."""


@dataclass(frozen=True)
class Event:
    """A notification of the contract; the counter `n` is added where it is written."""

    name: str
    params: JsonObject


@dataclass(frozen=True)
class Reply:
    """The answer to a call of the contract."""

    call: object
    outcome: Union[JsonObject, CallRefused, BadParams, Exception]


@dataclass(frozen=True)
class Stopped:
    """Nothing comes after this: the peer has ended in order."""


Output = Union[Transmit, Work, Answer, Event, Reply, Stopped]


@dataclass(frozen=True)
class Step:
    """What one input led to: first the changes, all or none, then the rest."""

    changes: List[Change]
    outputs: List[Output]

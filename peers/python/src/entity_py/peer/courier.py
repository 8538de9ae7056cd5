"""Deliveries: one POST to a peer, tried again by rule with the same bytes.

Source: docs/protocol/1.0.md#client-rules, docs/design/delivery.md (circuit).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, FrozenSet, Optional

from ..codes import STATUS
from ..encoding import SECOND
from ..strictjson import NotJson, parse
from ..times import Now, Timers
from ..v11.frame import join
from .outputs import Transmit
from .roster import Peer

PAUSES = (SECOND, 2 * SECOND)
ATTEMPTS = 3
ATTEMPT_LIMIT = 10 * SECOND
HANDSHAKE_LIMIT = 30 * SECOND
FINAL = frozenset({400, 401, 403, 404})
NO_CODES: FrozenSet[str] = frozenset()
UNREACHABLE = "SERVICE_UNAVAILABLE"
"""The code of a delivery that nobody answered (docs/contract/README.md)."""

_OLD_CODES = (
    (re.compile(r"Invalid signature\Z|Signature verification error"), "INVALID_SIGNATURE"),
    (re.compile(r"Timestamp too old\Z"), "EXPIRED_TIMESTAMP"),
    (re.compile(r"Replay detected\Z"), "REPLAY_DETECTED"),
    (re.compile(r"Unknown sender: "), "UNKNOWN_SENDER"),
    (re.compile(r"Unknown recipient\Z"), "UNKNOWN_RECIPIENT"),
    (re.compile(r"Unsupported version: "), "INVALID_VERSION"),
    (re.compile(r"SESSION_EXPIRED\Z"), "SESSION_EXPIRED"),
    (re.compile(r"SEQUENCE_ERROR\Z"), "SEQUENCE_ERROR"),
    (re.compile(r"Decryption failed\Z|E2E decryption error"), "DECRYPTION_FAILED"),
    (re.compile(r"rate_limited\Z"), "RATE_LIMITED"),
    (re.compile(r"Message too large\Z"), "MESSAGE_TOO_LARGE"),
    (re.compile(r"Transfer refused\Z"), "TRANSFER_REFUSED"),
    (re.compile(r"Invalid JSON\Z|Unknown message format\Z|Missing "), "INVALID_MESSAGE"),
)
_BY_STATUS = {429: "RATE_LIMITED", 413: "MESSAGE_TOO_LARGE", 503: "SERVICE_UNAVAILABLE"}


def old_code(detail: str) -> Optional[str]:
    """The code that stands for a text of 1.0 (docs/contract/README.md)."""
    return next((code for shape, code in _OLD_CODES if shape.match(detail)), None)


@dataclass(frozen=True)
class Outcome:
    """How a delivery ended."""

    status: Optional[int]
    """None where nobody answered."""
    code: str = ""
    """Empty where it was answered 200."""
    detail: Optional[str] = None
    session: Optional[str] = None
    sequence: Optional[int] = None
    number: Optional[int] = None
    version: str = ""
    sealed: bool = False

    @property
    def ok(self) -> bool:
        """Answered 200."""
        return self.status == 200


MESSAGE, FRAME = "/message", "/frame"


def read_frame_outcome(status: Optional[int], body: bytes, error: str = "") -> Outcome:
    """What the answer to a request with one frame says: its one result. An answer over a socket has none, and its status counts."""
    if status != 200 or not body:
        return read_outcome(status, body, error)
    try:
        value: Any = parse(body[:65_536]).value
    except NotJson:
        value = None
    results = value.get("results") if isinstance(value, dict) else None
    if not isinstance(results, list) or len(results) != 1 or not isinstance(results[0], str):
        return Outcome(500, "HTTP_200", "an answer without the result of the frame")
    code = results[0][:64]
    return Outcome(200) if code == "ok" else Outcome(STATUS.get(code, 400), code, code)


def read_outcome(status: Optional[int], body: bytes, error: str = "") -> Outcome:
    """What an answer says. A body that is not understood is no reason to fail: the status counts."""
    if status == 200:
        return Outcome(200)
    if status is None:
        return Outcome(None, UNREACHABLE, error or "no answer")
    detail: Optional[str] = None
    code = None
    try:
        value: Any = parse(body[:65_536]).value
    except NotJson:
        value = None
    if isinstance(value, dict):
        if isinstance(value.get("detail"), str):
            detail = value["detail"][:1_024]
        wrong = value.get("error")
        if isinstance(wrong, dict) and isinstance(wrong.get("code"), str):
            code = wrong["code"][:64]
    if not code:
        code = (old_code(detail) if detail else None) or _BY_STATUS.get(status) or f"HTTP_{status}"
    return Outcome(status, code, detail)


Done = Callable[[Outcome, Now], None]


@dataclass
class Delivery:
    """A POST under way, or waiting for its next attempt."""

    peer: Peer
    url: str
    body: bytes
    done: Done
    attempts: int
    limit: int
    final_codes: FrozenSet[str]
    counted: bool
    tried: int = 0
    method: str = "POST"
    path: str = MESSAGE


class Courier:
    """All deliveries of a node."""

    def __init__(self, timers: Timers, emit: Callable[[Transmit], None], draw: Callable[[int], bytes]) -> None:
        self._timers = timers
        self._emit = emit
        self._draw = draw
        self._under_way: Dict[int, Delivery] = {}
        self._raw: Dict[int, Callable[[Optional[int], bytes, str], None]] = {}
        self._count = 0

    def post(
        self,
        peer: Peer,
        url: str,
        body: bytes,
        done: Done,
        now: Now,
        attempts: int = ATTEMPTS,
        limit: int = ATTEMPT_LIMIT,
        final_codes: FrozenSet[str] = NO_CODES,
        counted: bool = True,
        is_frame: bool = False,
    ) -> None:
        """Begins; `done` is called once, never before this returns. The body of a frame is the frame."""
        delivery = Delivery(peer, url, body, done, attempts, limit, final_codes, counted)
        if is_frame:
            delivery.body, delivery.path = join([body]), FRAME
        self._try(delivery, now)

    def get(self, peer: Peer, url: str, path: str, limit: int, done: Done, now: Now) -> None:
        """One GET."""
        self._try(Delivery(peer, url, b"", done, 1, limit, NO_CODES, False, method="GET", path=path), now)

    def raw(self, url: str, method: str, path: str, body: bytes, told: Callable[[Optional[int], bytes, str], None]) -> None:
        """A request of any content, for tests: its answer as it is."""
        self._count += 1
        self._raw[self._count] = told
        self._emit(Transmit(self._count, url, method, path, body, HANDSHAKE_LIMIT))

    def _try(self, delivery: Delivery, now: Now) -> None:
        self._count += 1
        delivery.tried += 1
        self._under_way[self._count] = delivery
        to = delivery.peer.name if delivery.method == "POST" else None
        self._emit(Transmit(self._count, delivery.url, delivery.method, delivery.path, delivery.body, delivery.limit, to))

    def ended(self, number: int, status: Optional[int], body: bytes, error: str, now: Now) -> None:
        """A request has ended, with an answer or without."""
        told = self._raw.pop(number, None)
        if told is not None:
            told(status, body, error)
            return
        delivery = self._under_way.pop(number, None)
        if delivery is None:
            return
        outcome = (read_frame_outcome if delivery.path == FRAME else read_outcome)(status, body, error)
        status = outcome.status
        if delivery.method == "POST":
            if status is None or status >= 500:
                delivery.peer.circuit.failed(now.mono, self._draw(1)[0])
            else:
                delivery.peer.circuit.answered()
        over = outcome.ok or status in FINAL or outcome.code in delivery.final_codes or delivery.tried >= delivery.attempts
        if not over:
            self._timers.after(now, PAUSES[min(delivery.tried, len(PAUSES)) - 1], lambda then: self._try(delivery, then))
            return
        if delivery.counted:
            stats = delivery.peer.stats
            stats.sent += 1
            if outcome.ok:
                stats.successful += 1
            else:
                stats.failed += 1
                stats.last_error = f"HTTP {status}: {outcome.detail or outcome.code}" if status else outcome.detail
        delivery.done(outcome, now)

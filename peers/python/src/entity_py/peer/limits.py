"""Rate limits, nonce memory, memory of whole messages: everything that is counted for each sender.

Source: docs/protocol/1.1.md#rate-limits, docs/protocol/1.1.md#nonce-memory, docs/protocol/1.0.md#profile-hardened, docs/protocol/1.0.md#rate-limit.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Deque, Dict, Mapping, Optional, Tuple

from ..codes import Refusal
from ..encoding import SECOND

NONCE_AGE = 300 * SECOND
NONCES_MAX = 65_536
"""How many nonces of one sender are remembered; more within 300 s are refused."""

HANDSHAKE_KINDS = frozenset(
    {"handshake_init", "handshake_init_ack", "challenge_response", "session_established", "session_confirm", "ready",
     "handshake", "handshake_ack", "handshake_confirm"}
)  # fmt: skip
KEY_KINDS = frozenset({"session_resume", "session_resumed", "rekey", "rekey_request", "rekey_ack"})
SMALL_KINDS = frozenset({"capability_query", "capability_response", "error", "session_close", "wake_up", "wake_up_ack"})


@dataclass(frozen=True)
class Rate:
    """A bucket of `burst` messages that refills by `per_second`."""

    burst: int
    per_second: int


def default_rate(kind: str) -> Tuple[str, Rate]:
    """The bucket that a type is counted in, and its size. Types without a limit of their own share one bucket."""
    if kind in HANDSHAKE_KINDS or kind in KEY_KINDS:
        return kind, Rate(100, 20)
    if kind in SMALL_KINDS:
        return kind, Rate(200, 50)
    if kind == "heartbeat":
        return kind, Rate(20, 2)
    if kind.startswith("task_"):
        return kind, Rate(1_000, 200)
    if kind in ("ack", "skip"):
        return kind, Rate(1_000, 1_000)
    return "*", Rate(20_000, 20_000)


@dataclass
class _Bucket:
    left: float
    at: int


@dataclass
class RateLimits:
    """The buckets of one sender. `look` says whether a message may pass, `take` counts it."""

    configured: Mapping[str, Rate]
    _buckets: Dict[str, _Bucket] = field(default_factory=dict)

    def _bucket(self, kind: str, now: int) -> Tuple[_Bucket, Rate]:
        if kind in self.configured:
            name, rate = kind, self.configured[kind]
        else:
            name, rate = default_rate(kind)
        bucket = self._buckets.get(name)
        if bucket is None:
            # At most one bucket for each type with a limit of its own, and one for all others. `task_` types are counted by name.
            if len(self._buckets) >= 256:
                name = "*"
            bucket = self._buckets.setdefault(name, _Bucket(float(rate.burst), now))
        bucket.left = min(float(rate.burst), bucket.left + (now - bucket.at) * rate.per_second / SECOND)
        bucket.at = now
        return bucket, rate

    def look(self, kind: str, now: int) -> None:
        """Raises Refusal(RATE_LIMITED) with how long to wait. `now` is mono."""
        bucket, rate = self._bucket(kind, now)
        if bucket.left < 1.0:
            wait = 60_000 if rate.per_second == 0 else int((1.0 - bucket.left) * 1000 / rate.per_second) + 1
            raise Refusal("RATE_LIMITED", f"{kind}: more than {rate.burst} at once", retry_after_ms=wait)

    def take(self, kind: str, now: int) -> None:
        """Counts one message."""
        bucket, _ = self._bucket(kind, now)
        bucket.left -= 1.0


@dataclass
class NonceMemory:
    """The nonces of one sender in the last 300 s, the 300th included. Never forgets one early."""

    _seen: "OrderedDict[str, int]" = field(default_factory=OrderedDict)

    def _forget(self, now: int) -> None:
        while self._seen:
            nonce, at = next(iter(self._seen.items()))
            if now - at <= NONCE_AGE:
                return
            del self._seen[nonce]

    def look(self, nonce: str, now: int) -> None:
        """Raises Refusal: REPLAY_DETECTED, or RATE_LIMITED where it is full. `now` is mono."""
        self._forget(now)
        if nonce in self._seen:
            raise Refusal("REPLAY_DETECTED", "the nonce was seen")
        if len(self._seen) >= NONCES_MAX:
            raise Refusal("RATE_LIMITED", "the nonce memory is full", retry_after_ms=1_000)

    def record(self, nonce: str, now: int) -> None:
        """It was seen."""
        self._seen[nonce] = now


@dataclass
class OldLimiter:
    """The limiter of `compat`, keyed by the claimed sender before any verification."""

    bucket: float = 10.0
    at: int = 0
    blocked_until: int = -1
    times: Deque[int] = field(default_factory=deque)

    def admits(self, now: int) -> bool:
        """Counts one message and says whether it passes. `now` is mono."""
        if now < self.blocked_until:
            return False
        while self.times and now - self.times[0] > 3_600 * SECOND:
            self.times.popleft()
        minute = sum(1 for at in self.times if now - at <= 60 * SECOND)
        if minute >= 60 or len(self.times) >= 1_000:
            self.blocked_until = now + 300 * SECOND
            return False
        self.bucket = min(10.0, self.bucket + (now - self.at) / SECOND)
        self.at = now
        if self.bucket < 1.0:
            return False
        self.bucket -= 1.0
        self.times.append(now)
        return True


class OldLimiters:
    """One limiter for each claimed sender; the number of ids is bounded, the oldest gives way."""

    MOST = 4_096

    def __init__(self) -> None:
        self._of: "OrderedDict[str, OldLimiter]" = OrderedDict()

    def admits(self, sender: str, now: int) -> bool:
        """Whether a message of this claimed sender passes."""
        limiter: Optional[OldLimiter] = self._of.get(sender)
        if limiter is None:
            while len(self._of) >= self.MOST:
                self._of.popitem(last=False)
            limiter = self._of[sender] = OldLimiter(at=now)
        return limiter.admits(now)

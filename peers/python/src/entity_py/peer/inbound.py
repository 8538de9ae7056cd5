"""Inbound requests: which endpoint, which version, and the checks of each in their order.

Source: docs/protocol/1.0.md#endpoints, docs/protocol/1.0.md#order-of-checks, docs/protocol/1.0.md#profiles, docs/protocol/1.1.md#order-of-checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Tuple

from ..codes import TEXT, OldRefusal, Refusal
from ..encoding import is_id, stamp
from ..strictjson import JsonObject, NotJson, Parsed, TooMany, canonical, compact, parse
from ..times import Now
from ..v10 import envelope as old
from ..v11 import envelope as new
from ..v11 import frame as frames
from .courier import old_code
from .limits import OldLimiters
from ..v11.handshake import identity_key
from .roster import PEERS_MAX
from .ten import AGE_MAX, HANDSHAKE_KINDS, Ten

if TYPE_CHECKING:
    from .core import Core
    from .line import Line

SIZE_MAX = 1_048_576
COMPAT_SIZE_MAX = 64 * 1_048_576
DEPTH_MAX = 32
COMPAT_DEPTH_MAX = 200
ID_SHOWN = 256

Answer = Tuple[int, bytes, Optional[int]]
"""Status, body, and seconds for `Retry-After`."""


class Inbound:
    """See the module's text."""

    def __init__(self, core: "Core") -> None:
        self.core = core
        self.limiters = OldLimiters()
        self.accepted: Optional[str] = None
        """Whose message the last request was, where it was accepted and no repeat."""

    @property
    def size_max(self) -> int:
        """How many bytes of a body anybody looks at."""
        config = self.core.config
        return SIZE_MAX if config.hardened or not config.speaks("1.0") else COMPAT_SIZE_MAX

    def handle(self, method: str, path: str, body: bytes, loopback: bool, now: Now) -> Answer:
        """Answers one request."""
        looks = {"/": self._root, "/health": self._health, "/peers": self._peers, "/stats": self._stats, "/public-key": self._key}
        path = path.split("?", 1)[0]
        if path in ("/message", "/frame"):
            take = self._message if path == "/message" else self._frames
            return take(body, now) if method == "POST" else _detail(405, "Method Not Allowed")
        look = looks.get(path)
        if look is None:
            return _detail(404, "Not Found")
        if method not in ("GET", "HEAD"):
            return _detail(405, "Method Not Allowed")
        if path in ("/peers", "/stats") and self.core.config.hardened and not loopback:
            return _detail(404, "Not Found")
        return 200, compact(look(now)), None

    # -- endpoints to look at

    def _base(self) -> JsonObject:
        return {"crypto_available": True, "signing_enabled": True, "verification_enabled": True}

    def _root(self, now: Now) -> JsonObject:
        head = {"entity_id": self.core.name, "service": "peer-communication", "version": "1.0"}
        return {**head, "peers_count": len(self.core.roster), **self._base()}

    def _health(self, now: Now) -> JsonObject:
        peers = list(self.core.roster.values())
        words = {None: "unknown", True: "healthy", False: "unhealthy"}
        healthy = sum(1 for peer in peers if peer.healthy)
        sent = sum(peer.stats.successful for peer in peers)
        failed = sum(peer.stats.failed for peer in peers)
        waiting = sum(len(line.waiting) for line in self.core.lines.values())
        return {
            "entity_id": self.core.name,
            "port": int((self.core.address or ":0").rsplit(":", 1)[1]),
            "peers": len(peers),
            "healthy_peers": healthy,
            "total_stats_entries": len(peers),
            **self._base(),
            "public_key": self.core.key.public.hex(),
            "status": "healthy",
            "timestamp": stamp(now.wall),
            "queue": {
                "size": waiting,
                "stats": {"queued": waiting, "sent": sent, "failed": failed, "discarded": 0},
                "kept": self.core.outbox.count,
            },
            "heartbeat": {
                "peer_status": {peer.name: words[peer.healthy] for peer in peers},
                "healthy_count": healthy,
                "circuits_open": sum(1 for peer in peers if peer.circuit.state != "closed"),
            },
        }

    def _peers(self, now: Now) -> JsonObject:
        peers = [{"entity_id": peer.name, "address": peer.address, "has_public_key": peer.key is not None} for peer in self.core.roster.values()]
        return {"entity_id": self.core.name, "peers": peers, "count": len(peers)}

    def _stats(self, now: Now) -> JsonObject:
        return {"entity_id": self.core.name, "stats": {peer.name: peer.counted() for peer in self.core.roster.values()}}

    def _key(self, now: Now) -> JsonObject:
        return {"entity_id": self.core.name, "public_key": self.core.key.public.hex()}

    # -- messages

    def _message(self, body: bytes, now: Now) -> Answer:
        config = self.core.config
        if len(body) > self.size_max:
            return self._unread("MESSAGE_TOO_LARGE", "Message too large", 413)
        compat = not config.hardened and config.speaks("1.0")
        try:
            parsed = parse(body, COMPAT_DEPTH_MAX if compat else DEPTH_MAX, allow_nan=compat)
        except TooMany:
            return self._unread("MESSAGE_TOO_LARGE", "Message too large", 413)
        except NotJson:
            return self._unread("INVALID_MESSAGE", "Invalid JSON", 400)
        value = parsed.value
        if not isinstance(value, dict):
            return self._unread("INVALID_MESSAGE", "Unknown message format", 400)
        if "version" not in value or "sender_id" not in value:
            return self._unread("INVALID_MESSAGE", "Unknown message format", 400, value)
        version = value["version"]
        if any(_too_long(value.get(name)) for name in ("version", "sender_id", "recipient_id")):
            return self._unread("INVALID_MESSAGE", "Unknown message format", 400, value)
        if version == "1.1" and config.speaks("1.1"):
            return self._new(parsed, body, now)
        if config.speaks("1.0"):
            if compat and not self.limiters.admits(_shown(value["sender_id"]), now.mono):
                return self._old_refused(value, OldRefusal("rate_limited"))
            if version in ("1.0", "0.3"):
                return self._old(value, body, now)
        shown = version if isinstance(version, str) else canonical(version).decode("ascii")
        return self._unread("INVALID_VERSION", f"Unsupported version: {shown[:ID_SHOWN]}", 400, value)

    def _passed(self) -> Answer:
        answer = {"status": "received", "entity_id": self.core.name, "verification": "passed"}
        return 200, compact(answer), None

    def _unread(self, code: str, detail: str, status: int, value: Optional[JsonObject] = None) -> Answer:
        """What is refused before its version decides: in the words of every version that is enabled here."""
        sender = None if value is None else value.get("sender_id")
        self._told(sender, code, detail, status)
        answer: JsonObject = {"detail": detail}
        if self.core.config.speaks("1.1"):
            answer["error"] = {"code": code, "message": TEXT[code]}
        return status, compact(answer), None

    def _told(self, sender: Any, code: Optional[str], detail: str, status: int, why: str = "") -> None:
        name = sender if isinstance(sender, str) and 0 < len(sender) <= 128 else None
        self.core.event("message.refused", {"from": name, "code": code, "detail": detail, "status": status})
        self.core.log("info", f"message refused from={name!r} code={code} status={status}: {why or detail!r}")

    # -- 1.1

    def _new(self, parsed: Parsed, body: bytes, now: Now) -> Answer:
        sender = parsed.value.get("sender_id")
        try:
            if len(body) > SIZE_MAX:
                raise Refusal("MESSAGE_TOO_LARGE")
            if parsed.duplicates or parsed.floats or parsed.depth > DEPTH_MAX:
                raise Refusal("INVALID_MESSAGE", "a duplicate key, a float, or too deep")
            self._check_new(new.read(parsed.value, body), now)
        except Refusal as refusal:
            return self._new_refused(sender, refusal)
        return self._passed()

    def _check_new(self, envelope: new.Envelope, now: Now) -> None:
        """Checks 5 to 7, then the line's."""
        core = self.core
        if envelope.recipient != core.name:
            raise Refusal("UNKNOWN_RECIPIENT", f"for {envelope.recipient}")
        line = core.lines.get(envelope.sender)
        if line is None and envelope.sender != core.name and envelope.kind == "handshake_init" and core.config.dht:
            line = self._stranger(envelope)
        if envelope.sender == core.name or line is None:
            raise Refusal("UNKNOWN_SENDER", "not in the roster")
        key = line.eleven.key_for(envelope)
        if not envelope.verify(key):
            raise Refusal("INVALID_SIGNATURE")
        if line.eleven.handle(envelope, key, now):
            self.accepted = line.peer.name

    def _stranger(self, envelope: new.Envelope) -> "Line":
        """docs/protocol/1.1.md#trust-on-first-use: whoever takes part in the table meets who was never named. Raises Refusal."""
        if not envelope.verify(identity_key(envelope.payload)):
            raise Refusal("INVALID_SIGNATURE")
        if len(self.core.roster) >= PEERS_MAX // 2:
            raise Refusal("SERVICE_UNAVAILABLE", "the half of the roster that is for strangers is full")
        return self.core.take_stranger(envelope.sender)

    def _new_refused(self, sender: Any, refusal: Refusal) -> Answer:
        detail = TEXT[refusal.code]
        self._told(sender, refusal.code, detail, refusal.status, refusal.why)
        error: JsonObject = {"code": refusal.code, "message": detail}
        retry = None
        if refusal.retry_after_ms is not None:
            error["retry_after_ms"] = refusal.retry_after_ms
            retry = (refusal.retry_after_ms + 999) // 1000
        return refusal.status, compact({"detail": detail, "error": error}), retry

    # -- frames

    def _frames(self, body: bytes, now: Now) -> Answer:
        """docs/protocol/1.1.md#compact-frames: each frame has a result of its own."""
        if not self.core.config.speaks("1.1"):
            return _detail(404, "Not Found")
        try:
            found = frames.split(body)
        except Refusal as refusal:
            return self._new_refused(None, refusal)
        return 200, compact({"results": [self._frame_result(frame, now) for frame in found]}), None

    def _frame_result(self, data: bytes, now: Now) -> str:
        status, answer, _ = self.frame(data, now)
        return "ok" if status == 200 else str(parse(answer).value["error"]["code"])

    def frame(self, data: bytes, now: Now) -> Answer:
        """Answers one frame, as a message of its own is answered."""
        name: Optional[str] = None
        try:
            frame = frames.read(data)
            lines = [line for line in self.core.lines.values() if line.eleven.knows(frame.session)]
            if not lines:
                raise Refusal("SESSION_NOT_FOUND", "no such session")
            # An id is its initiator's choice, so two peers may have the same: the seal tells whose frame it is.
            for line in lines:
                name = line.peer.name
                try:
                    line.eleven.handle_frame(frame, now)
                    self.accepted = name
                    break
                except Refusal as refusal:
                    if refusal.code != "DECRYPTION_FAILED" or line is lines[-1]:
                        raise
        except Refusal as refusal:
            return self._new_refused(name, refusal)
        return self._passed()

    # -- 1.0

    def _old(self, value: JsonObject, body: bytes, now: Now) -> Answer:
        try:
            self._check_old(value, body, now)
        except OldRefusal as refusal:
            return self._old_refused(value, refusal)
        except Refusal as refusal:
            return self._old_refused(value, OldRefusal("rate_limited" if refusal.code == "RATE_LIMITED" else "Replay detected"))
        return self._passed()

    def _old_refused(self, value: JsonObject, refusal: OldRefusal) -> Answer:
        self._told(value.get("sender_id"), old_code(refusal.detail), refusal.detail, refusal.status)
        return refusal.status, compact({"detail": refusal.detail}), None

    def _check_old(self, value: JsonObject, body: bytes, now: Now) -> None:
        """Steps 5 to 9, with what `hardened` adds in its place (docs/protocol/1.0.md#profile-hardened)."""
        core, hardened = self.core, self.core.config.hardened
        if hardened and value.get("recipient_id") not in (None, core.name):
            raise OldRefusal("Unknown recipient")
        if value.get("signature") is None:
            raise OldRefusal("Missing signature")
        sender = _shown(value["sender_id"])
        line = core.lines.get(sender)
        if line is None or line.peer.key is None:
            raise OldRefusal(f"Unknown sender: {sender[:ID_SHOWN]}")
        old.check_signature(value, line.peer.key)
        envelope = old.read(value, body)
        if core.config.speaks("1.1") and line.peer.proved == "1.1":
            raise OldRefusal(f"Unsupported version: {envelope.version}")
        ten = line.ten
        if hardened and ten.is_repeat(body, now):
            return
        if envelope.version == "1.0":
            self._check_session_fields(envelope)
        if hardened:
            self._check_hardened(envelope, line, now)
        if envelope.kind in HANDSHAKE_KINDS:
            self._take_handshake(envelope, line, ten, now)
        else:
            self._take_old(envelope, line, ten, now)
        self.accepted = line.peer.name

    def _take_handshake(self, envelope: old.OldEnvelope, line: "Line", ten: Ten, now: Now) -> None:
        """A handshake message: exempt from step 7, and sealed by nobody."""
        if self.core.config.hardened:
            line.peer.rates.look(envelope.kind, now.mono)
            line.peer.rates.take(envelope.kind, now.mono)
        payload = ten.open(envelope, None) or envelope.object()
        ten.accepted(envelope, now)
        line.peer.stats.received += 1
        ten.handle_handshake(envelope, payload, now)

    def _check_hardened(self, envelope: old.OldEnvelope, line: "Line", now: Now) -> None:
        wall = envelope.wall()
        if wall is None or abs(wall - now.wall) > AGE_MAX or wall < self.core.started_wall:
            raise OldRefusal("Timestamp too old")
        line.peer.nonces.look(envelope.nonce, now.mono)
        if envelope.version == "0.3" and line.ten.established is not None:
            raise OldRefusal("Unsupported version: 0.3")
        if envelope.version == "1.0" and envelope.sequence is None:
            raise OldRefusal("Missing required field: sequence_num")

    @staticmethod
    def _check_session_fields(envelope: old.OldEnvelope) -> None:
        if not envelope.session:
            raise OldRefusal("Missing required field: session_id")
        if envelope.value.get("sequence_num") is None:
            raise OldRefusal("Missing required field: sequence_num")

    def _take_old(self, envelope: old.OldEnvelope, line: "Line", ten: Ten, now: Now) -> None:
        session = ten.look(envelope, now) if envelope.version == "1.0" else None
        if self.core.config.hardened:
            line.peer.rates.look(envelope.kind, now.mono)
        opened = ten.open(envelope, session)
        if self.core.config.hardened:
            line.peer.rates.take(envelope.kind, now.mono)
        body = envelope.object() if opened is None else opened
        if envelope.kind == "token_transfer" and not self.core.config.legacy_token_transfer:
            ten.accepted(envelope, now)
            raise OldRefusal("Transfer refused", 403)
        ten.take(envelope, session, body, opened is not None, now)


def _shown(sender: Any) -> str:
    """A `sender_id` that is no string counts as its canonical text."""
    return sender if isinstance(sender, str) else canonical(sender).decode("ascii")


def _too_long(text: Any) -> bool:
    return isinstance(text, str) and len(text.encode("utf-8", "replace")) > old.ID_MAX


def _detail(status: int, text: str) -> Answer:
    return status, compact({"detail": text}), None


__all__ = ["Answer", "Inbound", "is_id"]

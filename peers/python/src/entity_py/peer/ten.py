"""Sessions of 1.0 with one peer: the handshake of three messages, what is sent and received, durable messages one at a time.

Source: docs/protocol/1.0.md from "Order of checks" to "Sessions and sequence".
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Dict, List, Optional

from ..codes import CallRefused, OldRefusal
from ..crypto import CryptoError, sha256, session_key_1_0, static_key_1_0, verify, x25519_public
from ..encoding import SECOND, is_uuid4, parse_base64, parse_iso, stamp, to_base64, uuid4_of
from ..strictjson import JsonObject, canonical
from ..times import HOUR, Now, Timer
from ..transfer import pieces
from ..v10 import sealing
from ..v10.envelope import OldEnvelope, write
from ..v10.sealing import Sealing, open_static, seal_static
from .courier import FINAL, HANDSHAKE_LIMIT, Done, Outcome
from .feature import Message
from .outbox import Kept

if TYPE_CHECKING:
    from .line import Line, Outgoing

HANDSHAKE_KINDS = frozenset({"handshake", "handshake_ack", "handshake_confirm"})
LIFE = HOUR
OLD_FOR = 30 * SECOND
AGE_MAX = 60 * SECOND
REPEAT_FOR = 300 * SECOND
REPEATS_MAX = 65_536
ANSWER_WAIT = 30 * SECOND
YIELD_WAIT = SECOND
OF_THE_MOMENT = (
    "SESSION_EXPIRED", "SEQUENCE_ERROR", "Timestamp too old", "Replay detected", "rate_limited", "Decryption failed",
    sealing.BROKEN, "Unknown sender: ", "Unsupported version: ",
)  # fmt: skip
"""Refusals of a durable message that may be over tomorrow."""
HINTS = ("SESSION_EXPIRED", "SEQUENCE_ERROR", sealing.BROKEN)
CAPABILITIES = ["e2e_encryption", "aes_256_gcm", "x25519"]


@dataclass
class OldSession:
    """A session of 1.0, or a handshake that may lead to one."""

    id: str
    role: str
    began: int
    state: str = "handshake_sent"
    challenge: str = ""
    secret: bytes = b""
    expected: int = 1
    """The lowest number that is accepted next."""
    next: int = 2
    sealing: Optional[Sealing] = None
    until: Optional[int] = None
    """When a replaced session stops receiving (mono)."""

    def __repr__(self) -> str:
        return f"OldSession({self.id}, {self.state}, ..)"

    def number(self) -> int:
        """The next sequence number of this side."""
        sequence, self.next = self.next, self.next + 1
        return sequence

    def is_over(self, now: int) -> bool:
        """3,600 s from its creation."""
        return now - self.began >= LIFE


class Ten:
    """See the module's text."""

    def __init__(self, line: "Line") -> None:
        self.line = line
        self.core = line.core
        self.peer = line.peer
        self.established: Optional[OldSession] = None
        self._old: List[OldSession] = []
        self._mine: Optional[OldSession] = None
        self._theirs: Optional[OldSession] = None
        self._doubted = False
        self._busy = 0
        self._durable_again: Optional[Timer] = None
        self._repeats: "OrderedDict[bytes, int]" = OrderedDict()
        self._timers: Dict[str, Timer] = {}
        self._static: Optional[bytes] = None

    # -- looks

    def info(self) -> Optional[JsonObject]:
        """As `session.open` answers, of a session that takes messages."""
        session = self.established
        if session is None or self._doubted:
            return None
        return {"id": session.id, "peer": self.peer.name, "version": "1.0", "role": session.role, "state": "ready"}

    def listed(self) -> List[JsonObject]:
        """As in `session.list`."""
        key = None if self.peer.key is None else self.peer.key.hex()
        rows = []
        for session in (self.established, self._mine, self._theirs):
            if session is not None:
                state = "ready" if session is self.established else session.state
                rows.append(
                    {"id": session.id, "peer": self.peer.name, "peer_key": key, "version": "1.0", "role": session.role,
                     "state": state, "generation": None, "sealed": session.sealing is not None}
                )  # fmt: skip
        return rows

    # -- getting a session

    def begin(self, now: Now) -> None:
        """Sends `handshake`, unless one is under way."""
        if self._mine is not None or (self.established is not None and not self._doubted):
            return
        if not self.peer.circuit.admits(now.mono):
            self.line.begin_soon(now)
            return
        if self.peer.key is None:
            self.line.failed("1.0", Outcome(None, "UNKNOWN_SENDER", "1.0 needs the peer's key"), now)
            return
        session = OldSession(uuid4_of(self.core.random(16)), "initiator", now.mono)
        session.challenge = self.core.random(32).hex()
        payload: JsonObject = {
            "version": "1.0",
            "session_id": session.id,
            "challenge": session.challenge,
            "public_key": self.core.key.public.hex(),
            "supported_versions": list(self.core.config.versions),
            "capabilities": CAPABILITIES,
            "e2e_enabled": self.core.config.session_sealing,
            "e2e_session_id": None,
            "e2e_ephemeral_key": None,
        }
        if self.core.config.session_sealing:
            session.secret = self.core.random(32)
            payload["e2e_session_id"] = uuid4_of(self.core.random(16))
            payload["e2e_ephemeral_key"] = to_base64(x25519_public(session.secret))
        self._mine = session
        body = self._write("handshake", session.id, 1, payload, "iso", now)
        self._post(body, lambda outcome, then: self._handshake_ended(session, outcome, then), now)
        self._at("mine", ANSWER_WAIT, lambda then: self._no_answer(session, then), now)

    def _post(self, body: bytes, done: Callable[[Outcome, Now], None], now: Now) -> None:
        self.core.courier.post(self.peer, self.peer.address or "", body, done, now, attempts=1, limit=HANDSHAKE_LIMIT)

    def _write(self, kind: str, session: str, sequence: int, payload: JsonObject, flavour: str, now: Now) -> bytes:
        return write(
            self.core.key, flavour, "1.0", kind, self.core.name, self.peer.name, session, sequence, payload, now.wall, self.core.random(16)
        )

    def _handshake_ended(self, session: OldSession, outcome: Outcome, now: Now) -> None:
        if not outcome.ok and self._mine is session:
            self._shaken_off(session, outcome, now, first=True)

    def _no_answer(self, session: OldSession, now: Now) -> None:
        if self._mine is session:
            self._shaken_off(session, Outcome(None, "CHALLENGE_EXPIRED", "the handshake was not answered within 30 s"), now)

    def _shaken_off(self, session: OldSession, outcome: Outcome, now: Now, first: bool = False) -> None:
        self._mine = None
        self._cancel("mine")
        # Nobody signed the answer that made the session doubtful: it is used again.
        self._doubted = False
        self.core.event("handshake.failed", {"peer": self.peer.name, "code": outcome.code, "reason": outcome.detail or outcome.code})
        self.line.failed("1.0", outcome, now, first=first)

    # -- handshake messages that came

    def handle_handshake(self, envelope: OldEnvelope, payload: JsonObject, now: Now) -> None:
        """Takes one of the three. What is wrong with it is answered 200 all the same, except what `OldRefusal` says."""
        if envelope.version != "1.0":
            return
        if envelope.kind == "handshake":
            self._take_handshake(envelope, payload, now)
        elif envelope.kind == "handshake_ack":
            self._take_ack(envelope, payload, now)
        else:
            self._take_confirm(envelope, payload, now)

    def _take_handshake(self, envelope: OldEnvelope, payload: JsonObject, now: Now) -> None:
        versions = payload.get("supported_versions")
        config = self.core.config
        if config.speaks("1.1") and isinstance(versions, list) and "1.1" in versions:
            raise OldRefusal("Unsupported version: 1.0")
        challenge, id = payload.get("challenge"), payload.get("session_id")
        if not isinstance(challenge, str) or len(challenge) != 64 or not isinstance(id, str) or id != envelope.session:
            return
        key = self.peer.key
        if not is_uuid4(id) or key is None or payload.get("public_key") != key.hex():
            return
        if self._known(id):
            return
        session = OldSession(id, "responder", now.mono, "handshake_acked", challenge)
        answer: JsonObject = {
            "session_id": id,
            "public_key": self.core.key.public.hex(),
            "challenge_response": to_base64(self.core.key.sign(canonical(challenge))),
            "selected_version": "1.0",
            "confirm": True,
            "e2e_accepted": False,
            "e2e_session_id": None,
            "e2e_ephemeral_key": None,
        }
        if config.speaks("1.1"):
            answer["supported_versions"] = list(config.versions)
        if config.session_sealing and payload.get("e2e_enabled") is True:
            self._accept_sealing(session, payload, answer)
        if self._mine is not None and self.core.key.public < key:
            # Both open, and this side has the smaller key: the other's waits a second for ours to lead to a session.
            self._at("yield", YIELD_WAIT, lambda then: self._acknowledge_late(session, answer, then), now)
            return
        if self._mine is not None:
            self._mine = None
            self._cancel("mine")
        self._acknowledge(session, answer, now)

    def _accept_sealing(self, session: OldSession, payload: JsonObject, answer: JsonObject) -> None:
        secret = self.core.random(32)
        try:
            key = session_key_1_0(secret, parse_base64(payload.get("e2e_ephemeral_key"), 32))
        except (CryptoError, ValueError):
            return
        session.sealing = Sealing(uuid4_of(self.core.random(16)), key)
        answer["e2e_accepted"] = True
        answer["e2e_session_id"] = session.sealing.id
        answer["e2e_ephemeral_key"] = to_base64(x25519_public(secret))

    def _known(self, id: str) -> bool:
        held = [self.established, self._mine, self._theirs, *self._old]
        return any(session is not None and session.id == id for session in held)

    def _acknowledge_late(self, session: OldSession, answer: JsonObject, now: Now) -> None:
        if self.established is None or self._doubted:
            if self._mine is not None:
                self._mine = None
                self._cancel("mine")
            self._acknowledge(session, answer, now)

    def _acknowledge(self, session: OldSession, answer: JsonObject, now: Now) -> None:
        self._theirs = session

        def ended(outcome: Outcome, then: Now) -> None:
            if not outcome.ok and self._theirs is session:
                self._theirs = None
                if self.line.has_work:
                    self.line.begin_soon(then)

        self._post(self._write("handshake_ack", session.id, 1, answer, "iso", now), ended, now)
        self._at("theirs", ANSWER_WAIT * 2, lambda then: self._forget_theirs(session, then), now)

    def _forget_theirs(self, session: OldSession, now: Now) -> None:
        if self._theirs is session:
            self._theirs = None
            if self.line.has_work:
                self.line.begin(now)

    def _take_ack(self, envelope: OldEnvelope, payload: JsonObject, now: Now) -> None:
        session = self._mine
        if session is None or envelope.session != session.id or payload.get("session_id") not in (None, session.id):
            return
        key = self.peer.key
        try:
            signature = parse_base64(payload.get("challenge_response"), 64)
        except ValueError:
            return
        if key is None or not verify(key, canonical(session.challenge), signature):
            return
        versions = payload.get("supported_versions")
        if self.core.config.speaks("1.1") and isinstance(versions, list) and "1.1" in versions:
            self._shaken_off(session, Outcome(None, "INVALID_VERSION", "the other side has 1.1"), now, first=True)
            return
        if payload.get("e2e_accepted") is True and session.secret:
            try:
                shared = session_key_1_0(session.secret, parse_base64(payload.get("e2e_ephemeral_key"), 32))
                id = payload.get("e2e_session_id")
            except (CryptoError, ValueError):
                return
            if isinstance(id, str):
                session.sealing = Sealing(id, shared)
        session.state = "handshake_acked"
        confirm = {"session_id": session.id, "confirm": True, "timestamp": stamp(now.wall)}
        body = self._write("handshake_confirm", session.id, 2, confirm, "iso", now)
        self._post(body, lambda outcome, then: self._confirmed(session, outcome, then), now)

    def _confirmed(self, session: OldSession, outcome: Outcome, now: Now) -> None:
        if self._mine is not session:
            return
        if not outcome.ok:
            self._shaken_off(session, outcome, now)
            return
        self._mine = None
        self._cancel("mine")
        self._become(session, now)

    def _take_confirm(self, envelope: OldEnvelope, payload: JsonObject, now: Now) -> None:
        session = self._theirs
        if session is None or envelope.session != session.id or payload.get("session_id") not in (None, session.id):
            return
        if payload.get("confirm") is not True:
            return
        said = payload.get("timestamp")
        if said is not None:
            try:
                if abs(parse_iso(said) - now.wall) > AGE_MAX:
                    return
            except (ValueError, TypeError):
                return
        self._theirs = None
        self._cancel("theirs")
        self._become(session, now)

    def _become(self, session: OldSession, now: Now) -> None:
        before = self.established
        if before is not None:
            before.until = now.mono + OLD_FOR
            self._old = [*self._old[-3:], before]
            self.core.event("session.closed", {"id": before.id, "peer": self.peer.name, "reason": "replaced"})
        session.state = "established"
        session.secret = b""
        self.established = session
        self._doubted = False
        self._cancel("yield")
        info = self.info() or {}
        self.core.event("session.ready", {name: info[name] for name in ("id", "peer", "version", "role")})
        self._at("life", LIFE, lambda then: self.close(session, "expired", then), now)
        self.line.opened(info, now)

    def close(self, session: OldSession, reason: str, now: Now) -> None:
        """1.0 has no word for it: the session ends on this side."""
        if self.established is session:
            self.established = None
            self._doubted = False
            self._old = [*self._old[-3:], session]
            session.until = now.mono + OLD_FOR
            self.core.event("session.closed", {"id": session.id, "peer": self.peer.name, "reason": reason})

    def drop(self, reason: str, now: Now) -> None:
        """Everything with this peer is forgotten."""
        self._mine = self._theirs = None
        if self.established is not None:
            self.close(self.established, reason, now)
        self._old = []
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    # -- messages that came

    def is_repeat(self, body: bytes, now: Now) -> bool:
        """Whether every byte equals a message accepted within 300 s."""
        while self._repeats:
            digest, at = next(iter(self._repeats.items()))
            if now.mono - at <= REPEAT_FOR:
                break
            del self._repeats[digest]
        return sha256(body) in self._repeats

    def look(self, envelope: OldEnvelope, now: Now) -> Optional[OldSession]:
        """Step 7: the session that the message belongs to, or None outside one. Raises OldRefusal."""
        self._old = [session for session in self._old if session.until is not None and now.mono < session.until]
        held = [session for session in (self.established, *self._old) if session is not None]
        if self._mine is not None and self._mine.state == "handshake_acked":
            # The responder's session is established when it has the confirmation, before this side knows.
            held.append(self._mine)
        session = next((session for session in held if session.id == envelope.session), None)
        if self.established is None and session is None:
            return None
        if session is None or session.is_over(now.mono):
            raise OldRefusal("SESSION_EXPIRED")
        if envelope.sequence is None or envelope.sequence < session.expected:
            raise OldRefusal("SEQUENCE_ERROR")
        return session

    def open(self, envelope: OldEnvelope, session: Optional[OldSession]) -> Optional[JsonObject]:
        """Step 8: the payload where it is sealed; None where it is not. Raises OldRefusal."""
        payload = envelope.payload
        if not isinstance(payload, dict):
            return None
        if payload.get("_e2e_encrypted") is True:
            if session is None or session.sealing is None or payload.get("session_id") != session.sealing.id:
                raise OldRefusal(sealing.BROKEN)
            return session.sealing.open(payload, envelope.sequence or 0)
        if "_encrypted_payload" in payload:
            return open_static(self._static_key(), payload)
        return None

    def _static_key(self) -> bytes:
        if self._static is None:
            if self.peer.key is None:
                raise OldRefusal("Decryption failed")
            self._static = static_key_1_0(self.core.key, self.peer.key)
        return self._static

    def take(self, envelope: OldEnvelope, session: Optional[OldSession], body: JsonObject, sealed: bool, now: Now) -> None:
        """Step 9. Raises OldRefusal where the handler says no."""
        self.accepted(envelope, now)
        if session is not None and envelope.sequence is not None:
            session.expected = max(session.expected, envelope.sequence + 1)
            if sealed and session.sealing is not None and envelope.object().get("_e2e_encrypted") is True:
                session.sealing.last_in = max(session.sealing.last_in, envelope.sequence)
        if envelope.kind != "heartbeat":
            self.peer.stats.received += 1
        message = Message(
            self.peer.name, envelope.kind, body, envelope.version, envelope.session, envelope.sequence, None, sealed, None
        )
        self.core.deliver(message, now)

    def accepted(self, envelope: OldEnvelope, now: Now) -> None:
        """Its bytes and its nonce are remembered, and the peer lives."""
        if self.core.config.hardened:
            self.peer.nonces.record(envelope.nonce, now.mono)
            self._repeats[sha256(envelope.body)] = now.mono
            while len(self._repeats) > REPEATS_MAX:
                self._repeats.popitem(last=False)
        self.line.heard(now)

    # -- sending

    def pump(self, now: Now) -> None:
        """Sends what waits as far as it may go."""
        if self._mine is not None or self._theirs is not None and self._doubted or self.line.openers:
            # A session is being made, and what waits is for that.
            if self._mine is None and self._theirs is None and not self.line.is_pausing:
                self.begin(now)
            return
        session = self.established
        if session is None:
            if self.line.has_work and not self.line.is_pausing:
                self.begin(now)
            return
        # One message under way at a time: two connections could overtake each other.
        while not self._busy and self.line.waiting:
            out = self.line.take()
            if out is not None:
                self._send(session, out, now)
        self._pump_durable(session, now)

    def _sealed(self, session: OldSession, payload: JsonObject, seal: str) -> Optional[JsonObject]:
        if seal == "never":
            return None
        if session.sealing is not None:
            return session.sealing.seal(payload, self.core.random(12))
        if seal == "require":
            return seal_static(self._static_key(), payload, self.core.random(16))
        return None

    def _send(self, session: OldSession, out: "Outgoing", now: Now) -> None:
        if out.only_new:
            out.done(Outcome(None, "INVALID_VERSION", f"1.0 has no {out.kind}"), now)
            return
        if out.kind not in pieces.NEVER and pieces.is_large(out.body):
            self._send_pieces(session, out.kind, out.body, out.done, now, out.seal, out.flavour or "iso")
            return
        try:
            sealed = self._sealed(session, out.body, out.seal)
        except (OldRefusal, CryptoError):
            out.done(Outcome(None, "DECRYPTION_FAILED", "there is no key to seal for this peer"), now)
            return
        id, sequence = session.id, session.number()
        body = self._write(out.kind, id, sequence, out.body if sealed is None else sealed, out.flavour or "iso", now)
        self._busy += 1

        def ended(outcome: Outcome, then: Now) -> None:
            self._busy -= 1
            out.done(
                Outcome(outcome.status, outcome.code, outcome.detail, id, sequence, None, "1.0", sealed is not None), then
            )
            self._hinted(outcome, then)
            self.core.soon(self.line.pump)

        self.core.courier.post(self.peer, self.peer.address or "", body, ended, now, counted=out.kind != "heartbeat")

    def _send_pieces(
        self, session: OldSession, kind: str, payload: JsonObject, done: Done, now: Now, seal: str = "auto", flavour: str = "iso",
        counted: bool = True,
    ) -> None:  # fmt: skip
        """docs/protocol/1.0.md#chunks: form B, one after the other; the outcome is that of the last, or of the first that failed."""
        try:
            left = pieces.cut(uuid4_of(self.core.random(16)), kind, payload)
        except ValueError as error:
            why = str(error)
            self.core.soon(lambda then: done(Outcome(413, "MESSAGE_TOO_LARGE", why), then))
            return
        self._busy += 1

        def following(then: Now) -> None:
            piece = left.pop(0)
            try:
                sealed = self._sealed(session, piece, seal)
            except (OldRefusal, CryptoError):
                self._busy -= 1
                done(Outcome(None, "DECRYPTION_FAILED", "there is no key to seal for this peer"), then)
                return
            sequence = session.number()
            body = self._write("chunk", session.id, sequence, piece if sealed is None else sealed, flavour, then)

            def ended(outcome: Outcome, later: Now) -> None:
                if outcome.ok and left:
                    following(later)
                    return
                self._busy -= 1
                told = Outcome(outcome.status, outcome.code, outcome.detail, session.id, sequence, None, "1.0", sealed is not None)
                done(told, later)
                self._hinted(outcome, later)
                self.core.soon(self.line.pump)

            self.core.courier.post(self.peer, self.peer.address or "", body, ended, then, counted=counted and not left)

        following(now)

    def _hinted(self, outcome: Outcome, now: Now) -> None:
        """The other side does not know the session, or counts otherwise: a new one is opened."""
        if not outcome.ok and outcome.detail in HINTS and self.established is not None and not self._doubted:
            self._doubted = True
            self.begin(now)

    # -- durable messages: one at a time

    def _pump_durable(self, session: OldSession, now: Now) -> None:
        kept = next(iter(self.core.outbox.of(self.peer.name)), None)
        if kept is None or self._durable_again is not None or self._busy:
            return
        if not self.peer.circuit.admits(now.mono):
            self._at("durable", self.peer.circuit.wait(now.mono), self.line.pump, now)
            return
        self._deliver(session, kept, now)

    def _deliver(self, session: OldSession, kept: Kept, now: Now) -> None:
        kept.attempts += 1
        if kept.kind not in pieces.NEVER and pieces.is_large(kept.body):

            def whole(outcome: Outcome, then: Now) -> None:
                self._settle(kept, outcome, then)

            self._send_pieces(session, kept.kind, kept.body, whole, now, counted=kept.attempts == 1)
            return
        self._busy += 1
        sealed = self._sealed(session, kept.body, "auto")
        body = self._write(kept.kind, session.id, session.number(), kept.body if sealed is None else sealed, "iso", now)

        def ended(outcome: Outcome, then: Now) -> None:
            self._busy -= 1
            self._settle(kept, outcome, then)
            self._hinted(outcome, then)
            self.core.soon(self.line.pump)

        self.core.courier.post(self.peer, self.peer.address or "", body, ended, now, counted=kept.attempts == 1)

    def _settle(self, kept: Kept, outcome: Outcome, now: Now) -> None:
        if self.core.outbox.find(self.peer.name, kept.id) is None:
            return
        if outcome.ok:
            self.core.outbox.remove(kept)
            self.core.event("message.acknowledged", {"id": kept.id, "peer": self.peer.name})
            return
        final = outcome.status in FINAL or outcome.status == 413
        if final and not (outcome.detail or "").startswith(OF_THE_MOMENT):
            self.core.outbox.remove(kept)
            self.core.event("message.given_up", {"id": kept.id, "peer": self.peer.name, "code": outcome.code})
            return
        self._durable_again = self.core.after(now, kept.next_pause(self.core.random(1)[0]), self._try_durable)

    def _try_durable(self, now: Now) -> None:
        self._durable_again = None
        self.line.pump(now)

    def try_again_at_once(self) -> None:
        """The peer is heard again: the pause is over."""
        if self._durable_again is not None:
            self._durable_again.cancel()
            self._durable_again = None
            self.core.soon(self.line.pump)

    # -- timers

    def _at(self, name: str, delay: int, function: Callable[[Now], None], now: Now) -> None:
        self._cancel(name)

        def due(then: Now) -> None:
            self._timers.pop(name, None)
            function(then)

        self._timers[name] = self.core.after(now, delay, due)

    def _cancel(self, *names: str) -> None:
        for name in names:
            timer = self._timers.pop(name, None)
            if timer is not None:
                timer.cancel()


__all__ = ["CallRefused", "Ten"]

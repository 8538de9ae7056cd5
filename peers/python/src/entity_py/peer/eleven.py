"""Sessions of 1.1 with one peer: handshakes, what is sent and received in a session, its end.

Resumption and rekeying are in `renewal`. Source: docs/protocol/1.1.md from "Order of checks" to "Status is a hint".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Union

from ..codes import CallRefused, Refusal
from ..crypto import sha256
from ..encoding import SECOND, to_base64, uuid4_of
from ..strictjson import JsonObject
from ..times import MINUTE, Now, Timer
from ..v11.envelope import Envelope, Plain, Writer
from ..v11.frame import Frame
from ..v11.handshake import CHALLENGE_AGE, HANDSHAKE_AGE, Initiator, Me, Responder, identity_key
from ..v11.numbers import BLOCK, read_ranges
from ..v11.session import ABSOLUTE, IDLE, LINGER, RESPONDER, Sealed, Session, Traffic, decode
from . import outbox as outboxes
from .courier import HANDSHAKE_LIMIT, Outcome
from .feature import Message
from .outbox import Kept
from .renewal import Renewal

if TYPE_CHECKING:
    from .line import Line, Outgoing

STEP_KINDS = frozenset(
    {"handshake_init", "handshake_init_ack", "challenge_response", "session_established", "session_confirm", "ready"}
)
RESUME_KINDS = frozenset({"session_resume", "session_resumed"})
OLD_HANDSHAKE_KINDS = frozenset({"handshake", "handshake_ack", "handshake_confirm"})
REKEY_KINDS = frozenset({"rekey", "rekey_request", "rekey_ack"})
CONTROL_KINDS = REKEY_KINDS | {"ack", "skip", "session_close"}
UNCOUNTED = CONTROL_KINDS | {"heartbeat"}
WAIT_FOR_ACK = frozenset({"SEQUENCE_ERROR"})

AGE_MAX = 60 * SECOND
IN_FLIGHT_MAX = 64
"""How many volatile messages of a peer are under way at a time."""
OLD_SESSIONS_MAX = 4
ACK_DELAY = SECOND
SWEEP = SECOND
REPEAT_FIRST = 2 * SECOND
REPEAT_MAX = 60 * SECOND
USED_KEPT_EVERY = 5 * MINUTE
REASON_MAX = 1_024


@dataclass(frozen=True)
class Arrived:
    """A message of a session that was opened, in whichever form it came."""

    session: Session
    traffic: Traffic
    outer: Union[Envelope, Frame]
    kind: str
    plain: Plain
    size: int
    data: Optional[bytes] = None


class Eleven:
    """See the module's text."""

    def __init__(self, line: "Line") -> None:
        self.line = line
        self.core = line.core
        self.peer = line.peer
        self.session: Optional[Session] = None
        self.old: List[Session] = []
        self.initiator: Optional[Initiator] = None
        self.responder: Optional[Responder] = None
        self.renewal = Renewal(self)
        self._timers: Dict[str, Timer] = {}
        self._in_flight = 0
        self._window = outboxes.WINDOW
        self._stored_under_way: Dict[bytes, bool] = {}

    # -- looks

    def info(self) -> Optional[JsonObject]:
        """As `session.open` answers, of a session that takes messages."""
        session = self.session
        if session is None or session.state != "ready":
            return None
        return {"id": session.id, "peer": self.peer.name, "version": "1.1", "role": session.role, "state": "ready"}

    def listed(self) -> List[JsonObject]:
        """As in `session.list`: the current session, and handshakes under way."""
        rows: List[JsonObject] = []
        for id, role, state, generation, sealed in self._rows():
            key = None if self.peer.key is None else self.peer.key.hex()
            rows.append(
                {"id": id, "peer": self.peer.name, "peer_key": key, "version": "1.1", "role": role, "state": state,
                 "generation": generation, "sealed": sealed}
            )  # fmt: skip
        return rows

    def _rows(self) -> List[tuple[str, str, str, Optional[int], bool]]:
        rows: List[tuple[str, str, str, Optional[int], bool]] = []
        if self.session is not None:
            rows.append((self.session.id, self.session.role, self.session.state, self.session.generation, True))
        for handshake in (self.initiator, self.responder):
            if handshake is not None:
                rows.append((handshake.id, handshake.role, handshake.state, None, False))
        return rows

    @property
    def is_suspended(self) -> bool:
        """A session is there and has no keys."""
        return self.session is not None and self.session.sending is None

    @property
    def can_send(self) -> bool:
        """Whether a message could be sealed now."""
        session = self.session
        return session is not None and session.can_seal() and not session.doubted and session.may_send and not self.renewal.is_answering

    def holds(self, id: str) -> bool:
        """Whether the current session has this id."""
        return self.session is not None and self.session.id == id

    # -- getting a session

    def begin(self, now: Now) -> None:
        """Resumes or shakes hands, unless that is under way."""
        if self.initiator is not None and self.initiator.is_over(now):
            self.initiator = None
        if self.responder is not None and self.responder.is_over(now):
            self.responder = None
        if self.initiator is not None or self.responder is not None or self.renewal.is_under_way or self.can_send:
            return
        if not self.peer.circuit.admits(now.mono):
            self.line.begin_soon(now)
            return
        if self.session is not None and not self.session.is_over(now, self.core.config.session_lifetime):
            if self.session.sending is None or self.session.doubted or not self.session.can_seal():
                self.renewal.propose(now)
            return
        self.shake(now)

    def me(self) -> Me:
        """This side of a handshake."""
        config = self.core.config
        return Me(self.core.name, self.core.key, self.core.random, config.versions, self.core.announced, config.abilities)

    def shake(self, now: Now) -> None:
        """Sends step 1."""
        session = uuid4_of(self.core.random(16))
        handshake = Initiator(self.me(), self.peer.name, self.peer.key or b"", session, now)
        self.initiator = handshake
        self._say_step(handshake, handshake.first, now)
        self._at("challenge", CHALLENGE_AGE, lambda then: self._expired(handshake, "CHALLENGE_EXPIRED", then), now)
        self._at("handshake", HANDSHAKE_AGE, lambda then: self._expired(handshake, "SESSION_EXPIRED", then), now)

    def post_step(self, body: bytes, done: Callable[[Outcome, Now], None], now: Now) -> None:
        """A handshake message has one attempt of 30 s."""
        self.core.courier.post(self.peer, self.address, body, done, now, attempts=1, limit=HANDSHAKE_LIMIT)

    @property
    def address(self) -> str:
        """Where the peer is posted to."""
        return self.peer.address or ""

    def _say_step(self, handshake: Union[Initiator, Responder], body: bytes, now: Now, pause: int = REPEAT_FIRST) -> None:
        """Posts a step, and the same bytes again where the other side has answered it and nothing follows (docs/protocol/1.1.md#repeats)."""
        handshake.last = body

        def stands() -> bool:
            return (self.initiator is handshake or self.responder is handshake) and handshake.last is body

        def ended(outcome: Outcome, then: Now) -> None:
            if not stands():
                return
            if outcome.ok or outcome.code == "HANDSHAKE_IN_PROGRESS":
                # The next step is on its way, or the other's own handshake, or the other side has forgotten this one since.
                self._at(f"{handshake.role} repeat", pause, again, then)
                return
            self._shaken_off(handshake, outcome, then, first=handshake.state == "handshake_init_sent")

        def again(then: Now) -> None:
            if stands():
                self._say_step(handshake, body, then, min(pause * 2, REPEAT_MAX))

        self.post_step(body, ended, now)

    def _expired(self, handshake: Initiator, code: str, now: Now) -> None:
        waits_for_2 = handshake.state == "handshake_init_sent"
        if self.initiator is handshake and (code == "SESSION_EXPIRED" or waits_for_2):
            self._shaken_off(handshake, Outcome(None, code, "the other side did not go on with the handshake"), now)

    def _shaken_off(self, handshake: Union[Initiator, Responder], outcome: Outcome, now: Now, first: bool = False) -> None:
        """A handshake ends without a session."""
        mine = self.initiator is handshake
        if mine:
            self.initiator = None
        elif self.responder is handshake:
            self.responder = None
        self._cancel("challenge", "handshake")
        reason = outcome.detail or outcome.code
        self.core.event("handshake.failed", {"peer": self.peer.name, "code": outcome.code, "reason": reason})
        if self.session is not None and self.session.doubted:
            # docs/protocol/1.1.md#status-is-a-hint: if that fails too, messages go in the session as before.
            self.session.doubted = False
        if mine:
            self.line.failed("1.1", outcome, now, first=first)
        elif self.line.has_work:
            self.line.begin_soon(now)

    # -- messages that came

    def key_for(self, envelope: Envelope) -> bytes:
        """Check 6: the key to verify under. Raises Refusal(UNKNOWN_SENDER)."""
        if self.peer.key is not None:
            return self.peer.key
        if envelope.kind in ("handshake_init", "handshake_init_ack"):
            return identity_key(envelope.payload)
        for handshake in (self.initiator, self.responder):
            if handshake is not None and handshake.id == envelope.session and handshake.key:
                return handshake.key
        raise Refusal("UNKNOWN_SENDER", "no key, and no handshake under way")

    def handle(self, envelope: Envelope, key: bytes, now: Now) -> bool:
        """Checks 8 to 16 of a message whose signature holds under `key`; False for a repeat that has its answer already. Raises Refusal."""
        self._end_expired(now)
        if envelope.kind in STEP_KINDS or envelope.kind in RESUME_KINDS:
            if self._repeat(envelope, now):
                return False
        if abs(envelope.wall - now.wall) > AGE_MAX:
            raise Refusal("EXPIRED_TIMESTAMP", f"{(envelope.wall - now.wall) // SECOND} s from the clock here")
        if envelope.kind in STEP_KINDS or envelope.kind in RESUME_KINDS:
            self.peer.nonces.look(envelope.nonce, now.mono)
            self._handle_step(envelope, key, now)
        else:
            self._handle_data(envelope, now)
        return True

    def find(self, id: str) -> Optional[Session]:
        """A session that receives."""
        if self.session is not None and self.session.id == id:
            return self.session
        return next((session for session in self.old if session.id == id), None)

    def knows(self, id: str) -> bool:
        """Whether a session or a handshake has this id."""
        held = [self.session, *self.old, self.initiator, self.responder]
        return any(item is not None and item.id == id for item in held)

    def _repeat(self, envelope: Envelope, now: Now) -> bool:
        """Check 8: a byte-identical repeat gets the stored answer."""
        digest = sha256(envelope.body)
        for holder in (self.initiator, self.responder, self.session, *self.old):
            if holder is None or digest not in holder.steps:
                continue
            answer = holder.steps[digest]
            if answer is not None and not self._stored_under_way.get(digest):
                self._stored_under_way[digest] = True

                def ended(outcome: Outcome, then: Now, digest: bytes = digest) -> None:
                    self._stored_under_way.pop(digest, None)

                self.core.courier.post(self.peer, self.address, answer, ended, now, attempts=1, limit=HANDSHAKE_LIMIT, counted=False)
            return True
        return False

    def _handle_step(self, envelope: Envelope, key: bytes, now: Now) -> None:
        rates = self.peer.rates
        if envelope.kind == "handshake_init":
            self._check_first(envelope, key, now)
            rates.look(envelope.kind, now.mono)
            self._accept(envelope, now)
            self._take_first(envelope, key, now)
            return
        if envelope.kind in RESUME_KINDS:
            self.renewal.handle(envelope, now)
            return
        handshake = self._handshake_of(envelope)
        session = self.find(envelope.session)
        if handshake is None:
            if session is None:
                raise Refusal("SESSION_NOT_FOUND", "no such handshake")
            if envelope.is_sealed:
                traffic, sealed = session.look(envelope, now.mono)
                session.open(envelope, traffic, sealed)
            raise Refusal("INVALID_STATE", f"{envelope.kind} in a session that is ready")
        rates.look(envelope.kind, now.mono)
        self._accept(envelope, now)
        try:
            answer = handshake.take(envelope, now)
        except Refusal as refusal:
            self._shaken_off(handshake, Outcome(None, refusal.code, refusal.why), now)
            raise
        if answer is not None:
            self._answer_step(handshake, answer, now)
        if handshake.session is not None and handshake.state == "ready":
            self._become(handshake, handshake.session, now)

    def _accept(self, envelope: Envelope, now: Now) -> None:
        """Check 15 outside a ready session."""
        self.peer.rates.take(envelope.kind, now.mono)
        self.peer.nonces.record(envelope.nonce, now.mono)
        self.peer.stats.received += 1
        if self.peer.key is not None:
            self.line.heard(now)

    def _handshake_of(self, envelope: Envelope) -> Union[Initiator, Responder, None]:
        mine: Union[Initiator, Responder, None] = self.initiator
        if envelope.kind in ("challenge_response", "session_confirm"):
            mine = self.responder
        if mine is not None and mine.id == envelope.session:
            if isinstance(mine, Initiator) and not mine.key:
                mine.key = identity_key(envelope.payload)
            return mine
        return None

    def _check_first(self, envelope: Envelope, key: bytes, now: Now) -> None:
        """What is refused of a step 1 before it counts."""
        held = [self.session, *self.old, self.initiator, self.responder]
        if any(item is not None and item.id == envelope.session for item in held):
            raise Refusal("INVALID_STATE", "another step 1 has this session_id")
        if self.responder is not None and not self.responder.is_over(now) and envelope.wall <= self.responder.wall:
            raise Refusal("HANDSHAKE_IN_PROGRESS", "not newer than the handshake under way")
        if self.initiator is not None and not self.initiator.is_over(now) and self.core.key.public < key:
            raise Refusal("HANDSHAKE_IN_PROGRESS", "both open, and this side has the smaller key")

    def _take_first(self, envelope: Envelope, key: bytes, now: Now) -> None:
        handshake = Responder(self.me(), envelope, key, now)
        if self.initiator is not None:
            # Both open, and this side has the larger key: it drops its own and responds.
            self.initiator = None
            self._cancel("challenge", "handshake")
        self.responder = handshake
        if self.peer.address is None:
            self.peer.address = handshake.address
        self._at("responder", HANDSHAKE_AGE, lambda then: self._forget(handshake, then), now)
        self._answer_step(handshake, handshake.second, now)

    def _forget(self, handshake: Responder, now: Now) -> None:
        if self.responder is handshake:
            self.responder = None
            if self.line.has_work:
                self.line.begin(now)

    def _answer_step(self, handshake: Union[Initiator, Responder], answer: bytes, now: Now) -> None:
        last = isinstance(handshake, Responder) and handshake.session is not None

        def ended(outcome: Outcome, then: Now) -> None:
            session = handshake.session
            if session is not None:
                session.may_send = True
                self.core.soon(self.line.pump)

        if last:
            self.post_step(answer, ended, now)
        else:
            self._say_step(handshake, answer, now)

    # -- a session begins and ends

    def _become(self, handshake: Union[Initiator, Responder], session: Session, now: Now) -> None:
        """A handshake has led to a session, which replaces the one before."""
        session.steps = handshake.steps
        session.created = session.created._replace(mono=now.mono, wall=now.wall)
        if self.initiator is handshake:
            self.initiator = None
        if self.responder is handshake:
            self.responder = None
        self._cancel("challenge", "handshake", "responder")
        before = self.session
        self.renewal.forget()
        if before is not None:
            self._retire(before, now)
        if self.peer.key is None:
            self.peer.key = handshake.key
        self.peer.proved = "1.1"
        self.core.keep_peer(self.peer)
        self.line.ten.drop("replaced", now)
        self._choose_form(session)
        self.session = session
        self.keep(session)
        self._watch(session, now)
        self.renewal.look_at_age(session, now)
        info = self.info() or {}
        self.core.event("session.ready", {name: info[name] for name in ("id", "peer", "version", "role")})
        self.line.heard(now)
        self.line.opened(info, now)
        self.core.session_ready(self.peer.name, now)

    def _retire(self, session: Session, now: Now) -> None:
        """A replaced session receives for 30 s more."""
        self._leave(session, "replaced", now)
        if session.traffic:
            session.retiring = now.mono + LINGER
            self.old.append(session)
            if len(self.old) > OLD_SESSIONS_MAX:
                self.old.pop(0)
            self._at(f"{session.id} retire", LINGER, lambda then: self._bury(session), now)

    def _bury(self, session: Session) -> None:
        if session in self.old:
            self.old.remove(session)

    def _leave(self, session: Session, reason: str, now: Now) -> None:
        """A session is not the current one any more."""
        for name in [name for name in self._timers if name.startswith(session.id)]:
            self._timers.pop(name).cancel()
        for kept in list(session.out.sent.values()):
            if kept.told is not None:
                kept.told(False)
        self.core.persist("session", session.id, None)
        self.core.outbox.displace(self.peer.name, session.id)
        self.core.event("session.closed", {"id": session.id, "peer": self.peer.name, "reason": reason})

    def end(self, session: Session, reason: str, now: Now) -> None:
        """A session is over on this side."""
        if self.session is session:
            self.session = None
            self.renewal.forget()
            self._leave(session, reason, now)
            self.core.soon(self.line.pump)
        elif session in self.old:
            self.old.remove(session)

    def drop(self, reason: str, now: Now) -> None:
        """Everything with this peer is forgotten."""
        self.initiator = self.responder = None
        self.old = []
        if self.session is not None:
            self.end(self.session, reason, now)
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def close(self, session: Session, reason: str, now: Now) -> None:
        """docs/protocol/1.1.md#session-close."""
        if session.can_seal():
            self.control(session, "session_close", {"reason": reason[:REASON_MAX]}, now, attempts=3)
        self.end(session, "closed", now)

    def _end_expired(self, now: Now) -> None:
        if self.session is not None and self.session.is_over(now, self.core.config.session_lifetime):
            self.end(self.session, "expired", now)
        self.old = [session for session in self.old if session.retiring is not None and now.mono < session.retiring]

    def _watch(self, session: Session, now: Now) -> None:
        """Looks at the limits when the next of them may have passed."""
        lifetime = self.core.config.session_lifetime
        ends = [session.used + IDLE, session.created.mono + ABSOLUTE]
        if lifetime is not None:
            ends.append(session.created.mono + lifetime)

        def look(then: Now) -> None:
            if self.session is not session:
                return
            if session.is_over(then, lifetime):
                self.end(session, "expired", then)
            else:
                self._watch(session, then)

        self._at(f"{session.id} watch", max(min(ends) - now.mono, 1), look, now)

    def restore(self, id: str, record: bytes, now: Now) -> None:
        """A session from before the restart, suspended."""
        peer_key = self.peer.key
        writer = Writer(self.core.key, self.core.name, self.peer.name, id)
        session = decode(record, writer, now, self.core.outbox.places(id))
        lists_no_more = session.has_frames and self.core.config.frames == "never"
        if peer_key != session.peer_key or session.is_over(now, self.core.config.session_lifetime) or lists_no_more:
            self.core.persist("session", id, None)
            return
        self._choose_form(session)
        self.session = session
        self._watch(session, now)
        self.renewal.look_at_age(session, now)

    def _choose_form(self, session: Session) -> None:
        """docs/protocol/1.1.md#compact-frames leaves it to the sender: by itself where a WebSocket carries them, because over HTTP they save little."""
        by_socket = "websocket" in session.capabilities or self.address.startswith("ws://")
        session.sends_frames = session.has_frames and (self.core.config.frames == "always" or by_socket)

    def keep(self, session: Session) -> None:
        """The session's record, as it is now."""
        self.core.persist("session", session.id, session.encode())

    def stop(self, now: Now) -> None:
        """An orderly end keeps everything exactly."""
        session = self.session
        if session is not None:
            session.into.committed = session.into.handled
            session.out.reserved = session.out.next - 1
            session.used_kept = now.wall
            self.keep(session)

    # -- messages in a session

    def _handle_data(self, envelope: Envelope, now: Now) -> None:
        session = self.find(envelope.session)
        if session is None:
            for handshake in (self.initiator, self.responder):
                if handshake is not None and handshake.id == envelope.session:
                    raise Refusal("ENCRYPTION_NOT_READY" if envelope.is_sealed else "ENCRYPTION_REQUIRED", "the handshake is under way")
            raise Refusal("SESSION_NOT_FOUND", "no such session with this sender")
        traffic, sealed = session.look(envelope, now.mono)
        self.peer.rates.look(envelope.kind, now.mono)
        plain = session.open(envelope, traffic, sealed)
        self._opened(Arrived(session, traffic, envelope, envelope.kind, plain, len(envelope.body)), now)

    def handle_frame(self, frame: Frame, now: Now) -> None:
        """docs/protocol/1.1.md#order-of-checks-of-a-frame, from the session on. Raises Refusal."""
        self._end_expired(now)
        session = self.find(frame.session)
        if session is None:
            code = "ENCRYPTION_NOT_READY" if self.knows(frame.session) else "SESSION_NOT_FOUND"
            raise Refusal(code, "no session that is ready")
        traffic = session.look_frame(frame, now.mono)
        inner = session.open_frame(frame, traffic)
        if abs(inner.wall - now.wall) > AGE_MAX:
            raise Refusal("EXPIRED_TIMESTAMP", f"{(inner.wall - now.wall) // SECOND} s from the clock here")
        self.peer.rates.look(inner.kind, now.mono)
        self._opened(Arrived(session, traffic, frame, inner.kind, inner.plain, frame.size, inner.data), now)

    def _opened(self, arrived: "Arrived", now: Now) -> None:
        """Checks 15 and 16, of an envelope and of a frame."""
        session, traffic, kind, plain = arrived.session, arrived.traffic, arrived.kind, arrived.plain
        self._look_inside(arrived)
        confirmed = session.record(arrived.outer, traffic, now)
        self.peer.rates.take(kind, now.mono)
        if kind not in UNCOUNTED:
            self.peer.stats.received += 1
        session.may_send = True
        self.line.heard(now)
        self.renewal.heard(session, traffic, now)
        if confirmed:
            self.renewal.confirmed(session, traffic, now)
        elif now.wall - session.used_kept >= USED_KEPT_EVERY:
            session.used_kept = now.wall
            self.keep(session)
        self.acknowledged(session, plain.ack, now)
        if kind in CONTROL_KINDS:
            self._control(session, kind, plain.body, traffic, now)
        else:
            self._take(arrived, now)

    def _look_inside(self, arrived: "Arrived") -> None:
        """What of an opened message is refused before it counts."""
        session, kind, plain = arrived.session, arrived.kind, arrived.plain
        if kind in OLD_HANDSHAKE_KINDS or kind in STEP_KINDS:
            raise Refusal("INVALID_STATE", f"{kind} in a session that is ready")
        if kind in CONTROL_KINDS:
            if plain.number is not None or plain.durable is not None:
                raise Refusal("INVALID_MESSAGE", "a control message has no number")
            self.renewal.look(session, kind, plain.body)
        elif plain.number is None:
            raise Refusal("INVALID_MESSAGE", "no number")
        else:
            session.into.look(plain.number, arrived.size)
        if plain.ack >= session.out.next:
            raise Refusal("INVALID_MESSAGE", "an ack of a number that was never sent")

    def acknowledged(self, session: Session, ack: int, now: Now) -> None:
        """The other side has handled everything up to `ack`."""
        for sent in session.out.acknowledge(ack):
            if sent.durable is not None:
                kept = self.core.outbox.find(self.peer.name, sent.durable)
                if kept is not None:
                    self.core.outbox.remove(kept)
                    self.core.event("message.acknowledged", {"id": kept.id, "peer": self.peer.name})
            if sent.told is not None:
                sent.told(True)
        if self.line.waiting or self.core.outbox.has(self.peer.name):
            self.core.soon(self.line.pump)

    def _take(self, arrived: "Arrived", now: Now) -> None:
        """A numbered message: its turn may be now, or later, or over."""
        session, plain = arrived.session, arrived.plain
        number = plain.number or 0
        message = Message(
            self.peer.name, arrived.kind, plain.body, "1.1", session.id, arrived.outer.sequence, number, True, plain.durable, arrived.data
        )
        if session.into.is_old(number):
            session.into.unacknowledged += 1
        session.into.hold(number, message, arrived.size)
        self._turns(session, now)

    def _turns(self, session: Session, now: Now) -> None:
        """Handles whatever may be handled now, in order."""
        durable = False
        for message in session.into.turn():
            if message.durable is not None:
                durable = True
                if self.core.seen.is_known(self.peer.name, message.durable):
                    continue
                self.core.seen.add(self.peer.name, message.durable)
            try:
                self.core.deliver(message, now)
            except Refusal as refusal:
                self.core.log("info", f"{message.kind} from {self.peer.name}: {refusal}")
        into = session.into
        if self.session is session and (durable or into.handled - into.committed >= BLOCK):
            into.committed = into.handled
            self.keep(session)
        if into.unacknowledged >= BLOCK:
            self.core.soon(lambda then: self.say_ack(session, then))
        elif into.unacknowledged and f"{session.id} ack" not in self._timers:
            self._at(f"{session.id} ack", ACK_DELAY, lambda then: self._ack_due(session, then), now)

    def _ack_due(self, session: Session, now: Now) -> None:
        if session.into.unacknowledged:
            self.say_ack(session, now)

    def say_ack(self, session: Session, now: Now) -> None:
        """The control message `ack`, where there is a key to seal it with."""
        if session.can_seal() and not (session is self.session and self.renewal.is_answering):
            self.control(session, "ack", {}, now)

    def _control(self, session: Session, kind: str, body: JsonObject, traffic: Traffic, now: Now) -> None:
        if kind == "skip":
            session.into.skip(read_ranges(body))
            before = session.into.handled
            self._turns(session, now)
            if before == session.into.handled:
                # What it declares is old: its sender has not heard so.
                session.into.unacknowledged += 1
                self._turns(session, now)
        elif kind == "session_close":
            self.end(session, "closed_by_peer", now)
        elif kind in REKEY_KINDS:
            self.renewal.rekey_control(session, kind, body, traffic, now)

    def control(self, session: Session, kind: str, body: JsonObject, now: Now, attempts: int = 1) -> None:
        """Sends a control message."""
        if not session.can_seal():
            return
        sealed = session.seal(kind, body, now.wall, self.core.random(16))
        self._cancel(f"{session.id} ack")

        def ended(outcome: Outcome, then: Now) -> None:
            if outcome.code in ("SESSION_NOT_FOUND", "SESSION_EXPIRED"):
                self.doubt(session, then)

        self.core.courier.post(self.peer, self.address, sealed.body, ended, now, attempts=attempts, counted=False, is_frame=sealed.is_frame)

    # -- sending

    def pump(self, now: Now) -> None:
        """Sends what waits as far as it may go."""
        self._end_expired(now)
        session = self.session
        if not self.can_send or session is None:
            wanted = self.line.has_work or session is not None and session.doubted
            if wanted and not self.line.is_pausing:
                self.begin(now)
            return
        while self.line.waiting and self._in_flight < IN_FLIGHT_MAX and session.out.has_room() and session.can_seal():
            out = self.line.take()
            if out is not None and out.chunk is None and out.size > self.core.large_from and self.core.large is not None:
                self.core.large(self.line, out, now)
            elif out is not None:
                self._send_volatile(session, out, now)
        self._pump_durable(session, now)

    def _send_volatile(self, session: Session, out: "Outgoing", now: Now) -> None:
        reserved = session.out.reserved
        number = session.out.take(None, now.mono)
        if session.out.reserved != reserved:
            self.keep(session)
        sealed = self._seal_volatile(session, out, number, now)
        self._cancel(f"{session.id} ack")
        self._sweep(session, now)
        self._in_flight += 1

        def finish(status: Optional[int], code: str, detail: Optional[str], then: Now) -> None:
            out.done(Outcome(status, code, detail, session.id, sealed.sequence, number, "1.1", True), then)

        def ended(outcome: Outcome, then: Now) -> None:
            self._in_flight -= 1
            self.core.soon(self.line.pump)
            sent = session.out.sent.get(number)
            if not outcome.ok and outcome.code == "SEQUENCE_ERROR" and sent is not None:
                # docs/protocol/1.1.md#status-is-a-hint: it has arrived or has not; the ack tells.
                sent.told = lambda arrived: finish(200 if arrived else outcome.status, "" if arrived else outcome.code, outcome.detail, then)
                return
            if not outcome.ok and not (outcome.code == "SEQUENCE_ERROR" and sent is None):
                self._lost(session, number, then)
                finish(outcome.status, outcome.code, outcome.detail, then)
                if outcome.code in ("SESSION_NOT_FOUND", "SESSION_EXPIRED"):
                    self.doubt(session, then)
                return
            finish(200, "", None, then)

        self.core.courier.post(
            self.peer, self.address, sealed.body, ended, now, attempts=out.attempts, final_codes=WAIT_FOR_ACK,
            counted=out.kind not in UNCOUNTED, is_frame=sealed.is_frame,
        )

    def _seal_volatile(self, session: Session, out: "Outgoing", number: int, now: Now) -> Sealed:
        if out.chunk is None or not session.sends_frames:
            body = out.body if out.chunk is None else {**out.body, **encoded_chunk(out.chunk)}
            return session.seal(out.kind, body, now.wall, self.core.random(16), number=number)
        return session.seal_chunk(now.wall, number, out.body["transfer_id"], out.body["index"], out.chunk)

    def send_beat(self, count: int, done: Callable[[Outcome, Now], None], now: Now) -> None:
        """A heartbeat: an ordinary volatile message of one attempt."""
        session = self.session
        if session is None or not self.can_send or not session.out.has_room():
            return
        reserved = session.out.reserved
        number = session.out.take(None, now.mono)
        if session.out.reserved != reserved:
            self.keep(session)
        sealed = session.seal("heartbeat", {"sequence": count}, now.wall, self.core.random(16), number=number)
        self._sweep(session, now)

        def ended(outcome: Outcome, then: Now) -> None:
            if not outcome.ok:
                self._lost(session, number, then)
                if outcome.code in ("SESSION_NOT_FOUND", "SESSION_EXPIRED"):
                    self.doubt(session, then)
            done(outcome, then)

        self.core.courier.post(self.peer, self.address, sealed.body, ended, now, attempts=1, is_frame=sealed.is_frame)

    def _lost(self, session: Session, number: int, now: Now) -> None:
        if session.out.give_up(number) is not None:
            self._say_skip(session, now)

    def _sweep(self, session: Session, now: Now) -> None:
        """Once a second while volatile messages are unacknowledged: those of 30 s ago count as lost."""
        name = f"{session.id} sweep"
        if name in self._timers:
            return

        def look(then: Now) -> None:
            expired = session.out.expire(then.mono)
            for sent in expired:
                if sent.told is not None:
                    sent.told(False)
            if expired:
                self._say_skip(session, then)
            if any(sent.durable is None and not sent.lost for sent in session.out.sent.values()):
                self._sweep(session, then)

        self._at(name, SWEEP, look, now)

    def _say_skip(self, session: Session, now: Now, pause: int = REPEAT_FIRST) -> None:
        """Declares lost numbers until they are acknowledged."""
        ranges = session.out.lost_ranges()
        if not ranges or self.session is not session:
            return
        if self.can_send:
            self.control(session, "skip", {"ranges": ranges}, now)
        repeat = min(pause * 2, REPEAT_MAX)
        self._at(f"{session.id} skip", pause, lambda then: self._say_skip(session, then, repeat), now)

    def declare_lost(self, now: Now) -> None:
        """After a resumption."""
        if self.session is not None:
            self._say_skip(self.session, now)

    # -- durable messages

    def _pump_durable(self, session: Session, now: Now) -> None:
        under_way = 0
        for kept in self.core.outbox.of(self.peer.name):
            if kept.session == session.id:
                under_way += 1
                if not kept.under_way and kept.again is None:
                    self._deliver(session, kept, now)
                continue
            if under_way >= self._window or not session.out.has_room() or not session.can_seal():
                return
            if not self.peer.circuit.admits(now.mono):
                self._at("durable", self.peer.circuit.wait(now.mono), self.line.pump, now)
                return
            reserved = session.out.reserved
            number = session.out.take(kept.id, now.mono)
            if session.out.reserved != reserved:
                self.keep(session)
            self.core.outbox.place(kept, session.id, number)
            under_way += 1
            self._deliver(session, kept, now)

    def _deliver(self, session: Session, kept: Kept, now: Now) -> None:
        """One attempt of a durable message: the same number, a new sequence."""
        if kept.number is None or not session.can_seal():
            return
        kept.attempts += 1
        kept.under_way = True
        sealed = session.seal(kept.kind, kept.body, now.wall, self.core.random(16), number=kept.number, durable=kept.id)
        self._cancel(f"{session.id} ack")

        def ended(outcome: Outcome, then: Now) -> None:
            if kept.session != session.id or self.session is not session:
                return
            kept.under_way = False
            self._window = outboxes.WINDOW if outcome.ok else 1
            if self.core.outbox.find(self.peer.name, kept.id) is None:
                return
            if outcome.code in ("SESSION_NOT_FOUND", "SESSION_EXPIRED"):
                self.doubt(session, then)
            kept.again = self.core.after(then, kept.next_pause(self.core.random(1)[0]), lambda later: self._again(session, kept, later))
            if outcome.ok:
                self.core.soon(self.line.pump)

        counted = kept.attempts == 1
        self.core.courier.post(self.peer, self.address, sealed.body, ended, now, attempts=1, counted=counted, is_frame=sealed.is_frame)

    def _again(self, session: Session, kept: Kept, now: Now) -> None:
        kept.again = None
        if kept.session != session.id or self.session is not session:
            return
        if not self.can_send:
            self.core.soon(self.line.pump)
        elif not self.peer.circuit.admits(now.mono):
            kept.again = self.core.after(now, self.peer.circuit.wait(now.mono), lambda then: self._again(session, kept, then))
        else:
            self._deliver(session, kept, now)

    def send_again_at_once(self, now: Now) -> None:
        """The session has resumed, or the peer is heard again: pauses are over."""
        for kept in self.core.outbox.of(self.peer.name):
            if kept.again is not None and not kept.under_way:
                kept.again.cancel()
                kept.again, kept.pause = None, 0
        self.core.soon(self.line.pump)

    # -- doubts

    def doubt(self, session: Session, now: Now) -> None:
        """A status said that the other side does not know the session: a hint."""
        if self.session is session and not session.doubted:
            session.doubted = True
            self.begin(now)

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

    at = _at
    cancel = _cancel


def encoded_chunk(data: bytes) -> JsonObject:
    """docs/protocol/1.1.md#chunk: its bytes in an envelope, with their digest."""
    return {"data": to_base64(data), "sha256": sha256(data).hex()}


def no_session(id: str) -> CallRefused:
    """A contract call names a session that is not there."""
    return CallRefused("SESSION_NOT_FOUND", f"there is no session {id}")


__all__ = ["Eleven", "RESPONDER", "no_session"]

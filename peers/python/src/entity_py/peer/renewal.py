"""New keys for a session: by resumption where one side has lost them, by rekeying while both live.

Source: docs/protocol/1.1.md#rekey, docs/protocol/1.1.md#resumption, docs/protocol/1.1.md#resumption-refused,
docs/protocol/1.1.md#which-secrets-are-kept.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from ..codes import Refusal
from ..crypto import CryptoError, sha256, x25519, x25519_public
from ..encoding import SECOND, parse_base64, to_base64
from ..strictjson import JsonObject, canonical
from ..times import Now
from ..v11.envelope import Envelope, unsigned
from ..v11.numbers import WINDOW
from ..v11.schedule import REKEY, RESUME, binder, next_keys, transcript
from ..v11.session import GENERATION_MAX, INITIATOR, RESPONDER, Session, Traffic
from .courier import ATTEMPT_LIMIT, Outcome

if TYPE_CHECKING:
    from .eleven import Eleven

PROPOSAL_AGE = 30 * SECOND
STEP_MAX = 4_096
TRIES_MAX = 16
REKEY_LOOK = 60 * SECOND
LATER = frozenset({"RATE_LIMITED", "SERVICE_UNAVAILABLE"})


@dataclass
class Proposal:
    """A `session_resume` of this side that is not answered."""

    session: Session
    base: int
    secret_base: bytes
    generation: int
    ephemeral: bytes
    body: bytes
    signed: bytes

    def __repr__(self) -> str:
        return "Proposal(..)"


@dataclass
class Rekey:
    """A `rekey` of this side that is not answered."""

    session: Session
    base: int
    generation: int
    ephemeral: bytes
    body: JsonObject

    def __repr__(self) -> str:
        return "Rekey(..)"


Told = Callable[[Optional[int]], None]


class Renewal:
    """See the module's text."""

    def __init__(self, eleven: "Eleven") -> None:
        self.eleven = eleven
        self.core = eleven.core
        self.peer = eleven.peer
        self.proposal: Optional[Proposal] = None
        self._tries = 0
        self._step = 1
        self._answered_until: Optional[int] = None
        """This side has answered a proposal and sends nothing until it hears something under the new keys (mono)."""
        self._made: Dict[int, Tuple[str, Optional[int]]] = {}
        """Generation -> how it was made (`resume` with the other's committed number, or `rekey`), until it is confirmed."""
        self.rekeying: Optional[Rekey] = None
        self._rekey_answer: Optional[Tuple[bytes, JsonObject]] = None
        self.waiting: List[Told] = []

    @property
    def is_under_way(self) -> bool:
        """Whether a proposal waits for its answer, or an answer for its first message."""
        return self.proposal is not None or self.is_answering

    @property
    def is_answering(self) -> bool:
        """See `_answered_until`."""
        return self._answered_until is not None

    def forget(self) -> None:
        """The session is gone."""
        self.proposal, self._answered_until, self.rekeying, self._rekey_answer = None, None, None, None
        self._made.clear()
        self._tries, self._step = 0, 1
        self.eleven.cancel("proposal", "answered", "repeat", "rekey", "rekey look")
        self._tell(None)

    # -- resumption: this side proposes

    def propose(self, now: Now) -> None:
        """Sends `session_resume`; the generation is kept first."""
        session = self.eleven.session
        held = None if session is None else session.secrets.to_propose()
        if session is None or held is None:
            self.eleven.shake(now)
            return
        generation = session.highest + self._step
        if generation > GENERATION_MAX:
            self.eleven.shake(now)
            return
        base, secret = held
        session.highest = generation
        session.into.committed = session.into.handled
        self.eleven.keep(session)
        ephemeral = self.core.random(32)
        head = session.writer.head("session_resume", 0, now.wall, self.core.random(16))
        payload = self._payload(session, base, generation, ephemeral)
        v1 = transcript([canonical({**head, "payload": payload})], RESUME)
        payload["binder"] = to_base64(binder(secret, 1, v1))
        body = session.writer.sign(head, payload)
        proposal = Proposal(session, base, secret, generation, ephemeral, body, unsigned(body))
        self.proposal = proposal
        self._say(proposal, now)
        self.eleven.at("proposal", PROPOSAL_AGE, lambda then: self._proposal_expired(proposal, then), now)

    def _say(self, proposal: Proposal, now: Now, pause: int = 2 * SECOND) -> None:
        """Posts a proposal, and the same bytes again where the other side has it and does not answer."""

        def ended(outcome: Outcome, then: Now) -> None:
            if self.proposal is not proposal:
                return
            if outcome.ok or outcome.code == "HANDSHAKE_IN_PROGRESS":
                # Its answer is on its way, or the other's own proposal, or the other side has restarted since.
                self.eleven.at("proposal repeat", pause, again, then)
            else:
                self._refused(outcome, then)

        def again(then: Now) -> None:
            if self.proposal is proposal:
                self._say(proposal, then, min(pause * 2, 60 * SECOND))

        self.core.courier.post(
            self.peer, self.eleven.address, proposal.body, ended, now, attempts=1, limit=ATTEMPT_LIMIT
        )

    @staticmethod
    def _payload(session: Session, base: int, generation: int, ephemeral: bytes) -> JsonObject:
        return {
            "session_id": session.id,
            "base_generation": base,
            "generation": generation,
            "ephemeral_public_key": to_base64(x25519_public(ephemeral)),
            "acknowledged": session.into.committed,
        }

    def _refused(self, outcome: Outcome, now: Now) -> None:
        self.proposal = None
        self.eleven.cancel("proposal")
        if outcome.code == "SEQUENCE_ERROR" and self._tries < TRIES_MAX:
            self._tries += 1
            self._step = min(self._step * 2, STEP_MAX)
            self.propose(now)
        elif outcome.status is None or outcome.status >= 500 or outcome.status == 429 or outcome.code in LATER:
            self._later(now)
        else:
            self.eleven.shake(now)

    def _proposal_expired(self, proposal: Proposal, now: Now) -> None:
        if self.proposal is proposal:
            self.proposal = None
            self._later(now)

    def _later(self, now: Now) -> None:
        self.eleven.line.begin_soon(now)

    # -- resumption: messages

    def handle(self, envelope: Envelope, now: Now) -> None:
        """`session_resume` or `session_resumed`, after checks 1 to 10. Raises Refusal."""
        if envelope.kind == "session_resume":
            self._answer(envelope, now)
        else:
            self._conclude(envelope, now)

    def _answer(self, envelope: Envelope, now: Now) -> None:
        session = self.eleven.session
        if session is None or session.id != envelope.session:
            raise Refusal("SESSION_NOT_FOUND", "no such session, or it only receives")
        base, generation, ephemeral, acknowledged = self._read(envelope)
        secret = session.secrets.of(base)
        if secret is None:
            raise Refusal("SESSION_NOT_FOUND", f"R of generation {base} is not held")
        if self.proposal is not None and self.core.key.public < session.peer_key:
            # Before its generation is looked at: of two that propose the same one, only one is to raise its own.
            raise Refusal("HANDSHAKE_IN_PROGRESS", "both propose, and this side has the smaller key")
        if acknowledged < session.out.acked - WINDOW:
            raise Refusal("SESSION_NOT_FOUND", "the sender has lost its state")
        if envelope.sequence != 0 or generation <= session.highest:
            raise Refusal("SEQUENCE_ERROR", "not above every generation proposed or accepted")
        if acknowledged >= session.out.next:
            raise Refusal("INVALID_MESSAGE", "an acknowledged number that was never sent")
        self._check_binder(envelope, secret, 1, [])
        mine = self.core.random(32)
        dh = self._dh(mine, ephemeral)
        self.peer.rates.look(envelope.kind, now.mono)
        self._accept(envelope, session, now)
        self.proposal = None
        self.eleven.cancel("proposal")
        session.secrets.confirm(base)
        session.highest = generation
        session.into.committed = session.into.handled
        body = self._write_answer(session, envelope, base, generation, mine, secret, now)
        t = transcript([envelope.signed, unsigned(body)], RESUME)
        keys = next_keys(dh, secret, t)
        session.secrets.pending = (generation, keys.resumption)
        self._drop_unconfirmed(session)
        session.install(generation, keys, now.mono, send=False)
        self._made[generation] = ("resume", acknowledged)
        session.steps[sha256(envelope.body)] = body
        self.eleven.keep(session)
        self._answered_until = now.mono + PROPOSAL_AGE
        self.eleven.at("answered", PROPOSAL_AGE, self._answer_expired, now)
        self.core.courier.post(
            self.peer, self.eleven.address, body, self._answer_ended, now, final_codes=frozenset({"INVALID_STATE"})
        )

    def _answer_ended(self, outcome: Outcome, now: Now) -> None:
        if not outcome.ok:
            # Nobody waits for it any more: what is held back goes under the keys before.
            self._answer_expired(now)

    def _answer_expired(self, now: Now) -> None:
        if self._answered_until is not None:
            self._answered_until = None
            self.eleven.cancel("answered")
            self.core.soon(self.eleven.line.pump)

    def heard(self, session: Session, traffic: Traffic, now: Now) -> None:
        """The other side seals under keys that this side can seal with, too: there is nothing to hold back for."""
        if session is self.eleven.session and traffic.generation == session.sending:
            self._answer_expired(now)

    def _drop_unconfirmed(self, session: Session) -> None:
        """The newest pending generation replaces the one before."""
        for generation in list(self._made):
            session.traffic.pop(generation, None)
            del self._made[generation]

    def _write_answer(
        self, session: Session, envelope: Envelope, base: int, generation: int, ephemeral: bytes, secret: bytes, now: Now
    ) -> bytes:
        head = session.writer.head("session_resumed", 0, now.wall, self.core.random(16))
        payload = self._payload(session, base, generation, ephemeral)
        v2 = transcript([envelope.signed, canonical({**head, "payload": payload})], RESUME)
        payload["binder"] = to_base64(binder(secret, 2, v2))
        return session.writer.sign(head, payload)

    def _conclude(self, envelope: Envelope, now: Now) -> None:
        proposal = self.proposal
        if self.eleven.find(envelope.session) is None:
            raise Refusal("SESSION_NOT_FOUND", "no such session")
        if proposal is None or proposal.session.id != envelope.session or self.eleven.session is not proposal.session:
            raise Refusal("INVALID_STATE", "nobody waits for this answer")
        session = proposal.session
        base, generation, ephemeral, acknowledged = self._read(envelope)
        if envelope.sequence != 0:
            raise Refusal("SEQUENCE_ERROR", "a session_resumed has sequence 0")
        if (base, generation) != (proposal.base, proposal.generation):
            raise Refusal("INVALID_STATE", "the answer to another proposal")
        if acknowledged >= session.out.next:
            raise Refusal("INVALID_MESSAGE", "an acknowledged number that was never sent")
        if acknowledged < session.out.acked - WINDOW:
            raise Refusal("SESSION_NOT_FOUND", "the sender has lost its state")
        self._check_binder(envelope, proposal.secret_base, 2, [proposal.signed])
        dh = self._dh(proposal.ephemeral, ephemeral)
        self.peer.rates.look(envelope.kind, now.mono)
        self._accept(envelope, session, now)
        keys = next_keys(dh, proposal.secret_base, transcript([proposal.signed, envelope.signed], RESUME))
        session.secrets.confirm(base)
        session.secrets.proposed = (generation, keys.resumption)
        self.proposal = None
        self.eleven.cancel("proposal")
        session.steps[sha256(envelope.body)] = None
        session.install(generation, keys, now.mono, send=True)
        self.eleven.keep(session)
        self._resumed(session, generation, acknowledged, now)
        self._until_heard(session, generation, 2 * SECOND, now)

    def _accept(self, envelope: Envelope, session: Session, now: Now) -> None:
        self.peer.rates.take(envelope.kind, now.mono)
        self.peer.nonces.record(envelope.nonce, now.mono)
        self.peer.stats.received += 1
        session.used = session.heard = now.mono
        session.used_kept = now.wall
        self.eleven.line.heard(now)

    @staticmethod
    def _read(envelope: Envelope) -> Tuple[int, int, bytes, int]:
        payload = envelope.payload
        if payload.get("session_id") != envelope.session:
            raise Refusal("INVALID_MESSAGE", "session_id is not that of the envelope")
        numbers = []
        for name, most in (("base_generation", GENERATION_MAX), ("generation", GENERATION_MAX), ("acknowledged", 2**53 - 1)):
            value = payload.get(name)
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
                raise Refusal("INVALID_MESSAGE", name)
            numbers.append(value)
        try:
            ephemeral = parse_base64(payload.get("ephemeral_public_key"), 32)
        except ValueError as error:
            raise Refusal("INVALID_MESSAGE", "ephemeral_public_key") from error
        return numbers[0], numbers[1], ephemeral, numbers[2]

    @staticmethod
    def _check_binder(envelope: Envelope, secret: bytes, which: int, before: List[bytes]) -> None:
        from ..strictjson import parse

        value: Any = parse(envelope.signed).value
        given = value["payload"].pop("binder", None)
        expected = binder(secret, which, transcript([*before, canonical(value)], RESUME))
        try:
            held = hmac.compare_digest(parse_base64(given, 32), expected)
        except ValueError:
            held = False
        if not held:
            raise Refusal("CHALLENGE_INVALID", "the binder does not hold")

    @staticmethod
    def _dh(secret: bytes, public: bytes) -> bytes:
        try:
            return x25519(secret, public)
        except CryptoError as error:
            raise Refusal("INVALID_MESSAGE", str(error)) from error

    def _resumed(self, session: Session, generation: int, acknowledged: int, now: Now) -> None:
        """The session takes messages again."""
        session.doubted = False
        session.may_send = True
        self._answered_until = None
        self.eleven.cancel("answered")
        self._tries, self._step = 0, 1
        self.eleven.acknowledged(session, acknowledged, now)
        session.out.resume_at(acknowledged)
        self.core.event("session.resumed", {"id": session.id, "peer": self.peer.name, "generation": generation})
        self.eleven.say_ack(session, now)
        self.eleven.declare_lost(now)
        self.eleven.send_again_at_once(now)
        info = self.eleven.info()
        if info is not None:
            self.eleven.line.opened(info, now)
        self.core.session_ready(self.peer.name, now)

    def _until_heard(self, session: Session, generation: int, pause: int, now: Now) -> None:
        """Who has switched first says `ack` until it hears something under the new keys."""

        def again(then: Now) -> None:
            traffic = session.traffic.get(generation)
            if self.eleven.session is session and session.sending == generation and traffic is not None and not traffic.received:
                self.eleven.say_ack(session, then)
                self._until_heard(session, generation, min(pause * 2, 60 * SECOND), then)

        self.eleven.at("repeat", pause, again, now)

    # -- the first message under new keys

    def confirmed(self, session: Session, traffic: Traffic, now: Now) -> None:
        """The other side has shown to hold these keys."""
        generation = traffic.generation
        self.eleven.keep(session)
        made = self._made.pop(generation, None)
        if session is not self.eleven.session or made is None:
            return
        if session.sending is None or generation > session.sending:
            session.switch(generation, now.mono)
        how, acknowledged = made
        if how == "resume":
            self._resumed(session, generation, acknowledged or 0, now)
        else:
            self._rekeyed(session, generation, now)

    # -- rekey

    def rekey(self, told: Told, now: Now) -> None:
        """New keys for the current session; `told` hears the generation, or None where the session went first."""
        session = self.eleven.session
        if session is None or not self.eleven.can_send:
            told(None)
            return
        self.waiting.append(told)
        if session.role == INITIATOR:
            self._send_rekey(session, now)
        else:
            self._ask_rekey(session, 2 * SECOND, now)

    def _ask_rekey(self, session: Session, pause: int, now: Now) -> None:
        before = session.sending
        self.eleven.control(session, "rekey_request", {}, now)

        def again(then: Now) -> None:
            if self.eleven.session is session and session.sending == before:
                self._ask_rekey(session, min(pause * 2, 60 * SECOND), then)

        self.eleven.at("rekey", pause, again, now)

    def _send_rekey(self, session: Session, now: Now) -> None:
        if self.rekeying is not None or session.sending is None or session.secrets.of(session.sending) is None:
            return
        generation = session.highest + 1
        if generation > GENERATION_MAX:
            self.eleven.shake(now)
            return
        session.highest = generation
        self.eleven.keep(session)
        ephemeral = self.core.random(32)
        body = {"generation": generation, "ephemeral_public_key": to_base64(x25519_public(ephemeral))}
        self.rekeying = Rekey(session, session.sending, generation, ephemeral, body)
        self._repeat_rekey(self.rekeying, 2 * SECOND, now)

    def _repeat_rekey(self, rekey: Rekey, pause: int, now: Now) -> None:
        if self.rekeying is not rekey or self.eleven.session is not rekey.session:
            return
        if rekey.session.sending != rekey.base:
            self.rekeying = None
            return
        self.eleven.control(rekey.session, "rekey", rekey.body, now)
        self.eleven.at("rekey", pause, lambda then: self._repeat_rekey(rekey, min(pause * 2, 60 * SECOND), then), now)

    def look(self, session: Session, kind: str, body: JsonObject) -> None:
        """What of a control message is refused before it counts. Raises Refusal."""
        if kind in ("rekey", "rekey_request", "rekey_ack"):
            if (kind == "rekey") != (session.role == RESPONDER):
                raise Refusal("INVALID_STATE", f"{kind} is not the sender's part")
            if kind == "rekey_request":
                return
            self._rekey_body(body)
            if kind == "rekey" and body["generation"] <= session.highest and not self._is_repeat(body):
                raise Refusal("SEQUENCE_ERROR", "not above every generation proposed or accepted")
        elif kind == "skip":
            from ..v11.numbers import read_ranges

            read_ranges(body)

    def _is_repeat(self, body: JsonObject) -> bool:
        return self._rekey_answer is not None and self._rekey_answer[0] == canonical(body)

    @staticmethod
    def _rekey_body(body: JsonObject) -> Tuple[int, bytes]:
        generation = body.get("generation")
        if not isinstance(generation, int) or isinstance(generation, bool) or not 0 < generation <= GENERATION_MAX:
            raise Refusal("INVALID_MESSAGE", "generation")
        try:
            return generation, parse_base64(body.get("ephemeral_public_key"), 32)
        except ValueError as error:
            raise Refusal("INVALID_MESSAGE", "ephemeral_public_key") from error

    def rekey_control(self, session: Session, kind: str, body: JsonObject, traffic: Traffic, now: Now) -> None:
        """A message of a rekey that passed every check. Raises Refusal."""
        if session is not self.eleven.session or traffic.generation != session.sending:
            return
        if kind == "rekey_request":
            self._send_rekey(session, now)
        elif kind == "rekey":
            self._take_rekey(session, body, now)
        else:
            self._take_rekey_ack(session, body, now)

    def _take_rekey(self, session: Session, body: JsonObject, now: Now) -> None:
        generation, ephemeral = self._rekey_body(body)
        if self._rekey_answer is not None and self._is_repeat(body):
            self.eleven.control(session, "rekey_ack", self._rekey_answer[1], now)
            return
        secret = None if session.sending is None else session.secrets.of(session.sending)
        if secret is None:
            return
        mine = self.core.random(32)
        dh = self._dh(mine, ephemeral)
        answer = {"generation": generation, "ephemeral_public_key": to_base64(x25519_public(mine))}
        keys = next_keys(dh, secret, transcript([canonical(body), canonical(answer)], REKEY))
        session.secrets.pending = (generation, keys.resumption)
        session.highest = generation
        self._drop_unconfirmed(session)
        session.install(generation, keys, now.mono, send=False)
        self._made[generation] = ("rekey", None)
        self._rekey_answer = (canonical(body), answer)
        self.eleven.keep(session)
        self.eleven.control(session, "rekey_ack", answer, now)

    def _take_rekey_ack(self, session: Session, body: JsonObject, now: Now) -> None:
        rekey = self.rekeying
        generation, ephemeral = self._rekey_body(body)
        secret = None if rekey is None else session.secrets.of(rekey.base)
        if rekey is None or secret is None or rekey.session is not session or rekey.generation != generation:
            return
        dh = self._dh(rekey.ephemeral, ephemeral)
        keys = next_keys(dh, secret, transcript([canonical(rekey.body), canonical(body)], REKEY))
        session.secrets.proposed = (generation, keys.resumption)
        self.rekeying = None
        session.install(generation, keys, now.mono, send=True)
        self.eleven.keep(session)
        self._rekeyed(session, generation, now)
        self._until_heard(session, generation, 2 * SECOND, now)

    def _rekeyed(self, session: Session, generation: int, now: Now) -> None:
        self._rekey_answer = None
        self.eleven.cancel("rekey")
        self.core.event("session.rekeyed", {"id": session.id, "generation": generation})
        self.eleven.say_ack(session, now)
        self._tell(generation)
        self.core.soon(self.eleven.line.pump)

    def _tell(self, generation: Optional[int]) -> None:
        waiting, self.waiting = self.waiting, []
        for told in waiting:
            told(generation)

    def look_at_age(self, session: Session, now: Now) -> None:
        """Rekeys when it is due; looks again in a minute."""
        if self.eleven.session is not session:
            return
        if session.rekey_due(now.mono) and self.eleven.can_send:
            if session.role == INITIATOR:
                self._send_rekey(session, now)
            else:
                self._ask_rekey(session, 2 * SECOND, now)
        self.eleven.at("rekey look", REKEY_LOOK, lambda then: self.look_at_age(session, then), now)

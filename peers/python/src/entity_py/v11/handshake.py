"""The six steps, at both ends.

A handshake takes a step that has passed the checks which need no content (signature, time, nonce) and gives the bytes of the next one. A `Refusal`
out of `take` ends it. Random bytes are drawn through the `draw` it was made with.

Source: docs/protocol/1.1.md#handshake-steps, docs/protocol/1.1.md#repeats, docs/protocol/1.1.md#pinned-key-requirements,
docs/protocol/1.1.md#handshake-limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..codes import Refusal
from ..crypto import CryptoError, SigningKey, sha256, verify_labelled, x25519, x25519_public
from ..encoding import SECOND, parse_base64, parse_hex, to_base64
from ..strictjson import JsonObject, canonical
from ..times import Now
from .envelope import Envelope, Writer, unsigned
from .schedule import Keys, first_keys, transcript
from .session import INITIATOR, RESPONDER, Session

CAPABILITIES = ("e2e_encryption", "aes_256_gcm", "x25519", "6step_handshake")
"""What every side has; what a node has besides is in `Me`."""
CHALLENGE_AGE = 30 * SECOND
HANDSHAKE_AGE = 60 * SECOND
LIST_MAX = 64
ENTRY_MAX = 128

KINDS = ("handshake_init", "handshake_init_ack", "challenge_response", "session_established", "session_confirm", "ready")
Draw = Callable[[int], bytes]


@dataclass(frozen=True)
class Me:
    """This side of every handshake."""

    name: str
    key: SigningKey
    draw: Draw
    versions: Tuple[str, ...]
    """What `supported_versions` says."""
    address: Optional[str]
    """What `address` of step 1 says."""
    abilities: Tuple[str, ...] = ()
    """Capabilities besides those that every side has."""

    @property
    def capabilities(self) -> List[str]:
        """All that this side lists."""
        return [*CAPABILITIES, *self.abilities]


def _refuse(code: str, why: str) -> Refusal:
    return Refusal(code, why)


def _texts(value: Any) -> List[str]:
    if not isinstance(value, list) or len(value) > LIST_MAX:
        raise _refuse("INVALID_MESSAGE", "a list")
    for item in value:
        if not isinstance(item, str) or len(item.encode("utf-8", "replace")) > ENTRY_MAX:
            raise _refuse("INVALID_MESSAGE", "an entry of a list")
    return list(value)


def _bytes(payload: JsonObject, name: str, length: int) -> bytes:
    try:
        return parse_base64(payload.get(name), length)
    except ValueError as error:
        raise _refuse("INVALID_MESSAGE", f"{name}: {error}") from error


def _step(payload: JsonObject, step: int) -> None:
    if payload.get("step") != step or isinstance(payload.get("step"), bool):
        raise _refuse("INVALID_MESSAGE", f"not step {step}")


def identity_key(payload: JsonObject) -> bytes:
    """`identity_key` of step 1 or 2. Raises Refusal(INVALID_MESSAGE)."""
    try:
        return parse_hex(payload.get("identity_key"), 32)
    except ValueError as error:
        raise _refuse("INVALID_MESSAGE", "identity_key") from error


def read_address(payload: JsonObject) -> Optional[str]:
    """docs/protocol/1.1.md#handshake-addresses."""
    address = payload.get("address")
    if address is None:
        return None
    rest = address[7:] if isinstance(address, str) and address.startswith("http://") else ""
    host = rest.split("/", 1)[0].rsplit(":", 1)[0]
    if not host or len(address) > 512 or any(not "!" <= letter <= "~" for letter in rest):
        raise _refuse("INVALID_MESSAGE", "address")
    return str(address)


class _Handshake:
    """What both ends have in common."""

    role = ""

    def __init__(self, me: Me, peer: str, key: bytes, session: str, now: Now) -> None:
        self.me = me
        self.peer = peer
        self.key = key
        """The peer's key: pinned, or to be pinned once the session is ready."""
        self.writer = Writer(me.key, me.name, peer, session)
        self.id = session
        self.began = now
        self.challenged = now.mono
        self.steps: Dict[bytes, Optional[bytes]] = {}
        self.last = b""
        """The last step of this side."""
        self.agreed: List[str] = []
        """The capabilities that both sides listed."""
        self._secret = me.draw(32)
        self._signed: List[bytes] = []
        self._keys: Optional[Keys] = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id}, ..)"

    def is_over(self, now: Now) -> bool:
        """60 s, at exactly which it is over."""
        return now.mono - self.began.mono >= HANDSHAKE_AGE

    def _in_time(self, now: Now, challenge: bool) -> None:
        if self.is_over(now):
            raise _refuse("SESSION_EXPIRED", "the handshake is older than 60 s")
        if challenge and now.mono - self.challenged >= CHALLENGE_AGE:
            raise _refuse("CHALLENGE_EXPIRED", "the challenge is older than 30 s")

    def _write(self, kind: str, sequence: int, payload: JsonObject, now: Now) -> bytes:
        body = self.writer.sign(self.writer.head(kind, sequence, now.wall, self.me.draw(16)), payload)
        self._signed.append(unsigned(body))
        return body

    def _challenge_signed(self, head: JsonObject, payload: JsonObject, role: str) -> JsonObject:
        without = transcript([*self._signed, canonical({**head, "payload": payload})])
        signature = self.me.key.sign_labelled(f"peer-v1.1-challenge-{role}", without)
        return {**payload, "challenge_signature": to_base64(signature)}

    def _write_challenged(self, kind: str, sequence: int, payload: JsonObject, role: str, now: Now) -> bytes:
        head = self.writer.head(kind, sequence, now.wall, self.me.draw(16))
        body = self.writer.sign(head, self._challenge_signed(head, payload, role))
        self._signed.append(unsigned(body))
        return body

    def _check_challenge(self, envelope: Envelope, value: JsonObject, role: str) -> None:
        signature = _bytes(envelope.payload, "challenge_signature", 64)
        payload = {name: item for name, item in envelope.payload.items() if name != "challenge_signature"}
        without = transcript([*self._signed, canonical({**value, "payload": payload})])
        if not verify_labelled(self.key, f"peer-v1.1-challenge-{role}", without, signature):
            raise _refuse("CHALLENGE_INVALID", f"the challenge signature of the {role}")

    def _agree(self, ephemeral: bytes) -> None:
        try:
            dh = x25519(self._secret, ephemeral)
        except CryptoError as error:
            raise _refuse("INVALID_MESSAGE", str(error)) from error
        self._keys = first_keys(dh, transcript(self._signed[:2]))
        self._secret = b""

    def _session(self, now: Now) -> Session:
        assert self._keys is not None
        session = Session(self.writer, self.peer, self.key, self.role, now, self.agreed)
        session.install(0, self._keys, now.mono, send=True)
        session.secrets.pending = (0, self._keys.resumption)
        session.traffic[0].next_sequence = 2
        for sequence in (0, 1):
            session.traffic[0].window.record(sequence)
        return session

    def _sealed_step(self, session: Session, envelope: Envelope, now: Now, step: int, count: int) -> None:
        traffic, sealed = session.look(envelope, now.mono)
        if envelope.sequence != 2 or traffic.generation != 0:
            raise _refuse("INVALID_STATE", f"step {step} has generation 0 and sequence 2")
        plain = session.open(envelope, traffic, sealed)
        _step(plain.body, step)
        if plain.body.get("session_id") != self.id or plain.number is not None or plain.durable is not None:
            raise _refuse("INVALID_MESSAGE", f"the body of step {step}")
        if plain.body.get("transcript") != transcript(self._signed[:count]).hex():
            raise _refuse("CHALLENGE_INVALID", f"the transcript of step {step}")
        session.record(envelope, traffic, now)
        self._signed.append(envelope.signed)

    def _order(self, envelope: Envelope, kind: str, sequence: int) -> None:
        if envelope.kind != kind or envelope.sequence != sequence:
            raise _refuse("INVALID_STATE", f"{envelope.kind} with sequence {envelope.sequence} where {kind} is due")

    def _kept(self, envelope: Envelope, answer: Optional[bytes]) -> None:
        self.steps[sha256(envelope.body)] = answer


def _value(envelope: Envelope) -> JsonObject:
    from ..strictjson import parse

    value: JsonObject = parse(envelope.signed).value
    return value


class Initiator(_Handshake):
    """The side that sends step 1. `key` is the pinned key, or empty under trust on first use."""

    role = INITIATOR

    def __init__(self, me: Me, peer: str, key: bytes, session: str, now: Now) -> None:
        super().__init__(me, peer, key, session, now)
        payload: JsonObject = {
            "step": 1,
            "handshake_version": "1.1",
            "ephemeral_public_key": to_base64(x25519_public(self._secret)),
            "identity_key": me.key.public.hex(),
            "supported_versions": list(me.versions),
            "capabilities": me.capabilities,
            "challenge": to_base64(me.draw(32)),
        }
        if key:
            payload["peer_identity_key"] = key.hex()
        if me.address is not None:
            payload["address"] = me.address
        self.first = self._write("handshake_init", 0, payload, now)
        self.wall = now.wall
        self.session: Optional[Session] = None
        self._due = 2

    @property
    def state(self) -> str:
        """docs/protocol/1.1.md#session-states."""
        return {2: "handshake_init_sent", 4: "challenge_sent", 6: "session_confirmed"}.get(self._due, "ready")

    def take(self, envelope: Envelope, now: Now) -> Optional[bytes]:
        """Step 2, 4 or 6. The bytes of the next step; None after step 6, when `session` is ready."""
        if self._due == 2:
            answer: Optional[bytes] = self._take_2(envelope, now)
        elif self._due == 4:
            answer = self._take_4(envelope, now)
        else:
            self._take_6(envelope, now)
            answer = None
        self._due += 2
        self._kept(envelope, answer)
        return answer

    def _take_2(self, envelope: Envelope, now: Now) -> bytes:
        self._order(envelope, "handshake_init_ack", 0)
        self._in_time(now, challenge=True)
        payload = envelope.payload
        _step(payload, 2)
        for name in ("handshake_version", "accepted_version"):
            if not isinstance(payload.get(name), str):
                raise _refuse("INVALID_MESSAGE", name)
            if payload[name] != "1.1":
                raise _refuse("INVALID_VERSION", f"{name} {payload[name]}")
        ephemeral = _bytes(payload, "ephemeral_public_key", 32)
        _bytes(payload, "challenge", 32)
        if identity_key(payload) != self.key:
            raise _refuse("UNKNOWN_SENDER", "identity_key is not the key that signs")
        offered, agreed = iter(self.me.capabilities), _texts(payload.get("capabilities"))
        if not all(item in offered for item in agreed):
            raise _refuse("INVALID_MESSAGE", "capabilities that were not offered, or in another order")
        self.agreed = agreed
        self._check_challenge(envelope, _value(envelope), "responder")
        self._signed.append(envelope.signed)
        self._agree(ephemeral)
        return self._write_challenged("challenge_response", 1, {"step": 3, "session_id_ack": self.id}, "initiator", now)

    def _take_4(self, envelope: Envelope, now: Now) -> bytes:
        self._order(envelope, "session_established", 1)
        self._in_time(now, challenge=False)
        payload = envelope.payload
        _step(payload, 4)
        params = payload.get("session_params")
        expected = {"algorithm": "AES-256-GCM", "key_exchange": "X25519", "forward_secrecy": True}
        if payload.get("session_id") != self.id or payload.get("established") is not True or payload.get("encryption_ready") is not True:
            raise _refuse("INVALID_MESSAGE", "the payload of step 4")
        if not isinstance(params, dict) or any(params.get(name) != item for name, item in expected.items()):
            raise _refuse("INVALID_MESSAGE", "session_params")
        self._signed.append(envelope.signed)
        self.session = self._session(now)
        body = {"step": 5, "session_id": self.id, "confirmed": True, "ready": True, "transcript": transcript(self._signed[:4]).hex()}
        sealed = self.session.seal("session_confirm", body, now.wall, self.me.draw(16)).body
        self._signed.append(unsigned(sealed))
        return sealed

    def _take_6(self, envelope: Envelope, now: Now) -> None:
        self._order(envelope, "ready", 2)
        self._in_time(now, challenge=False)
        assert self.session is not None
        self._sealed_step(self.session, envelope, now, 6, 5)
        # `status` and `encryption_active` say nothing that the transcript does not.


class Responder(_Handshake):
    """The side that was sent step 1."""

    role = RESPONDER

    def __init__(self, me: Me, envelope: Envelope, key: bytes, now: Now) -> None:
        super().__init__(me, envelope.sender, key, envelope.session, now)
        self.wall = envelope.wall
        """The timestamp of step 1: only a later one replaces this handshake."""
        self.address: Optional[str] = None
        self.session: Optional[Session] = None
        self._due = 3
        self.second = self._take_1(envelope, now)
        self._kept(envelope, self.second)

    @property
    def state(self) -> str:
        """docs/protocol/1.1.md#session-states."""
        return {3: "handshake_ack_received", 5: "session_established"}.get(self._due, "ready")

    def _take_1(self, envelope: Envelope, now: Now) -> bytes:
        payload = envelope.payload
        if envelope.sequence != 0:
            raise _refuse("INVALID_STATE", "step 1 has sequence 0")
        _step(payload, 1)
        if not isinstance(payload.get("handshake_version"), str):
            raise _refuse("INVALID_MESSAGE", "handshake_version")
        versions, offered = _texts(payload.get("supported_versions")), _texts(payload.get("capabilities"))
        ephemeral = _bytes(payload, "ephemeral_public_key", 32)
        _bytes(payload, "challenge", 32)
        self.address = read_address(payload)
        claimed, mine = identity_key(payload), payload.get("peer_identity_key")
        if payload["handshake_version"] != "1.1" or "1.1" not in versions:
            raise _refuse("INVALID_VERSION", "1.1 is not among the versions")
        if any(name not in offered for name in CAPABILITIES):
            raise _refuse("INVALID_MESSAGE", "a capability is missing")
        if claimed != self.key:
            raise _refuse("UNKNOWN_SENDER", "identity_key is not the key that signs")
        if mine is not None and mine != self.me.key.public.hex():
            raise _refuse("UNKNOWN_RECIPIENT", "peer_identity_key is somebody else's")
        self._signed.append(envelope.signed)
        mine_too = frozenset(self.me.capabilities)
        self.agreed = [item for item in offered if item in mine_too]
        answer: JsonObject = {
            "step": 2,
            "handshake_version": "1.1",
            "ephemeral_public_key": to_base64(x25519_public(self._secret)),
            "identity_key": self.me.key.public.hex(),
            "challenge": to_base64(self.me.draw(32)),
            "accepted_version": "1.1",
            "capabilities": self.agreed,
        }
        body = self._write_challenged("handshake_init_ack", 0, answer, "responder", now)
        self._agree(ephemeral)
        return body

    def take(self, envelope: Envelope, now: Now) -> bytes:
        """Step 3 or 5. The bytes of the next step; after step 5 `session` is ready."""
        if self._due == 3:
            answer = self._take_3(envelope, now)
        else:
            answer = self._take_5(envelope, now)
        self._due += 2
        self._kept(envelope, answer)
        return answer

    def _take_3(self, envelope: Envelope, now: Now) -> bytes:
        self._order(envelope, "challenge_response", 1)
        self._in_time(now, challenge=True)
        _step(envelope.payload, 3)
        if envelope.payload.get("session_id_ack") != self.id:
            raise _refuse("INVALID_MESSAGE", "session_id_ack")
        self._check_challenge(envelope, _value(envelope), "initiator")
        self._signed.append(envelope.signed)
        params = {"algorithm": "AES-256-GCM", "key_exchange": "X25519", "forward_secrecy": True}
        payload = {"step": 4, "session_id": self.id, "established": True, "encryption_ready": True, "session_params": params}
        return self._write("session_established", 1, payload, now)

    def _take_5(self, envelope: Envelope, now: Now) -> bytes:
        self._order(envelope, "session_confirm", 2)
        self._in_time(now, challenge=False)
        session = self._session(now)
        self._sealed_step(session, envelope, now, 5, 4)
        session.may_send = False
        body = {
            "step": 6,
            "session_id": self.id,
            "status": "ready",
            "encryption_active": True,
            "transcript": transcript(self._signed[:5]).hex(),
        }
        sealed = session.seal("ready", body, now.wall, self.me.draw(16)).body
        self._signed.append(unsigned(sealed))
        self.session = session
        return sealed

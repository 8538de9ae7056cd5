"""The envelope of 1.1: its shape, its signature, sealing and opening.

Source: docs/protocol/1.1.md#envelope, docs/protocol/1.1.md#signature, docs/protocol/1.1.md#sealing, docs/protocol/1.1.md#associated-data.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Any, Optional, Tuple

from ..codes import Refusal
from ..crypto import CryptoError, SigningKey, seal, unseal, verify
from ..encoding import is_id, is_uuid4, parse_base64, parse_stamp, stamp, to_base64
from ..strictjson import JsonObject, NotJson, canonical, parse

SEQUENCE_MAX = 2**48 - 1
NUMBER_MAX = 2**53 - 1
SIZE_MAX = 1_048_576
DEPTH_MAX = 32
KIND_MAX = 64

_NONCE = re.compile(r"[0-9a-f]{32}\Z")
_FIELDS = ("version", "msg_type", "sender_id", "recipient_id", "session_id", "sequence_num", "timestamp", "nonce", "payload", "signature")


@dataclass(frozen=True)
class Envelope:
    """A message of 1.1 whose shape is right; nothing is said of its signature."""

    kind: str
    sender: str
    recipient: str
    session: str
    sequence: int
    wall: int
    """Its timestamp, in microseconds since 1970."""
    nonce: str
    payload: JsonObject
    signature: bytes
    head: JsonObject
    """Everything but payload and signature."""
    signed: bytes
    """C(m): what the signature covers."""
    body: bytes
    """The bytes as they came."""

    def verify(self, key: bytes) -> bool:
        """Whether the signature holds under this key."""
        return verify(key, self.signed, self.signature)

    @property
    def is_sealed(self) -> bool:
        """Whether the payload has the form of a sealed one."""
        return "sealed" in self.payload


def read(value: JsonObject, body: bytes) -> Envelope:
    """The envelope in an object whose `version` is 1.1. Raises Refusal(INVALID_MESSAGE)."""

    def wrong(why: str) -> Refusal:
        return Refusal("INVALID_MESSAGE", why)

    for name in _FIELDS:
        if name not in value:
            raise wrong(f"no {name}")
    if any(item is None for item in value.values()):
        raise wrong("a null")
    kind, sequence, payload, nonce = value["msg_type"], value["sequence_num"], value["payload"], value["nonce"]
    if not isinstance(kind, str) or not 1 <= len(kind.encode("utf-8", "replace")) <= KIND_MAX:
        raise wrong("msg_type")
    if not is_id(value["sender_id"]) or not is_id(value["recipient_id"]):
        raise wrong("an id")
    if not is_uuid4(value["session_id"]):
        raise wrong("session_id")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 0 <= sequence <= SEQUENCE_MAX:
        raise wrong("sequence_num")
    if not isinstance(nonce, str) or _NONCE.match(nonce) is None:
        raise wrong("nonce")
    if not isinstance(payload, dict):
        raise wrong("payload")
    try:
        wall = parse_stamp(value["timestamp"])
        signature = parse_base64(value["signature"], 64)
    except ValueError as error:
        raise wrong(str(error)) from error
    head = {name: item for name, item in value.items() if name not in ("signature", "payload")}
    signed = canonical({**head, "payload": payload})
    return Envelope(
        kind, value["sender_id"], value["recipient_id"], value["session_id"], sequence, wall, nonce, payload, signature, head, signed, body
    )


@dataclass(frozen=True)
class Writer:
    """Who writes envelopes of 1.1, to whom, in which session."""

    key: SigningKey
    sender: str
    recipient: str
    session: str

    def head(self, kind: str, sequence: int, wall: int, nonce: bytes) -> JsonObject:
        """Everything but payload and signature; `nonce` are 16 random bytes."""
        return {
            "version": "1.1",
            "msg_type": kind,
            "sender_id": self.sender,
            "recipient_id": self.recipient,
            "session_id": self.session,
            "sequence_num": sequence,
            "timestamp": stamp(wall),
            "nonce": nonce.hex(),
        }

    def sign(self, head: JsonObject, payload: JsonObject) -> bytes:
        """The body of the request."""
        signed = canonical({**head, "payload": payload})
        signature = to_base64(self.key.sign(signed))
        # Of the keys of a head only these two come after `signature`: encoding a large payload once is enough.
        tail = canonical({name: item for name, item in head.items() if name > "signature"})[1:]
        return signed[: -len(tail)] + b'"signature":"' + signature.encode("ascii") + b'",' + tail


def unsigned(body: bytes) -> bytes:
    """C(m) of a body that this peer wrote itself."""
    value = parse(body).value
    del value["signature"]
    return canonical(value)


def gcm_nonce(generation: int, sequence: int) -> bytes:
    """`00000000 || u16be generation || u48be sequence`."""
    return struct.pack(">IHHI", 0, generation, sequence >> 32, sequence & 0xFFFFFFFF)


def associated_data(head: JsonObject, generation: int) -> bytes:
    """The canonical envelope without signature in which the payload is `{"generation": g}`."""
    return canonical({**head, "payload": {"generation": generation}})


@dataclass(frozen=True)
class Plain:
    """The plaintext of a sealed payload."""

    number: Optional[int]
    ack: int
    body: JsonObject
    durable: Optional[str]

    def fields(self) -> JsonObject:
        """The fields that are there."""
        plain: JsonObject = {"ack": self.ack, "body": self.body}
        if self.number is not None:
            plain["number"] = self.number
        if self.durable is not None:
            plain["durable"] = self.durable
        return plain

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical(self.fields())


def seal_body(writer: Writer, key: bytes, generation: int, head: JsonObject, plain: Plain) -> bytes:
    """Seals, then signs. The caller owes a sequence that was never used under this key."""
    nonce = gcm_nonce(generation, head["sequence_num"])
    sealed = seal(key, nonce, plain.encode(), associated_data(head, generation))
    return writer.sign(head, {"generation": generation, "sealed": to_base64(sealed)})


def sealed_parts(payload: JsonObject) -> Tuple[int, bytes]:
    """Generation and ciphertext of a sealed payload, which has exactly these fields. Raises Refusal."""
    generation = payload.get("generation")
    if set(payload) != {"generation", "sealed"} or not isinstance(generation, int) or isinstance(generation, bool):
        raise Refusal("INVALID_MESSAGE", "not the shape of a sealed payload")
    if not 0 <= generation <= 65_535:
        raise Refusal("INVALID_MESSAGE", "a generation beyond 65,535")
    try:
        return generation, parse_base64(payload["sealed"])
    except ValueError as error:
        raise Refusal("INVALID_MESSAGE", "sealed is no base64") from error


def open_sealed(envelope: Envelope, key: bytes, generation: int, sealed: bytes) -> Plain:
    """The plaintext. Raises Refusal: DECRYPTION_FAILED, or INVALID_MESSAGE where it opens and is none."""
    try:
        data = unseal(key, gcm_nonce(generation, envelope.sequence), sealed, associated_data(envelope.head, generation))
    except CryptoError as error:
        raise Refusal("DECRYPTION_FAILED", str(error)) from error
    return read_plain(data)


def read_plain(data: bytes) -> Plain:
    """Raises Refusal(INVALID_MESSAGE)."""
    try:
        parsed = parse(data, depth_max=DEPTH_MAX)
    except NotJson as error:
        raise Refusal("INVALID_MESSAGE", f"plaintext: {error}") from error
    value = parsed.value
    if parsed.duplicates or parsed.floats or not isinstance(value, dict):
        raise Refusal("INVALID_MESSAGE", "plaintext: duplicate, float, or no object")
    return plain_of(value)


def plain_of(value: JsonObject) -> Plain:
    """What every plaintext has, whatever it travels in. Raises Refusal(INVALID_MESSAGE)."""
    number, ack, body, durable = value.get("number"), value.get("ack"), value.get("body"), value.get("durable")
    if "number" in value and (not _counts(number) or number == 0):
        raise Refusal("INVALID_MESSAGE", "plaintext: number")
    if not isinstance(ack, int) or not _counts(ack) or not isinstance(body, dict):
        raise Refusal("INVALID_MESSAGE", "plaintext: ack or body")
    if "durable" in value and not is_uuid4(durable):
        raise Refusal("INVALID_MESSAGE", "plaintext: durable")
    return Plain(number, ack, body, durable)


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= NUMBER_MAX

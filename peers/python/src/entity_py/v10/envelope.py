"""The envelope of 1.0: both flavours, its signature, its fields.

Source: docs/protocol/1.0.md#envelope, docs/protocol/1.0.md#flavours, docs/protocol/1.0.md#signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from ..codes import OldRefusal
from ..crypto import SigningKey, verify
from ..encoding import SECOND, parse_base64, parse_iso, stamp, to_base64
from ..strictjson import JsonObject, canonical, compact

SIGNED = ("version", "msg_type", "sender_id", "payload", "timestamp", "nonce")
SEQUENCE_MAX = 2**63 - 1
KIND_MAX = 64
ID_MAX = 256
NONCE_MAX = 128
FLAVOURS = ("iso", "dataclass")


def write(
    key: SigningKey, flavour: str, version: str, kind: str, sender: str, recipient: str, session: str, sequence: int, payload: JsonObject,
    wall: int, nonce: bytes,
) -> bytes:  # fmt: skip
    """The body of a request. `nonce` are 16 random bytes."""
    iso = flavour == "iso"
    timestamp: Any = stamp(wall) if iso else wall / SECOND
    text = nonce.hex() if iso else to_base64(nonce)
    signed = {"version": version, "msg_type": kind, "sender_id": sender, "payload": payload, "timestamp": timestamp, "nonce": text}
    signature = to_base64(key.sign(canonical(signed)))
    if iso:
        return compact(
            {"version": version, "msg_type": kind, "sender_id": sender, "recipient_id": recipient, "session_id": session,
             "sequence_num": sequence, "timestamp": timestamp, "nonce": text, "payload": payload, "signature": signature}
        )  # fmt: skip
    return compact(
        {"payload": payload, "timestamp": timestamp, "nonce": text, "signature": signature, "encrypted_payload": None,
         "sender_public_key": None, "jwt_token": None, "sender_id": sender, "recipient_id": recipient, "session_id": session,
         "sequence_num": sequence, "version": version, "msg_type": kind}
    )  # fmt: skip


@dataclass(frozen=True)
class OldEnvelope:
    """A message of 1.0 whose signature holds."""

    version: str
    kind: str
    sender: str
    payload: Any
    timestamp: Any
    nonce: str
    session: Optional[str]
    sequence: Optional[int]
    recipient: Any
    value: JsonObject
    body: bytes

    def object(self) -> JsonObject:
        """The payload, which every handler wants to be an object. Raises OldRefusal."""
        if not isinstance(self.payload, dict):
            raise OldRefusal("Handler error")
        return self.payload

    def wall(self) -> Optional[int]:
        """Its time in microseconds since 1970, or None where it is not readable."""
        try:
            if isinstance(self.timestamp, str):
                return parse_iso(self.timestamp)
            if isinstance(self.timestamp, bool) or not isinstance(self.timestamp, (int, float)):
                return None
            return int(self.timestamp * SECOND)
        except (ValueError, OverflowError):
            return None


def check_signature(value: JsonObject, key: bytes) -> None:
    """Step 5 of the order of checks, once the sender's key is known. Raises OldRefusal."""
    for name in SIGNED:
        if name not in value:
            raise OldRefusal(f"Signature verification error: '{name}'")
    try:
        signature = parse_base64(value["signature"], 64)
        signed = canonical({name: value[name] for name in SIGNED})
    except (ValueError, RecursionError) as error:
        raise OldRefusal("Invalid signature") from error
    if not verify(key, signed, signature):
        raise OldRefusal("Invalid signature")


def sequence_of(value: Any) -> Optional[int]:
    """An integer, or a string of ASCII digits, within 63 bits; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if not value or len(value) > 4_300 or not value.isascii() or not value.isdigit():
            return None
        value = int(value)
    if not isinstance(value, int) or not -SEQUENCE_MAX - 1 <= value <= SEQUENCE_MAX:
        return None
    return value


def read(value: JsonObject, body: bytes) -> OldEnvelope:
    """The envelope in an object whose signature was checked. Raises OldRefusal for what is out of bounds."""
    kind, nonce, payload, timestamp = value["msg_type"], value["nonce"], value["payload"], value["timestamp"]
    session = value.get("session_id")
    for text, most in ((kind, KIND_MAX), (nonce, NONCE_MAX), (session, ID_MAX)):
        if isinstance(text, str) and len(text.encode("utf-8")) > most:
            raise OldRefusal("Unknown message format")
    if not isinstance(kind, str) or not kind or not isinstance(nonce, str):
        raise OldRefusal("Unknown message format")
    if isinstance(timestamp, bool) or not isinstance(timestamp, (str, int, float)):
        raise OldRefusal("Unknown message format")
    return OldEnvelope(
        value["version"], kind, value["sender_id"], payload, value["timestamp"], nonce, session if isinstance(session, str) else None,
        sequence_of(value.get("sequence_num")), value.get("recipient_id"), value, body,
    )  # fmt: skip

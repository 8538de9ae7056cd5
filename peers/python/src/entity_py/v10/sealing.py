"""Sealed payloads of 1.0: in a session, and between identity keys.

Source: docs/protocol/1.0.md#session-sealing, docs/protocol/1.0.md#static-key-sealing.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..codes import OldRefusal
from ..crypto import CryptoError, seal, unseal
from ..encoding import parse_base64, to_base64
from ..strictjson import JsonObject, NotJson, compact, parse

BROKEN = "E2E decryption error: DECRYPTION_FAILED"


@dataclass
class Sealing:
    """A sealed session: one key for both directions, named by the responder's id."""

    id: str
    key: bytes
    last_in: int = 0
    """The highest outer sequence number accepted."""

    def __repr__(self) -> str:
        return "Sealing(..)"

    def seal(self, payload: JsonObject, nonce: bytes) -> JsonObject:
        """The sealed form; `nonce` are 12 random bytes, never used before."""
        data = seal(self.key, nonce, compact(payload), b"")
        return {"_e2e_encrypted": True, "session_id": self.id, "data": to_base64(data), "nonce": to_base64(nonce)}

    def open(self, payload: JsonObject, sequence: int) -> JsonObject:
        """The payload. Raises OldRefusal. The sequence counts once the message is accepted."""
        if sequence <= self.last_in:
            raise OldRefusal(BROKEN)
        try:
            plain = unseal(self.key, parse_base64(payload.get("nonce"), 12), parse_base64(payload.get("data")), b"")
        except (CryptoError, ValueError) as error:
            raise OldRefusal(BROKEN) from error
        return _object(plain)


def seal_static(key: bytes, payload: JsonObject, nonce: bytes) -> JsonObject:
    """Sealed under the key that two identities share; `nonce` are 16 random bytes."""
    data = seal(key, nonce, compact(payload), b"")
    return {"_encrypted_payload": {"ciphertext": to_base64(data), "nonce": to_base64(nonce)}}


def open_static(key: bytes, payload: JsonObject) -> JsonObject:
    """Opens what `seal_static` made. Raises OldRefusal."""
    sealed = payload["_encrypted_payload"]
    try:
        if not isinstance(sealed, dict):
            raise ValueError("no object")
        plain = unseal(key, parse_base64(sealed.get("nonce"), 16), parse_base64(sealed.get("ciphertext")), b"")
    except (CryptoError, ValueError) as error:
        raise OldRefusal("Decryption failed") from error
    return _object(plain)


def _object(plain: bytes) -> JsonObject:
    try:
        value = parse(plain).value
    except NotJson as error:
        raise OldRefusal(BROKEN) from error
    if not isinstance(value, dict):
        raise OldRefusal(BROKEN)
    return value

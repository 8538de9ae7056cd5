"""Error codes of 1.1 with their HTTP status, and the exceptions that carry a refusal.

Source: docs/protocol/1.1.md#error-codes, docs/contract/README.md (refusals).
"""

from __future__ import annotations

from typing import Dict, Optional

STATUS: Dict[str, int] = {
    "INVALID_VERSION": 400,
    "INVALID_MESSAGE": 400,
    "INVALID_SIGNATURE": 401,
    "EXPIRED_TIMESTAMP": 400,
    "REPLAY_DETECTED": 409,
    "UNKNOWN_SENDER": 401,
    "UNKNOWN_RECIPIENT": 403,
    "SESSION_NOT_FOUND": 404,
    "SESSION_EXPIRED": 404,
    "SEQUENCE_ERROR": 409,
    "INVALID_STATE": 409,
    "HANDSHAKE_IN_PROGRESS": 409,
    "CHALLENGE_EXPIRED": 409,
    "CHALLENGE_INVALID": 401,
    "ENCRYPTION_REQUIRED": 403,
    "ENCRYPTION_NOT_READY": 409,
    "DECRYPTION_FAILED": 400,
    "RATE_LIMITED": 429,
    "MESSAGE_TOO_LARGE": 413,
    "CHUNK_ERROR": 400,
    "DHT_ERROR": 400,
    "TRANSFER_REFUSED": 403,
    "SERVICE_UNAVAILABLE": 503,
}

TEXT: Dict[str, str] = {
    "INVALID_VERSION": "the version is not enabled here",
    "INVALID_MESSAGE": "not JSON, or not the shape of its type",
    "INVALID_SIGNATURE": "the signature does not hold",
    "EXPIRED_TIMESTAMP": "the timestamp is outside 60 s",
    "REPLAY_DETECTED": "the nonce was seen",
    "UNKNOWN_SENDER": "no key for the sender",
    "UNKNOWN_RECIPIENT": "the message is for someone else",
    "SESSION_NOT_FOUND": "no such session with this sender",
    "SESSION_EXPIRED": "the session has expired",
    "SEQUENCE_ERROR": "the sequence is outside the window, or seen",
    "INVALID_STATE": "a step out of order",
    "HANDSHAKE_IN_PROGRESS": "another handshake is in progress",
    "CHALLENGE_EXPIRED": "the challenge is older than 30 s",
    "CHALLENGE_INVALID": "a challenge signature or transcript does not hold",
    "ENCRYPTION_REQUIRED": "plain data in a ready session",
    "ENCRYPTION_NOT_READY": "sealed data before the session is ready",
    "DECRYPTION_FAILED": "the sealed payload does not open",
    "RATE_LIMITED": "too many messages of this type",
    "MESSAGE_TOO_LARGE": "the message is above 1 MiB",
    "CHUNK_ERROR": "the chunk was refused",
    "DHT_ERROR": "the request was refused",
    "TRANSFER_REFUSED": "a token transfer was refused",
    "SERVICE_UNAVAILABLE": "a bound of this node is reached",
}


class Refusal(Exception):
    """A peer's message is refused with a code of 1.1. Expected, never a bug; `why` is for the own log only."""

    def __init__(self, code: str, why: str = "", retry_after_ms: Optional[int] = None) -> None:
        super().__init__(f"{code}: {why}" if why else code)
        self.code = code
        self.status = STATUS[code]
        self.why = why
        self.retry_after_ms = retry_after_ms


class OldRefusal(Exception):
    """A message of 1.0 is refused: `status` and the fixed text of docs/protocol/1.0.md#error-texts."""

    def __init__(self, detail: str, status: int = 400) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status


class CallRefused(Exception):
    """A contract call is declined for a reason of the protocol: `data.code`, and what went over the wire."""

    def __init__(self, code: str, message: str = "", status: Optional[int] = None, detail: Optional[str] = None) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message or code
        self.status = status
        self.detail = detail


class BadParams(Exception):
    """A contract call with parameters of a wrong shape: -32602."""

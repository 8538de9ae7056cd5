"""Transcripts and keys: of the handshake, of a rekey, of a resumption.

Source: docs/protocol/1.1.md#transcript, docs/protocol/1.1.md#key-schedule, docs/protocol/1.1.md#rekey, docs/protocol/1.1.md#resumption.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from ..crypto import expand, extract, hmac_sha256, lp, sha256

TRANSCRIPT = b"peer-v1.1-transcript\0"
RESUME = b"peer-v1.1-resume\0"
REKEY = b"peer-v1.1-rekey\0"


@dataclass(frozen=True)
class Keys:
    """Traffic keys of a generation, by the direction of the handshake, and the secret that the next one rests on."""

    initiator_to_responder: bytes
    responder_to_initiator: bytes
    resumption: bytes

    def __repr__(self) -> str:
        return "Keys(..)"


def transcript(signed: Sequence[bytes], label: bytes = TRANSCRIPT) -> bytes:
    """SHA-256 of the label and each C(m) with its length."""
    return sha256(label + b"".join(map(lp, signed)))


def first_keys(dh: bytes, t2: bytes) -> Keys:
    """Keys_0 and R_0."""
    prk = extract(t2, dh)
    keys = expand(prk, b"peer-v1.1-session-key", 64)
    return Keys(keys[:32], keys[32:], expand(prk, b"peer-v1.1-resumption", 32))


def next_keys(dh: bytes, resumption: bytes, t: bytes) -> Keys:
    """Keys_h and R_h from R_g and the transcript of a rekey or resumption."""
    prk = extract(resumption, dh)
    keys = expand(prk, b"peer-v1.1-session-key" + t, 64)
    return Keys(keys[:32], keys[32:], expand(prk, b"peer-v1.1-resumption" + t, 32))


def binder(resumption: bytes, which: int, v: bytes) -> bytes:
    """Binder 1 (of the proposal, over V1) or 2 (of the answer, over V2)."""
    return hmac_sha256(expand(resumption, b"peer-v1.1-resume-binder-%d" % which, 32), v)

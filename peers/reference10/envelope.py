"""The envelope of protocol 1.0: canonical JSON, both flavours, signing and verifying."""

import datetime
import json
import os
import time

import crypto

SIGNED = ("version", "msg_type", "sender_id", "payload", "timestamp", "nonce")
FLAVOURS = ("iso", "dataclass")


class Refused(Exception):
    """An HTTP answer other than 200, given or received."""

    def __init__(self, status, detail):
        super().__init__(f"{status} {detail}")
        self.status, self.detail = status, detail


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def parse(body):
    """Reads JSON; raises ValueError, also for NaN and infinities, which JSON has not."""

    def refuse(name):
        raise ValueError(f"{name} is not JSON")

    try:
        return json.loads(body, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def iso_now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds")


def build(flavour, seed, sender, msg_type, payload, session, sequence, recipient=None):
    """Returns the bytes of a signed envelope."""
    nonce = os.urandom(16)
    iso = flavour == "iso"
    signed = {
        "version": "1.0",
        "msg_type": msg_type,
        "sender_id": sender,
        "payload": payload,
        "timestamp": iso_now() if iso else time.time(),
        "nonce": nonce.hex() if iso else crypto.to_base64(nonce),
    }
    signature = crypto.to_base64(crypto.ed25519_sign(seed, canonical(signed)))
    if iso:
        envelope = dict(signed, session_id=session, sequence_num=sequence, signature=signature)
        if recipient is not None:
            envelope["recipient_id"] = recipient
    else:
        envelope = {
            "payload": payload,
            "timestamp": signed["timestamp"],
            "nonce": signed["nonce"],
            "signature": signature,
            "encrypted_payload": None,
            "sender_public_key": None,
            "jwt_token": None,
            "sender_id": sender,
            "recipient_id": recipient,
            "session_id": session,
            "sequence_num": sequence,
            "version": "1.0",
            "msg_type": msg_type,
        }
    return json.dumps(envelope).encode("ascii")


def check(body, key_of):
    """Does the stateless checks of POST /message in order and returns the envelope.

    `key_of` maps a sender id to its public key or None. Raises Refused.
    """
    try:
        envelope = parse(body)
    except ValueError:
        raise Refused(400, "Invalid JSON") from None
    if not isinstance(envelope, dict):
        raise Refused(500, "Internal Server Error")
    if "version" not in envelope or "sender_id" not in envelope:
        raise Refused(400, "Unknown message format")
    version, sender = envelope["version"], envelope["sender_id"]
    if version not in ("0.3", "1.0"):
        raise Refused(400, f"Unsupported version: {version}")
    if not envelope.get("signature"):
        raise Refused(400, "Missing signature")
    key = key_of(sender) if isinstance(sender, str) else None
    if key is None:
        raise Refused(400, f"Unknown sender: {sender}")
    for field in SIGNED:
        if field not in envelope:
            raise Refused(400, f"Signature verification error: '{field}'")
    try:
        signature = crypto.from_base64(envelope["signature"], 64)
        message = canonical({field: envelope[field] for field in SIGNED})
    except ValueError:
        raise Refused(400, "Invalid signature") from None
    if not crypto.ed25519_verify(key, message, signature):
        raise Refused(400, "Invalid signature")
    if version == "1.0":
        if not envelope.get("session_id"):
            raise Refused(400, "Missing required field: session_id")
        if envelope.get("sequence_num") is None:
            raise Refused(400, "Missing required field: sequence_num")
        try:
            envelope["sequence_num"] = int(envelope["sequence_num"])
        except (TypeError, ValueError, OverflowError):
            raise Refused(500, "Internal Server Error") from None
    if not isinstance(envelope["payload"], dict) or not isinstance(envelope["msg_type"], str):
        raise Refused(500, "Internal Server Error")
    return envelope

"""The six steps between two ends in memory, and every way in which they are refused."""

from __future__ import annotations

import json
import random
from typing import Any, Callable, Dict, Optional, Tuple

import pytest
import vectors
from entity_py import crypto, strictjson
from entity_py.codes import Refusal
from entity_py.encoding import SECOND, to_base64
from entity_py.times import Now
from entity_py.v11 import envelope
from entity_py.v11.handshake import Initiator, Me, Responder
from entity_py.v11.session import Session

START = Now(1_000_000, 1_800_000_000_000_000)
SESSION = "84b2cf19-8f4d-4864-b37e-3c6b393ce6c3"
ALICE, BOB = crypto.SigningKey(bytes([1]) * 32), crypto.SigningKey(bytes([2]) * 32)


def me(name: str, key: crypto.SigningKey, seed: int) -> Me:
    return Me(name, key, random.Random(seed).randbytes, ("1.0", "1.1"), None)


def read(body: bytes) -> envelope.Envelope:
    return envelope.read(strictjson.parse(body).value, body)


def pair(seed: int = 1) -> Tuple[Initiator, Responder]:
    one = Initiator(me("alice", ALICE, seed), "bob", BOB.public, SESSION, START)
    return one, Responder(me("bob", BOB, seed + 100), read(one.first), ALICE.public, START)


def finish(seed: int = 1) -> Tuple[Session, Session]:
    one, other = pair(seed)
    three = one.take(read(other.second), START)
    assert three is not None
    five = one.take(read(other.take(read(three), START)), START)
    assert five is not None
    assert one.take(read(other.take(read(five), START)), START) is None
    assert one.session is not None and other.session is not None
    return one.session, other.session


def test_both_ends_have_the_same_keys_in_opposite_directions() -> None:
    one, other = finish()
    assert one.traffic[0].seal_key == other.traffic[0].open_key
    assert one.traffic[0].open_key == other.traffic[0].seal_key
    assert one.secrets.confirmed == other.secrets.confirmed is not None
    body, sequence, _ = one.seal("message", {"text": "hello"}, START.wall, bytes(16), number=1)
    assert sequence == 3
    message = read(body)
    assert message.verify(ALICE.public)
    traffic, sealed = other.look(message, START.mono)
    assert other.open(message, traffic, sealed).body == {"text": "hello"}
    other.record(message, traffic, START)
    with pytest.raises(Refusal, match="SEQUENCE_ERROR"):
        other.look(message, START.mono)


def test_the_messages_of_the_vector_are_taken_by_a_responder_with_its_secrets() -> None:
    vector = vectors.load("handshake_1_1")
    secret = bytes.fromhex(vector["responder"]["x25519_secret"])
    second = json.loads(vector["messages"][1])
    draws = {32: [secret, crypto.sha256(b"unused")], 16: [bytes.fromhex(json.loads(vector["messages"][at])["nonce"]) for at in (1, 3, 5)]}
    draws[32][1] = __import__("base64").b64decode(second["payload"]["challenge"])

    def draw(length: int) -> bytes:
        return draws[length].pop(0)

    bob = Me("bob", BOB, draw, ("1.0", "1.1"), None)
    messages = [text.encode() for text in vector["messages"]]
    responder = Responder(bob, read(messages[0]), ALICE.public, START)
    assert responder.second == messages[1]
    assert responder.take(read(messages[2]), START) == messages[3]
    assert responder.take(read(messages[4]), START) == messages[5]


def rewrite(body: bytes, key: crypto.SigningKey, change: Callable[[Dict[str, Any]], None]) -> envelope.Envelope:
    """The same message with another payload, signed anew by its sender."""
    value = json.loads(body)
    del value["signature"]
    change(value)
    value["signature"] = to_base64(key.sign(strictjson.canonical(value)))
    changed = strictjson.canonical(value)
    return read(changed)


def put(name: str, item: Any) -> Callable[[Dict[str, Any]], None]:
    def change(value: Dict[str, Any]) -> None:
        if item is None:
            del value["payload"][name]
        else:
            value["payload"][name] = item

    return change


ZERO = to_base64(bytes(32))
STEP_1 = [
    ("step", 2, "INVALID_MESSAGE"),
    ("handshake_version", "1.0", "INVALID_VERSION"),
    ("supported_versions", ["1.0"], "INVALID_VERSION"),
    ("supported_versions", ["1.1"] * 65, "INVALID_MESSAGE"),
    ("capabilities", ["x25519"], "INVALID_MESSAGE"),
    ("capabilities", ["x" * 129], "INVALID_MESSAGE"),
    ("ephemeral_public_key", ZERO, "INVALID_MESSAGE"),
    ("ephemeral_public_key", "AA==", "INVALID_MESSAGE"),
    ("challenge", None, "INVALID_MESSAGE"),
    ("identity_key", BOB.public.hex(), "UNKNOWN_SENDER"),
    ("peer_identity_key", ALICE.public.hex(), "UNKNOWN_RECIPIENT"),
    ("address", "ftp://x", "INVALID_MESSAGE"),
    ("address", "http://:80/", "INVALID_MESSAGE"),
]


@pytest.mark.parametrize(("name", "item", "code"), STEP_1)
def test_a_step_1_of_another_content_is_refused(name: str, item: Any, code: str) -> None:
    one, _ = pair()
    with pytest.raises(Refusal, match=code):
        Responder(me("bob", BOB, 5), rewrite(one.first, ALICE, put(name, item)), ALICE.public, START)


STEP_2 = [
    ("handshake_version", "1.0", "INVALID_VERSION"),
    ("accepted_version", "1.0", "INVALID_VERSION"),
    ("identity_key", ALICE.public.hex(), "UNKNOWN_SENDER"),
    ("capabilities", ["teleport"], "INVALID_MESSAGE"),
    ("capabilities", ["x25519", "e2e_encryption"], "INVALID_MESSAGE"),
    ("challenge", ZERO, "CHALLENGE_INVALID"),
    ("ephemeral_public_key", to_base64(bytes(31) + b"\x40"), "CHALLENGE_INVALID"),
]


@pytest.mark.parametrize(("name", "item", "code"), STEP_2)
def test_a_step_2_of_another_content_is_refused(name: str, item: Any, code: str) -> None:
    one, other = pair()
    with pytest.raises(Refusal, match=code):
        one.take(rewrite(other.second, BOB, put(name, item)), START)


def later(seconds: int) -> Now:
    return Now(START.mono + seconds * SECOND, START.wall + seconds * SECOND)


def test_a_challenge_lives_30_s_and_a_handshake_60() -> None:
    one, other = pair()
    with pytest.raises(Refusal, match="CHALLENGE_EXPIRED"):
        one.take(read(other.second), later(30))
    one, other = pair()
    three: Optional[bytes] = one.take(read(other.second), Now(later(30).mono - 1, START.wall))
    assert three is not None
    with pytest.raises(Refusal, match="CHALLENGE_EXPIRED"):
        other.take(read(three), later(30))
    one, other = pair()
    three = one.take(read(other.second), START)
    assert three is not None
    four = other.take(read(three), START)
    with pytest.raises(Refusal, match="SESSION_EXPIRED"):
        one.take(read(four), later(60))


def test_a_step_out_of_order_ends_the_handshake() -> None:
    one, other = pair()
    three = one.take(read(other.second), START)
    assert three is not None
    with pytest.raises(Refusal, match="INVALID_STATE"):
        one.take(read(other.second), START)
    four = other.take(read(three), START)
    with pytest.raises(Refusal, match="INVALID_STATE"):
        other.take(read(three), START)
    assert four


def test_secrets_do_not_show() -> None:
    one, other = finish()
    for secret in (one.traffic[0].seal_key, one.secrets.confirmed):
        assert repr(secret) not in repr(one.traffic) + repr(one.secrets) + repr(other)

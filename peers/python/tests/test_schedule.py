"""Every secret of docs/protocol/vectors, recomputed."""

from __future__ import annotations

import json
from typing import Any, List

import vectors
from entity_py import crypto, strictjson
from entity_py.encoding import parse_base64, to_base64
from entity_py.v11 import envelope, schedule


def signed(text: str) -> bytes:
    value = json.loads(text)
    del value["signature"]
    return strictjson.canonical(value)


def read(text: str) -> envelope.Envelope:
    return envelope.read(strictjson.parse(text.encode()).value, text.encode())


def test_the_transcripts_and_challenges_of_the_handshake() -> None:
    vector = vectors.load("handshake_1_1")
    messages: List[str] = vector["messages"]
    signs = [signed(text) for text in messages]
    for count in range(1, 7):
        assert schedule.transcript(signs[:count]).hex() == vector["transcripts"][f"T_{count}"]
    for count, role, side in ((2, "responder", "responder"), (3, "initiator", "initiator")):
        value = json.loads(messages[count - 1])
        challenge = parse_base64(value["payload"].pop("challenge_signature"), 64)
        del value["signature"]
        t = schedule.transcript([*signs[: count - 1], strictjson.canonical(value)])
        assert t.hex() == vector["transcripts"][f"T'_{count}"]
        key = crypto.SigningKey(bytes.fromhex(vector[side]["ed25519_seed"]))
        assert key.sign_labelled(f"peer-v1.1-challenge-{role}", t) == challenge


def test_the_keys_of_the_handshake_open_steps_5_and_6() -> None:
    vector = vectors.load("handshake_1_1")
    secret = bytes.fromhex(vector["initiator"]["x25519_secret"])
    public = parse_base64(json.loads(vector["messages"][1])["payload"]["ephemeral_public_key"])
    dh = crypto.x25519(secret, public)
    assert dh.hex() == vector["keys"]["dh"]
    keys = schedule.first_keys(dh, bytes.fromhex(vector["transcripts"]["T_2"]))
    assert keys.initiator_to_responder.hex() == vector["keys"]["initiator_to_responder"]
    assert keys.responder_to_initiator.hex() == vector["keys"]["responder_to_initiator"]
    assert keys.resumption.hex() == vector["keys"]["R_0"]
    for step, key in ((5, keys.initiator_to_responder), (6, keys.responder_to_initiator)):
        message = read(vector["messages"][step - 1])
        generation, sealed = envelope.sealed_parts(message.payload)
        plain = envelope.open_sealed(message, key, generation, sealed)
        assert plain.encode().decode() == vector[f"step_{step}"]["plaintext"]
        assert envelope.gcm_nonce(generation, message.sequence).hex() == vector[f"step_{step}"]["nonce"]


def test_sealing_and_signing_gives_the_bytes_of_the_vector() -> None:
    vector = vectors.load("handshake_1_1")
    message = json.loads(vector["messages"][4])
    writer = envelope.Writer(
        crypto.SigningKey(bytes.fromhex(vector["initiator"]["ed25519_seed"])), "alice", "bob", message["session_id"]
    )
    head = writer.head("session_confirm", 2, 1_800_000_000_000_000, bytes.fromhex(message["nonce"]))
    body = json.loads(vector["step_5"]["plaintext"])["body"]
    key = bytes.fromhex(vector["keys"]["initiator_to_responder"])
    sealed = envelope.seal_body(writer, key, 0, head, envelope.Plain(None, 0, body, None))
    assert sealed.decode() == vector["messages"][4]


def _dh(vector: Any, one: str, other_key: str) -> bytes:
    return crypto.x25519(bytes.fromhex(vector[one]["x25519_secret"]), parse_base64(other_key))


def test_the_keys_of_a_rekey() -> None:
    vector = vectors.load("rekey_1_1")
    bodies = [json.loads(text)["body"] for text in vector["plaintexts"][:2]]
    t = schedule.transcript([strictjson.canonical(body) for body in bodies], schedule.REKEY)
    assert t.hex() == vector["T"]
    dh = _dh(vector, "initiator", bodies[1]["ephemeral_public_key"])
    assert dh.hex() == vector["keys"]["dh"]
    keys = schedule.next_keys(dh, bytes.fromhex(vector["R_0"]), t)
    assert keys.resumption.hex() == vector["keys"]["R_1"]
    message = read(vector["messages"][2])
    generation, sealed = envelope.sealed_parts(message.payload)
    assert envelope.open_sealed(message, keys.initiator_to_responder, generation, sealed).encode().decode() == vector["plaintexts"][2]


def test_the_keys_of_a_resumption() -> None:
    vector = vectors.load("resume_1_1")
    messages = vector["messages"]
    resumption = bytes.fromhex(vector["R_0"])
    first = json.loads(messages[0])
    del first["signature"]
    given = first["payload"].pop("binder")
    v1 = schedule.transcript([strictjson.canonical(first)], schedule.RESUME)
    assert v1.hex() == vector["V1"]
    assert to_base64(schedule.binder(resumption, 1, v1)) == given
    second = json.loads(messages[1])
    del second["signature"]
    given = second["payload"].pop("binder")
    v2 = schedule.transcript([signed(messages[0]), strictjson.canonical(second)], schedule.RESUME)
    assert v2.hex() == vector["V2"]
    assert to_base64(schedule.binder(resumption, 2, v2)) == given
    t = schedule.transcript([signed(messages[0]), signed(messages[1])], schedule.RESUME)
    assert t.hex() == vector["T"]
    keys = schedule.next_keys(_dh(vector, "answerer", first["payload"]["ephemeral_public_key"]), resumption, t)
    assert keys.resumption.hex() == vector["keys"]["R_1"]
    assert keys.initiator_to_responder.hex() == vector["keys"]["initiator_to_responder"]
    message = read(messages[2])
    generation, sealed = envelope.sealed_parts(message.payload)
    plain = envelope.open_sealed(message, keys.responder_to_initiator, generation, sealed)
    assert plain.encode().decode() == vector["message_3"]["plaintext"]

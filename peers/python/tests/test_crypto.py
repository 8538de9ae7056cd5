"""Keys, strict verification and the primitives of both versions."""

from __future__ import annotations

import hashlib

import pytest
import vectors
from entity_py import crypto, strictjson
from entity_py.encoding import parse_base64, parse_stamp, stamp

SEED = bytes(range(32))


def test_the_keys_of_the_vectors_follow_from_their_seeds() -> None:
    for side in ("initiator", "responder"):
        who = vectors.load("handshake_1_1")[side]
        assert crypto.SigningKey(bytes.fromhex(who["ed25519_seed"])).public.hex() == who["ed25519_public"]


def test_every_signature_of_the_vectors_holds_and_every_changed_one_does_not() -> None:
    vector = vectors.load("handshake_1_1")
    keys = {vector[side]["id"]: bytes.fromhex(vector[side]["ed25519_public"]) for side in ("initiator", "responder")}
    for text in vector["messages"]:
        envelope = strictjson.parse(text.encode()).value
        signature = parse_base64(envelope.pop("signature"), 64)
        key, data = keys[envelope["sender_id"]], strictjson.canonical(envelope)
        assert crypto.verify(key, data, signature)
        assert not crypto.verify(key, data + b" ", signature)
        for at in (0, 31, 32, 63):
            changed = bytearray(signature)
            changed[at] ^= 1
            assert not crypto.verify(key, data, bytes(changed))


def test_a_signature_with_the_order_added_is_refused() -> None:
    key = crypto.SigningKey(SEED)
    signature = key.sign(b"x")
    greater = int.from_bytes(signature[32:], "little") + crypto.L
    assert crypto.verify(key.public, b"x", signature)
    assert not crypto.verify(key.public, b"x", signature[:32] + greater.to_bytes(32, "little"))


def test_keys_of_small_order_and_beyond_the_field_are_refused() -> None:
    assert len(crypto.SMALL_ORDER_YS) == 5
    for y in crypto.SMALL_ORDER_YS:
        for sign in (0, 1 << 255):
            key = (y | sign).to_bytes(32, "little")
            assert not crypto.check_public_key(key)
            # R = key, S = 0 satisfies the equation for some messages: exactly what the check prevents.
            assert not crypto.verify(key, b"anything", key + bytes(32))
    for y in (crypto.P, crypto.P + 1, 2**255 - 1):
        assert not crypto.check_public_key(y.to_bytes(32, "little"))
    assert not crypto.check_public_key((2).to_bytes(32, "little"))
    assert not crypto.check_public_key(b"short")


def test_account_one_is_the_one_of_the_document() -> None:
    seed = crypto.account_seed(SEED, 1)
    expected = "23211627d5d398e0d551aac10ee5235976e26ac728df0c12a8b11df2c2ac2684"
    assert crypto.SigningKey(seed).public.hex() == expected
    assert crypto.account_seed(SEED, 0) == SEED


def test_a_key_hand_over_is_signed_by_both_keys() -> None:
    vector = vectors.load("key_handover")
    signed = strictjson.canonical({name: vector[name] for name in ("id", "old_key", "new_key", "created_at")})
    for which in ("old", "new"):
        signature = parse_base64(vector[f"{which}_signature"], 64)
        key = bytes.fromhex(vector[f"{which}_key"])
        assert crypto.verify_labelled(key, "peer-v1.1-key-handover", signed, signature)
        assert not crypto.verify(key, signed, signature)


def test_an_x25519_key_of_low_order_is_refused() -> None:
    for public in (bytes(32), bytes([1]) + bytes(31)):
        with pytest.raises(crypto.CryptoError):
            crypto.x25519(SEED, public)


def test_hsalsa20_is_the_one_of_its_paper() -> None:
    # D. J. Bernstein, "Cryptography in NaCl", section 8: the shared secret and what HSalsa20 makes of it.
    shared = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    first = "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389"
    assert crypto.hsalsa20(shared, bytes(16)).hex() == first


def test_the_static_key_of_1_0_is_the_same_on_both_sides() -> None:
    one, other = crypto.SigningKey(SEED), crypto.SigningKey(hashlib.sha256(SEED).digest())
    assert crypto.static_key_1_0(one, other.public) == crypto.static_key_1_0(other, one.public)


def test_what_is_sealed_opens_only_unchanged() -> None:
    sealed = crypto.seal(SEED, bytes(12), b"plain", b"aad")
    assert crypto.unseal(SEED, bytes(12), sealed, b"aad") == b"plain"
    for bad in ((sealed, b"aaD"), (sealed[:-1] + b"\0", b"aad"), (b"", b"aad")):
        with pytest.raises(crypto.CryptoError):
            crypto.unseal(SEED, bytes(12), *bad)


def test_secrets_are_not_printed() -> None:
    assert SEED.hex() not in repr(crypto.SigningKey(SEED))


@pytest.mark.parametrize("text", ["", "A", "AB==", "AA=A", "AAA", "AA==\n", "AA-_", " AA=="])
def test_base64_is_strict(text: str) -> None:
    if text == "":
        assert parse_base64(text) == b""
        return
    with pytest.raises(ValueError):
        parse_base64(text)


def test_times_go_there_and_back() -> None:
    assert stamp(0) == "1970-01-01T00:00:00.000000+00:00"
    assert parse_stamp("2027-01-15T08:00:00.000000+00:00") == 1_800_000_000_000_000
    for wrong in ("2027-01-15T08:00:00.000000Z", "2027-13-15T08:00:00.000000+00:00", "2027-01-15T08:00:00.00000+00:00", 5, None):
        with pytest.raises(ValueError):
            parse_stamp(wrong)

"""Key files: what others wrote is read, what is written is read back, and what is maimed is refused with the right code."""

from __future__ import annotations

import base64
import json
from typing import Any, Dict, Optional

import pytest
from vectors import load

from entity_py.crypto import SigningKey
from entity_py.wallet import FORMS, KeyFileError, key_file, read_key, write_key

VECTOR: Dict[str, Any] = load("key_file")
PASSPHRASE: str = VECTOR["passphrase"]
CREATED = "2026-11-22T15:48:22.169324+00:00"
RANDOM = bytes(range(76))

# Made by running the earlier peers.
KEY_STORE: Dict[str, Any] = {
    "version": 1,
    "entity_id": "entity_a",
    "public_key": "89e05e12e10c40751dd730df9b7a31086e05b2e84526f4fe9a8e228d7b848a18",
    "created_at": "2026-11-22T06:59:10.293202+00:00",
    "encrypted": True,
    "encrypted_private_key": "oHQZ4pn7TR982FvsZeacJaOCIuGY+LarEyzUUqA6EN5gYdmU/8KVnm5J6ny1jlN8",
    "salt": "AAOOF3UqMOFYwUY9twI3pB5CnLaUPHYV0TwJbMuZhj4=",
    "nonce": "KhfS7ebsnUYotSop",
    "algorithm": "AES-256-GCM",
    "kdf": "PBKDF2-SHA256",
    "kdf_iterations": 600000,
}
STORE_PASSPHRASE = "correct horse battery staple"


def code_of(data: bytes, passphrase: Optional[str] = PASSPHRASE) -> str:
    with pytest.raises(KeyFileError) as refused:
        read_key(data, passphrase)
    return refused.value.code


def stored(**changes: Any) -> bytes:
    value = {name: item for name, item in {**KEY_STORE, **changes}.items() if item is not ...}
    return json.dumps(value).encode()


@pytest.mark.parametrize("which", ["sealed", "plain", "handed_over"])
def test_a_wallets_file_holds_this_seed(which: str) -> None:
    read = read_key(VECTOR[which]["file"].encode(), PASSPHRASE)
    assert (read.form, read.key.seed.hex()) == ("entity-key", VECTOR[which]["seed"])


def test_a_wallets_file_is_written_byte_for_byte() -> None:
    for which in ("sealed", "plain"):
        text = VECTOR[which]["file"].encode()
        value = json.loads(text)
        passphrase = PASSPHRASE if which == "sealed" else None
        random = base64.b64decode(value.get("salt", "")) + base64.b64decode(value.get("nonce", ""))
        key = SigningKey(bytes.fromhex(VECTOR[which]["seed"]))
        assert key_file.write(key, value["name"], passphrase, value["created_at"], random, 8192, 1) == text


def test_every_byte_of_a_wallets_file_is_protected() -> None:
    for which in ("sealed", "plain"):
        text: bytes = VECTOR[which]["file"].encode()
        places = range(0, len(text), 1 if which == "plain" else 7)
        for place in places:
            changed = text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :]
            assert code_of(changed) in ("KEY_MALFORMED", "KEY_NOT_OPENED", "KEY_VERSION", "KEY_MISMATCH"), place


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"name": "a"', '"name": "b"', "KEY_NOT_OPENED"),
        ("entity-key-1", "entity-key-2", "KEY_VERSION"),
        ("entity-key-1", "another", "KEY_MALFORMED"),
        ('"kdf_memory_kib": 8192', '"kdf_memory_kib": 8193', "KEY_NOT_OPENED"),
        ('"kdf_memory_kib": 8192', '"kdf_memory_kib": 8191', "KEY_MALFORMED"),
        ('"kdf_memory_kib": 8192', '"kdf_memory_kib": 1048577', "KEY_MALFORMED"),
        ('"kdf_passes": 1', '"kdf_passes": 17', "KEY_MALFORMED"),
        ('"kdf_lanes": 1', '"kdf_lanes": 0', "KEY_MALFORMED"),
        ("argon2id", "argon2i", "KEY_MALFORMED"),
        ('"purpose": "identity"', '"purpose": "account"', "KEY_MALFORMED"),
        ("\n}\n", "\n}", "KEY_MALFORMED"),
        ("\n}\n", "\n}\n\n", "KEY_MALFORMED"),
    ],
)
def test_a_changed_wallets_file_is_refused(old: str, new: str, code: str) -> None:
    text = VECTOR["sealed"]["file"]
    assert old in text
    assert code_of(text.replace(old, new).encode()) == code


def test_a_passphrase_is_asked_for_and_has_to_be_right() -> None:
    text = VECTOR["sealed"]["file"].encode()
    assert code_of(text, None) == "KEY_PASSPHRASE_NEEDED"
    assert code_of(text, "correct horse Battery") == "KEY_NOT_OPENED"
    assert code_of(stored(), None) == "KEY_PASSPHRASE_NEEDED"
    assert code_of(stored(), "another") == "KEY_NOT_OPENED"


def test_how_a_passphrase_is_typed_does_not_matter() -> None:
    data, key = write_key("entity-key", "n", "a\u3000b \u00e9 12345", CREATED, RANDOM)
    for same in ("a b e\u0301 12345", "a\u00a0b \u00e9 12345"):
        assert read_key(data, same).key.public == key.public
    for other in ("A b \u00e9 12345", "a b \u00e9 12345 "):
        assert code_of(data, other) == "KEY_NOT_OPENED"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("passphrase", ["correct horse battery staple", "パスワード🔑 pass"])
def test_what_is_written_is_read_back(form: str, passphrase: str) -> None:
    data, key = write_key(form, "entity-a", passphrase, CREATED, RANDOM)
    read = read_key(data, passphrase)
    assert (read.form, read.key.public) == (form, key.public)
    assert read.id == ("entity-a" if form in ("keystore-1.0", "entity-key") else None)


def test_an_older_form_is_not_written_without_a_passphrase_nor_a_form_that_nobody_knows() -> None:
    for form in ("keystore-1.0", "wallet-1.0", "jwk"):
        with pytest.raises(ValueError, match="passphrase" if form != "jwk" else "no such format"):
            write_key(form, "a", None, CREATED, RANDOM)


def test_the_key_store_of_an_earlier_peer_is_read() -> None:
    read = read_key(stored(), STORE_PASSPHRASE)
    assert (read.form, read.id, read.key.public.hex()) == ("keystore-1.0", "entity_a", KEY_STORE["public_key"])
    for tolerated in ({"kdf_iterations": 1}, {"created_at": ...}, {"more": [1]}, {"entity_id": ""}):
        assert read_key(stored(**tolerated), STORE_PASSPHRASE).form == "keystore-1.0"
    for wallets in ({"entity_id": ...}, {"entity_id": None}, {"entity_id": ..., "algorithm": ..., "kdf": ...}):
        assert read_key(stored(**wallets), STORE_PASSPHRASE).form == "wallet-1.0"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 2}, "KEY_VERSION"),
        ({"version": 2, "salt": ...}, "KEY_VERSION"),
        ({"version": ...}, "KEY_MALFORMED"),
        ({"version": "1"}, "KEY_MALFORMED"),
        ({"version": True}, "KEY_MALFORMED"),
        ({"version": 1.0}, "KEY_MALFORMED"),
        ({"version": -1}, "KEY_MALFORMED"),
        ({"public_key": "0" * 64}, "KEY_MISMATCH"),
        ({"public_key": str(KEY_STORE["public_key"]).upper()}, "KEY_MISMATCH"),
        ({"public_key": "zz"}, "KEY_MALFORMED"),
        ({"salt": str(KEY_STORE["salt"]).rstrip("=")}, "KEY_MALFORMED"),
        ({"nonce": "7ebsnUYotSop"}, "KEY_MALFORMED"),
        ({"encrypted": ...}, "KEY_MALFORMED"),
        ({"encrypted": 1}, "KEY_MALFORMED"),
        ({"algorithm": "X"}, "KEY_MALFORMED"),
        ({"kdf": ...}, "KEY_MALFORMED"),
        ({"entity_id": 5}, "KEY_MALFORMED"),
        ({"encrypted_private_key": "A" + str(KEY_STORE["encrypted_private_key"])[1:]}, "KEY_NOT_OPENED"),
    ],
)
def test_a_maimed_key_store_is_refused(changes: Dict[str, Any], code: str) -> None:
    assert code_of(stored(**changes), STORE_PASSPHRASE) == code


def test_a_plain_key_store_is_read_without_a_passphrase() -> None:
    key = SigningKey(bytes(range(32)))
    plain = {"version": 1, "entity_id": "e", "public_key": key.public.hex(), "encrypted": False}
    assert read_key(json.dumps({**plain, "private_key": key.seed.hex()}).encode(), None).key.public == key.public
    assert code_of(json.dumps({**plain, "private_key": key.seed.hex().upper()}).encode()) == "KEY_MALFORMED"


def test_a_seed_is_64_lower_case_digits() -> None:
    seed = bytes(range(32)).hex().encode()
    for data in (seed, seed + b"\n", b"  " + seed + b"\r\n"):
        assert read_key(data, None).form == "seed-hex"
    for data in (seed[:-1], seed + b"00", seed.upper(), b"0x" + seed, seed[:32] + b" " + seed[32:], b"", b"{"):
        assert code_of(data) == "KEY_MALFORMED"


def pem_of(der: bytes) -> bytes:
    text = base64.b64encode(der).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""]).encode()


def test_pem_is_read_in_both_versions() -> None:
    key = SigningKey(bytes(range(32)))
    first = bytes.fromhex("302e020100300506032b657004220420") + key.seed
    second = bytes.fromhex("3051020101300506032b657004220420") + key.seed + bytes.fromhex("812100")
    for data in (pem_of(first), pem_of(first).replace(b"\n", b"\r\n"), b"\n" + pem_of(first) + b"\n", pem_of(second + key.public)):
        assert read_key(data, None).key.public == key.public
    assert code_of(pem_of(second + bytes(32))) == "KEY_MISMATCH"
    other = first.replace(bytes.fromhex("2b6570"), bytes.fromhex("2b656e"))
    encrypted = pem_of(first).replace(b"PRIVATE", b"ENCRYPTED PRIVATE")
    for data in (pem_of(first + b"x"), pem_of(other), encrypted, pem_of(first) * 2, b"# me\n" + pem_of(first)):
        assert code_of(data) == "KEY_MALFORMED"


def test_what_is_larger_than_any_key_file_is_refused() -> None:
    assert code_of(b" " * 70_000) == "KEY_MALFORMED"


def test_a_seed_is_printed_nowhere() -> None:
    read = read_key(VECTOR["plain"]["file"].encode(), None)
    assert VECTOR["plain"]["seed"] not in repr(read)

"""Tokens of 1.0 and key files by the contract's methods."""

from __future__ import annotations

import pytest
from cores import Cores

from entity_py.codes import BadParams


def test_what_one_issues_the_other_verifies() -> None:
    world = Cores("a", "b")
    a, b = world.bodies.values()
    token = a.call("jwt.issue", aud="b")["token"]
    found = b.call("jwt.verify", token=token, sub="a")
    assert (found["sub"], found["aud"], found["iss"], found["exp"] - found["iat"]) == ("a", "b", "peer-service", 300)
    assert a.call("jwt.verify", token=token, aud="b") == found
    assert b.refused("jwt.verify", token=token, sub="b") == "JWT_SUBJECT"
    assert a.refused("jwt.verify", token=token) == "JWT_AUDIENCE"
    assert b.refused("jwt.verify", token=a.call("jwt.issue", sub="b")["token"]) == "JWT_SIGNATURE"
    assert b.refused("jwt.verify", token=a.call("jwt.issue", sub="nobody")["token"]) == "JWT_UNKNOWN_KEY"
    for params in ({"ttl_s": 0}, {"ttl_s": 301}, {"aud": ""}, {"sub": "x" * 257}):
        with pytest.raises(BadParams):
            a.call("jwt.issue", **params)


def test_a_clock_that_was_shifted_counts() -> None:
    world = Cores("a", "b")
    a, b = world.bodies.values()
    token = a.call("jwt.issue", ttl_s=1)["token"]
    b.call("clock.offset", seconds=55)
    assert b.call("jwt.verify", token=token)["sub"] == "a"
    b.call("clock.offset", seconds=62)
    assert b.refused("jwt.verify", token=token) == "JWT_EXPIRED"
    b.call("clock.offset", seconds=-70)
    assert b.refused("jwt.verify", token=token) == "JWT_NOT_YET_VALID"


@pytest.mark.parametrize("form", ["seed-hex", "keystore-1.0", "wallet-1.0", "pkcs8-pem", "entity-key"])
def test_a_key_that_one_writes_the_other_reads(form: str) -> None:
    world = Cores("a", "b")
    a, b = world.bodies.values()
    written = a.call("key.write", format=form, passphrase="one passphrase")
    assert written["public_key"] != a.key.public.hex()
    read = b.call("key.read", file=written["file"], passphrase="one passphrase")
    assert (read["format"], read["public_key"]) == (form, written["public_key"])
    if form in ("keystore-1.0", "wallet-1.0", "entity-key"):
        assert b.refused("key.read", file=written["file"], passphrase="another passphrase") == "KEY_NOT_OPENED"
        assert b.refused("key.read", file=written["file"]) == "KEY_PASSPHRASE_NEEDED"
        assert read["id"] == (None if form == "wallet-1.0" else "a")


def test_a_format_that_nobody_knows_is_a_wrong_parameter() -> None:
    world = Cores("a")
    (a,) = world.bodies.values()
    with pytest.raises(BadParams, match="format"):
        a.call("key.write", format="jwk")
    with pytest.raises(BadParams, match="passphrase"):
        a.call("key.write", format="wallet-1.0")
    assert a.refused("key.read", file="") == "KEY_MALFORMED"

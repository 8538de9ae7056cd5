"""Tokens: what one issues the other verifies, and of what is wrong the first is told."""

from __future__ import annotations

import base64
import json
from typing import Any, Dict, Optional

import pytest

from entity_py import jwt
from entity_py.crypto import SigningKey
from entity_py.encoding import SECOND
from entity_py.jwt import Claims, JwtError

KEY, OTHER = SigningKey(b"\x05" * 32), SigningKey(b"\x06" * 32)
NOW = 1_795_332_118 * SECOND
KEYS = {"a": KEY.public, "b": OTHER.public}


def check(token: str, sub: Optional[str] = None, aud: Optional[str] = None, now: int = NOW, me: str = "b") -> Claims:
    return jwt.verify(token, me, KEYS.get, sub, aud, now)


def code_of(token: str, **how: Any) -> str:
    with pytest.raises(JwtError) as refused:
        check(token, **how)
    return refused.value.code


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def made(header: Any = None, signature: Optional[bytes] = None, **claims: Any) -> str:
    """A token signed by `a` with these changes; `...` leaves a claim out."""
    iat = NOW // SECOND
    whole: Dict[str, Any] = {"sub": "a", "iat": iat, "exp": iat + 300, "iss": "peer-service", **claims}
    body = json.dumps({name: value for name, value in whole.items() if value is not ...}).encode()
    head = header if isinstance(header, bytes) else json.dumps(header or {"alg": "EdDSA", "typ": "JWT"}).encode()
    signed = f"{text(head)}.{text(body)}"
    return f"{signed}.{text(KEY.sign(signed.encode()) if signature is None else signature)}"


def test_a_token_says_who_issued_it_for_whom_and_how_long() -> None:
    token = jwt.issue(KEY, "a", "b", 300, NOW)
    assert check(token, sub="a") == Claims("a", "peer-service", NOW // SECOND, NOW // SECOND + 300, "b")
    assert token.split(".")[0] == "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9"
    assert check(jwt.issue(KEY, "a", None, 1, NOW)).aud is None


@pytest.mark.parametrize("life", [1, 300])
def test_clocks_may_differ_by_a_minute_at_either_end(life: int) -> None:
    token = jwt.issue(KEY, "a", None, life, NOW)
    check(token, now=NOW - 60 * SECOND)
    check(token, now=NOW + (life + 60) * SECOND - 1)
    assert code_of(token, now=NOW - 60 * SECOND - 1) == "JWT_NOT_YET_VALID"
    assert code_of(token, now=NOW + (life + 60) * SECOND) == "JWT_EXPIRED"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (made({"alg": "EdDSA"}), "ok"),
        (made({"alg": "EdDSA", "typ": None}), "ok"),
        (made(aud=None), "ok"),
        (made(more={"a": [1]}), "ok"),
        (made({"alg": "EdDSA", "typ": "jwt"}), "JWT_MALFORMED"),
        (made({"alg": "EdDSA", "kid": "1"}), "JWT_MALFORMED"),
        (made({"typ": "JWT"}), "JWT_MALFORMED"),
        (made({"alg": 1}), "JWT_MALFORMED"),
        (made(b'["EdDSA"]'), "JWT_MALFORMED"),
        (made(b'{"alg":"EdDSA","alg":"EdDSA"}'), "JWT_MALFORMED"),
        (made({"alg": "HS256"}, signature=b"x" * 32), "JWT_ALGORITHM"),
        (made({"alg": "none"}, signature=b""), "JWT_ALGORITHM"),
        (made(signature=b""), "JWT_MALFORMED"),
        (made(signature=b"x" * 63), "JWT_MALFORMED"),
        (made(sub=...), "JWT_MALFORMED"),
        (made(sub=""), "JWT_MALFORMED"),
        (made(sub="x" * 257), "JWT_MALFORMED"),
        (made(iat=1.5), "JWT_MALFORMED"),
        (made(iat=True), "JWT_MALFORMED"),
        (made(exp=...), "JWT_MALFORMED"),
        (made(exp=2**60), "JWT_MALFORMED"),
        (made(aud=["b"]), "JWT_MALFORMED"),
        (made(more="x" * 4000), "JWT_MALFORMED"),
        (made(more=1.5), "JWT_MALFORMED"),
        (made() + ".", "JWT_MALFORMED"),
        (made() + "=", "JWT_MALFORMED"),
        ("no.token.atall", "JWT_MALFORMED"),
        ("", "JWT_MALFORMED"),
        (made(sub="nobody", iss="x"), "JWT_UNKNOWN_KEY"),
        (made(sub="b", iss="x"), "JWT_SIGNATURE"),
        (made(iss="x", exp=0), "JWT_ISSUER"),
        (made(exp=NOW // SECOND), "JWT_LIFETIME"),
        (made(exp=NOW // SECOND + 301, aud="c"), "JWT_LIFETIME"),
        (made(iat=NOW // SECOND - 900, exp=NOW // SECOND - 600, aud="c"), "JWT_EXPIRED"),
        (made(aud="c"), "JWT_AUDIENCE"),
    ],
)
def test_of_what_is_wrong_the_first_is_told(token: str, code: str) -> None:
    if code == "ok":
        assert check(token).sub == "a"
    else:
        assert code_of(token) == code


def test_who_expects_somebody_or_an_audience_takes_no_other() -> None:
    for_b, for_all = jwt.issue(KEY, "a", "b", 300, NOW), jwt.issue(KEY, "a", None, 300, NOW)
    assert code_of(for_b, sub="b") == "JWT_SUBJECT"
    assert code_of(for_b, aud="c") == "JWT_AUDIENCE"
    assert code_of(for_b, me="a") == "JWT_AUDIENCE"
    assert code_of(for_all, aud="b") == "JWT_AUDIENCE"
    assert check(for_b, me="a", aud="b").aud == "b"

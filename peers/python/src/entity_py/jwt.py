"""Tokens that show a third party who a peer is.

Source: docs/protocol/1.0.md#peer-jwt; the codes are those of docs/contract/README.md (jwt.verify).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any, Callable, Optional

from . import crypto
from .crypto import SigningKey
from .encoding import SECOND
from .strictjson import JsonObject, NotJson, compact, parse

TOKEN_MAX = 4_096
"""Bytes of a token."""
TEXT_MAX = 256
"""Bytes of UTF-8 in a claim that is a text."""
LIFE_MAX = 300
"""Seconds from `iat` to `exp`: 1 to this."""
LEEWAY = 60 * SECOND
"""For clocks that differ, at either end."""
ISSUER = "peer-service"

_PART = re.compile(r"[A-Za-z0-9_-]*\Z")
_HEADER: JsonObject = {"alg": "EdDSA", "typ": "JWT"}


class JwtError(ValueError):
    """A token that shows nothing. `code` is one of the contract's."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True)
class Claims:
    """What a token says."""

    sub: str
    iss: str
    iat: int
    exp: int
    aud: Optional[str]


Keys = Callable[[str], Optional[bytes]]
"""The public key of a subject, as this peer knows it; never one that the token brings along."""


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _from_text(text: str) -> bytes:
    if _PART.match(text) is None or len(text) % 4 == 1:
        raise JwtError("JWT_MALFORMED", "a part is no base64 for URLs")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _to_text(data) != text:
        raise JwtError("JWT_MALFORMED", "trailing bits of base64 are not zero")
    return data


def _object(text: str) -> JsonObject:
    try:
        parsed = parse(_from_text(text))
    except NotJson as error:
        raise JwtError("JWT_MALFORMED", "a part is no JSON") from error
    if not isinstance(parsed.value, dict) or parsed.duplicates or parsed.floats:
        raise JwtError("JWT_MALFORMED", "a part is no object with distinct fields and whole numbers")
    return parsed.value


def is_claim(value: Any) -> bool:
    """Whether it is a text that a claim may have."""
    return isinstance(value, str) and 1 <= len(value.encode("utf-8", "surrogatepass")) <= TEXT_MAX


def issue(key: SigningKey, sub: str, aud: Optional[str], life: int, now: int) -> str:
    """A token of `sub`, for `aud` or for nobody in particular, `life` seconds long; `now` in microseconds of the wall clock."""
    iat = now // SECOND
    claims: JsonObject = {"sub": sub, "iat": iat, "exp": iat + life, "iss": ISSUER}
    if aud is not None:
        claims["aud"] = aud
    signed = f"{_to_text(compact(_HEADER))}.{_to_text(compact(claims))}"
    return f"{signed}.{_to_text(key.sign(signed.encode('ascii')))}"


def verify(token: str, me: str, keys: Keys, sub: Optional[str], aud: Optional[str], now: int) -> Claims:
    """What a token says, where all of it holds: from `sub` if somebody is expected, for `aud`, else for `me` or for nobody in particular.

    Raises JwtError with the first thing that is wrong.
    """
    parts = token.split(".")
    if len(token.encode("utf-8", "surrogatepass")) > TOKEN_MAX or len(parts) != 3:
        raise JwtError("JWT_MALFORMED", "not three parts of at most 4,096 bytes")
    header, signature = _object(parts[0]), _from_text(parts[2])
    if not isinstance(header.get("alg"), str):
        raise JwtError("JWT_MALFORMED", "the header names no algorithm")
    if header["alg"] != "EdDSA":
        raise JwtError("JWT_ALGORITHM", "not signed with EdDSA")
    if set(header) - {"alg", "typ"} or header.get("typ") not in (None, "JWT") or len(signature) != 64:
        raise JwtError("JWT_MALFORMED", "the header has more than alg and typ, or the signature has not 64 bytes")
    claims = _claims(_object(parts[1]))
    if sub is not None and claims.sub != sub:
        raise JwtError("JWT_SUBJECT", f"it is that of {claims.sub}")
    key = keys(claims.sub)
    if key is None:
        raise JwtError("JWT_UNKNOWN_KEY", f"no key of {claims.sub} is known")
    if not crypto.verify(key, f"{parts[0]}.{parts[1]}".encode("ascii"), signature):
        raise JwtError("JWT_SIGNATURE", "the signature does not hold")
    _check(claims, me, aud, now)
    return claims


def _claims(value: JsonObject) -> Claims:
    sub, iss, aud = value.get("sub"), value.get("iss"), value.get("aud")
    if not is_claim(sub) or not isinstance(iss, str) or not (aud is None or isinstance(aud, str)):
        raise JwtError("JWT_MALFORMED", "sub, iss or aud is no text of a claim")
    times = [value.get("iat"), value.get("exp")]
    if not all(isinstance(time, int) and not isinstance(time, bool) and abs(time) < 2**53 for time in times):
        raise JwtError("JWT_MALFORMED", "iat or exp is no time in whole seconds")
    return Claims(str(sub), iss, value["iat"], value["exp"], aud)


def _check(claims: Claims, me: str, aud: Optional[str], now: int) -> None:
    if claims.iss != ISSUER:
        raise JwtError("JWT_ISSUER", f"issued by {claims.iss}")
    if not 1 <= claims.exp - claims.iat <= LIFE_MAX:
        raise JwtError("JWT_LIFETIME", "it does not live 1 to 300 s")
    if claims.iat * SECOND > now + LEEWAY:
        raise JwtError("JWT_NOT_YET_VALID", "it was issued in the future")
    if claims.exp * SECOND + LEEWAY <= now:
        raise JwtError("JWT_EXPIRED", "it has expired")
    if claims.aud != aud if aud is not None else claims.aud not in (None, me):
        raise JwtError("JWT_AUDIENCE", "it is for somebody else")

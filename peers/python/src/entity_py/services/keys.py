"""Tokens of 1.0 that show who a peer is, and reading and writing key files for tests.

Source: docs/contract/README.md (jwt.issue, jwt.verify, key.read, key.write).
"""

from __future__ import annotations

from typing import FrozenSet

from .. import jwt
from ..codes import BadParams, CallRefused
from ..encoding import parse_base64, stamp, to_base64
from ..peer.core import Core
from ..peer.feature import BASE64, SOME_TEXT, TEXT, Feature, Field, method, optional
from ..strictjson import JsonObject
from ..times import Now
from ..wallet import KeyFileError, read_key, write_key
from ..wallet.forms import RANDOM

CLAIM = Field("a text of 1 to 256 bytes", jwt.is_claim)
LIFE = Field(
    "an integer from 1 to 300",
    lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= jwt.LIFE_MAX,
)


class Keys(Feature):
    """Nothing here is kept, and the peer's own key is never written."""

    name = "keys"
    test_only: FrozenSet[str] = frozenset({"key.read", "key.write"})

    @method("jwt.issue", aud=optional(CLAIM), ttl_s=optional(LIFE), sub=optional(CLAIM))
    def jwt_issue(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """A token in the peer's own name, unless `sub` says otherwise."""
        life = params.get("ttl_s", jwt.LIFE_MAX)
        return {"token": jwt.issue(core.key, params.get("sub", core.name), params.get("aud"), life, now.wall)}

    @method("jwt.verify", token=TEXT, aud=optional(SOME_TEXT), sub=optional(SOME_TEXT))
    def jwt_verify(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """What a token says, under the key that the roster has for its subject."""
        sub, aud = params.get("sub"), params.get("aud")
        try:
            claims = jwt.verify(params["token"], core.name, core.peer_key, sub, aud, now.wall)
        except jwt.JwtError as error:
            raise CallRefused(error.code, str(error)) from error
        return {"sub": claims.sub, "iss": claims.iss, "iat": claims.iat, "exp": claims.exp, "aud": claims.aud}

    @method("key.read", file=BASE64, passphrase=optional(SOME_TEXT))
    def key_read(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """Format, public key and id of a key file; the seed goes nowhere."""
        try:
            found = read_key(parse_base64(params["file"]), params.get("passphrase"))
        except KeyFileError as error:
            raise CallRefused(error.code, str(error)) from error
        return {"format": found.form, "public_key": found.key.public.hex(), "id": found.id}

    @method("key.write", format=SOME_TEXT, passphrase=optional(SOME_TEXT))
    def key_write(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """A key file with a new key."""
        try:
            data, key = write_key(params["format"], core.name, params.get("passphrase"), stamp(now.wall), core.random(RANDOM))
        except ValueError as error:
            raise BadParams(str(error)) from error
        return {"file": to_base64(data), "public_key": key.public.hex()}

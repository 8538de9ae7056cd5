"""PKCS#8 PEM of an Ed25519 seed: version 1, and version 2 with the public key.

There is only one DER of each, so they are compared and not parsed. Source: RFC 8410, RFC 7468 (strict form).
"""

from __future__ import annotations

import re

from ..crypto import SigningKey
from ..encoding import parse_base64, to_base64
from .errors import KeyFileError, malformed

_VERSION_1 = bytes.fromhex("302e020100300506032b657004220420")
_VERSION_2 = bytes.fromhex("3051020101300506032b657004220420")
_PUBLIC = bytes.fromhex("812100")
_PEM = re.compile(
    rb"\s*-----BEGIN PRIVATE KEY-----\r?\n((?:[A-Za-z0-9+/=]{64}\r?\n)*[A-Za-z0-9+/=]{1,64})\r?\n-----END PRIVATE KEY-----\s*\Z"
)


def looks_like(data: bytes) -> bool:
    """Whether it wants to be PEM."""
    return data.lstrip().startswith(b"-----BEGIN ")


def read(data: bytes) -> SigningKey:
    """Raises KeyFileError."""
    found = _PEM.match(data)
    if found is None:
        raise malformed("no PEM of one PRIVATE KEY")
    try:
        der = parse_base64(b"".join(found.group(1).split()).decode("ascii"))
    except ValueError as error:
        raise malformed("the PEM holds no base64") from error
    if der.startswith(_VERSION_1) and len(der) == 48:
        return SigningKey(der[16:])
    if der.startswith(_VERSION_2) and len(der) == 83 and der[48:51] == _PUBLIC:
        key = SigningKey(der[16:48])
        if key.public != der[51:]:
            raise KeyFileError("KEY_MISMATCH", "the public key is not that of the seed")
        return key
    raise malformed("no Ed25519 key in PKCS#8")


def write(key: SigningKey) -> bytes:
    """Version 1, in the clear."""
    text = to_base64(_VERSION_1 + key.seed)
    return f"-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n".encode("ascii")

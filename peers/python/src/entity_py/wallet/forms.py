"""Which form a key file has, and reading and writing it.

Source: docs/contract/README.md (key.read, key.write).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from ..crypto import SigningKey
from ..strictjson import NotJson, parse
from . import key_file, older, pkcs8
from .errors import malformed

FORMS = ("seed-hex", "keystore-1.0", "wallet-1.0", "pkcs8-pem", "entity-key")
FILE_MAX = 65_536
"""Bytes of a key file."""
RANDOM = 76
"""Random bytes that `write_key` needs: seed, salt, nonce."""

_SEED = re.compile(rb"\s*([0-9a-f]{64})\s*\Z")
_TEST_COST = (8 * 1024, 1)
"""Argon2id's memory (KiB) and passes in files that only a test reads."""


@dataclass(frozen=True)
class KeyRead:
    """A key that was read; `id` where the file names one."""

    form: str
    key: SigningKey
    id: Optional[str]


def read_key(data: bytes, passphrase: Optional[str]) -> KeyRead:
    """Raises KeyFileError."""
    if len(data) > FILE_MAX:
        raise malformed("larger than any key file")
    found = _SEED.match(data)
    if found is not None:
        return KeyRead("seed-hex", SigningKey(bytes.fromhex(found.group(1).decode("ascii"))), None)
    if pkcs8.looks_like(data):
        return KeyRead("pkcs8-pem", pkcs8.read(data), None)
    try:
        parsed = parse(data)
    except NotJson as error:
        raise malformed("neither a seed, nor PEM, nor JSON") from error
    if not isinstance(parsed.value, dict) or parsed.duplicates:
        raise malformed("no object with distinct fields")
    if key_file.looks_like(parsed.value):
        key, name = key_file.read(data, parsed.value, passphrase)
        return KeyRead("entity-key", key, name)
    return KeyRead(*older.read(parsed.value, passphrase))


def write_key(form: str, name: str, passphrase: Optional[str], created_at: str, random: bytes) -> tuple[bytes, SigningKey]:
    """A file with a new key. Raises ValueError for a form that is not known, or that needs a passphrase."""
    key = SigningKey(random[:32])
    if form == "seed-hex":
        return key.seed.hex().encode("ascii") + b"\n", key
    if form == "pkcs8-pem":
        return pkcs8.write(key), key
    if form == "entity-key":
        return key_file.write(key, name, passphrase, created_at, random[32:], *_TEST_COST), key
    if form not in FORMS:
        raise ValueError("format: there is no such format")
    if passphrase is None:
        raise ValueError("passphrase: it is missing")
    entity_id = name if form == "keystore-1.0" else None
    return older.write(key, passphrase, entity_id, created_at, random[32:]), key

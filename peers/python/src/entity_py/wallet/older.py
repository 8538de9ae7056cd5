"""The two JSON forms of earlier peers: the key store's and the wallet's.

Nothing but the seed is authenticated in them, so the public key is compared with that of the seed.

Source: docs/protocol/1.0.md#older-key-files.
"""

from __future__ import annotations

import hashlib
import json
from typing import Optional, Tuple

from ..crypto import CryptoError, SigningKey, seal, unseal
from ..encoding import parse_base64, parse_hex, to_base64
from ..strictjson import JsonObject
from .errors import KeyFileError, malformed
from .passphrase import as_typed

ROUNDS = 600_000
"""Of PBKDF2-HMAC-SHA256, whatever `kdf_iterations` says: the earlier reader does not look at it either."""


def derive(passphrase: str, salt: bytes) -> bytes:
    """The key that seals the seed."""
    return hashlib.pbkdf2_hmac("sha256", as_typed(passphrase), salt, ROUNDS, 32)


def read(value: JsonObject, passphrase: Optional[str]) -> Tuple[str, SigningKey, Optional[str]]:
    """Format, key and id. Raises KeyFileError."""
    version = value.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise malformed("version is missing")
    if version != 1:
        raise KeyFileError("KEY_VERSION", f"version {version} is not known")
    entity_id = value.get("entity_id")
    if entity_id is None:
        return "wallet-1.0", _checked(value, _sealed(value, passphrase)), None
    if not isinstance(entity_id, str):
        raise malformed("entity_id is no text")
    encrypted = value.get("encrypted")
    if encrypted is True:
        if value.get("algorithm") != "AES-256-GCM" or value.get("kdf") != "PBKDF2-SHA256":
            raise malformed("algorithm or kdf is not the one that key stores have")
        seed = _sealed(value, passphrase)
    elif encrypted is False:
        try:
            seed = parse_hex(value.get("private_key"), 32)
        except ValueError as error:
            raise malformed("private_key is no seed") from error
    else:
        raise malformed("encrypted is neither true nor false")
    return "keystore-1.0", _checked(value, seed), entity_id


def _sealed(value: JsonObject, passphrase: Optional[str]) -> bytes:
    try:
        salt = parse_base64(value.get("salt"), 32)
        nonce = parse_base64(value.get("nonce"), 12)
        sealed = parse_base64(value.get("encrypted_private_key"), 48)
    except ValueError as error:
        raise malformed(f"salt, nonce or encrypted_private_key: {error}") from error
    _public(value)
    if passphrase is None:
        raise KeyFileError("KEY_PASSPHRASE_NEEDED", "the file is sealed: a passphrase is needed")
    try:
        return unseal(derive(passphrase, salt), nonce, sealed, b"")
    except CryptoError as error:
        raise KeyFileError("KEY_NOT_OPENED", "the passphrase is wrong, or the file was changed") from error


def _public(value: JsonObject) -> str:
    public = value.get("public_key")
    try:
        # Upper-case digits are digits, too, but not those of the seed's key.
        return str(public) if isinstance(public, str) and bytes.fromhex(public) and len(public) == 64 else _no_public()
    except ValueError as error:
        raise malformed("public_key is no key") from error


def _no_public() -> str:
    raise ValueError("not 64 digits")


def _checked(value: JsonObject, seed: bytes) -> SigningKey:
    key = SigningKey(seed)
    if _public(value) != key.public.hex():
        raise KeyFileError("KEY_MISMATCH", "the public key is not that of the seed")
    return key


def write(key: SigningKey, passphrase: str, entity_id: Optional[str], created_at: str, random: bytes) -> bytes:
    """The key store's form with an `entity_id`, else the wallet's. `random` has 44 bytes: salt and nonce."""
    salt, nonce = random[:32], random[32:44]
    value: JsonObject = {
        "version": 1,
        "public_key": key.public.hex(),
        "encrypted_private_key": to_base64(seal(derive(passphrase, salt), nonce, key.seed, b"")),
        "salt": to_base64(salt),
        "nonce": to_base64(nonce),
    }
    if entity_id is not None:
        value.update(
            entity_id=entity_id,
            created_at=created_at,
            encrypted=True,
            algorithm="AES-256-GCM",
            kdf="PBKDF2-SHA256",
            kdf_iterations=ROUNDS,
        )
    return json.dumps(value, indent=2).encode("ascii")

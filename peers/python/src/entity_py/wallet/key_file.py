"""The form of a wallet, `entity-key`: one JSON object a person can read, in one byte form, every byte of it authenticated.

The reader parses it, writes it again and compares: what differs in one byte is refused before anything costly is computed.

Source: docs/protocol/1.1.md#key-file.
"""

from __future__ import annotations

import json
from typing import Any, List, Optional, Tuple

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from ..crypto import CryptoError, SigningKey, seal, sha256, unseal
from ..encoding import parse_base64, parse_hex, parse_stamp, to_base64
from ..strictjson import JsonObject, canonical
from .errors import KeyFileError, malformed
from .passphrase import normal

FORMAT = "entity-key-1"
NAME_MAX = 160
"""Bytes of UTF-8 in a name."""
MEMORY_KIB = (8 * 1024, 1024 * 1024)
PASSES = (1, 16)
LANES = (1, 16)
"""Least and most of what a file may ask of Argon2id: below it protects nothing, above it could keep us busy for hours."""

_HEAD = ["format", "name", "purpose", "public_key", "created_at", "handover", "protection"]
_OPEN = [*_HEAD, "seed", "check"]
_SEALED = [*_HEAD, "kdf", "kdf_memory_kib", "kdf_passes", "kdf_lanes", "salt", "cipher", "nonce", "sealed"]
_PURPOSES = ("identity", "retired")


def looks_like(value: JsonObject) -> bool:
    """Whether it wants to be of this form."""
    return isinstance(value.get("format"), str)


def render(value: JsonObject) -> bytes:
    """The one byte form: a field a line in the order given, UTF-8, a line feed at the end."""
    lines: List[str] = []
    for name, item in value.items():
        text = canonical(item).decode("ascii") if isinstance(item, dict) else json.dumps(item, ensure_ascii=False)
        lines.append(f'  "{name}": {text}')
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("utf-8")


def _covered(value: JsonObject, last: str, label: str) -> bytes:
    return label.encode("ascii") + b"\0" + render({**value, last: ""})


def read(data: bytes, value: JsonObject, passphrase: Optional[str]) -> Tuple[SigningKey, str]:
    """Key and name. Raises KeyFileError."""
    if value.get("format") != FORMAT:
        known = isinstance(value.get("format"), str) and value["format"].startswith("entity-key-")
        raise KeyFileError("KEY_VERSION", "a later version of the key file") if known else malformed("no key file")
    protection = value.get("protection")
    if list(value) != (_SEALED if protection == "passphrase" else _OPEN) or protection not in ("passphrase", "none"):
        raise malformed("not exactly the fields of a key file, in their order")
    _check_head(value)
    if render(value) != data:
        raise malformed("not in the one form of a key file")
    seed = _opened(value, passphrase) if protection == "passphrase" else _plain(value)
    key = SigningKey(seed)
    if key.public.hex() != value["public_key"]:
        raise KeyFileError("KEY_MISMATCH", "the public key is not that of the seed")
    return key, str(value["name"])


def _check_head(value: JsonObject) -> None:
    name, handover = value["name"], value["handover"]
    fits = isinstance(name, str) and 1 <= len(name.encode("utf-8")) <= NAME_MAX and name == name.strip()
    if not fits or any(_is_control(letter) for letter in name):
        raise malformed("name is no name")
    if value["purpose"] not in _PURPOSES or not (handover is None or isinstance(handover, dict)):
        raise malformed("purpose or handover is none")
    try:
        parse_hex(value["public_key"], 32)
        parse_stamp(value["created_at"])
    except ValueError as error:
        raise malformed(f"public_key or created_at: {error}") from error


def _is_control(letter: str) -> bool:
    return letter < " " or "\x7f" <= letter <= "\x9f"


def _plain(value: JsonObject) -> bytes:
    try:
        seed = parse_hex(value["seed"], 32)
        check = parse_hex(value["check"], 32)
    except ValueError as error:
        raise malformed(f"seed or check: {error}") from error
    if sha256(_covered(value, "check", "entity-key-check")) != check:
        raise KeyFileError("KEY_NOT_OPENED", "the file was changed")
    return seed


def _within(value: Any, bounds: Tuple[int, int]) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and bounds[0] <= value <= bounds[1]


def _opened(value: JsonObject, passphrase: Optional[str]) -> bytes:
    costs = (value["kdf_memory_kib"], MEMORY_KIB), (value["kdf_passes"], PASSES), (value["kdf_lanes"], LANES)
    if value["kdf"] != "argon2id" or value["cipher"] != "aes-256-gcm" or not all(_within(*cost) for cost in costs):
        raise malformed("kdf or cipher is none, or asks for too little or too much")
    try:
        salt = parse_base64(value["salt"], 32)
        nonce = parse_base64(value["nonce"], 12)
        sealed = parse_base64(value["sealed"], 48)
    except ValueError as error:
        raise malformed(f"salt, nonce or sealed: {error}") from error
    if passphrase is None:
        raise KeyFileError("KEY_PASSPHRASE_NEEDED", "the file is sealed: a passphrase is needed")
    key = _derive(passphrase, salt, value)
    try:
        return unseal(key, nonce, sealed, _covered(value, "sealed", "entity-key-file"))
    except CryptoError as error:
        raise KeyFileError("KEY_NOT_OPENED", "the passphrase is wrong, or the file was changed") from error


def _derive(passphrase: str, salt: bytes, value: JsonObject) -> bytes:
    kdf = Argon2id(
        salt=salt,
        length=32,
        iterations=value["kdf_passes"],
        lanes=value["kdf_lanes"],
        memory_cost=value["kdf_memory_kib"],
    )
    return kdf.derive(normal(passphrase))


def write(key: SigningKey, name: str, passphrase: Optional[str], created_at: str, random: bytes, memory_kib: int, passes: int) -> bytes:
    """A new file; in the clear without a passphrase. `random` has 44 bytes: salt and nonce."""
    value: JsonObject = {
        "format": FORMAT,
        "name": name,
        "purpose": "identity",
        "public_key": key.public.hex(),
        "created_at": created_at,
        "handover": None,
        "protection": "none" if passphrase is None else "passphrase",
    }
    if passphrase is None:
        value.update(seed=key.seed.hex(), check="")
        value["check"] = sha256(_covered(value, "check", "entity-key-check")).hex()
        return render(value)
    salt, nonce = random[:32], random[32:44]
    value.update(kdf="argon2id", kdf_memory_kib=memory_kib, kdf_passes=passes, kdf_lanes=1)
    value.update(salt=to_base64(salt), cipher="aes-256-gcm", nonce=to_base64(nonce), sealed="")
    sealed = seal(_derive(passphrase, salt, value), nonce, key.seed, _covered(value, "sealed", "entity-key-file"))
    value["sealed"] = to_base64(sealed)
    return render(value)

"""Points, contacts and records: their shape, their signature, which of two wins.

Source: docs/protocol/1.1.md#node-ids-and-keys, docs/protocol/1.1.md#dht-contact, docs/protocol/1.1.md#dht-record, docs/protocol/1.1.md#registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Tuple

from ..crypto import CryptoError, SigningKey, check_public_key, lp, sha256, verify_labelled
from ..encoding import SECOND, is_id, parse_base64, parse_hex, parse_stamp, stamp, to_base64
from ..strictjson import JsonObject, NotJson, canonical, checked
from ..times import HOUR

LABEL = "peer-v1.1-dht-record"
SIZE_MAX = 8_192
DEPTH_MAX = 16
LIFETIME_MAX = 24 * HOUR
AHEAD_MAX = 60 * SECOND
NAME_MAX = 128
VERSION_MAX = 2**53 - 1
CONTACTS_MAX = 20
ADDRESS_MAX = 512
ADDRESSES_MAX = 8
_FIELDS = frozenset({"kind", "name", "owner", "value", "version", "issued_at", "expires_at"})


def node_id(key: bytes) -> bytes:
    """The point of a node."""
    return sha256(key)


def record_key(kind: str, name: str) -> bytes:
    """The point where a record is kept."""
    return sha256(b"peer-v1.1-dht-key\0" + lp(kind.encode()) + lp(name.encode()))


def distance(one: bytes, other: bytes) -> int:
    """How far two points are apart."""
    return int.from_bytes(one, "big") ^ int.from_bytes(other, "big")


def read_point(value: Any) -> bytes:
    """Raises ValueError."""
    return parse_hex(value, 32)


def is_address(value: Any) -> bool:
    """An http URL of at most 512 bytes."""
    if not isinstance(value, str) or not value.startswith("http://") or len(value) > ADDRESS_MAX:
        return False
    rest = value[7:]
    return bool(rest.split("/", 1)[0].rsplit(":", 1)[0]) and all("!" <= letter <= "~" for letter in rest)


@dataclass(frozen=True)
class Contact:
    """Where somebody claims that a key can be reached."""

    id: str
    key: bytes
    address: str

    @property
    def node(self) -> bytes:
        """Its point."""
        return node_id(self.key)

    def write(self) -> JsonObject:
        """As it is sent."""
        return {"entity_id": self.id, "public_key": self.key.hex(), "address": self.address}


def read_contacts(value: Any) -> List[Contact]:
    """Raises ValueError."""
    if not isinstance(value, list) or len(value) > CONTACTS_MAX:
        raise ValueError("contacts")
    found = []
    for item in value:
        if not isinstance(item, dict) or not is_id(item.get("entity_id")) or not is_address(item.get("address")):
            raise ValueError("a contact")
        found.append(Contact(item["entity_id"], parse_hex(item.get("public_key"), 32), item["address"]))
    return found


@dataclass(frozen=True)
class Record:
    """A record whose shape is right and whose owner has signed it."""

    kind: str
    name: str
    owner: bytes
    value: JsonObject
    version: int
    issued: int
    expires: int
    signature: bytes
    digest: bytes
    """SHA-256 of its canonical form."""

    @property
    def key(self) -> bytes:
        """Where it is kept."""
        return record_key(self.kind, self.name)

    @property
    def rank(self) -> Tuple[int, bytes]:
        """Of two records of a slot the higher one wins."""
        return self.version, self.digest

    def holds(self, wall: int) -> bool:
        """Whether it counts at this time; its signature does."""
        return self.issued <= wall + AHEAD_MAX and wall < self.expires

    def fields(self) -> JsonObject:
        """What is signed."""
        return _fields(self.kind, self.name, self.owner, self.value, self.version, self.issued, self.expires)

    def write(self) -> JsonObject:
        """A signed record, as it is sent."""
        return {"record": self.fields(), "signature": to_base64(self.signature)}

    @property
    def size(self) -> int:
        """Bytes of the canonical record."""
        return len(canonical(self.fields()))


def _fields(kind: str, name: str, owner: bytes, value: JsonObject, version: int, issued: int, expires: int) -> JsonObject:
    return {
        "kind": kind, "name": name, "owner": owner.hex(), "value": value, "version": version, "issued_at": stamp(issued),
        "expires_at": stamp(expires),
    }  # fmt: skip


def sign(key: SigningKey, kind: str, name: str, value: JsonObject, version: int, issued: int, expires: int) -> Record:
    """A record of one's own. Raises ValueError where it cannot be."""
    fields = _fields(kind, name, key.public, value, version, issued, expires)
    return read_record(fields, to_base64(key.sign_labelled(LABEL, canonical(fields))))


class Forged(ValueError):
    """A record that is none, or that its owner did not sign."""


def read_record(value: Any, signature: Any) -> Record:
    """Raises Forged."""
    try:
        return _read(value, signature)
    except (ValueError, NotJson, CryptoError, RecursionError) as error:
        raise Forged(str(error)) from error


def _read(value: Any, signature: Any) -> Record:
    if not isinstance(value, dict) or set(value) != _FIELDS:
        raise ValueError("the fields of a record")
    checked(value, depth_max=DEPTH_MAX)
    signed = canonical(value)
    if len(signed) > SIZE_MAX:
        raise ValueError("a record of more than 8,192 bytes")
    kind, name, version = value["kind"], value["name"], value["version"]
    if kind == "entity":
        if not is_id(name):
            raise ValueError("the name of an entity")
    elif kind != "capability" or not is_capability(name):
        raise ValueError("kind or name")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= VERSION_MAX or not isinstance(value["value"], dict):
        raise ValueError("version or value")
    owner, issued, expires = parse_hex(value["owner"], 32), parse_stamp(value["issued_at"]), parse_stamp(value["expires_at"])
    if not issued < expires <= issued + LIFETIME_MAX:
        raise ValueError("a lifetime that is none, or more than 24 h")
    raw = parse_base64(signature, 64)
    if not check_public_key(owner) or not verify_labelled(owner, LABEL, signed, raw):
        raise ValueError("the signature does not hold")
    return Record(kind, name, owner, value["value"], version, issued, expires, raw, sha256(signed))


def is_capability(name: Any) -> bool:
    """1 to 128 bytes without control characters."""
    if not isinstance(name, str) or any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in name):
        return False
    return 1 <= len(name.encode("utf-8", "replace")) <= NAME_MAX


def read_way(record: Record) -> Tuple[str, List[str], List[str]]:
    """Id, addresses and capabilities of a registry's record. Raises ValueError: it is skipped."""
    id, addresses, able = record.value.get("entity_id"), record.value.get("addresses"), record.value.get("capabilities", [])
    if not is_id(id) or record.kind == "entity" and id != record.name:
        raise ValueError("entity_id")
    if not isinstance(addresses, list) or not 1 <= len(addresses) <= ADDRESSES_MAX or not all(map(is_address, addresses)):
        raise ValueError("addresses")
    if not isinstance(able, list) or not all(isinstance(item, str) for item in able):
        raise ValueError("capabilities")
    return str(id), list(addresses), list(able)

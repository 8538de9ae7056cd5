"""What a `chunk_init` says. Source: docs/protocol/1.1.md#chunk-init, docs/protocol/1.1.md#chunk-limits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Optional, TypeGuard

from ..encoding import is_uuid4
from ..strictjson import JsonObject
from .ranges import span

CHUNK_MIN = 1_024
CHUNK_MAX = 524_288
CHUNK_DEFAULT = 65_536
COUNT_MAX = 2**20
KIND_MAX = 64
NAME_MAX = 255
SIZE_MAX = 2**53 - 1
FILE = "file"

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Offer:
    """A whole, and how it is cut."""

    id: str
    kind: str
    name: Optional[str]
    size: int
    chunk_size: int
    sha256: str

    @property
    def count(self) -> int:
        """How many chunks there are."""
        return -(-self.size // self.chunk_size)

    @property
    def full(self) -> int:
        """The set of all indexes."""
        return span(0, self.count - 1) if self.count else 0

    def length(self, index: int) -> int:
        """Bytes of one chunk."""
        return min(self.chunk_size, self.size - index * self.chunk_size)

    def body(self) -> JsonObject:
        """As it goes over the wire."""
        told: JsonObject = {
            "transfer_id": self.id,
            "total_size": self.size,
            "chunk_size": self.chunk_size,
            "total_chunks": self.count,
            "sha256": self.sha256,
            "msg_type": self.kind,
        }
        if self.name is not None:
            told["name"] = self.name
        return told


def is_name(name: Any) -> bool:
    """Whether it is a label for people: 1 to 255 bytes without control characters."""
    return isinstance(name, str) and 1 <= len(name.encode("utf-8", "replace")) <= NAME_MAX and _CONTROL.search(name) is None


def is_digest(value: Any) -> TypeGuard[str]:
    """64 lower-case hex digits."""
    return isinstance(value, str) and _DIGEST.match(value) is not None


def read_offer(body: JsonObject) -> Offer:
    """The offer in a `chunk_init`. Raises ValueError."""
    size, chunk_size, kind, name = body.get("total_size"), body.get("chunk_size"), body.get("msg_type"), body.get("name")
    if not is_uuid4(body.get("transfer_id")) or not is_digest(body.get("sha256")):
        raise ValueError("transfer_id or sha256")
    if not is_count(size, SIZE_MAX) or not is_count(chunk_size, CHUNK_MAX) or chunk_size < CHUNK_MIN:
        raise ValueError("total_size or chunk_size")
    if not isinstance(kind, str) or not 1 <= len(kind.encode("utf-8", "replace")) <= KIND_MAX:
        raise ValueError("msg_type")
    if name is not None and not is_name(name):
        raise ValueError("name")
    offer = Offer(body["transfer_id"], kind, name, size, chunk_size, body["sha256"])
    if not is_count(body.get("total_chunks"), COUNT_MAX) or body["total_chunks"] != offer.count:
        raise ValueError("total_chunks")
    return offer


def is_count(value: Any, most: int) -> TypeGuard[int]:
    """An integer from 0 to `most`."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
